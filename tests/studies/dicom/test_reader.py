"""DICOM files: every free transfer syntax, and the way from stored to shown values."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from support.broken_files import dicom, dicom_bytes, jpeg_bytes, picture

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.display import window
from tfadvpath.studies.study import read_study

EIGHT_BIT = picture().astype(np.uint8)
TWELVE_BIT = picture(top=4095).astype(np.uint16)


def shown(folder: Path, dataset: FileDataset) -> np.ndarray:
    """The images [N, rows, columns] of a data set that was written to a file."""
    path = folder / "image.dcm"
    path.write_bytes(dicom_bytes(dataset))
    return read_study(path).images[..., 0]


def unit(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
    ids=lambda syntax: syntax.keyword,
)
def test_uncompressed_syntaxes_give_the_stored_values(tmp_path, syntax):
    values = TWELVE_BIT.astype(">u2" if syntax == ExplicitVRBigEndian else "<u2")
    np.testing.assert_allclose(shown(tmp_path, dicom(values, 12, syntax))[0], unit(TWELVE_BIT), atol=1e-7)


@pytest.mark.parametrize("values", [EIGHT_BIT, TWELVE_BIT], ids=["8bit", "12bit"])
@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda s: s.keyword)
def test_lossless_syntaxes_give_the_stored_values(tmp_path, syntax, values):
    dataset = dicom(values, 12 if values.dtype == np.uint16 else 8)
    dataset.compress(syntax)
    np.testing.assert_allclose(shown(tmp_path, dataset)[0], unit(values), atol=1e-7)


@pytest.mark.parametrize(
    ("syntax", "options"),
    [(JPEG2000, {"j2k_cr": [2]}), (JPEGLSNearLossless, {"jls_error": 2})],
    ids=["JPEG2000", "JPEGLSNearLossless"],
)
def test_lossy_syntaxes_give_nearly_the_stored_values(tmp_path, syntax, options):
    dataset = dicom(EIGHT_BIT)
    dataset.compress(syntax, **options)
    assert np.abs(shown(tmp_path, dataset)[0] - unit(EIGHT_BIT)).max() < 0.04


def test_jpeg_baseline_gives_nearly_the_stored_values(tmp_path):
    dataset = dicom(EIGHT_BIT, syntax=JPEGBaseline8Bit, frames=encapsulate([jpeg_bytes(EIGHT_BIT)]))
    difference = np.abs(shown(tmp_path, dataset)[0] - unit(EIGHT_BIT))
    assert difference.mean() < 0.01
    assert difference.max() < 0.15  # at the square's edge


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_every_width_and_sign_is_read(tmp_path, dtype):
    values = (picture(top=120) - (60 if np.issubdtype(dtype, np.signedinteger) else 0)).astype(dtype)
    np.testing.assert_allclose(shown(tmp_path, dicom(values))[0], unit(values), atol=1e-7)


@pytest.mark.parametrize("bits_stored", [9, 10, 14, 16])
def test_signed_values_of_fewer_stored_bits_keep_their_sign(tmp_path, bits_stored):
    half = 2 ** (bits_stored - 1)
    values = (picture(top=2 * half - 1) - half).astype(np.int16)
    np.testing.assert_allclose(shown(tmp_path, dicom(values, bits_stored))[0], unit(values), atol=1e-6)


def test_each_frame_is_an_image_scaled_by_itself(tmp_path):
    frames = np.stack([EIGHT_BIT // 2, EIGHT_BIT[::-1], np.full_like(EIGHT_BIT, 9)])
    path = tmp_path / "frames.dcm"
    path.write_bytes(dicom_bytes(dicom(frames)))
    study = read_study(path)
    np.testing.assert_allclose(study.images[1, ..., 0], unit(frames[1]), atol=1e-7)
    assert study.images[0].max() == 1
    assert study.blank.tolist() == [False, False, True]
    assert study.to_grid(study.images).shape == frames.shape


def test_monochrome1_is_shown_inverted(tmp_path):
    bright = shown(tmp_path, dicom(TWELVE_BIT, 12))
    twin = shown(tmp_path, dicom(4095 - TWELVE_BIT, 12, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_allclose(twin, bright, atol=1e-7)


def test_a_negative_rescale_slope_inverts(tmp_path):
    plain = shown(tmp_path, dicom(TWELVE_BIT, 12))
    turned = shown(tmp_path, dicom(TWELVE_BIT, 12, RescaleSlope=-2, RescaleIntercept=7))
    np.testing.assert_allclose(turned, 1 - plain, atol=1e-6)


def test_window_equals_values_by_hand():
    values = np.array([-1000, 0, 24, 25, 49, 50, 51, 74, 75, 99, 100, 3000])
    # Linear, center 50, width 51: black up to 24.5, white above 74.5, and 49.5 in the middle.
    expected = [0, 0, 0, 0.01, 0.49, 0.51, 0.53, 0.99, 1, 1, 1, 1]
    np.testing.assert_allclose(window(values, 50, 51), expected, atol=1e-12)
    # Exact, center 50, width 50: from 25 to 75.
    expected = [0, 0, 0, 0, 0.48, 0.5, 0.52, 0.98, 1, 1, 1, 1]
    np.testing.assert_allclose(window(values, 50, 50, "LINEAR_EXACT"), expected, atol=1e-12)
    sigmoid = window(np.array([50, 75, -10000, 10000]), 50, 50, "SIGMOID")
    np.testing.assert_allclose(sigmoid, [0.5, 1 / (1 + np.exp(-2)), 0, 1], atol=1e-12)
    assert window(np.array([4, 5]), 5, 1).tolist() == [0, 1]


def test_the_window_holds_for_rescaled_values(tmp_path):
    values = np.arange(0, 200, 2, dtype=np.uint16).reshape(10, 10)
    dataset = dicom(
        values, RescaleSlope=2, RescaleIntercept=-100, WindowCenter=["50", "0"], WindowWidth=["51", "9"]
    )
    np.testing.assert_allclose(shown(tmp_path, dataset)[0], window(values * 2.0 - 100, 50, 51), atol=1e-7)


@pytest.mark.parametrize("width", ["0", "-5", ""])
def test_a_window_without_width_is_passed_over(tmp_path, width):
    dataset = dicom(EIGHT_BIT, WindowCenter="50", WindowWidth=width)
    np.testing.assert_allclose(shown(tmp_path, dataset)[0], unit(EIGHT_BIT), atol=1e-7)


def test_a_voi_lut_maps_before_scaling_and_its_ends_hold_beyond_it(tmp_path):
    table = Dataset()
    table.LUTDescriptor = [4, 10, 8]
    table.LUTData = [0, 10, 40, 100]
    table["LUTDescriptor"].VR = table["LUTData"].VR = "US"
    values = np.array([[0, 10, 11], [12, 13, 267]], dtype=np.uint16)
    images = shown(tmp_path, dicom(values, VOILUTSequence=[table], WindowCenter="5", WindowWidth="2"))
    np.testing.assert_allclose(images[0], [[0, 0, 0.1], [0.4, 1, 1]], atol=1e-7)


def test_frames_of_an_enhanced_file_have_their_own_windows(tmp_path):
    def group(center: float) -> Dataset:
        voi, functional = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = center, 51
        functional.FrameVOILUTSequence = [voi]
        return functional

    frames = np.stack([EIGHT_BIT, EIGHT_BIT])
    images = shown(tmp_path, dicom(frames, PerFrameFunctionalGroupsSequence=[group(50), group(100)]))
    np.testing.assert_allclose(images[0], unit(window(EIGHT_BIT, 50, 51)), atol=1e-6)
    np.testing.assert_allclose(images[1], unit(window(EIGHT_BIT, 100, 51)), atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_dark_and_leaves_the_contrast(tmp_path, photometric):
    values = (picture(top=1000) - 200).astype(np.int16)
    inside = values[2:, 2:]
    padded = values.copy()
    padded[:2] = padded[:, :2] = -2000
    images = shown(tmp_path, dicom(padded, PixelPaddingValue=-2000, PhotometricInterpretation=photometric))
    expected = unit(inside) if photometric == "MONOCHROME2" else 1 - unit(inside)
    np.testing.assert_allclose(images[0, 2:, 2:], expected, atol=1e-6)
    assert (images[0, :2] == 0).all()


def test_a_patient_age_without_a_unit_neither_warns_nor_fails(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dicom(EIGHT_BIT, PatientAge="62")
        path = tmp_path / "age.dcm"
        path.write_bytes(dicom_bytes(dataset))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_study(path).images.max() == 1


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian], ids=lambda s: s.keyword)
def test_a_file_without_preamble_and_meta_is_read(tmp_path, syntax):
    dataset = dicom(TWELVE_BIT, 12, syntax)
    del dataset.file_meta
    path = tmp_path / "old.dcm"
    dataset.preamble = None
    dataset.save_as(path, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    assert path.read_bytes()[:2] == b"\x08\x00"
    np.testing.assert_allclose(read_study(path).images[0, ..., 0], unit(TWELVE_BIT), atol=1e-7)


def test_a_jpeg_of_fewer_frames_than_said_is_refused(tmp_path):
    frames = np.stack([EIGHT_BIT] * 3)
    with pytest.raises(InputError, match="holds 1 of 3 frames"):
        shown(tmp_path, dicom(frames, syntax=JPEGBaseline8Bit, frames=encapsulate([jpeg_bytes(EIGHT_BIT)])))


def test_more_frames_than_said_are_refused(tmp_path):
    dataset = dicom(np.stack([EIGHT_BIT] * 3))
    dataset.compress(RLELossless)
    dataset.NumberOfFrames = 2
    with pytest.raises(InputError, match="holds more than the 2 frames"):
        shown(tmp_path, dataset)


@pytest.mark.parametrize("left", [0.3, 0.98])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless], ids=lambda s: s.keyword)
def test_a_compressed_frame_that_was_cut_is_refused(tmp_path, syntax, left):
    noise = np.random.default_rng(3).integers(0, 4096, (48, 40)).astype(np.uint16)
    dataset = dicom(noise, 12)
    dataset.compress(syntax)
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    cut = dicom(noise, 12, syntax, frames=encapsulate([frame[: int(len(frame) * left)]]))
    with pytest.raises(InputError, match="is truncated"):
        shown(tmp_path, cut)


@pytest.mark.real_data
def test_the_genuine_chest_x_ray_is_read_and_its_twin_inverted(real_data):
    folder = real_data / "cxr_dicom"
    (genuine,) = folder.glob("1.2.276*.dcm")
    one = read_study(genuine).images
    other = read_study(folder / "Fake_MONOHR1.dcm").images
    np.testing.assert_allclose(other, 1 - one, atol=1e-6)
    assert one.shape == (1, 1024, 1024, 1)
