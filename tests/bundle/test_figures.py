import json
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from support.toys import brightness_classifier

from tfadvpath.bundle.figures import classifier_figures, mask_figures, pair_figures, translation_figures
from tfadvpath.bundle.frechet_figures import frechet_figures
from tfadvpath.generators.base import AdversarialPair
from tfadvpath.metrics import auc, bootstrap_interval, high_frequency_energy, structural_similarity

SHAPE = (8, 8, 1)
PIXELS = 64


def steep_classifier():
    """f(x) = sigmoid(20 (mean - 1/2)), from eight features: the means of the rows."""
    return brightness_classifier(SHAPE, slope=20.0)


def dark_and_bright(count=150, seed=0):
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.05, 0.95, (count, 1, 1, 1))
    images = np.clip(level + 0.1 * rng.normal(size=(count, *SHAPE)), 0, 1).astype(np.float32)
    return images, np.array([f"patient {i // 6}" for i in range(count)])


class Mirror:
    """x_a = 1 - x for images below 0.8 on average and x itself above; x_s is a little darker."""

    STABLE = True
    classifier = steep_classifier()

    def generate(self, images):
        mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
        adversary = tf.where(mean < 0.8, 1.0 - images, images)
        probability = tf.reshape(self.classifier(images, training=False), [-1])
        return AdversarialPair(0.9 * images, adversary, probability)


def test_pair_figures_are_those_of_a_known_generator():
    images, patients = dark_and_bright()
    figures = pair_figures(Mirror(), images, patients)
    x = images.astype(np.float64)
    mean = x.mean(axis=(1, 2, 3))
    one, mirrored = mean >= 0.5, mean < 0.8
    adversary = np.where(mirrored[:, None, None, None], 1 - x, x)
    assert (figures["images"], figures["patients"]) == (150, 25)
    assert figures["flip_rate"] == pytest.approx(mirrored.mean())
    assert figures["keep_rate"] == pytest.approx(((0.9 * mean >= 0.5) == one).mean())
    assert figures["adversary_distance"] == pytest.approx(np.abs(x - adversary).mean(), rel=1e-5)
    assert figures["stable_distance"] == pytest.approx(0.1 * x.mean(), rel=1e-5)
    expected = bootstrap_interval(np.mean, [mirrored], patients)
    np.testing.assert_allclose(figures["flip_rate_interval"], expected)

    features, of_adversary = x.mean(axis=(2, 3)), adversary.mean(axis=(2, 3))
    expected = frechet_figures(of_adversary, features, one, patients)
    for name in ("frechet_distance", "frechet_floor"):
        assert figures[name] == pytest.approx(expected[name], rel=1e-3)
    assert figures["frechet_images"] == expected["frechet_images"]
    # To class 0 come the bright images that stayed; to class 1 mirrored dark ones, which look like it.
    distance, floor = figures["frechet_distance"], figures["frechet_floor"]
    assert distance["one_to_zero"] > 5 * distance["zero_to_one"]
    assert floor["zero_to_one"] < distance["one_to_zero"]
    assert floor["mean"] == pytest.approx((floor["zero_to_one"] + floor["one_to_zero"]) / 2)


def test_the_floor_is_the_distance_of_two_halves_of_the_class_that_is_reached():
    # Features of the bright images are all alike, those of the dark ones are not.
    rng = np.random.default_rng(0)
    images = np.full((80, *SHAPE), 0.9, np.float32)
    images[:40] = rng.uniform(0, 0.8, (40, *SHAPE))
    floor = pair_figures(Mirror(), images, np.arange(80))["frechet_floor"]
    assert floor["zero_to_one"] == pytest.approx(0, abs=1e-6)
    assert floor["one_to_zero"] > 1e-3


def test_changed_images_that_look_real_are_as_far_from_real_ones_as_those_from_each_other():
    """Mirrored images are drawn as real ones are, of patients whose slices resemble each other."""
    rng = np.random.default_rng(0)
    level = rng.uniform(0.1, 0.4, (60, 8))
    level[::3] = 1 - level[::3]  # one class has half the other's images
    rows = np.repeat(level, 6, axis=0) + 0.01 * rng.normal(size=(360, 8))
    images = np.tile(rows[:, :, None, None], (1, 1, 8, 1)).astype(np.float32)
    gan = types.SimpleNamespace(classifier=steep_classifier(), perturb=lambda x: 1.0 - x)
    figures = translation_figures(gan, images, np.repeat(np.arange(60), 6))
    for direction, distance in figures["frechet_distance"].items():
        assert 0.5 < distance / figures["frechet_floor"][direction] < 2
    # No set can have more than half of the smaller class.
    assert all(0 < count <= 60 for count in figures["frechet_images"].values())


def test_a_path_from_the_image_itself_has_no_keep_rate():
    generator = Mirror()
    generator.STABLE = False
    figures = pair_figures(generator, *dark_and_bright(40))
    for name in ("keep_rate", "stable_distance"):
        assert figures[name] is None
        assert figures[f"{name}_interval"] is None
    assert figures["flip_rate"] > 0


def test_a_memory_map_gives_the_same_as_its_array(tmp_path):
    images, patients = dark_and_bright(100)
    np.save(tmp_path / "images.npy", images)
    on_disk = np.load(tmp_path / "images.npy", mmap_mode="r")
    assert pair_figures(Mirror(), on_disk, patients) == pair_figures(Mirror(), images, patients)


def test_a_class_without_images_leaves_its_figures_open():
    images, patients = dark_and_bright(150)
    dark = images.mean(axis=(1, 2, 3)) < 0.4
    figures = pair_figures(Mirror(), images[dark], patients[dark])
    assert figures["flip_rate"] == 1
    assert figures["frechet_distance"] == {"zero_to_one": None, "one_to_zero": None, "mean": None}
    json.dumps(figures, allow_nan=False)
    nothing = pair_figures(Mirror(), images[:0], patients[:0])
    assert (nothing["images"], nothing["flip_rate"], nothing["flip_rate_interval"]) == (0, None, [None, None])


def test_translation_figures_are_those_of_a_known_translation():
    images, patients = dark_and_bright()
    gan = types.SimpleNamespace(classifier=steep_classifier(), perturb=lambda x: 1.0 - x)
    figures = translation_figures(gan, images, patients)
    assert figures["flip_rate"] == 1
    x = images.astype(np.float64)
    assert figures["perturbation_distance"] == pytest.approx(np.abs(1 - 2 * x).mean(), rel=1e-5)
    one, features = x.mean(axis=(1, 2, 3)) >= 0.5, x.mean(axis=(2, 3))
    expected = frechet_figures(1 - features, features, one, patients)["frechet_distance"]
    assert figures["frechet_distance"] == pytest.approx(expected, rel=1e-3)


def test_mask_figures_blur_what_is_not_kept():
    # A bright square carries the decision of class 1; blurred, the image is too dark for it.
    images, patients = dark_and_bright(30)
    images *= 0.2
    images[:10, 2:4, 2:4] = 1.0
    classifier = keras.Sequential(
        [keras.Input(SHAPE), keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(1)]
    )
    classifier.layers[-1].set_weights([np.ones((1, 1), np.float32), np.zeros(1, np.float32)])

    def mask(x):
        square = np.zeros((1, *SHAPE), np.float32)
        square[:, 2:4, 2:4] = 1.0
        return tf.tile(square, [tf.shape(x)[0], 1, 1, 1])

    generator = types.SimpleNamespace(classifier=classifier, blur_sigma=2.0, mask=mask)
    figures = mask_figures(generator, images, patients)
    square = mask(images).numpy()
    # A mirrored border without repeating the edge, as wide as an 8 pixels' image has one.
    blurred = np.stack([ndimage.gaussian_filter(x[..., 0], 2.0, mode="mirror", radius=6) for x in images])
    kept, removed = (images * m + blurred[..., None] * (1 - m) for m in (square, 1 - square))
    before, after_kept, after_removed = (x.max(axis=(1, 2, 3)) >= 0.5 for x in (images, kept, removed))
    assert figures["mask_area"] == pytest.approx(4 / PIXELS)
    assert figures["preserve_rate"] == pytest.approx((after_kept == before).mean())
    assert figures["destroy_rate"] == pytest.approx((after_removed != before).mean()) == pytest.approx(1 / 3)


def test_classifier_figures_hold_what_json_can():
    rng = np.random.default_rng(0)
    labels = (rng.random(300) < 0.4).astype(np.float32)
    probability = np.clip(0.3 + 0.4 * labels + 0.2 * rng.normal(size=300), 0, 1).astype(np.float32)
    patients = np.array([f"p{i}" for i in rng.integers(20, size=300)])
    figures = classifier_figures(probability, labels, patients)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert (figures["images"], figures["patients"]) == (300, 20)
    assert figures["positive_share"] == pytest.approx(labels.mean())
    assert figures["auc"] == pytest.approx(auc(labels, probability))
    low, high = figures["auc_interval"]
    assert low < figures["auc"] < high
    assert figures["sensitivity"] == pytest.approx((probability[labels == 1] >= 0.5).mean())
    assert figures["brier"] == pytest.approx(np.mean((probability - labels) ** 2), rel=1e-6)
    bins = figures["reliability"]
    assert sum(bins["images"]) == 300
    filled = [(m, s, n) for m, s, n in zip(*bins.values(), strict=True) if n]
    error = sum(n * abs(m - s) for m, s, n in filled) / 300
    assert figures["expected_calibration_error"] == pytest.approx(error)


def test_a_missing_class_leaves_the_auc_open():
    figures = classifier_figures([0.2, 0.6, 0.1], [0, 0, 0], ["a", "b", "c"])
    assert (figures["auc"], figures["auc_interval"], figures["sensitivity"]) == (None, [None, None], None)
    assert figures["specificity"] == pytest.approx(2 / 3)
    json.dumps(figures, allow_nan=False)


class Blurring:
    """x_a is x blurred, mirrored in its grey values and faintly striped; x_s has half the contrast."""

    STABLE = True
    classifier = brightness_classifier((16, 16, 1))

    def generate(self, images):
        blurred = tf.nn.avg_pool2d(images, 3, 1, "SAME")
        probability = tf.reshape(self.classifier(images, training=False), [-1])
        stripes = 1.0 - 0.05 * tf.cast(tf.range(16) % 2, tf.float32)[:, tf.newaxis]
        return AdversarialPair(0.25 + 0.5 * images, stripes * (1.0 - blurred), probability)


def test_similarity_and_sharpness_are_those_of_the_metrics():
    images = np.random.default_rng(5).random((70, 16, 16, 1)).astype(np.float32)
    images[3] = 0.25  # an image without detail, whose ratio is not defined
    patients = np.arange(70) // 5
    figures = pair_figures(Blurring(), images, patients)
    made = Blurring().generate(tf.constant(images))
    energy = high_frequency_energy(images)
    for name, other in (("stable", made.start.numpy()), ("adversary", made.adversary.numpy())):
        similarity = structural_similarity(images, other)
        assert figures[f"{name}_similarity"] == pytest.approx(similarity.mean(dtype=np.float64), abs=1e-6)
        expected = bootstrap_interval(np.mean, [similarity], patients)
        np.testing.assert_allclose(figures[f"{name}_similarity_interval"], expected, atol=1e-6)
        ratios = np.delete(high_frequency_energy(other), 3) / np.delete(energy, 3)
        assert figures[f"{name}_sharpness"] == pytest.approx(np.median(ratios))
    assert figures["stable_sharpness"] == pytest.approx(0.25, rel=1e-5)  # half the contrast
    assert figures["adversary_sharpness"] < 0.1
    json.dumps(figures, allow_nan=False)


def test_an_image_below_the_window_has_no_similarity():
    figures = pair_figures(Mirror(), *dark_and_bright(40))
    for name in ("stable", "adversary"):
        assert figures[f"{name}_similarity"] is figures[f"{name}_similarity_interval"] is None
    assert figures["adversary_sharpness"] == pytest.approx(1, rel=1e-4)  # mirrored or the same
    assert figures["stable_sharpness"] == pytest.approx(0.81, rel=1e-4)


def test_a_path_from_the_image_itself_has_no_detail_of_a_stable_image():
    generator = Blurring()
    generator.STABLE = False
    images = np.random.default_rng(5).random((20, 16, 16, 1)).astype(np.float32)
    figures = pair_figures(generator, images, np.arange(20))
    for name in ("stable_similarity", "stable_similarity_interval", "stable_sharpness"):
        assert figures[name] is None
    assert figures["adversary_sharpness"] < 0.1


class Painting:
    """x_a is darker in one half; x_s undoes that in bright images, and brightens the other in dark ones."""

    STABLE = True
    classifier = brightness_classifier(SHAPE)

    def generate(self, images):
        left = tf.concat([tf.ones((1, 8, 4, 1)), tf.zeros((1, 8, 4, 1))], axis=2)
        probability = tf.reshape(self.classifier(images, training=False), [-1])
        bright = tf.cast(probability >= 0.5, tf.float32)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        adversary = images - 0.1 * left
        return AdversarialPair(
            adversary + 0.1 * (bright * left + (1 - bright) * (1 - left)), adversary, probability
        )


def test_whether_the_change_is_undone_is_told_for_each_class():
    images, patients = dark_and_bright()
    figures = pair_figures(Painting(), images, patients)
    assert figures["undoing_by_class"]["one_to_zero"] == pytest.approx(1, abs=1e-5)
    assert figures["undoing_by_class"]["zero_to_one"] == pytest.approx(0, abs=1e-5)
    bright = (images.mean(axis=(1, 2, 3)) >= 0.5).mean()
    assert figures["undoing"] == pytest.approx(bright, abs=1e-5)
    generator = Painting()
    generator.STABLE = False
    assert pair_figures(generator, images, patients)["undoing"] is None


def test_the_flip_rate_is_told_for_each_class():
    images, patients = dark_and_bright()
    figures = pair_figures(Mirror(), images, patients)
    mean = images.mean(axis=(1, 2, 3))
    rates, intervals = figures["flip_rate_by_class"], figures["flip_rate_by_class_interval"]
    bright = mean >= 0.5
    assert rates["zero_to_one"] == 1  # every dark image is mirrored
    assert rates["one_to_zero"] == pytest.approx((mean[bright] < 0.8).mean())
    expected = bootstrap_interval(np.mean, [mean[bright] < 0.8], patients[bright])
    np.testing.assert_allclose(intervals["one_to_zero"], expected)
    dark = pair_figures(Mirror(), images[~bright], patients[~bright])
    assert dark["flip_rate_by_class"] == {"zero_to_one": 1.0, "one_to_zero": None}
    assert dark["flip_rate_by_class_interval"]["one_to_zero"] == [None, None]
