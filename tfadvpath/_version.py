"""The version of this package, which setup.cfg reads too."""

__version__ = "0.1.0"
