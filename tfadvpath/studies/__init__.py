"""Image files as studies that a model can read, and where their images lie."""
