import keras
import numpy as np
import pytest
import tensorflow as tf
from support.filters import along_both, bilinear

from tfadvpath.explainers import GradCAM
from tfadvpath.explainers.grad_cam import _made
from tfadvpath.models import resnet50_classifier
from tfadvpath.models.layer_calls import recorded_calls
from tfadvpath.models.pictures import pictures

layers = keras.layers
SIZE = 12


def some_images():
    rng = np.random.default_rng(0)
    return (np.array([0.2, 0.4, 0.7, 1.0])[:, None, None, None] * rng.random((4, SIZE, SIZE, 1))).astype(
        np.float32
    )


def wide(tensor):
    return np.asarray(tensor).astype(np.float64)


class Subclassed(keras.Model):
    """The same layers without a graph of them."""

    def __init__(self, convolution, dense):
        super().__init__()
        self.convolution, self.pool, self.dense = convolution, layers.GlobalAveragePooling2D(), dense

    def call(self, x):
        return self.dense(self.pool(self.convolution(x)))


@pytest.fixture(scope="module")
def parts():
    """A convolution to 4x4 pixels and a head that decides for both classes among the images."""
    keras.utils.set_random_seed(0)
    convolution = layers.Conv2D(6, 5, strides=3, padding="same", activation="relu", name="last")
    dense = layers.Dense(1, activation="sigmoid")
    features = wide(convolution(some_images())).mean(axis=(1, 2))
    dense.build((None, 6))
    weights = np.array([[9.0], [-7.0], [8.0], [5.0], [-6.0], [3.0]])
    dense.set_weights([weights, np.array([-np.median(features @ weights)])])
    return convolution, dense


def by_hand(activation, weights, one):
    """ReLU(Σ ± w_c / (h w) A_c), enlarged, in float64: of a mean of A with the weights w."""
    height, width = activation.shape[1:3]
    sign = np.where(one, 1.0, -1.0)[:, None, None, None]
    small = np.maximum(0, sign * (wide(activation) @ wide(weights)) / (height * width))
    return along_both((bilinear(height, SIZE), bilinear(width, SIZE)), small)


@pytest.fixture(scope="module")
def expected(parts):
    convolution, dense = parts
    return by_hand(convolution(some_images()), dense.kernel, [False, False, True, True])


def assert_close(actual, expected):
    assert expected.max() > 0
    np.testing.assert_allclose(actual, expected, atol=1e-5 * expected.max(), rtol=0)


def flat(convolution, dense):
    return keras.Sequential(
        [keras.Input((SIZE, SIZE, 1)), convolution, layers.GlobalAveragePooling2D(), dense]
    )


def nested(convolution, dense):
    backbone = keras.Sequential([keras.Input((SIZE, SIZE, 1)), convolution])
    image = keras.Input((SIZE, SIZE, 1))
    return keras.Model(image, dense(layers.GlobalAveragePooling2D()(backbone(image))))


def nested_twice(convolution, dense):
    """The backbone ends in a pool, and dropout comes after it."""
    inner = keras.Sequential([keras.Input((SIZE, SIZE, 1)), convolution, layers.AveragePooling2D(2)])
    outer = keras.Sequential([keras.Input((SIZE, SIZE, 1)), layers.Identity(), inner])
    head = keras.Sequential([keras.Input((2, 2, 6)), layers.GlobalAveragePooling2D(), dense])
    return keras.Sequential([keras.Input((SIZE, SIZE, 1)), outer, layers.Dropout(0.5), head])


def pooled_to_one_pixel(convolution, dense):
    """Its last convolution works on a single pixel: there is nothing to see."""
    single = layers.Conv2D(6, 1)
    pool = [layers.AveragePooling2D(4), single, layers.Flatten()]
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), convolution, *pool, dense])
    single.set_weights([np.eye(6)[None, None], np.zeros(6)])
    return model


def sigmoid_of_its_own(convolution, dense):
    linear = layers.Dense(1)
    model = keras.Sequential([flat(convolution, linear), layers.Activation("sigmoid")])
    linear.set_weights(dense.get_weights())
    return model


def operation(convolution, dense):
    """Ends in no layer."""
    image = keras.Input((SIZE, SIZE, 1))
    linear = layers.Dense(1)
    output = keras.ops.sigmoid(linear(layers.GlobalAveragePooling2D()(convolution(image))))
    linear.set_weights(dense.get_weights())
    return keras.Model(image, output)


KINDS = [flat, nested, nested_twice, pooled_to_one_pixel, Subclassed, sigmoid_of_its_own, operation]


@pytest.mark.parametrize("make", KINDS)
def test_it_is_the_weighted_activation_of_either_class_in_every_kind_of_model(parts, expected, make):
    explanation = GradCAM(make(*parts)).explain(some_images())
    assert explanation.decision.tolist() == [False, False, True, True]
    assert explanation.maps["grad_cam"].shape == (4, SIZE, SIZE, 1)
    for i in range(4):  # neither class drowns in the other's scale
        assert_close(explanation.maps["grad_cam"][i], expected[i])


def test_a_certain_classifier_has_the_map_of_an_uncertain_one(parts, expected):
    convolution, dense = parts
    certain = layers.Dense(1, activation="sigmoid")
    model = flat(convolution, certain)
    for bias, k in ((40.0, 1), (-150.0, 0)):
        certain.set_weights([dense.get_weights()[0], np.array([bias])])
        explanation = GradCAM(model).explain(some_images())
        np.testing.assert_array_equal(explanation.score, float(k))  # rounded: its own slope is 0
        assert_close(
            explanation.maps["grad_cam"], by_hand(convolution(some_images()), dense.kernel, [k == 1] * 4)
        )


def test_where_the_logit_cannot_be_had_a_rounded_probability_has_a_map_of_zeros(parts):
    convolution, dense = parts
    model = operation(convolution, dense)
    [linear] = [layer for layer in model.layers if isinstance(layer, layers.Dense)]
    linear.bias.assign([40.0])
    values = GradCAM(model).explain(some_images()).maps["grad_cam"]
    assert not values.any()


def test_a_named_layer_counts_with_all_its_ways_to_the_output():
    keras.utils.set_random_seed(1)
    image = keras.Input((SIZE, SIZE, 1))
    early = layers.Conv2D(3, 3, strides=2, padding="same", activation="relu", name="early")(image)
    mixed = layers.Conv2D(3, 1, name="mix")(early)
    top = layers.Add()([mixed, early])
    model = keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.GlobalAveragePooling2D()(top)))
    mix, head = (wide(layer.kernel) for layer in (model.get_layer("mix"), model.layers[-1]))
    activation = keras.Model(image, early)(some_images())
    weights = (mix[0, 0] + np.eye(3)) @ head
    one = wide(model(some_images()))[:, 0] >= 0.5
    values = GradCAM(model, layer="early").explain(some_images()).maps["grad_cam"]
    assert_close(values, by_hand(activation, weights, one))


def test_slopes_that_differ_between_pixels_are_averaged_over_both_axes(parts):
    convolution, _ = parts
    head = layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), convolution, layers.Flatten(), head])
    one = wide(model(some_images()))[:, 0] >= 0.5
    weights = wide(head.kernel).reshape(16, 6, 1).sum(axis=0)  # by_hand divides by the 16 pixels
    values = GradCAM(model).explain(some_images()).maps["grad_cam"]
    assert_close(values, by_hand(convolution(some_images()), weights, one))


def test_a_layer_inside_a_nested_model_can_be_named(parts, expected):
    values = GradCAM(nested_twice(*parts), layer="last").explain(some_images()).maps["grad_cam"]
    assert_close(values, expected)


def last_activation(model, shape):
    """The names of the layers that give what GradCAM takes, without a gradient, whose trace takes long."""
    names = []

    def trace(images):
        with recorded_calls(model) as calls:
            model(images)
        first = _made(pictures(images, calls), calls)[0]
        names.extend(call.layer.name for call in calls if call.outputs is first.tensor)

    tf.function(trace, autograph=False).get_concrete_function(tf.TensorSpec(shape))
    return names


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "last"), [("v1", "conv5_block3_out"), ("v2", "post_relu")])
def test_of_resnet50_it_takes_the_backbones_last_activation(variant, last):
    backbone = resnet50_classifier((64, 64, 1), variant=variant, weights=None, width=4)
    image = keras.Input((64, 64, 1))
    for model in (backbone, keras.Model(image, backbone(image))):
        assert last_activation(model, (2, 64, 64, 1)) == [last]


def test_of_several_outputs_the_targets_log_odds_are_followed(parts):
    convolution, _ = parts
    softmax, sigmoids = layers.Dense(3, activation="softmax"), layers.Dense(3, activation="sigmoid")
    activation = wide(convolution(some_images()))
    for head in (softmax, sigmoids):
        model = flat(convolution, head)
        kernel = wide(head.kernel)
        logits = activation.mean(axis=(1, 2)) @ kernel
        p = wide(model(some_images()))[:, 1]
        others = np.exp(logits[:, [0, 2]]) / np.exp(logits[:, [0, 2]]).sum(axis=1, keepdims=True)
        weights = (
            kernel[:, 1] - others @ kernel[:, [0, 2]].T if head is softmax else np.tile(kernel[:, 1], (4, 1))
        )
        rows = [by_hand(activation[i : i + 1], weights[i][:, None], p[i : i + 1] >= 0.5) for i in range(4)]
        values = GradCAM(model, target=1).explain(some_images()).maps["grad_cam"]
        np.testing.assert_allclose(values, np.concatenate(rows), atol=1e-5 * np.max(rows), rtol=0)


def test_half_precision_gives_nearly_the_same_map(parts, expected):
    convolution, dense = parts
    half = layers.Conv2D.from_config({**convolution.get_config(), "dtype": "mixed_bfloat16"})
    model = flat(half, dense)
    half.set_weights(convolution.get_weights())
    values = GradCAM(model).explain(some_images()).maps["grad_cam"]
    assert values.dtype == np.float32
    # Eight bits of each factor.
    np.testing.assert_allclose(values, expected, atol=0.03 * expected.max())


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (lambda: lambda x: x, {}, "must be a Keras 3 model"),
        (lambda: [layers.Flatten(), layers.Dense(1)], {}, "It has none"),
        (
            lambda: [layers.Conv2D(2, 3, name="a"), layers.Flatten(), layers.Dense(1)],
            {"layer": "b"},
            r"\['a'",
        ),
        (
            lambda: [layers.Conv2D(2, 3, name="a"), layers.GlobalMaxPooling2D(), layers.Dense(2)],
            {},
            "`target` must name",
        ),
    ],
)
def test_what_cannot_be_explained_gets_the_rule(make, options, message):
    made = make()
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), *made]) if isinstance(made, list) else made
    with pytest.raises(ValueError, match=message):
        GradCAM(model, **options).explain(some_images())


def test_a_layer_that_the_output_does_not_depend_on_is_refused():
    image = keras.Input((SIZE, SIZE, 1))
    beside = layers.Conv2D(1, 3, name="beside")(image)
    output = layers.Dense(1, activation="sigmoid")(layers.Flatten()(image))
    model = keras.Model(image, output + 0 * keras.ops.stop_gradient(keras.ops.sum(beside)))
    with pytest.raises(ValueError, match="does not depend on 'beside'"):
        GradCAM(model).explain(some_images())
