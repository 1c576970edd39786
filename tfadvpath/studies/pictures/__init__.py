"""PNG and JPEG files: from bytes to grey values."""

from tfadvpath.studies.pictures.reader import ImageFileReader

__all__ = ["ImageFileReader"]
