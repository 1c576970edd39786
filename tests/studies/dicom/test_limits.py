"""Small DICOM files that claim much: refused before memory or time is taken for it."""

from __future__ import annotations

import io
import struct
import tracemalloc

import numpy as np
import pytest
from openjpeg.utils import encode_array
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)
from support.broken_files import deflated_dicom, dicom, dicom_bytes, jpeg_bytes, picture

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom import decode, parse
from tfadvpath.studies.series import read_slice_header
from tfadvpath.studies.study import read_study

PIXELS = picture().astype(np.uint8)
ITEM = b"\xfe\xff\x00\xe0"


@pytest.fixture
def _few_reads(monkeypatch):
    monkeypatch.setattr(parse, "MOST_READS", 1000)


def refused(folder, content, problem):
    path = folder / "image.dcm"
    path.write_bytes(content)
    assert path.stat().st_size < 10_000_000
    read_slice_header(path)
    with pytest.raises(InputError, match=problem):
        read_study(path)
    return True


def meta_end(content):
    return 144 + int.from_bytes(content[140:144], "little")


def test_a_deflated_file_is_inflated_no_further_than_an_image_of_its_size(tmp_path):
    bomb = deflated_dicom(1000)
    assert len(bomb) < 1_200_000
    tracemalloc.start()
    assert refused(tmp_path, bomb, "which no image of a patient does")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 400 * 2**20
    path = tmp_path / "fine.dcm"
    path.write_bytes(deflated_dicom(1))
    assert read_study(path).images.max() == 1


def test_a_deflated_file_that_is_cut_or_damaged_is_refused(tmp_path):
    content = dicom_bytes(dicom(PIXELS, syntax=DeflatedExplicitVRLittleEndian))
    assert refused(tmp_path, content[:-20], "its deflated data set ends early")
    damaged = bytearray(content)
    damaged[meta_end(content) + 1] ^= 0xFF
    assert refused(tmp_path, bytes(damaged), "is truncated or damaged: its deflated data set")


@pytest.mark.usefixtures("_few_reads")
@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.parametrize("tag", [(0x0008, 0x1140), (0x5200, 0x9230)])
def test_sequences_of_endless_items_are_refused(tmp_path, tag, defined):
    items = (ITEM + bytes(4)) * 1000
    head = struct.pack("<HH2sHI", *tag, b"SQ", 0, len(items) if defined else 0xFFFFFFFF)
    added = head + items + (b"" if defined else b"\xfe\xff\xdd\xe0\0\0\0\0")
    content = dicom_bytes(dicom(PIXELS))
    place = content.index(struct.pack("<HH2s", 0x0028, 0x0002, b"US") if tag[0] == 8 else b"\xe0\x7f\x10\x00")
    content = content[:place] + added + content[place:]
    if defined and tag[0] == 8:  # nobody looks into it
        path = tmp_path / "image.dcm"
        path.write_bytes(content)
        assert read_study(path).images.max() == 1
    else:
        assert refused(tmp_path, content, "more elements than any image needs")


@pytest.mark.usefixtures("_few_reads")
def test_headers_of_endless_elements_or_depth_are_refused(tmp_path):
    content = dicom_bytes(dicom(PIXELS))
    place = content.index(struct.pack("<HH2s", 0x0028, 0x0002, b"US"))
    many = b"".join(struct.pack("<HH2sH", 9 + 2 * (i // 2**16), i % 2**16, b"LO", 0) for i in range(2000))
    assert refused(tmp_path, content[:place] + many + content[place:], "more elements than any image needs")


def test_a_header_that_is_nested_too_deeply_is_refused(tmp_path):
    content = dicom_bytes(dicom(PIXELS))
    place = content.index(struct.pack("<HH2s", 0x0028, 0x0002, b"US"))
    deep = (struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + ITEM + b"\xff" * 4) * 20_000
    assert refused(tmp_path, content[:place] + deep + content[place:], "are nested too deeply")


def test_the_number_of_reads_grows_with_the_file(tmp_path):
    stream = parse.BoundedStream(io.BytesIO(b"abcd"), 4, 64 * 10**6)
    assert stream.left == parse.MOST_READS + 10**6
    assert stream.peek(3) == b"abc"
    assert [stream.read(2**40), stream.read()] == [b"abcd", b""]


def test_an_attribute_of_endless_values_is_not_decoded(tmp_path):
    content = dicom_bytes(dicom(PIXELS))
    place = content.index(struct.pack("<HH2s", 0x0028, 0x0002, b"US"))
    long = struct.pack("<HH2sHI", 0x0028, 0x0008, b"UN", 0, 8_000_000) + b"1\\" * 4_000_000
    assert refused(
        tmp_path, content[:place] + long + content[place:], "its NumberOfFrames is 8,000,000 bytes long"
    )


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"Rows": 65535, "Columns": 65535}, "is too large"),
        ({"NumberOfFrames": 2**31 - 1, "Rows": 1, "Columns": 1}, "is too large"),
        ({"NumberOfFrames": 10**11}, "its NumberOfFrames is no whole number of 32 bits"),
        ({"NumberOfFrames": -5}, "has the size -5 x 48 x 40"),
        (
            {"NumberOfFrames": 8000, "Rows": 256, "Columns": 256, "BitsAllocated": 32},
            "which no image of a patient",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_claims_of_the_header_are_compared_with_the_limits(tmp_path, attributes, problem):
    assert refused(tmp_path, dicom_bytes(dicom(PIXELS, **attributes)), problem)


@pytest.fixture
def _no_decoder(monkeypatch):
    def called(*args, **kwargs):
        raise AssertionError("the stream was given to a decoder")

    monkeypatch.setattr(decode, "_decode_by_plugin", called)
    monkeypatch.setattr(decode, "decode_jpeg", called)


def large_jpeg():
    stream = bytearray(jpeg_bytes(PIXELS))
    frame = stream.index(b"\xff\xc0")
    stream[frame + 5 : frame + 9] = struct.pack(">HH", 8000, 8000)
    return bytes(stream)


def large_jpeg_ls():
    dataset = dicom(PIXELS)
    dataset.compress(JPEGLSLossless)
    stream = bytearray(dataset.PixelData)
    frame = stream.index(b"\xff\xf7")
    stream[frame + 5 : frame + 9] = struct.pack(">HH", 8000, 8000)
    return bytes(stream[stream.index(b"\xff\xd8\xff") :])


def jpeg_2000(columns=40, rows=48, tile=None, layers=None, precincts=None, block=None, more=0):
    """A JPEG 2000 stream whose headers claim something else than it holds."""
    stream = bytearray(encode_array(PIXELS))
    size = stream.index(b"\xff\x51")
    stream[size + 6 : size + 14] = struct.pack(">II", columns, rows)
    stream[size + 22 : size + 30] = struct.pack(">II", *(tile or (columns, rows)))
    style = stream.index(b"\xff\x52")
    length = int.from_bytes(stream[style + 2 : style + 4], "big")
    segment = stream[style + 4 : style + 2 + length]
    if layers is not None:
        segment[2:4] = struct.pack(">H", layers)
    if block is not None:
        segment[6:8] = bytes([block, block])
    if precincts is not None:
        segment[0] |= 1
        segment += bytes([precincts] * (segment[5] + 1))
    stream[style : style + 2 + length] = b"\xff\x52" + struct.pack(">H", len(segment) + 2) + segment
    part = stream.index(b"\xff\x90")
    stream[part + 6 : part + 10] = bytes(4)  # to the end
    return bytes(stream[:-2]) + bytes(more) + b"\xff\xd9"


@pytest.mark.usefixtures("_no_decoder")
@pytest.mark.parametrize(
    ("syntax", "stream"),
    [
        (JPEG2000Lossless, jpeg_2000(40_000, 40_000)),
        (JPEG2000Lossless, b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\0jp2c" + jpeg_2000(40_000, 40_000)),
        (
            JPEG2000Lossless,
            b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x01jp2c" + b"\0" * 7 + b"\x99" + jpeg_2000(40_000, 40_000),
        ),
        (JPEGBaseline8Bit, large_jpeg()),
        (JPEGLSLossless, large_jpeg_ls()),
    ],
)
def test_a_stream_of_another_size_than_its_header_is_refused_undecoded(tmp_path, syntax, stream):
    dataset = dicom(PIXELS, syntax=syntax, frames=encapsulate([stream]))
    assert refused(tmp_path, dicom_bytes(dataset), "where its Rows, Columns and SamplesPerPixel name others")


@pytest.mark.usefixtures("_no_decoder")
@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"tile": (8, 8)}, r"holds 1 of 1,048,576 tiles"),
        ({"layers": 65535, "precincts": 0x88}, "packets, more than its bytes can hold"),
        ({"precincts": 0x00}, "packets, more than its bytes can hold"),
        ({"precincts": 0x22, "more": 9_000_000}, "which no image of a patient does"),
        ({"block": 0}, "which no image of a patient does"),
    ],
)
def test_a_jpeg_2000_stream_of_endless_parts_is_refused_undecoded(tmp_path, claims, problem):
    stream = jpeg_2000(8192, 8192, **claims)
    dataset = dicom(PIXELS, syntax=JPEG2000Lossless, frames=encapsulate([stream]), Rows=8192, Columns=8192)
    assert refused(tmp_path, dicom_bytes(dataset), problem)


@pytest.mark.usefixtures("_no_decoder")
def test_a_jpeg_2000_stream_that_is_cut_anywhere_is_refused_undecoded(tmp_path):
    stream = encode_array(np.random.default_rng(3).integers(0, 255, (48, 40)).astype(np.uint8))
    # Without the end mark it is whole.
    for left in (*range(4, 150, 7), *range(150, len(stream) - 2, 297), len(stream) - 4):
        dataset = dicom(PIXELS, syntax=JPEG2000Lossless, frames=encapsulate([stream[:left]]))
        assert refused(tmp_path, dicom_bytes(dataset), "is truncated")


def test_rle_is_decoded_no_further_than_the_image(tmp_path):
    header = struct.pack("<16I", 1, 64, *[0] * 14)
    path = tmp_path / "image.dcm"
    dataset = dicom(
        PIXELS, syntax=RLELossless, frames=encapsulate([header + b"\x00\x07\x81\x05" * 2_000_000])
    )
    path.write_bytes(dicom_bytes(dataset))
    assert read_study(path).images.shape == (1, 48, 40, 1)
    frames = encapsulate([header + b"\x81\x05" * 2048] * 2000)
    many = dicom(PIXELS, syntax=RLELossless, frames=frames, Rows=512, Columns=512, NumberOfFrames=4000)
    assert refused(tmp_path, dicom_bytes(many), "is too large|which no image of a patient does")


def test_endless_fragments_are_refused(tmp_path):
    dataset = dicom(PIXELS, syntax=RLELossless, frames=(ITEM + bytes(4)) * 20_000, NumberOfFrames=3)
    assert refused(tmp_path, dicom_bytes(dataset), "holds more than the 3 frames")
