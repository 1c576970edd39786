import csv
import shutil

import cv2
import numpy as np
import pytest
from support.image_folders import SHAPE, config, write

from tfadvpath.datasets.image_folder import ImageFolder, ImageFolderConfig
from tfadvpath.datasets.prepare import prepare
from tfadvpath.datasets.prepared import Prepared
from tfadvpath.datasets.splits import Shares
from tfadvpath.errors import InputError
from tfadvpath.studies.sizes import nearest
from tfadvpath.studies.study import read_study


def load(folder, out, **options):
    summary = prepare(ImageFolder, folder, out, config(**options))
    return summary, Prepared(out, "image-folder").load("train", 32)


def test_images_and_masks_of_a_table_are_stored_in_its_order(tmp_path):
    table = [
        {"file": f"{number}.png", "patient": "p", "note": "n", "tumour_pixels": pixels}
        for number, pixels in enumerate((0, 9, 10, 1200))
    ]
    write(tmp_path, table, "flair", "mask")
    _, stored = load(tmp_path, tmp_path / "out")
    assert stored.labels.tolist() == [0, 0, 1, 1]
    assert stored.patients.tolist() == ["p"] * 4
    for row, image, mask in zip(table, stored.images, stored.masks, strict=True):
        study = read_study(tmp_path / "flair" / row["file"], (32, 32))
        np.testing.assert_allclose(image, study.images[0], atol=1e-5)
        np.testing.assert_array_equal(mask, nearest(np.arange(SHAPE[0]) >= 20, [32])[:, None] * np.ones(32))


def test_boxes_of_several_rows_make_one_mask(tmp_path):
    box = {"file": "a.png", "patient": "p", "label": 1, "x": 0, "y": 0, "width": 30, "height": 20}
    none = {"file": "b.png", "patient": "p", "label": 0, "x": "", "y": "", "width": "", "height": ""}
    write(tmp_path, [box, box | {"x": 45, "width": 15}, none])
    _, stored = load(tmp_path, tmp_path / "out")
    expected = np.zeros((32, 32), bool)
    expected[:16, :16] = expected[:16, 24:] = True
    np.testing.assert_array_equal(stored.masks, [expected, np.zeros((32, 32))])


def test_without_masks_and_boxes_the_masks_are_empty(tmp_path):
    write(tmp_path, [{"file": "a.png", "patient": "p", "label": 1}], ".")
    _, stored = load(tmp_path, tmp_path / "out")
    assert stored.labels.tolist() == [1]
    assert not stored.masks.any()


def test_folders_can_be_named(tmp_path):
    table = [{"file": "a.png", "patient": "p", "label": 1}]
    write(tmp_path, table, "t1", "core")
    (tmp_path / "t2").mkdir()
    cv2.imwrite(str(tmp_path / "t2" / "a.png"), np.eye(40, 60, dtype=np.uint8))
    with pytest.raises(InputError, match=r"3 folders.*Name the folder of the images in `images`"):
        load(tmp_path, tmp_path / "out")
    _, stored = load(tmp_path, tmp_path / "out", images="t2", masks="core")
    np.testing.assert_allclose(
        stored.images, read_study(tmp_path / "t2" / "a.png", (32, 32)).images, atol=1e-5
    )
    assert stored.masks.mean() == 0.5
    with pytest.raises(InputError, match=r"edges: is no folder"):
        load(tmp_path, tmp_path / "out", images="t2", masks="edges")


def test_what_is_wrong_with_a_row_or_an_image_is_named_and_the_others_go_on(tmp_path):
    names = ("good", "label", "twice", "blank", "size", "unmasked", "healthy", "nobody", "box", "gone")
    table = [
        {"file": f"{name}.png", "patient": "p", "label": 1, "x": "", "y": "", "width": "", "height": ""}
        for name in names
    ]
    rows = dict(zip(names, table, strict=True))
    rows["label"]["label"] = 2
    rows["healthy"]["label"] = 0
    rows["nobody"]["patient"] = " "
    rows["box"]["x"] = 3
    write(tmp_path, [*table, rows["twice"] | {"patient": "q"}], masks="masks")
    cv2.imwrite(str(tmp_path / "images" / "blank.png"), np.full(SHAPE, 7, np.uint8))
    cv2.imwrite(str(tmp_path / "masks" / "size.png"), np.eye(32, dtype=np.uint8))
    for name in ("unmasked", "healthy"):
        (tmp_path / "masks" / f"{name}.png").unlink()
    (tmp_path / "images" / "gone.png").unlink()
    summary, stored = load(tmp_path, tmp_path / "out")
    assert stored.labels.tolist() == [1, 0]
    assert stored.masks.any(axis=(1, 2)).tolist() == [True, False]
    reasons = {dropped["case"].removesuffix(".png"): dropped["reason"] for dropped in summary["dropped"]}
    assert reasons == {
        "label": "table.csv has the label 2, where 0 or 1 is meant",
        "twice": "table.csv repeats a file with other values",
        "blank": "is blank: all its pixels are the same",
        "size": "is not of its image's size",
        "unmasked": "does not exist",
        "nobody": "table.csv names no file or no patient",
        "box": "table.csv has no box of four numbers: 3, , , ",
        "gone": "does not exist",
    }


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "0 CSV tables"),
        ({"a.csv": "file,patient,label\n", "b.csv": "file,patient,label\n"}, "2 CSV tables"),
        ({"a.csv": "file,patient\na.png,p\n"}, "label or tumour_pixels"),
        ({"a.csv": "file,patient,label\n"}, "without a usable row"),
        ({"a.csv": "file,patient,label\na.png,p,1\n"}, r"a\.png of its table in 0 folders"),
    ],
)
def test_a_folder_without_a_usable_table_is_refused(tmp_path, tables, message):
    (tmp_path / "empty").mkdir()
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        load(tmp_path, tmp_path / "out")


@pytest.mark.real_data
def test_slices_of_the_lower_grade_gliomas_are_read_with_their_masks(real_data, tmp_path):
    with (real_data / "lgg" / "slices.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["patient"].startswith("TCGA_CS_494")]
    for name in ("flair", "mask"):
        (tmp_path / name).mkdir()
        for row in rows:
            shutil.copy(real_data / "lgg" / name / row["file"], tmp_path / name)
    with (tmp_path / "slices.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    out = tmp_path / "out"
    prepare(ImageFolder, tmp_path, out, ImageFolderConfig(size=256, shares=Shares(1, 0, 0)))
    stored = Prepared(out, "image-folder").load("train", 256)  # the images' own size
    pixels = np.array([int(row["tumour_pixels"]) for row in rows])
    blank = [not cv2.imread(str(tmp_path / "flair" / row["file"]), 0).any() for row in rows]
    np.testing.assert_array_equal(stored.masks.sum(axis=(1, 2)), pixels[~np.array(blank)])
    np.testing.assert_array_equal(stored.labels == 1, pixels[~np.array(blank)] >= 10)
    assert len(set(stored.patients)) == 3


def test_a_blank_image_is_left_out_and_an_error_only_where_a_list_asks_for_it(tmp_path):
    table = [{"file": f"{name}.png", "patient": name, "label": 1} for name in ("good", "blank")]
    write(tmp_path, table)
    cv2.imwrite(str(tmp_path / "images" / "blank.png"), np.full(SHAPE, 7, np.uint8))
    (tmp_path / "list.json").write_text(
        '{"train_indexes": [["good.png", 0], ["blank.png", 0]], "val_indexes": [], "test_indexes": []}'
    )
    for split, expected in ((None, 0), (tmp_path / "list.json", 1)):
        errors = []
        made = config() if split is None else ImageFolderConfig(size=32, split=split)
        summary = prepare(ImageFolder, tmp_path, tmp_path / f"out_{expected}", made, errors.append)
        assert len(errors) == expected
        (dropped,) = summary["dropped"]
        assert (dropped["case"], dropped["indexes"]) == ("blank.png", [0])
        assert dropped["reason"] == "is blank: all its pixels are the same"
