"""The exported version that the servers of these tests serve."""

from support.exported import bundle, exported, exported_folder, library

__all__ = ["bundle", "exported", "exported_folder", "library"]
