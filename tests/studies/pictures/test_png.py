"""PNG files: every form that holds grey values, and what is wrong with the others."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from support.broken_files import picture
from support.raw_pictures import chunk, packed_rows, png

from tfadvpath.errors import InputError
from tfadvpath.studies.study import read_study

GREY = picture().astype(np.uint8)


def read(folder, content, name="a.png"):
    """The one slice of a file."""
    path = folder / name
    path.write_bytes(content)
    return read_study(path).images[0, ..., 0]


def unit(values):
    return (values - values.min()) / np.ptp(values)


def palette_of(levels):
    return chunk(b"PLTE", bytes(level for level in levels for _ in range(3)))


DEEP = picture(top=60000)
SAMPLES = {depth: picture(48, 40, 2**depth - 1) for depth in (1, 2, 4, 8, 16)}


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", SAMPLES)
def test_every_depth_of_grey_is_read(tmp_path, depth, interlaced):
    content = png(SAMPLES[depth], depth, interlaced=interlaced)
    np.testing.assert_allclose(read(tmp_path, content), unit(SAMPLES[depth]), atol=1e-7)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("colour", "greys", "alpha"), [(2, 3, 0), (4, 1, 1), (6, 3, 1)])
def test_every_colour_type_that_holds_grey_is_read(tmp_path, colour, greys, alpha, depth, interlaced):
    opaque = np.full_like(DEEP, 2**depth - 1)
    samples = np.dstack([SAMPLES[depth]] * greys + [opaque] * alpha)
    content = png(samples, depth, colour, interlaced)
    np.testing.assert_allclose(read(tmp_path, content), unit(SAMPLES[depth]), atol=1e-7)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("colour", "alpha"), [(2, 0), (6, 1)])
def test_one_level_of_one_pixel_makes_a_png_a_colour_image(tmp_path, colour, alpha, depth):
    samples = np.dstack([SAMPLES[depth]] * 3 + [np.full_like(DEEP, 2**depth - 1)] * alpha)
    samples[5, 6, 1] ^= 1
    with pytest.raises(InputError, match="its channels differ by up to 1 levels"):
        read(tmp_path, png(samples, depth, colour))


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("colour", "greys"), [(4, 1), (6, 3)])
def test_one_pixel_that_is_not_opaque_is_refused(tmp_path, colour, greys, depth):
    samples = np.dstack([SAMPLES[depth]] * greys + [np.full_like(DEEP, 2**depth - 1)])
    samples[5, 6, -1] -= 1
    with pytest.raises(InputError, match="has transparent pixels"):
        read(tmp_path, png(samples, depth, colour))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palettes_of_every_depth_show_their_greys(tmp_path, depth):
    levels = [255 - 200 * place // (2**depth - 1) for place in range(2**depth)]
    content = png(SAMPLES[depth], depth, 3, before=palette_of(levels) + chunk(b"tRNS", b"\xff"))
    expected = unit(np.array(levels)[SAMPLES[depth]])
    np.testing.assert_allclose(read(tmp_path, content), expected, atol=1e-7)


@pytest.mark.parametrize(
    ("before", "problem"),
    [
        (b"", "has no palette for its colours"),
        (palette_of(range(99)), "uses colours that its palette does not hold"),
        (palette_of(range(256)) + chunk(b"tRNS", b"\xff\xff\xff\xfe"), "has transparent pixels"),
        (chunk(b"PLTE", bytes(range(256)) * 3), "is a colour image: its channels differ by up to 2"),
    ],
)
def test_a_palette_that_gives_no_grey_is_refused(tmp_path, before, problem):
    with pytest.raises(InputError, match=problem):
        read(tmp_path, png(SAMPLES[8], 8, 3, before=before))


@pytest.mark.parametrize(("depth", "colour", "channels"), [(8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 2, 3)])
@pytest.mark.parametrize(
    "note",
    [
        chunk(b"gAMA", b"\0\0\xb1\x8f"),
        chunk(b"tRNS", bytes(6)),
        chunk(b"sBIT", b"\4\4\4"),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(10**6))),
        chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(10**7))),
        chunk(b"iTXt", b"x\0\1\0\0\0" + zlib.compress(bytes(10**7))),
        chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"),
        chunk(b"acTL", b"\0\0\0\1\0\0\0\0"),
        chunk(b"xxXx", b"?"),
    ],
    ids=lambda note: note[4:8].decode(),
)
def test_notes_change_nothing(tmp_path, note, depth, colour, channels):
    samples = np.dstack([SAMPLES[depth]] * channels)
    np.testing.assert_array_equal(
        read(tmp_path, png(samples, depth, colour, before=note)), read(tmp_path, png(samples, depth, colour))
    )


def test_what_follows_a_png_is_passed_over(tmp_path):
    content = png(GREY)
    np.testing.assert_array_equal(read(tmp_path, content + b"behind" * 99), read(tmp_path, content))


ROWS = packed_rows(GREY, 8)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            png(GREY, pixels=zlib.compress(ROWS[: len(ROWS) // 2])),
            "is truncated: it holds 984 of 1,968 bytes",
        ),
        (png(GREY, pixels=zlib.compress(ROWS[:-1])), "it holds 1,967 of 1,968 bytes"),
        (png(GREY, pixels=zlib.compress(ROWS)[:-4]), "its pixels lack their checksum"),
        (png(GREY, pixels=zlib.compress(ROWS)[:-1] + b"?"), "its pixels cannot be unpacked"),
        (png(GREY, pixels=zlib.compress(b"\5" + ROWS[1:])), "filtered in a way that PNG does not know"),
        (png(GREY, interlaced=True, pixels=zlib.compress(bytes(1500))), "is truncated: it holds 1,500 of"),
        (png(GREY, depth=7), "has a header that PNG does not know .colour type 0 with 7 bits"),
        (png(GREY, depth=4, colour=2), "has a header that PNG does not know .colour type 2 with 4 bits"),
        (png(GREY, before=chunk(b"CgBI", bytes(4))), "needs a PNG extension that is not read .chunk CgBI"),
        (png(GREY, before=png(GREY)[8:33]), "has two header chunks"),
        (png(GREY).replace(b"IDAT", b"JDAT"), "the checksum of its chunk JDAT is wrong"),
        (png(GREY, before=chunk(b"tEXt", b"x")[:-1] + b"?"), "the checksum of its chunk tEXt is wrong"),
        (png(GREY, before=b"\0\0\0\1" + bytes(9)), "no chunk begins at byte 33"),
        (png(GREY)[:8] + chunk(b"CgBI", bytes(4)) + png(GREY)[8:], "does not begin with its header"),
        (png(GREY, before=chunk(b"acTL", b"\0\0\0\2\0\0\0\0")), "is an animation"),
    ],
)
def test_what_is_wrong_with_a_png_is_said(tmp_path, content, problem):
    with pytest.raises(InputError, match=problem):
        read(tmp_path, content)


@pytest.mark.parametrize("colour", [0, 2])
def test_pixels_without_end_are_not_unpacked(tmp_path, colour):
    endless = zlib.compress(bytes(10**7), 1)
    samples = np.zeros((16, 16, 3 if colour else 1), int)
    assert not read(tmp_path, png(samples, 8, colour, pixels=endless)).any()


@pytest.mark.parametrize("depth", [8, 16])
def test_no_bit_of_a_png_can_change_what_is_read(tmp_path, depth):
    whole = png(np.dstack([SAMPLES[depth]] * 3), depth, 2)
    expected = read(tmp_path, whole)
    rng = np.random.default_rng(2)
    for place in rng.integers(0, len(whole), 100):
        content = bytearray(whole)
        content[place] ^= 1 << rng.integers(8)
        try:
            np.testing.assert_array_equal(read(tmp_path, bytes(content)), expected)
        except InputError:
            continue
