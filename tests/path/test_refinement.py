"""As many steps as each image needs."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.explainers.adversarial_path import AdversarialPath
from tfadvpath.explainers.integrated_gradients import IntegratedGradients
from tfadvpath.generators import AdversarialPair
from tfadvpath.path.importance import feature_importance
from tfadvpath.path.path_integral import path_integral

SIZE = 16


def pairs(count, seed=0):
    draws = np.random.default_rng(seed)
    start = draws.uniform(0.0, 0.5, (count, SIZE, SIZE, 1))
    return start.astype(np.float32), (start + draws.uniform(0.1, 0.5, start.shape)).astype(np.float32)


FEATURES = 24
DRAWS = np.random.default_rng(1)
LOOKS = DRAWS.normal(0.0, 0.3, (SIZE * SIZE, FEATURES)).astype(np.float32)
THRESHOLDS = DRAWS.uniform(-1.0, 2.0, (FEATURES, 30)).astype(np.float32)
SLOPES = DRAWS.normal(0.0, 0.3, (FEATURES, 30)).astype(np.float32)


def kinked(x):
    """A network of features whose ReLUs switch all along the paths."""
    features = tf.reshape(x, [-1, SIZE * SIZE]) @ LOOKS
    switched = tf.nn.relu(features[:, :, tf.newaxis] - THRESHOLDS)
    return tf.sigmoid(tf.reduce_sum(SLOPES * switched, axis=(1, 2)))


def relative_error(values, exact):
    return np.abs(values - exact).sum((1, 2, 3)) / np.abs(exact).sum((1, 2, 3))


def test_a_constant_gradient_needs_the_fewest_steps_and_has_no_error():
    start, adversary = pairs(3)
    result = feature_importance(
        lambda x: tf.reduce_mean(x, axis=(1, 2, 3)), start, adversary, steps="auto", tolerance=1e-4
    )
    assert result.steps.numpy().tolist() == [9, 9, 9]
    np.testing.assert_allclose(result.map_error, 0.0, atol=1e-6)
    np.testing.assert_allclose(result.fi_v2, (start - adversary) ** 2 / SIZE**2, rtol=1e-5)
    np.testing.assert_allclose(result.completeness_residual, 0.0, atol=1e-5)


@pytest.mark.parametrize("power", [2, 3])
def test_the_sum_is_the_trapezoidal_rule(power):
    """By the rule in float64, at the number of points that each image got."""
    start, adversary = np.zeros((1, 4, 4, 1), np.float32), np.ones((1, 4, 4, 1), np.float32)
    f = lambda x: tf.reduce_mean(x**power, axis=(1, 2, 3))  # noqa: E731
    result = feature_importance(
        f, start, adversary, steps="auto", tolerance=0.02, tolerance_map="fi_v1", max_steps=65
    )
    steps = int(result.steps[0])
    positions = np.linspace(0.0, 1.0, steps)
    expected = np.trapezoid(power * positions ** (power - 1) / 16, positions)
    np.testing.assert_allclose(result.fi_v1.numpy().ravel(), expected, rtol=1e-6)
    assert (float(result.score_start[0]), float(result.score_adversary[0])) == (0.0, 1.0)


@pytest.mark.parametrize("tolerance_map", ["fi_v1", "fi_v2", "fi_v2_smooth"])
def test_the_error_is_within_the_tolerance_and_the_estimate_is_honest(tolerance_map):
    start, adversary = pairs(12)
    exact = feature_importance(kinked, start, adversary, steps=2000)
    options = {"steps": "auto", "tolerance": 0.03, "tolerance_map": tolerance_map}
    result = feature_importance(kinked, start, adversary, **options)
    error = relative_error(getattr(result, tolerance_map), getattr(exact, tolerance_map).numpy())
    assert (result.map_error.numpy() <= 0.03).all()
    assert (error <= 0.03).mean() >= 0.9
    assert 0.3 < np.median(error / result.map_error) < 1.2
    np.testing.assert_allclose(result.score_adversary, exact.score_adversary, rtol=1e-5)


def test_each_image_has_steps_of_its_own():
    """An image that does not move is done at once; the sums of the others are as if it were not there."""
    start, adversary = pairs(3)
    adversary[1] = start[1]
    both = feature_importance(kinked, start, adversary, steps="auto", tolerance=0.01)
    alone = feature_importance(kinked, start[:1], adversary[:1], steps="auto", tolerance=0.01)
    steps = both.steps.numpy()
    assert steps[1] == 9 < steps[0] == alone.steps[0]
    np.testing.assert_allclose(both.fi_v2[:1], alone.fi_v2, rtol=1e-4, atol=1e-9)
    assert float(both.map_error[1]) == 0.0


@pytest.mark.parametrize("path_chunk", [1, 3, 7, 1000])
def test_chunks_change_nothing(path_chunk):
    start, adversary = pairs(5)
    options = {"steps": "auto", "tolerance": 0.02}
    expected = feature_importance(kinked, start, adversary, **options)
    found = feature_importance(kinked, start, adversary, path_chunk=path_chunk, **options)
    for name in ("fi_v1", "fi_v2", "score_start", "score_adversary"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-4, atol=1e-8)
    np.testing.assert_array_equal(found.steps, expected.steps)


def test_where_the_most_steps_do_not_suffice_the_error_says_so():
    start, adversary = pairs(2)
    result = feature_importance(kinked, start, adversary, steps="auto", tolerance=1e-6, max_steps=40)
    assert result.steps.numpy().tolist() == [33, 33]
    assert (result.map_error.numpy() > 1e-6).all()


def test_a_fixed_number_of_steps_tells_no_error():
    result = feature_importance(kinked, *pairs(2), steps=7)
    assert result.steps.numpy().tolist() == [7, 7]
    assert np.isnan(result.map_error).all()


def test_every_gradient_is_used_again():
    points = []

    def f(x):
        points.append(int(tf.shape(x)[0]) if tf.executing_eagerly() else None)
        tf.py_function(lambda n: points.append(int(n)), [tf.shape(x)[0]], [])
        return kinked(x)

    result = feature_importance(f, *pairs(1), steps="auto", tolerance=1e-3)
    assert sum(n for n in points if n) == int(result.steps[0])


def test_the_integral_of_a_function_of_ones_own_has_steps_enough_too():
    start, adversary = pairs(2)
    exact = path_integral(kinked, start, adversary, product, steps=2000)
    found = path_integral(kinked, start, adversary, product, steps="auto", tolerance=0.02)
    assert (relative_error(found.numpy(), exact.numpy()) < 0.02).all()


def product(gradient, velocity):
    return gradient * velocity


def test_explainers_answer_with_steps_and_error():
    images = pairs(6)[0]
    generator = SimpleNamespace(
        classifier=kinked,
        generate=lambda x: AdversarialPair(
            probability=kinked(x), start=x, adversary=tf.minimum(x + 0.3, 1.0)
        ),
    )
    explainer = AdversarialPath(generator, steps="auto", tolerance=0.05, batch_size=4)
    explanation = explainer.explain(images)
    assert explanation.steps.dtype == np.int32
    assert set(explanation.steps) <= {9, 17, 33, 65, 129}
    assert explanation.take(np.array([1])).steps.shape == (1,)
    fixed = AdversarialPath(generator, steps=4, batch_size=4).explain(images)
    assert (fixed.steps, fixed.map_error) == (None, None)


def test_integrated_gradients_have_steps_enough():
    images = pairs(3)[1]
    exact = IntegratedGradients(kinked, steps=2000).explain(images).maps["integrated_gradients"]
    found = IntegratedGradients(kinked, steps="auto", tolerance=0.02).explain(images)
    assert (relative_error(found.maps["integrated_gradients"], exact) < 0.02).all()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": "many"}, 'must be a number or "auto"'),
        ({"steps": "auto", "jit_compile": True}, "XLA needs a number of steps"),
        ({"steps": "auto", "tolerance": 0.0}, "`tolerance` must be positive"),
        ({"steps": "auto", "max_steps": 8}, "`max_steps` must be at least 9"),
        ({"steps": "auto", "tolerance_map": "difference"}, "`tolerance_map` must be one of"),
    ],
)
def test_wrong_options_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        feature_importance(kinked, *pairs(1), **given)
