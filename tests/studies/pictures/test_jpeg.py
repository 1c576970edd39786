"""JPEG streams: values as Pillow has them, and nothing that a decoder had to guess."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import jpeg_ls
import numpy as np
import pytest
import simplejpeg
from support.raw_pictures import jpeg, pillows, waves

from tfadvpath.errors import InputError
from tfadvpath.studies.pictures.jpeg import decode_jpeg, read_jpeg_header

PATH = Path("scan.jpg")
END = b"\xff\xd9"


def frame_of(content: bytes) -> int:
    """Where the frame header's marker is."""
    return next(
        match.start()
        for match in re.finditer(rb"\xff[\xc0-\xc3\xc5-\xc7\xc9-\xcb]\x00[\x0b\x11\x14]", content)
    )


def scans_of(content: bytes) -> list[int]:
    """Where the scans' markers are."""
    return [match.start() for match in re.finditer(rb"\xff\xda", content)]


def with_bytes(content: bytes, place: int, new: bytes) -> bytes:
    return content[:place] + new + content[place + len(new) :]


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(64, 80), (33, 47), (1, 1)])
@pytest.mark.parametrize(
    ("channels", "options"),
    [
        (1, {}),
        (1, {"optimize": True}),
        (1, {"restart_marker_blocks": 2}),
        (3, {"subsampling": "4:4:4"}),
        (3, {"subsampling": "4:2:2"}),
        (3, {"subsampling": "4:2:0"}),
        (3, {"keep_rgb": True, "subsampling": "4:4:4"}),
    ],
    ids=str,
)
def test_values_are_those_of_pillow(channels, options, size, progressive):
    content = jpeg(waves(*size, channels), progressive=progressive, **options)
    values = decode_jpeg(PATH, content)
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values, pillows(content))


@pytest.mark.parametrize("change", ["as it is", "YCCK", "without Adobe's note"])
def test_cmyk_is_shown_as_pillow_shows_it(change):
    content = jpeg(waves(48, 40, 4), "CMYK")
    note = content.index(b"Adobe")
    if change == "YCCK":
        content = with_bytes(content, note + 11, b"\2")
    if change == "without Adobe's note":
        content = content[: note - 4] + content[note + 12 :]
    np.testing.assert_array_equal(decode_jpeg(PATH, content), pillows(content))


def test_black_alone_is_grey():
    """In a CMYK file without other inks, what is seen is 255 minus the black."""
    black = waves()
    content = jpeg(np.dstack([np.zeros_like(black)] * 3 + [black]), "CMYK", quality=100)
    shown = decode_jpeg(PATH, content).astype(int)
    assert np.abs(shown - (255 - black.astype(int))[..., np.newaxis]).max() <= 4


def test_what_is_unusual_and_harmless_is_read():
    grey = jpeg(waves())
    expected = pillows(grey)
    scan = scans_of(grey)[0]
    for content in (
        grey + b"behind the end" * 9,
        grey + grey,
        grey.replace(b"JFIF\0\1", b"JFIF\0\5"),  # a later revision
        with_bytes(grey, scan + 7, b"\0\0\0"),  # a camera's numbers
        grey[:2] + b"\xff\xfe\0\6note" + grey[2:],
        grey[:2] + b"\xff\xff\xff" + grey[2:],  # filling bytes
        with_bytes(grey, frame_of(grey) + 11, b"\x22"),  # a sampling that means nothing of one component
    ):
        np.testing.assert_array_equal(decode_jpeg(PATH, content), expected)


def test_the_rotation_of_a_camera_is_not_applied():
    turned = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    content = jpeg(waves(), exif=turned)
    np.testing.assert_array_equal(decode_jpeg(PATH, content), pillows(jpeg(waves())))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}], ids=str)
def test_no_scan_that_is_cut_is_read(channels, options):
    whole = jpeg(waves(96, 96, channels), **options)
    first = scans_of(whole)[0] + 10
    rng = np.random.default_rng(0)
    for cut in (*rng.integers(first, len(whole) - 3, 100), len(whole) - 3):
        with pytest.raises(InputError, match="truncated"):
            decode_jpeg(PATH, whole[:cut] + END)
        with pytest.raises(InputError, match="lacks its end mark"):
            decode_jpeg(PATH, whole[:cut])


def test_a_progressive_image_without_its_last_scans_is_not_read():
    whole = jpeg(waves(), progressive=True)
    scans = scans_of(whole)
    assert len(scans) == 6
    for scan in scans[1:]:
        with pytest.raises(InputError, match="its JPEG scans do not hold the whole image"):
            decode_jpeg(PATH, whole[:scan] + END)


def test_a_component_without_a_scan_is_not_read():
    """A decoder would show two of three components."""
    whole = jpeg(waves(64, 80, 3), subsampling="4:4:4", keep_rgb=True)
    one = jpeg(waves(64, 80))
    frame, scan = frame_of(whole), scans_of(one)[0]
    content = (
        whole[: scans_of(whole)[0]] + one[scan : scan + 5] + whole[frame + 10 : frame + 11] + one[scan + 6 :]
    )
    assert read_jpeg_header(PATH, content).scans == 1
    with pytest.raises(InputError, match="do not hold the whole image"):
        decode_jpeg(PATH, content)


def test_a_few_pixels_that_claim_to_be_67_million_are_refused():
    small = jpeg(waves(16, 16))
    content = with_bytes(small, frame_of(small) + 5, struct.pack(">HH", 65500, 1024))
    assert len(content) < 1000
    with pytest.raises(InputError, match="cannot be decoded whole"):
        decode_jpeg(PATH, content)


@pytest.mark.parametrize(
    ("rows", "columns", "problem"),
    [
        (65535, 65535, "is too large: 65535 x 65535 values"),
        (65535, 8, "has a side of more than 65,500 pixels"),
        (16, 0, "has the size 16 x 0"),
        (0, 16, "tells its height after its pixels"),
    ],
)
def test_sizes_are_refused_before_anything_is_decoded(monkeypatch, rows, columns, problem):
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *args, **options: pytest.fail("is decoded"))
    small = jpeg(waves(16, 16))
    content = with_bytes(small, frame_of(small) + 5, struct.pack(">HH", rows, columns))
    with pytest.raises(InputError, match=problem):
        decode_jpeg(PATH, content)


def test_scans_without_end_are_refused_before_anything_is_decoded(monkeypatch):
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda *args, **options: pytest.fail("is decoded"))
    whole = jpeg(waves(), progressive=True)
    last = whole[scans_of(whole)[-1] : -2]
    content = with_bytes(whole, frame_of(whole) + 5, struct.pack(">HH", 8192, 8192))
    content = content[:-2] + last * 60 + END
    with pytest.raises(InputError, match="is a JPEG file of 66 scans, which would take too long"):
        decode_jpeg(PATH, content)


@pytest.mark.parametrize(
    ("process", "precision", "kind"),
    [
        (0, 12, "JPEG of 12 bits"),
        (1, 12, "JPEG of 12 bits"),
        (3, 8, "lossless JPEG"),
        (3, 16, "lossless JPEG"),
        (5, 8, "hierarchical JPEG"),
        (9, 8, "JPEG with arithmetic coding"),
        (10, 8, "JPEG with arithmetic coding"),
    ],
)
def test_a_kind_that_is_not_read_is_named(process, precision, kind):
    grey = jpeg(waves())
    content = with_bytes(grey, frame_of(grey) + 1, bytes([0xC0 + process, 0, 11, precision]))
    header = read_jpeg_header(PATH, content)
    assert (header.process, header.precision) == (process, precision)
    with pytest.raises(InputError, match=f"is compressed as {kind}, which is not read"):
        decode_jpeg(PATH, content)


def test_jpeg_ls_is_seen_by_its_header_and_not_read():
    for values in (waves(), waves().astype(np.uint16) << 4):
        content = bytes(jpeg_ls.encode(values))
        header = read_jpeg_header(PATH, content)
        assert (header.rows, header.columns, header.components) == (64, 80, 1)
        assert (header.process, header.scans) == (55, 1)
        assert header.precision == (8 if values.dtype == np.uint8 else 12)
        with pytest.raises(InputError, match="is compressed as JPEG-LS, which is not read"):
            decode_jpeg(PATH, content)


def test_headers_are_read_without_decoding():
    header = read_jpeg_header(PATH, jpeg(waves(33, 47, 3), progressive=True))
    assert (header.rows, header.columns, header.components, header.precision) == (33, 47, 3, 8)
    assert (header.progressive, header.process, header.scans) == (True, 2, 10)
    header = read_jpeg_header(PATH, jpeg(waves(33, 47)))
    assert (header.components, header.progressive, header.process, header.scans) == (1, False, 0, 1)


@pytest.mark.parametrize("progressive", [False, True])
def test_damage_anywhere_is_refused_or_harmless_and_never_another_error(progressive):
    whole = jpeg(waves(), progressive=progressive)
    rng = np.random.default_rng(1)
    lines = []
    for _ in range(400):
        content = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 4)):
            content[place] = rng.choice([0, 1, 0x7F, 0xDA, 0xFF, content[place] ^ 16])
        try:
            assert decode_jpeg(PATH, bytes(content)).ndim in (2, 3)
        except InputError as error:
            lines.append(str(error))
    assert len(lines) > 100
    assert not any("\n" in line or len(line) > 300 for line in lines)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"GIF89a", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xe0"]
)
def test_what_is_no_stream_has_a_line(content):
    for read in (read_jpeg_header, decode_jpeg):
        with pytest.raises(InputError, match=r"^scan\.jpg: "):
            read(PATH, content)
