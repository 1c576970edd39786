"""Full disks, closed pipes, interrupts and faults of the program: one line and a true exit code."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support.broken_files import picture, png_bytes
from typer.testing import CliRunner

import tfadvpath.batch.run
import tfadvpath.cli.console
from tfadvpath.cli.main import Terminated, app

NO_ROOM = OSError(errno.ENOSPC, "No space left on device", "out/summary.json")


def failing(error):
    def fail(*arguments, **options):
        raise error

    return fail


@pytest.fixture
def explain(monkeypatch, tmp_path):
    """Runs the command, whose work ends in an exception."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # of the trace

    def run(error):
        monkeypatch.setattr(tfadvpath.batch.run, "explain_studies", failing(error))
        return CliRunner().invoke(app, ["explain", "a.png", "--bundle", "b"])

    return run


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (NO_ROOM, 2, "out/summary.json: No space left on device. Make room or mend it, and run it again."),
        (
            OSError(errno.EROFS, "Read-only file system"),
            2,
            "tfadvpath explain: Read-only file system. Make room",
        ),
        (MemoryError(), 2, "tfadvpath explain: the memory is full."),
        (
            tf.errors.ResourceExhaustedError(None, None, "x; No space left"),
            2,
            "tfadvpath explain: no room is left",
        ),
        (
            KeyboardInterrupt(),
            130,
            "Interrupted. Go on by the same command.",
        ),
        (Terminated(), 143, "Interrupted. Go on by the same command."),
        (KeyError("ZEBRA^PATIENT"), 3, "tfadvpath explain: led to an unforeseen error (KeyError)"),
        (
            ValueError("ZEBRA^PATIENT\nsecond"),
            3,
            "tfadvpath explain: led to an unforeseen error (ValueError)",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_whatever_happens_is_one_line_and_a_code(explain, error, code, line):
    run = explain(error)
    assert run.exit_code == code
    [said] = run.stderr.splitlines()
    assert said.startswith(line)
    assert "ZEBRA" not in run.output


def test_the_trace_of_a_fault_is_in_the_file_that_is_named(explain):
    run = explain(KeyError("ZEBRA^PATIENT"))
    log = Path(re.search(r"with its trace, in (.+)\.$", run.stderr.strip())[1])
    text = log.read_text()
    assert "in fail" in text
    assert "builtins.KeyError" in text
    assert "ZEBRA" not in text.replace('KeyError("ZEBRA^PATIENT")', "")


@pytest.mark.parametrize(
    ("verb", "target", "says"),
    [
        ("train", "tfadvpath.training.run.train", "Interrupted. Go on by the same command with --resume."),
        ("demo", "tfadvpath.demo.demo.run_demo", "Interrupted. Run it again."),
    ],
)
def test_every_command_says_how_to_go_on(monkeypatch, tmp_path, verb, target, says):
    monkeypatch.setattr(target, failing(KeyboardInterrupt()))
    recipe = Path(__file__).parents[2] / "training" / "phantom_brain.yaml"
    given = [str(recipe), "--out"] if verb == "train" else []
    run = CliRunner().invoke(app, [verb, *given, str(tmp_path / "out")])
    assert (run.exit_code, run.stderr) == (130, says + "\n")


def test_an_answer_that_nobody_reads_is_no_fault_and_one_that_cannot_be_written_is(monkeypatch, capsys):
    written = []
    monkeypatch.setattr(os, "dup2", lambda *numbers: written.append(numbers))
    monkeypatch.setattr("typer.echo", failing(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    tfadvpath.cli.console.answer("text")
    monkeypatch.setattr("typer.echo", failing(NO_ROOM))
    with pytest.raises(tfadvpath.cli.console.typer.Exit) as left:
        tfadvpath.cli.console.answer("text")
    assert left.value.exit_code == 1
    assert len(written) == 2


@pytest.mark.slow
def test_closed_and_full_streams_lose_no_result(bundle, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(3):
        (folder / f"{i}.png").write_bytes(png_bytes(np.roll(picture(), i).astype(np.uint8)))
    (folder / "3.png").write_bytes(b"")
    command = (
        f"'{sys.executable}' -m tfadvpath explain '{folder}' --bundle '{bundle}' --method gradient --json"
    )
    # Nobody listens on stderr, and stdout is a full disk.
    run = subprocess.run(
        ["/bin/sh", "-c", f"{command} --out '{tmp_path / 'a'}' 2>&- >/dev/full </dev/null"], check=False
    )
    assert run.returncode == 1
    assert len(list((tmp_path / "a").glob("*/gradient.png"))) == 3
    assert (tmp_path / "a" / "summary.json").is_file()
    # Whoever reads leaves at once.
    run = subprocess.run(
        [
            "/bin/sh",
            "-c",
            f"{{ {command} --out '{tmp_path / 'b'}'; echo $? >'{tmp_path / 'code'}'; }} 2>&1 | true",
        ],
        check=False,
    )
    assert (tmp_path / "code").read_text() == "1\n"
    assert len(list((tmp_path / "b").glob("*/gradient.png"))) == 3
