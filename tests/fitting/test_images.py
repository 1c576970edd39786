"""Images of arrays and of files, with their patients and labels."""

import cv2
import numpy as np
import pytest
from support.own_classifiers import images

from tfadvpath.errors import InputError
from tfadvpath.fitting.images import array_of_images, files_of_images

IMAGES = images(12)


@pytest.mark.parametrize(
    ("values", "black", "white"),
    [
        (IMAGES, 0.0, 1.0),
        (IMAGES[..., 0], 0.0, 1.0),
        (np.repeat(IMAGES, 3, axis=3), 0.0, 1.0),
        (np.rint(IMAGES * 255).astype(np.uint8), 0.0, 255.0),
        (IMAGES * 255, 0.0, 255.0),
        (IMAGES * 2 - 1, -1.0, 1.0),
        (IMAGES * 60_000, 0.0, 65535.0),
    ],
)
def test_an_array_comes_to_the_unit_range(values, black, white):
    given = array_of_images(values)
    assert given.value_range == (black, white)
    assert given.images.shape == (12, 32, 32, 1)
    expected = (np.asarray(values, np.float64).reshape(12, 32, 32, -1)[..., :1] - black) / (white - black)
    np.testing.assert_allclose(given.images, expected, atol=1e-6)


def test_a_named_range_counts_for_numbers_outside_the_unit_range_alone():
    given = array_of_images(IMAGES * 1000 - 200, value_range=(-200.0, 800.0))
    np.testing.assert_allclose(given.images, IMAGES, atol=1e-6)
    np.testing.assert_array_equal(array_of_images(IMAGES, value_range=(0.0, 255.0)).images, IMAGES)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([np.zeros((32, 32, 1)), np.zeros((32, 30, 1))], "are of different sizes, such as"),
        (np.random.default_rng(0).random((4, 32, 32, 3)), "are colour images"),
        (np.zeros((4, 32, 32, 5)), "are images of 5 channels"),
        (np.zeros((32, 32)), r"are of shape \(32, 32\)"),
        (IMAGES * 1000 - 200, "hold values from .*`value_range`"),
        (np.full((4, 32, 32, 1), np.nan), "hold NaN"),
        (np.ones((4, 32, 32, 1)), "are all of one value each"),
    ],
)
def test_what_is_no_array_of_grey_images_is_refused(values, says):
    with pytest.raises(InputError, match=says):
        array_of_images(values)


def test_blank_images_are_left_out_with_their_patients_and_labels():
    values = IMAGES.copy()
    values[3] = 0.5
    given = array_of_images(values, patients=list("abcdefghijkl"), labels=np.arange(12))
    assert given.patients.tolist() == list("abcefghijkl")
    assert given.labels.tolist() == [0, 1, 2, *range(4, 12)]
    assert given.notes == ("1 images are left out: all pixels of each have one value.",)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"patients": ["a"]}, "`patients`: has 1 entries for 12 images"),
        ({"labels": [0.5] * 12}, "`labels`: are no whole numbers"),
    ],
)
def test_patients_and_labels_are_one_for_each_image(options, says):
    with pytest.raises(InputError, match=says):
        array_of_images(IMAGES, **options)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for i, image in enumerate(IMAGES[:6]):
        (folder / f"ward{i % 2}").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"ward{i % 2}" / f"{i}.png"), np.rint(image[..., 0] * 255).astype(np.uint8))
    (folder / "ward0" / "broken.png").write_bytes(b"no picture")
    return folder


def table(folder, text):
    path = folder / "patients.csv"
    path.write_text(text)
    return path


def test_files_are_read_and_a_broken_one_is_named(folder):
    given = files_of_images(folder, 64)
    assert given.images.shape == (6, 64, 64, 1)
    assert given.images.min() == 0
    assert given.images.max() == 1
    assert len(set(given.patients)) == 6
    assert given.labels is None
    assert any("1 of 7 files are left out, such as:" in note and "broken.png" in note for note in given.notes)
    places, stored = given.as_stored
    assert places.tolist() == list(range(6))
    assert stored.shape == (6, 64, 64, 1)
    assert 0.05 < stored.min() < stored.max() < 1  # not scaled by its own values


def test_a_table_names_patients_and_labels(folder, tmp_path):
    rows = "".join(f"ward{i % 2}/{i}.png,p{i // 2},{i % 3}\n" for i in range(5))
    given = files_of_images(folder, 32, table(tmp_path, f"file,patient,label\n{rows}"))
    order = [int(case.split("/")[-1].split(".")[0]) for case in given.cases]
    assert given.patients.tolist() == [f"p{i // 2}" for i in order]
    assert given.labels.tolist() == [i % 3 for i in order]
    assert "2 files are left out: the table does not list them." in given.notes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,label\n0.png,1\n", "lacks the column patient"),
        ("file,patient\n", "has no row"),
        ("file,patient,label\n0.png,a,1\n1.png,b,\n", "has no label in 1 of 2 rows"),
        ("file,patient,label\n0.png,a,tumour\n", "line 2: has the label tumour, which is no whole number"),
        ("file,patient\nother.png,a\n", "leaves no image: it lists none of the files"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(folder, tmp_path, text, says):
    with pytest.raises(InputError, match=says):
        files_of_images(folder, 32, table(tmp_path, text))


def test_missing_paths_are_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: is no file or folder"):
        files_of_images(tmp_path / "nowhere", 32)
    with pytest.raises(InputError, match="holds no image that can be read"):
        files_of_images(tmp_path, 32)
