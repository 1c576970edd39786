"""The stage of the mask generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfadvpath.bundle.figures import mask_figures
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.generators.mask_generator import MaskGenerator
from tfadvpath.models.mask_decoder import mask_decoder
from tfadvpath.path.compilation import use_xla
from tfadvpath.recipes.stages import MaskGeneratorOptions
from tfadvpath.training.panels import panel
from tfadvpath.training.stage import adam
from tfadvpath.training.stages.generator import GeneratorStage
from tfadvpath.training.stages.registry import register


@register
class MaskGeneratorStage(GeneratorStage):
    """Trains the decoder of ``generators.MaskGenerator``."""

    name = "mask_generator"
    options: MaskGeneratorOptions

    def build(self) -> keras.Model:
        options = self.options
        model = MaskGenerator(
            self.classifier,
            mask_decoder(self.classifier, options.width),
            seed=self.seed,
            **options.model_arguments(),
        )
        model.compile(adam(options, options.epochs * self.steps), jit_compile=use_xla("auto"))
        return model

    def networks(self, model: MaskGenerator) -> Mapping[str, keras.Model]:
        return {"decoder": model.decoder}

    def figures(self, model: MaskGenerator, part: LabelledImages) -> Mapping[str, Any]:
        return mask_figures(model, part.images, part.patients)

    def panel(self, model: MaskGenerator) -> np.ndarray:
        images = self.shown()
        return panel({"x": images}, {"M": np.asarray(model.mask(images))})
