"""Preparing data from Python: options, files and summary. The data sets are tested in tests/datasets."""

import json

import cv2
import numpy as np
import pytest

from tfadvpath.errors import InputError
from tfadvpath.recipes.data import DATA_SETS, PhantomData, PreparedData
from tfadvpath.recipes.prepare import prepare
from tfadvpath.studies.study import read_study

PHANTOMS = [task for task, kind in DATA_SETS.items() if issubclass(kind, PhantomData)]
ON_DISK = [task for task, kind in DATA_SETS.items() if issubclass(kind, PreparedData)]


@pytest.fixture
def source(tmp_path):
    """A folder of images that a table lists: "file,patient,label" lines and a PNG for each."""

    def make(*rows):
        folder = tmp_path / "source"
        folder.mkdir()
        (folder / "table.csv").write_text("\n".join(["file,patient,label", *rows]) + "\n")
        for i, row in enumerate(rows):
            image = np.random.default_rng(i).integers(0, 255, (40, 40), np.uint8)
            cv2.imwrite(str(folder / row.split(",")[0]), image)
        return folder

    return make


@pytest.mark.parametrize(
    ("task", "options", "says"),
    [
        ("lungs", {}, rf"`task`: 'lungs' is not known\. Choose from {', '.join(DATA_SETS)}"),
        ("pneumonia", {}, r"pneumonia: needs `source`\. Name the folder of the images"),
        ("image-folder", {"masks": "m"}, "image-folder: needs `source`"),
        ("pneumonia", {"source": ".", "masks": "m"}, "`masks`: does not go with pneumonia. Leave it out"),
        ("brain-tumour", {"source": ".", "images": "i"}, "`images`: does not go with brain-tumour"),
        ("brain-tumour", {"source": ".", "patients": 3}, "`patients`: does not go with brain-tumour"),
        ("phantom-chest", {"source": "."}, "`source`: does not go with phantom-chest"),
        ("phantom-brain", {"shares": (1, 0, 0)}, "`shares`: does not go with phantom-brain"),
        ("phantom-brain", {"split": "list.json"}, "`split`: does not go with phantom-brain"),
        (
            "image-folder",
            {"source": ".", "split": "list.json", "shares": (1, 1, 1)},
            "`shares`: does not go with `split`, which names each image",
        ),
        ("phantom-chest", {"patients": 0}, "`patients`: 0 is out of range. Give a number from 1 to 100000"),
        ("phantom-chest", {"patients": 100_001}, "`patients`: 100001 is out of range"),
        ("phantom-chest", {"size": 31}, "`size`: 31 is out of range. Give a number from 32 on"),
        ("pneumonia", {"source": ".", "seed": -1}, "`seed`: -1 is out of range. Give a number from 0 on"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_before_anything_is_written(tmp_path, task, options, says):
    with pytest.raises(InputError, match=says):
        prepare(task, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("task", ON_DISK)
def test_a_source_that_is_no_folder_of_images_is_refused(tmp_path, task):
    with pytest.raises(InputError, match=r"none: is no folder\. Name the folder of the images"):
        prepare(task, tmp_path / "out", source=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: is an empty folder"):
        prepare(task, str(tmp_path / "out"), source=str(tmp_path / "empty"))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(InputError, match="out: cannot be made"):
        prepare("phantom-chest", tmp_path / "out", patients=1, size=32)


@pytest.mark.parametrize("task", PHANTOMS)
def test_phantoms_are_written_as_studies_of_that_size(tmp_path, task):
    shares = []
    summary = prepare(task, tmp_path, patients=2, size=40, seed=3, on_progress=shares.append)
    assert summary.content == {"task": task, "patients": 2, "seed": 3, "out": str(tmp_path)}
    assert (summary.task, summary.out, list(summary.errors)) == (task, tmp_path, [])
    assert summary.lines() == [f"2 patients are in {tmp_path}"]
    assert summary.warnings() == []
    assert shares == [0.5, 0.5]
    images = next(path for path in sorted(tmp_path.iterdir()) if path.is_dir() and "images" in path.name)
    files = sorted(images.iterdir())
    assert len(files) == 2
    study = read_study(files[0], channel=2 if DATA_SETS[task].ORGAN == "brain" else None)
    assert study.images.shape[1:] == (40, 40, 1)


def test_phantoms_are_those_of_the_seed_and_none_that_a_recipe_trains_on(tmp_path):
    def pixels(name, **options):
        prepare("phantom-chest", tmp_path / name, size=32, **options)
        files = sorted((tmp_path / name / "stage_2_train_images").iterdir())
        return {read_study(file).images.tobytes() for file in files}

    three = pixels("three", patients=3)
    assert pixels("again", patients=3) == three
    assert pixels("two", patients=2) < three  # the first ones of the seed
    assert not pixels("other", patients=3, seed=1) & three
    data = DATA_SETS["phantom-chest"].model_validate(
        {"task": "phantom-chest", "image_size": 32, "patients": {"train": 3, "validation": 1, "test": 1}}
    )
    data.write_studies(tmp_path / "recipe", data.patient_seeds("train", 0), 32)
    recipes = (tmp_path / "recipe" / "stage_2_train_images").iterdir()
    assert not {read_study(file).images.tobytes() for file in recipes} & three


def test_without_a_number_ten_patients_are_written(tmp_path):
    summary = prepare("phantom-chest", tmp_path, size=32)
    assert summary.content["patients"] == 10
    assert len(list((tmp_path / "stage_2_train_images").iterdir())) == 10
    assert prepare("phantom-chest", tmp_path / "one", patients=1, size=32).lines() == [
        f"1 patient is in {tmp_path / 'one'}"
    ]


def test_images_on_disk_become_records_and_the_summary_is_that_of_the_file(source, tmp_path):
    folder = source("a.png,p,0", "b.png,q,1", "c.png,r,0", "d.png,s,1")
    shares = []
    summary = prepare(
        "image-folder",
        tmp_path / "out",
        source=folder,
        shares=(1, 0, 1),
        size=32,
        seed=1,
        on_progress=shares.append,
    )
    assert summary.content == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary.content["image_size"] == 32
    assert {part: count["patients"] for part, count in summary.content["parts"].items()} == {
        "train": 2,
        "test": 2,
    }
    assert sum(shares) == pytest.approx(1)
    *parts, end = summary.lines()
    assert [line.split(":")[0] for line in parts] == ["train", "test"]
    assert end == f"The images are in {tmp_path / 'out'}"
    data = DATA_SETS["image-folder"](task="image-folder", path=tmp_path / "out", image_size=32)
    assert data.load("train", 0).images.shape == (2, 32, 32, 1)


def test_a_list_says_which_image_is_in_which_part(source, tmp_path):
    folder = source("a.png,p,0", "b.png,q,1", "c.png,r,0")
    listed = {
        "train_indexes": [["b.png", 0]],
        "val_indexes": [],
        "test_indexes": [["a.png", 0], ["c.png", 0]],
    }
    (tmp_path / "list.json").write_text(json.dumps(listed))
    summary = prepare("image-folder", tmp_path / "out", source=folder, split=str(tmp_path / "list.json"))
    assert {part: count["class_1"] for part, count in summary.content["parts"].items()} == {
        "train": 1,
        "test": 0,
    }
    assert summary.warnings() == [
        "Warning: all images of train are of class 1.",
        "Warning: all images of test are of class 0.",
    ]


def test_parts_of_both_classes_get_no_warning(source, tmp_path):
    summary = prepare(
        "image-folder", tmp_path / "out", source=source("a.png,p,0", "b.png,q,1"), shares=(1, 0, 0)
    )
    assert summary.warnings() == []


def test_what_is_broken_is_told_kept_and_left_out_and_the_others_go_on(source, tmp_path):
    folder = source("a.png,p,0", "b.png,q,1", "c.png,r,1")
    (folder / "b.png").write_bytes(b"no image")
    heard = []
    summary = prepare(
        "image-folder", tmp_path / "out", source=folder, shares=(1, 0, 0), on_error=heard.append
    )
    assert [error.source for error in summary.errors] == [str(folder / "b.png")]
    assert heard == list(summary.errors)
    assert summary.content["parts"]["train"]["images"] == 2
    assert any(line.startswith("left out: 1 case: ") for line in summary.lines())
