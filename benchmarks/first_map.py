"""How many seconds pass from a file dropped on the page of `tfadvpath view` to its map in the browser?

    PYTHONPATH=tests python benchmarks/first_map.py [--bundle DIR] [--files 8]

Needs Chromium and the extra "viewer". The page is served by another process, as the command does it. PNG
files of generated slices with a tumour are dropped one after the other, each on a page that was loaded anew;
the clock runs until the frame shows the first map. "ready" is from the start of that process to its address.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import results
from support.browser import Browser

import tfadvpath as tap
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices

PATIENCE = 300  # seconds
PICTURE = "document.querySelector('figure canvas')?.dataset.slice !== undefined"


def write_pictures(folder: Path, count: int, size: int) -> list[Path]:
    slices = phantom_brain_slices(range(900_000, 900_002), size, min_tumour_pixels=40)
    diseased = slices.images[slices.labels == 1]
    files = []
    for number, at in enumerate(np.linspace(0, len(diseased) - 1, count).astype(int)):
        files.append(folder / f"slice_{number}.png")
        cv2.imwrite(str(files[-1]), np.round(255 * diseased[at, ..., 0]).astype(np.uint8))
    return files


def seconds_to_map(browser: Browser, address: str, file: Path) -> float:
    browser.open(address)
    browser.until("document.querySelector('#again')", PATIENCE)
    browser.settle()
    field = browser.send("Runtime.evaluate", expression="document.querySelector('#study input[type=file]')")
    began = time.perf_counter()
    browser.send("DOM.setFileInputFiles", files=[str(file)], objectId=field["result"]["objectId"])
    browser.until("document.querySelector('#frame iframe')", PATIENCE)
    browser.frame("#frame iframe").until(PICTURE, PATIENCE)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, default=tap.DEMONSTRATION)
    parser.add_argument("--files", type=int, default=8)
    given = parser.parse_args()
    size = tap.load_recipe(given.bundle / "recipe.yaml").data.image_size
    command = [sys.executable, "-m", "tfadvpath", "view", "--bundle", str(given.bundle), "--port", "0"]
    with tempfile.TemporaryDirectory() as folder:
        files = write_pictures(Path(folder), given.files, size)
        began = time.perf_counter()
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert server.stdout is not None
            address = next(line for line in server.stdout if "http://" in line).split()[1]
            ready = time.perf_counter() - began
            with Browser() as browser:
                seconds = [seconds_to_map(browser, address, file) for file in files]
        finally:
            server.terminate()
            server.wait()
    results.write(
        "first_map",
        {
            "bundle": tap.load_recipe(given.bundle / "recipe.yaml").name,
            "size": size,
            "ready": ready,
            "first": seconds[0],
            "median": statistics.median(seconds),
            "longest": max(seconds),
            "seconds": seconds,
        },
    )


if __name__ == "__main__":
    main()
