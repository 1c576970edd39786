import csv
import json
import shutil

import numpy as np
import pytest

from tfadvpath.datasets.boxes import filled_boxes
from tfadvpath.datasets.builder import PrepareConfig
from tfadvpath.datasets.phantoms import write_chest_phantoms
from tfadvpath.datasets.pneumonia import BOXES, IMAGES, KINDS, Pneumonia, read_rsna_labels
from tfadvpath.datasets.prepare import prepare
from tfadvpath.datasets.prepared import Prepared
from tfadvpath.datasets.splits import Shares, split_by_list
from tfadvpath.errors import InputError
from tfadvpath.studies.study import read_study

SIZE = 64
ALL = PrepareConfig(size=32, shares=Shares(1, 0, 0))
HALF_A_LEVEL = 0.5 / (2**16 - 1) + 1e-6


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rsna")
    write_chest_phantoms(folder, range(30), SIZE)
    return folder


@pytest.fixture(scope="module")
def prepared(phantoms, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    return prepare(Pneumonia, phantoms, out, ALL), Prepared(out, "pneumonia").load("train", 32)


def rows_of(folder, name):
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(folder, name, rows):
    with (folder / name).open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0].keys())
        table.writeheader()
        table.writerows(rows)


@pytest.mark.slow
def test_a_stored_xray_is_what_the_reader_shows_within_half_a_level(prepared, phantoms):
    _, stored = prepared
    for image, patient in zip(stored.images, stored.patients, strict=True):
        study = read_study(phantoms / IMAGES / f"{patient}.dcm", (32, 32))
        np.testing.assert_allclose(image, study.images[0], atol=HALF_A_LEVEL)


def test_labels_and_masks_are_the_tables(prepared, phantoms):
    _, stored = prepared
    boxes = {}
    for row in rows_of(phantoms, BOXES):
        box = [float(row[name]) for name in ("x", "y", "width", "height")] if row["Target"] == "1" else None
        boxes.setdefault(row["patientId"], []).extend([box] if box else [])
    kinds = {row["patientId"]: row["class"] for row in rows_of(phantoms, KINDS)}
    assert {kinds[patient] for patient in stored.patients} == {"Normal", "Lung Opacity"}
    for label, mask, patient in zip(stored.labels, stored.masks, stored.patients, strict=True):
        assert label == (kinds[patient] == "Lung Opacity") == mask.any()
        np.testing.assert_array_equal(mask, filled_boxes(boxes[patient], (SIZE, SIZE), (32, 32)))


def test_the_third_class_is_left_out_by_name(prepared, phantoms):
    summary, stored = prepared
    third = {row["patientId"] for row in rows_of(phantoms, KINDS) if row["class"].startswith("No ")}
    assert third
    assert {dropped["case"] for dropped in summary["dropped"]} == third
    assert {dropped["reason"] for dropped in summary["dropped"]} == {
        "is of the class No Lung Opacity / Not Normal"
    }
    assert summary["parts"]["train"]["images"] == len(stored.labels) == 30 - len(third)


def test_boxes_in_fractions_give_the_same_masks(prepared, phantoms, tmp_path):
    _, stored = prepared
    source = tmp_path / "source"
    shutil.copytree(phantoms, source)
    rows = rows_of(source, BOXES)
    for row in rows:
        row |= {name: float(row[name]) / SIZE for name in ("x", "y", "width", "height") if row[name]}
    write_rows(source, BOXES, rows)
    prepare(Pneumonia, source, tmp_path / "out", ALL)
    again = Prepared(tmp_path / "out", "pneumonia").load("train", 32)
    np.testing.assert_array_equal(again.masks, stored.masks)


def test_what_does_not_fit_together_is_left_out_with_the_reason(phantoms, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(phantoms, source)
    labels = read_rsna_labels(source)
    ill = [patient for patient, boxes in labels.opacities.items() if boxes]
    well = [patient for patient, boxes in labels.opacities.items() if not boxes]
    rows, kinds = rows_of(source, BOXES), rows_of(source, KINDS)
    next(row for row in rows if row["patientId"] == ill[0])["width"] = "wide"
    next(row for row in rows if row["patientId"] == well[0])["Target"] = "1"
    next(row for row in kinds if row["patientId"] == well[1])["class"] = "Lung Opacity"
    kinds.append({"patientId": well[2], "class": "Lung Opacity"})
    write_rows(source, BOXES, rows)
    write_rows(source, KINDS, kinds)
    path = source / IMAGES / f"{ill[1]}.dcm"
    path.write_bytes(path.read_bytes()[:-500])
    (source / IMAGES / f"{ill[2]}.dcm").rename(source / IMAGES / "stranger.dcm")
    errors = []
    summary = prepare(Pneumonia, source, tmp_path / "out", ALL, errors.append)
    reasons = {dropped["case"]: dropped["reason"] for dropped in summary["dropped"]}
    assert "box of four numbers" in reasons[ill[0]]
    assert f"{BOXES}, line" in reasons[ill[0]]
    assert "Target and box" in reasons[well[0]]
    assert reasons[well[1]] == "is of the class Lung Opacity and has 0 boxes"
    assert reasons[well[2]] == f"has 2 classes in {KINDS}"
    assert "truncated" in reasons[ill[1]]
    assert reasons[ill[2]] == "does not exist"
    assert reasons["stranger"] == "is in no table"
    assert len(errors) == 2


def test_a_listed_patient_of_the_third_class_is_dropped_for_that(phantoms, tmp_path):
    labels = read_rsna_labels(phantoms)
    third, usable = next(iter(labels.unusable)), next(iter(labels.opacities))
    lists = {"train_indexes": [[usable, 0], [third, 0]], "val_indexes": [], "test_indexes": []}
    (tmp_path / "split.json").write_text(json.dumps(lists))
    config = PrepareConfig(size=32, split=tmp_path / "split.json")
    summary = prepare(Pneumonia, phantoms, tmp_path / "out", config)
    assert [(dropped["case"], dropped["reason"][:15]) for dropped in summary["dropped"]] == [
        (third, "is of the class")
    ]


@pytest.mark.parametrize(
    ("missing", "problem"),
    [
        (IMAGES, f"holds no folder {IMAGES}"),
        (BOXES, f"{BOXES}: cannot be read as a table"),
        (KINDS, f"{KINDS}: cannot be read as a table"),
    ],
)
def test_a_missing_table_or_folder_is_named(phantoms, tmp_path, missing, problem):
    source = tmp_path / "source"
    shutil.copytree(phantoms, source)
    shutil.rmtree(source / missing) if missing == IMAGES else (source / missing).unlink()
    with pytest.raises(InputError, match=problem):
        prepare(Pneumonia, source, tmp_path / "out", ALL)


def test_nothing_outside_the_folder_is_read(phantoms, tmp_path):
    source = tmp_path / "source"
    shutil.copytree(phantoms, source)
    labels = read_rsna_labels(source)
    away, linked, folder, good = [patient for patient, boxes in labels.opacities.items() if boxes][:4]
    shutil.copy(source / IMAGES / f"{away}.dcm", tmp_path / "outside.dcm")
    (source / IMAGES / f"{linked}.dcm").unlink()
    (source / IMAGES / f"{linked}.dcm").symlink_to(tmp_path / "outside.dcm")
    (source / IMAGES / f"{folder}.dcm").unlink()
    (source / IMAGES / f"{folder}.dcm").mkdir()
    shutil.copy(source / IMAGES / f"{good}.dcm", source / IMAGES / f"{folder}.dcm" / "one.dcm")
    escape = "../../outside"
    for name in (BOXES, KINDS):
        rows = rows_of(source, name)
        for row in rows:
            row["patientId"] = row["patientId"].replace(away, escape)
        write_rows(source, name, rows)
    errors = []
    summary = prepare(Pneumonia, source, tmp_path / "out", ALL, errors.append)
    reasons = {dropped["case"]: dropped["reason"] for dropped in summary["dropped"]}
    assert "leads out of the folder" in reasons[escape]
    assert "leads out of the folder" in reasons[linked]
    assert "is a folder" in reasons[folder]
    assert len(errors) == 3
    assert summary["parts"]["train"]["images"] == len(labels.opacities) - 3


@pytest.mark.parametrize("name", [BOXES, KINDS])
def test_a_table_outside_the_folder_is_not_read(phantoms, tmp_path, name):
    source = tmp_path / "source"
    shutil.copytree(phantoms, source)
    (source / name).rename(tmp_path / name)
    (source / name).symlink_to(tmp_path / name)
    with pytest.raises(InputError, match="leads out of the folder"):
        prepare(Pneumonia, source, tmp_path / "out", ALL)


@pytest.mark.real_data
def test_the_challenges_tables_hold_what_the_paper_counts(real_data):
    labels = read_rsna_labels(real_data / "rsna_labels")
    boxes = [len(boxes) for boxes in labels.opacities.values()]
    assert boxes.count(0) == 8851
    assert len(boxes) - boxes.count(0) == 6012
    assert set(labels.unusable.values()) == {"is of the class No Lung Opacity / Not Normal"}
    assert len(boxes) + len(labels.unusable) == 26684


@pytest.mark.real_data
def test_every_patient_of_the_papers_list_is_in_the_tables(real_data, paper_lists):
    known = read_rsna_labels(real_data / "rsna_labels").opacities
    split = split_by_list(paper_lists / "split_pneumonia_detection.json", [])
    listed = [patient for part in split.values() for patient in part]
    assert len(listed) == len(known) == 14863
    assert set(listed) == set(known)


@pytest.mark.real_data
def test_the_challenges_own_form_is_read(real_data, tmp_path):
    config = PrepareConfig(size=32)
    summary = prepare(Pneumonia, real_data / "rsna_mini", tmp_path, config)
    counts = summary["parts"].values()
    assert sum(part["class_1"] for part in counts) == 65
    assert sum(part["images"] for part in counts) == 65 + 54
