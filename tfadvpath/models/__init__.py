"""The networks, without losses."""

from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.resnet50 import resnet50_classifier
from tfadvpath.models.unet import UNet

__all__ = ["UNet", "discriminator", "resnet50_classifier"]
