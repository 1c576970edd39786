"""Networks, without losses."""

from tfadvpath.models.binary import binary_classifier
from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.mask_decoder import activation_levels, mask_decoder
from tfadvpath.models.randomize import partly_randomized, randomized
from tfadvpath.models.resnet50 import resnet50_classifier
from tfadvpath.models.translators import class_discriminator, translator
from tfadvpath.models.two_headed_unet import two_headed_unet
from tfadvpath.models.unet import UNet

__all__ = [
    "UNet",
    "activation_levels",
    "binary_classifier",
    "class_discriminator",
    "discriminator",
    "mask_decoder",
    "partly_randomized",
    "randomized",
    "resnet50_classifier",
    "translator",
    "two_headed_unet",
]
