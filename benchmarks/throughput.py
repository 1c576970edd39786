"""Images a second from files to files, against the compute alone, and peak memory by number of files.

    python benchmarks/throughput.py [--sizes 64,224] [--files 240] [--steps 50] [--repeats 3]
    python benchmarks/throughput.py --memory-files 200,2000

"Compute alone" is one loop over the same images, read before, by the same explainer in the same batches.
"Files" is `tfadvpath.explain_studies` with that explainer, whose graph is traced before. All else of a run is
in its time, such as the start of its processes and the table at its end. Both alternate; the ratio is that of
neighbours. At 64 pixels the networks are those of bundles/phantom_brain, at other sizes ResNet50V2 and U-Nets
of the usual width with random weights. PNG files are 320 pixels wide, DICOM files 512, NIfTI volumes
128x128x20. Memory is the largest sum over the process and its children, shared pages counted once, each
number of files in a fresh process with two steps of the path.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import results
from reader_process import radiograph, write_dicom, write_nifti

import tfadvpath as tap
from bundles import PHANTOM_BRAIN
from tfadvpath.batch.run import get_explainer
from tfadvpath.bundle.bundle import save_bundle
from tfadvpath.models.unet import UNet

FORMATS = {"npz": ["npz"], "npz and png": ["npz", "png"], "the usual ones": None}
SLICES = 20


def write_png(path: Path, seed: int) -> None:
    cv2.imwrite(str(path), (radiograph(320, seed) // 16).astype(np.uint8))


def write_dicom_512(path: Path, seed: int) -> None:
    write_dicom(path, seed, 512)


KINDS = {"PNG": (".png", write_png), "DICOM": (".dcm", write_dicom_512), "NIfTI": (".nii.gz", write_nifti)}


def bundle_of(size: int, folder: Path) -> tap.Bundle:
    demonstration = tap.load_bundle(PHANTOM_BRAIN)
    if size == demonstration.image_size[0]:
        return demonstration
    shape = (size, size, 1)
    unets = {f"generator_{k}": UNet(shape, [16, 32, 64, 128, 256], dropout=0.0) for k in (0, 1)}
    data = demonstration.recipe.data.model_copy(update={"image_size": size})
    recipe = demonstration.recipe.model_copy(update={"data": data})
    save_bundle(
        folder,
        tap.models.resnet50_classifier(shape, weights=None),
        {"syce": unets},
        recipe,
        {"validation": {}},
    )
    return tap.load_bundle(folder)


def write_files(folder: Path, kind: str, count: int) -> None:
    ending, write = KINDS[kind]
    folder.mkdir()
    for number in range(count):
        write(folder / f"{number:05d}{ending}", 100 * number)


def measure_speed(given: argparse.Namespace, place: Path) -> dict:
    measured = {}
    for size in given.sizes:
        bundle = bundle_of(size, place / f"bundle_{size}")
        explainer = get_explainer(bundle, "syce", steps=given.steps, batch_size=given.batch_size)
        for kind in given.kinds:
            folder = place / f"{kind}_{size}"
            files = given.files // SLICES if kind == "NIfTI" else given.files
            write_files(folder, kind, files)
            studies = [tap.read_study(path, bundle.image_size) for path in sorted(folder.iterdir())]
            images = np.concatenate([study.images[~study.blank] for study in studies])
            explainer.explain(images[: given.batch_size])
            for name in given.formats:
                options = tap.ExplainOptions(
                    formats=FORMATS[name],
                    steps=given.steps,
                    batch_size=given.batch_size,
                    workers=given.workers,
                )
                alone, from_files = [], []
                for repeat in range(given.repeats):
                    begin = time.perf_counter()
                    explainer.explain(images)
                    alone.append(len(images) / (time.perf_counter() - begin))
                    out = place / f"out_{len(measured)}_{repeat}"
                    with (
                        mock.patch("tfadvpath.batch.run.get_explainer", return_value=explainer),
                        # TensorFlow forgets what it made of a graph where a seed is set.
                        mock.patch("keras.utils.set_random_seed"),
                    ):
                        begin = time.perf_counter()
                        summary = tap.explain_studies(bundle, folder, out, options)
                        from_files.append(len(images) / (time.perf_counter() - begin))
                    assert len(summary.studies) == files
                ratios = [there / here for here, there in zip(alone, from_files, strict=True)]
                measured[f"{size} pixels, {kind}, {name}"] = {
                    "files": files,
                    "images": len(images),
                    "images_a_second_alone": alone,
                    "images_a_second_from_files": from_files,
                    "ratio": statistics.median(ratios),
                    "ratios": ratios,
                }
                print(
                    f"{size} pixels, {kind}, {name}: {statistics.median(alone):.2f} images a second alone, "
                    f"{statistics.median(from_files):.2f} from files, ratio {statistics.median(ratios):.3f} "
                    f"[{min(ratios):.3f}, {max(ratios):.3f}]",
                    flush=True,
                )
    return measured


def measure_memory(files: int) -> None:
    """Prints the peak of this process and its children in MiB, after it has explained so many files."""
    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.2):
            peak[0] = max(peak[0], memory_of(os.getpid()))

    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        write_files(place / "in", "PNG", files)
        thread = threading.Thread(target=watch)
        thread.start()
        options = tap.ExplainOptions(formats=["npz", "png"], steps=2)
        tap.explain_studies(PHANTOM_BRAIN, place / "in", place / "out", options)
        ended.set()
        thread.join()
    print(peak[0])


def memory_of(pid: int) -> float:
    """Returns the MiB of a process and of all that it started; a page of several is shared among them."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        children = [
            child
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:  # it has ended
        return 0.0
    own = next(int(line.split()[1]) / 1024 for line in rollup.splitlines() if line.startswith("Pss:"))
    return own + sum(memory_of(int(child)) for child in children)


def names(text: str) -> list[str]:
    return text.split(",")


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=numbers, default=[64, 224])
    parser.add_argument("--kinds", type=names, default=list(KINDS))
    parser.add_argument("--formats", type=names, default=list(FORMATS))
    parser.add_argument("--files", type=int, default=240, help="images of each kind")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, help="see tfadvpath explain --workers")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory-files", type=numbers, default=[], help="measure memory instead")
    parser.add_argument("--one-memory", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one_memory:
        measure_memory(given.one_memory)
        return
    path = Path(__file__).parent / "results" / "throughput.json"
    figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    figures.pop("machine", None)
    if given.memory_files:
        peaks: dict[str, list[int]] = {str(files): [] for files in given.memory_files}
        for _ in range(given.repeats):
            for files in peaks:
                command = [sys.executable, __file__, "--one-memory", files]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                peaks[files].append(round(float(done.stdout.splitlines()[-1])))
        figures["peak_mib"] = peaks
    else:
        with tempfile.TemporaryDirectory() as temporary:
            figures |= measure_speed(given, Path(temporary))
    results.write("throughput", figures)


if __name__ == "__main__":
    main()
