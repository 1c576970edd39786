"""The folder that training leaves: networks, recipe, figures, manifest, model card."""
