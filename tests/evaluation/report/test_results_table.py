"""The script that fills a page with the tables of evaluations."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "results_table.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("results_table", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def evaluation(tmp_path):
    """A folder as ``tfadvpath evaluate`` leaves it, as far as the script reads it."""
    folder = tmp_path / "evaluation"
    folder.mkdir()
    rows = ["map,against,metric,part,value,low,high"]
    for key, iou, weight in (("cyce_difference", 0.2, ""), ("cyce_fi_v2", 0.3, 0.1)):
        rows.append(f"{key},,iou,98 exact,{iou},{iou - 0.1},{iou + 0.1}")
        rows.append(f"{key},,relevance,all,0.5,0.4,0.6")
        if weight:
            rows.append(f"{key},,cascade_weight,last layer,{weight},0.0,0.2")
        for part in ("found", "missed", "small", "large"):
            rows.append(f"{key},,iou_{part},98 exact,{iou},{iou},{iou}")
    rows.append("best_possible,,iou,98 exact,0.9,0.8,1.0")
    rows += ["random_order,,iou,98 exact,0.01,0.0,0.02", "random,,relevance,all,0.25,0.2,0.3"]
    rows.append("random,,aopc,all 16 %,0.5,0.4,0.6")
    rows.append("cyce_fi_v2,cyce_difference,iou,98 exact,0.1,0.0,0.2")
    (folder / "measurements.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    comparison = {"map": "cyce_fi_v2", "against": "cyce_difference", "percentile": 98.0, "metric": "iou"}
    comparison |= {"better_by": 0.1, "low": 0.01, "high": 0.2, "verdict": "holds"}
    elsewhere = comparison | {"percentile": 99.0, "verdict": "does not hold"}
    report = {
        "options": {"percentiles": [98.0], "seed": 3, "second_perturbation": None},
        "maps": {"cyce_difference": {"title": "CyCE E"}, "cyce_fi_v2": {"title": "CyCE v2"}},
        "counts": {"images": 20, "patients": 5, "localised": 9, "relevance": 8},
        "origin": {"Command": "tfadvpath evaluate RUN", "Bundle": "b", "Versions": "v", "Time": "2 minutes"},
        "claims": [
            {
                "kind": kind,
                "verdict": "holds",
                "comparisons": compared,
                "text": "CyCE v2 is better than CyCE E",
            }
            for kind, compared in (
                ("main", [comparison, elsewhere]),
                ("reference", [comparison]),
                ("further", []),
            )
        ],
        "paper": [
            {"metric": "iou", "percentile": 98.0, "map": "cyce_fi_v2", "value": 0.376},
            {"metric": "iou", "percentile": 99.0, "map": "cyce_fi_v2", "value": 0.322},
            {"metric": "relevance", "percentile": None, "map": "random", "value": 0.066},
        ],
        "pairs": {"cyce": {"sentences": ["They cross."]}},
    }
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")
    (folder / "table_6.md").write_text("**Table 6**\n\n| figure | CyCE |\n| --- | ---: |\n\nA note.\n")
    return folder


PAGE = """# Results

<!-- brain maps -->
old
<!-- end -->

Words between.

<!-- other maps -->
kept
<!-- end -->
"""


def filled(script, kind, folder, name="brain"):
    return script.filled_page(f"<!-- {name} {kind} -->\n<!-- end -->", {name: folder})


def test_the_parts_of_a_name_are_replaced_and_nothing_else(script, evaluation):
    page = script.filled_page(PAGE, {"brain": evaluation})
    assert "old" not in page
    assert "Words between." in page
    assert "<!-- other maps -->\nkept\n<!-- end -->" in page
    assert "| CyCE E | 0.200 [0.100, 0.300] | – |" in page
    assert "| best possible | 0.900 [0.800, 1.000] | – | – | – | – | – | – |" in page
    # AOPC is relative to random orders.
    assert "| random order | 0.010 [0.000, 0.020] | – | – | 0.250 [0.200, 0.300] | – | – | 0.066 |" in page
    [row] = [line for line in page.splitlines() if line.startswith("| CyCE v2 ")]
    assert row.endswith("| 0.376 | – |")
    assert script.filled_page(page, {"brain": evaluation}) == page


def test_every_kind_of_table(script, evaluation):
    verdict = "| CyCE v2 | CyCE E | 0.100 [0.010, 0.200] | 0 better, 1 worse | holds |"
    assert verdict in filled(script, "verdicts", evaluation)
    assert "| CyCE v2 | CyCE E | 0.100 [0.010, 0.200] | holds |" in filled(script, "chance", evaluation)
    assert "CyCE v2" not in filled(script, "further", evaluation)
    findings = filled(script, "findings", evaluation)
    assert "IoU 98, missed" in findings
    assert "| CyCE v2 | 0.300 [0.300, 0.300] | 0.300" in findings
    assert "| CyCE v2 | 0.100 [0.000, 0.200] | – |" in filled(script, "cascade", evaluation)
    pairs = filled(script, "pairs", evaluation)
    assert "| figure | CyCE |" in pairs
    assert "**cyce**: They cross." in pairs
    origin = filled(script, "origin", evaluation)
    assert "    tfadvpath evaluate RUN\n" in origin
    assert "Seed: 3" in origin
    assert "2 minutes" in origin


def test_an_agreement_has_one_kind(script, tmp_path):
    (tmp_path / "agreement.md").write_text("**Agreement**\n\n| map | bundles |\n", encoding="utf-8")
    assert "| map | bundles |" in filled(script, "agreement", tmp_path)


def test_an_unknown_kind_ends_the_script_with_a_line(evaluation, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- brain magic -->\n<!-- end -->\n", encoding="utf-8")
    command = [sys.executable, SCRIPT, page, f"brain={evaluation}"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith("brain magic: no such table")
