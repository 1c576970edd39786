"""The type in which gradients are computed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

import tfadvpath.path.precision as module
from tfadvpath.path.classifier import probability_function
from tfadvpath.path.precision import chosen_precision

layers = keras.layers


def network(*middle, policy="float32"):
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, dtype=policy)(image)
    for layer in middle:
        x = layer(x)
    return keras.Model(image, layers.Dense(1, activation="sigmoid", dtype="float32")(layers.Flatten()(x)))


@pytest.fixture(params=["amx_bf16 amx_tile", "avx512_bf16", "", "amx_int8 avx512_fp16"])
def processor(request, tmp_path, monkeypatch):
    """Whether the processor multiplies in bfloat16."""
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: fpu avx512f {request.param}\n")
    monkeypatch.setattr(module, "_PROCESSOR", tmp_path / "cpuinfo")
    return "_bf16" in request.param


def test_auto_is_bfloat16_where_processor_and_network_gain(processor):
    assert chosen_precision("auto", network()) == ("bfloat16" if processor else "float32")
    assert chosen_precision("auto", network(layers.DepthwiseConv2D(3))) == "float32"
    assert chosen_precision("auto", network(layers.SeparableConv2D(4, 3))) == "float32"
    assert chosen_precision("auto", network(policy="mixed_bfloat16")) == "float32"
    assert chosen_precision("auto", lambda x: x) == "float32"


def test_auto_is_float32_where_the_processor_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PROCESSOR", tmp_path / "none")
    assert chosen_precision("auto", network()) == "float32"


@pytest.mark.parametrize(("capability", "chosen"), [((8, 0), "bfloat16"), ((7, 5), "float32")])
def test_auto_is_bfloat16_on_gpus_since_ampere(capability, chosen, monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["one"] if kind == "GPU" else [])
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda device: {"compute_capability": capability}
    )
    assert chosen_precision("auto", network()) == chosen


@pytest.mark.parametrize("given", ["quarter", "int8", "string", ""])
def test_other_names_are_refused(given):
    with pytest.raises(ValueError, match="`precision` must be"):
        chosen_precision(given, network())


def test_a_model_with_a_policy_of_its_own_keeps_it_in_float32():
    model = network(policy="mixed_bfloat16")
    x = tf.constant(np.random.default_rng(0).random((4, 8, 8, 1)), tf.float32)
    np.testing.assert_array_equal(probability_function(model, precision="float32")(x), model(x)[:, 0])


def test_a_classifier_that_computes_in_one_type_alone_refuses_another():
    old = tf_keras.Sequential([tf_keras.layers.Input((8, 8, 1)), tf_keras.layers.Flatten()])
    with pytest.raises(ValueError, match="`precision` 'bfloat16' needs a functional"):
        probability_function(old, precision="bfloat16")

    class Subclassed(keras.Model):
        def call(self, x):
            return x

    with pytest.raises(ValueError, match="Received: Subclassed, which computes in its own dtype policy"):
        probability_function(Subclassed(), precision="bfloat16")
    signature = tf.function(lambda x: x, input_signature=[tf.TensorSpec([None, 8, 8, 1])])
    with pytest.raises(ValueError, match="which computes in float32"):
        probability_function(signature, precision="bfloat16")


def test_a_function_is_fed_the_type():
    seen = []

    def f(x):
        seen.append(x.dtype.name)
        return tf.reduce_mean(x, axis=(1, 2, 3))

    probability_function(f, precision="bfloat16")(tf.zeros((1, 2, 2, 1)))
    probability_function(f, precision="float32")(tf.zeros((1, 2, 2, 1)))
    assert seen == ["bfloat16", "float32"]
