"""Rules of TensorFlow's operations: marks of the axes of what they give, from those of what they take."""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence

import tensorflow as tf

from tfadvpath.models.axis_marks import (
    Axes,
    axis,
    broadcast,
    contracted,
    is_spatial,
    length_of,
    order_of_picture,
    picture,
    reshaped,
    resized,
    unmarked,
)
from tfadvpath.models.axis_moves import (
    constant_input,
    cut,
    gathered,
    joined,
    stacked,
    strided,
    turned,
    unstacked,
)


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# They change no value, or only its type.
COPIES = _names(
    "Cast CheckNumerics EnsureShape ExpandDims Identity IdentityN PreventGradient Reshape Snapshot Squeeze "
    "StopGradient Transpose"
)
_VALUE_BY_VALUE = _names(
    "Abs Acos Acosh Add AddN AddV2 Asin Asinh Atan Atan2 Atanh BiasAdd BroadcastTo Cast Ceil CheckNumerics "
    "ClipByValue Cos Cosh Div DivNoNan Elu EnsureShape Equal Erf Erfc Erfinv Exp Expm1 "
    "FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars Floor FloorDiv FloorMod Greater GreaterEqual Identity "
    "Inv IsFinite IsInf IsNan LRN LeakyRelu Less LessEqual Lgamma Log Log1p LogSoftmax LogicalAnd LogicalNot "
    "LogicalOr Maximum Minimum Mod Mul MulNoNan Neg NotEqual OnesLike Pow PreventGradient "
    "QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 RealDiv Reciprocal Relu Relu6 "
    "Rint Round Rsqrt Select SelectV2 Selu Sigmoid Sign Sin Sinh Snapshot Softmax Softplus Softsign Sqrt "
    "Square SquaredDifference StopGradient Sub Tan Tanh Xdivy Xlog1py Xlogy ZerosLike"
)
_CONVOLUTIONS = _names("Conv2D Conv2DBackpropInput DepthwiseConv2dNative Dilation2D")
_POOLS = _names(
    "AvgPool DepthToSpace ExtractImagePatches FractionalAvgPool FractionalMaxPool MaxPool MaxPoolV2 "
    "MaxPoolWithArgmax ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ScaleAndTranslate "
    "SpaceToDepth"
)
_REDUCTIONS = _names("All Any EuclideanNorm Max Mean Min Prod Sum")
_PRODUCTS = _names("BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum MatMul")
_CALLS = _names("PartitionedCall StatefulPartitionedCall")
# They make something of their own, with weights or between channels.
MAKERS = _CONVOLUTIONS | _PRODUCTS | _CALLS
# They make a picture smaller or larger, or cut it, and add nothing to it.
REFRAMES = (
    _POOLS | _REDUCTIONS | _names("GatherV2 MirrorPad Pad PadV2 Slice Split SplitV StridedSlice Tile Unpack")
)
_Rule = Callable[[tf.Operation, Sequence[Axes], list[int]], Axes | None]


def output_axes(operation: tf.Operation, operands: Sequence[Axes]) -> list[Axes]:
    """Returns the marks of every output of an operation; nothing is marked where no rule is known.

    Args:
        operation: Operation of a graph.
        operands: Marks of its inputs.
    """
    rule = _RULES.get(operation.type)
    if not all(tensor.shape.is_fully_defined() for tensor in operation.inputs):
        rule = None
    found = []
    for number, output in enumerate(operation.outputs):
        if not output.shape.is_fully_defined():
            found.append(unmarked([1] * (output.shape.rank or 0)))
            continue
        shape, marks = output.shape.as_list(), None
        if operation.type == "IdentityN":
            marks = operands[number]
        elif rule is not None:
            marks = rule(operation, operands, shape)
        if marks is None or list(map(length_of, marks)) != shape:
            marks = unmarked(shape)
        found.append(marks)
    return found


def _value_by_value(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes:
    if operation.type == "BiasAdd":  # by its data format the bias is along axis 1 or the last
        operands = operands[:1]
    return broadcast(operands, shape)


def _first(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes:
    return broadcast(operands[:1], shape)


def _reshaped(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes:
    return reshaped(operands[0], shape)


def _transposed(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    order = constant_input(operation, 1)
    return None if order is None else tuple(operands[0][number] for number in order)


def _reduced(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    numbers = constant_input(operation, 1)
    if numbers is None:
        return None
    gone = {int(number) % len(operands[0]) for number in numbers.reshape(-1)}
    if operation.get_attr("keep_dims"):
        return tuple(() if i in gone else marks for i, marks in enumerate(operands[0]))
    return tuple(marks for i, marks in enumerate(operands[0]) if i not in gone)


def _convolved(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    marks = operands[2 if operation.type == "Conv2DBackpropInput" else 0]
    first = _text_attribute(operation, "data_format") == "NCHW"
    order = order_of_picture(marks)
    if order is not None:
        channels = order[3]
        return tuple(
            axis("", length) if i == channels else resized(marks[i], length) for i, length in enumerate(shape)
        )
    # What attention or an unknown operation gave is a picture again where a convolution sees one in it.
    rows, columns = shape[2:] if first else shape[1:3]
    if operation.type in _CONVOLUTIONS and not any(map(is_spatial, marks)) and min(rows, columns) > 1:
        return picture(shape, channels_axis=1 if first else 3)
    return None


def _called(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    """Functions, which are not looked into: of a picture they make one where its sides keep their ratio."""
    pictures = [marks for marks in operands if order_of_picture(marks) is not None]
    if len(pictures) != 1 or len(shape) != 4:
        return None
    [marks] = pictures
    batch, row, column, channel = order_of_picture(marks) or ()
    rows, columns = length_of(marks[row]), length_of(marks[column])
    rounding = 2 * max(rows, columns)  # of a border of two pixels
    if batch != 0 or row > column or abs(shape[row] * columns - shape[column] * rows) > rounding:
        return None
    return picture(shape, channels_axis=channel)


def _multiplied(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes:
    batch = string.ascii_uppercase[: len(shape) - 2]
    letters = []
    for marks, flag, plain in zip(
        operands, "ab" if operation.type == "MatMul" else "xy", ("mk", "kn"), strict=True
    ):
        name = f"transpose_{flag}" if operation.type == "MatMul" else f"adj_{flag}"
        last = plain[::-1] if operation.get_attr(name) else plain
        letters.append(batch[len(batch) - (len(marks) - 2) :] + last)
    return contracted(operands, letters, f"{batch}mn", shape)


def _summed(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    left, arrow, result = _text_attribute(operation, "equation").replace(" ", "").partition("->")
    letters = left.split(",")
    if not arrow:
        return None
    free = "".join(letter for letter in string.ascii_letters if letter not in left)
    for i, (names, marks) in enumerate(zip(letters, operands, strict=True)):
        hidden = len(marks) - len(names.replace("...", ""))
        letters[i] = names.replace("...", free[len(free) - hidden :] if hidden else "")
    hidden = len(shape) - len(result.replace("...", ""))
    return contracted(
        operands, letters, result.replace("...", free[len(free) - hidden :] if hidden else ""), shape
    )


def _text_attribute(operation: tf.Operation, name: str) -> str:
    try:
        return operation.get_attr(name).decode()
    except ValueError:
        return ""


_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_VALUE_BY_VALUE, _value_by_value),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _first),
    **dict.fromkeys(("Reshape", "ExpandDims", "Squeeze"), _reshaped),
    "Transpose": _transposed,
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys(_CONVOLUTIONS | _POOLS, _convolved),
    **dict.fromkeys(("MirrorPad", "Pad", "PadV2", "Slice", "Split", "SplitV", "Tile"), cut),
    **dict.fromkeys(_CALLS, _called),
    "StridedSlice": strided,
    "GatherV2": gathered,
    **dict.fromkeys(("ReverseV2", "Roll"), turned),
    "ConcatV2": joined,
    "Pack": stacked,
    "Unpack": unstacked,
    **dict.fromkeys(_PRODUCTS - {"Einsum"}, _multiplied),
    "Einsum": _summed,
}
