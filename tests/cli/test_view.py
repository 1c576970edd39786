"""`tfadvpath view` as a person runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest
from typer.testing import CliRunner

from tfadvpath.cli.main import app


def test_help_is_there_without_tensorflow():
    done = CliRunner().invoke(app, ["view", "--help"])
    assert done.exit_code == 0
    assert "Only\n" in done.stdout or "Only this machine" in done.stdout
    for flag in ("--bundle", "--port", "--method", "--steps", "--memory-limit", "--time-limit"):
        assert flag in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--bundle", "nowhere"], "nowhere: "),
        (["--method", "none"], "--method: 'none' is no method of this bundle"),
        (["--method", "gradient", "--steps", "7"], "--steps: 'gradient' has no such option"),
    ],
)
def test_what_is_wrong_has_a_line_and_the_exit_code_2(bundle, arguments, line):
    pytest.importorskip("gradio")
    given = arguments if "--bundle" in arguments else ["--bundle", str(bundle), *arguments]
    done = CliRunner().invoke(app, ["view", "--port", "0", *given])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith(line)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "flags"), [(signal.SIGINT, []), (signal.SIGTERM, ["--json"])])
def test_it_says_its_address_and_ends_by_a_signal_without_leaving_anything(bundle, tmp_path, number, flags):
    pytest.importorskip("gradio")
    command = [sys.executable, "-m", "tfadvpath", "view", "--bundle", str(bundle), "--port", "0"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [*command, "--method", "gradient", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A shell that starts the tests in the background has it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        line = process.stdout.readline()
        if flags:
            address = json.loads(line)["address"]
        else:
            [address] = re.findall(r"^Open (http://[\d.:]+) in a browser\. End with Ctrl-C\.$", line)
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert b"gradio" in answer.read()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0
    assert out == ""
    assert err.splitlines() == ["The page is being made ready, which takes a minute at most."]
    assert list(tmp_path.glob("tfadvpath-view-*")) == []
