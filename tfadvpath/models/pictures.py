"""Pictures that a network makes of images: its tensors with rows and columns, followed through its graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfadvpath.models.axis_marks import Axes, order_of_picture, picture, unmarked
from tfadvpath.models.axis_rules import COPIES, MAKERS, REFRAMES, output_axes
from tfadvpath.models.layer_calls import LayerCall

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


class Picture(NamedTuple):
    """A tensor of a graph whose axes are the batch, the rows, the columns and the channels, in some order.

    Attributes:
        tensor: The tensor.
        order: Numbers of its axes batch, row, column and channel.
        made: Whether a convolution or a product with weights is among what made it.
        reframed: Whether it is a picture that was made before, just pooled, resized, padded or cut.
    """

    tensor: tf.Tensor
    order: tuple[int, ...]
    made: bool
    reframed: bool

    def channels_last(self, tensor: tf.Tensor) -> tf.Tensor:
        """Returns a tensor of the picture's axes as [N, h, w, C].

        Args:
            tensor: The picture's tensor, or its derivative.
        """
        return tensor if self.order == (0, 1, 2, 3) else tf.transpose(tensor, self.order)

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        rows, columns = (self.tensor.shape[number] for number in self.order[1:3])
        return int(rows * columns)


class _Known(NamedTuple):
    axes: Axes
    made: bool
    reframed: bool


def pictures(images: tf.Tensor, calls: Iterable[LayerCall]) -> dict[str, Picture]:
    """Returns the pictures of a graph by their tensors' names, in the order in which they are computed.

    Rank 4 does not make a picture: attention has tensors [N, tokens, heads, C], and channels may come first.
    So the batch, the rows and the columns of the images are followed through every operation. They are lost
    where an operation mixes all pixels, as attention does, or has no rule here; a convolution finds them
    again, and a sum with a picture is one.

    Args:
        images: Images [N, H, W, C] that the network was called with, in a graph and of static shape.
        calls: Calls of the network's layers in that graph.
    """
    graph = images.graph
    declared = _declared(graph, calls)
    known = {images.name: _Known(picture(images.shape, channels_axis=3), made=False, reframed=False)}
    found = {}
    for operation in graph.get_operations():
        operands = [known.get(tensor.name) or _nothing(tensor) for tensor in operation.inputs]
        axes = output_axes(operation, [operand.axes for operand in operands])
        made = operation.type in MAKERS or any(operand.made for operand in operands)
        reframed = operation.type in REFRAMES or (
            operation.type in COPIES and any(operand.reframed for operand in operands)
        )
        for tensor, marks in zip(operation.outputs, axes, strict=True):
            if tensor.name in known:
                continue  # the images themselves
            state = _Known(marks, made, reframed)
            if tensor.name in declared and order_of_picture(marks) is None:
                state = _as_declared(tensor, declared[tensor.name], state, known)
            known[tensor.name] = state
            order = order_of_picture(state.axes) if tensor.shape.rank == 4 else None
            if order is not None:
                found[tensor.name] = Picture(tensor, order, state.made, state.reframed)
    return found


def _nothing(tensor: tf.Tensor) -> _Known:
    shape = tensor.shape.as_list() if tensor.shape.is_fully_defined() else [1] * (tensor.shape.rank or 0)
    return _Known(unmarked(shape), made=False, reframed=False)


def _declared(graph: Any, calls: Iterable[LayerCall]) -> dict[str, LayerCall]:
    """Returns the calls of layers that take pictures by their definition, by the names of their outputs.

    Such a layer may run in a graph of its own, which cannot be followed.
    """
    return {
        call.outputs.name: call
        for call in calls
        if hasattr(call.layer, "data_format")
        and all(isinstance(each, tf.Tensor) and each.shape.rank == 4 for each in (call.inputs, call.outputs))
        and call.outputs.graph is graph
    }


def _as_declared(tensor: tf.Tensor, call: LayerCall, state: _Known, known: dict[str, _Known]) -> _Known:
    convolution = isinstance(call.layer, _CONVOLUTIONS)
    before = known.get(call.inputs.name, state)
    if not convolution and order_of_picture(before.axes) is None:
        return state
    first = call.layer.data_format == "channels_first"
    return _Known(
        picture(tensor.shape, channels_axis=1 if first else 3),
        made=convolution or before.made,
        reframed=not convolution,
    )
