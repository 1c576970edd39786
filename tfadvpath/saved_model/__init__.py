"""SavedModels of whole explainers: written, and checked before they are served."""
