"""PNG and JPEG files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from support.broken_files import jpeg_bytes, picture, png_bytes

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
