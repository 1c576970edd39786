"""Shown values of DICOM files: look-up tables and windows, and what of them leaves nothing of an image."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from support.broken_files import dicom, dicom_bytes, picture

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.display import window
from tfadvpath.studies.study import read_study

VALUES = picture(top=3000).astype(np.uint16)
SYNTAXES = pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian],
    ids=lambda syntax: syntax.keyword,
)


def study(folder, dataset):
    path = folder / "image.dcm"
    path.write_bytes(dicom_bytes(dataset))
    return read_study(path)


def unit(values):
    values = np.asarray(values, np.float64)
    return (values - values.min()) / (values.max() - values.min())


def is_shown_as(folder, dataset, values, *remarks):
    read = study(folder, dataset)
    assert not read.blank.any()
    assert len(read.remarks) == len(remarks)
    assert all(part in remark for part, remark in zip(remarks, read.remarks, strict=True))
    np.testing.assert_allclose(read.images[0, ..., 0], unit(values), atol=1e-6)
    return True


def stored_in(values, syntax):
    return values.astype(values.dtype.newbyteorder(">" if syntax == ExplicitVRBigEndian else "<"))


def table(entries, first, bits, vr="OW", syntax=ExplicitVRLittleEndian, first_vr="US", count=None):
    """An item with a look-up table, whose descriptor may name another number of entries."""
    item = Dataset()
    count = len(entries) % 2**16 if count is None else count
    first = first % 2**16 if first_vr == "US" else first
    item.add(DataElement(0x00283002, first_vr, [count, first, bits]))
    if vr in ("US", "SS"):
        item.add(
            DataElement(0x00283006, vr, np.asarray(entries).astype("i2" if vr == "SS" else "u2").tolist())
        )
        return item
    content = np.asarray(entries)
    if content.dtype == np.uint8 and vr == "OW" and syntax == ExplicitVRBigEndian:
        content = content.view("<u2").byteswap()
    elif content.dtype != np.uint8:
        content = stored_in(content.astype(np.uint16), syntax)
    item.add(DataElement(0x00283006, vr, content.tobytes()))
    return item


def through(entries, first, values):
    return np.asarray(entries, np.int64)[np.clip(values.astype(np.int64) - first, 0, len(entries) - 1)]


@SYNTAXES
@pytest.mark.parametrize("vr", ["OW", "US", "SS"])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_a_voi_lut_of_any_depth_maps_the_values(tmp_path, syntax, vr, bits):
    entries = (2**bits - 1) * (np.arange(4000) / 3999) ** 0.4
    entries = np.rint(entries).astype(np.uint16)
    item = table(entries, 17, bits, vr, syntax)
    dataset = dicom(stored_in(VALUES, syntax), syntax=syntax, VOILUTSequence=[item])
    assert is_shown_as(tmp_path, dataset, through(entries, 17, VALUES))


@SYNTAXES
@pytest.mark.parametrize("first_vr", ["US", "SS"])
def test_the_first_value_of_a_voi_lut_is_signed_where_values_may_be(tmp_path, syntax, first_vr):
    entries = np.rint(4095 * (np.arange(4096) / 4095) ** 0.4).astype(np.uint16)
    item = table(entries, -1024, 12, "OW", syntax, first_vr)
    rescaled = dicom(
        stored_in(VALUES, syntax),
        12,
        syntax,
        RescaleSlope="1",
        RescaleIntercept="-1024",
        VOILUTSequence=[item],
    )
    assert is_shown_as(tmp_path, rescaled, entries[VALUES])
    values = (VALUES.astype(np.int64) - 1024).astype(np.int16)
    signed = dicom(stored_in(values, syntax), syntax=syntax, VOILUTSequence=[item])
    assert is_shown_as(tmp_path, signed, entries[VALUES])


def test_the_first_value_is_unsigned_where_values_cannot_be_negative(tmp_path):
    values = (VALUES.astype(np.int64) + 40000).astype(np.uint16)
    entries = np.rint(65535 * (np.arange(4000) / 3999) ** 0.4).astype(np.uint16)
    dataset = dicom(values, VOILUTSequence=[table(entries, 40000, 16)])
    assert is_shown_as(tmp_path, dataset, entries[VALUES])


@SYNTAXES
@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
@pytest.mark.parametrize("vr", ["OW", "OB"])
def test_entries_of_eight_bits_lie_two_in_a_word_or_one_in_a_byte(tmp_path, syntax, sequence, vr):
    values = picture().astype(np.uint8)
    entries = np.random.default_rng(1).permutation(256).astype(np.uint8)
    dataset = dicom(values, syntax=syntax, **{sequence: [table(entries, 0, 8, vr, syntax)]})
    assert is_shown_as(tmp_path, dataset, entries[values])
    wide = table(entries.astype(np.uint16), 0, 8, "OW", syntax)  # one in a word, as old files have it
    assert is_shown_as(tmp_path, dicom(values, syntax=syntax, **{sequence: [wide]}), entries[values])


def test_a_descriptor_of_0_entries_means_65536(tmp_path):
    entries = np.arange(65535, -1, -1).astype(np.uint16)
    values = picture(top=60000).astype(np.uint16)
    dataset = dicom(values, VOILUTSequence=[table(entries, 0, 16)])
    assert is_shown_as(tmp_path, dataset, 65535 - values.astype(int))


@SYNTAXES
def test_a_modality_lut_of_12_bits_and_signed_pixels(tmp_path, syntax):
    values = (VALUES.astype(np.int64) - 2048).astype(np.int16)
    entries = np.random.default_rng(2).permutation(4096).astype(np.uint16)
    item = table(entries, -2048, 12, "US", syntax)
    dataset = dicom(
        stored_in(values, syntax),
        12,
        syntax,
        ModalityLUTSequence=[item],
        WindowCenter="2048",
        WindowWidth="800",
    )
    assert is_shown_as(tmp_path, dataset, window(entries[VALUES], 2048, 800))


@pytest.mark.parametrize("sequence", ["VOILUTSequence", "ModalityLUTSequence"])
@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (
            table(np.arange(100), 0, 12, count=4096),
            "whose LUTDescriptor names 4,096 entries, of which its LUTData",
        ),
        (table(np.arange(100), 0, 16, count=0), "whose LUTDescriptor names 65,536 entries"),
        (
            table(np.arange(100, dtype=np.uint8), 0, 8, count=256),
            "whose LUTDescriptor names 256 entries, of which its LUTData holds 100",
        ),
    ],
)
def test_a_table_that_is_shorter_than_it_says_is_named(tmp_path, sequence, item, problem):
    with pytest.raises(InputError, match=f"has a {sequence} {problem}"):
        study(tmp_path, dicom(VALUES, **{sequence: [item]}))


def test_a_table_without_its_parts_is_named(tmp_path):
    for name in ("LUTDescriptor", "LUTData"):
        item = table(np.arange(10), 0, 12)
        del item[name]
        with pytest.raises(InputError, match=f"has a VOILUTSequence without {name}"):
            study(tmp_path, dicom(VALUES, VOILUTSequence=[item]))
    item = table(np.arange(10), 0, 12)
    item.LUTDescriptor = [10, 0]
    with pytest.raises(InputError, match="whose LUTDescriptor has 2 values instead of 3"):
        study(tmp_path, dicom(VALUES, VOILUTSequence=[item]))


def test_of_several_voi_luts_the_first_is_taken(tmp_path):
    one, other = table(np.arange(4000)[::-1], 0, 12), table(np.arange(4000), 0, 12)
    assert is_shown_as(tmp_path, dicom(VALUES, VOILUTSequence=[one, other]), -VALUES.astype(int))


def test_a_voi_lut_that_leaves_one_value_gives_way_to_the_window(tmp_path):
    flat = table(np.full(4000, 7), 0, 12)
    dataset = dicom(VALUES, VOILUTSequence=[flat], WindowCenter="1000", WindowWidth="501")
    assert is_shown_as(
        tmp_path, dataset, window(VALUES, 1000, 501), "its VOI LUT leaves nothing of the image"
    )


def test_a_modality_transformation_that_leaves_one_value_is_passed_over_with_its_window(tmp_path):
    flat = table(np.full(4000, 7), 0, 12)
    dataset = dicom(VALUES, ModalityLUTSequence=[flat], WindowCenter="7", WindowWidth="2")
    assert is_shown_as(tmp_path, dataset, VALUES, "its modality LUT leaves nothing")
    dataset = dicom(VALUES, RescaleSlope="1e-20", RescaleIntercept="1000", WindowCenter="7", WindowWidth="2")
    assert is_shown_as(tmp_path, dataset, VALUES, "its rescaling leaves nothing")


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
def test_each_function_of_a_window_is_applied(tmp_path, function):
    dataset = dicom(VALUES, WindowCenter="900", WindowWidth="1200")
    if function:
        dataset.VOILUTFunction = function
    assert is_shown_as(tmp_path, dataset, window(VALUES, 900, 1200, function or "LINEAR"))


@pytest.mark.parametrize(
    ("center", "width", "function"),
    [
        ("0", "1", "LINEAR"),  # a placeholder
        ("-500", "400", "LINEAR"),
        ("60000", "400", "LINEAR"),
        ("1e9", "1", "LINEAR_EXACT"),
        ("-1e9", "10", "SIGMOID"),
    ],
)
def test_a_window_beside_all_values_is_passed_over(tmp_path, center, width, function):
    dataset = dicom(VALUES, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    remark = f"its window (center {float(center):g}, width {float(width):g}) leaves nothing of the image"
    assert is_shown_as(tmp_path, dataset, VALUES, remark)


@pytest.mark.parametrize(
    ("center", "width", "function"),
    [
        ("1500", "1", "LINEAR"),
        ("1500", "2", "LINEAR"),
        ("1500.5", "0.5", "LINEAR"),
        ("1500", "0.9", "LINEAR_EXACT"),
    ],
)
def test_a_window_that_is_a_threshold_is_passed_over(tmp_path, center, width, function):
    dataset = dicom(VALUES, WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    assert is_shown_as(tmp_path, dataset, VALUES, "leaves two values of the image and is passed over")


def test_a_threshold_of_an_image_of_two_values_is_no_loss(tmp_path):
    values = (picture() > 100).astype(np.uint8)
    assert is_shown_as(tmp_path, dicom(values, WindowCenter="1", WindowWidth="1"), values)


def test_a_wide_window_that_leaves_two_values_is_applied(tmp_path):
    values = np.array([[0, 100, 1000], [1000, 100, 0]], np.uint16)
    assert is_shown_as(tmp_path, dicom(values, WindowCenter="40", WindowWidth="80"), values > 0)


@pytest.mark.parametrize(
    ("center", "width"), [("50", "0"), ("50", "-5"), ("nan", "50"), ("50", "inf"), ("50", "nan")]
)
@pytest.mark.filterwarnings("ignore")
def test_a_window_without_a_usable_width_or_center_is_passed_over(tmp_path, center, width):
    dataset = dicom(VALUES, WindowCenter="123456", WindowWidth="654321")
    path = tmp_path / "image.dcm"
    content = (
        dicom_bytes(dataset)
        .replace(b"123456", center.encode().ljust(6))
        .replace(b"654321", width.encode().ljust(6))
    )
    path.write_bytes(content)
    read = read_study(path)
    assert "has no usable width or center and is passed over" in read.remarks[0]
    np.testing.assert_allclose(read.images[0, ..., 0], unit(VALUES), atol=1e-6)


@pytest.mark.parametrize(
    ("slope", "center", "width"),
    [("0.00032", "0.5", "1.0"), ("0.001", "1.5", "3"), ("1e-6", "0.0015", "0.003")],
)
def test_a_narrow_window_of_fine_values_is_exact(tmp_path, slope, center, width):
    dataset = dicom(VALUES, RescaleSlope=slope, RescaleIntercept="0", WindowCenter=center, WindowWidth=width)
    expected = np.clip((VALUES * float(slope) - float(center)) / float(width) + 0.5, 0, 1)
    assert is_shown_as(tmp_path, dataset, expected)


@pytest.mark.parametrize(("slope", "width"), [("1", "5"), ("0.3", "500"), ("2.5", "40"), ("-1", "9")])
def test_other_windows_are_those_of_the_standard(tmp_path, slope, width):
    rescaled = VALUES * float(slope)
    center = f"{np.median(rescaled):.6g}"
    dataset = dicom(VALUES, RescaleSlope=slope, RescaleIntercept="0", WindowCenter=center, WindowWidth=width)
    assert is_shown_as(tmp_path, dataset, window(rescaled, float(center), float(width)))


def test_fractions_in_floating_point_keep_their_levels_in_a_window_of_width_1(tmp_path):
    values = (VALUES / 3000).astype(np.float32)
    dataset = dicom(
        VALUES.astype(np.uint32),
        PixelData=None,
        FloatPixelData=values.tobytes(),
        WindowCenter="0.5",
        WindowWidth="1.0",
    )
    assert is_shown_as(tmp_path, dataset, values)


def test_each_kind_of_remark_is_made_once_though_frames_have_their_own_windows(tmp_path):
    def group(center):
        voi, functional = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth = center, 1
        functional.FrameVOILUTSequence = [voi]
        return functional

    frames = np.stack([VALUES] * 3)
    read = study(
        tmp_path, dicom(frames, PerFrameFunctionalGroupsSequence=[group(-center) for center in range(3)])
    )
    assert read.remarks == ("its window (center 0, width 1) leaves nothing of the image and is passed over",)
    assert not read.blank.any()


def test_blank_is_said_of_one_stored_value_alone(tmp_path):
    values = np.full((8, 9), 5, np.uint16)
    assert study(tmp_path, dicom(values, WindowCenter="0", WindowWidth="1")).blank.tolist() == [True]
    values[0, 0] = 0
    padded = dicom(values, PixelPaddingValue=0)
    padded["PixelPaddingValue"].VR = "US"
    assert study(tmp_path, padded).blank.tolist() == [True]
    values[1, 1] = 6
    padded.PixelData = values.tobytes()
    assert study(tmp_path, padded).blank.tolist() == [False]


def test_the_rescaled_values_are_those_of_the_frame_itself(tmp_path):
    def group(slope):
        rescale, functional = Dataset(), Dataset()
        rescale.RescaleSlope, rescale.RescaleIntercept = slope, "3"
        functional.PixelValueTransformationSequence = [rescale]
        return functional

    frames = np.stack([VALUES, VALUES])
    groups = [group("2"), group("-2")]
    read = study(
        tmp_path,
        dicom(frames, PerFrameFunctionalGroupsSequence=groups, WindowCenter="1000", WindowWidth="5000"),
    )
    for image, slope in zip(read.images[..., 0], (2, -2), strict=True):
        np.testing.assert_allclose(image, unit(window(VALUES * float(slope) + 3, 1000, 5000)), atol=1e-6)
