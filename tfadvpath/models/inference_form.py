"""A Keras classifier as it is cheapest to differentiate: normalizations folded, perhaps in half precision."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.models.image_convolution import strided_convolution
from tfadvpath.models.keras_internals import graph_nodes

layers = keras.layers

# They leave what they are given where nothing is trained.
_IDENTITIES = (
    layers.Dropout,
    layers.SpatialDropout2D,
    layers.GaussianNoise,
    layers.GaussianDropout,
    layers.AlphaDropout,
    layers.ActivityRegularization,
)
# It adds up many numbers, which half precision would round away.
_SUMS = (layers.GlobalAveragePooling2D,)
# A convolution of so few channels is that of the image.
_IMAGE_CHANNELS = 4


@dataclass(frozen=True)
class _Convolved:
    """A convolution that is not computed yet: the normalization that follows goes into its kernel."""

    layer: keras.layers.Layer
    images: tf.Tensor
    separable: bool


class InferenceForm:
    """What a functional or sequential Keras model answers at inference, computed with fewer operations.

    A batch normalization goes into the kernel of the convolution before it, or is one multiplication and one
    addition; dropout is gone. The model's variables are read at each call, so the form follows them. Layers
    that it does not know are called as they are.

    With ``dtype`` "bfloat16" the convolutions compute in that type, and so does what lies between them. The
    convolution of the image, separable convolutions, sums of branches (the stream of a residual network) and
    over whole images, and the classifier's last layers compute in float32. Normalizations are folded in
    float32.

    Args:
        model: Functional or sequential model of one input and one output.
        dtype: Floating-point type of the convolutions, "float32" or "bfloat16".

    Raises:
        ValueError: The model has no graph, several inputs or several outputs.
    """

    def __init__(self, model: keras.Model, dtype: str = "float32"):
        if not has_inference_form(model):
            raise ValueError(
                "`model` must be a functional or sequential Keras model of one input and one output. "
                f"Received: {type(model).__name__}"
            )
        self.model = model
        self.dtype = tf.as_dtype(dtype)

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the model's answers, in float32 unless its last layers compute in another type.

        Args:
            images: float [N, H, W, C].
        """
        [answer] = self._run(self.model, [tf.convert_to_tensor(images)])
        return answer

    def _run(self, model: keras.Model, inputs: list[tf.Tensor]) -> list[tf.Tensor]:
        graph = graph_nodes(model)
        assert graph is not None  # as the constructor saw, or `_answers`
        values = {id(symbol): value for symbol, value in zip(model.inputs, inputs, strict=True)}
        uses: dict[int, list[Any]] = {id(symbol): [None] for symbol in model.outputs}
        # What a depthwise convolution gave, up to the convolution of all channels that completes it.
        halves: set[int] = set()
        for node in graph:
            for symbol in node.input_tensors:
                uses.setdefault(id(symbol), []).append(node)
        for node in graph:
            if node.is_input:
                continue
            arguments, named = node.arguments.fill_in(values)
            depthwise = isinstance(node.operation, layers.DepthwiseConv2D)
            completes = not depthwise and any(id(symbol) in halves for symbol in node.input_tensors)
            if depthwise or (completes and not isinstance(node.operation, layers.Conv2D)):
                halves.update(id(symbol) for symbol in node.output_tensors)
            separable = depthwise or completes
            folds = all(
                _has_convolution(node) and use is not None and _folds(use, node)
                for use in uses[id(node.output_tensors[0])]
            )
            if folds:
                values[id(node.output_tensors[0])] = _Convolved(node.operation, arguments[0], separable)
                continue
            answers = self._answers(node.operation, arguments, named, separable)
            for symbol, answer in zip(node.output_tensors, answers, strict=True):
                values[id(symbol)] = answer
        return [values[id(symbol)] for symbol in model.outputs]

    def _answers(
        self, operation: Any, arguments: Any, named: dict[str, Any], separable: bool
    ) -> list[tf.Tensor]:
        """Returns the tensors that a layer, a model or an operation answers with."""
        first: Any = arguments[0] if arguments else None
        if isinstance(first, _Convolved):
            return [self._normalized_convolution(first, operation)]
        if not isinstance(operation, layers.Layer):
            return keras.tree.flatten(operation(*arguments, **named))
        at_inference = not named.get("training") and named.get("mask") is None
        if at_inference and graph_nodes(operation) is not None:
            given = keras.tree.flatten(arguments)
            if len(given) == len(operation.inputs) and all(tf.is_tensor(value) for value in given):
                return self._run(operation, given)
        if at_inference and len(arguments) == 1:
            if type(operation) in _IDENTITIES:
                return [first]
            if _is_plain(operation, layers.Conv2D, layers.DepthwiseConv2D):
                return [
                    operation.activation(
                        self._convolution(
                            operation,
                            first,
                            tf.convert_to_tensor(operation.kernel),
                            _bias(operation),
                            separable,
                        )
                    )
                ]
            if _is_plain(operation, layers.BatchNormalization) and _of_channels(operation, first.shape.rank):
                scale, shift = _scale_and_shift(operation)
                return [first * tf.cast(scale, first.dtype) + tf.cast(shift, first.dtype)]
            if type(operation) in _SUMS:
                return [operation.call(tf.cast(first, tf.float32))]
            if type(operation) is layers.Add:
                # Each block of a residual network adds little to its stream, which half precision rounds.
                return [operation.call([tf.cast(branch, tf.float32) for branch in first])]
            if type(operation).__module__.startswith("keras.") and not operation.variables:
                # Not `operation(first)`, which would cast to the layer's own type.
                return keras.tree.flatten(_called(operation.call, arguments, named))
        return keras.tree.flatten(_called(operation, arguments, named))

    def _normalized_convolution(self, convolved: _Convolved, normalization: Any) -> tf.Tensor:
        layer = convolved.layer
        scale, shift = _scale_and_shift(normalization)
        kernel = tf.convert_to_tensor(layer.kernel)
        bias = _bias(layer)
        shift = shift if bias is None else shift + scale * bias
        if isinstance(layer, layers.DepthwiseConv2D):
            scale = tf.reshape(scale, kernel.shape[2:])
        return self._convolution(layer, convolved.images, kernel * scale, shift, convolved.separable)

    def _convolution(
        self, layer: Any, images: tf.Tensor, kernel: Any, bias: tf.Tensor | None, separable: bool
    ) -> tf.Tensor:
        # The points of a path differ by less than half precision tells apart, and so does what the network
        # first makes of them. Separable convolutions gain little speed by half precision and lose accuracy.
        of_image = kernel.shape[2] <= _IMAGE_CHANNELS
        exact = separable or of_image
        images, kernel = (tf.cast(x, tf.float32 if exact else self.dtype) for x in (images, kernel))
        if of_image and _is_strided(layer) and None not in images.shape[1:]:
            shift = tf.zeros(kernel.shape[-1:]) if bias is None else bias
            return strided_convolution(images, kernel, shift, layer.strides[0], layer.padding)
        convolve = keras.ops.depthwise_conv if isinstance(layer, layers.DepthwiseConv2D) else keras.ops.conv
        answer = convolve(
            images,
            kernel,
            strides=layer.strides,
            padding=layer.padding,
            dilation_rate=layer.dilation_rate,
            data_format="channels_last",
        )
        return answer if bias is None else answer + tf.cast(bias, answer.dtype)


def has_inference_form(model: Any) -> bool:
    """Returns whether ``InferenceForm`` takes a model: it has a graph of one input and one output.

    Args:
        model: Whatever a classifier can be.
    """
    return (
        isinstance(model, keras.Model)
        and graph_nodes(model) is not None
        and len(model.inputs) == len(model.outputs) == 1
    )


def _called(call: Callable[..., Any], arguments: Any, named: dict[str, Any]) -> Any:
    if "training" in inspect.signature(getattr(call, "call", call)).parameters:
        named = {"training": False} | {name: value for name, value in named.items() if value is not None}
    return call(*arguments, **named)


def _is_plain(layer: Any, *classes: type) -> bool:
    """Returns whether a layer is of one of these classes and not of one derived from it, nor quantized."""
    return (
        type(layer) in classes
        and getattr(layer, "quantization_mode", None) is None
        and getattr(layer, "data_format", "channels_last") == "channels_last"
    )


def _is_strided(layer: Any) -> bool:
    """Returns whether ``strided_convolution`` computes the gradient of a convolution faster.

    Of kernels of 3 x 3 pixels with stride 2 it takes as long as TensorFlow's own.
    """
    return (
        isinstance(layer, layers.Conv2D)
        and layer.groups == 1
        and layer.strides[0] == layer.strides[1] > 1
        and min(layer.kernel_size) > 2 * layer.strides[0]
        and set(layer.dilation_rate) == {1}
        and layer.padding in ("same", "valid")
    )


def _has_convolution(node: Any) -> bool:
    return (
        _is_plain(node.operation, layers.Conv2D, layers.DepthwiseConv2D)
        and node.operation.activation is keras.activations.linear
    )


def _folds(node: Any, convolution: Any) -> bool:
    """Returns whether a node is a normalization, at inference, of what a convolution gives."""
    arguments = node.arguments
    return (
        _is_plain(node.operation, layers.BatchNormalization)
        and len(arguments.args) == 1
        and not arguments.kwargs.get("training")
        and arguments.kwargs.get("mask") is None
        and _of_channels(node.operation, len(convolution.output_tensors[0].shape))
    )


def _of_channels(normalization: Any, rank: int) -> bool:
    return normalization.axis in (-1, rank - 1)


def _bias(layer: Any) -> tf.Tensor | None:
    return tf.convert_to_tensor(layer.bias) if layer.use_bias else None


def _scale_and_shift(normalization: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns a and b, float32 [C], of which a x + b is the normalized x."""
    mean, variance = (
        tf.convert_to_tensor(one) for one in (normalization.moving_mean, normalization.moving_variance)
    )
    scale = tf.math.rsqrt(variance + normalization.epsilon)
    if normalization.scale:
        scale *= tf.convert_to_tensor(normalization.gamma)
    shift = -mean * scale
    if normalization.center:
        shift += tf.convert_to_tensor(normalization.beta)
    return scale, shift
