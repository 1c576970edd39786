"""Parametric Maps hold the arrays' values at their places in the patient."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pydicom
import pytest
from support.archive import a_series, explained, written
from support.series import AXIAL, CORONAL, SAGITTAL, noise, oblique

from tfadvpath.writers.formats import formats

# DICOM's axes point to the left and the back, NIfTI's to the right and the front.
TO_RAS = np.array([-1.0, -1.0, 1.0])
DIRECTIONS = {
    "axial": (AXIAL, 3.0),
    "upside down": (AXIAL, -3.0),
    "mirrored": (AXIAL * [[-1.0], [1.0]], 3.0),
    "turned": (AXIAL[::-1], 3.0),
    "coronal": (CORONAL, 3.0),
    "sagittal": (SAGITTAL, -2.0),
    "oblique": (oblique(), 3.0),
    "oblique and flipped": (-oblique((1.2, 0.5, -0.7)), -2.5),
}


@pytest.fixture(params=DIRECTIONS)
def result(request, tmp_path):
    directions, step = DIRECTIONS[request.param]
    slices = noise(5, 24, 18)
    slices[2] = 7  # blank
    return explained(a_series(tmp_path / "in", slices, directions=directions, step=step))


@pytest.mark.slow
def test_each_frame_is_the_arrays_map_on_the_slice_at_its_place(result, tmp_path):
    read = written(tmp_path / "out", result, "dicom")["parametric_map_difference"]
    formats()["npz"].write(tmp_path, result)
    with np.load(tmp_path / "explanation.npz") as arrays:
        maps = result.study.to_grid(arrays["difference"])  # [slices, rows, columns] of the files
    frames = read.pixel_array
    assert frames.dtype == np.float32
    assert frames.shape == maps.shape
    found = []
    for frame, group in zip(frames, read.PerFrameFunctionalGroupsSequence, strict=True):
        ((source,),) = (each.SourceImageSequence for each in group.DerivationImageSequence)
        (index,) = (
            i
            for i, path in enumerate(result.study.sources)
            if pydicom.dcmread(path).SOPInstanceUID == source.ReferencedSOPInstanceUID
        )
        file = pydicom.dcmread(result.study.sources[index])
        np.testing.assert_array_equal(frame, maps[index])
        np.testing.assert_allclose(
            group.PlanePositionSequence[0].ImagePositionPatient, file.ImagePositionPatient
        )
        found.append(index)
    assert sorted(found) == [0, 1, 2, 3, 4]
    (shared,) = read.SharedFunctionalGroupsSequence
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == file.ImageOrientationPatient
    assert shared.PixelMeasuresSequence[0].PixelSpacing == file.PixelSpacing


@pytest.mark.slow
def test_every_pixel_is_where_the_nifti_volume_has_its_value(result, tmp_path):
    """Two ways into the patient: by the frames' attributes, and by the affine of the other format."""
    read = written(tmp_path / "out", result, "dicom")["parametric_map_difference"]
    formats()["nifti"].write(tmp_path, result)
    volume = nib.load(tmp_path / "difference.nii.gz")
    values = np.asarray(volume.dataobj)
    (shared,) = read.SharedFunctionalGroupsSequence
    directions = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    across, down = between_columns * directions[:3], between_rows * directions[3:]
    rows, columns = np.mgrid[: read.Rows, : read.Columns]
    for frame, group in zip(read.pixel_array, read.PerFrameFunctionalGroupsSequence, strict=True):
        corner = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
        places = corner + columns[..., None] * across + rows[..., None] * down
        indices = nib.affines.apply_affine(np.linalg.inv(volume.affine), places * TO_RAS)
        nearest = np.rint(indices).astype(int)
        np.testing.assert_allclose(indices, nearest, atol=1e-3)  # numbers in files have 16 characters
        np.testing.assert_array_equal(frame, values[tuple(np.moveaxis(nearest, -1, 0))])


def test_a_map_is_a_saliency_in_its_own_values(tmp_path):
    result = explained(a_series(tmp_path / "in"))
    read = written(tmp_path / "out", result, "dicom")["parametric_map_fi_v2_smooth"]
    (group,) = read.SharedFunctionalGroupsSequence
    (mapping,) = group.RealWorldValueMappingSequence
    (quantity,) = mapping.QuantityDefinitionSequence
    assert quantity.ConceptCodeSequence[0].CodeValue == "130404"
    assert (mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept) == (1, 0)
    largest = mapping.DoubleFloatRealWorldValueLastValueMapped
    assert largest == pytest.approx(float(read.pixel_array.max()))
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert read.ContentLabel == "FI_V2_SMOOTH"
    assert read.ContentQualification == "RESEARCH"
    (window,) = group.FrameVOILUTSequence
    assert window.VOILUTFunction == "LINEAR_EXACT"
    assert float(window.WindowCenter) == pytest.approx(float(window.WindowWidth) / 2)
    assert 0 < window.WindowWidth <= largest
