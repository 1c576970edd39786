import csv

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID, JPEGBaseline8Bit

from tfadvpath.datasets.phantoms import chest_phantom, write_chest_phantoms

SIZE = 128
SEEDS = range(12)
CLASSES = {"Normal", "Lung Opacity", "No Lung Opacity / Not Normal"}


@pytest.fixture(scope="module")
def pairs():
    """The same patients without and with opacities."""
    return [(chest_phantom(seed, SIZE, False), chest_phantom(seed, SIZE, True)) for seed in SEEDS]


def _inside(box):
    x, y, width, height = (round(value) for value in box)
    return slice(y, y + height), slice(x, x + width)


def test_same_seed_gives_the_same_image_and_boxes(pairs):
    again = chest_phantom(4, SIZE, True)
    assert again.pixels.tobytes() == pairs[4][1].pixels.tobytes()
    assert again.boxes == pairs[4][1].boxes


def test_different_seeds_give_different_patients(pairs):
    assert len({normal.pixels.tobytes() for normal, _ in pairs}) == len(pairs)


def test_pixels_fill_the_eight_bits(pairs):
    for pair in pairs:
        for p in pair:
            assert p.pixels.shape == (SIZE, SIZE)
            assert p.pixels.dtype == np.uint8
            assert p.pixels.min() < 10
            assert p.pixels.max() > 180


def test_class_target_and_boxes_agree(pairs):
    for normal, opaque in pairs:
        assert (normal.class_name, normal.target, normal.boxes) == ("Normal", 0, [])
        assert (opaque.class_name, opaque.target) == ("Lung Opacity", 1)
        assert 1 <= len(opaque.boxes) <= 3


def test_all_three_classes_are_drawn():
    drawn = [chest_phantom(seed, 48) for seed in range(24)]
    assert {p.class_name for p in drawn} == CLASSES
    assert all(p.target == (p.class_name == "Lung Opacity") == bool(p.boxes) for p in drawn)


def test_boxes_lie_inside_the_image(pairs):
    for _, opaque in pairs:
        for x, y, width, height in opaque.boxes:
            assert 0 <= x < x + width <= SIZE
            assert 0 <= y < y + height <= SIZE
            assert min(width, height) > 0.05 * SIZE


def test_boxes_cover_what_was_dark_lung(pairs):
    for normal, opaque in pairs:
        belly = np.percentile(normal.pixels, 95)
        for box in opaque.boxes:
            assert np.median(normal.pixels[_inside(box)]) < 0.85 * belly


def test_opacity_brightens_its_box_against_the_same_patient_without(pairs):
    for normal, opaque in pairs:
        for box in opaque.boxes:
            gain = opaque.pixels[_inside(box)].mean() - normal.pixels[_inside(box)].mean()
            assert gain > 5


def test_patient_is_the_same_away_from_the_opacity(pairs):
    for normal, opaque in pairs:
        rows = slice(0, SIZE // 12)
        difference = np.abs(normal.pixels[rows].astype(int) - opaque.pixels[rows])
        assert difference.mean() < 3


def test_box_scales_with_the_image():
    small, large = chest_phantom(7, 96, True), chest_phantom(7, 192, True)
    assert len(small.boxes) == len(large.boxes)
    np.testing.assert_allclose(np.array(large.boxes) / 192, np.array(small.boxes) / 96, atol=0.03)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantoms")
    write_chest_phantoms(out, range(20, 30), SIZE)
    return out


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_dicom_files_read_back_as_the_phantom(folder):
    files = sorted((folder / "stage_2_train_images").iterdir())
    assert len(files) == 10
    p = chest_phantom(23, SIZE)
    apart = sorted(np.abs(pydicom.dcmread(path).pixel_array.astype(int) - p.pixels).mean() for path in files)
    # JPEG at quality 90 changes grey values by a few steps; other phantoms are farther off.
    assert apart[0] < 3 < apart[1]


def test_dicom_header_is_that_of_the_challenge(folder):
    for path in (folder / "stage_2_train_images").iterdir():
        ds = pydicom.dcmread(path)
        assert path.stem == ds.PatientID
        assert ds.file_meta.TransferSyntaxUID == JPEGBaseline8Bit
        assert ds.PhotometricInterpretation == "MONOCHROME2"
        assert (ds.Rows, ds.Columns, ds.BitsAllocated, ds.PixelRepresentation) == (SIZE, SIZE, 8, 0)
        assert ds.LossyImageCompression == "01"
        assert ds.PatientSex in {"F", "M"}
        assert ds.ViewPosition in {"PA", "AP"}
        assert ds.PatientAge.endswith("Y")
        for uid in (ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID):
            assert UID(uid).is_valid
            assert len(uid) <= 64


def test_identifiers_are_unique(folder):
    headers = [pydicom.dcmread(path) for path in (folder / "stage_2_train_images").iterdir()]
    uids = [u for ds in headers for u in (ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID)]
    assert len(set(uids)) == 30


def test_labels_have_a_row_a_box_and_empty_fields_without_one(folder):
    labels = _rows(folder / "stage_2_train_labels.csv")
    assert list(labels[0]) == ["patientId", "x", "y", "width", "height", "Target"]
    boxes = [box for seed in range(20, 30) for box in chest_phantom(seed, SIZE).boxes]
    read = [
        tuple(float(row[k]) for k in ("x", "y", "width", "height")) for row in labels if row["Target"] == "1"
    ]
    assert read == boxes
    empty = [row for row in labels if row["Target"] == "0"]
    assert empty
    assert all(row[k] == "" for row in empty for k in ("x", "y", "width", "height"))


def test_class_table_has_a_row_for_each_label_row(folder):
    labels = _rows(folder / "stage_2_train_labels.csv")
    classes = _rows(folder / "stage_2_detailed_class_info.csv")
    assert [row["patientId"] for row in labels] == [row["patientId"] for row in classes]
    for label, kind in zip(labels, classes, strict=True):
        assert (kind["class"] == "Lung Opacity") == (label["Target"] == "1")


def test_written_files_are_reproducible_byte_for_byte(folder, tmp_path):
    write_chest_phantoms(tmp_path, range(20, 30), SIZE)
    first = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    again = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert again == first
