"""Draws test images of a bundle of patients: the best, the median and the worst by IoU, and a miss.

    python docs/patient_pictures.py --data PREPARED [--bundle bundles/nih_cxr]
    python docs/patient_pictures.py --bundle bundles/phantom_brain

PREPARED is what `tfadvpath prepare image-folder` wrote, see training/nih_cxr.yaml and training/lgg.yaml.
Phantoms need none. The pictures are docs/images/NAME_*.png by the recipe's name. SyCE's of the X-rays is also
what the demonstration shows of real ones, with the figures of its networks. Best, median and worst are among
the images that were found and whose pair may be read; by the rule, nobody chose them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from reading_examples import IMAGES, MAP, draw

import tfadvpath as tap
from tfadvpath.demo.chest_x_rays import write_chest_x_rays
from tfadvpath.metrics import iou

DEMONSTRATED = "nih_cxr"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/nih_cxr"))
    given = parser.parse_args()
    bundle = tap.load_bundle(given.bundle)
    data = bundle.recipe.data
    if given.data is not None:
        data = data.model_copy(update={"path": given.data})
    part = data.load("test", bundle.recipe.seed)
    name, percentile = bundle.recipe.name, data.percentiles[0]
    diseased = np.flatnonzero(part.masks.any(axis=(1, 2)))
    images, masks = np.asarray(part.images[diseased]), np.asarray(part.masks[diseased])
    for method in ("cyce", "syce"):
        if method not in bundle.generators:
            continue
        explanation = tap.explainers.get(method, bundle).explain(images)
        hits = iou(explanation.maps[MAP], masks, percentile)
        read = np.flatnonzero(explanation.decision & explanation.crossed & explanation.kept)
        order = read[np.argsort(-hits[read], kind="stable")]
        shown = order[[0, len(order) // 2, -1]]
        print(f"{method}: {len(read)} of {len(images)} may be read; IoU {hits[shown].round(2)}")
        draw(f"{name}_{method}.png", [(explanation, int(at), masks[at]) for at in shown])
        missed = np.flatnonzero(~explanation.decision & explanation.crossed)
        if len(missed):
            at = int(missed[np.argmin(explanation.score[missed])])
            draw(f"{name}_{method}_missed.png", [(explanation, at, masks[at])])
    if name == DEMONSTRATED:
        drawn = cv2.imread(str(IMAGES / f"{name}_syce.png"))
        _, content = cv2.imencode(".jpg", drawn, [cv2.IMWRITE_JPEG_QUALITY, 85])
        write_chest_x_rays(content.tobytes(), bundle.figures["test"])


if __name__ == "__main__":
    main()
