"""DICOM headers: what cannot be read is named, what is not needed is not looked at, and what is no image."""

from __future__ import annotations

import io
import re
import struct

import numpy as np
import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
)
from support.broken_files import dicom, dicom_bytes, picture

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.reader import DicomReader
from tfadvpath.studies.series import read_slice_header
from tfadvpath.studies.study import read_study

PIXELS = picture().astype(np.uint8)
STORAGE = "1.2.840.10008.5.1.4.1.1."


def written(folder, content):
    path = folder / "image.dcm"
    path.write_bytes(content)
    return path


def refused(folder, content):
    """What is said of a file; the line quotes nothing of the patient."""
    with pytest.raises(InputError) as error:
        read_study(written(folder, content))
    line = str(error.value)
    assert "Doe" not in line
    assert len(line) < 500
    return line


def element(tag, vr, value):
    """An element of explicit little endian with a value of any bytes."""
    return struct.pack("<HH2sH", *tag, vr, len(value)) + value


def with_element(name_of_next, content, added):
    """Puts an element before one that is told by its tag."""
    place = content.index(struct.pack("<HH", *name_of_next))
    return content[:place] + added + content[place:]


@pytest.mark.parametrize(
    "name", ["RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "NumberOfFrames"]
)
def test_a_text_that_is_no_number_names_its_attribute(tmp_path, name):
    window = {"WindowCenter": "1", "WindowWidth": "4"} if name.startswith("Window") else {}
    content = dicom_bytes(dicom(PIXELS, **{**window, name: "7654"}))
    damaged = content.replace(b"7654", b"Doe_")
    assert damaged != content
    assert f"its {name} is no number" in refused(tmp_path, damaged)


@pytest.mark.parametrize(
    "name", ["Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation", "SamplesPerPixel"]
)
def test_a_damaged_value_representation_names_its_attribute(tmp_path, name):
    content = dicom_bytes(dicom(PIXELS))
    tag = struct.pack("<HH", *divmod(tag_for_keyword(name), 0x10000))
    for vr in (b"U\x00", b"QS", b"\xff\xfe"):
        damaged = content.replace(tag + b"US", tag + vr)
        assert damaged != content
        assert f"its {name} cannot be read" in refused(tmp_path, damaged)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Rows", "lacks the DICOM attribute Rows"),
        ("Columns", "lacks the DICOM attribute Columns"),
        ("BitsAllocated", "lacks the DICOM attribute BitsAllocated"),
        ("BitsStored", "lacks the DICOM attribute BitsStored"),
        ("PixelRepresentation", "lacks the DICOM attribute PixelRepresentation"),
        ("PhotometricInterpretation", "lacks the DICOM attribute PhotometricInterpretation"),
    ],
)
def test_a_missing_attribute_is_named(tmp_path, name, problem):
    assert problem in refused(tmp_path, dicom_bytes(dicom(PIXELS, **{name: None})))


def test_what_old_files_leave_out_is_not_missed(tmp_path):
    bare = dicom(PIXELS, SamplesPerPixel=None, HighBit=None, Modality=None, SOPClassUID=None)
    assert read_study(written(tmp_path, dicom_bytes(bare))).images.max() == 1


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"Rows": [48, 48]}, "its Rows has 2 values, where one is meant"),
        ({"RescaleSlope": ["1", "2"]}, "its RescaleSlope has 2 values"),
        ({"RescaleSlope": "0"}, "has a RescaleSlope of 0"),
        ({"RescaleSlope": "nan"}, "its RescaleSlope is no finite number"),
        ({"RescaleIntercept": "1e400"}, "its RescaleIntercept is no finite number"),
        ({"RescaleSlope": "1e307", "RescaleIntercept": "1.7e308"}, "that leads to values beyond all numbers"),
        ({"NumberOfFrames": "1.5"}, "its NumberOfFrames is no whole number"),
        ({"PixelRepresentation": 2}, "has the PixelRepresentation 2"),
        ({"SamplesPerPixel": 0}, "has 0 samples per pixel"),
        ({"SamplesPerPixel": 200}, "has 200 samples per pixel"),
        ({"PhotometricInterpretation": "MONOCHROME"}, "has an unknown PhotometricInterpretation"),
        ({"PhotometricInterpretation": "YBR_ICT"}, "is a colour image (YBR_ICT)"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_an_unusable_attribute_is_named(tmp_path, attributes, problem):
    assert problem in refused(tmp_path, dicom_bytes(dicom(PIXELS, **attributes)))


@pytest.mark.parametrize("text", ["2,25", "2.25", "+2.25", " 2.25", "225e-2", ".225E1"])
def test_decimal_commas_and_other_spellings_are_the_same_number(tmp_path, text):
    content = dicom_bytes(dicom(PIXELS, WindowCenter="0123456789", WindowWidth="4.5"))
    padded = text.encode().ljust(10)
    one = read_study(written(tmp_path, content.replace(b"0123456789", padded))).images
    right = np.clip((PIXELS - 1.75) / 3.5 + 0.5, 0, 1)
    np.testing.assert_allclose(one[0, ..., 0], (right - right.min()) / np.ptp(right), atol=1e-6)


def test_attributes_that_are_not_needed_are_not_looked_at(tmp_path):
    content = dicom_bytes(dicom(PIXELS))
    for added in (
        element((0x0010, 0x1010), b"DS", b"no number"),  # of the patient
        element((0x0010, 0x1020), b"??", b"1234"),
        element((0x0018, 0x0050), b"DS", b"a\\b\\c"),
        element((0x0020, 0x0013), b"IS", b"x"),
    ):
        damaged = with_element((0x0028, 0x0002), content, added)
        assert read_study(written(tmp_path, damaged)).images.max() == 1


def test_a_broken_sequence_that_is_not_needed_is_passed_over(tmp_path):
    content = dicom_bytes(dicom(PIXELS))
    for tag in ((0x0020, 0x9221), (0x0019, 0x1010)):
        added = struct.pack("<HH2sHI", *tag, b"SQ", 0, 40) + b"\xff" * 40
        damaged = with_element((0x0028, 0x0002), content, added)
        assert read_study(written(tmp_path, damaged)).images.max() == 1


def test_a_broken_sequence_that_is_needed_is_named(tmp_path):
    added = struct.pack("<HH2sHI", 0x5200, 0x9230, b"SQ", 0, 40) + b"\xff" * 40
    content = with_element((0x7FE0, 0x0010), dicom_bytes(dicom(PIXELS)), added)
    assert "its PerFrameFunctionalGroupsSequence cannot be read" in refused(tmp_path, content)


def test_a_header_that_is_cut_names_where(tmp_path):
    content = dicom_bytes(dicom(PIXELS, PatientComments="Doe" * 100))
    cut = content[: content.index(b"DoeDoe") + 20]
    assert re.search(
        r"is truncated or damaged: its PatientComments is \d+ bytes longer", refused(tmp_path, cut)
    )


def test_the_icon_of_a_file_without_pixels_is_not_taken_for_pixels_that_were_cut(tmp_path):
    icon = Dataset()
    icon.Rows, icon.Columns, icon.PixelData = 2, 2, b"abcd"
    icon["PixelData"].VR = "OB"
    line = refused(tmp_path, dicom_bytes(dicom(PIXELS, PixelData=None, IconImageSequence=[icon])))
    assert "holds no pixel data (Secondary Capture Image Storage)" in line


def test_the_series_header_is_read_within_the_same_bounds(tmp_path):
    whole = dicom(PIXELS, Modality="MR", SeriesInstanceUID="1.2.3", InstanceNumber=7)
    header = read_slice_header(written(tmp_path, dicom_bytes(whole)))
    assert (header.series, header.number, header.size) == ("1.2.3", 7, (48, 40))
    for change in ({"SOPClassUID": f"{STORAGE}66.4"}, {"Rows": 0}, {"NumberOfFrames": 2}):
        other = dicom(PIXELS, **{"Modality": "MR", "SeriesInstanceUID": "1.2.3", **change})
        assert read_slice_header(written(tmp_path, dicom_bytes(other))) is None
    assert read_slice_header(written(tmp_path, b"\x08\x00" * 300)) is None


@pytest.mark.parametrize(
    ("uid", "modality", "problem"),
    [
        ("66.4", "SEG", "is a segmentation (Segmentation Storage)"),
        ("66.4", "CT", "is a segmentation (Segmentation Storage)"),
        ("66.7", "", "is a segmentation (1.2.840.10008.5.1.4.1.1.66.7)"),
        ("66.5", "SEG", "is a segmentation (Surface Segmentation Storage)"),
        ("999.1", "SEG", "is a segmentation (modality SEG)"),
        ("481.2", "RTDOSE", "is a dose distribution (RT Dose Storage)"),
        ("481.3", "RTSTRUCT", "is a set of contours (RT Structure Set Storage)"),
        ("481.5", "RTPLAN", "is a radiotherapy plan (RT Plan Storage)"),
        ("481.18", "RTRECORD", "is a record of a treatment"),
        ("11.1", "PR", "is a presentation state (Grayscale Softcopy Presentation State Storage)"),
        ("11.8", "PR", "is a presentation state"),
        ("88.22", "SR", "is a structured report (Enhanced SR Storage)"),
        ("88.59", "KO", "is a selection of key objects (Key Object Selection Document Storage)"),
        ("67", "RWV", "is a mapping to real-world values"),
        ("66.1", "REG", "is a registration (Spatial Registration Storage)"),
        ("66.3", "REG", "is a registration"),
        ("66.2", "FID", "is a set of fiducials"),
        ("66", "MR", "is raw data (Raw Data Storage)"),
        ("104.1", "DOC", "is an encapsulated document or model (Encapsulated PDF Storage)"),
        ("9.1.1", "ECG", "is a waveform (12-lead ECG Waveform Storage)"),
    ],
)
def test_an_object_that_is_no_image_is_refused_by_its_class_or_its_modality(tmp_path, uid, modality, problem):
    for pixels in (dicom(PIXELS).PixelData, None):
        dataset = dicom(PIXELS, SOPClassUID=STORAGE + uid, Modality=modality, PixelData=pixels)
        line = refused(tmp_path, dicom_bytes(dataset))
        assert problem in line
        assert "not an image" in line


@pytest.mark.parametrize(
    ("uid", "modality"),
    [
        ("7", "OT"),
        ("481.1", "RTIMAGE"),
        ("30", "MR"),
        ("7", "DOC"),
        ("77.1.6", "SM"),
        ("2", ""),
        ("9999", "XX"),
    ],
)
def test_images_of_any_other_kind_are_read(tmp_path, uid, modality):
    dataset = dicom(PIXELS, SOPClassUID=STORAGE + uid, Modality=modality)
    assert read_study(written(tmp_path, dicom_bytes(dataset))).images.max() == 1


def headerless(syntax):
    given = {"PatientName": "Doe^Jane", "StudyDate": "20200101", "ImageType": ["DERIVED", "SECONDARY"]}
    dataset = dicom(PIXELS, syntax=syntax, **given)
    del dataset.file_meta
    dataset.preamble = None
    buffer = io.BytesIO()
    dataset.save_as(buffer, implicit_vr=syntax.is_implicit_VR, little_endian=syntax.is_little_endian)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian], ids=lambda s: s.keyword
)
def test_a_file_without_preamble_is_known_by_its_first_elements(tmp_path, syntax):
    content = headerless(syntax)
    assert DicomReader().recognizes(content[:1024])
    path = tmp_path / "IM7"
    path.write_bytes(content)
    right = (PIXELS - PIXELS.min()) / np.ptp(PIXELS.astype(float))
    np.testing.assert_allclose(read_study(path).images[0, ..., 0], right, atol=1e-7)


def test_a_file_that_starts_with_its_magic_or_its_meta_information_is_known(tmp_path):
    content = dicom_bytes(dicom(PIXELS))
    for head in (content[128:], content[132:]):
        assert DicomReader().recognizes(head[:1024])
        path = tmp_path / "bare"
        path.write_bytes(head)
        assert read_study(path).images.max() == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x08\x00",
        b"\x02\x00\x00\x00" * 300,
        b"\x08\x00\x05\x00CS\x0a\x00" + b"text " * 300,
        b"\x02\x00\x00\x00\x00\x04\x00\x00" + bytes(1200),
        b"\x00\x08\x00\x05" * 300,
        b"a note about DICM files\n" * 50,
        bytes(1200),
        struct.pack("<300i", *range(2, 302)),
        struct.pack("<300H", *range(8, 308)),
    ],
)
def test_other_files_are_not_taken_for_dicom(content):
    assert not DicomReader().recognizes(content[:1024])


def test_a_transfer_syntax_that_is_not_read_is_named_with_a_remedy_that_helps(tmp_path):
    def line(uid):
        content = dicom_bytes(dicom(PIXELS))
        old = b"1.2.840.10008.1.2.1\x00"
        fitting = uid.encode() + b"\x00" * (len(uid) % 2)
        length = struct.pack("<H", len(fitting))
        return refused(
            tmp_path, content.replace(b"UI" + struct.pack("<H", len(old)) + old, b"UI" + length + fitting)
        )

    assert "names the compression JPEG Baseline (Process 1)" in line(JPEGBaseline8Bit)
    assert "is in the transfer syntax 1.2.840.113619.5.2, which is not read" in line("1.2.840.113619.5.2")
    assert "has a TransferSyntaxUID that is no identifier" in line("Doe")


@pytest.mark.parametrize(
    ("uid", "remedy"),
    [
        ("1.2.840.10008.1.2.4.70", "gdcmconv --raw IN OUT"),
        ("1.2.840.10008.1.2.4.57", "gdcmconv --raw IN OUT"),
        ("1.2.840.10008.1.2.4.102", "Save the frames of interest as PNG files"),
        ("1.2.840.10008.1.2.4.92", "Export it uncompressed"),
        ("1.2.840.10008.1.2.4.110", "Export it uncompressed"),
        ("1.2.840.10008.1.2.1", "Correct its TransferSyntaxUID"),
    ],
)
def test_compression_without_a_decoder_is_named(tmp_path, uid, remedy):
    content = dicom_bytes(dicom(PIXELS, syntax=RLELossless, frames=encapsulate([b"abcd"])))
    old, new = b"1.2.840.10008.1.2.5\x00", uid.encode() + b"\x00" * (len(uid) % 2)
    start = content.index(b"UI\x14\x00" + old)
    content = content[:start] + b"UI" + struct.pack("<H", len(new)) + new + content[start + 24 :]
    line = refused(tmp_path, content)
    assert uid in line
    assert UID(uid).name in line
    assert remedy in line
    assert "python-gdcm" not in line or "JPEG" in line
