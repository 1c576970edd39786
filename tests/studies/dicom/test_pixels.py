"""Stored values of DICOM files: bits that hold no value, widths, byte orders, compressed frames, padding."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from openjpeg.utils import encode_array
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    UID,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)
from support.broken_files import dicom, dicom_bytes, jpeg_bytes, picture

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.pixels import values_of
from tfadvpath.studies.study import read_study

TWELVE_BIT = picture(top=4095).astype(np.uint16)
ABOVE = (TWELVE_BIT | ((TWELVE_BIT > 2000) << 12) | ((TWELVE_BIT % 3 == 0) << 15)).astype(np.uint16)
SIGNED = TWELVE_BIT.astype(np.int64) - 2048
EIGHT_BIT = picture().astype(np.uint8)


def shown(folder, dataset, frame=0):
    path = folder / "image.dcm"
    path.write_bytes(dicom_bytes(dataset) if isinstance(dataset, Dataset) else dataset)
    return read_study(path).images[frame, ..., 0]


def unit(values):
    values = np.asarray(values, np.float64)
    return (values - values.min()) / (values.max() - values.min())


def is_shown_as(folder, dataset, values):
    np.testing.assert_allclose(shown(folder, dataset), unit(values), atol=1e-6)
    return True


def in_jpeg_2000(words, bits, precision=16, **attributes):
    """Words in a JPEG 2000 stream of some precision, in a file that says how many bits they have."""
    stream = encode_array(words, bits_stored=precision)
    return dicom(words, bits, JPEG2000Lossless, encapsulate([stream]), **attributes)


def in_jpeg_ls(words, bits, **attributes):
    dataset = dicom(words.view(np.uint16), 16)
    dataset.compress(JPEGLSLossless)
    return dicom(words, bits, JPEGLSLossless, dataset.PixelData, **attributes)


def in_rle(words, bits, **attributes):
    dataset = dicom(words.view(np.uint16), 16)
    dataset.compress(RLELossless)
    return dicom(words, bits, RLELossless, dataset.PixelData, **attributes)


ENCODINGS = pytest.mark.parametrize(
    "encoded", [dicom, in_jpeg_2000, in_jpeg_ls, in_rle], ids=lambda f: f.__name__
)


@ENCODINGS
def test_unused_bits_are_masked_whatever_the_compression(tmp_path, encoded):
    assert is_shown_as(tmp_path, encoded(ABOVE, 12), TWELVE_BIT)


@ENCODINGS
def test_the_sign_is_the_highest_stored_bit_whatever_the_compression(tmp_path, encoded):
    masked = (SIGNED & 0x0FFF).astype(np.uint16)
    garbage = (masked | 0xA000).astype(np.uint16)
    for words in (masked, garbage):
        dataset = encoded(words, 12, PixelRepresentation=1)
        assert is_shown_as(tmp_path, dataset, SIGNED)


@ENCODINGS
def test_a_higher_high_bit_shifts_the_values(tmp_path, encoded):
    words = ((TWELVE_BIT << 4) | 0x0A).astype(np.uint16)
    assert is_shown_as(tmp_path, encoded(words, 12, HighBit=15), TWELVE_BIT)
    signed = (((SIGNED & 0x0FFF) << 2) | 0xC003).astype(np.uint16)
    assert is_shown_as(tmp_path, encoded(signed, 12, HighBit=13, PixelRepresentation=1), SIGNED)


def test_a_jpeg_2000_stream_of_another_sign_or_depth_holds_the_same_words(tmp_path):
    # Signed values in an unsigned stream of 12 bits, as some encoders write them.
    assert is_shown_as(
        tmp_path, in_jpeg_2000((SIGNED & 0x0FFF).astype(np.uint16), 12, 12, PixelRepresentation=1), SIGNED
    )
    assert is_shown_as(tmp_path, in_jpeg_2000(SIGNED.astype(np.int16), 12, 12), SIGNED)
    # Unsigned values in a signed stream.
    dataset = in_jpeg_2000(TWELVE_BIT.astype(np.int16), 12, 13, PixelRepresentation=0)
    assert is_shown_as(tmp_path, dataset, TWELVE_BIT)
    # A stream of fewer bits than the header allows for.
    assert is_shown_as(tmp_path, in_jpeg_2000(TWELVE_BIT, 16, 12), TWELVE_BIT)


def test_values_of_words_by_hand():
    words = np.array([0x0000, 0x0FFF, 0x1800, 0xF7FF], np.uint16)
    assert values_of(words, 12, 0, False).tolist() == [0, 0xFFF, 0x800, 0x7FF]
    assert values_of(words, 12, 0, True).tolist() == [0, -1, -2048, 2047]
    assert values_of(words, 8, 4, False).tolist() == [0, 0xFF, 0x80, 0x7F]
    assert values_of(words, 16, 0, True).tolist() == [0, 0xFFF, 0x1800, -0x801]
    assert values_of(np.array([0, 1], np.uint8), 1, 0, False).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"BitsStored": 17, "HighBit": 16}, "has the BitsStored 17"),
        ({"BitsStored": 0}, "has the BitsStored 0"),
        ({"BitsAllocated": 12, "BitsStored": 12, "HighBit": 11}, "has the BitsAllocated 12"),
        ({"BitsAllocated": 24, "BitsStored": 24, "HighBit": 23}, "has the BitsAllocated 24"),
        ({"BitsAllocated": 0, "BitsStored": 0}, "has the BitsAllocated 0"),
        ({"BitsStored": 12, "HighBit": 10}, "has the HighBit 10"),
        ({"BitsStored": 12, "HighBit": 16}, "has the HighBit 16"),
    ],
)
def test_bits_that_cannot_be_are_named(tmp_path, attributes, problem):
    with pytest.raises(InputError, match=problem):
        shown(tmp_path, dicom(TWELVE_BIT, **attributes))


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("order", ["little", "big"])
def test_single_bits_are_packed_across_frames(tmp_path, frames, order):
    bits = (
        np.random.default_rng(5).integers(0, 2, (frames, 5, 7)).astype(np.uint8)
    )  # frames end within a byte
    packed = np.packbits(bits.ravel(), bitorder="little").tobytes()
    packed += bytes(len(packed) % 2)
    attributes = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "PixelData": packed}
    syntax = {} if order == "little" else {"syntax": ExplicitVRBigEndian}
    dataset = dicom(bits if frames > 1 else bits[0], 1, **syntax, **attributes)
    for frame in range(frames):
        np.testing.assert_array_equal(shown(tmp_path, dataset, frame), bits[frame])


@pytest.mark.parametrize("columns", [4, 5])
def test_bytes_in_words_of_big_endian_are_swapped(tmp_path, columns):
    frames = np.random.default_rng(6).integers(0, 255, (2, 3, columns)).astype(np.uint8)
    content = frames.tobytes() + bytes(frames.size % 2)
    dataset = dicom(frames, syntax=ExplicitVRBigEndian)
    dataset.PixelData = np.frombuffer(content, "<u2").astype(">u2").tobytes()
    dataset["PixelData"].VR = "OW"
    for frame in range(2):
        np.testing.assert_allclose(shown(tmp_path, dataset, frame), unit(frames[frame]), atol=1e-7)


@pytest.mark.parametrize("dtype", ["u4", "i4", "u8", "i8"])
def test_wide_integers_are_read(tmp_path, dtype):
    values = (picture().astype(np.int64) - (100 if dtype[0] == "i" else 0)) * 2**21
    dataset = dicom(values.astype(dtype), 31)
    assert is_shown_as(tmp_path, dataset, values)


@pytest.mark.parametrize(("name", "dtype"), [("FloatPixelData", "f4"), ("DoubleFloatPixelData", "f8")])
def test_floating_point_pixels_and_their_padding(tmp_path, name, dtype):
    values = picture().astype(dtype) / 7
    padded = values.copy()
    padded[:5] = [np.finfo(dtype).min] * 40
    values[:5] = values[5:].min()
    prefix = name.removesuffix("PixelData")
    attributes = {
        "PixelData": None,
        "BitsStored": None,
        "HighBit": None,
        "PixelRepresentation": None,
        name: padded.tobytes(),
        f"{prefix}PixelPaddingValue": float(np.finfo(dtype).min),
    }
    assert is_shown_as(tmp_path, dicom(picture().astype("u4"), **attributes), values)
    padded[:5] = np.nan
    attributes |= {name: padded.tobytes(), f"{prefix}PixelPaddingValue": float("nan")}
    assert is_shown_as(tmp_path, dicom(picture().astype("u4"), **attributes), values)
    padded[:5] = np.linspace(-200, -100, 40)
    attributes |= {
        name: padded.tobytes(),
        f"{prefix}PixelPaddingValue": -90.0,
        f"{prefix}PixelPaddingRangeLimit": -float("inf"),
    }
    assert is_shown_as(tmp_path, dicom(picture().astype("u4"), **attributes), values)
    attributes |= {f"{prefix}PixelPaddingValue": -1000.0, f"{prefix}PixelPaddingRangeLimit": None}
    padded[0, 0] = np.inf
    attributes[name] = padded.tobytes()
    del attributes[f"{prefix}PixelPaddingRangeLimit"]
    with pytest.raises(InputError, match=r"holds NaN or infinite values \(1 of 1,920\)"):
        shown(tmp_path, dicom(picture().astype("u4"), **attributes))


@pytest.mark.parametrize(
    ("stored", "value", "limit"),
    [
        (-2000, -2000, None),
        (-2000, 63536, None),  # without its sign
        (-1500, -2000, -1000),
        (-1500, -1000, -2000),  # the limit may be on either side
        (-1500, 63536, 64536),
        (-2000, 0x0830, None),  # bits of 12 of the 16
        (-2000, 0x7830, None),
    ],
)
@pytest.mark.parametrize("implicit", [False, True])
def test_padding_has_the_bits_of_the_pixels(tmp_path, stored, value, limit, implicit):
    values = (picture(top=2000) - 900).astype(np.int16)
    padded = values.copy()
    padded[:9] = stored
    values[:9] = values[9:].min()
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    dataset = dicom(padded, 12, syntax, PixelPaddingValue=value)
    dataset["PixelPaddingValue"].VR = "US" if value >= 0 else "SS"
    if limit is not None:
        dataset.PixelPaddingRangeLimit = limit
        dataset["PixelPaddingRangeLimit"].VR = "US" if limit >= 0 else "SS"
    assert is_shown_as(tmp_path, dataset, values)


def test_padding_beyond_the_stored_bits_is_masked_as_the_pixels_are(tmp_path):
    padded = ABOVE.copy()
    padded[:9] = 0xF830
    values = TWELVE_BIT.copy()
    values[values == 0x830] = values[9:].min()
    values[:9] = values[9:].min()
    dataset = dicom(padded, 12, PixelPaddingValue=0xF830)
    dataset["PixelPaddingValue"].VR = "US"
    assert is_shown_as(tmp_path, dataset, values)


def test_an_image_of_nothing_but_padding_is_shown(tmp_path):
    values = np.where(picture() > 100, -1900, -2000).astype(np.int16)
    dataset = dicom(values, PixelPaddingValue=-2000, PixelPaddingRangeLimit=-1900)
    for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        dataset[name].VR = "SS"
    assert is_shown_as(tmp_path, dataset, values)


def progressive(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG", quality=95, progressive=True)
    return buffer.getvalue()


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.50", JPEGExtended12Bit, "1.2.840.10008.1.2.4.55"])
@pytest.mark.parametrize("coded", [jpeg_bytes, progressive])
def test_jpeg_of_eight_bits_is_read_in_any_syntax(tmp_path, syntax, coded):
    dataset = dicom(EIGHT_BIT, syntax=UID(syntax), frames=encapsulate([coded(EIGHT_BIT)]))
    right = np.asarray(Image.open(io.BytesIO(coded(EIGHT_BIT))))
    assert is_shown_as(tmp_path, dataset, right)


def test_a_damaged_jpeg_scan_is_refused(tmp_path):
    stream = jpeg_bytes(np.random.default_rng(7).integers(0, 255, (48, 40)).astype(np.uint8))
    for left in (0.4, 0.7, 0.95):
        cut = stream[: int(len(stream) * left)] + b"\xff\xd9"
        with pytest.raises(InputError, match="is truncated or damaged: its JPEG data"):
            shown(tmp_path, dicom(EIGHT_BIT, syntax=JPEGBaseline8Bit, frames=encapsulate([cut])))


def test_a_jpeg_of_other_components_than_said_is_refused(tmp_path):
    stream = jpeg_bytes(np.dstack([EIGHT_BIT] * 3))
    with pytest.raises(InputError, match="holds a compressed frame of 48 x 40 x 3 values"):
        shown(tmp_path, dicom(EIGHT_BIT, syntax=JPEGBaseline8Bit, frames=encapsulate([stream])))


def test_twelve_bit_jpeg_is_named(tmp_path):
    stream = bytearray(jpeg_bytes(EIGHT_BIT))
    frame = stream.index(b"\xff\xc0")
    stream[frame + 1], stream[frame + 4] = 0xC1, 12
    dataset = dicom(TWELVE_BIT, 12, JPEGExtended12Bit, encapsulate([bytes(stream)]))
    with pytest.raises(InputError, match=r"with a JPEG stream of 12 bits.*dcmdjpeg IN OUT"):
        shown(tmp_path, dataset)


STREAMS = np.stack([EIGHT_BIT, EIGHT_BIT[::-1], EIGHT_BIT[:, ::-1]])


@pytest.mark.parametrize("table", ["basic", "extended", "none", "wrong"])
@pytest.mark.parametrize("pieces", [1, 3])
def test_fragments_are_put_together_with_and_without_offset_tables(tmp_path, table, pieces):
    streams = [encode_array(frame) for frame in STREAMS]
    attributes = {}
    if table == "extended":
        content, offsets, lengths = encapsulate_extended(streams)
        attributes = {"ExtendedOffsetTable": offsets, "ExtendedOffsetTableLengths": lengths}
    else:
        content = encapsulate(streams, fragments_per_frame=pieces, has_bot=table != "none")
        if table == "wrong":
            content = content[:12] + struct.pack("<I", 999) + content[16:]
    dataset = dicom(STREAMS, 8, JPEG2000Lossless, content, **attributes)
    for index, frame in enumerate(STREAMS):
        np.testing.assert_allclose(shown(tmp_path, dataset, index), unit(frame), atol=1e-6)


def test_a_missing_end_mark_behind_whole_fragments_is_no_damage(tmp_path):
    content = dicom_bytes(dicom(EIGHT_BIT, 8, JPEG2000Lossless, encapsulate([encode_array(EIGHT_BIT)])))
    assert content.endswith(b"\xfe\xff\xdd\xe0\x00\x00\x00\x00")
    assert is_shown_as(tmp_path, content[:-8], EIGHT_BIT)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"])
@pytest.mark.filterwarnings("ignore")
def test_frames_that_are_encapsulated_as_they_are_or_deflated(tmp_path, uid):
    frames = np.stack([ABOVE, ABOVE[::-1]])
    parts = [frame.tobytes() for frame in frames]
    if uid.endswith("8.1"):
        deflaters = [zlib.compressobj(9, zlib.DEFLATED, -15) for _ in parts]
        parts = [one.compress(part) + one.flush() for one, part in zip(deflaters, parts, strict=True)]
    content = dicom_bytes(dicom(frames, 12, JPEG2000Lossless, encapsulate(parts)))
    old = b"1.2.840.10008.1.2.4.90"
    content = content.replace(old, uid.encode() + bytes(len(old) - len(uid)), 1)
    np.testing.assert_allclose(shown(tmp_path, content, 1), unit(TWELVE_BIT[::-1]), atol=1e-7)


def rle_by_hand(values):
    """A frame in segments of single bytes, the most significant ones first, none of them repeated."""
    octets = np.ascontiguousarray(values.astype(values.dtype.newbyteorder(">"))).view(np.uint8)
    segments = []
    for plane in octets.reshape(values.size, values.dtype.itemsize).T:
        content = plane.tobytes()
        runs = [content[start : start + 128] for start in range(0, len(content), 128)]
        segments.append(b"".join(bytes([len(run) - 1]) + run for run in runs))
    offsets = 64 + np.cumsum([0, *map(len, segments[:-1])])
    header = struct.pack(f"<{1 + len(offsets)}I", len(segments), *offsets)
    return header.ljust(64, b"\0") + b"".join(segments)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.int32])
def test_rle_equals_the_stored_values_for_every_width(tmp_path, dtype):
    values = (
        np.random.default_rng(9).integers(0, 2**30, (9, 31)) >> (22 if dtype == np.uint8 else 15)
    ).astype(dtype)
    dataset = dicom(values, syntax=RLELossless, frames=encapsulate([rle_by_hand(values)]))
    assert is_shown_as(tmp_path, dataset, values)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (b"\1\0\0\0", "lacks its header"),
        (struct.pack("<16I", 3, 64, *[0] * 14) + b"\xd3\1" * 50, "has 3 segments"),
        (struct.pack("<16I", 1, 9999, *[0] * 14) + b"\xd3\1" * 50, "has wrong offsets"),
        (struct.pack("<16I", 1, 8, *[0] * 14) + b"\xd3\1" * 50, "has wrong offsets"),
        (struct.pack("<16I", 1, 64, *[0] * 14) + b"\xd3\1" * 9, "an RLE segment holds 414 of 1,920 bytes"),
    ],
)
def test_damaged_rle_is_refused(tmp_path, frame, problem):
    with pytest.raises(InputError, match=problem):
        shown(tmp_path, dicom(EIGHT_BIT, syntax=RLELossless, frames=encapsulate([frame])))
