"""A small bundle whose classifier takes both decisions, and how its answers are compared."""

import keras
import numpy as np

from support.tiny import RECIPE, SIZE, write_tiny_bundle
from tfadvpath.bundle.bundle import load_bundle, save_bundle
from tfadvpath.models.two_headed_unet import two_headed_unet

STEPS = 5


def images(count=8, seed=0):
    """Noise, half of it darker."""
    noise = np.random.default_rng(seed).random((count, SIZE, SIZE, 1))
    return (noise * np.linspace(0.2, 1, count)[:, None, None, None]).astype(np.float32)


def write_deciding_bundle(folder):
    """Writes a bundle with CyCE, SyCE and SAGen, whose classifier splits ``images()`` in halves."""
    tiny = load_bundle(write_tiny_bundle(folder / "tiny"))
    classifier = tiny.classifier
    kernel, _ = classifier.layers[-1].get_weights()
    classifier.layers[-1].set_weights([4 * kernel, np.zeros(1, np.float32)])
    scores = classifier.predict(images(), verbose=0)[:, 0]
    middle = np.median(np.log(scores / (1 - scores)))
    classifier.layers[-1].set_weights([4 * kernel, np.array([-middle], np.float32)])
    unets = {f"generator_{k}": unet for k, unet in enumerate(tiny.generators["syce"].generators)}
    keras.utils.set_random_seed(1)
    heads = {"network": two_headed_unet((SIZE, SIZE, 1), [4, 8], dropout=0.0)}
    generators = {"cyce": unets, "syce": unets, "sagen": heads}
    save_bundle(folder / "deciding", classifier, generators, RECIPE, {"test": {}})
    return folder / "deciding"


def relative(maps, expected):
    """The largest difference of every image, relative to its largest value."""
    axes = tuple(range(1, expected.ndim))
    return np.abs(maps - expected).max(axis=axes) / np.abs(expected).max(axis=axes)


def assert_same_maps(maps, expected):
    """The rule for every way to the maps: 1e-4 as they are, and 1e-3 of each image's largest value.

    Measured were 6e-7 of the largest value. But a gradient jumps where a value crosses a ReLU's edge, and the
    last bit may decide on which side it falls: some pixels may be farther off, never the median one.
    """
    apart = np.abs(maps - expected)
    of_largest = apart / np.abs(expected).max(axis=tuple(range(1, expected.ndim)), keepdims=True)
    assert apart.max() < 1e-4
    assert np.median(of_largest) < 1e-5
    assert of_largest.max() < 1e-3


def assert_same_ends(explained, library):
    """The rule for the path's ends: 1e-5. The residual may differ more, as the gradients of few steps do."""
    for name in ("score", "start", "adversary", "score_start", "score_adversary"):
        np.testing.assert_allclose(getattr(explained, name), getattr(library, name), atol=1e-5)
    residuals = explained.completeness_residual, library.completeness_residual
    np.testing.assert_allclose(*residuals, atol=2e-3)
