"""The quality of pairs whose faults are known: perfect, blurred, never crossing, copied, not transferring."""

from __future__ import annotations

import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from support.toys import brightness_classifier

from tfadvpath import metrics
from tfadvpath.bundle.figures import pair_figures
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.evaluation.pair_quality import pair_quality
from tfadvpath.explainers.adversarial_path import AdversarialPath
from tfadvpath.generators.base import AdversarialPair

pytestmark = pytest.mark.slow

SIZE, COUNT, CHANGE = 32, 96, 0.4
# Class 1 shows two bright squares of 16 pixels each. One classifier looks at each of them.
FIRST, SECOND = (slice(6, 10), slice(6, 10)), (slice(20, 24), slice(18, 22))
FINDING = np.zeros((SIZE, SIZE), np.float32)
FINDING[FIRST] = FINDING[SECOND] = 1.0
AT_FIRST = np.zeros((SIZE, SIZE), np.float32)
AT_FIRST[FIRST] = 1.0


def labelled_images():
    """Noise on a smooth background, grey 0.3 or 0.7 on average where the squares are; masks are known."""
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT) % 2
    smooth = ndimage.gaussian_filter(rng.normal(size=(COUNT, SIZE, SIZE)), (0, 6, 6))
    images = 0.5 + 0.5 * smooth + 0.05 * rng.normal(size=smooth.shape)
    images += (labels[:, np.newaxis, np.newaxis] - 0.5) * CHANGE * FINDING
    masks = np.broadcast_to(FINDING > 0, images.shape)
    patients = np.array([f"patient {i // 4}" for i in range(COUNT)])
    images = np.clip(images, 0, 1).astype(np.float32)[..., np.newaxis]
    return LabelledImages(images, labels.astype(np.float32), masks, patients)


IMAGES = labelled_images()


def square_classifier(square, slope=30.0):
    """f(x) = sigmoid(slope (mean of the square - 1/2))."""
    rows, columns = square
    crop = ((rows.start, SIZE - rows.stop), (columns.start, SIZE - columns.stop))
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            keras.layers.Cropping2D(crop),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    model.layers[-1].set_weights([np.array([[slope]]), np.array([-slope / 2])])
    return model


class Generator:
    """Moves the pixels of a mask by ±0.4 to the other class; subclasses spoil what it makes."""

    STABLE = True
    WHERE = FINDING
    classifier = square_classifier(FIRST)

    def generate(self, images):
        probability = tf.reshape(self.classifier(images, training=False), [-1])
        sign = tf.where(probability < 0.5, 1.0, -1.0)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        adversary = images + sign * CHANGE * tf.constant(self.WHERE)[..., tf.newaxis]
        return AdversarialPair(self.spoil(images), self.spoil(adversary), probability)

    def spoil(self, images):
        return images


class Blurred(Generator):
    def spoil(self, images):
        padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
        return tf.nn.avg_pool2d(padded, 3, 1, "VALID")


class NeverCrossing(Generator):
    WHERE = np.zeros_like(FINDING)


class ShortCut(Generator):
    WHERE = AT_FIRST


class Chequered(Generator):
    def spoil(self, images):
        row, column = np.indices((SIZE, SIZE))
        board = tf.constant(((row + column) % 2 - 0.5)[..., np.newaxis], tf.float32)
        return images + 0.1 * board


class Copying(Generator):
    """x_a is another real image, of the other class."""

    def generate(self, images):
        pair = super().generate(images)
        half = COUNT // 2
        number = tf.cast(tf.reduce_sum(images, axis=(1, 2, 3)) * 1e4, tf.int32) % half
        bank = [tf.constant(IMAGES.images[IMAGES.labels == one]) for one in (0, 1)]
        zero, one = (tf.gather(real, number) for real in bank)
        decided = (pair.probability >= 0.5)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return AdversarialPair(images, tf.where(decided, zero, one), pair.probability)


@functools.cache
def encoder(pooled=False):
    """Random features of small windows, as an encoder's that has never seen the task."""
    layers = [keras.Input((SIZE, SIZE, 1))]
    for number, stride in enumerate((1, 4)):
        kernel = keras.initializers.HeNormal(seed=number)
        layers.append(keras.layers.Conv2D(8, 3, stride, activation="relu", kernel_initializer=kernel))
    return keras.Sequential([*layers, keras.layers.GlobalAveragePooling2D()] if pooled else layers)


@functools.cache
def quality(kind):
    return pair_quality(
        kind(),
        IMAGES,
        second_classifier=square_classifier(SECOND),
        encoder=encoder(),
        batch_size=40,
        path_images=5,
        cout_images=COUNT,
        discriminator_steps=80,
    )


def test_the_classifier_sees_what_is_there():
    before = quality(Generator).arrays["score"] >= 0.5
    assert np.array_equal(before, IMAGES.labels == 1)


def test_a_perfect_pair_has_the_figures_of_its_closed_form():
    figures, changed = quality(Generator).figures, FINDING.mean()
    assert (figures["images"], figures["patients"]) == (COUNT, COUNT // 4)
    for name in ("flip_rate", "flip_rate_with_margin", "keep_rate", "transfer_rate"):
        assert figures[name] == 1
    assert figures["flip_rate_by_class"] == {"zero_to_one": 1.0, "one_to_zero": 1.0}
    assert figures["adversary_distance"] == pytest.approx(CHANGE * changed, rel=1e-5)
    assert figures["adversary_l2"] == pytest.approx(CHANGE * np.sqrt(changed), rel=1e-5)
    assert figures["adversary_sparsity"] == pytest.approx(changed)
    assert figures["stable_distance"] == figures["stable_l2"] == figures["stable_sparsity"] == 0
    assert figures["stable_similarity"] == pytest.approx(1, abs=1e-5)
    # Outside the reach of the mask nothing changes; over all of the image something does.
    assert figures["adversary_similarity_outside"] == pytest.approx(1, abs=1e-5)
    assert figures["adversary_similarity"] < 0.97
    assert figures["stable_sharpness"] == 1
    assert figures["stable_sharpness_quartiles"] == [1, 1]
    assert figures["cout"] > 0.9  # all 32 pixels of 1024 are pasted in the second of 50 steps
    assert figures["completeness_residual"] < 0.01


def test_a_perfect_pair_cannot_be_told_from_real_images():
    figures = quality(Generator).figures
    for name in ("discriminator_auc", "encoder_auc"):
        assert 0.3 < figures[name] < 0.7
        low, high = figures[f"{name}_interval"]
        assert low < figures[name] < high
    distance, floor = figures["encoder_frechet_distance"], figures["encoder_frechet_floor"]
    for direction in ("zero_to_one", "one_to_zero", "mean"):
        assert 0 < distance[direction] < 2 * floor[direction]


def test_measurements_image_by_image_are_those_of_the_metrics():
    arrays = quality(Generator).arrays
    x = IMAGES.images
    pair = Generator().generate(tf.constant(x))
    x_a = pair.adversary.numpy()
    np.testing.assert_allclose(arrays["cout"], metrics.cout(Generator.classifier, x, x_a), atol=1e-6)
    np.testing.assert_allclose(arrays["chequer_ratio"], metrics.chequer_ratio(x_a.astype(np.float64) - x))
    np.testing.assert_allclose(
        arrays["adversary_similarity"], metrics.structural_similarity(x, x_a), atol=1e-6
    )
    moved = Generator.classifier(x_a, training=False).numpy()[:, 0]
    np.testing.assert_allclose(
        arrays["target_probability"], np.where(IMAGES.labels == 1, 1 - moved, moved), atol=1e-6
    )
    for name, values in arrays.items():
        assert values.shape == (COUNT,), name


def test_what_is_costly_is_measured_of_some_images_of_both_decisions():
    """The classes stand by turns: every second image would be of one class."""
    found = pair_quality(Generator(), IMAGES, path_images=12, cout_images=COUNT // 2, discriminator_steps=0)
    for name, count in (("cout", COUNT // 2), ("completeness_residual", 12)):
        measured = np.flatnonzero(~np.isnan(found.arrays[name]))
        assert len(measured) == found.figures[f"{name}_images"] == count
        assert IMAGES.labels[measured].sum() == count / 2
        for label in (0, 1):
            of_class = measured[IMAGES.labels[measured] == label]
            gaps = np.diff(of_class)
            assert gaps.max() - gaps.min() <= 2  # even: the images of a class are two apart
            assert of_class[0] <= gaps.max()
            assert of_class[-1] >= COUNT - 1 - gaps.max()
    every = quality(Generator).arrays["cout"]
    some = ~np.isnan(found.arrays["cout"])
    np.testing.assert_allclose(found.arrays["cout"][some], every[some], atol=1e-6)
    assert found.figures["cout"] == pytest.approx(every[some].mean(), abs=1e-6)


def test_no_more_images_are_measured_than_there_are():
    found = pair_quality(Generator(), IMAGES, path_images=0, cout_images=2 * COUNT, discriminator_steps=0)
    assert found.figures["cout_images"] == COUNT
    assert found.figures["completeness_residual_images"] == 0


def test_the_residual_is_that_of_the_explanation():
    found = quality(Generator).arrays["completeness_residual"]
    measured = ~np.isnan(found)
    explanation = AdversarialPath(Generator()).explain(IMAGES.images[measured])
    np.testing.assert_allclose(found[measured], explanation.completeness_residual, rtol=1e-3, atol=1e-6)


def test_the_concentration_is_of_the_map_smoothed_by_the_kernel_that_is_given():
    kernel = {"sigma": 2.0, "kernel_size": 9}
    none = {"cout_images": 0, "discriminator_steps": 0}
    found = pair_quality(Generator(), IMAGES, path_images=5, **none, **kernel).arrays["concentration"]
    measured = ~np.isnan(found)
    maps = AdversarialPath(Generator(), **kernel).explain(IMAGES.images[measured]).maps
    np.testing.assert_allclose(found[measured], metrics.concentration(maps["fi_v2_smooth"]), rtol=1e-3)
    by_default = quality(Generator).arrays["concentration"][measured]
    assert np.abs(found[measured] - by_default).min() > 0.01


def test_an_interval_is_the_bootstrap_over_patients():
    found = quality(Blurred)
    for name, statistic, values in (
        ("adversary_distance", np.mean, found.arrays["adversary_l1"]),
        ("stable_sharpness", np.median, found.arrays["stable_sharpness"]),
    ):
        expected = metrics.bootstrap_interval(statistic, [values], IMAGES.patients.tolist())
        np.testing.assert_allclose(found.figures[f"{name}_interval"], expected)


def test_the_verdict_on_a_perfect_pair_is_good():
    verdict = quality(Generator).verdict
    assert verdict.good, verdict.sentences
    assert {"transfer_rate", "chequer_ratio", "completeness_residual"} <= set(verdict.judged)


def test_a_blurred_pair_crosses_and_is_seen():
    found = quality(Blurred)
    figures = found.figures
    assert figures["flip_rate"] == figures["keep_rate"] == 1  # the flip rate tells nothing
    assert figures["adversary_sharpness"] < 0.3
    assert figures["stable_similarity"] < 0.9
    assert figures["discriminator_auc"] > 0.9
    assert figures["encoder_auc"] > 0.9
    assert figures["encoder_frechet_distance"]["mean"] > 5 * figures["encoder_frechet_floor"]["mean"]
    assert figures["adversary_sparsity"] > 0.3
    said = " ".join(found.verdict.sentences)
    assert "The adversaries are blurred copies" in said
    assert "The stable images are blurred copies" in said


def test_a_pair_that_never_crosses_is_seen():
    found = quality(NeverCrossing)
    figures = found.figures
    assert figures["flip_rate"] == figures["transfer_rate"] == figures["adversary_distance"] == 0
    # Nothing changes: the probability of the other class stays, and there is no pattern to look for.
    scores = found.arrays["score"]
    certainty = np.maximum(scores, 1 - scores)
    np.testing.assert_allclose(found.arrays["cout"], 1 - 2 * certainty, atol=1e-6)
    assert figures["chequer_ratio"] is None
    assert "100 % of the adversaries do not cross" in found.verdict.sentences[0]


def test_a_pair_that_copies_real_images_looks_real_and_is_no_neighbour():
    found = quality(Copying)
    figures = found.figures
    assert figures["flip_rate"] == 1
    assert figures["discriminator_auc"] < 0.7
    assert figures["encoder_frechet_distance"]["mean"] < 3 * figures["encoder_frechet_floor"]["mean"]
    # But it is another image: far from x, all over.
    assert figures["adversary_sparsity"] > 0.5
    assert figures["adversary_similarity_outside"] < 0.5
    assert figures["cout"] > 0.9  # the squares still differ most: this does not tell
    assert any("outside the findings" in sentence for sentence in found.verdict.sentences)


def test_a_change_that_one_network_alone_sees_does_not_transfer():
    found = quality(ShortCut)
    assert found.figures["flip_rate"] == 1
    assert found.figures["transfer_rate"] == 0
    assert ["do not transfer" in sentence for sentence in found.verdict.sentences] == [True]


def test_transfer_is_asked_where_both_classifiers_agree():
    second = square_classifier(SECOND)
    second.layers[-1].set_weights([np.array([[30.0]]), np.array([-21.0])])  # class 1 above 0.7 instead of 0.5
    before = second(IMAGES.images, training=False).numpy()[:, 0] >= 0.5
    agreed = before == (IMAGES.labels == 1)
    assert 0.2 < agreed.mean() < 0.9
    found = pair_quality(Generator(), IMAGES, second_classifier=second, path_images=0, discriminator_steps=0)
    x_a = Generator().generate(tf.constant(IMAGES.images)).adversary
    after = second(x_a, training=False).numpy()[:, 0] >= 0.5
    assert np.array_equal(np.isnan(found.arrays["transferred"]), ~agreed)
    assert found.figures["transfer_rate"] == pytest.approx((after != before)[agreed].mean())
    assert found.figures["transfer_rate_images"] == agreed.sum()


def test_a_chequered_pair_is_seen():
    figures, verdict = quality(Chequered).figures, quality(Chequered).verdict
    assert figures["chequer_ratio"] > 10
    assert any("two or four pixels" in sentence for sentence in verdict.sentences)


def test_without_other_networks_their_figures_are_none():
    found = pair_quality(Generator(), IMAGES, path_images=0, cout_images=COUNT, discriminator_steps=0)
    for name in ("transfer_rate", "encoder_auc", "discriminator_auc", "completeness_residual"):
        assert found.figures[name] is found.figures[f"{name}_interval"] is None
    assert found.figures["encoder_frechet_distance"] is found.figures["encoder_frechet_floor"] is None
    assert found.figures["encoder_frechet_images"] is None
    assert found.figures["transfer_rate_images"] == 0
    assert {"transferred", "completeness_residual"}.isdisjoint(found.arrays)
    same = {name for name, value in quality(Generator).figures.items() if value == found.figures[name]}
    assert {"flip_rate", "cout", "stable_similarity", "adversary_sharpness"} <= same


@pytest.mark.parametrize("kind", [Generator, NeverCrossing])
def test_the_figures_are_json_and_agree_with_those_of_the_training(kind):
    figures = quality(kind).figures
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    of_training = pair_figures(kind(), IMAGES.images, IMAGES.patients)
    common = set(of_training) & set(figures)
    assert len(common) > 15
    for name in common:
        if isinstance(figures[name], float):
            assert figures[name] == pytest.approx(of_training[name], abs=1e-6), name
        else:
            assert (figures[name] is None) == (of_training[name] is None), name


def test_the_mean_over_the_image_of_an_encoders_features_is_taken():
    found = pair_quality(
        Generator(), IMAGES, encoder=encoder(pooled=True), path_images=0, discriminator_steps=0
    )
    for direction, expected in quality(Generator).figures["encoder_frechet_distance"].items():
        assert found.figures["encoder_frechet_distance"][direction] == pytest.approx(expected, rel=1e-3)
    flat = keras.Sequential([keras.Input((SIZE, SIZE, 1)), keras.layers.Reshape((SIZE, SIZE))])
    with pytest.raises(ValueError, match="`encoder` must return"):
        pair_quality(Generator(), IMAGES, encoder=flat, path_images=0, discriminator_steps=0)


def test_a_path_from_the_image_itself_has_no_stable_image():
    generator = Generator()
    generator.STABLE = False
    found = pair_quality(generator, IMAGES, path_images=0, discriminator_steps=0)
    for name in ("keep_rate", "stable_distance", "stable_similarity", "stable_sharpness"):
        assert found.figures[name] is found.figures[f"{name}_interval"] is None
    assert found.figures["flip_rate"] == 1


def test_small_images_have_no_similarity_and_no_pattern():
    classifier = brightness_classifier((8, 8, 1), slope=20.0)

    class Mirror(Generator):
        def generate(self, images):
            probability = tf.reshape(self.classifier(images, training=False), [-1])
            return AdversarialPair(images, 1.0 - images, probability)

    Mirror.classifier = classifier
    x = np.random.default_rng(0).random((6, 8, 8, 1)).astype(np.float32)
    small = LabelledImages(x, np.zeros(6, np.float32), np.zeros((6, 8, 8), bool), np.arange(6).astype(str))
    figures = pair_quality(Mirror(), small, path_images=0, discriminator_steps=0).figures
    for name in (
        "adversary_similarity",
        "adversary_similarity_outside",
        "stable_similarity",
        "chequer_ratio",
    ):
        assert figures[name] is None
    assert figures["adversary_sharpness"] == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be positive"),
        ({"path_images": -1}, "not negative"),
        ({"cout_images": -1}, "not negative"),
        ({"discriminator_steps": -1}, "not negative"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        pair_quality(Generator(), IMAGES, **options)


def test_no_image_is_refused():
    nothing = LabelledImages(*(values[:0] for values in vars(IMAGES).values()))
    with pytest.raises(ValueError, match="at least one image"):
        pair_quality(Generator(), nothing)
