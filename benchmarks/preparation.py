"""Seconds and peak memory of `tfadvpath prepare`, by the number of files.

    python benchmarks/preparation.py [--files 200,2000] [--repeats 3]

The files are PNG images of 320 pixels with a table; they are stored with 64 pixels. Each number of files is
prepared by a fresh process, start and imports included. Memory is the largest sum over the process and its
children, shared pages counted once.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import results
from throughput import memory_of, numbers, write_files

SIZE = 64
PATIENTS = 20


def write_source(folder: Path, files: int) -> None:
    """Writes images of patients, every other one of class 1, and the table that lists them."""
    folder.mkdir()
    write_files(folder / "images", "PNG", files)
    with (folder / "table.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["file", "patient", "label"])
        for number, path in enumerate(sorted((folder / "images").iterdir())):
            writer.writerow([path.name, number % PATIENTS, number % 2])


def prepare(source: Path, out: Path) -> tuple[float, float]:
    """Returns the seconds of a preparation, and the MiB of its processes at their peak."""
    command = [sys.executable, "-m", "tfadvpath", "prepare", "image-folder", "--size", str(SIZE)]
    begin = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--source", source, "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        time.sleep(0.2)
    assert process.returncode == 0
    return time.perf_counter() - begin, peak


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=numbers, default=[200, 2000])
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {str(files): [] for files in given.files}
    peaks: dict[str, list[float]] = {str(files): [] for files in given.files}
    with tempfile.TemporaryDirectory() as temporary:
        for files in given.files:
            write_source(Path(temporary, f"source_{files}"), files)
        for repeat in range(given.repeats):
            for files in given.files:
                out = Path(temporary, f"out_{files}_{repeat}")
                taken, peak = prepare(Path(temporary, f"source_{files}"), out)
                seconds[str(files)].append(round(taken, 2))
                peaks[str(files)].append(round(peak))
    print("| files | seconds | MiB |\n|---|---|---|")
    for files in seconds:
        spreads = (
            f"{statistics.median(values):g} [{min(values):g}, {max(values):g}]"
            for values in (seconds[files], peaks[files])
        )
        print(f"| {files} | {' | '.join(spreads)} |")
    results.write("preparation", {"size": SIZE, "seconds": seconds, "peak_mib": peaks})


if __name__ == "__main__":
    main()
