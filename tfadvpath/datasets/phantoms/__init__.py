"""Generated studies that look like the real thing and carry the truth."""

from tfadvpath.datasets.phantoms.brain import BrainPhantom, brain_phantom, write_brain_phantoms

__all__ = ["BrainPhantom", "brain_phantom", "write_brain_phantoms"]
