"""NIfTI files: from bytes to slices as radiologists see them."""

from tfadvpath.studies.nifti.reader import NiftiReader

__all__ = ["NiftiReader"]
