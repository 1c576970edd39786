"""Fits of tiny networks, whose training is as short as can be."""

import json
import os
import signal
import sys
from pathlib import Path

import cv2
import numpy as np

# As a script this file has no other way to `support`.
sys.path.insert(0, str(Path(__file__).parent.parent))

from support.own_classifiers import classifier, images
from tfadvpath.fitting import fit as fit_module
from tfadvpath.fitting import plan

FAST = plan.Speed(0.01, 0.1)
TINY = {"GPU": (4, 8), "CPU": (4, 8)}


def make_tiny(patch=setattr, speed=FAST):
    """Lets ``fit`` train tiny networks; of a ``speed`` that it need not measure, where one is given."""
    patch(plan, "_WIDTHS", TINY)
    patch(plan, "_EPOCH_STEPS", 3)
    if speed is not None:
        patch(fit_module, "measured_speed", lambda *_: speed)


def write_pictures(folder, values):
    """Writes images of different patients as PNG files, and a table with two of them for each patient."""
    (folder / "pictures").mkdir()
    rows = ["file,patient,label"]
    for i, image in enumerate(values):
        pixels = np.rint(image[..., 0] * 255).astype(np.uint8)
        cv2.imwrite(str(folder / "pictures" / f"{i:03d}.png"), pixels)
        rows.append(f"{i:03d}.png,patient{i // 2},{int(image.mean() >= 0.5)}")
    (folder / "patients.csv").write_text("\n".join(rows) + "\n")


def spots(count=80, seed=0):
    """Images that keep the whole range, as files do, half of them dark and half bright by most pixels."""
    values = images(count, seed)
    values[:, :4, :4], values[:, 4:8, :4] = 0.0, 1.0
    return values


def main(out, killed):
    """Fits by SAGen into a folder, and dies without a word after the first epoch where asked to."""
    make_tiny()

    def listen(event):
        if killed == "killed" and event.logs is not None:
            os.kill(os.getpid(), signal.SIGKILL)

    fitted = fit_module.fit(
        classifier(),
        images(80),
        out,
        minutes=1.0,
        method="sagen",
        resume=killed != "killed",
        listener=listen,
        say=None,
    )
    print(json.dumps(fitted.report.as_json()))


if __name__ == "__main__":
    main(*sys.argv[1:])
