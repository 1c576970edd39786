"""Writes small files that ask for much memory or time, and measures what each takes in a process of its own.

    python tests/fuzz/hostile_files.py                 all of them, as a table in Markdown
    python tests/fuzz/hostile_files.py --only jpeg     those whose names hold "jpeg"
    python tests/fuzz/hostile_files.py --keep FOLDER   writes them there and measures nothing

Exit code 1 if one of them takes more than 1.5 GB of memory in all, or more than 20 seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

MEMORY = 1.5e9
SECONDS = 20.0
_LARGEST = 10_000_000
# No reader may come near it; it keeps the machine up.
_ADDRESS_SPACE = 12 * 2**30
_GIVE_UP = 120.0


def _lists(text: str) -> bytes:
    return b"name: x\ndata: " + text.encode()


def _alias_bomb(depth: int) -> bytes:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 9)}]" for k in range(1, depth)]
    return "\n".join(lines).encode()


TEXTS: dict[str, Callable[[], bytes]] = {
    "alias_bomb.yaml": lambda: _alias_bomb(12),
    "alias_of_itself.yaml": lambda: _lists("&a [*a]"),
    "nested_5000_lists.yaml": lambda: _lists("[" * 5000 + "]" * 5000),
    "nested_4000000_lists.yaml": lambda: _lists("[" * 4_000_000),
    "keys_500000.yaml": lambda: b"".join(f"k{k}: 1\n".encode() for k in range(500_000)),
    "text_9MB.yaml": lambda: _lists("x" * 9_000_000),
    "field_9MB.csv": lambda: b"file,patient,label\n" + b"x" * 9_000_000 + b",p,1\n",
    "columns_4000000.csv": lambda: b"file,patient,label" + b",x" * 4_000_000 + b"\n",
    "rows_2000000.csv": lambda: b"file,patient,label\n" + b"a,,0\n" * 1_900_000,
    "quote_open_9MB.csv": lambda: b'file,patient,label\n"' + b"x\n" * 4_500_000,
    "nested_4000000_lists.json": lambda: b"[" * 4_000_000,
    "number_of_9000000_digits.json": lambda: b'{"train_indexes": [["a", ' + b"9" * 9_000_000 + b"]]}",
    "images_600000.json": lambda: json.dumps(
        {"train_indexes": [["a", 1]] * 600_000, "val_indexes": [], "test_indexes": []}
    ).encode(),
}


def makers() -> dict[str, Callable[[], bytes]]:
    """Returns a function for each file, by its name."""
    from fuzz.hostile_dicom import DICOM
    from fuzz.hostile_pictures import PICTURES
    from fuzz.hostile_volumes import VOLUMES

    return {**DICOM, **VOLUMES, **PICTURES, **TEXTS}


def write(name: str, folder: Path) -> Path:
    """Writes one of the files."""
    content = makers()[name]()
    if len(content) > _LARGEST:
        raise ValueError(f"{name} has {len(content):,} bytes, and is to have {_LARGEST:,} at most")
    path = folder / name
    path.write_bytes(content)
    return path


def read(path: Path) -> str:
    """Reads a file as its kind is read, and returns the answer in one line."""
    from tfadvpath.errors import InputError

    try:
        if path.suffix == ".yaml":
            from tfadvpath.recipes.recipe import load_recipe

            load_recipe(path)
        elif path.suffix == ".csv":
            from tfadvpath.datasets.csv_tables import read_table

            count = sum(1 for _ in read_table(path, ("file", "patient", "label")))
            return f"read: {count:,} rows"
        elif path.suffix == ".json":
            from tfadvpath.datasets.splits import split_by_list

            split_by_list(path, [])
        else:
            from tfadvpath.studies.study import read_study

            study = read_study(path)
            blank = ", blank" if study.blank.all() else ""
            return f"read: {' x '.join(map(str, study.images.shape[:3]))}{blank}"
    except InputError as error:
        return str(error).replace(str(path), "").lstrip(":, ")
    return "read"


def measure(path: Path) -> dict[str, object]:
    """Reads a file in a new process; returns its peak memory in all, its seconds, and its answer."""
    command = [sys.executable, __file__, "--read", str(path)]
    began = time.monotonic()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GIVE_UP)
    except subprocess.TimeoutExpired:
        return {"memory": 0, "seconds": time.monotonic() - began, "answer": "NO ANSWER"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        return {"memory": 0, "seconds": time.monotonic() - began, "answer": f"DIES: {done.returncode} {last}"}
    return json.loads(done.stdout.splitlines()[-1])


def _read_and_tell(path: Path) -> None:
    from tfadvpath.studies.registry import readers

    for module in ("datasets.csv_tables", "datasets.splits", "recipes.recipe"):
        importlib.import_module(f"tfadvpath.{module}")

    readers()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, resource.RLIM_INFINITY))
    began = time.monotonic()
    try:
        answer = read(path)
    except Exception as error:
        answer = f"RAISES {type(error).__name__}"
    seconds = time.monotonic() - began
    # Not ru_maxrss, which begins with the size of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    print(json.dumps({"memory": peak, "seconds": seconds, "answer": answer}))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--keep", type=Path, metavar="FOLDER")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.read:
        _read_and_tell(options.read)
        return 0
    chosen = [name for name in makers() if options.only in name]
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for name in chosen:
            write(name, options.keep)
        return 0
    beyond = []
    print("| file | bytes | MB of memory in all | seconds | answer |")
    print("|---|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen:
            path = write(name, Path(folder))
            found = measure(path)
            memory, seconds, answer = found["memory"], found["seconds"], str(found["answer"])
            within = (
                memory <= MEMORY and seconds <= SECONDS and not answer.startswith(("RAISES", "DIES", "NO"))
            )
            if not within:
                beyond.append(name)
            answer = answer[:160].replace("|", "/") + ("" if within else " **beyond the limits**")
            sizes = f"{path.stat().st_size:,} | {memory / 1e6:,.0f} | {seconds:.1f}"
            print(f"| `{name}` | {sizes} | {answer} |", flush=True)
            with contextlib.suppress(OSError):
                path.unlink()
    limits = f"{MEMORY / 1e9:g} GB or {SECONDS:g} s"
    print(f"\n{len(chosen)} files, {len(beyond)} beyond {limits}: {', '.join(beyond)}")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
