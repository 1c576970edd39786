"""Runs that meet what goes wrong: files, models, writers, interrupts, and runs that go on."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from support.broken_files import nifti_bytes, png_bytes, volume
from support.explanations import KnownExplainer, fields_of
from support.tiny import write_tiny_bundle

import tfadvpath.batch.run
import tfadvpath.writers.formats
from tfadvpath import ExplainOptions, explain_studies
from tfadvpath.batch.outcomes import Failure, Resumed, Success
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.errors import InputError

OPTIONS = ExplainOptions(formats=["npz"], batch_size=4)


class Choosy(KnownExplainer):
    """Cannot explain images whose mean is above a limit, or any."""

    def __init__(self, error: type[Exception] = RuntimeError, above: float = 0.6):
        super().__init__(batch_size=4)
        self.error, self.above = error, above

    def explain_batch(self, images, count):
        images = np.asarray(images)
        if (images.mean(axis=(1, 2, 3)) > self.above).any() or self.above < 0:
            raise self.error("PatientName ZEBRA^PATIENT\nsecond line")
        return tf.nest.map_structure(tf.constant, fields_of(images))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


@pytest.fixture
def use(monkeypatch):
    """Sets the explainer that stands for every method."""

    def set_explainer(explainer):
        monkeypatch.setattr(tfadvpath.batch.run, "get_explainer", lambda *_, **__: explainer)
        return explainer

    return set_explainer


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(6):
        (folder / f"{i}.png").write_bytes(png_bytes(rng.integers(0, 256, (20, 24)).astype(np.uint8)))
    return folder


def bright(path):
    values = np.full((20, 24), 250, np.uint8)
    values[0, 0] = 0
    path.write_bytes(png_bytes(values))


def sources(summary):
    return sorted(study["folder"] for study in summary.studies)


def test_a_model_that_fails_on_one_study_costs_that_study(use, bundle, folder, tmp_path):
    use(Choosy())
    bright(folder / "2.png")
    summary = explain_studies(bundle, folder, tmp_path / "out", OPTIONS)
    assert sources(summary) == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    [failure] = summary.failures
    log = tmp_path / "out" / "errors.log"
    assert str(failure.error) == (
        f"{folder / '2.png'}: led to an unforeseen error (RuntimeError), which is a fault of tfadvpath. "
        f"Please report it with its trace, in {log}."
    )
    assert "explain_batch" in log.read_text()
    for text in (log.read_text(), (tmp_path / "out" / "summary.json").read_text()):
        assert "ZEBRA^PATIENT\n" not in text


def test_a_method_that_cannot_explain_the_classifier_at_all_is_one_line(use, bundle, folder, tmp_path):
    use(Choosy(ValueError, above=-1))
    with pytest.raises(InputError) as error:
        explain_studies(bundle, folder, tmp_path / "out", OPTIONS)
    assert str(error.value).startswith("`method`: cannot explain this classifier: ")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["explained"], summary["waiting"]) == (0, 6)


def test_a_writer_that_fails_on_one_study_costs_that_study(use, bundle, folder, tmp_path, monkeypatch):
    use(KnownExplainer())
    known = dict(tfadvpath.writers.formats.formats())

    def write(path, result):
        if result.study.source.name == "3.png":
            raise KeyError("x")
        known["npz"].write(path, result)

    changed = known | {"npz": dataclasses.replace(known["npz"], write=write)}
    monkeypatch.setattr("tfadvpath.batch.results.formats", lambda: changed)
    here = dataclasses.replace(OPTIONS, workers=0)
    summary = explain_studies(bundle, folder, tmp_path / "out", here)
    assert len(summary.studies) == 5
    assert "unforeseen error (KeyError)" in str(summary.failures[0].error)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "0.png", "1.png", "2.png", "4.png", "5.png", "errors.log",
        "ledger.jsonl", "ledger.parquet", "summary.json",
    ]  # fmt: skip


def test_a_run_goes_on_where_it_was_interrupted(use, bundle, folder, tmp_path):
    use(KnownExplainer())
    out = tmp_path / "out"

    def stop(outcome):
        if outcome.task.source.name == "2.png":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # with workers, the studies that are being written are finished
        explain_studies(bundle, folder, out, dataclasses.replace(OPTIONS, workers=0), listener=stop)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["explained"], summary["waiting"]) == (3, 3)
    # As a process that was killed leaves them.
    (out / f".tfadvpath-{16 * 'a'}").mkdir()
    (out / f".tfadvpath-{16 * 'a'}" / "input.png").touch()
    explainer = use(KnownExplainer())
    outcomes = []
    summary = explain_studies(bundle, folder, out, OPTIONS, listener=outcomes.append)
    assert [type(outcome) for outcome in outcomes] == [Resumed] * 3 + [Success] * 3
    assert explainer.batches == [4, 2]  # as without an end: the three before the fourth are read again
    assert (summary.resumed, len(summary.studies), summary.waiting) == (3, 6, 0)
    assert sources(summary) == [f"{i}.png" for i in range(6)]
    assert sorted(path.name for path in out.iterdir()) == [
        *sources(summary),
        "ledger.jsonl",
        "ledger.parquet",
        "summary.json",
    ]


def test_only_the_same_results_of_the_same_files_are_kept(use, bundle, folder, tmp_path):
    use(KnownExplainer())
    out = tmp_path / "out"
    (folder / "head.nii").write_bytes(nifti_bytes(volume((20, 24, 3))))
    explain_studies(bundle, folder, out, OPTIONS)
    bright(folder / "0.png")
    (out / "1.png" / "explanation.npz").unlink()
    (out / "2.png" / "study.json").write_text("{")
    explainer = use(KnownExplainer())
    assert explain_studies(bundle, folder, out, OPTIONS).resumed == 4
    assert sum(explainer.batches) == 4  # 0.png to 2.png, and 3.png, which shares their batch
    assert explain_studies(bundle, folder, out, OPTIONS).resumed == 7
    # Where that is asked for, everything is explained anew.
    anew = dataclasses.replace(OPTIONS, resume=False)
    assert explain_studies(bundle, folder, out, anew).resumed == 0


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_results_that_were_made_otherwise_are_not_replaced_unless_that_is_asked_for(
    use, bundle, folder, tmp_path
):
    use(KnownExplainer())
    out = tmp_path / "out"
    explain_studies(bundle, folder, out, OPTIONS)
    before = contents(out)
    for change, says in (
        ({"formats": ["npz", "png"]}, "formats npz for npz,png"),
        ({"maps": ["fi_v1"]}, "maps fi_v2_smooth,fi_v2,fi_v1,difference for fi_v1"),
        ({"seed": 1}, "seed 0 for 1"),
        ({"channel": 0, "steps": 7}, "steps 50 for 7, channel 2 for 0"),
    ):
        with pytest.raises(InputError) as error:
            explain_studies(bundle, folder, out, dataclasses.replace(OPTIONS, **change))
        assert str(error.value) == (
            f"{out}: holds results that were made otherwise: {says}. Name another folder, give the same "
            "options, or replace them by `resume=False`."
        )
    other = dataclasses.replace(bundle, manifest={**bundle.manifest, "revision": "other"})
    with pytest.raises(InputError, match="made otherwise: another bundle"):
        explain_studies(other, folder, out, OPTIONS)
    assert contents(out) == before
    anew = dataclasses.replace(OPTIONS, resume=False)
    summary = explain_studies(other, folder, out, anew)
    assert (len(summary.studies), summary.resumed) == (6, 0)
    assert {study["made_with"]["bundle"] for study in summary.studies} == {other.digest}


def test_a_summary_never_speaks_of_another_run(use, bundle, folder, tmp_path):
    use(KnownExplainer())
    explain_studies(bundle, folder, tmp_path / "out", OPTIONS)

    def look(outcome):
        assert not (tmp_path / "out" / "summary.json").exists()

    explain_studies(bundle, folder, tmp_path / "out", OPTIONS, listener=look)
    record = json.loads((tmp_path / "out" / "0.png" / "study.json").read_text())
    assert record["made_with"]["method"] == "syce"
    assert record["made_with"]["bundle"] == bundle.digest
    assert len(record["sha256"]) == 64


def test_results_of_another_run_are_no_input(use, bundle, folder, tmp_path):
    use(KnownExplainer())
    everything = dataclasses.replace(OPTIONS, formats=["png"])
    explain_studies(bundle, folder, folder / "before", everything)
    summary = explain_studies(bundle, folder, tmp_path / "out", OPTIONS)
    assert len(summary.studies) == 6
    assert dict(summary.ignored) == {
        **{folder / "before" / f"{i}.png": "holds the results of an earlier run" for i in range(6)},
        **{
            folder / "before" / name: "is of no format that is read"
            for name in ("ledger.jsonl", "ledger.parquet", "summary.json")
        },
    }
    with pytest.raises(InputError, match="holds no image that can be read"):
        explain_studies(bundle, folder / "before" / "0.png", tmp_path / "other", OPTIONS)
    # Another program's study.json hides nothing.
    (folder / "study.json").write_text('{"source": "x"}')
    assert len(explain_studies(bundle, folder, tmp_path / "out", OPTIONS).studies) == 6


def test_odd_links_and_names_beside_good_files_get_a_line_each(use, bundle, folder, tmp_path):
    use(KnownExplainer())
    (folder / "self.png").symlink_to(folder / "self.png")
    (folder / "a").symlink_to(folder / "b")
    (folder / "b").symlink_to(folder / "a")
    (folder / "\udcff.png").write_bytes(
        png_bytes(np.random.default_rng(1).integers(0, 9, (9, 9)).astype("u1"))
    )
    (folder / ("n" * 251 + ".png")).write_bytes((folder / "0.png").read_bytes())
    summary = explain_studies(bundle, folder, tmp_path / "out", OPTIONS)
    assert len(summary.studies) == 8
    assert {str(failure.error) for failure in summary.failures} == {
        f"{folder / name}: is a link that leads back to itself. Mend or remove the link."
        for name in ("self.png", "a", "b")
    }
    text = (tmp_path / "out" / "summary.json").read_bytes().decode("ascii")
    assert json.loads(text)["studies"][-1]["folder"] == "\\xff.png"
    again = explain_studies(bundle, folder, tmp_path / "out", OPTIONS)
    assert again.resumed == 8


def test_a_file_that_ends_the_reading_process_costs_itself(use, bundle, folder, tmp_path, monkeypatch):
    use(KnownExplainer())
    from support.misreaders import read_or_crash

    monkeypatch.setattr("tfadvpath.batch.reading.read_task", read_or_crash)
    summary = explain_studies(bundle, folder, tmp_path / "out", OPTIONS)
    assert sources(summary) == ["0.png", "1.png", "2.png", "4.png", "5.png"]
    assert "ended the process that read it (SIGSEGV)" in str(summary.failures[0].error)


def test_failures_are_told_as_they_come(use, bundle, folder, tmp_path):
    use(KnownExplainer())
    (folder / "1.png").write_bytes(b"")
    outcomes = []
    explain_studies(bundle, folder, tmp_path / "out", OPTIONS, listener=outcomes.append)
    assert [type(outcome) for outcome in outcomes] == [Success, Failure, *[Success] * 4]
