"""What reading files in a process of its own costs, against reading them where they are explained.

    python benchmarks/reader_process.py [--files 60] [--repeats 5] [--folder DIR]

Two figures for each kind of file. "read": the files are read one after the other and nothing else is done;
the ratio is the price of the way through a pipe. "explain": the files are read and explained by
bundles/phantom_brain's CyCE with 8 points of the path, as `tfadvpath explain` does without writing; the ratio
is what a user sees, where the process reads ahead while the device computes. Both ways alternate; the process
is started and everything compiled before anything is timed. --folder takes files of your own in place of
generated ones.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
import results
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from bundles import PHANTOM_BRAIN
from tfadvpath import explainers
from tfadvpath.batch.explain import explained
from tfadvpath.batch.plan import Task
from tfadvpath.batch.reading import read_studies
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.studies.reader_process import ReaderProcess


def radiograph(size: int, seed: int) -> np.ndarray:
    """Smooth structures with a detector's noise, uint16 [size, size]: it compresses as a radiograph does."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.random((16, 16)).astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
    return np.clip(2000 * coarse + rng.normal(0, 15, (size, size)) + 500, 0, 4095).astype(np.uint16)


def write_png(path: Path, seed: int) -> None:
    cv2.imwrite(str(path), radiograph(512, seed) * 16)


def write_dicom(path: Path, seed: int, size: int = 1024) -> None:
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Modality, dataset.SamplesPerPixel, dataset.PhotometricInterpretation = "DX", 1, "MONOCHROME2"
    dataset.Rows = dataset.Columns = size
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.PixelData = radiograph(size, seed).tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.save_as(path, enforce_file_format=True)


def write_nifti(path: Path, seed: int) -> None:
    slices = np.stack([radiograph(128, seed + i) for i in range(20)], axis=2).astype(np.int16)
    path.write_bytes(gzip.compress(nib.Nifti1Image(slices, np.eye(4)).to_bytes(), 6))


KINDS = {
    "PNG 512, 16 bits": (".png", write_png),
    "DICOM 1024": (".dcm", write_dicom),
    "NIfTI 128x128x20": (".nii.gz", write_nifti),
}


def seconds(consume, tasks, size, reader) -> float:
    start = time.perf_counter()
    for _ in consume(read_studies(tasks, size, None, Path("nowhere"), reader=reader)):
        pass
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="files of your own")
    given = parser.parse_args()
    bundle = load_bundle(PHANTOM_BRAIN)
    explainer = explainers.get("cyce", bundle, steps=8)
    measured = {}
    with tempfile.TemporaryDirectory() as temporary, ReaderProcess() as reader:
        sets = {}
        if given.folder:
            sets[given.folder.name] = sorted(path for path in given.folder.iterdir() if path.is_file())[
                : given.files
            ]
        else:
            for kind, (ending, write) in KINDS.items():
                count = max(1, given.files // 20) if ending == ".nii.gz" else given.files
                sets[kind] = [Path(temporary, f"{len(sets)}_{i}{ending}") for i in range(count)]
                for i, path in enumerate(sets[kind]):
                    write(path, 100 * i)
        for kind, paths in sets.items():
            tasks = [Task((path,), Path(path.name)) for path in paths]
            for what, consume in (("read", iter), ("explain", lambda studies: explained(explainer, studies))):
                times = {"here": [], "process": []}
                for repeat in range(given.repeats + 1):
                    for way in ("here", "process"):
                        taken = seconds(
                            consume, tasks, bundle.image_size, reader if way == "process" else None
                        )
                        if repeat:  # the first round compiles and fills the disk's cache
                            times[way].append(taken)
                ratios = [there / here for here, there in zip(times["here"], times["process"], strict=True)]
                measured[f"{kind}, {what}"] = {
                    "files": len(paths),
                    "seconds_here": times["here"],
                    "seconds_process": times["process"],
                    "ratio": statistics.median(ratios),
                    "ratios": ratios,
                }
                print(
                    f"{kind}, {what}: {statistics.median(times['here']):.2f} s here, "
                    f"{statistics.median(times['process']):.2f} s by the process, "
                    f"ratio {statistics.median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"
                )
    results.write("reader_process", measured)


if __name__ == "__main__":
    main()
