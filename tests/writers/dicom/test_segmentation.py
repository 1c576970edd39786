"""Segmentations hold the most important pixels, or the map as shares of its largest value."""

from __future__ import annotations

import highdicom
import numpy as np
import pydicom
import pytest
from support.archive import MAPS, a_series, an_xray, explained, written

from tfadvpath.writers.dicom.segmentation import top_pixels
from tfadvpath.writers.npz import at_slices


def test_a_binary_segment_is_the_top_of_every_slice_of_its_map(tmp_path):
    result = explained(a_series(tmp_path / "in"))
    read = written(tmp_path / "out", result, "dicom")["segmentation"]
    assert read.SegmentationType == "BINARY"
    assert [segment.SegmentLabel for segment in read.SegmentSequence] == [f"{name}, top 5 %" for name in MAPS]
    order = [path.stem for path in result.study.sources]
    places = {_instance(path): order.index(path.stem) for path in result.study.sources}
    seen = set()
    for frame, group in zip(read.pixel_array, read.PerFrameFunctionalGroupsSequence, strict=True):
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        source = group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        index = places[source]
        values = at_slices(result.explanation.maps[MAPS[number - 1]], result.study.blank, 0)
        shown = result.study.to_grid(values)[index]
        # The pixels are chosen anew: the 22 largest of 24 x 18, which have no ties.
        largest = np.sort(shown.ravel())[-22] if shown.any() else np.inf
        np.testing.assert_array_equal(frame.astype(bool), shown >= largest)
        seen.add((number, index))
    assert seen == {(number, index) for number in (1, 2) for index in range(5)}


def _instance(path):
    return pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID


def test_the_top_holds_no_pixel_that_is_0():
    values = np.zeros((2, 10, 10), np.float32)
    values[0, 0, :2] = [1, 2]
    chosen = top_pixels(values)
    assert chosen[0].sum() == 2
    assert not chosen[1].any()


def test_a_fractional_segment_is_the_map_in_255_levels_of_its_largest_value(tmp_path):
    result = explained(an_xray(tmp_path / "in"))
    read = written(tmp_path / "out", result, "dicom")["segmentation"]
    assert read.SegmentationType == "FRACTIONAL"
    assert read.MaximumFractionalValue == 255
    assert "FrameOfReferenceUID" not in read
    for frame, segment, name in zip(read.pixel_array, read.SegmentSequence, MAPS, strict=True):
        shown = result.study.to_grid(result.explanation.maps[name])
        label, _, largest = segment.SegmentLabel.partition(", full at ")
        assert label == name
        assert float(largest) == pytest.approx(float(shown.max()), rel=1e-3)
        # Rounded to a level.
        np.testing.assert_allclose(frame / 255, shown / shown.max(), atol=0.5 / 255 + 1e-6)


def test_highdicom_reads_a_segmentation_of_an_xray_whose_pixels_have_a_size(tmp_path):
    """It refuses the size of pixels without the thickness of a slice, which an X-ray has not."""
    [path] = an_xray(tmp_path / "in", PixelSpacing=[0.2, 0.1])
    written(tmp_path / "out", explained([path]), "dicom")
    read = highdicom.seg.segread(tmp_path / "out" / "segmentation.dcm")
    shares = read.get_pixels_by_source_instance([pydicom.dcmread(path).SOPInstanceUID])
    assert shares.shape == (1, *pydicom.dcmread(path).pixel_array.shape, len(MAPS))
    assert shares.max() == 1


def test_a_segment_names_the_algorithm_its_version_and_bundle(tmp_path):
    read = written(tmp_path / "out", explained(a_series(tmp_path / "in")), "dicom")["segmentation"]
    for segment in read.SegmentSequence:
        assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "130404"
        (algorithm,) = segment.SegmentationAlgorithmIdentificationSequence
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("tfadvpath syce", "1.2.3")
        assert "ab" * 32 in algorithm.AlgorithmParameters
