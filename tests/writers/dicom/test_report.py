"""The structured report has each slice's numbers, and refers to the objects that show its maps."""

from __future__ import annotations

import pydicom
import pytest
from support.archive import MAPS, a_series, an_xray, explained, written


def items(node, name):
    """The items below a node whose concept has that meaning."""
    for item in node.ContentSequence:
        if item.get("ConceptNameCodeSequence") and item.ConceptNameCodeSequence[0].CodeMeaning == name:
            yield item
        if "ContentSequence" in item:
            yield from items(item, name)


def groups(report):
    return list(items(report, "Measurement Group"))


def number(group, name):
    (item,) = items(group, name)
    return float(item.MeasuredValueSequence[0].NumericValue)


@pytest.mark.parametrize("make", [a_series, an_xray])
def test_a_group_holds_the_numbers_of_its_slice(make, tmp_path):
    result = explained(make(tmp_path / "in"))
    report = written(tmp_path / "out", result, "dicom")["report"]
    explanation = result.explanation
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"
    assert len(groups(report)) == len(explanation) == (~result.study.blank).sum()
    for row, group in enumerate(groups(report)):
        for name, values in {
            "Probability": explanation.score,
            "Probability of the start image": explanation.score_start,
            "Probability of the adversary": explanation.score_adversary,
            "Completeness residual, relative": explanation.completeness_residual,
        }.items():
            assert number(group, name) == pytest.approx(float(values[row]), rel=1e-5)
        for name, values in {
            "Adversary has the other decision": explanation.crossed,
            "Start image has the decision of the image": explanation.kept,
        }.items():
            (item,) = items(group, name)
            assert item.ConceptCodeSequence[0].CodeMeaning == ("Yes" if values[row] else "No")
        (finding,) = items(group, "Finding")
        assert finding.ConceptCodeSequence[0].CodeValue == "130401"


def test_a_group_refers_to_the_frames_of_its_slice(tmp_path):
    result = explained(a_series(tmp_path / "in"))
    objects = written(tmp_path / "out", result, "dicom")
    by_instance = {read.SOPInstanceUID: (name, read) for name, read in objects.items()}
    sources = [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in result.study.sources]
    explained_slices = [index for index, blank in enumerate(result.study.blank) if not blank]
    for index, group in zip(explained_slices, groups(objects["report"]), strict=True):
        named = []
        for item in [*items(group, "Visual explanation"), *items(group, "Referenced Segmentation Frame")]:
            (reference,) = item.ReferencedSOPSequence
            name, read = by_instance[reference.ReferencedSOPInstanceUID]
            frame = read.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
            source = frame.DerivationImageSequence[0].SourceImageSequence[0]
            assert source.ReferencedSOPInstanceUID == sources[index]
            named.append(name)
        assert named == [*(f"parametric_map_{name}" for name in MAPS), "segmentation"]


def test_all_objects_and_the_sources_are_the_reports_evidence(tmp_path):
    result = explained(an_xray(tmp_path / "in"))
    objects = written(tmp_path / "out", result, "dicom")
    (study,) = objects["report"].CurrentRequestedProcedureEvidenceSequence
    named = {
        instance.ReferencedSOPInstanceUID
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    (source,) = (pydicom.dcmread(path).SOPInstanceUID for path in result.study.sources)
    assert named == {source} | {read.SOPInstanceUID for name, read in objects.items() if name != "report"}


def test_the_observer_is_the_program_and_names_the_bundle(tmp_path):
    report = written(tmp_path / "out", explained(an_xray(tmp_path / "in")), "dicom")["report"]
    (serial,) = items(report, "Device Observer Serial Number")
    assert serial.TextValue == "ab" * 32
    parameters = {item.TextValue for item in items(report, "Algorithm Parameters")}
    assert f"bundle sha256={'ab' * 32}" in parameters
