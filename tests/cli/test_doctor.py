"""`tfadvpath doctor`, its exit code, and what the shell is told to complete."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import tfadvpath.cli.doctor
from tfadvpath.cli.main import app
from tfadvpath.doctor.installation import Fault, Installation, Row

RUNNER = CliRunner()
MISSING = Fault("keras is not installed", "tfadvpath needs it", "pip install 'keras>=3'", True)
SLOW = Fault("TF_ENABLE_ONEDNN_OPTS is 0", "slow", "unset TF_ENABLE_ONEDNN_OPTS", False)


@pytest.fixture
def doctor(monkeypatch):
    """Runs the command on an installation that has these faults."""

    def run(*arguments, faults=()):
        asked = []

        def check(speed, on_progress):
            asked.append(speed)
            on_progress("Trying TensorFlow", 1, 1)
            return Installation(tuple(Row("packages", fault.what, None, "", fault) for fault in faults))

        monkeypatch.setattr(tfadvpath.cli.doctor, "check_installation", check)
        return RUNNER.invoke(app, ["doctor", *arguments]), asked

    return run


@pytest.mark.parametrize(
    ("faults", "code", "last"),
    [
        ((), 0, "Nothing is missing that the base needs."),
        ((SLOW,), 0, "Nothing is missing that the base needs."),
        ((SLOW, MISSING), 1, f"  {SLOW}"),
    ],
)
def test_the_exit_code_says_whether_the_base_is_whole(doctor, faults, code, last):
    run, _ = doctor(faults=faults)
    assert run.exit_code == code
    assert run.stdout.splitlines()[-1] == last
    assert run.stderr == ""


def test_the_json_has_the_faults(doctor):
    run, _ = doctor("--json", faults=(MISSING,))
    assert run.exit_code == 1
    assert json.loads(run.stdout)["faults"] == [
        {
            "what": "keras is not installed",
            "why": "tfadvpath needs it",
            "remedy": "pip install 'keras>=3'",
            "is_needed": True,
        }
    ]


def test_the_speed_is_measured_unless_it_is_not_wanted(doctor):
    assert doctor()[1] == [True]
    assert doctor("--no-speed")[1] == [False]


def completed(words, place):
    """What bash is offered, by the protocol of the completion that Typer installs, and the modules for it."""
    program = (
        "import sys, atexit; "
        "atexit.register(lambda: print(sorted({'tensorflow', 'keras', 'cv2'} & set(sys.modules)))); "
        "from tfadvpath.cli.main import main; sys.argv = ['tfadvpath']; main()"
    )
    environment = {
        **os.environ,
        "_TFADVPATH_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(place),
    }
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    *offered, loaded = run.stdout.split("\n")[:-1]
    return [each for each in offered if each], loaded


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "place", "expected"),
    [
        ("tfadvpath exp", 1, ["explain", "export"]),
        ("tfadvpath doctor --no", 2, ["--no-speed"]),
        ("tfadvpath prepare phantom-b", 2, ["phantom-brain"]),
        ("tfadvpath explain --b", 2, ["--bundle", "--batch-size"]),
    ],
)
def test_bash_completes_verbs_flags_and_choices_without_tensorflow(words, place, expected):
    assert completed(words, place) == (expected, "[]")


def test_the_completion_of_a_shell_can_be_shown(monkeypatch):
    # Else Typer looks for the shell that started this process.
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    run = RUNNER.invoke(app, ["--show-completion", "bash"], prog_name="tfadvpath")
    assert run.exit_code == 0
    assert "complete -o default -F _tfadvpath_completion tfadvpath" in run.stdout
