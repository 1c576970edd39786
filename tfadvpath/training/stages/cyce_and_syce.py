"""The stages of CyCE and SyCE."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import keras
import numpy as np

from tfadvpath.bundle.figures import pair_figures
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.generators.cyce import CyCE
from tfadvpath.generators.domains import DomainGenerator
from tfadvpath.generators.syce import SyCE
from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.unet import UNet
from tfadvpath.path.compilation import use_xla
from tfadvpath.recipes.stages import CyCEOptions, SyCEOptions
from tfadvpath.training.pair_measurement import pair_measurement
from tfadvpath.training.panels import pair_panel
from tfadvpath.training.stage import Look, adam, unheard
from tfadvpath.training.stages.generator import GeneratorStage
from tfadvpath.training.stages.registry import register
from tfadvpath.training.stages.unet_warm_up import learn_to_copy, learn_to_undo


class _DomainStage(GeneratorStage):
    paired = True
    options: CyCEOptions | SyCEOptions
    generator_class: ClassVar[type[DomainGenerator]]
    moves_a_step: ClassVar[int]  # of the U-Nets' optimizer

    def build(self) -> keras.Model:
        options, shape = self.options, self.data.image_shape
        zero, one = (
            UNet(
                shape,
                options.filters,
                options.normalization,
                options.dropout,
                options.residual,
                options.padding,
            )
            for _ in (0, 1)
        )
        model = self.generator_class(
            self.classifier,
            (zero, one),
            (discriminator(shape, options.filters), discriminator(shape, options.filters)),
            seed=self.seed,
            **options.model_arguments(),
        )
        steps = options.epochs * self.steps
        critic_options = options.model_copy(update={"clip_norm": None})
        model.compile(
            adam(options, self.moves_a_step * steps),
            adam(critic_options, steps, options.discriminator_learning_rate),
            jit_compile=use_xla("auto"),
        )
        return model

    def warm_up(self, model: DomainGenerator, look: Look = unheard) -> int:
        if self.data.start_from:
            networks = self.networks(model)
            for name, unet in networks.items():
                unet.set_weights(self.data.start_from[name].get_weights())
            trained = [self.data.start_from[name] for name in networks]
            return learn_to_undo(model.generators, trained, self.options, self, look)
        first, second = model.generators
        steps = learn_to_copy(first, 1, self.options, self, look)
        if self.options.warm_up_steps:
            second.set_weights(first.get_weights())
        return steps

    def networks(self, model: DomainGenerator) -> Mapping[str, keras.Model]:
        return {f"generator_{k}": unet for k, unet in enumerate(model.generators)}

    def figures(self, model: DomainGenerator, part: LabelledImages) -> Mapping[str, Any]:
        return pair_figures(model, part.images, part.patients)

    def measurement(self, model: DomainGenerator) -> Callable[[], Mapping[str, float]]:
        return pair_measurement(model, self.measured())

    def panel(self, model: DomainGenerator) -> np.ndarray:
        return pair_panel(self.shown(), model)


@register
class CyCEStage(_DomainStage):
    """Trains the generators of ``generators.CyCE``."""

    name = "cyce"
    generator_class = CyCE
    moves_a_step = 1


@register
class SyCEStage(_DomainStage):
    """Trains the generators of ``generators.SyCE``, whose optimizer moves for each class in turn."""

    name = "syce"
    generator_class = SyCE
    moves_a_step = 2
