"""Phantoms: generated studies that look like the real thing and carry the truth."""

from tfadvpath.datasets.phantoms.brain import BrainPhantom, brain_phantom, write_brain_phantoms
from tfadvpath.datasets.phantoms.chest import ChestPhantom, chest_phantom, write_chest_phantoms

__all__ = [
    "BrainPhantom",
    "ChestPhantom",
    "brain_phantom",
    "chest_phantom",
    "write_brain_phantoms",
    "write_chest_phantoms",
]
