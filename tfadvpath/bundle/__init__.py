"""Bundles, the folders that training leaves: networks, recipe, figures, manifest, model card."""
