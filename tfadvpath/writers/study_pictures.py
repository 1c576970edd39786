"""Pictures of a study: its slices, and the maps over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.study import read_study
from tfadvpath.writers.formats import register
from tfadvpath.writers.npz import at_slices
from tfadvpath.writers.pictures import display_scale, grey, labelled, montage, overlay, picture_size
from tfadvpath.writers.png import write_png

# Longer side in pixels of a single picture: small images are enlarged to be readable. More pixels than the
# file has show no more, and encoding them takes as long as explaining does.
LEAST, MOST = 256, 1024
# Pixels a side for each of a map's own. A map shows no more with more of them, and encoding four pictures of
# 512 pixels with a map of 64 takes as long as explaining the image does. The input stays as fine as the file.
PIXELS_OF_A_MAP = 4
# Longer side in pixels at which the slices of a volume are held.
MOST_OF_SEVERAL = 512
# Slices in the overview of a volume, and the longer side in pixels of each.
OVERVIEW_SLICES = 25
TILE = 224


@register("png")
def write_pictures(folder: Path, result: StudyExplanation) -> None:
    """Writes a PNG for every picture."""
    for name, picture in study_pictures(result).items():
        write_png(folder / f"{name}.png", picture)


def study_pictures(result: StudyExplanation) -> dict[str, np.ndarray]:
    """Returns the input and every map over it, by file name without ending, as uint8 RGB.

    A single image gives one picture each. Of several slices, up to 25 spread evenly over the explained ones
    are shown together, and the slice where the first map is largest alone. The image is shown in the file's
    own proportions. The input is as fine as the file, and so is what a map lies over, up to four pixels a
    side for each of the map's; a map has one scale over all slices. Where every slice is blank there is the
    input alone.

    Args:
        result: Study and explanation.

    Raises:
        InputError: The file cannot be read again.
    """
    study, explanation = result.study, result.explanation
    shape = study.grid.slices_shape[1:]
    several = len(study.images) > 1
    # The file is read again, finer than the model sees it. A volume is held smaller than it is shown.
    fine = read_study(
        study.sources, picture_size(shape, 0, MOST_OF_SEVERAL if several else MOST), study.channel
    ).images
    maps = {name: at_slices(values, study.blank, 0) for name, values in explanation.maps.items()}
    scales = {name: display_scale(values) for name, values in explanation.maps.items()}
    score = at_slices(explanation.score, study.blank, np.nan)
    large = picture_size(shape, LEAST, MOST)
    most_under_map = PIXELS_OF_A_MAP * max(study.images.shape[1:3])
    under_map = picture_size(shape, LEAST, min(MOST, max(LEAST, most_under_map)))

    def layers(chosen: Sequence[int], size: tuple[int, int]) -> dict[str, np.ndarray]:
        stacks = {"input": [grey(fine[i], size) for i in chosen]}
        if len(explanation):
            smaller = size > under_map
            behind = [grey(fine[i], under_map) for i in chosen] if smaller else stacks["input"]
            stacks |= {
                name: [
                    overlay(picture, values[i], scales[name])
                    for i, picture in zip(chosen, behind, strict=True)
                ]
                for name, values in maps.items()
            }
        if several:
            texts = [f"slice {i}" if study.blank[i] else f"slice {i}, f {score[i]:.2f}" for i in chosen]
            stacks = {
                name: [labelled(picture, text) for picture, text in zip(stack, texts, strict=True)]
                for name, stack in stacks.items()
            }
        return {name: montage(stack) for name, stack in stacks.items()}

    if not several:
        return layers([0], large)
    shown = np.flatnonzero(~study.blank) if len(explanation) else np.arange(len(study.images))
    spread = np.rint(np.linspace(0, len(shown) - 1, min(OVERVIEW_SLICES, len(shown)))).astype(int)
    sheets = layers(shown[spread].tolist(), picture_size(shape, TILE, TILE))
    if len(explanation):
        largest = int(next(iter(maps.values())).sum(axis=(1, 2, 3)).argmax())
        sheets |= {f"{name}_slice_{largest:03d}": p for name, p in layers([largest], large).items()}
    return sheets
