"""One SavedModel of the whole explainer: written, checked, and called over the network."""
