"""``tfadvpath.evaluate`` of a bundle with every network: all maps of the paper."""

from __future__ import annotations

import csv
import dataclasses
import json

import numpy as np
import pytest
from support.evaluations import Run, write_whole_bundle

import tfadvpath
from tfadvpath import explainers
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS, CONTROLS, METHODS
from tfadvpath.evaluation.options import EvaluationOptions

pytestmark = pytest.mark.slow

FEW = EvaluationOptions(images=4, steps=3, subset=4)


@pytest.fixture(scope="module")
def of_all(tmp_path_factory):
    """A run of every method, each with few steps."""
    bundle = write_whole_bundle(tmp_path_factory.mktemp("whole") / "bundle")
    get = explainers.get

    def quick(name, models, **options):
        few = {"steps": 2, "iterations": 2}
        options |= {key: value for key, value in few.items() if key in explainers.options(name)}
        return get(name, models, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(explainers, "get", quick)
        return Run(bundle, tmp_path_factory.mktemp("evaluated") / "out", FEW, batch_size=8)


def test_every_map_of_the_paper_is_measured(of_all):
    summary = of_all.summary
    assert isinstance(summary, tfadvpath.Summary)
    assert list(summary.maps) == [compared.key for compared in (*COMPARED_MAPS, *CONTROLS)]
    assert summary.failed == {}
    assert summary.counts["relevance"] == summary.counts["subset"] == 4
    assert summary.maps["syce_difference"].survives is not None
    for measured in summary.maps.values():
        assert ((measured.estimates["iou"].value >= 0) & (measured.estimates["iou"].value <= 1)).all()
        assert measured.seconds > 0


def test_the_percentiles_and_the_perturbation_are_those_of_the_bundle(of_all):
    chosen = {"percentiles": (98.0, 99.0), "perturbation": "fixed_point_gan"}
    assert of_all.summary.options == dataclasses.replace(FEW, **chosen)


def test_the_papers_claims_are_judged(of_all):
    claims = of_all.summary.claims
    # Two percentiles of IoU and FNR, R and AOPC: of v2 smooth against 8 maps, of v1 and v2 against 7, and of
    # v2 smooth against a random order; the average mask has no R and no AOPC.
    each = 2 * 2 + 2
    assert [len(claim.comparisons) for claim in claims] == [each] * (2 * 8 + 4 * 7) + [each, each - 2] * 2
    assert [claim["verdict"] for claim in of_all.report["claims"]] == [claim.verdict for claim in claims]


def test_the_report_holds_the_summary(of_all):
    summary, report = of_all.summary, of_all.report
    assert list(report["maps"]) == list(summary.maps)
    for key, measured in summary.maps.items():
        numbers = {(n["metric"], n["part"]): n["value"] for n in report["maps"][key]["numbers"]}
        np.testing.assert_allclose(numbers["iou", "98 paper"], measured.estimates["iou"].value[0, 0])
        np.testing.assert_allclose(numbers["relevance", "all"], measured.estimates["relevance"].value[0])
    assert report["missing"] == []
    assert report["origin"]["Command"] == "tfadvpath.evaluate(…)"
    with (of_all.out / "table_1.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["map"] for row in rows[: len(summary.maps)]] == [
        compared.title for compared in (*COMPARED_MAPS, *CONTROLS)
    ]
    assert rows[len(summary.maps)]["map"] == "best possible"
    np.testing.assert_allclose(
        [float(row["IoU 98"]) for row in rows[: len(summary.maps)]],
        [measured.estimates["iou"].value[0, 0] for measured in summary.maps.values()],
        rtol=1e-5,
        atol=1e-12,
    )
    assert "generated phantoms" in (of_all.out / "report.html").read_text(encoding="utf-8")


def test_what_was_measured_of_every_image_is_kept(of_all):
    stored = {path.name for path in (of_all.out / "methods").iterdir()}
    assert stored == {"images.npz", "random.npz"} | {
        f"{method}{end}" for method in METHODS for end in (".npz", ".maps.npz")
    }
    with np.load(of_all.out / "methods/syce.npz") as arrays:
        header = json.loads(str(arrays["header"]))
    assert {"bundle", "options", "tfadvpath", "versions", "method", "seconds"} <= set(header)


def test_the_difference_is_the_same_for_a_random_classifier(of_all):
    with np.load(of_all.out / "methods/syce.npz") as arrays:
        np.testing.assert_allclose(arrays["difference.randomised"], 1)
        assert (arrays["fi_v1.randomised"] < 1).any()


def test_the_listener_hears_every_method_and_how_far_it_is(of_all):
    methods = [line.partition(": measured in ")[0] for line in of_all.lines]
    assert methods == ["random", *METHODS]
    measuring = [event for event in of_all.heard if event.task == "Measuring"]
    steps = [event.step for event in measuring]
    assert steps == sorted(steps)
    assert {event.steps for event in measuring} == {steps[-1]} != {0}
    examples = [(event.step, event.steps) for event in of_all.heard if event.task == "Explaining examples"]
    assert examples == [(step, len(METHODS)) for step in range(1, len(METHODS) + 1)]
