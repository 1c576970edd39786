"""Curves of the decision while pixels are replaced."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.metrics import most_and_least_curves, perturbation_curves, random_curves
from tfadvpath.metrics.replacement import Regions, ranks
from tfadvpath.path.classifier import probability_function

FLOAT32 = 1e-6  # sums of at most 200 values in [0, 1]


def linear(weights, offset=0.0):
    """f(x) = offset + Σ weights · x; the caller keeps it in [0, 1]."""
    weights = tf.constant(weights, tf.float32)
    return lambda x: offset + tf.reduce_sum(x * weights, axis=(1, 2, 3))


def mean(x):
    return tf.reduce_mean(x, axis=(1, 2, 3))


def small_cnn(shape, seed=0):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    normal = keras.initializers.RandomNormal(stddev=1.0)
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(4, 3, activation="relu", kernel_initializer=normal),
            layers.Conv2D(4, 3, strides=2, activation="tanh", kernel_initializer=normal),
            layers.Flatten(),
            layers.Dense(1, "sigmoid"),
        ]
    )


def in_float64(network, x):
    """The forward pass of ``small_cnn`` for one image [H, W, C], by sums over windows."""
    for layer in network.layers[:2]:
        kernel, bias = (w.astype(np.float64) for w in layer.get_weights())
        stride = layer.strides[0]
        rows, columns = ((size - 3) // stride + 1 for size in x.shape[:2])
        out = np.empty((rows, columns, kernel.shape[3]))
        for i in range(rows):
            for j in range(columns):
                window = x[i * stride : i * stride + 3, j * stride : j * stride + 3]
                out[i, j] = np.tensordot(window, kernel, axes=3) + bias
        x = np.maximum(out, 0) if layer.activation is keras.activations.relu else np.tanh(out)
    kernel, bias = (w.astype(np.float64) for w in network.layers[-1].get_weights())
    return 1 / (1 + np.exp(-(x.ravel() @ kernel[:, 0] + bias[0])))


def step_by_step(network, image, importance, perturbed, steps, order, region, share):
    """The definition, in float64, a square and a step at a time."""
    height, width = importance.shape
    squares = [
        (slice(i, i + region), slice(j, j + region))
        for i in range(0, height, region)
        for j in range(0, width, region)
    ]
    squares.sort(key=lambda square: importance[square].sum(), reverse=order == "most")
    first = in_float64(network, image)
    curve = []
    for k in range(steps + 1):
        x = image.copy()
        for square in squares[: int(k / steps * share * len(squares) + 0.5)]:
            x[square] = perturbed[square]
        score = in_float64(network, x)
        curve.append(score if first >= 0.5 else 1 - score)
    return curve


@pytest.mark.parametrize("order", ["most", "least"])
@pytest.mark.parametrize(("region", "steps", "share"), [(1, 7, 1.0), (3, 6, 1.0), (4, 5, 0.6)])
def test_is_the_definition_in_float64(order, region, steps, share):
    # 11 x 14 pixels: no side of a square divides them, no number of steps the number of squares.
    rng = np.random.default_rng(1)
    network = small_cnn((11, 14, 2))
    images, perturbed = rng.random((2, 5, 11, 14, 2))
    maps = rng.normal(size=(5, 11, 14, 3))
    scores = network(images).numpy()
    network.layers[-1].bias.assign([-np.mean(np.log(scores / (1 - scores)))])
    curves = perturbation_curves(
        network, images, maps, perturbed, steps=steps, order=order, region=region, share=share, batch_size=4
    )
    assert curves.dtype == np.float32
    expected = [
        step_by_step(network, image, importance, x_p, steps, order, region, share)
        for image, importance, x_p in zip(images, maps.sum(axis=3), perturbed, strict=True)
    ]
    assert {True, False} == set(network(images).numpy()[:, 0] >= 0.5)  # both classes
    np.testing.assert_allclose(curves, expected, rtol=0, atol=1e-5)
    assert np.ptp(curves, axis=1).min() > 0.01


def test_a_linear_classifier_loses_its_largest_terms_first():
    weights = np.random.default_rng(2).random((1, 6, 5, 1)) / 30
    curve = perturbation_curves(
        linear(weights, 0.5 - weights.sum() / 2),
        np.ones((1, 6, 5, 1)),
        weights,
        np.zeros((1, 6, 5, 1)),
        steps=30,
    )[0]
    falls = np.cumsum(np.sort(weights.ravel())[::-1])
    np.testing.assert_allclose(curve, 0.5 + weights.sum() / 2 - np.append(0, falls), rtol=0, atol=FLOAT32)


def test_an_image_of_class_0_is_followed_by_1_minus_f():
    image, replaced = np.full((1, 4, 4, 1), 0.2), np.full((1, 4, 4, 1), 0.6)
    curve = perturbation_curves(mean, image, np.ones((1, 4, 4)), replaced, steps=2)
    np.testing.assert_allclose(curve, [[0.8, 0.6, 0.4]], rtol=0, atol=FLOAT32)


def test_one_half_is_class_1():
    image = np.full((1, 2, 2, 1), 0.5)
    assert perturbation_curves(mean, image, image, np.ones_like(image), steps=1)[0, 1] == 1


levels = st.integers(0, 3)  # few values: many ties
WEIGHTS = np.random.default_rng(3).random((1, 5, 7, 1)) / 70
AFFINE = linear(WEIGHTS, 0.5)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    values=st.lists(levels, min_size=35, max_size=35),
    region=st.sampled_from([1, 2, 3]),
    steps=st.sampled_from([1, 5, 40]),
)
def test_least_is_the_exact_reverse_of_most_whatever_the_ties(values, region, steps):
    image, black, maps = np.ones((1, 5, 7, 1)), np.zeros((1, 5, 7, 1)), np.reshape(values, (1, 5, 7))
    units = -(-5 // region) * -(-7 // region)
    # Each square is replaced at a step of its own. The falls by complementary sets add up to the whole fall.
    most, least, predicted = most_and_least_curves(AFFINE, image, maps, black, steps=units, region=region)
    np.testing.assert_allclose(most[0] + least[0, ::-1], 1 + WEIGHTS.sum(), rtol=0, atol=FLOAT32)
    assert predicted == 1
    # And each alone is what both are together, in any number of steps.
    most, least, _ = most_and_least_curves(AFFINE, image, maps, black, steps=steps, region=region)
    for order, curves in (("most", most), ("least", least)):
        alone = perturbation_curves(AFFINE, image, maps, black, steps=steps, order=order, region=region)
        np.testing.assert_array_equal(alone, curves)


@settings(max_examples=20, deadline=None)
@given(values=st.lists(levels, min_size=70, max_size=70), region=st.sampled_from([1, 2]), data=st.data())
def test_order_of_images_scale_and_batches_do_not_matter(values, region, data):
    images, perturbed = np.random.default_rng(3).random((2, 2, 5, 7, 1))
    maps = np.reshape(values, (2, 5, 7)).astype(float)
    batch_size = data.draw(st.sampled_from([1, 4, 9]))
    expected = perturbation_curves(AFFINE, images, maps, perturbed, steps=6, region=region)
    swapped = perturbation_curves(
        AFFINE, images[::-1], 7 * maps[::-1], perturbed[::-1], steps=6, region=region, batch_size=batch_size
    )
    np.testing.assert_allclose(swapped[::-1], expected, rtol=0, atol=FLOAT32)


@settings(max_examples=20, deadline=None)
@given(st.lists(levels, min_size=35, max_size=35))
def test_a_monotone_transform_of_the_map_changes_nothing(values):
    image, perturbed = np.random.default_rng(4).random((2, 1, 5, 7, 1))
    maps = np.reshape(values, (1, 5, 7)).astype(float)
    expected = perturbation_curves(AFFINE, image, maps, perturbed, steps=9)
    for transformed in (np.exp(maps) - 20, maps**3, -1 / (1 + maps)):
        np.testing.assert_array_equal(
            perturbation_curves(AFFINE, image, transformed, perturbed, steps=9), expected
        )


def test_squares_are_ordered_by_their_sum_and_not_by_their_peak():
    maps = np.zeros((1, 4, 4))
    maps[0, 0, 0] = 3
    maps[0, 2:, 2:] = 1
    weights = np.zeros((1, 4, 4, 1))
    weights[0, 2:, 2:] = 1 / 4
    curve = perturbation_curves(
        linear(weights), np.ones((1, 4, 4, 1)), maps, np.zeros((1, 4, 4, 1)), steps=4, region=2
    )
    np.testing.assert_array_equal(curve, [[1, 0, 0, 0, 0]])


def test_the_curve_of_16_percent_begins_that_of_the_whole_image():
    rng = np.random.default_rng(5)
    images, perturbed = rng.random((2, 2, 24, 32, 1))
    f, maps = linear(rng.random((1, 24, 32, 1)) / 768), rng.random((2, 24, 32))
    whole = perturbation_curves(f, images, maps, perturbed, steps=100, region=2)
    part = perturbation_curves(f, images, maps, perturbed, steps=16, region=2, share=0.16)
    np.testing.assert_array_equal(whole[:, :17], part)


def test_a_function_gets_the_pixels_that_are_removed():
    # It fills with the share removed, so black images become brighter by its square.
    def fill(images, removed):
        assert removed.dtype == tf.bool
        return images + tf.reduce_mean(tf.cast(removed, tf.float32), axis=(1, 2, 3), keepdims=True)

    maps = np.random.default_rng(6).random((3, 4, 4))
    curves = perturbation_curves(mean, np.zeros((3, 4, 4, 1)), maps, fill, steps=8, batch_size=5)
    share = np.arange(9) / 8
    np.testing.assert_allclose(curves, np.tile(1 - share**2, (3, 1)), rtol=0, atol=FLOAT32)


class Counting:
    """A linear classifier that counts its traces and the images that it is given."""

    def __init__(self, shape):
        self.weights = tf.random.stateless_uniform([1, *shape], [0, 0]) / float(np.prod(shape))
        self.images = tf.Variable(0)
        self.traces = 0

    def __call__(self, x):
        self.traces += 1
        self.images.assign_add(tf.shape(x)[0])
        return tf.reduce_sum(x * self.weights, axis=(1, 2, 3))


def test_every_point_is_classified_once_and_what_orders_share_too():
    shape = (6, 6, 1)
    images, maps, black = (
        np.ones((5, *shape)),
        np.random.default_rng(7).random((5, 6, 6)),
        np.zeros((5, *shape)),
    )

    def seen(measure, **options):
        f = Counting(shape)
        measure(f, images, *options.pop("arrays"), **options)
        return int(f.images.numpy())

    arrays = {"arrays": (maps, black)}
    assert seen(perturbation_curves, steps=10, batch_size=11, **arrays) == 5 * 11
    assert seen(most_and_least_curves, steps=10, batch_size=10, **arrays) == 5 * (2 + 2 * 9)
    assert seen(random_curves, steps=10, draws=3, batch_size=1000, arrays=(black,)) == 5 * (2 + 3 * 9)
    assert seen(perturbation_curves, steps=1000, batch_size=37, **arrays) == 5 * 37  # 36 pixels
    # 55 points in 7 chunks of at most 8: the last holds one that is padding.
    assert seen(perturbation_curves, steps=10, batch_size=8, **arrays) == 7 * 8


def test_all_chunks_and_all_calls_of_one_shape_are_traced_once():
    shape = (6, 6, 1)
    f = Counting(shape)
    rng = np.random.default_rng(8)
    for order in ("most", "least", "most"):
        images, perturbed = rng.random((2, 7, *shape))
        perturbation_curves(f, images, rng.random((7, 6, 6)), perturbed, steps=9, order=order, batch_size=8)
    assert f.traces == 1


def test_new_weights_are_followed():
    network = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    network.set_weights([np.full((4, 1), 0.25, np.float32), np.zeros(1, np.float32)])
    images, black = np.ones((1, 2, 2, 1)), np.zeros((1, 2, 2, 1))
    assert perturbation_curves(network, images, images, black, steps=1)[0, 0] == 1
    network.set_weights([np.full((4, 1), 0.2, np.float32), np.zeros(1, np.float32)])
    assert perturbation_curves(network, images, images, black, steps=1)[0, 0] == pytest.approx(0.8)


def test_a_class_of_several_is_named_by_a_probability_function():
    def two(x):
        return tf.stack([1 - mean(x), mean(x)], axis=1)

    image, black = np.ones((1, 2, 2, 1)), np.zeros((1, 2, 2, 1))
    curve = perturbation_curves(probability_function(two, target=1), image, image, black, steps=2)
    np.testing.assert_allclose(curve, [[1, 0.5, 0]])


def test_random_orders_are_drawn_by_image_and_seed():
    rng = np.random.default_rng(9)
    weights = rng.random((1, 8, 8, 1)) ** 4
    f = linear(weights / weights.sum())
    images, black = np.ones((3, 8, 8, 1)), np.zeros((3, 8, 8, 1))
    first, again, other = (
        random_curves(f, images, black, steps=8, draws=2, seed=seed, batch_size=size)
        for seed, size in ((0, 64), (0, 5), (1, 64))
    )
    np.testing.assert_allclose(first, again, rtol=0, atol=FLOAT32)
    assert np.abs(first[0] - first[1]).max() > 0.01
    assert np.abs(first - other).max() > 0.01
    # Image by image, whatever images stand beside it.
    alone = random_curves(f, images[:1], black[:1], steps=8, draws=2)
    np.testing.assert_allclose(alone, first[:1], rtol=0, atol=FLOAT32)


def test_many_random_draws_tend_to_the_mean_of_all_orders():
    # For a linear classifier that is a straight line: the cut squares at the edges are no later than others.
    rng = np.random.default_rng(10)
    weights = rng.random((1, 7, 7, 1))
    f = linear(weights / weights.sum())
    images, black = np.ones((20, 7, 7, 1)), np.zeros((20, 7, 7, 1))
    curve = random_curves(f, images, black, steps=4, draws=20, region=3, batch_size=2000).mean(axis=0)
    # Of 400 orders of 9 squares the mean's standard deviation is below 0.008.
    np.testing.assert_allclose(curve, [1, 7 / 9, 4 / 9, 2 / 9, 0], atol=0.03)


def test_equal_values_stand_in_an_order_that_favours_no_edge():
    place = ranks(tf.zeros((2, 1, 100 * 100))).numpy()
    np.testing.assert_array_equal(np.sort(place[0, 0]), np.arange(100 * 100))
    np.testing.assert_array_equal(place[0], place[1])
    rows, columns = np.nonzero(place[0, 0].reshape(100, 100) < 1000)
    # 1000 uniform draws from 0..99: the mean's standard deviation is 0.9.
    assert abs(rows.mean() - 49.5) < 4
    assert abs(columns.mean() - 49.5) < 4


@pytest.mark.parametrize("region", [1, 2])
def test_minus_0_is_0(region):
    # A sort by bits, as some devices have, would put it behind.
    sums = Regions.of(3, 4, region).sums(np.full((1, 3, 4), -0.0))
    assert not np.signbit(sums).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": "random"}, "`order` must be one of .*most.*least"),
        ({"steps": 0}, "`steps` must be positive"),
        ({"share": 0}, r"`share` in \(0, 1\]"),
        ({"share": 1.1}, r"`share` in \(0, 1\]"),
        ({"region": 0}, "`region` must be positive"),
        ({"batch_size": 0}, "`batch_size` must be positive"),
        ({"images": np.ones((4, 4, 1))}, r"`images` must be \[B, H, W, C\]"),
        ({"images": np.ones((0, 4, 4, 1))}, r"`images` must be \[B, H, W, C\] with B >= 1"),
        ({"maps": np.ones((1, 4, 5))}, "`maps` must be .* like the images"),
        ({"maps": np.full((1, 4, 4), np.nan)}, "`maps` must be finite"),
        (
            {"perturbed": np.ones((1, 4, 4, 3))},
            "`perturbed` must be a function or have the shape of the images",
        ),
    ],
)
def test_wrong_arguments_are_named(change, message):
    arguments = {
        "images": np.ones((1, 4, 4, 1)),
        "maps": np.ones((1, 4, 4)),
        "perturbed": np.zeros((1, 4, 4, 1)),
        "steps": 2,
        **change,
    }
    with pytest.raises(ValueError, match=message):
        perturbation_curves(mean, **arguments)


def test_random_orders_need_a_draw():
    with pytest.raises(ValueError, match="`draws` must be positive"):
        random_curves(mean, np.ones((1, 4, 4, 1)), np.zeros((1, 4, 4, 1)), steps=2, draws=0)
