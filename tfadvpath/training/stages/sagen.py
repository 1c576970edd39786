"""The stage of SAGen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from tfadvpath.bundle.figures import pair_figures
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.generators.sagen import SAGen
from tfadvpath.generators.syce import SyCE
from tfadvpath.models.two_headed_unet import two_headed_unet
from tfadvpath.path.compilation import use_xla
from tfadvpath.recipes.stages import SAGenOptions
from tfadvpath.training.pair_measurement import pair_measurement
from tfadvpath.training.panels import pair_panel
from tfadvpath.training.stage import Look, adam, unheard
from tfadvpath.training.stages.generator import GeneratorStage
from tfadvpath.training.stages.registry import register
from tfadvpath.training.stages.unet_warm_up import learn_pairs, learn_to_copy


@register
class SAGenStage(GeneratorStage):
    """Trains the network of ``generators.SAGen``."""

    name = "sagen"
    options: SAGenOptions

    def build(self) -> keras.Model:
        options = self.options
        network = two_headed_unet(
            self.data.image_shape,
            options.filters,
            options.normalization,
            options.dropout,
            options.residual,
            options.padding,
        )
        model = SAGen(self.classifier, network, seed=self.seed, **options.model_arguments())
        model.compile(adam(options, options.epochs * self.steps), jit_compile=use_xla("auto"))
        return model

    def warm_up(self, model: SAGen, look: Look = unheard) -> int:
        if self.data.start_from:
            generators = (self.data.start_from[f"generator_{k}"] for k in (0, 1))
            trained = SyCE(self.classifier, tuple(generators))
            return learn_pairs(model.network, trained, self.options, self, look)
        return learn_to_copy(model.network, 2, self.options, self, look)

    def networks(self, model: SAGen) -> Mapping[str, keras.Model]:
        return {"network": model.network}

    def figures(self, model: SAGen, part: LabelledImages) -> Mapping[str, Any]:
        return pair_figures(model, part.images, part.patients)

    def measurement(self, model: SAGen) -> Callable[[], Mapping[str, float]]:
        return pair_measurement(model, self.measured())

    def panel(self, model: SAGen) -> np.ndarray:
        return pair_panel(self.shown(), model)
