"""Runs inputs in a process that may die of them, and collects what breaks a promise.

The process is this file, run as a program: it takes inputs number by number and writes a line to a pipe
before each, and another one for each finding. An input depends on the seed, the target and its number alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.target import Target

# A reader with its libraries takes about 0.15 GB, and may take 1.5 GB in all.
MEMORY_LIMIT = 1_350_000_000
TIME_LIMIT = 10.0
# Above that an input gets a MemoryError, so that none takes the machine down.
_ADDRESS_SPACE = 6 * 2**30
_START_LIMIT = 120.0


@dataclass(frozen=True)
class Finding:
    """An input that broke a promise.

    Attributes:
        target: Name of the target.
        index: Number of the input; -1 where it came from a file.
        kind: "error", "promise", "time", "memory" or "crash".
        text: What happened, in a few words, equal for inputs with the same cause.
        data: The input.
    """

    target: str
    index: int
    kind: str
    text: str
    data: bytes


def targets(names: Sequence[str] = ()) -> list[Target]:
    """Returns the targets of these names; all where none is named."""
    from fuzz.planted import PLANTED

    known = {target.name: target for target in PLANTED}
    if not names or not set(names) <= set(known):  # these import every format's library
        from fuzz.targets import IMAGES
        from fuzz.text_targets import TEXTS

        known |= {target.name: target for target in [*IMAGES, *TEXTS]}
        names = names or [target.name for target in [*IMAGES, *TEXTS]]
    return [known[name] for name in names]


def run(
    names: Sequence[str],
    seed: int,
    seconds: float,
    time_limit: float = TIME_LIMIT,
    first: int = 0,
    step: int = 1,
) -> Iterator[int | Finding]:
    """Yields the number of every input before it is run, and the findings.

    Args:
        names: Names of the targets, which take turns.
        seed: Seed of all inputs.
        seconds: Time after which no further input begins.
        time_limit: Seconds that one input may take.
        first: Number of the first input.
        step: Distance to the next one: the number of processes that share the work.
    """
    chosen = targets(names)
    end = time.monotonic() + seconds
    index = first
    while (left := end - time.monotonic()) > 0:
        at, ended = None, False
        for message in _child(["seeds", ",".join(names), seed, index, step, left], time_limit):
            if "at" in message:
                at = message["at"]
                yield at
            elif "kind" in message:
                target = chosen[at % len(chosen)]
                data = target.input(seed, at)
                # On a busy machine anything may take long: it must do so twice.
                if message["kind"] != "time" or replay(target.name, data, time_limit):
                    yield Finding(target.name, at, message["kind"], message["text"], data)
            else:
                ended = True
        if ended or at is None:
            return
        index = at + step


def replay(name: str, data: bytes, time_limit: float = TIME_LIMIT) -> list[Finding]:
    """Runs one input in a process of its own.

    Args:
        name: Name of the target.
        data: The input.
        time_limit: Seconds that it may take.
    """
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        messages = list(_child(["file", name, file.name], time_limit))
    return [Finding(name, -1, one["kind"], one["text"], data) for one in messages if "kind" in one]


def try_here(target: Target, data: bytes) -> list[Finding]:
    """Runs one input in this process, for what neither hangs nor ends it."""
    found: list[Finding] = []

    def say(kind: str, text: str) -> None:
        found.append(Finding(target.name, -1, kind, text, data))

    with tempfile.TemporaryDirectory() as folder:
        _run_one(target, data, Path(folder), say)
    return found


def _child(arguments: list[Any], time_limit: float) -> Iterator[dict[str, Any]]:
    """Yields what a process says; one that hangs or dies is made to say so."""
    reading, writing = os.pipe()
    scratch = tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1"}
    environment["OPENBLAS_NUM_THREADS"] = "1"
    command = [sys.executable, __file__, str(writing), scratch, *map(str, arguments)]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdout=errors, stderr=errors, env=environment, pass_fds=[writing], start_new_session=True
        )
        os.close(writing)
        messages = _lines(reading)
        began = False
        try:
            while True:
                try:
                    line = messages.get(timeout=time_limit if began else _START_LIMIT)
                except queue.Empty:
                    process.kill()
                    if not began:
                        raise RuntimeError("the process with the targets does not start") from None
                    yield {"kind": "time", "text": f"takes more than {time_limit:g} s"}
                    return
                if line is None:
                    break
                began = True
                yield line
            code = process.wait()
            if code:
                errors.seek(0)
                said = errors.read().decode(errors="replace").strip().splitlines()[-12:]
                if not began or code > 0:
                    raise RuntimeError("\n".join(["the process with the targets failed:", *said]))
                yield {"kind": "crash", "text": f"ends the process: {signal.Signals(-code).name}"}
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(scratch, ignore_errors=True)


def _lines(reading: int) -> queue.SimpleQueue[dict[str, Any] | None]:
    """Returns a queue of the pipe's lines, with None at its end."""
    lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def read() -> None:
        with os.fdopen(reading, "rb") as pipe:
            for line in pipe:
                with contextlib.suppress(ValueError):  # a process that died may leave half a line
                    lines.put(json.loads(line))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return lines


def main(writing: int, scratch: Path, mode: str, *arguments: str) -> None:
    """Runs inputs; the arguments are those of ``_child``."""

    def say(**message: Any) -> None:
        os.write(writing, json.dumps(message).encode() + b"\n")

    names = arguments[0].split(",") if arguments[0] else []
    chosen = targets(names)
    for target in chosen:  # imports what it needs, which may take longer than an input may
        _run_one(target, target.seeds()[0], scratch, lambda **_: None)
    used = _status("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (used + _ADDRESS_SPACE, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if mode == "file":
        say(at=-1)
        _run_one(chosen[0], Path(arguments[1]).read_bytes(), scratch, say)
        return
    seed, index, step = map(int, arguments[1:4])
    end = time.monotonic() + float(arguments[4])
    while time.monotonic() < end:
        target = chosen[index % len(chosen)]
        data = target.input(seed, index)
        say(at=index)
        _run_one(target, data, scratch, say)
        index += step
    say(end=True)


def _run_one(target: Target, data: bytes, scratch: Path, say: Any) -> None:
    folder = scratch / "input"
    folder.mkdir()
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory begins anew
    before = _status("VmRSS")
    try:
        target.run(data, folder)
    except AssertionError as error:
        say(kind="promise", text=_one_line(f"{error or 'an assertion'} ({_where(error)})"))
    except BaseException as error:
        say(kind="error", text=_one_line(f"{type(error).__name__} at {_where(error)}: {error}"))
    taken = _status("VmHWM") - before
    if taken > MEMORY_LIMIT:
        say(kind="memory", text=f"takes more than {MEMORY_LIMIT / 1e9:g} GB of memory")
    shutil.rmtree(folder)


def _status(name: str) -> int:
    """Returns a number of bytes from the process's own status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise KeyError(name)


def _where(error: BaseException) -> str:
    """Returns the deepest place within tfadvpath that led to an error, else the deepest of all."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if "/tfadvpath/" in frame.filename] or list(frames)
    return f"{Path(inside[-1].filename).name}:{inside[-1].lineno} in {inside[-1].name}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:600]


def signature(finding: Finding) -> str:
    """Returns what findings of one cause have in common."""
    text = finding.text.split(": ")[0] if finding.kind == "error" else finding.text[:40]
    return f"{finding.target} {finding.kind} {text}"


def save(finding: Finding, folder: Path) -> Path:
    """Writes a finding's input to a file that tells its target and kind, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    ending = targets([finding.target])[0].ending
    digest = hashlib.sha256(finding.data).hexdigest()[:10]
    path = folder / f"{finding.target}-{finding.kind}-{digest}{ending}"
    path.write_bytes(finding.data)
    return path


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
