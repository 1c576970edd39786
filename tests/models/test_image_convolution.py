"""The convolution of an image with strides: TensorFlow's answers and gradients, computed otherwise."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.models.image_convolution import strided_convolution


def gradients(convolve, images, kernel):
    bias = tf.range(kernel.shape[-1], dtype=kernel.dtype)
    with tf.GradientTape() as tape:
        tape.watch([images, kernel, bias])
        answer = convolve(images, kernel, bias)
    weights = tf.constant(np.random.default_rng(2).normal(size=answer.shape), answer.dtype)
    return answer, *tape.gradient(answer, [images, kernel, bias], output_gradients=weights)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(8, 17),
    width=st.integers(8, 17),
    kernel_height=st.integers(1, 8),
    kernel_width=st.integers(1, 8),
    stride=st.integers(2, 4),
    channels=st.integers(1, 4),
    padding=st.sampled_from(["valid", "same"]),
)
def test_answers_and_gradients_are_those_of_tensorflow(
    height, width, kernel_height, kernel_width, stride, channels, padding
):
    draws = np.random.default_rng(1)
    images = tf.constant(draws.normal(size=(2, height, width, channels)))
    kernel = tf.constant(draws.normal(size=(kernel_height, kernel_width, channels, 3)))
    found = gradients(lambda x, w, b: strided_convolution(x, w, b, stride, padding), images, kernel)
    expected = gradients(lambda x, w, b: tf.nn.conv2d(x, w, stride, padding.upper()) + b, images, kernel)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_the_gradient_needs_no_convolution_with_strides(padding):
    @tf.function(autograph=False)
    def slope(images):
        kernel = tf.ones([7, 7, 3, 8])
        return gradients(lambda x, w, b: strided_convolution(x, w, b, 2, padding), images, kernel)[1]

    graph = slope.get_concrete_function(tf.TensorSpec([4, 32, 32, 3])).graph
    backward = [each for each in graph.get_operations() if each.type == "Conv2DBackpropInput"]
    assert [each.get_attr("strides") for each in backward] == [[1, 1, 1, 1]]
