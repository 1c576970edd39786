"""The page in a frame of a notebook's output."""

from __future__ import annotations

import dataclasses
import html

from tfadvpath.viewer.page import page
from tfadvpath.viewer.scene import Scene

# Values of images and maps in one output, about 8 MB of text at most: a notebook holds all of its outputs.
_MOST_VALUES = 2**22


def frame(scene: Scene) -> str:
    """Returns HTML with the page in a frame that reaches nothing of the notebook and no network.

    Args:
        scene: Scene without blank slices; of many images the first are shown, and a remark says so.
    """
    rows, columns = scene.size
    each = rows * columns * (len(scene.images) + len(scene.maps))
    most = max(1, _MOST_VALUES // each)
    if len(scene) > most:
        remark = f"The first {most} of {len(scene)} {scene.noun}s are shown."
        scene = dataclasses.replace(scene.first(most), remarks=[*scene.remarks, remark])
    # allow-downloads: pictures are saved. Without allow-same-origin the page is a stranger to the notebook.
    return (
        f'<iframe title="{html.escape(scene.title)}" sandbox="allow-scripts allow-downloads" '
        'style="width: 100%; height: 48rem; border: 1px solid #888" '
        f'srcdoc="{html.escape(page(scene))}"></iframe>'
    )
