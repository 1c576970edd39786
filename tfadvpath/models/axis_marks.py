"""Marks of a tensor's axes: which of them are the batch, the rows and the columns of a picture.

An axis is a product of parts, outermost first. Tokens of a picture, for example, are one axis with the parts
row and column; windows split each of the two. Parts are kept apart so that a reshape back can join them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

BATCH, ROW, COLUMN = "batch", "row", "column"
MOVED = "moved"  # rows or columns in another order, such as mirrored ones


class Part(NamedTuple):
    """A part of an axis.

    Attributes:
        name: BATCH, ROW, COLUMN or MOVED; "" where it is none of them.
        stride: Distance of two neighbours, in steps of what is named.
        size: Number of steps.
    """

    name: str
    stride: int
    size: int


Axis = tuple[Part, ...]  # empty where the length is 1: such an axis can be anything
Axes = tuple[Axis, ...]


def axis(name: str, length: int) -> Axis:
    """Returns the marks of a whole axis.

    Args:
        name: BATCH, ROW or COLUMN; "" where it is none of them.
        length: Length of the axis.
    """
    return () if length == 1 else (Part(name, 1, length),)


def unmarked(shape: Iterable[int]) -> Axes:
    """Returns the marks of a tensor of which nothing is known."""
    return tuple(axis("", length) for length in shape)


def picture(shape: Sequence[int], channels_axis: int) -> Axes:
    """Returns the marks of a batch of pictures.

    Args:
        shape: Lengths of the four axes.
        channels_axis: Number of the channels' axis: 3, or 1 where they come first.
    """
    names = [BATCH, ROW, COLUMN]
    names.insert(channels_axis, "")
    return tuple(axis(name, length) for name, length in zip(names, shape, strict=True))


def length_of(marks: Axis) -> int:
    """Returns the length of an axis."""
    return math.prod(part.size for part in marks)


def is_named(marks: Axis) -> bool:
    """Returns whether an axis is the batch's, the rows' or the columns', or has a part of them."""
    return any(part.name for part in marks)


def is_spatial(marks: Axis) -> bool:
    """Returns whether an axis has rows or columns in it, in whatever order."""
    return any(part.name in (ROW, COLUMN, MOVED) for part in marks)


def moved(marks: Axis) -> Axis:
    """Returns the marks of an axis after its places were changed."""
    return axis(MOVED if is_spatial(marks) else "", length_of(marks))


def order_of_picture(axes: Axes) -> tuple[int, ...] | None:
    """Returns the numbers of the axes batch, row, column and channel; None where they are no pictures'.

    Example:
        >>> order_of_picture(picture((2, 5, 8, 8), channels_axis=1))
        (0, 2, 3, 1)
        >>> order_of_picture(reshaped(picture((2, 8, 8, 6), channels_axis=3), (2, 64, 3, 2))) is None
        True
    """
    if len(axes) != 4 or any(len(marks) > 1 for marks in axes) or not any(map(is_spatial, axes)):
        return None
    found = [marks[0].name if marks else None for marks in axes]
    order = []
    for role in (BATCH, ROW, COLUMN, ""):
        if role not in found and None in found:
            found[found.index(None)] = role
        if found.count(role) != 1:
            return None
        order.append(found.index(role))
    return tuple(order)


def resized(marks: Axis, length: int) -> Axis:
    """Returns the marks of an axis after its length was changed by pooling, cropping and the like."""
    if length_of(marks) == length:
        return marks
    whole = len(marks) == 1 and marks[0].stride == 1
    return axis(marks[0].name if whole and is_spatial(marks) else "", length)


def reshaped(axes: Axes, shape: Sequence[int]) -> Axes:
    """Returns the marks after a reshape: parts of an axis are split and joined as the lengths ask for."""
    rest = [part for marks in axes for part in marks]
    found = []
    for length in shape:
        parts: list[Part] = []
        while length_of(tuple(parts)) < length:
            missing = length // length_of(tuple(parts))
            if not rest or missing * length_of(tuple(parts)) != length:
                return unmarked(shape)
            name, stride, size = rest.pop(0)
            if missing % size == 0:
                parts.append(Part(name, stride, size))
            elif size % missing == 0:
                inner = size // missing
                parts.append(Part(name, stride * inner, missing))
                rest.insert(0, Part(name, stride, inner))
            else:
                return unmarked(shape)
        found.append(_joined_parts(parts))
    return tuple(found)


def _joined_parts(parts: Iterable[Part]) -> Axis:
    """Returns the parts with neighbours that were one axis joined again."""
    found: list[Part] = []
    for part in parts:
        before = found[-1] if found else None
        if (
            before
            and before.name == part.name
            and (not part.name or before.stride == part.stride * part.size)
        ):
            found[-1] = Part(part.name, part.stride, before.size * part.size)
        else:
            found.append(part)
    return tuple(found)


def broadcast(operands: Iterable[Axes], shape: Sequence[int]) -> Axes:
    """Returns the marks of what is computed of operands value by value.

    An axis is what one of the operands says that it is, and nothing where two say different things.

    Args:
        operands: Marks of the operands, of any ranks.
        shape: Shape of the result.
    """
    operands = list(operands)
    found = []
    for number, length in enumerate(shape, start=-len(shape)):
        said = {marks[number] for marks in operands if len(marks) >= -number}
        said = {each for each in said if is_named(each) and length_of(each) == length}
        found.append(said.pop() if len(said) == 1 else axis("", length))
    return tuple(found)


def contracted(operands: Sequence[Axes], letters: Sequence[str], result: str, shape: Sequence[int]) -> Axes:
    """Returns the marks of a product that is summed over some axes, as ``einsum`` writes it.

    A sum over rows or columns of two operands, as attention makes it, mixes all pixels: nothing is known of
    the result.

    Args:
        operands: Marks of the operands.
        letters: Letters of each operand's axes.
        result: Letters of the result's axes.
        shape: Shape of the result.
    """
    said: dict[str, list[Axis]] = {}
    for axes, names in zip(operands, letters, strict=True):
        for marks, letter in zip(axes, names, strict=True):
            said.setdefault(letter, []).append(marks)
    if any(sum(map(is_spatial, said[letter])) > 1 for letter in said if letter not in result):
        return unmarked(shape)
    return tuple(
        broadcast([(marks,) for marks in said.get(letter, ())], (length,))[0]
        for letter, length in zip(result, shape, strict=True)
    )
