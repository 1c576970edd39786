"""The inference form of Keras classifiers: the model's answers, with fewer operations."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.models import resnet50_classifier
from tfadvpath.models.inference_form import InferenceForm, has_inference_form

layers = keras.layers
SIZE = 16


def with_statistics(model, seed=0):
    """The model with random weights, those of normalizations positive where they must be."""
    draws = np.random.default_rng(seed)
    model.set_weights(
        [
            draws.uniform(0.5, 1.5, weight.shape)
            if weight.name in ("gamma", "moving_variance", "alpha")
            else draws.normal(0.0, 0.3, weight.shape)
            for weight in model.weights
        ]
    )
    return model


def images(count=3, channels=1):
    return tf.constant(np.random.default_rng(1).random((count, SIZE, SIZE, channels)), tf.float32)


def convolutions():
    """Convolution before a normalization, with bias and without, before an activation, and alone."""
    image = keras.Input((SIZE, SIZE, 1))
    x = layers.Conv2D(4, 3, padding="same")(image)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.Conv2D(6, 3, strides=2, activation="relu", dilation_rate=1)(x)
    x = layers.BatchNormalization(center=False)(x)
    x = layers.Dropout(0.5)(x)
    x = layers.Conv2D(6, 1, groups=2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(x))


def branches():
    """A convolution that two layers look at, and a sum; operations between layers."""
    image = keras.Input((SIZE, SIZE, 1))
    x = layers.Conv2D(4, 3, padding="same")(image * 2.0 - 1.0)
    y = layers.BatchNormalization()(x)
    z = layers.Add()([x, keras.ops.relu(y)])
    z = layers.Concatenate()([z, layers.MaxPooling2D(1)(y)])
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.Flatten()(z)))


def strided():
    """Convolutions of the image with a stride: one that counts for the normalization behind it, one alone."""
    image = keras.Input((SIZE, SIZE, 1))
    x = layers.Concatenate()([image, image, image])
    y = layers.Conv2D(4, 5, strides=2, padding="same", use_bias=False)(x)
    y = layers.Activation("gelu")(layers.BatchNormalization()(y))
    z = layers.Conv2D(4, 6, strides=2, activation="tanh")(layers.ZeroPadding2D(2)(x))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, strides=2)(layers.Add()([y, z])))
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(x))


def nested():
    """A model in a model, called twice."""
    image = keras.Input((SIZE, SIZE, 1))
    part = keras.Sequential(
        [keras.Input((SIZE, SIZE, 1)), layers.Conv2D(1, 3, padding="same"), layers.BatchNormalization()]
    )
    x = layers.Flatten()(part(part(image)))
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(x))


def ends_in_normalization():
    image = keras.Input((SIZE, SIZE, 1))
    x = layers.BatchNormalization()(layers.Conv2D(1, SIZE)(image))
    return keras.Model(image, layers.Reshape((1,))(x))


def of_unknown_layers():
    image = keras.Input((SIZE, SIZE, 1))
    x = layers.SeparableConv2D(4, 3)(image)
    x = layers.BatchNormalization()(x)
    x = layers.PReLU()(x)
    x = layers.Conv2DTranspose(3, 2)(x)
    x = layers.BatchNormalization(axis=1)(x)
    x = layers.LayerNormalization()(x)
    x = layers.MultiHeadAttention(1, 2)(x, x)
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.GlobalMaxPooling2D()(x)))


MODELS = [convolutions, branches, strided, nested, ends_in_normalization, of_unknown_layers]


@pytest.mark.parametrize("make", MODELS)
def test_answers_and_gradients_are_those_of_the_model(make):
    model, x = with_statistics(make()), images()
    answers = []
    for run in (lambda x: model(x, training=False), InferenceForm(model)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            answer = run(x)
        answers.append((answer, tape.gradient(answer, x)))
    (expected, slope), (found, form_slope) = answers
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(form_slope, slope, rtol=1e-4, atol=1e-6)
    assert float(tf.reduce_max(tf.abs(slope))) > 1e-5


def test_a_normalization_behind_a_convolution_costs_nothing_per_pixel():
    model, x = with_statistics(convolutions()), images(count=5)
    graph = tf.function(InferenceForm(model), autograph=False).get_concrete_function(x).graph
    # Kernels have four axes, too, but none of the images' number.
    products = [
        each
        for each in graph.get_operations()
        if each.type == "Mul" and each.outputs[0].shape.rank == 4 and each.outputs[0].shape[0] == len(x)
    ]
    assert len(products) == 1  # of the normalization that follows an activation


def test_the_gradient_of_the_first_convolution_has_no_strides():
    model = with_statistics(strided())
    run = tf.function(InferenceForm(model), autograph=False)

    @tf.function(autograph=False)
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            answer = run(x)
        return tape.gradient(answer, x)

    graph = slope.get_concrete_function(images()).graph
    nodes = [*graph.as_graph_def().node]
    nodes += [node for function in graph.as_graph_def().library.function for node in function.node_def]
    backward = [node for node in nodes if node.op == "Conv2DBackpropInput"]
    strides = sorted(node.attr["strides"].list.i[1] for node in backward)
    assert strides == [1, 1, 2]  # the last one is that of a convolution inside the network


def test_the_form_follows_the_variables():
    model, x = with_statistics(convolutions()), images()
    run = tf.function(InferenceForm(model), autograph=False)
    before = run(x)
    with_statistics(model, seed=5)
    np.testing.assert_allclose(run(x), model(x, training=False), rtol=1e-5, atol=1e-6)
    assert np.abs(run(x) - before).max() > 1e-3


def test_what_a_model_does_while_it_trains_on_purpose_is_left():
    """Dropout that is called with `training=True` draws, and a normalization takes the batch's statistics."""
    image = keras.Input((SIZE, SIZE, 1))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(image), training=True)
    x = layers.Dropout(0.5, seed=3)(layers.Flatten()(x), training=True)
    form = InferenceForm(with_statistics(keras.Model(image, layers.Dense(1)(x))))
    one, other = form(images()), form(images())
    assert np.abs(one - other).max() > 1e-3


def test_layers_of_other_classes_are_called_as_they_are():
    class Doubled(layers.Conv2D):
        def call(self, x):
            return 2.0 * super().call(x)

    image = keras.Input((SIZE, SIZE, 1))
    x = layers.BatchNormalization()(Doubled(3, 3)(image))
    model = with_statistics(keras.Model(image, layers.Dense(1)(layers.Flatten()(x))))
    np.testing.assert_allclose(InferenceForm(model)(images()), model(images()), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_convolutions_behind_the_first_compute_in_half_precision_and_the_answer_does_not():
    image = keras.Input((SIZE, SIZE, 1))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3)(image)))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(6, 3, activation="relu")(x))
    model = with_statistics(keras.Model(image, layers.Dense(1, activation="sigmoid")(x)))
    x = images()
    form = InferenceForm(model, "bfloat16")
    graph = tf.function(form, autograph=False).get_concrete_function(tf.TensorSpec(x.shape)).graph
    types = [each.outputs[0].dtype.name for each in graph.get_operations() if each.type == "Conv2D"]
    assert types == ["float32", "bfloat16"]
    assert form(x).dtype == tf.float32
    np.testing.assert_allclose(form(x), model(x, training=False), atol=2e-2)


def test_separable_convolutions_compute_in_float32():
    image = keras.Input((SIZE, SIZE, 8))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(16, 1, use_bias=False)(image)))
    x = layers.BatchNormalization()(layers.DepthwiseConv2D(3, use_bias=False)(x))
    x = layers.BatchNormalization()(layers.Conv2D(24, 1, use_bias=False)(layers.ReLU()(x)))
    x = layers.Conv2D(32, 1, activation="relu")(x)
    model = with_statistics(keras.Model(image, layers.GlobalAveragePooling2D()(x)))
    form = InferenceForm(model, "bfloat16")
    graph = tf.function(form, autograph=False).get_concrete_function(images(channels=8)).graph
    operations = [each for each in graph.get_operations() if "Conv2" in each.type or "Depthwise" in each.type]
    kinds = [(each.type, each.outputs[0].dtype.name) for each in operations]
    assert kinds == [
        ("Conv2D", "bfloat16"),
        ("DepthwiseConv2dNative", "float32"),
        ("Conv2D", "float32"),
        ("Conv2D", "bfloat16"),
    ]


@pytest.mark.slow
def test_a_residual_network_in_half_precision_answers_nearly_the_same():
    model = resnet50_classifier((64, 64, 1), weights=None, width=8)
    x = tf.constant(np.random.default_rng(2).random((2, 64, 64, 1)), tf.float32)
    np.testing.assert_allclose(InferenceForm(model, "bfloat16")(x), model(x, training=False), atol=2e-2)
    np.testing.assert_allclose(InferenceForm(model)(x), model(x, training=False), atol=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        keras.Sequential([layers.Dense(1)]),
        lambda x: x,
        keras.Model((image := keras.Input((4, 4, 1))), [image, image]),
    ],
)
def test_other_models_have_no_such_form(model):
    assert not has_inference_form(model)
    with pytest.raises(ValueError, match="one input and one output"):
        InferenceForm(model)
