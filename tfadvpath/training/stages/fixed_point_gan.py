"""The stage of the fixed-point GAN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfadvpath.bundle.figures import translation_figures
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.generators.fixed_point_gan import FixedPointGAN
from tfadvpath.models.translators import class_discriminator, translator
from tfadvpath.path.compilation import use_xla
from tfadvpath.recipes.stages import FixedPointGANOptions
from tfadvpath.training.panels import panel
from tfadvpath.training.stage import adam
from tfadvpath.training.stage_data import StageData
from tfadvpath.training.stages.generator import GeneratorStage
from tfadvpath.training.stages.registry import register


@register
class FixedPointGANStage(GeneratorStage):
    """Trains the networks of ``generators.FixedPointGAN``.

    The last epoch is kept: the losses, those of a contest of two networks, do not say which epoch is best.
    """

    name = "fixed_point_gan"
    options: FixedPointGANOptions

    def __init__(self, options: FixedPointGANOptions, data: StageData, seed: int):
        super().__init__(options, data, seed)
        self.sub_batches = options.n_critic

    def rank(self, logs: Mapping[str, float]) -> None:
        return None

    def build(self) -> keras.Model:
        options, shape = self.options, self.data.image_shape
        model = FixedPointGAN(
            self.classifier,
            translator(shape, options.width, options.residual_blocks),
            class_discriminator(shape, options.discriminator_width, options.levels),
            seed=self.seed,
            **options.model_arguments(),
        )
        steps = options.epochs * self.steps
        model.compile(
            adam(options, steps, beta_1=0.5),
            adam(options, options.n_critic * steps, options.discriminator_learning_rate, beta_1=0.5),
            jit_compile=use_xla("auto"),
        )
        return model

    def networks(self, model: FixedPointGAN) -> Mapping[str, keras.Model]:
        return {"translator": model.translator}

    def figures(self, model: FixedPointGAN, part: LabelledImages) -> Mapping[str, Any]:
        return translation_figures(model, part.images, part.patients)

    def panel(self, model: FixedPointGAN) -> np.ndarray:
        images = self.shown()
        perturbed = np.asarray(model.perturb(images))
        return panel({"x": images, "x_p": perturbed}, {"|x - x_p|": np.abs(images - perturbed)})
