"""The report as a person reads it, and as JSON."""

from __future__ import annotations

import json

from tfadvpath.doctor.installation import Fault, Installation, Row

MISSING = Fault("keras is not installed", "tfadvpath needs it", "pip install 'keras>=3'", True)
SLOW = Fault("oneDNN is off", "convolutions are slow", "unset TF_ENABLE_ONEDNN_OPTS", False)
REPORT = Installation(
    (
        Row("processor", "cores", 2, "2 usable"),
        Row("environment", "oneDNN", False, fault=SLOW),
        Row("packages", "keras", None, "not installed", MISSING),
        Row("packages", "again", (), "none", MISSING),
    )
)


def test_the_report_names_each_fault_once_what_is_needed_first():
    assert REPORT.faults == (MISSING, SLOW)
    assert not REPORT.is_whole
    assert Installation(REPORT.rows[:2]).is_whole


def test_the_report_is_lines_with_a_mark_at_each_fault():
    assert str(REPORT).splitlines() == [
        "processor",
        "  cores   2 usable",
        "",
        "environment",
        "! oneDNN  no",
        "",
        "packages",
        "! keras   not installed",
        "! again   none",
        "",
        "Missing or wrong, and the base needs it:",
        "  keras is not installed: tfadvpath needs it. pip install 'keras>=3'",
        "Worth mending, though the base works:",
        "  oneDNN is off: convolutions are slow. unset TF_ENABLE_ONEDNN_OPTS",
    ]


def test_the_json_has_values_by_part_and_name():
    found = json.loads(json.dumps(REPORT.as_json()))
    assert found["is_whole"] is False
    assert found["found"]["processor"] == {"cores": 2}
    assert found["found"]["packages"] == {"keras": None, "again": []}
    assert found["in_words"]["processor"] == {"cores": "2 usable"}
    assert [fault["remedy"] for fault in found["faults"]] == [MISSING.remedy, SLOW.remedy]


def test_a_long_row_is_wrapped_and_a_command_is_not():
    long = Row("extras", "gpu", (), "lacks " + ", ".join(f"nvidia-library-{i}" for i in range(12)))
    report = str(Installation((long, Row("a", "b", "c", fault=MISSING))))
    assert max(map(len, report.splitlines())) <= 100
    assert f"  {MISSING}" in report.splitlines()
