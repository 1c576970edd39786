"""PNG and JPEG files."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image
from support.broken_files import jpeg_bytes, picture, png_bytes
from support.raw_pictures import jpeg, png, waves

from tfadvpath.errors import InputError
from tfadvpath.studies.study import read_study

GREY = picture().astype(np.uint8)
UNIT = picture() / 255


def test_eight_bit_grey_png_is_read_exactly(tmp_path):
    (tmp_path / "a.png").write_bytes(png_bytes(GREY))
    study = read_study(tmp_path / "a.png")
    np.testing.assert_allclose(study.images[0, ..., 0], UNIT, atol=1e-7)
    assert study.to_grid(study.images).shape == GREY.shape


def test_sixteen_bits_are_kept(tmp_path):
    deep = (1000 + np.arange(48 * 40) % 200).reshape(48, 40).astype(np.uint16)  # less than one step of 8 bits
    (tmp_path / "a.png").write_bytes(png_bytes(deep))
    np.testing.assert_allclose(
        read_study(tmp_path / "a.png").images[0, ..., 0], (deep - 1000) / 199, atol=1e-7
    )


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_of_equal_channels_are_kept(tmp_path, channels):
    deep = (1000 + np.arange(48 * 40) % 200).reshape(48, 40).astype(np.uint16)
    layers = [deep, deep, deep, np.full_like(deep, 65535)][:channels]
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack(layers))
    np.testing.assert_allclose(
        read_study(tmp_path / "a.png").images[0, ..., 0], (deep - 1000) / 199, atol=1e-6
    )


def test_one_bit_png_is_read(tmp_path):
    Image.fromarray(GREY == 255).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_study(tmp_path / "a.png").images[0, ..., 0], GREY == 255)


def test_a_palette_of_greys_is_read_by_its_colours(tmp_path):
    indexed = Image.fromarray(GREY).convert("P")
    indexed.putpalette([level for index in range(256) for level in [255 - index] * 3])
    indexed.save(tmp_path / "a.png")
    np.testing.assert_allclose(read_study(tmp_path / "a.png").images[0, ..., 0], 1 - UNIT, atol=1e-6)


@pytest.mark.parametrize("layers", [[GREY] * 3, [GREY, GREY, GREY, 255 + 0 * GREY], [GREY, 255 + 0 * GREY]])
def test_equal_channels_and_opaque_alpha_are_grey(tmp_path, layers):
    (tmp_path / "a.png").write_bytes(png_bytes(np.dstack(layers)))
    np.testing.assert_allclose(read_study(tmp_path / "a.png").images[0, ..., 0], UNIT, atol=1e-6)


def test_nearly_equal_channels_are_grey_in_jpeg_only(tmp_path):
    tinted = np.dstack([GREY // 2, GREY // 2 + 3, GREY // 2])
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes(tinted))
    (tmp_path / "a.png").write_bytes(png_bytes(tinted))
    assert read_study(tmp_path / "a.jpg").images.max() == 1
    with pytest.raises(InputError, match="is a colour image: its channels differ by up to 3 levels"):
        read_study(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "A.JPG"])
def test_grey_jpeg_is_read(tmp_path, name):
    (tmp_path / name).write_bytes(jpeg_bytes(GREY))
    assert np.abs(read_study(tmp_path / name).images[0, ..., 0] - UNIT).mean() < 0.01


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_file_cut_anywhere_is_refused(tmp_path, kind):
    noise = np.random.default_rng(5).integers(0, 256, (64, 64)).astype(np.uint8)
    whole = png_bytes(noise) if kind == "png" else jpeg_bytes(noise)
    path = tmp_path / f"a.{kind}"
    # The last 12 bytes of a PNG are its end mark, those before them the checksum of its pixels.
    for length in (9, len(whole) // 10, len(whole) // 2, len(whole) - 40, len(whole) - 14):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError):
            read_study(path)


def test_an_animation_is_refused(tmp_path):
    first, second = Image.fromarray(GREY), Image.fromarray(GREY[::-1].copy())
    first.save(tmp_path / "a.png", save_all=True, append_images=[second])
    with pytest.raises(InputError, match="is an animation"):
        read_study(tmp_path / "a.png")


def read(folder, content, name="a.png"):
    """The one slice of a file."""
    path = folder / name
    path.write_bytes(content)
    return read_study(path).images[0, ..., 0]


def unit(values):
    return (values - values.min()) / np.ptp(values)


SAMPLES = {depth: picture(48, 40, 2**depth - 1) for depth in (8, 16)}


@pytest.mark.parametrize("name", [b"\xff.png", "Röntgen 肺.png".encode(), b"a\nb.png"])
@pytest.mark.parametrize("depth", [8, 16])
def test_any_name_of_a_file_will_do(tmp_path, name, depth):
    content = png(np.dstack([SAMPLES[depth]] * 3), depth, 2)
    np.testing.assert_allclose(read(tmp_path, content, os.fsdecode(name)), unit(SAMPLES[depth]), atol=1e-7)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.dcm", "a.nii.gz", "a"])
@pytest.mark.parametrize("content", [png(GREY), jpeg(GREY)], ids=["png", "jpeg"])
def test_the_content_counts_and_not_the_name(tmp_path, content, name):
    np.testing.assert_array_equal(read(tmp_path, content, name), read(tmp_path, content, "true.png"))


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"GIF89a", "GIF"),
        (b"BM", "BMP"),
        (b"MM\0*", "TIFF"),
        (b"II*\0", "TIFF"),
        (b"RIFF1234WEBPVP8 ", "WebP"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"%PDF-1.7", "PDF"),
    ],
)
@pytest.mark.parametrize("name", ["a.png", "a.jpeg"])
def test_another_format_under_the_name_of_a_picture_is_named(tmp_path, start, kind, name):
    with pytest.raises(InputError, match=f"is a {kind} file, whatever its name says"):
        read(tmp_path, start + bytes(99), name)


@pytest.mark.parametrize("inks", [0, 40])
def test_the_black_of_a_printers_jpeg_is_not_taken_for_alpha(tmp_path, inks):
    black = 255 - waves()
    layers = [np.full_like(black, inks)] * 3 + [black]
    shown = read(tmp_path, jpeg(np.dstack(layers), "CMYK", quality=100), "a.jpg")
    assert np.abs(shown - unit(255.0 - black)).max() < 0.03


def test_the_mean_of_nearly_equal_channels_is_taken(tmp_path):
    content = jpeg(np.dstack([GREY // 2, GREY // 2 + 3, GREY // 2]), quality=95)
    (tmp_path / "a.jpg").write_bytes(content)
    with Image.open(tmp_path / "a.jpg") as image:
        levels = np.asarray(image).astype(float).mean(axis=2)
    np.testing.assert_array_equal(read(tmp_path, content, "a.jpg"), unit(levels).astype(np.float32))


@pytest.mark.slow
def test_the_largest_picture_takes_less_than_a_gigabyte_and_a_half(tmp_path):
    side = 8192
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(b"\0" + b"\xff" * 8 * side) for _ in range(side)) + packer.flush()
    content = png(np.empty((side, side, 0)), 16, 6, pixels=pixels)
    (tmp_path / "a.png").write_bytes(content)
    assert len(content) < 10_000_000
    script = (
        "import re, sys; from tfadvpath.studies.study import read_study; "
        # Not ru_maxrss, which begins with the size of the process that started this one.
        "shape = read_study(sys.argv[1]).images.shape; "
        "print(shape, re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "a.png"], capture_output=True, text=True, check=True
    )
    shape, kilobytes = answer.stdout.rsplit(maxsplit=1)
    assert shape == "(1, 8192, 8192, 1)"
    assert int(kilobytes) < 1_500_000
