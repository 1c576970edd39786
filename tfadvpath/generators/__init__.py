"""Networks that train against a frozen classifier, each a Keras model with its own train step."""

import importlib
from typing import TYPE_CHECKING, Any

from tfadvpath.generators.registry import GENERATORS

if TYPE_CHECKING:
    from tfadvpath.generators.base import AdversarialPair
    from tfadvpath.generators.cyce import CyCE
    from tfadvpath.generators.fixed_point_gan import FixedPointGAN
    from tfadvpath.generators.mask_generator import MaskGenerator
    from tfadvpath.generators.sagen import SAGen
    from tfadvpath.generators.syce import SyCE

__all__ = ["AdversarialPair", "CyCE", "FixedPointGAN", "MaskGenerator", "SAGen", "SyCE"]


def __getattr__(name: str) -> Any:
    # On first use: the registry's readers need no TensorFlow.
    if name == "AdversarialPair":
        return importlib.import_module("tfadvpath.generators.base").AdversarialPair
    for row in GENERATORS.values():
        if row.home.rpartition(".")[2] == name:
            return row.load_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
