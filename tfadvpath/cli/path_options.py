"""Options of the verbs that integrate gradients: how many, how computed, and how maps are smoothed."""

from __future__ import annotations

from typing import Annotated

import typer

from tfadvpath.errors import InputError

AUTO = "auto"

Precision = Annotated[
    str | None,
    typer.Option(
        help="In which the classifier's gradients are computed: float32, bfloat16, or auto for bfloat16 "
        "where it is faster. Default: float32.",
    ),
]
Tolerance = Annotated[
    float | None,
    typer.Option(
        min=1e-4,
        metavar="SHARE",
        help="With --steps auto: relative error of the first map asked for at which an image has steps "
        "enough. Default: .05.",
    ),
]
Sigma = Annotated[
    float | None,
    typer.Option(
        min=0.01,
        metavar="PIXELS",
        help="Standard deviation of the kernel that smooths maps such as fi_v2_smooth, in pixels of the "
        "classifier's images. Without it: the paper's 2 pixels of 224.",
    ),
]
KernelSize = Annotated[
    int | None, typer.Option(min=1, help="Taps of that kernel. Without it: twice 7 sigma, 28 of 224.")
]


def steps_in(text: str | None) -> int | str | None:
    """Returns what ``steps_of`` does; None where no text is given."""
    return None if text is None else steps_of(text)


def steps_of(text: str) -> int | str:
    """Returns a number of steps, or "auto".

    Raises:
        InputError: The text is neither.
    """
    if text == AUTO:
        return text
    try:
        steps = int(text)
    except ValueError:
        steps = 0
    if steps < 1:
        raise InputError("`steps`", f"{text!r} is no number of steps", f"Give 1 or more, or {AUTO}")
    return steps
