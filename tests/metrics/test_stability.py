"""How far a map moves when the image is disturbed."""

from __future__ import annotations

import numpy as np
import pytest

from tfadvpath.metrics import map_sensitivities, map_sensitivity

IMAGES = np.random.default_rng(0).random((3, 6, 7, 1)).astype(np.float32)


def test_is_the_definition_sample_by_sample():
    seen = []

    def explain(x):
        seen.append(np.array(x))
        return np.concatenate([x**2, np.sin(x)], axis=3)

    result = map_sensitivity(explain, IMAGES, radius=0.1, samples=4)
    original, *disturbed = seen
    np.testing.assert_array_equal(original, IMAGES)
    assert len(disturbed) == 4
    distances = np.empty((3, 4))
    for i in range(3):
        of_image = [explain(x[i : i + 1].astype(np.float64)) for x in (original, *disturbed)]
        norm = np.sqrt(np.sum(of_image[0] ** 2))
        distances[i] = [np.sqrt(np.sum((y - of_image[0]) ** 2)) / norm for y in of_image[1:]]
    np.testing.assert_allclose(result.maximum, distances.max(axis=1), rtol=1e-5)
    np.testing.assert_allclose(result.mean, distances.mean(axis=1), rtol=1e-5)
    assert (result.maximum > result.mean).all()


def test_disturbances_fill_the_radius_and_stay_in_0_to_1():
    images = np.zeros((1, 40, 40, 1), np.float32)
    images[:, :20] = 0.5
    seen = []
    map_sensitivity(lambda x: seen.append(np.array(x)) or x, images, radius=0.1, samples=3)
    for disturbed in seen[1:]:
        assert disturbed.dtype == np.float32
        away = disturbed - images
        assert disturbed.min() == 0
        assert -0.1 <= away[:, :20].min() < -0.099
        assert 0.099 < away.max() <= 0.1 + 1e-7
    assert np.abs(seen[1] - seen[2]).max() > 0.1


def test_a_constant_map_is_not_sensitive_and_scale_does_not_matter():
    ones = map_sensitivity(lambda x: np.ones((3, 6, 7)), IMAGES)
    np.testing.assert_array_equal(ones.maximum, 0)
    small, large = (map_sensitivity(lambda x, k=k: k * x, IMAGES) for k in (1, 1000))
    np.testing.assert_allclose(small.mean, large.mean, rtol=1e-6)
    assert small.mean.min() > 0


def test_the_seed_gives_the_same_figures_again():
    first, again, other = (map_sensitivity(lambda x: x, IMAGES, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.mean, again.mean)
    assert (first.mean != other.mean).all()


def test_a_map_of_zeros_has_no_figure():
    result = map_sensitivity(lambda x: x * np.array([0, 1, 1]).reshape(3, 1, 1, 1), IMAGES)
    np.testing.assert_array_equal(np.isnan(result.maximum), [True, False, False])
    np.testing.assert_array_equal(np.isnan(result.mean), [True, False, False])


def test_maps_of_one_call_are_measured_as_each_alone():
    calls = []

    def explain(x):
        calls.append(len(x))
        return {"square": x**2, "sine": np.sin(x)}

    together = map_sensitivities(explain, IMAGES, radius=0.1, samples=4, seed=5)
    assert calls == [3] * 5
    assert list(together) == ["square", "sine"]
    for name in together:
        alone = map_sensitivity(lambda x, name=name: explain(x)[name], IMAGES, radius=0.1, samples=4, seed=5)
        np.testing.assert_array_equal(together[name].maximum, alone.maximum)
        np.testing.assert_array_equal(together[name].mean, alone.mean)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": IMAGES[0]}, r"`images` must be \[B, H, W, C\] with"),
        ({"images": IMAGES[:0]}, "with B >= 1"),
        ({"radius": 0}, "`radius` and `samples` must be positive"),
        ({"radius": float("nan")}, "`radius` and `samples` must be positive"),
        ({"samples": 0}, "`radius` and `samples` must be positive"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        map_sensitivity(lambda x: x, **{"images": IMAGES, **change})
