"""DICOM files: from bytes to frames as a viewer shows them, or to masks."""

from tfadvpath.studies.dicom.reader import DicomReader

__all__ = ["DicomReader"]
