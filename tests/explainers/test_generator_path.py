"""The manifold path of each generator's pairs, and when there is none."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath import explainers
from tfadvpath.errors import InputError
from tfadvpath.explainers.generator_path import generator_path
from tfadvpath.generators import AdversarialPair, CyCE, SAGen, SyCE
from tfadvpath.models import UNet, two_headed_unet
from tfadvpath.path.importance import MAPS, feature_importance
from tfadvpath.path.paths import ManifoldPath

SHAPE = (16, 16, 1)
RESIDUALS = (None, 1, 2, 4)


def some_images(count=5):
    """Noise, from dark to bright."""
    noise = np.random.default_rng(0).random((count, *SHAPE))
    return (noise * np.linspace(0.2, 1, count)[:, None, None, None]).astype(np.float32)


def stirred(network, seed=0):
    """A network whose change of the image is not 0, as that of a new one with `residual`."""
    rng = np.random.default_rng(seed)
    for weight in network.trainable_variables:
        weight.assign_add(0.1 * rng.normal(size=weight.shape))
    return network


def two_heads(residual=None):
    keras.utils.set_random_seed(0)
    return stirred(two_headed_unet(SHAPE, [4, 8, 8], dropout=0.5, residual=residual))


def unets(residual=None):
    keras.utils.set_random_seed(0)
    return tuple(stirred(UNet(SHAPE, [4, 8, 8], dropout=0.5, residual=residual), seed) for seed in (1, 2))


def classifier():
    """Bright images are of class 1."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            keras.layers.Rescaling(8.0, offset=-2.4),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, kernel_initializer="ones", activation="sigmoid"),
        ]
    )


def generator(name, residual=None):
    if name == "sagen":
        return SAGen(classifier(), two_heads(residual))
    return {"cyce": CyCE, "syce": SyCE}[name](classifier(), unets(residual))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "residual"), [("cyce", None), ("syce", 2), ("sagen", None), ("sagen", 2)])
def test_every_generator_s_path_goes_from_its_start_to_its_adversary(name, residual):
    made = generator(name, residual)
    options = {"steps": 40, "batch_size": 2, "jit_compile": False}
    curved = explainers.get(name, made, path="manifold", **options).explain(some_images())
    straight = explainers.get(name, made, **options).explain(some_images())
    assert 0 < curved.decision.sum() < len(curved)  # a mixed batch
    for field in ("score", "score_start", "score_adversary", "start", "adversary"):
        np.testing.assert_allclose(getattr(curved, field), getattr(straight, field), atol=1e-5)
    np.testing.assert_allclose(curved.maps["difference"], straight.maps["difference"], atol=1e-6)
    scale = straight.maps["fi_v2"].max()
    assert np.abs(curved.maps["fi_v2"] - straight.maps["fi_v2"]).max() > 1e-3 * scale
    # A path that stands still where it is clipped, and has the kinks of a ReLU, is complete to about that.
    change = np.abs(curved.score_adversary - curved.score_start)
    assert (curved.completeness_residual * change).max() < 0.02


@pytest.mark.slow
def test_the_graph_and_xla_agree():
    made = generator("syce", residual=2)
    given = {"steps": 4, "batch_size": 3, "path": "manifold"}
    graph = explainers.get("syce", made, jit_compile=False, **given).explain(some_images(3))
    compiled = explainers.get("syce", made, jit_compile=True, **given)
    xla = compiled.explain(some_images(3))
    for name in MAPS:
        np.testing.assert_allclose(xla.maps[name], graph.maps[name], atol=1e-4 * graph.maps[name].max())
    assert compiled.run_batch.experimental_get_tracing_count() == 1


def test_the_network_is_that_of_the_image_where_the_start_lies_beyond_the_decision():
    networks = unets()
    f = classifier()

    class Beyond:
        """Start images of the other decision, as a stable image may be."""

        classifier = f
        generators = networks

        def generate(self, images):
            return AdversarialPair(0.9 - 0.8 * images, 0.5 * images, f(images)[:, 0])

    images = np.stack([np.full(SHAPE, value, np.float32) for value in (0.1, 0.9, 0.2)])
    images += 0.05 * np.random.default_rng(1).random(images.shape).astype(np.float32)
    options = {"steps": 6, "kernel_size": 8, "jit_compile": False}
    explanation = explainers.AdversarialPath(Beyond(), path="manifold", batch_size=2, **options).explain(
        images
    )
    assert explanation.kept.tolist() == [False] * 3
    for row, decision in enumerate(explanation.decision):
        for network in (0, 1):
            pair = explanation.start[row : row + 1], explanation.adversary[row : row + 1]
            path = ManifoldPath(networks[network])
            expected = feature_importance(f, *pair, path=path, **options).fi_v2[0]
            same = np.abs(explanation.maps["fi_v2"][row] - expected).max() < 1e-4 * np.abs(expected).max()
            assert same == (network == decision)


@pytest.mark.parametrize("residual", RESIDUALS)
def test_sagens_body_and_stable_head_are_an_autoencoder(residual, tmp_path):
    network = two_heads(residual)
    network.save(tmp_path / "network.keras")
    loaded = keras.models.load_model(tmp_path / "network.keras")
    path = generator_path("manifold", SAGen(classifier(), loaded))
    images = some_images()
    levels = path.generator.encode(images)
    expected = network(images, training=False)[..., :1]
    np.testing.assert_allclose(path.generator.decode(levels), expected, atol=1e-6)
    assert not path.translates
    # All that the decoder knows of an image is in the levels.
    mixed = [0.5 * level[:1] + 0.5 * level[1:2] for level in levels]
    assert np.abs(path.generator.decode(mixed)[0] - expected[0]).max() > 1e-4
    assert [level.shape[1] for level in levels][-1] == 4


def test_the_straight_path_needs_no_network():
    assert generator_path("straight", SimpleNamespace()) is None


@pytest.mark.parametrize(
    ("name", "made", "message"),
    [
        ("curly", SimpleNamespace(), "`path`: 'curly' is no path. Choose straight or manifold."),
        (
            "manifold",
            SimpleNamespace(generators=[lambda x: x] * 2),
            "`path`: 'manifold' needs networks that encode and decode images, SimpleNamespace has none. "
            "Choose straight.",
        ),
        (
            "manifold",
            SimpleNamespace(network=keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(1, 1)])),
            "`path`: 'manifold' needs networks that encode and decode images, SimpleNamespace has none. "
            "Choose straight.",
        ),
    ],
)
def test_what_has_no_such_path_is_refused_in_one_line(name, made, message):
    with pytest.raises(InputError) as error:
        generator_path(name, made)
    assert str(error.value) == message
    with pytest.raises(InputError):
        explainers.AdversarialPath(
            SimpleNamespace(classifier=tf.identity, generate=tf.identity, **vars(made)), path=name
        )
