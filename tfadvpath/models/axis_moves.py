"""Rules of operations that move, cut and join what is there: marks of the axes of what they give.

Each takes the operation, the marks of its operands and the shape of its output.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tfadvpath.models.axis_marks import MOVED, Axes, axis, broadcast, is_spatial, moved, resized, unmarked


def constant_input(operation: tf.Operation, number: int) -> Any:
    """Returns the value of an operation's input; None where it is known only when the graph runs."""
    return tf.get_static_value(operation.inputs[number])


def cut(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes:
    """Pads, slices, splits and tiles: axes whose length stays keep their marks."""
    marks = operands[1] if operation.type == "Split" else operands[0]
    tiled = operation.type == "Tile"
    return tuple(
        axis("", length) if tiled and resized(each, length) != each else resized(each, length)
        for each, length in zip(marks, shape, strict=True)
    )


def strided(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    """Takes slices with steps, and new axes."""
    steps = constant_input(operation, 3)
    if steps is None:
        return None
    masks = {name: operation.get_attr(f"{name}_mask") for name in ("ellipsis", "new_axis", "shrink_axis")}
    rest, found = list(operands[0]), []
    later = [i for i in range(len(steps)) if not masks["new_axis"] >> i & 1]
    for i in range(len(steps)):
        bit = 1 << i
        if masks["ellipsis"] & bit:
            after = sum(each > i for each in later)
            while len(rest) > after:
                found.append(rest.pop(0))
        elif masks["new_axis"] & bit:
            found.append(())
        elif masks["shrink_axis"] & bit:
            rest.pop(0)
        else:
            kept = rest.pop(0)
            found.append(kept if steps[i] > 0 else moved(kept))
    found += rest
    return tuple(resized(marks, length) for marks, length in zip(found, shape, strict=True))


def gathered(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    """Gathers places along an axis."""
    number = constant_input(operation, 2)
    if number is None or operation.get_attr("batch_dims"):
        return None
    at = int(number) % len(operands[0])
    new = unmarked(shape[at : at + len(operands[1])])
    if len(new) == 1 and is_spatial(operands[0][at]):
        new = (axis(MOVED, shape[at]),)
    return (*operands[0][:at], *new, *operands[0][at + 1 :])


def turned(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    """Reverses and rolls."""
    numbers = constant_input(operation, len(operands) - 1)
    if numbers is None:
        return tuple(moved(marks) for marks in operands[0])
    chosen = {int(number) % len(shape) for number in numbers.reshape(-1)}
    return tuple(moved(marks) if i in chosen else marks for i, marks in enumerate(operands[0]))


def joined(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes | None:
    """Concatenates."""
    number = constant_input(operation, len(operands) - 1)
    if number is None:
        return None
    at, parts = int(number) % len(shape), operands[:-1]
    lengths = [length if i != at else 0 for i, length in enumerate(shape)]
    marks = list(broadcast([part for part in parts if len(part) == len(shape)], lengths))
    marks[at] = parts[0][at] if len(parts) == 1 else axis("", shape[at])
    return tuple(marks)


def stacked(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes:
    """Stacks along a new axis."""
    at = operation.get_attr("axis") % len(shape)
    marks = list(broadcast(operands, [*shape[:at], *shape[at + 1 :]]))
    return (*marks[:at], axis("", shape[at]), *marks[at:])


def unstacked(operation: tf.Operation, operands: Sequence[Axes], shape: list[int]) -> Axes:
    """Takes an axis apart."""
    at = operation.get_attr("axis") % len(operands[0])
    return (*operands[0][:at], *operands[0][at + 1 :])
