"""``tfadvpath fit``: what it hands on, prints and answers."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import tfadvpath.fitting.fit
from tfadvpath.cli.main import app
from tfadvpath.errors import InputError
from tfadvpath.fitting.report import FitReport, StageReport

RUNNER = CliRunner()
REPORT = FitReport(
    folder=Path("RUN"),
    method="cyce",
    good=False,
    verdict=("The adversaries are blurred.",),
    advice=("Train longer.",),
    notes=("The classifier ends without an activation.",),
    images={"train": [30, 20], "validation": [6, 4], "test": [6, 4]},
    figures={"flip_rate": 0.5, "chequer_ratio": 1.25, "keep_rate": None},
    stages={"cyce": StageReport(epochs=3, planned=12, steps=225, seconds=240.0, best_epoch=2)},
    minutes=5.0,
    seconds=290.0,
)


@pytest.fixture
def called(monkeypatch):
    calls = []

    def fit(*args, **options):
        calls.append((args, options))
        return SimpleNamespace(report=REPORT)

    monkeypatch.setattr(tfadvpath.fitting.fit, "fit", fit)
    return calls


def test_the_report_is_printed(called):
    run = RUNNER.invoke(app, ["fit", "mine.keras", "slices", "--out", "RUN", "--method", "cyce"])
    assert run.exit_code == 0, run.output
    for line in (
        "cyce for your classifier, in RUN, after 5 min",
        "Images predicted 0 + 1: train 30 + 20, validation 6 + 4, test 6 + 4",
        "cyce: 225 steps in 4 min, 3 of 12 epochs, the best is 2",
        "  adversaries across the decision: 50 %",
        "  chequered pattern in the change (1 is none): 1.25",
        "Verdict: not good enough.",
        "- The adversaries are blurred.",
        "- Train longer.",
        "Explain images: tfadvpath explain IMAGES --bundle RUN --method cyce",
    ):
        assert line in run.stdout.splitlines()
    assert "keep" not in run.stdout


def test_json_is_the_report(called):
    run = RUNNER.invoke(app, ["fit", "mine.keras", "slices", "--out", "RUN", "--json"])
    assert json.loads(run.stdout) == json.loads(json.dumps(REPORT.as_json()))


def test_every_option_is_handed_on(called):
    flags = "--minutes 5 --patients p.csv --target 2 --against 1 --threshold 0.3 --value-range 0 255 --logits"
    flags += " --image-size 64 --channel 2 --seed 4 --resume --method sagen"
    run = RUNNER.invoke(app, ["fit", "mine.keras", "a", "b", "--out", "RUN", *flags.split()])
    assert run.exit_code == 0, run.output
    [(args, options)] = called
    assert args == (Path("mine.keras"), [Path("a"), Path("b")], Path("RUN"), 5.0)
    expected = {
        "method": "sagen",
        "patients": Path("p.csv"),
        "target": 2,
        "against": 1,
        "threshold": 0.3,
        "value_range": (0.0, 255.0),
        "logits": True,
        "image_size": 64,
        "channel": 2,
        "seed": 4,
        "resume": True,
    }
    assert {name: options[name] for name in expected} == expected


def test_a_good_report_says_that_the_maps_can_be_read():
    good = FitReport(**{**vars(REPORT), "good": True, "verdict": (), "advice": (), "notes": ()})
    assert "Verdict: good. The pairs of images reach all limits; the maps can be read." in str(good)
    assert not re.search("What to do|found and assumed", str(good))


def test_a_message_names_flags(monkeypatch):
    def fit(*args, **options):
        raise InputError("`value_range`", "is no range", "Name it, or pass `resume`")

    monkeypatch.setattr(tfadvpath.fitting.fit, "fit", fit)
    run = RUNNER.invoke(app, ["fit", "mine.keras", "slices", "--out", "RUN"])
    assert run.exit_code == 2
    assert "--value-range: is no range. Name it, or pass --resume." in run.stderr
