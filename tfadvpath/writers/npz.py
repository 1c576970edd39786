"""Arrays of an explanation as one .npz file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tfadvpath.explanation import Explanation, PathExplanation, StudyExplanation
from tfadvpath.files import replacing_file
from tfadvpath.writers.formats import register


@register("npz")
def write_explanation(folder: Path, result: StudyExplanation) -> None:
    """Writes explanation.npz."""
    write_npz(folder / "explanation.npz", result.explanation, result.study.blank)


def write_npz(path: Path | str, explanation: Explanation, blank: Any) -> None:
    """Writes every array, with one row for each slice of the study, readable by ``np.load`` without pickle.

    The keys are the maps' names and ``images`` (float32 [N, H, W, C]), ``score`` (float32 [N]), ``decision``
    and ``blank`` (bool [N]); of a PathExplanation also ``start``, ``adversary`` (as images), ``score_start``,
    ``score_adversary``, ``completeness_residual`` (as score), ``kept`` and ``crossed`` (as decision); where
    each image had as many steps as it needed, ``steps`` (int32 [N]) and ``map_error`` (as score). At a blank
    slice images and steps are 0, scores, residuals and errors NaN, and flags False.

    Args:
        path: File to write.
        explanation: Explanation of the slices that are not blank, in their order.
        blank: bool [N]: the slices of the study that are blank.
    """
    numbers, rows = ["score"], ["images", "decision"]
    if isinstance(explanation, PathExplanation):
        numbers += ["score_start", "score_adversary", "completeness_residual"]
        rows += ["start", "adversary", "kept", "crossed"]
        if explanation.steps is not None:
            numbers, rows = [*numbers, "map_error"], [*rows, "steps"]
    arrays: dict[str, Any] = {name: at_slices(values, blank, 0) for name, values in explanation.maps.items()}
    arrays |= {name: at_slices(getattr(explanation, name), blank, np.nan) for name in numbers}
    arrays |= {name: at_slices(getattr(explanation, name), blank, 0) for name in rows}
    arrays["blank"] = np.asarray(blank, bool)
    # Compression takes an eighth off the file of one image, and ten times as long. It takes off the blank
    # slices of a volume.
    save = np.savez if len(arrays["blank"]) == 1 else np.savez_compressed
    with replacing_file(path) as partial:
        save(partial, **arrays)


def at_slices(values: np.ndarray, blank: Any, fill: float) -> np.ndarray:
    """Puts the rows of the explained slices at their places among all slices.

    Args:
        values: [B, ...], B slices that are not blank.
        blank: bool [N].
        fill: Value at blank slices.

    Returns:
        [N, ...].
    """
    blank = np.asarray(blank, bool)
    result = np.full((len(blank), *values.shape[1:]), fill, values.dtype)
    result[~blank] = values
    return result
