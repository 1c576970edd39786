"""What classifiers declare of their input: type, number of images, size."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tfadvpath as tap
from tfadvpath.explainers import GradCAM
from tfadvpath.path.classifier import probability_function, scores_and_gradients

layers = keras.layers
SIZE = 8
FILTERS = 3


def some_images(count, seed=0):
    return np.random.default_rng(seed).random((count, SIZE, SIZE, 1)).astype(np.float32)


def weights():
    """Numbers that every type has."""
    rng = np.random.default_rng(1)
    kernel = rng.integers(-8, 8, (4, 4, 1, FILTERS)) / 32
    return [kernel, np.zeros(FILTERS), rng.integers(-8, 8, (FILTERS * 4, 1)) / 16, np.zeros(1)]


def model(dtype="float32", batch=None):
    """A convolution and a sigmoid; with a fixed batch its reshape fails for any other number of images."""
    image = keras.Input((SIZE, SIZE, 1), batch_size=batch, dtype=dtype)
    x = layers.Conv2D(FILTERS, 4, strides=4, activation="softplus", dtype=dtype)(image)
    x = keras.ops.reshape(x, (-1 if batch is None else batch, FILTERS * 4))
    made = keras.Model(image, layers.Dense(1, activation="sigmoid", dtype=dtype)(x))
    made.set_weights(weights())
    return made


def function(dtype, batch):
    made = model(dtype, batch)
    spec = tf.TensorSpec([batch, SIZE, SIZE, 1], dtype)
    return tf.function(lambda x: made(x), input_signature=[spec])


def signature(folder, dtype, batch):
    """A signature of a SavedModel."""
    module = tf.Module()
    module.network = model(dtype, batch)
    spec = tf.TensorSpec([batch, SIZE, SIZE, 1], dtype, name="images")
    serve = tf.function(lambda images: {"probability": module.network(images)}, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=serve)
    loaded = tf.saved_model.load(str(folder))
    served = loaded.signatures["serving_default"]
    served.keeps = loaded  # its variables
    return served


def by_tape(images):
    """f and its gradient of the images as they are, in float64."""
    x = tf.constant(images, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        scores = model("float64")(x)[:, 0]
    return scores.numpy(), tape.gradient(scores, x).numpy()


def assert_close(found, expected, tolerance):
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max(), rtol=0)


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("kind", ["keras", "tf.function", "concrete function", "signature"])
def test_a_fixed_number_of_images_is_padded_or_grouped(kind, count, tmp_path):
    whole = function("float32", 4)
    classifier = {
        "keras": lambda: model(batch=4),
        "tf.function": lambda: whole,
        "concrete function": lambda: whole.get_concrete_function(),
        "signature": lambda: signature(tmp_path, "float32", 4),
    }[kind]()
    images = some_images(count)
    scores, gradients = scores_and_gradients(probability_function(classifier), tf.constant(images))
    expected_scores, expected_gradients = by_tape(images)
    assert scores.shape == (count,)
    assert_close(scores, expected_scores, 1e-6)
    assert_close(gradients, expected_gradients, 1e-5)


@pytest.mark.parametrize("count", [0, 4, 9])
def test_the_number_of_images_may_be_known_only_when_the_graph_runs(count):
    probability = probability_function(model(batch=4))
    run = tf.function(
        lambda images: scores_and_gradients(probability, images),
        input_signature=[tf.TensorSpec([None, SIZE, SIZE, 1])],
    )
    images = some_images(count)
    scores, gradients = run(images)
    assert scores.shape == (count,)
    if count:
        assert_close(scores, by_tape(images)[0], 1e-6)
        assert_close(gradients, by_tape(images)[1], 1e-5)


@pytest.mark.slow
def test_groups_pass_through_every_map_and_through_xla():
    start, adversary = some_images(5), some_images(5, seed=2)
    options = {"steps": 2, "path_chunk": 6, "kernel_size": 3}
    free = tap.feature_importance(model(), start, adversary, jit_compile=False, **options)
    fixed = tap.feature_importance(model(batch=4), start, adversary, jit_compile=True, **options)
    for name in ("fi_v1", "fi_v2", "score_start", "score_adversary"):
        assert_close(getattr(fixed, name), getattr(free, name), 1e-5)


def test_grad_cam_takes_as_many_images_as_its_classifier():
    found, expected = (GradCAM(made).explain(some_images(5)) for made in (model(batch=4), model()))
    assert expected.maps["grad_cam"].max() > 0
    assert_close(found.maps["grad_cam"], expected.maps["grad_cam"], 1e-6)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float64", 1e-5), ("float16", 5e-3), ("bfloat16", 4e-2)], ids=str
)
@pytest.mark.parametrize("kind", ["keras", "signature"])
def test_images_are_cast_to_the_declared_type_and_answers_are_float32(kind, dtype, tolerance, tmp_path):
    classifier = {
        "keras": lambda: model(dtype),
        "signature": lambda: signature(tmp_path, dtype, None),
    }[kind]()
    images = some_images(3)
    explanation = tap.explainers.get("gradient", classifier, jit_compile=False).explain(images)
    scores, gradients = by_tape(images)
    assert explanation.score.dtype == explanation.maps["gradient"].dtype == np.float32
    assert_close(explanation.score, scores, tolerance)
    assert_close(explanation.maps["gradient"], np.abs(gradients), tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grad_cam", "integrated_gradients"])
def test_other_methods_answer_in_float32_too(name):
    explanation = tap.explainers.get(name, model("float64"), jit_compile=False).explain(some_images(2))
    assert {explanation.score.dtype, *(values.dtype for values in explanation.maps.values())} == {
        np.dtype(np.float32)
    }


def two_inputs():
    image, age = keras.Input((SIZE, SIZE, 1)), keras.Input((1,))
    joined = layers.Concatenate()([layers.Flatten()(image), age])
    return keras.Model([image, age], layers.Dense(1, activation="sigmoid")(joined))


def of_input(*shape, dtype="float32"):
    image = keras.Input(shape, dtype=dtype)
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.Flatten()(image)))


def of_two_tensors():
    images, age = tf.TensorSpec([None, SIZE, SIZE, 1]), tf.TensorSpec([None])
    named = tf.function(lambda images, age: tf.reduce_mean(images, (1, 2, 3)) * age)
    return named.get_concrete_function(images=images, age=age)


def old_keras_of_bytes():
    made = [tf_keras.layers.Input((SIZE, SIZE, 1), dtype="uint8"), tf_keras.layers.Flatten()]
    return tf_keras.Sequential([*made, tf_keras.layers.Dense(1, activation="sigmoid")])


BYTES = tf.function(lambda x: tf.zeros([2]), input_signature=[tf.TensorSpec([None], tf.string)])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: of_input(SIZE, SIZE, 1, dtype="uint8"),
            TypeError,
            "one that takes uint8, which has no grad",
        ),
        (old_keras_of_bytes, TypeError, "one that takes uint8"),
        (lambda: BYTES, TypeError, "one that takes string"),
        (two_inputs, TypeError, "must take one input, its images. Received one that takes 2; wrap"),
        (of_two_tensors, TypeError, "one that takes 2"),
        (lambda: of_input(SIZE * SIZE), ValueError, r"must take images \[N, H, W, C\]. Received one that"),
    ],
    ids=["uint8", "tf_keras uint8", "bytes", "two inputs", "two tensors", "vectors"],
)
def test_what_takes_no_images_is_refused_at_once_and_in_one_line(make, error, message):
    with pytest.raises(error, match=f"^`classifier` .*{message}") as met:
        probability_function(make())
    assert "\n" not in str(met.value)


@pytest.mark.parametrize(
    ("classifier", "message"),
    [
        (of_input(SIZE + 1, SIZE, 1), "^Images of 8 x 8 x 1 are incompatible .* takes 9 x 8 x 1$"),
        (lambda x: tf.zeros(tf.shape(x)[0]), "^`classifier` has no gradient"),
        (lambda x: tf.reduce_mean(x, axis=3), r"^`classifier` must return \[N\], \[N, 1\] or \[N, K\]"),
        (
            lambda x: tf.cast(tf.reduce_mean(x, (1, 2, 3)), tf.int32),
            "^`classifier` must return probabilities",
        ),
        (lambda x: tf.zeros([2, 3]), "^`classifier` has 3 classes: `target` must name"),
    ],
)
def test_what_shows_in_the_first_call_is_one_line_too(classifier, message):
    with pytest.raises(ValueError, match=message) as met:
        tap.explainers.get("gradient", classifier, jit_compile=False).explain(some_images(2))
    assert "\n" not in str(met.value)
