import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.path.importance import MAPS, ImportanceOptions, feature_importance, integrate_path
from tfadvpath.path.paths import LinearPath

SIZE = 32
PIXELS = SIZE * SIZE
PAPER_KERNEL = {"sigma": 2.0, "kernel_size": 28}  # in pixels, whatever the image's size


def images(seed, count=3):
    return np.random.default_rng(seed).random((count, SIZE, SIZE, 1)).astype(np.float32)


def flat(array):
    return np.asarray(array, np.float64).reshape(len(array), -1)


def assert_close(actual, expected, tolerance=1e-5):
    """The largest error, relative to the largest value of the map."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert np.abs(actual - expected).max() <= tolerance * np.abs(expected).max()


def assert_same_maps(one, other, tolerance=1e-5):
    for name in MAPS:
        assert_close(getattr(one, name), getattr(other, name), tolerance)


class Quadratic:
    """f(x) = x'Ax / 2 + c'x: the gradient A x + c is linear along a straight path."""

    def __init__(self, seed, scale=1.0, constant=0.0):
        rng = np.random.default_rng(seed)
        half = rng.normal(size=(PIXELS, PIXELS)) / SIZE * scale
        self.matrix = half + half.T
        self.vector = constant + rng.normal(size=PIXELS)

    def __call__(self, x):
        x = tf.reshape(x, [-1, PIXELS])
        product = x @ tf.constant(self.matrix, x.dtype)
        return 0.5 * tf.reduce_sum(x * product, 1) + tf.linalg.matvec(x, tf.constant(self.vector, x.dtype))

    def gradient(self, x):
        return x @ self.matrix + self.vector


def mirrored_gaussian(maps, sigma=2.0, size=28):
    """The definition of ``PAPER_KERNEL`` in float64: one 2-D kernel over a mirrored image."""
    offsets = np.arange(-13, 15)
    taps = np.exp(-(offsets**2) / (2 * sigma**2))
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    padded = np.pad(np.asarray(maps, np.float64)[..., 0], [(0, 0), (13, 14), (13, 14)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    return np.einsum("bhwij,ij->bhw", windows, kernel)[..., np.newaxis]


@pytest.mark.slow
def test_straight_path_of_a_quadratic_is_exact():
    f = Quadratic(
        0, scale=0.05, constant=8.0
    )  # every gradient stays positive, so |gradient| integrates as itself
    start, adversary = images(1), images(2)
    s, a = flat(start), flat(adversary)
    assert f.gradient(s).min() > 0
    assert f.gradient(a).min() > 0
    result = feature_importance(f, start, adversary, steps=50, **PAPER_KERNEL)
    expected = ((a - s) ** 2 * f.gradient((s + a) / 2)).reshape(start.shape)
    assert_close(result.difference, np.abs(start - adversary))
    assert_close(result.fi_v1, expected)
    assert_close(result.fi_v2, expected)
    assert_close(result.fi_v2_smooth, mirrored_gaussian(expected))


@pytest.mark.slow
def test_gradients_that_change_sign_add_up_in_v2_and_cancel_in_v1():
    f = Quadratic(3)
    start, adversary = images(4), images(5)
    s, a = flat(start), flat(adversary)
    first, last = f.gradient(s), f.gradient(a)
    crosses = first * last < 0
    assert 0.02 < crosses.mean() < 0.98
    # ∫|first + λ (last - first)| dλ, in two triangles where the sign changes.
    absolute = np.where(crosses, (first**2 + last**2) / (2 * np.abs(last - first)), np.abs(first + last) / 2)
    result = feature_importance(f, start, adversary, steps=2000, **PAPER_KERNEL)
    assert_close(flat(result.fi_v1), (a - s) ** 2 * np.abs(first + last) / 2)
    assert_close(flat(result.fi_v2), (a - s) ** 2 * absolute)
    assert_close(result.fi_v2_smooth, mirrored_gaussian(((a - s) ** 2 * absolute).reshape(start.shape)))


def test_straight_path_of_a_sigmoid_is_exact():
    weights = np.random.default_rng(6).normal(size=PIXELS) / 20
    start, adversary = images(7), images(8)
    s, a = flat(start), flat(adversary)

    def f(x):
        return tf.sigmoid(tf.linalg.matvec(tf.reshape(x, [-1, PIXELS]), tf.constant(weights, x.dtype)))

    def sigmoid(t):
        return 1 / (1 + np.exp(-t))

    t_s, t_a = s @ weights, a @ weights
    slope = (sigmoid(t_a) - sigmoid(t_s)) / (t_a - t_s)
    expected = (a - s) ** 2 * np.abs(weights) * slope[:, np.newaxis]
    result = feature_importance(f, start, adversary, steps=200, **PAPER_KERNEL)
    for fi in (result.fi_v1, result.fi_v2):
        assert_close(flat(fi), expected)
    assert_close(result.fi_v2_smooth, mirrored_gaussian(expected.reshape(start.shape)))
    assert_close(result.score_start, sigmoid(t_s))
    assert_close(result.score_adversary, sigmoid(t_a))
    assert result.completeness_residual.numpy().max() < 1e-4


def test_riemann_sum_stands_at_the_midpoints():
    f = Quadratic(9)
    start, adversary = images(10), images(11)
    s, a = flat(start), flat(adversary)
    gradients = np.stack([f.gradient(s + (m - 0.5) / 7 * (a - s)) for m in range(1, 8)])
    result = feature_importance(f, start, adversary, steps=7)
    assert_close(flat(result.fi_v1), (a - s) ** 2 * np.abs(gradients.mean(0)))
    assert_close(flat(result.fi_v2), (a - s) ** 2 * np.abs(gradients).mean(0))


def small_network():
    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu")(image)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.Conv2D(8, 3, activation="relu")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(1, activation="sigmoid")(x))


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 5), steps=st.integers(1, 12), path_chunk=st.integers(1, 40))
def test_chunks_and_batches_change_nothing(count, steps, path_chunk):
    f = Quadratic(12)
    start, adversary = images(13, 5)[:count], images(14, 5)[:count]
    whole = feature_importance(f, start, adversary, steps=steps, path_chunk=10_000)
    chunked = feature_importance(f, start, adversary, steps=steps, path_chunk=path_chunk)
    assert_same_maps(chunked, whole)
    alone = feature_importance(f, start[-1:], adversary[-1:], steps=steps, path_chunk=path_chunk)
    for name in MAPS:
        assert_close(getattr(alone, name)[0], getattr(whole, name)[-1])


@pytest.mark.slow
@pytest.mark.parametrize("path_chunk", [None, 7])
def test_xla_and_the_graph_give_the_same_maps(path_chunk):
    model, start, adversary = small_network(), images(15), images(16)
    graph, xla = (
        feature_importance(model, start, adversary, path_chunk=path_chunk, jit_compile=jit)
        for jit in (False, True)
    )
    assert_same_maps(xla, graph)
    assert_close(xla.score_adversary, graph.score_adversary)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_odd_batches_are_padded_and_never_traced_again(jit_compile):
    traces = []

    def f(x):
        traces.append(x.shape)
        return tf.reduce_mean(x**2, axis=(1, 2, 3))

    whole = feature_importance(f, images(17, 5), images(18, 5), jit_compile=jit_compile)
    traced = len(traces)
    for count in (1, 4, 3):
        part = feature_importance(f, images(17, 5)[:count], images(18, 5)[:count], jit_compile=jit_compile)
        assert part.fi_v2.shape[0] == count
        assert_close(part.fi_v2, whole.fi_v2[:count])
    assert len(traces) == traced


@pytest.mark.slow
def test_padding_is_not_computed():
    points = tf.Variable(0)

    def f(x):
        points.assign_add(tf.shape(x)[0])
        return tf.reduce_mean(x**2, axis=(1, 2, 3))

    def points_of(count):
        points.assign(0)
        feature_importance(f, images(19, 6)[:count], images(20, 6)[:count], steps=10, path_chunk=5)
        return int(points)

    assert points_of(6) == 6 * (10 + 2)  # each path once, and its two ends
    assert points_of(2) == 2 * (10 + 2)


def test_memory_does_not_grow_with_steps_since_passes_hold_a_chunk():
    sizes = []

    def f(x):
        sizes.append(x.shape[0])
        return tf.reduce_mean(x**2, axis=(1, 2, 3))

    feature_importance(f, images(21), images(22), steps=1000, path_chunk=20)
    assert max(sizes) == 20


@pytest.mark.slow
def test_inference_mode_is_used_and_state_is_left_alone():
    model = small_network()
    before = [w.copy() for w in model.get_weights()]
    one, two = (feature_importance(model, images(23), images(24)) for _ in (0, 1))
    assert_same_maps(one, two, 0.0)  # dropout would differ
    for weight, after in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, after)


@pytest.mark.slow
def test_every_kind_of_classifier_gives_the_same_maps(tmp_path):
    model, start, adversary = small_network(), images(25), images(26)
    expected = feature_importance(model, start, adversary)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(tmp_path / "exported")

    @tf.function(input_signature=[tf.TensorSpec((None, SIZE, SIZE, 1))])
    def plain(x):
        return model(x, training=False)[:, 0]

    kinds = {
        "signature": exported.signatures["serving_default"],
        "tf.function": plain,
        "concrete function": plain.get_concrete_function(),
        "dictionary of one": lambda x: {"probability": model(x, training=False)},
    }
    for classifier in kinds.values():
        assert_same_maps(feature_importance(classifier, start, adversary), expected)


def test_tf_keras_model_is_called_in_inference_mode():
    layers = [tf_keras.layers.Flatten(), tf_keras.layers.Dropout(0.9), tf_keras.layers.Dense(1, "sigmoid")]
    model = tf_keras.Sequential(layers)
    start, adversary = images(27), images(28)
    model(start)
    kernel = model.layers[-1].get_weights()[0].astype(np.float64)[:, 0]
    result = feature_importance(model, start, adversary, steps=200)
    t_s, t_a = flat(start) @ kernel, flat(adversary) @ kernel
    slope = (1 / (1 + np.exp(-t_a)) - 1 / (1 + np.exp(-t_s))) / (t_a - t_s)
    expected = (flat(adversary) - flat(start)) ** 2 * np.abs(kernel) * slope[:, np.newaxis]
    assert_close(flat(result.fi_v2), expected, 1e-4)


def test_target_picks_the_class():
    weights = np.random.default_rng(29).normal(size=(PIXELS, 3)) / SIZE

    def logits(x):
        return tf.reshape(x, [-1, PIXELS]) @ tf.constant(weights, x.dtype)

    start, adversary = images(30), images(31)
    result = feature_importance(logits, start, adversary, target=2)
    assert_close(flat(result.fi_v1), (flat(start) - flat(adversary)) ** 2 * np.abs(weights[:, 2]))


@pytest.mark.slow
def test_rgb_classifiers_get_a_map_per_channel():
    start, adversary = np.zeros((1, 32, 32, 3), np.float32), np.ones((1, 32, 32, 3), np.float32)
    weights = tf.constant([1.0, 2.0, 3.0])
    result = feature_importance(lambda x: tf.reduce_sum(x * weights, axis=(1, 2, 3)), start, adversary)
    np.testing.assert_allclose(result.fi_v2[0, 5, 5], [1.0, 2.0, 3.0], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_results_are_float32_whatever_runs_inside(dtype):
    seen = []

    def f(x):
        seen.append(x.dtype.name)
        return tf.sigmoid(tf.reduce_mean(x**2, axis=(1, 2, 3)))

    result = feature_importance(f, images(32), images(33), precision=dtype)
    assert set(seen) == {dtype}
    assert {field.dtype for field in result._replace(steps=result.score_start)} == {tf.float32}


@pytest.mark.slow
def test_residual_falls_with_more_steps():
    def f(x):
        return tf.sigmoid(20.0 * (tf.reduce_mean(x, axis=(1, 2, 3)) - 0.5))

    start, adversary = np.zeros((1, 32, 32, 1), np.float32), np.ones((1, 32, 32, 1), np.float32)
    residuals = [
        float(feature_importance(f, start, adversary, steps=m).completeness_residual[0]) for m in (5, 10, 20)
    ]
    assert residuals[0] > residuals[1] > residuals[2]
    # The residual of 5 midpoints, by hand.
    positions = (np.arange(5) + 0.5) / 5
    s = 1 / (1 + np.exp(-20 * (positions - 0.5)))
    change = (20 * s * (1 - s)).mean()
    expected = 1 / (1 + np.exp(-10.0)) - 1 / (1 + np.exp(10.0))
    np.testing.assert_allclose(residuals[0], abs(change - expected) / expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": np.zeros((1, 32, 32))}, r"must both be \[B, H, W, C\]"),
        ({"start": np.zeros((2, 32, 32, 1))}, "must both be"),
        ({"start": np.zeros((0, 32, 32, 1)), "adversary": np.zeros((0, 32, 32, 1))}, "B >= 1"),
        ({"start": np.zeros((1, 32, 32, 1), np.uint8)}, "Received: uint8"),
        ({"steps": 0}, "must be positive"),
        ({"path_chunk": 0}, "must be positive"),
        ({"jit_compile": "yes"}, "`jit_compile` must be"),
        ({"kernel_size": 80}, "mirrors 40 pixels"),
        ({"target": 1}, "`target` must be in"),
        ({"classifier": lambda x: tf.zeros(tf.shape(x)[0])}, "no gradient"),
        ({"classifier": lambda x: x}, r"must return \[N\]"),
        ({"classifier": lambda x: tf.reshape(x, [-1, PIXELS])}, "`target` must name"),
    ],
)
def test_wrong_arguments_get_the_rule(arguments, message):
    defaults = {
        "classifier": lambda x: tf.reduce_mean(x, axis=(1, 2, 3)),
        "start": np.zeros((1, 32, 32, 1)),
        "adversary": np.ones((1, 32, 32, 1)),
    }
    with pytest.raises(ValueError, match=message):
        feature_importance(**{**defaults, **arguments})


def test_what_cannot_be_called_is_refused_with_the_names_of_its_signatures(tmp_path):
    small_network().export(tmp_path / "exported", verbose=False)
    with pytest.raises(TypeError, match="serving_default"):
        feature_importance(tf.saved_model.load(tmp_path / "exported"), images(0), images(1))


@pytest.mark.slow
def test_graph_code_runs_with_an_unknown_batch_size():
    def f(x):
        return tf.reduce_mean(x**2, axis=(1, 2, 3))

    spec = tf.TensorSpec((None, SIZE, SIZE, 1))
    run = tf.function(
        lambda s, a: integrate_path(f, s, a, ImportanceOptions(steps=4, path_chunk=9)),
        input_signature=[spec, spec],
    )
    expected = feature_importance(f, images(34, 5), images(35, 5), steps=4, path=LinearPath())
    assert_same_maps(run(images(34, 5), images(35, 5)), expected)


@pytest.mark.slow
def test_half_precision_layers_keep_the_gradient_of_a_nearly_certain_classifier():
    def network(policy):
        image = keras.Input((SIZE, SIZE, 1))
        x = keras.layers.Conv2D(8, 5, strides=4, activation="relu", dtype=policy)(image)
        x = keras.layers.Flatten(dtype=policy)(x)
        return keras.Model(image, keras.layers.Dense(1, activation="sigmoid", dtype="float32")(x))

    keras.utils.set_random_seed(0)
    single, half = network("float32"), network("mixed_float16")
    kernel = single.layers[-1].kernel
    kernel.assign(tf.abs(kernel) * 0.1)
    bias = 11.0 - float(tf.math.log(single(images(36)) / (1 - single(images(36))))[0, 0])
    single.layers[-1].bias.assign([bias])
    half.set_weights(single.get_weights())
    assert single(images(36)).numpy().min() > 0.9999
    one, other = (feature_importance(f, images(36), images(37), steps=10) for f in (single, half))
    assert_same_maps(one, other, 0.02)


@pytest.mark.slow
def test_new_weights_are_followed_without_a_new_trace():
    model, start, adversary = small_network(), images(38), images(39)
    before = feature_importance(model, start, adversary)
    model.layers[-1].kernel.assign(2.0 * model.layers[-1].kernel)
    after = feature_importance(model, start, adversary)
    assert np.abs(after.score_start - before.score_start).max() > 1e-4
    np.testing.assert_allclose(after.score_start, model(start, training=False)[:, 0], atol=1e-6)


def test_equal_options_share_one_trace():
    traces = []

    def f(x):
        traces.append(x.shape)
        return tf.reduce_mean(x**2, axis=(1, 2, 3))

    for _ in range(3):
        feature_importance(f, images(40), images(41), path=LinearPath())
    once = len(traces)
    feature_importance(f, images(40), images(41), path=LinearPath(), steps=50)
    assert len(traces) == once


@pytest.mark.slow
def test_a_large_batch_of_small_images_does_not_pad_larger_images():
    sizes = []

    def f(x):
        sizes.append(tuple(x.shape))
        return tf.reduce_mean(x**2, axis=(1, 2, 3))

    feature_importance(f, images(42, 5), images(43, 5), path_chunk=100_000)
    sizes.clear()
    feature_importance(f, np.zeros((1, 64, 64, 1)), np.ones((1, 64, 64, 1)), path_chunk=100_000)
    assert {shape[0] for shape in sizes} == {50, 2}
