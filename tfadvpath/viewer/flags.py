"""The checks of an explanation in plain words, for whoever looks at a map."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tfadvpath.viewer.scene import Scene

# Whether a map can be read; whether some of it needs care; whether there is anything to read.
GOOD, CARE, BAD, NOTHING = "good", "care", "bad", "nothing"
# Share of the change of the probability that the integral may miss: more has its own flag.
RESIDUAL = 0.1


class Flag(NamedTuple):
    """A sentence on a slice.

    Attributes:
        kind: Kind of what it says: "good", "care", "bad" or "nothing".
        text: The sentence.
    """

    kind: str
    text: str


def flags(scene: Scene) -> list[list[Flag]]:
    """Returns the sentences on each of the N slices, at least one of each."""
    return [
        [Flag(NOTHING, f"This {scene.noun} is blank: there is nothing to explain.")]
        if row is None
        else list(_flags(scene, row))
        for row in scene.rows
    ]


def _flags(scene: Scene, row: int) -> Iterator[Flag]:
    if scene.crossed is None:
        text = "This method makes no adversary: no check tells whether its map can be read."
        yield Flag(CARE, text)
        return
    crossed = bool(scene.crossed[row])
    kept = scene.kept is None or bool(scene.kept[row])
    if not crossed:
        yield Flag(BAD, "The adversary did not change the decision: do not read this map.")
    if not kept:
        yield Flag(BAD, "The start image did not keep the decision: do not read this map.")
    if crossed and kept:
        yield Flag(GOOD, "The adversary changed the decision, and the start image kept it.")
    if scene.residual is not None and not scene.residual[row] <= RESIDUAL:
        share = round(100 * float(scene.residual[row]))
        yield Flag(
            CARE,
            f"The integral along the path misses {share} % of the change of the probability: the weights in "
            "the importance maps are inexact, and more steps are needed.",
        )
