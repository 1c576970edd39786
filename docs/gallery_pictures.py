"""Draws the pictures of docs/gallery.md into docs/images.

    python docs/gallery_pictures.py --data PREPARED [--bundle bundles/nih_cxr] [--page]

PREPARED is what `tfadvpath prepare image-folder` wrote, see training/nih_cxr.yaml. The X-ray is the one with
the median IoU of SyCE's map among those that were found and whose pair may be read, the slice that of the
shipped networks by the same rule: nobody chose them. --page photographs the page of both in Chromium, which
has to be installed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
from reading_examples import IMAGES, MAP

import tfadvpath as tap
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices
from tfadvpath.metrics import iou

mpl.use("Agg")
import matplotlib.pyplot as plt

NAMES = {"syce": "SyCE", "cyce": "CyCE"}
# Methods that need nothing but the classifier, each with its name in the picture.
OTHERS = {
    "gradient": "gradient",
    "integrated_gradients": "integrated gradients",
    "grad_cam": "GradCAM",
    "mask_perturbation": "mask perturbation",
}
OF_THE_PATH = {
    "difference": "difference",
    "fi_v1": "v1",
    "fi_v2": "v2",
    "fi_v2_smooth": "v2 smooth",
}


def median(bundle: Bundle, images: np.ndarray, masks: np.ndarray, percentile: float) -> int:
    """Returns the place of the image with the median IoU of SyCE's map, of those that may be read."""
    explanation = tap.explain(bundle, images, method="syce")
    hits = iou(explanation.maps[MAP], masks, percentile)
    read = np.flatnonzero(explanation.decision & explanation.crossed & explanation.kept)
    order = read[np.argsort(-hits[read], kind="stable")]
    return int(order[len(order) // 2])


def draw_methods(file: str, bundle: Bundle, image: np.ndarray, mask: np.ndarray) -> None:
    """Draws the maps of an image, float32 [1, H, W, 1], by each method: a row for each generator."""
    pairs = {name: tap.explain(bundle, image, method=name) for name in NAMES}
    figure, axes = plt.subplots(3, 7, figsize=(14, 6.4))
    for row, (name, pair) in zip(axes, pairs.items(), strict=False):
        pictures = {
            f"x, f = {pair.score[0]:.2f}": pair.images,
            f"start, f = {pair.score_start[0]:.2f}": pair.start,
            f"adversary, f = {pair.score_adversary[0]:.2f}": pair.adversary,
        }
        for axis, (title, picture) in zip(row, pictures.items(), strict=False):
            axis.imshow(picture[0, ..., 0], cmap="gray", vmin=0, vmax=1)
            axis.set_title(title, fontsize=9)
        for axis, (map_name, title) in zip(row[3:], OF_THE_PATH.items(), strict=True):
            axis.imshow(pair.maps[map_name][0, ..., 0], cmap="inferno")
            axis.set_title(f"{NAMES[name]}: {title}", fontsize=9)
    for axis, (name, title) in zip(axes[2], OTHERS.items(), strict=False):
        (values,) = tap.explain(bundle, image, method=name).maps.values()
        axis.imshow(values[0, ..., 0], cmap="inferno")
        axis.set_title(title, fontsize=9)
    for axis in axes.flat:
        if axis.images and mask.any():
            axis.contour(mask, levels=[0.5], colors="cyan", linewidths=0.8)
        axis.axis("off")
    figure.tight_layout()
    figure.savefig(IMAGES / file, dpi=80)
    plt.close(figure)
    print(file)


def photograph(file: str, page: str, folder: Path, *, width: int, dark: bool) -> None:
    """Photographs a page of the viewer in Chromium, as wide as a window and as high as it is."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from support.browser import Browser

    source = folder / "page.html"
    source.write_text(page, encoding="utf-8")
    with Browser() as browser:
        browser.screen(width, 900, dark)
        browser.open(source)
        browser.until("document.querySelector('figure canvas')?.dataset.slice !== undefined")
        browser.settle()
        browser.screenshot(IMAGES / file)
    print(file)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/nih_cxr"))
    parser.add_argument("--page", action="store_true")
    given = parser.parse_args()

    chest = tap.load_bundle(given.bundle)
    part = chest.recipe.data.model_copy(update={"path": given.data}).load("test", chest.recipe.seed)
    boxed = np.flatnonzero(part.masks.any(axis=(1, 2)))
    xrays, boxes = np.asarray(part.images[boxed]), np.asarray(part.masks[boxed])
    at = median(chest, xrays, boxes, 90)
    xray, box = xrays[[at]], boxes[at]
    draw_methods("gallery_x_ray.png", chest, xray, box)

    brain = tap.load_bundle(tap.DEMONSTRATION)
    data = brain.recipe.data
    slices = phantom_brain_slices(
        range(700_000, 700_010), data.image_size, data.channel, data.min_tumour_pixels, 0.1
    )
    diseased = slices.labels == 1
    images, tumours = slices.images[diseased], slices.masks[diseased]
    at = median(brain, images, tumours, 98)
    draw_methods("gallery_brain.png", brain, images[[at]], tumours[at])

    explanation = tap.explain(chest, xray, method="syce")
    explanation.animate(path=IMAGES / "gallery_path.gif", frames=8)
    if given.page:
        with tempfile.TemporaryDirectory() as folder:
            page = explanation.page({"box": box[np.newaxis]})
            photograph("gallery_page.png", page, Path(folder), width=1280, dark=False)
            photograph("gallery_page_dark.png", page, Path(folder), width=400, dark=True)


if __name__ == "__main__":
    main()
