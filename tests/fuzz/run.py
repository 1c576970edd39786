"""Looks for inputs that readers do not take as promised: a result, or one line that helps.

    python tests/fuzz/run.py --seconds 60                  every target in turn, on two processes
    python tests/fuzz/run.py --seconds 600 --target png    one of them
    python tests/fuzz/run.py --guided --target dicom       by the code that inputs reach (extra: fuzz)
    python tests/fuzz/run.py --replay build/fuzz/FILE      a finding again
    python tests/fuzz/run.py --shrink build/fuzz/FILE      the same finding in fewer bytes

The inputs of a seed are always the same, in the same order; more seconds try more of them. Exit code 1 if
something was found. Every finding is a file in build/fuzz/.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import harness
from fuzz.harness import Finding

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "build" / "fuzz"
_PROCESSES = 2


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--target", action="append", help=", ".join(t.name for t in harness.targets()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=_PROCESSES)
    parser.add_argument("--out", type=Path, default=FOUND)
    parser.add_argument("--guided", action="store_true", help="with atheris, to each target's first finding")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    parser.add_argument("--shrink", type=Path, metavar="FILE")
    options = parser.parse_args(arguments)
    file = options.replay or options.shrink
    if file:
        target = options.target[0] if options.target else file.name.split("-")[0]
        return shrink(target, file) if options.shrink else _replay(target, file)
    if options.guided:
        return guided(options.target or [], options.seed, options.seconds, options.out)
    return look(options.target or [], options.seed, options.seconds, options.processes, options.out)


def look(names: list[str], seed: int, seconds: float, processes: int, out: Path) -> int:
    """Tries inputs for some seconds; prints each new cause once, and a table at the end."""
    tried: Counter[str] = Counter()
    found: Counter[str] = Counter()
    failures: list[BaseException] = []
    lock = threading.Lock()
    chosen = [target.name for target in harness.targets(names)]

    def watch(first: int) -> None:
        try:
            for event in harness.run(chosen, seed, seconds, first=first, step=processes):
                with lock:
                    if isinstance(event, Finding):
                        cause = harness.signature(event)
                        found[cause] += 1
                        if found[cause] == 1:
                            _report(event, out)
                    else:
                        tried[chosen[event % len(chosen)]] += 1
        except BaseException as error:
            failures.append(error)

    began = time.monotonic()
    threads = [threading.Thread(target=watch, args=(first,)) for first in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    took = time.monotonic() - began
    print(f"seed {seed}: {sum(tried.values()):,} inputs in {took:.0f} s, {len(found)} causes of findings")
    for name in chosen:
        of_this = sum(count for cause, count in found.items() if cause.split()[0] == name)
        print(f"  {name:<16} {tried[name]:>8,} inputs  {of_this:>6,} findings")
    return 1 if found else 0


def guided(names: list[str], seed: int, seconds: float, out: Path) -> int:
    """Gives each target its share of the time; what was found is tried again by the harness."""
    chosen = harness.targets(names)
    out.mkdir(parents=True, exist_ok=True)
    found = 0
    for target in chosen:
        with tempfile.TemporaryDirectory() as scratch:
            share = str(int(seconds / len(chosen)))
            script = str(Path(__file__).with_name("guided.py"))
            command = [sys.executable, script, target.name, share, str(seed), str(out), scratch]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        before = found
        for file in out.glob(f"{target.name}-guided-*"):
            for finding in harness.replay(target.name, file.read_bytes()):
                _report(finding, out)
                found += 1
            file.unlink()
        counts = [line for line in done.stderr.splitlines() if line.startswith(("Done ", "#"))]
        last = counts[-1] if counts else (done.stderr.strip().splitlines() or ["?"])[-1]
        print(f"{target.name:<16} {found - before} findings  {' '.join(last.split())[:80]}", flush=True)
    return 1 if found else 0


def _report(finding: Finding, out: Path) -> None:
    path = harness.save(finding, out)
    print(f"{finding.target}, input {finding.index}: {finding.kind}: {finding.text}")
    print(f"  python tests/fuzz/run.py --replay {path}", flush=True)


def _replay(target: str, file: Path) -> int:
    findings = harness.replay(target, file.read_bytes())
    for finding in findings:
        print(f"{finding.kind}: {finding.text}")
    print(f"{file}: {len(findings)} findings")
    return 1 if findings else 0


def shrink(name: str, file: Path) -> int:
    """Takes parts out of a finding as long as it stays the same finding, and writes what is left."""
    whole = file.read_bytes()
    findings = harness.replay(name, whole)
    if not findings:
        print(f"{file}: no finding")
        return 0
    cause = harness.signature(findings[0])
    (target,) = harness.targets([name])

    def is_same(data: bytes) -> bool:
        mild = findings[0].kind in ("error", "promise")
        tried = harness.try_here(target, data) if mild else harness.replay(name, data)
        return any(harness.signature(one) == cause for one in tried)

    data, size = whole, len(whole) // 2
    while size:
        at = 0
        while at < len(data):
            shorter = data[:at] + data[at + size :]
            if is_same(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    kind = findings[0].kind
    small = file.with_name(f"{name}-{kind}-small-{hashlib.sha256(data).hexdigest()[:8]}{target.ending}")
    small.write_bytes(data)
    print(f"{small}: {len(data):,} of {len(whole):,} bytes, {findings[0].text[:100]}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
