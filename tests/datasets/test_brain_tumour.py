import gzip
import json
import os

import nibabel as nib
import numpy as np
import pytest

from tfadvpath.datasets.brain_tumour import BrainTumour, read_brain
from tfadvpath.datasets.builder import PrepareConfig
from tfadvpath.datasets.phantoms import write_brain_phantoms
from tfadvpath.datasets.phantoms.brain_slices import TUMOUR_LABELS
from tfadvpath.datasets.prepare import prepare
from tfadvpath.datasets.prepared import Prepared
from tfadvpath.datasets.splits import Shares
from tfadvpath.errors import InputError
from tfadvpath.studies.sizes import at_size
from tfadvpath.studies.study import read_study

HALF_A_LEVEL = 0.5 / (2**16 - 1) + 1e-6  # 16-bit storage, float32


def write(folder, name, image, labels, spacing=(1.0, 1.0, 1.0)):
    """Writes one case in the Decathlon's form."""
    affine = np.diag([*spacing, 1.0])
    for kind, values in (("imagesTr", image), ("labelsTr", labels)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(values, affine), folder / kind / f"{name}.nii.gz")
    return folder / "imagesTr" / f"{name}.nii.gz", folder / "labelsTr" / f"{name}.nii.gz"


def random_case(shape, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(1, 9, (*shape, 4)).astype(np.float32), random.integers(0, 4, shape).astype(np.uint8)


def shown(volume):
    """[X, Y, Z] in RAS+ as axial slices: anterior on top, the patient's right on the left."""
    return volume[::-1, ::-1].transpose(2, 1, 0)


def read_phantom(folder, name):
    return read_brain(*(folder / kind / f"{name}.nii.gz" for kind in ("imagesTr", "labelsTr")))


def area_weights(old, new):
    """[new, old]: which share of each old place lies in each new one."""
    edges = np.arange(new + 1) * old / new
    places = np.arange(old)
    overlap = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    return np.maximum(overlap, 0) * new / old


def test_slices_shrink_by_area_and_labels_by_the_nearest_voxel(tmp_path):
    image, labels = random_case((6, 5, 31))
    volume, tumour = read_brain(*write(tmp_path, "BRATS_001", image, labels))
    expected = np.einsum("ij,jrc->irc", area_weights(31, 29), shown(image[..., 2]).astype(np.float64))
    np.testing.assert_allclose(volume, expected, rtol=1e-5)
    nearest = [int((index + 0.5) * 31 / 29) for index in range(29)]
    np.testing.assert_array_equal(tumour, np.isin(shown(labels), (2, 3))[nearest])


@pytest.mark.parametrize(
    ("slices", "millimetres", "count"), [(155, 1.0, 145), (31, 5.0, 145), (55, 1.0, 51), (1, 1.0, 1)]
)
def test_155_mm_become_145_slices(tmp_path, slices, millimetres, count):
    image, labels = random_case((4, 4, slices))
    volume, tumour = read_brain(*write(tmp_path, "b", image, labels, (60.0, 60.0, millimetres)))
    assert len(volume) == len(tumour) == count


def test_slices_are_counted_from_the_feet_however_the_file_lies(tmp_path):
    image, labels = random_case((4, 4, 31))
    upright, _ = read_brain(*write(tmp_path, "up", image, labels))
    flipped = (image[:, :, ::-1], labels[:, :, ::-1], (1.0, 1.0, -1.0))
    np.testing.assert_allclose(read_brain(*write(tmp_path, "down", *flipped))[0], upright, rtol=1e-5)


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("msd")
    write_brain_phantoms(folder, [1, 2, 3], (32, 32, 21))
    return folder


@pytest.fixture(scope="module")
def dealt_out(phantoms, tmp_path_factory):
    """The phantoms, prepared by shares."""
    out = tmp_path_factory.mktemp("shares")
    config = PrepareConfig(size=32, shares=Shares(1, 1, 1))
    return prepare(BrainTumour, phantoms, out, config), Prepared(out, "brain-tumour")


def test_a_stored_slice_is_the_volumes_within_half_a_level(dealt_out, phantoms):
    _, prepared = dealt_out
    for part in ("train", "validation", "test"):
        stored = prepared.load(part, 32)
        (name,) = set(stored.patients)
        volume, tumour = read_phantom(phantoms, name)
        inside = volume.any(axis=(1, 2))
        expected = np.stack([at_size(values, None) for values in volume[inside]])
        np.testing.assert_allclose(stored.images[..., 0], expected, atol=HALF_A_LEVEL)
        np.testing.assert_array_equal(stored.masks, tumour[inside])
        assert 0 < stored.labels.mean() < 1


def test_without_stretching_a_slice_is_what_the_reader_shows(tmp_path):
    image, labels = random_case((20, 30, 7))  # 7 slices of 1 mm stay 7
    path, _ = write(tmp_path, "BRATS_001", image, labels)
    prepare(BrainTumour, tmp_path, tmp_path / "out", PrepareConfig(size=32, shares=Shares(1, 0, 0)))
    stored = Prepared(tmp_path / "out", "brain-tumour").load("train", 32)
    study = read_study(path, (32, 32), channel=2)
    np.testing.assert_allclose(stored.images, study.images, atol=HALF_A_LEVEL + 1e-6)


def test_slices_outside_the_body_are_left_out_and_noted(dealt_out, phantoms):
    summary, _ = dealt_out
    assert (
        sum(part["images"] for part in summary["parts"].values())
        + sum(len(dropped["indexes"]) for dropped in summary["dropped"])
        == 3 * 145
    )
    assert {dropped["reason"] for dropped in summary["dropped"]} == {"outside the body"}
    for dropped in summary["dropped"]:
        volume, _ = read_phantom(phantoms, dropped["case"])
        assert (volume[dropped["indexes"]] == 0).all()


def test_class_1_begins_at_10_pixels_of_224_and_oedema_is_none_of_them(tmp_path):
    image = np.random.default_rng(0).uniform(1, 9, (224, 224, 5, 4)).astype(np.float32)
    labels = np.zeros((224, 224, 5), np.uint8)
    for index, (pixels, label) in enumerate([(9, 2), (10, 2), (10, 3), (200, 1), (0, 0)]):
        labels[100, 10 : 10 + pixels, index] = label
    write(tmp_path, "BRATS_001", image, labels)
    prepare(BrainTumour, tmp_path, tmp_path / "out", PrepareConfig(size=64, shares=Shares(1, 0, 0)))
    stored = Prepared(tmp_path / "out", "brain-tumour").load("train", 64)
    assert stored.labels.tolist() == [0, 1, 1, 0, 0]
    assert stored.masks[3:].sum() == 0


def test_a_list_is_taken_exactly_and_what_the_source_lacks_is_named(phantoms, tmp_path):
    lists = {
        "train_indexes": [["BRATS_001", 70], ["BRATS_001", 0], ["BRATS_001", 145], ["BRATS_009", 3]],
        "val_indexes": [],
        "test_indexes": [["BRATS_003", 80]],
    }
    (tmp_path / "split.json").write_text(json.dumps(lists))
    config = PrepareConfig(size=32, split=tmp_path / "split.json")
    summary = prepare(BrainTumour, phantoms, tmp_path / "out", config)
    assert {part: count["images"] for part, count in summary["parts"].items()} == {"train": 2, "test": 1}
    assert summary["dropped"] == [
        {"case": case, "reason": "the source lacks it", "part": "train", "indexes": [index]}
        for case, index in (("BRATS_001", 145), ("BRATS_009", 3))
    ]
    volume, _ = read_phantom(phantoms, "BRATS_001")
    stored = Prepared(tmp_path / "out", "brain-tumour").load("train", 32)
    for image, index in zip(stored.images, (0, 70), strict=True):  # in the volume's order
        np.testing.assert_allclose(image[..., 0], at_size(volume[index], None), atol=HALF_A_LEVEL)


def test_each_broken_case_gets_one_line_and_the_others_go_on(tmp_path):
    image, labels = random_case((8, 8, 4))
    for name in ("good", "cut", "unlabelled", "flat", "shifted"):
        path, its_labels = write(tmp_path, name, image, labels)
        if name == "cut":
            path.write_bytes(path.read_bytes()[:-900])
        if name == "unlabelled":
            its_labels.unlink()
        if name == "flat":
            nib.save(nib.Nifti1Image(image[..., 0], np.eye(4)), path)
        if name == "shifted":
            nib.save(nib.Nifti1Image(labels[:-1], np.eye(4)), its_labels)
    (tmp_path / "imagesTr" / "._good.nii.gz").write_bytes(b"macOS")
    (tmp_path / "imagesTr" / "notes.txt").write_text("tumour")
    errors, shares = [], []
    config = PrepareConfig(size=32, shares=Shares(1, 0, 0))
    summary = prepare(BrainTumour, tmp_path, tmp_path / "out", config, errors.append, shares.append)
    assert summary["parts"]["train"]["images"] == 4
    assert summary["parts"]["train"]["patients"] == 1
    assert sum(shares) == pytest.approx(1)
    dropped = {dropped["case"]: dropped["reason"] for dropped in summary["dropped"]}
    assert len(summary["dropped"]) == len(dropped) == 5
    assert dropped.pop("notes.txt") == "is no NIfTI file"
    assert {"\n" in str(error) for error in errors} == {False}
    assert sorted(error.problem for error in errors) == sorted(dropped.values())
    for name, reason in (("cut", "truncated"), ("flat", "no channels"), ("shifted", "another grid")):
        assert reason in dropped[name]
    assert dropped["unlabelled"] == "has no labels in labelsTr"


def test_nothing_outside_the_folder_is_read(tmp_path):
    source, outside = tmp_path / "source", tmp_path / "outside"
    image, labels = random_case((8, 8, 4))
    write(outside, "other", image, labels)
    for name in ("good", "image", "labels"):
        write(source, name, image, labels)
    for kind, name in (("imagesTr", "image"), ("labelsTr", "labels")):
        (source / kind / f"{name}.nii.gz").unlink()
        (source / kind / f"{name}.nii.gz").symlink_to(outside / kind / "other.nii.gz")
    errors = []
    config = PrepareConfig(size=32, shares=Shares(1, 0, 0))
    summary = prepare(BrainTumour, source, tmp_path / "out", config, errors.append)
    assert summary["parts"]["train"]["patients"] == 1
    reasons = {dropped["case"]: dropped["reason"] for dropped in summary["dropped"]}
    assert reasons.keys() == {"image", "labels"}
    assert all("leads out of the folder" in reason for reason in reasons.values())
    assert len(errors) == 2


def test_names_that_cannot_be_told_apart_or_written_down_are_left_out(tmp_path):
    image, labels = random_case((8, 8, 4))
    path, _ = write(tmp_path, "a", image, labels)
    (tmp_path / "imagesTr" / os.fsdecode(b"\xff.nii.gz")).write_bytes(path.read_bytes())
    (tmp_path / "imagesTr" / "a.nii").write_bytes(gzip.decompress(path.read_bytes()))
    (tmp_path / "labelsTr" / "a.nii").write_bytes((tmp_path / "labelsTr" / "a.nii.gz").read_bytes())
    config = PrepareConfig(size=32, shares=Shares(1, 0, 0))
    summary = prepare(BrainTumour, tmp_path, tmp_path / "out", config)
    assert summary["parts"]["train"]["images"] == 4
    reasons = {dropped["case"]: dropped["reason"] for dropped in summary["dropped"]}
    assert reasons == {
        "\ufffd.nii.gz": "has a name that is not in UTF-8",
        "a.nii.gz": "has the name of another case, but for the ending",
    }
    text = (tmp_path / "out" / "summary.json").read_text(encoding="utf-8")
    assert json.loads(text)["dropped"] == summary["dropped"]


def test_slices_that_lie_metres_apart_take_no_memory(tmp_path):
    image, labels = random_case((4, 4, 31))
    with pytest.raises(InputError, match="says that it covers 31,000 mm, which no patient does"):
        read_brain(*write(tmp_path, "b", image, labels, (1.0, 1.0, 1000.0)))


@pytest.mark.parametrize("channels", [1, 2])
def test_a_volume_without_the_third_channel_is_refused(tmp_path, channels):
    image, labels = random_case((4, 4, 5))
    with pytest.raises(InputError, match="has no channel"):
        read_brain(*write(tmp_path, "b", image[..., :channels], labels))


@pytest.mark.parametrize("scale", [0.5, 3])
def test_labels_that_are_no_whole_numbers_are_refused(tmp_path, scale):
    image, labels = random_case((4, 4, 5))
    paths = write(tmp_path, "b", image, (labels * scale).astype(np.float32))
    if scale == 3:
        assert read_brain(*paths)[1].mean() == pytest.approx(
            (labels == 1).mean()
        )  # 3 is a label of the tumour
    else:
        with pytest.raises(InputError, match="holds values that are no whole numbers"):
            read_brain(*paths)


@pytest.mark.parametrize(
    ("folders", "problem"), [([], "holds no folder imagesTr"), (["imagesTr"], "holds no NIfTI file")]
)
def test_a_folder_in_another_form_is_refused(tmp_path, folders, problem):
    for name in folders:
        (tmp_path / "source" / name).mkdir(parents=True)
    (tmp_path / "source").mkdir(exist_ok=True)
    (tmp_path / "source" / "readme").touch()
    with pytest.raises(InputError, match=f"{problem}. Name the unpacked folder Task01_BrainTumour"):
        prepare(BrainTumour, tmp_path / "source", tmp_path / "out", PrepareConfig())


@pytest.mark.real_data
def test_the_decathlons_own_voxels_become_slices(real_data, tmp_path):
    config = PrepareConfig(size=64, shares=Shares(1, 1, 0))
    summary = prepare(BrainTumour, real_data / "msd_task01_patches", tmp_path, config)
    assert sorted(part["images"] for part in summary["parts"].values()) == [31, 51]
    assert summary["dropped"] == []
    for part in ("train", "validation"):
        stored = Prepared(tmp_path, "brain-tumour").load(part, 64)
        (name,) = set(stored.patients)
        labels = nib.load(real_data / "msd_task01_patches" / "labelsTr" / f"{name}.nii.gz").get_fdata()
        share = np.isin(labels, TUMOUR_LABELS).mean()
        assert stored.masks.mean() == pytest.approx(share, rel=0.05)
        assert stored.labels.mean() > 0.9  # its folder says that every slice has tumour
        # The tumour of these two enhances.
        assert stored.images[..., 0][stored.masks].mean() > 2 * stored.images[..., 0].mean()


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("interpreter_evaluation", (1000,)),
        pytest.param("classifier_training", (46900, 6184, 9424), marks=pytest.mark.slow),
    ],
)
def test_given_the_cases_the_papers_lists_give_the_papers_counts(paper_lists, tmp_path, name, counts):
    path = paper_lists / f"split_brain_tumor_{name}.json"
    image, labels = random_case((4, 4, 155))
    for case in {case for part in json.loads(path.read_text()).values() for case, _ in part}:
        write(tmp_path, case, image, labels)
    summary = prepare(BrainTumour, tmp_path, tmp_path / "out", PrepareConfig(size=32, split=path))
    assert tuple(part["images"] for part in summary["parts"].values()) == counts
    assert summary["dropped"] == []
