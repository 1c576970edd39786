import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.models.keras_internals import every_layer
from tfadvpath.models.layer_calls import recorded_calls

layers = keras.layers


@pytest.fixture
def model():
    shared = layers.Dense(4, name="shared")
    inner = keras.Sequential([keras.Input((4,)), shared, shared], name="inner")
    return keras.Sequential([keras.Input((4,)), inner, layers.Dense(1, name="head")], name="outer")


def names(calls):
    return [call.layer.name for call in calls]


def test_calls_are_listed_as_they_end_and_models_after_their_layers(model):
    x = tf.ones((2, 4))
    with recorded_calls(model) as calls:
        output = model(x)
    listed = [name for name in names(calls) if name in ("shared", "inner", "head", "outer")]
    assert listed == ["shared", "shared", "inner", "head", "outer"]
    assert calls[-1].outputs is output
    first = next(call for call in calls if call.layer.name == "shared")
    np.testing.assert_array_equal(first.inputs, x)
    np.testing.assert_allclose(first.outputs, first.layer(x))


def test_gradients_flow_from_the_output_to_what_was_recorded(model):
    with tf.GradientTape() as tape:
        x = tf.ones((2, 4))
        tape.watch(x)
        with recorded_calls(model) as calls:
            output = model(x)
    features = next(call.outputs for call in calls if call.layer.name == "inner")
    gradient = tape.gradient(output, features)
    np.testing.assert_allclose(gradient, np.tile(model.layers[-1].kernel.numpy().T, (2, 1)))


def test_in_a_graph_every_call_knows_its_operations(model):
    found = {}

    def trace(x):
        with recorded_calls(model) as calls:
            model(x)
        made = x.graph.get_operations()
        found.update({call.layer.name: [made[i].type for i in call.nodes] for call in calls})

    tf.function(trace, autograph=False).get_concrete_function(tf.TensorSpec((2, 4)))
    assert found["head"].count("MatMul") == found["shared"].count("MatMul") == 1
    assert found["outer"] == found["inner"] + found["head"]
    with recorded_calls(model) as calls:
        model(tf.ones((2, 4)))
    assert not any(call.nodes for call in calls)


def test_nothing_is_listed_after_the_block_and_the_model_is_as_before(model):
    weights = model.get_weights()
    with recorded_calls(model) as calls:
        model(tf.ones((2, 4)))
    count = len(calls)
    model(tf.ones((2, 4)))
    assert len(calls) == count
    assert not any("call" in vars(layer) for layer in every_layer(model))
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_an_error_in_the_block_leaves_the_model_as_before(model):
    with pytest.raises(ValueError, match="incompatible"), recorded_calls(model):
        model(tf.ones((2, 5)))
    assert not any("call" in vars(layer) for layer in every_layer(model))


def test_blocks_can_be_nested(model):
    with recorded_calls(model) as outer:
        with recorded_calls(model) as inner:
            model(tf.ones((2, 4)))
        model(tf.ones((2, 4)))
    assert names(outer) == names(inner) * 2
