"""Generators of a stable image and an adversary, each a Keras model with its own train step."""

from tfadvpath.generators.base import AdversarialPair
from tfadvpath.generators.syce import SyCE

__all__ = ["AdversarialPair", "SyCE"]
