import json

import cv2
import numpy as np
import pytest

from tfadvpath.datasets.image_folder import ImageFolder, ImageFolderConfig
from tfadvpath.datasets.prepare import prepare
from tfadvpath.datasets.prepared import Prepared
from tfadvpath.datasets.splits import Shares
from tfadvpath.errors import InputError


@pytest.fixture
def folder(tmp_path):
    """Twelve prepared images of 64 pixels in one part, each with the mask of its brighter half."""
    source, out = tmp_path / "source", tmp_path / "out"
    random = np.random.default_rng(0)
    for name in ("images", "masks"):
        (source / name).mkdir(parents=True)
    for number in range(12):
        pixels = random.integers(0, 255, (64, 64), np.uint8)
        cv2.imwrite(str(source / "images" / f"{number}.png"), pixels)
        cv2.imwrite(str(source / "masks" / f"{number}.png"), (pixels > 127).astype(np.uint8))
    rows = [f"{number}.png,p{number},{number % 2}" for number in range(12)]
    (source / "table.csv").write_text("\n".join(["file,patient,label", *rows]))
    prepare(ImageFolder, source, out, ImageFolderConfig(size=64, shares=Shares(1, 0, 0)))
    return out


def open_folder(folder):
    return Prepared(folder, "image-folder")


def test_arrays_are_read_only_maps_of_files(folder):
    stored = open_folder(folder).load("train", 64)
    assert [array.dtype for array in (stored.images, stored.labels, stored.masks)] == [
        np.float32,
        np.float32,
        np.bool_,
    ]
    assert stored.patients.dtype.kind == "U"
    for array in (stored.images, stored.masks):
        assert isinstance(array, np.memmap)
        assert not array.flags.writeable


def test_the_second_reading_takes_the_first_ones_files(folder):
    first = open_folder(folder).load("train", 64)
    for record in folder.rglob("*.tfrecord*"):
        record.write_bytes(b"")
    np.testing.assert_array_equal(open_folder(folder).load("train", 64).images, first.images)


def test_a_stopped_reading_leaves_no_half_files(folder, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        open_folder(folder).load("train", 64)
    monkeypatch.undo()
    assert not list(folder.rglob("*.npy"))
    assert len(open_folder(folder).load("train", 64).images) == 12


def test_smaller_images_are_averages_over_areas_in_the_whole_range(folder):
    whole = open_folder(folder).load("train", 64)
    small = open_folder(folder).load("train", 32)
    averages = whole.images.reshape(12, 32, 2, 32, 2).astype(np.float64).mean(axis=(2, 4))
    low, high = averages.min(axis=(1, 2), keepdims=True), averages.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(small.images[..., 0], (averages - low) / (high - low), atol=1e-6)
    np.testing.assert_array_equal(small.masks, whole.masks[:, 1::2, 1::2])
    np.testing.assert_array_equal(small.patients, whole.patients)


def test_a_sample_is_some_of_the_images_in_their_order_by_the_seed(folder):
    whole = open_folder(folder).load("train", 64)
    one, again, other = (open_folder(folder).sample("train", 64, 5, seed) for seed in (0, 0, 1))
    rows = [whole.patients.tolist().index(patient) for patient in one.patients]
    assert rows == sorted(set(rows))
    assert len(rows) == 5
    np.testing.assert_array_equal(one.images, whole.images[rows])
    np.testing.assert_array_equal(one.masks, whole.masks[rows])
    np.testing.assert_array_equal(one.labels, whole.labels[rows])
    np.testing.assert_array_equal(one.images, again.images)
    assert one.patients.tolist() != other.patients.tolist()
    assert len(open_folder(folder).sample("train", 64, 99, 0).images) == 12


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_damaged_records_are_named(folder, damage):
    (record,) = folder.rglob("*.tfrecord*")
    content = bytearray(record.read_bytes())
    if damage == "gone":
        record.unlink()
    else:
        content[len(content) // 2] ^= 255
        record.write_bytes({"cut": content[:-100], "flip": content, "empty": b""}[damage])
    with pytest.raises(InputError, match=r"1\.0\.0.*prepare` again"):
        open_folder(folder).load("train", 64)
    assert not list(folder.rglob("*.npy"))


def test_what_is_no_such_folder_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="holds no prepared images"):
        open_folder(tmp_path / "source")
    with pytest.raises(InputError, match="of the task image-folder, not pneumonia"):
        Prepared(folder, "pneumonia")
    with pytest.raises(InputError, match="holds no part test, but train"):
        open_folder(folder).load("test", 64)
    (folder / "records").rename(folder / "old")
    with pytest.raises(InputError, match="lacks its records"):
        open_folder(folder)
    (folder / "summary.json").write_text(json.dumps(["task"]))
    with pytest.raises(InputError, match="holds no prepared images"):
        open_folder(folder)


def test_images_have_the_names_of_their_cases_whatever_version_wrote_the_arrays(folder):
    stored = open_folder(folder).load("train", 64)
    for patient, case in zip(stored.patients, stored.cases, strict=True):
        assert case == f"{patient.removeprefix('p')}.png"
    (file,) = folder.rglob("cases.npy")
    file.unlink()
    again = open_folder(folder).load("train", 64).cases
    np.testing.assert_array_equal(again, stored.cases)
    assert file.exists()
    np.testing.assert_array_equal(open_folder(folder).load("train", 64).cases, stored.cases)
    sample = open_folder(folder).sample("train", 64, 5, 0)
    assert [case.removesuffix(".png") for case in sample.cases] == [name[1:] for name in sample.patients]


def test_arrays_of_an_earlier_version_are_read_where_nothing_can_be_written(folder, monkeypatch):
    stored = open_folder(folder).load("train", 64)
    (file,) = folder.rglob("cases.npy")
    file.unlink()

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(np, "save", refuse)
    np.testing.assert_array_equal(open_folder(folder).load("train", 64).cases, stored.cases)
    assert not file.exists()
