"""Files decoded in the graph against the readers of tfadvpath.datasets."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.broken_files import jpeg_bytes, png_bytes, png_header

from tfadvpath.saved_model import decoding
from tfadvpath.saved_model.decoding import decode_images
from tfadvpath.saved_model.jpeg_markers import is_sequential
from tfadvpath.studies.study import read_study

SIZE = (24, 32)


@pytest.fixture(scope="module")
def decode():
    return tf.function(
        lambda files: decode_images(files, SIZE), input_signature=[tf.TensorSpec([None], tf.string)]
    )


def pixels(shape, top=255, seed=0):
    rng = np.random.default_rng(seed)
    waves = np.add.outer(np.sin(np.arange(shape[0]) / 3), np.cos(np.arange(shape[1]) / 5)) + 2
    return np.round((waves + rng.random(shape)) * top / 5)


def written(tmp_path, name, array, **options):
    path = tmp_path / name
    Image.fromarray(array).save(path, **options)
    return path


@pytest.mark.slow
# Larger, smaller, larger along one axis alone, and the same.
@pytest.mark.parametrize("shape", [(60, 75), (10, 9), (50, 20), (24, 32)])
@pytest.mark.parametrize("name", ["8.png", "16.png", "grey.jpg", "colour.jpg", "1.png", "palette.png"])
def test_a_file_becomes_what_the_readers_make_of_it(decode, tmp_path, shape, name):
    levels = pixels(shape)
    array = {
        "8.png": levels.astype(np.uint8),
        "16.png": pixels(shape, top=65535).astype(np.uint16),
        "grey.jpg": levels.astype(np.uint8),
        "colour.jpg": np.repeat(levels[..., None], 3, axis=2).astype(np.uint8),
        "1.png": levels > 128,
        "palette.png": levels.astype(np.uint8),
    }[name]
    path = tmp_path / name
    image = Image.fromarray(array)
    (image.convert("P") if name == "palette.png" else image).save(path)
    (image,) = decode(tf.constant([path.read_bytes()])).numpy()
    np.testing.assert_allclose(image, read_study(path, SIZE).images[0], atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(rows=st.integers(1, 90), columns=st.integers(1, 90), seed=st.integers(0, 99))
def test_any_size_is_resized_as_the_readers_do(decode, tmp_path_factory, rows, columns, seed):
    array = pixels((rows, columns), seed=seed).astype(np.uint8)
    path = written(tmp_path_factory.mktemp("any"), "a.png", array)
    (image,) = decode(tf.constant([path.read_bytes()])).numpy()
    np.testing.assert_allclose(image, read_study(path, SIZE).images[0], atol=1e-5)


def test_a_flat_image_is_black(decode, tmp_path):
    path = written(tmp_path, "flat.png", np.full((50, 41), 77, np.uint8))
    assert (decode(tf.constant([path.read_bytes()])).numpy() == 0).all()


@pytest.mark.parametrize("kind", ["colour png", "colour jpeg", "transparent"])
def test_what_the_readers_refuse_is_nan_and_the_others_are_decoded(decode, tmp_path, kind):
    colours = np.zeros((30, 30, 4), np.uint8)
    colours[..., 0], colours[..., 1], colours[..., 3] = pixels((30, 30)), 200, 255
    if kind == "transparent":
        colours = np.repeat(pixels((30, 30)).astype(np.uint8)[..., None], 4, axis=2)
        colours[..., 3] = 128
    wrong = tmp_path / ("a.jpg" if kind == "colour jpeg" else "a.png")
    Image.fromarray(colours[..., :3] if kind != "transparent" else colours).save(wrong)
    good = written(tmp_path, "good.png", pixels((30, 30)).astype(np.uint8))
    images = decode(tf.constant([wrong.read_bytes(), good.read_bytes()])).numpy()
    assert np.isnan(images[0]).all()
    np.testing.assert_allclose(images[1], read_study(good, SIZE).images[0], atol=1e-5)


def jpeg_header(rows, columns):
    """A JPEG file that claims any size."""
    content = bytearray(jpeg_bytes(np.zeros((8, 8), np.uint8)))
    frame = content.index(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", rows, columns)
    return bytes(content)


# Each would take gigabytes, or time, if a decoder saw it; the damage in them would be an error.
@pytest.mark.parametrize(
    "wrong",
    [
        png_header(9000, 9000),
        png_header(2**31 - 1, 2**31 - 1),
        png_header(2**32 - 1, 2**32 - 1),
        png_header(1, 900_000),  # few pixels, but resizing takes memory by the longest axis
        png_header(0, 10),
        jpeg_header(60000, 60000),
        b"",
        b"no image",
        png_header(10, 10)[:20],
        b"GIF89a" + b"\xff" * 100,  # TensorFlow's PNG decoder would take it
    ],
)
def test_what_is_too_large_or_neither_png_nor_jpeg_is_nan_and_not_decoded(decode, wrong):
    good = png_bytes(pixels((30, 30)).astype(np.uint8))
    images = decode(tf.constant([wrong, good])).numpy()
    assert np.isnan(images[0]).all()
    assert np.isfinite(images[1]).all()


@pytest.mark.parametrize("write", [png_bytes, jpeg_bytes])
def test_the_limit_is_on_rows_times_columns(monkeypatch, write):
    monkeypatch.setattr(decoding, "MAX_PIXELS", 30 * 40)
    files = [write(pixels(shape).astype(np.uint8)) for shape in [(30, 40), (40, 30), (30, 41), (41, 30)]]
    images = decode_images(tf.constant(files), SIZE).numpy()
    assert np.isnan(images).all(axis=(1, 2, 3)).tolist() == [False, False, True, True]


def progressive_jpeg(values, **options):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG", progressive=True, **options)
    return buffer.getvalue()


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


LEVELS = pixels((30, 30)).astype(np.uint8)
JPEG, PROGRESSIVE = jpeg_bytes(LEVELS), progressive_jpeg(LEVELS)


@pytest.mark.parametrize(
    ("content", "sequential"),
    [
        (JPEG, True),
        (PROGRESSIVE, False),
        (JPEG[:2] + segment(0xE1, b"Exif\0\0" + PROGRESSIVE) + JPEG[2:], True),  # with a thumbnail
        (PROGRESSIVE[:2] + segment(0xE1, b"Exif\0\0" + JPEG) + PROGRESSIVE[2:], False),
        (JPEG[:2] + 40 * segment(0xE2, bytes(60_000)) + JPEG[2:], True),  # as large colour profiles
        (JPEG[:2] + b"\xff\xff" + JPEG[2:], True),  # filled up
        (JPEG[:2] + 400 * segment(0xFE, b"") + JPEG[2:], False),
        (JPEG.replace(b"\xff\xc0", b"\xff\xc9"), False),  # arithmetic codes
        (JPEG.replace(b"\xff\xc0", b"\xff\xc3"), False),  # lossless
        (JPEG[:-2] + 10 * JPEG[JPEG.index(b"\xff\xda") : -2] + JPEG[-2:], False),  # a scan again and again
        (JPEG[: JPEG.index(b"\xff\xc0")], False),
        (JPEG[:3], False),
        (JPEG[:2] + b"\xff\xe0\0\0" + bytes(50), False),
        (b"", False),
    ],
    ids=(
        "baseline",
        "progressive",
        "progressive thumbnail",
        "baseline thumbnail",
        "colour profile",
        "filled up",
        "400 segments",
        "arithmetic",
        "lossless",
        "many scans",
        "no frame",
        "three bytes",
        "length 0",
        "nothing",
    ),
)
def test_a_jpeg_file_is_decoded_where_it_is_sequential_and_of_few_scans(decode, content, sequential):
    assert bool(is_sequential(tf.constant(content))) == sequential
    good = png_bytes(LEVELS)
    images = decode(tf.constant([content, good])).numpy()
    assert np.isfinite(images).all(axis=(1, 2, 3)).tolist() == [sequential, True]


def test_jpeg_files_are_decoded_only_where_asked_for():
    files = tf.constant([JPEG, png_bytes(LEVELS)])
    images = decode_images(files, SIZE, jpeg=False).numpy()
    assert np.isnan(images).all(axis=(1, 2, 3)).tolist() == [True, False]


def test_an_export_may_set_a_lower_limit():
    files = [png_bytes(pixels(shape).astype(np.uint8)) for shape in [(30, 40), (30, 41)]]
    images = decode_images(tf.constant(files), SIZE, max_pixels=30 * 40).numpy()
    assert np.isnan(images).all(axis=(1, 2, 3)).tolist() == [False, True]


@pytest.mark.parametrize("options", [{}, {"try_recover_truncated": False, "acceptable_fraction": 1.0}])
def test_tensorflow_does_not_see_that_a_scan_is_cut(options):
    """Why exports take no JPEG files unless asked. Where this fails, TensorFlow has learned to see it."""
    first = JPEG.index(b"\xff\xda") + 12
    cut = [JPEG[:end] + JPEG[-2:] for end in range(first, len(JPEG) - 2, 16)]
    assert len(cut) > 20
    whole = tf.io.decode_jpeg(JPEG).numpy().astype(int)
    for content in cut:
        assert np.abs(tf.io.decode_jpeg(content, **options) - whole).max() > 25


def test_every_flipped_bit_of_a_png_file_is_an_error(decode):
    content = bytearray(png_bytes(LEVELS))
    for place in range(16, len(content) - 12, len(content) // 20):
        content[place] ^= 4
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.io.decode_png(bytes(content))
        content[place] ^= 4


@pytest.mark.parametrize("write", [png_bytes, jpeg_bytes])
def test_a_damaged_file_is_an_error(decode, write):
    content = write(pixels((30, 30)).astype(np.uint8))
    with pytest.raises(tf.errors.InvalidArgumentError):
        decode(tf.constant([content[: len(content) // 3]]))
