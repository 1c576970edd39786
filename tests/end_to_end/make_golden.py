"""Golden results of bundles/phantom_brain, by the command line: maps, measurements, an export's answers.

The golden file was written by this script at revision 62b59e2, before the package was rebuilt in rooms:

    python tests/end_to_end/make_golden.py --write tests/end_to_end/golden/revision_62b59e2.npz

``--check`` computes the same at the present revision and compares. Another processor, or another number of
threads, rounds otherwise; where that opens or closes a ReLU at a point of the path, its gradient jumps.

Since then lengths are in proportion to the image. So the maps are smoothed here by the kernel of that
revision, which is given in pixels. The evaluation has no option for the blur of 5 pixels and the squares of 8
pixels with which it replaced pixels then: figures that depend on replaced pixels are not compared. Rows of
measurements that the evaluation has gained since are not in the golden file, and are passed over.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

BUNDLE = Path(__file__).parents[2] / "bundles" / "phantom_brain"
SLICES = (12, 20)  # of the volume of 42 slices; both have tumour
KERNEL = ("--sigma", "2", "--kernel-size", "28")  # in pixels
OF_REPLACED_PIXELS = ("relevance", "aopc", "flip_rate")
MAPS = ("difference", "fi_v1", "fi_v2", "fi_v2_smooth")
# Of a map's largest value, and of a number between 0 and 1.
MAP_TOLERANCE, NUMBER_TOLERANCE = 1e-2, 2e-3


def tfadvpath(*words: str | Path) -> None:
    command = [sys.executable, "-m", "tfadvpath", *map(str, words)]
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=quiet)


def explained(folder: Path) -> dict[str, np.ndarray]:
    """Maps, ends of the path and scores of two slices of a generated brain."""
    tfadvpath("prepare", "phantom-brain", "--patients", "1", "--size", "64", "--out", folder / "phantoms")
    volume = folder / "phantoms" / "imagesTr"
    options = ["--bundle", BUNDLE, "--format", "npz", *KERNEL]
    tfadvpath("explain", volume, "--out", folder / "explained", *options)
    with np.load(next((folder / "explained").rglob("explanation.npz"))) as arrays:
        names = (*MAPS, "start", "adversary", "score", "score_start", "score_adversary")
        return {f"explain/{name}": arrays[name][list(SLICES)] for name in names}


def evaluated(folder: Path) -> dict[str, np.ndarray]:
    """The numbers that the evaluation of the gradient gives, with their intervals."""
    options = ["--images", "16", "--steps", "28", "--subset", "0", "--perturbation", "blur"]
    options.append("--no-segmentation")
    out = folder / "evaluation"
    tfadvpath("evaluate", BUNDLE, "--out", out, "--methods", "gradient", *options)
    (table,) = [path for path in out.glob("*.csv") if path.stem in ("figures", "measurements")]
    with table.open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    names = np.array([" ".join(row[:4]) for row in rows])
    numbers = np.array([[float(cell or "nan") for cell in row[4:]] for row in rows])
    return {"evaluate/names": names, "evaluate/numbers": numbers}


def exported(folder: Path) -> dict[str, np.ndarray]:
    """What an exported version answers to the first of its recorded images."""
    import tensorflow as tf
    from tensorflow.core.protobuf import named_tensor_pb2

    tfadvpath("export", BUNDLE, "--out", folder / "models", "--sizes", "1", "--steps", "10", *KERNEL)
    version = folder / "models" / "phantom_brain" / "1"
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "cases.tfrecord"))
    tensors = [named_tensor_pb2.NamedTensorProto.FromString(record.numpy()) for record in records]
    (images,) = [tf.make_ndarray(t.tensor) for t in tensors if t.name == "serving_default/inputs/images"]
    explain = tf.saved_model.load(str(version)).signatures["serving_default"]
    answers = {name: values.numpy() for name, values in explain(images=tf.constant(images)).items()}
    answers["flipped"] = answers["flipped"].astype(np.float32)
    return {"export/images": images, **{f"export/{name}": values for name, values in answers.items()}}


def computed() -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        return {**explained(Path(folder)), **evaluated(Path(folder)), **exported(Path(folder))}


def differences(golden: dict[str, np.ndarray], found: dict[str, np.ndarray]) -> list[str]:
    """A line for each array that is not as the golden one, and for each that is missing or new."""
    golden, found = _comparable(golden, golden), _comparable(found, golden)
    lines = [f"{name}: only in one of both" for name in sorted(golden.keys() ^ found.keys())]
    for name in sorted(golden.keys() & found.keys()):
        one, other = golden[name], found[name]
        if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
            lines.append(f"{name}: {other.dtype} {other.shape}, not {one.dtype} {one.shape}")
        elif one.dtype.kind == "U":
            lines += [f"{name}: {b!r}, not {a!r}" for a, b in zip(one, other, strict=True) if a != b]
        elif not np.array_equal(np.isnan(one), np.isnan(other)):
            lines.append(f"{name}: other numbers are missing")
        else:
            picture = one.ndim == 4
            scale = np.abs(one).max(axis=(1, 2, 3), keepdims=True) if picture else 1.0
            apart = float(np.nanmax(np.abs(other - one) / scale))
            allowed = MAP_TOLERANCE if picture else NUMBER_TOLERANCE
            if apart > allowed:
                lines.append(f"{name}: {apart:.2g} apart, where {allowed:g} is allowed")
    return lines


def _comparable(arrays: dict[str, np.ndarray], golden: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Arrays with the rows of the golden evaluation alone that do not depend on replaced pixels."""
    names = arrays["evaluate/names"]
    kept = [
        i
        for i, name in enumerate(names)
        if name in golden["evaluate/names"] and not set(name.split()) & set(OF_REPLACED_PIXELS)
    ]
    return arrays | {"evaluate/names": names[kept], "evaluate/numbers": arrays["evaluate/numbers"][kept]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--write", type=Path, metavar="NPZ")
    which.add_argument("--check", type=Path, metavar="NPZ")
    arguments = parser.parse_args()
    found = computed()
    if arguments.write:
        np.savez_compressed(arguments.write, **found)
        return
    with np.load(arguments.check) as file:
        lines = differences(dict(file), found)
    if lines:
        raise SystemExit("\n".join(lines))
    print(f"{len(found)} arrays are as in {arguments.check}")


if __name__ == "__main__":
    main()
