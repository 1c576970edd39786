"""Generators of a stable image and an adversary, each a Keras model with its own train step."""

from tfadvpath.generators.base import AdversarialPair
from tfadvpath.generators.cyce import CyCE
from tfadvpath.generators.fixed_point_gan import FixedPointGAN
from tfadvpath.generators.mask_generator import MaskGenerator
from tfadvpath.generators.sagen import SAGen
from tfadvpath.generators.syce import SyCE

__all__ = ["AdversarialPair", "CyCE", "FixedPointGAN", "MaskGenerator", "SAGen", "SyCE"]
