"""Kills and ends ``tfadvpath explain`` again and again: nothing may be lost, doubled or half written.

    python tests/fuzz/kill_and_resume.py --kills 10 --seed 0
    python tests/fuzz/kill_and_resume.py --studies 2000 --kills 5 --terminations 5

Takes about 15 seconds an end, and what the studies take. Without ``--studies`` it explains a folder with
every kind of broken file; with it, so many studies, of which every twentieth is broken. Every folder of
results must hold all the files that its study.json names; the ledger must never lose a row. After the last
run it must have each study once, and all files must be those of a run that nobody disturbed, byte for byte.
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

ENDS = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 143}
# While the studies are explained, between the first tenth of the time and the last: rows of the ledger are
# kept, images are not. The import of what writes the ledger's table comes after that, and takes 70 MB.
_GROWTH = 64 * 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, help="number of studies; every twentieth is broken")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--terminations", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    from support.killed_runs import contents, rows_in
    from support.tiny import write_tiny_bundle

    rng = random.Random(options.seed)
    ends = [signal.SIGKILL] * options.kills + [signal.SIGTERM] * options.terminations
    rng.shuffle(ends)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        bundle = write_tiny_bundle(place / "tiny")
        broken = _write(place / "in", options.studies)
        undisturbed, out = place / "undisturbed", place / "out"
        assert _run(place, bundle, undisturbed, watch=True) == 1
        whole, rows = contents(undisturbed), _rows(undisturbed)
        good = sum(row["error"] is None for row in rows)
        print(f"undisturbed: {good} studies, {len(rows) - good} failed", flush=True)
        assert (len(rows) - good) == broken
        for number, ending in enumerate(ends):
            before = rows_in(out / "ledger.jsonl")
            # After some of the studies that are left; some are left for the next ones.
            after = rng.randrange(1, max(2, 2 * (len(rows) - before) // (len(ends) - number + 1)))
            code = _run(place, bundle, out, ending, before + after)
            found = _check_whole(out)
            print(
                f"{ending.name} after {after} rows: {found} whole studies, {rows_in(out / 'ledger.jsonl')} "
                f"rows, exit code {code}",
                flush=True,
            )
            assert code == ENDS[ending], (place / "said").read_text()[-4000:]
        code = _run(place, bundle, out)
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        left = [path for path in out.rglob(".*") if path.name.startswith(".tfadvpath")]
        print(
            f"after {len(ends)} ends: exit code {code}, {summary['explained']} studies, {summary['resumed']} "
            f"of them from earlier runs, {summary['failed']} failed, {len(left)} leftovers"
        )
        assert code == 1
        assert not left
        assert (summary["explained"], summary["failed"], summary["waiting"]) == (good, broken, 0)
        assert _rows(out, "results_sha256") == _rows(undisturbed, "results_sha256"), "other rows"
        ours = contents(out)
        assert ours.keys() == whole.keys()
        apart = [name for name in whole if ours[name] != whole[name]]
        print(f"{len(apart)} of {len(whole)} files are not byte for byte those of the undisturbed run")
        assert not apart, apart[:10]
        assert _rows(out) == rows
    return 0


def _write(folder: Path, studies: int | None) -> int:
    """Writes the studies, and returns how many of them are broken."""
    if studies is None:
        from support.hostile_folder import write_hostile_folder

        return len(write_hostile_folder(folder))
    from support.killed_runs import write_studies

    write_studies(folder, studies, studies // 20)
    return studies // 20


def _rows(out: Path, *left_out: str) -> list[dict[str, object]]:
    """Returns the ledger without what may differ: seconds, and what is named."""
    text = (out / "ledger.jsonl").read_text(encoding="utf-8")
    found = [json.loads(line) for line in text.splitlines()]
    return [
        {name: value for name, value in row.items() if name not in ("seconds", *left_out)} for row in found
    ]


def _check_whole(out: Path) -> int:
    """Returns the number of visible folders of results; fails where one is not whole."""
    found = 0
    for path in out.rglob("study.json"):
        if any(part.startswith(".") for part in path.relative_to(out).parts):
            continue
        record = json.loads(path.read_text(encoding="utf-8"))
        assert {each.name for each in path.parent.iterdir()} == {*record["files"], "study.json"}, path
        found += 1
    return found


def _run(
    place: Path, bundle: Path, out: Path, ending: int | None = None, at: int = 0, watch: bool = False
) -> int:
    """Runs the command, and sends it a signal when its ledger has so many rows; returns the exit code."""
    from support.killed_runs import rows_in

    command = [sys.executable, "-m", "tfadvpath", "explain", str(place / "in"), "--out", str(out)]
    command += ["--bundle", str(bundle), "--method", "gradient", "--format", "npz"]
    with (place / "said").open("w") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
    memory: list[tuple[int, int]] = []  # with the rows of the ledger
    while process.poll() is None:
        rows = rows_in(out / "ledger.jsonl")
        if ending is not None and rows >= at:
            os.killpg(process.pid, ending)
            ending = None
        if watch and rows:
            memory.append((rows, _resident(process.pid)))
        time.sleep(0.01)
    seen = [resident for rows, resident in memory if rows < memory[-1][0]]
    if watch and len(seen) > 20:
        growth = max(seen[-len(seen) // 10 :]) - max(seen[: len(seen) // 10])
        print(
            f"memory: {max(seen) / 2**20:.0f} MiB, {growth / 2**20:+.0f} MiB from the first tenth to the last"
        )
        assert growth < _GROWTH
    return process.returncode


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


if __name__ == "__main__":
    sys.exit(main())
