"""What the stages after the classifier's share, on images that are numbers."""

import types

import numpy as np

from tfadvpath.training.stages.generator import GeneratorStage


def test_the_images_shown_lie_apart():
    images = np.arange(20, dtype=np.float32).reshape(-1, 1, 1, 1)
    stage = types.SimpleNamespace(
        domains={"validation": (np.arange(12), np.arange(12, 20))},
        material=types.SimpleNamespace(parts={"validation": types.SimpleNamespace(images=images)}),
    )
    shown = GeneratorStage.shown(stage)
    assert shown.reshape(-1).tolist() == [3, 7, 14, 16]
