import numpy as np
import pytest
import tensorflow as tf
from support.filters import along_both, bilinear, gaussian

from tfadvpath.explainers import MaskPerturbation

SIZE = 16
# In pixels. The weights are large enough that ten steps matter, with every term of the objective at work.
OPTIONS = {"l1_weight": 1e-5, "tv_weight": 0.7, "cell": 4, "mask_sigma": 1.5, "blur_sigma": 2.0, "jitter": 4}


def some_images():
    """Two with a bright patch, one dark, one with grain alone."""
    rng = np.random.default_rng(0)
    images = 0.3 * rng.random((4, SIZE, SIZE, 1))
    images[0, 2:7, 8:13] = 0.9
    images[1, 9:15, 3:7] = 0.8
    images[2] *= 0.2
    return images.astype(np.float32)


def detail_weights():
    """A filter that answers to fine detail: blurring changes it."""
    return np.random.default_rng(1).normal(size=(SIZE, SIZE)) * 0.8


def detail(x):
    score = tf.einsum("bhwc,hw->b", x, tf.constant(detail_weights(), x.dtype))
    return tf.sigmoid(2.0 * score + 4.0)


def by_hand(images, iterations, jitter=0, seed=0, learning_rate=0.1, l1_weight=0.0, tv_weight=0.0,
            mask_sigma=3.0, blur_sigma=5.0, exponent=3.0, cell=4):  # fmt: skip
    """The whole optimisation of ``detail`` in float64, with every derivative written out."""
    cells = SIZE // cell
    l1_weight, tv_weight = l1_weight * (56 / cells) ** 2, tv_weight * (cells / 56) ** (exponent - 2)
    x = images.astype(np.float64)
    smooth = gaussian(SIZE, mask_sigma) @ bilinear(cells, SIZE)
    blurred = along_both((gaussian(SIZE, blur_sigma),) * 2, x)

    def f(images):
        return 1 / (1 + np.exp(-2 * np.einsum("bhwc,hw->b", images, detail_weights()) - 4))

    sign = np.where(f(x) >= 0.5, 1.0, -1.0)
    before = jitter // 2
    around = [
        np.pad(values, ((0, 0), (before, jitter - before), (before, jitter - before), (0, 0)), "reflect")
        for values in (x, blurred)
    ]
    shifts = tf.random.stateless_uniform((iterations, 2), (seed, 0), 0, jitter + 1, tf.int32).numpy()
    mask, mean, square = np.ones((len(x), cells, cells)), 0.0, 0.0
    for t, (down, right) in enumerate(shifts, start=1):
        moved, moved_blur = (part[:, down : down + SIZE, right : right + SIZE] for part in around)
        opened = along_both((smooth, smooth), mask[..., None])
        p = f(moved_blur + opened * (moved - moved_blur))
        slope = (sign * 2 * p * (1 - p))[:, None, None] * detail_weights() * (moved - moved_blur)[..., 0]
        gradient = np.einsum("Hh,Ww,bHW->bhw", smooth, smooth, slope) - l1_weight
        dy = np.diff(mask, axis=1, append=mask[:, -1:])
        dx = np.diff(mask, axis=2, append=mask[:, :, -1:])
        size = exponent * (dy**2 + dx**2) ** (exponent / 2 - 1)
        for axis, difference in ((1, size * dy), (2, size * dx)):
            # A cell is the end of its own difference and the beginning of the one before.
            gradient += tv_weight * (np.roll(difference, 1, axis) - difference)
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        step = mean / (1 - 0.9**t) / (np.sqrt(square / (1 - 0.999**t)) + 1e-8)
        mask = np.clip(mask - learning_rate * step, 0, 1)
    return np.maximum(0, 1 - along_both((smooth, smooth), mask[..., None])), f(x)


@pytest.mark.slow
@pytest.mark.parametrize(("iterations", "jitter"), [(1, 0), (10, 0), (10, 3), (40, 4)])
def test_it_is_the_optimisation_in_float64(iterations, jitter):
    options = {**OPTIONS, "jitter": jitter}
    expected, score = by_hand(some_images(), iterations, **options)
    explainer = MaskPerturbation(detail, iterations=iterations, batch_size=4, **options)
    explanation = explainer.explain(some_images())
    np.testing.assert_allclose(explanation.score, score, atol=1e-6)
    assert 0 < explanation.decision.sum() < 4  # both classes
    assert expected.max() > 0.05
    # float32, passed on by every step.
    np.testing.assert_allclose(explanation.maps["mask_perturbation"], expected, atol=2e-4)


@pytest.mark.slow
def test_lengths_that_are_not_given_are_the_papers_in_proportion_to_the_image():
    weights = {"l1_weight": 1e-5, "tv_weight": 0.7}
    scale = SIZE / 224
    # A cell of 4 pixels of 224 is 0.29 here, and the shifts are as small: both have at least 1 pixel.
    lengths = {"cell": 1, "mask_sigma": 3 * scale, "blur_sigma": 5 * scale, "jitter": 1}
    expected, _ = by_hand(some_images(), 10, **weights, **lengths)
    explanation = MaskPerturbation(detail, iterations=10, batch_size=4, **weights).explain(some_images())
    assert expected.max() > 0.05
    np.testing.assert_allclose(explanation.maps["mask_perturbation"], expected, atol=2e-4)


@pytest.mark.parametrize(
    ("size", "cells", "lengths"),
    [
        ((224, 224), (56, 56), (3, 5, 4)),
        ((448, 448), (56, 56), (6, 10, 8)),
        ((64, 64), (56, 56), (6 / 7, 10 / 7, 1)),
        ((32, 32), (32, 32), (3 / 7, 5 / 7, 1)),
        ((448, 112), (112, 28), (3, 5, 4)),
    ],
)
def test_the_mask_has_the_papers_cells_where_the_image_has_pixels_for_them(size, cells, lengths):
    found = MaskPerturbation(detail).lengths(*size)
    assert (found["mask_rows"], found["mask_columns"]) == cells
    assert [found[name] for name in ("mask_sigma", "blur_sigma", "jitter")] == pytest.approx(lengths)


def test_lengths_that_are_given_are_in_pixels():
    given = {"cell": 4, "mask_sigma": 3.0, "blur_sigma": 5.0, "jitter": 0}
    assert MaskPerturbation(detail, **given).lengths(64, 30) == {
        "mask_rows": 16, "mask_columns": 8, "mask_sigma": 3.0, "blur_sigma": 5.0, "jitter": 0
    }  # fmt: skip


def spot(x):
    """Class 1 where a patch on the left is brighter than its surroundings; blind to the right half."""
    patch = tf.reduce_mean(x[:, 6:10, 2:6], axis=(1, 2, 3))
    return tf.sigmoid(20.0 * (patch - tf.reduce_mean(x[:, :, :8], axis=(1, 2, 3)) - 0.15))


@pytest.mark.slow
def test_what_takes_the_decision_away_is_lit_and_the_rest_is_not():
    image = np.full((1, SIZE, SIZE, 1), 0.2, np.float32)
    image[0, 6:10, 2:6] = 0.6
    image[0, 6:10, 10:14] = 0.9  # says nothing
    explainer = MaskPerturbation(spot, cell=2, mask_sigma=1.0, blur_sigma=5.0, jitter=0)
    explanation = explainer.explain(image)
    assert explanation.decision.all()
    values = explanation.maps["mask_perturbation"][0, :, :, 0]
    assert values[7:9, 3:5].min() > 0.5
    assert values[:, 11:].max() < 0.1
    assert not values[:, 14:].any()
    assert values.max() <= 1 + 1e-6


@pytest.mark.slow
def test_the_same_seed_gives_the_same_map_and_another_one_other_shifts():
    maps = [
        MaskPerturbation(detail, iterations=10, seed=seed, **OPTIONS).explain(some_images()).maps
        for seed in (3, 3, 4)
    ]
    one, same, other = (each["mask_perturbation"] for each in maps)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


@pytest.mark.slow
def test_a_decision_that_no_blur_changes_leaves_the_map_at_zero():
    def certain(x):
        return tf.sigmoid(30.0 + tf.reduce_mean(x, axis=(1, 2, 3)))

    explanation = MaskPerturbation(certain, iterations=20).explain(some_images())
    np.testing.assert_allclose(explanation.score, 1.0)
    assert not explanation.maps["mask_perturbation"].any()


@pytest.mark.slow
def test_each_step_costs_one_pass_of_the_whole_batch():
    calls = tf.Variable(0)

    def counted(x):
        calls.assign_add(tf.shape(x)[0])
        return detail(x)

    MaskPerturbation(counted, iterations=7, batch_size=4, jit_compile=False).explain(some_images())
    assert int(calls) == 4 * (7 + 1)  # once more for the score


@pytest.mark.slow
def test_cells_that_do_not_divide_the_image_and_colours_are_explained():
    images = np.random.default_rng(0).random((2, 18, 23, 3)).astype(np.float32)

    def f(x):
        return tf.sigmoid(50.0 * (tf.math.reduce_std(x[..., 0], axis=(1, 2)) - 0.2))

    lengths = {"cell": 4, "mask_sigma": 3.0, "blur_sigma": 5.0, "jitter": 4}
    values = MaskPerturbation(f, iterations=20, **lengths).explain(images).maps["mask_perturbation"]
    assert values.shape == (2, 18, 23, 1)
    assert values.max(axis=(1, 2, 3)).min() > 0.1


@pytest.mark.slow
def test_target_picks_the_class():
    def both(x):
        return tf.stack([1.0 - detail(x), detail(x)], axis=1)

    one = MaskPerturbation(detail, iterations=5, **OPTIONS).explain(some_images())
    two = MaskPerturbation(both, target=1, iterations=5, **OPTIONS).explain(some_images())
    np.testing.assert_allclose(two.maps["mask_perturbation"], one.maps["mask_perturbation"], atol=1e-5)


@pytest.mark.parametrize("option", [{"iterations": 0}, {"cell": 0}, {"jitter": -1}, {"tv_exponent": 1.5}])
def test_options_out_of_range_are_refused(option):
    [(name, value)] = option.items()
    with pytest.raises(ValueError, match=f"must be positive.*Received: .*{name}={value}"):
        MaskPerturbation(detail, **option)
