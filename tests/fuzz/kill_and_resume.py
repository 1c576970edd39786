"""Kills ``tfadvpath explain --resume`` again and again: nothing may be lost, doubled or half written.

    python tests/fuzz/kill_and_resume.py --kills 10 --seed 0

Takes about 15 seconds a kill. Every folder of results must hold all the files that its study.json names,
readable; after the last run all must be as a run that nobody disturbed has them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    from support.hostile_folder import GOOD, write_hostile_folder
    from support.tiny import write_tiny_bundle

    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        bundle = write_tiny_bundle(place / "tiny")
        broken = len(write_hostile_folder(place / "in"))
        undisturbed, out = place / "undisturbed", place / "out"
        assert _run(place, bundle, undisturbed) == 1
        whole = _results(undisturbed)
        print(f"undisturbed: {len(whole)} studies", flush=True)
        assert len(whole) == GOOD
        kills = 0
        while kills < options.kills:
            before = len(_results(out)) if out.exists() else 0
            # Killed at a random one of the studies that are left, or before the first.
            target = before + rng.randrange(1, max(2, (GOOD - before) // 4))
            code = _run(place, bundle, out, kill_at=target)
            found = _results(out)
            print(f"killed at {target}: {before} -> {len(found)} whole studies, exit code {code}", flush=True)
            assert set(found) <= set(whole)
            assert len(found) >= before
            if code != -signal.SIGKILL:
                break
            kills += 1
        code = _run(place, bundle, out)
        found = _results(out)
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        left = [path for path in out.rglob(".*") if path.is_dir()]
        print(
            f"after {kills} kills: exit code {code}, {len(found)} studies, {summary['resumed']} of them from "
            f"earlier runs, {summary['failed']} failed, {len(left)} leftovers"
        )
        assert code == 1
        assert set(found) == set(whole)
        assert (summary["explained"], summary["failed"], summary["waiting"]) == (GOOD, broken, 0)
        assert len({study["folder"] for study in summary["studies"]}) == GOOD
        assert not left
        apart = max(_apart(found[study], whole[study]) for study in whole)
        print(f"largest difference to the undisturbed run: {apart:.2g} of a map's largest value")
        assert apart < 1e-4
    return 0


def _run(place: Path, bundle: Path, out: Path, kill_at: int | None = None) -> int:
    command = [sys.executable, "-m", "tfadvpath", "explain", str(place / "in"), "--out", str(out), "--resume"]
    command += ["--bundle", str(bundle), "--method", "gradient", "--format", "npz"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    while process.poll() is None:
        if kill_at is not None and _count(out) >= kill_at:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.002)
    return process.returncode


def _count(out: Path) -> int:
    return sum(1 for _ in out.glob("*/*/study.json")) if out.exists() else 0


def _results(out: Path) -> dict[str, dict[str, np.ndarray]]:
    """Returns the arrays of every visible folder of results; fails where one is not whole."""
    results = {}
    for record in out.rglob("study.json"):
        folder = record.parent
        if any(part.startswith(".") for part in folder.relative_to(out).parts):
            continue
        content = json.loads(record.read_text(encoding="utf-8"))
        there = {path.name for path in folder.iterdir()} - {"study.json"}
        assert there == set(content["files"]), (folder, there)
        with np.load(folder / "explanation.npz") as arrays:
            results[folder.relative_to(out).as_posix()] = {name: arrays[name] for name in arrays.files}
    return results


def _apart(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    assert found.keys() == wanted.keys()
    numbers = [name for name in wanted if wanted[name].dtype.kind == "f" and wanted[name].size]
    return max(
        float(np.nanmax(np.abs(found[name] - wanted[name])) / max(np.nanmax(np.abs(wanted[name])), 1e-30))
        for name in numbers
    )


if __name__ == "__main__":
    sys.exit(main())
