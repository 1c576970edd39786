"""Image files as studies that a model can read."""

from tfadvpath.datasets.study import Grid, Study, find_studies, read_study

__all__ = ["Grid", "Study", "find_studies", "read_study"]
