"""Images of a fitted classifier on disk."""

import numpy as np
import pytest

from tfadvpath.datasets.labelled_images import LabelledImages, UnlabelledImages
from tfadvpath.datasets.own_images import load_own_images, own_digests, write_own_images
from tfadvpath.errors import InputError
from tfadvpath.recipes.data import OwnImages


def part(count, kind=LabelledImages, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.random((count, 32, 32, 1)).astype(np.float32)
    names = np.array([f"{i}.png" for i in range(count)])
    labels = (np.arange(count) % 2).astype(np.float32)
    return kind(images, labels, np.zeros((count, 32, 32), bool), names, names)


PARTS = {"train": part(6), "validation": part(2, seed=1), "test": part(3, seed=2)}


@pytest.fixture
def folder(tmp_path):
    write_own_images(tmp_path / "images", PARTS)
    return tmp_path / "images"


def test_they_come_back_as_they_were(folder):
    data = OwnImages(task="own-images", path=folder, image_size=32)
    for name, loaded in data.load_parts(0).items():
        for field in ("images", "labels", "masks", "patients", "cases", "known_labels"):
            np.testing.assert_array_equal(getattr(loaded, field), getattr(PARTS[name], field))


def test_labels_that_nobody_knows_stay_unknown(tmp_path):
    parts = {name: part(4, UnlabelledImages) for name in PARTS}
    write_own_images(tmp_path / "images", parts)
    loaded = load_own_images(tmp_path / "images", "test", 32)
    np.testing.assert_array_equal(loaded.labels, parts["test"].labels)
    assert np.isnan(loaded.known_labels).all()


def test_the_fingerprint_is_of_the_content_wherever_it_lies(folder, tmp_path):
    data = OwnImages(task="own-images", path=folder, image_size=32)
    folder.rename(tmp_path / "elsewhere")
    moved = OwnImages(task="own-images", path=tmp_path / "elsewhere", image_size=32)
    write_own_images(folder, {**PARTS, "train": part(6, seed=9)})
    assert moved.fingerprint(0) != data.fingerprint(0)
    write_own_images(folder, PARTS)
    assert moved.fingerprint(0) == data.fingerprint(0)
    assert set(own_digests(folder)) == set(PARTS)


@pytest.mark.parametrize(
    ("break_it", "arguments", "says"),
    [
        (lambda folder: (folder / "summary.json").unlink(), ("train", 32), "holds no images of a fitted"),
        (lambda folder: (folder / "summary.json").write_text("[1]"), ("train", 32), "no readable summary"),
        (lambda folder: (folder / "test/images.npy").write_bytes(b"x"), ("test", 32), "is damaged"),
        (lambda folder: None, ("train", 64), "holds images of 32 pixels, not 64"),
        (lambda folder: None, ("more", 32), "holds no part more"),
    ],
)
def test_a_damaged_folder_is_said_in_one_line(folder, break_it, arguments, says):
    break_it(folder)
    with pytest.raises(InputError, match=says):
        load_own_images(folder, *arguments)
