import gzip
import json

import nibabel
import numpy as np
import pytest

from tfadvpath.datasets.phantoms import brain_phantom, write_brain_phantoms

SHAPE = (72, 72, 48)
FLAIR, T1, T1GD, T2 = range(4)
OEDEMA, CORE, RIM = 1, 2, 3


@pytest.fixture(scope="module")
def patients():
    return [brain_phantom(seed, SHAPE) for seed in range(8)]


@pytest.fixture(scope="module")
def healthy_twins():
    """The same patients before their tumours."""
    return [brain_phantom(seed, SHAPE, tumour=False) for seed in range(8)]


def _change(patient, twin, channel, label):
    """Mean signal where the label is, relative to the same place without the tumour."""
    where = patient.labels == label
    return float(patient.image[..., channel][where].mean() / twin.image[..., channel][where].mean())


def test_same_seed_gives_the_same_bytes(patients):
    again = brain_phantom(3, SHAPE)
    assert again.image.tobytes() == patients[3].image.tobytes()
    assert again.labels.tobytes() == patients[3].labels.tobytes()


def test_different_seeds_give_different_patients(patients):
    assert len({p.image.tobytes() for p in patients}) == len(patients)
    assert len({p.labels.tobytes() for p in patients}) == len(patients)


def test_types_and_shapes_are_those_promised(patients):
    for p in patients:
        assert p.image.shape == (*SHAPE, 4)
        assert p.image.dtype == np.float32
        assert p.labels.shape == SHAPE
        assert p.labels.dtype == np.uint8
        assert np.isfinite(p.image).all()


def test_background_is_zero_in_every_channel_and_the_brain_in_none(patients):
    for p in patients:
        brain = p.image > 0
        assert (p.image >= 0).all()
        assert (brain == brain[..., :1]).all()
        assert 0.1 < brain[..., 0].mean() < 0.3


def test_brain_does_not_touch_the_edge_of_the_volume(patients):
    for p in patients:
        brain = p.image[..., 0] > 0
        for axis in range(3):
            assert not brain.take((0, -1), axis).any()


def test_every_label_occurs_and_lies_inside_the_brain(patients):
    for p in patients:
        assert set(np.unique(p.labels)) == {0, OEDEMA, CORE, RIM}
        assert (p.image[p.labels > 0] > 0).all()


def test_healthy_twin_has_no_label_and_the_same_outline(patients, healthy_twins):
    for p, twin in zip(patients, healthy_twins, strict=True):
        assert not twin.labels.any()
        np.testing.assert_array_equal(twin.image > 0, p.image > 0)


def test_rim_is_bright_in_t1gd_but_not_in_t1(patients, healthy_twins):
    for p, twin in zip(patients, healthy_twins, strict=True):
        assert _change(p, twin, T1GD, RIM) > 1.3
        # A little above 1 where the rim fills a sulcus, which is dark in T1.
        assert _change(p, twin, T1, RIM) < 1.2


def test_rim_outshines_white_matter_in_t1gd(patients):
    for p in patients:
        t1gd, healthy = p.image[..., T1GD], (p.image[..., T1] > 0) & (p.labels == 0)
        # White matter is the brightest tissue of T1: its upper quarter holds nothing else.
        white = healthy & (p.image[..., T1] > np.percentile(p.image[..., T1][healthy], 75))
        assert t1gd[p.labels == RIM].mean() > 1.2 * t1gd[white].mean()


def test_oedema_is_bright_in_flair_and_t2_and_darker_in_t1(patients, healthy_twins):
    for p, twin in zip(patients, healthy_twins, strict=True):
        assert _change(p, twin, FLAIR, OEDEMA) > 1.3
        assert _change(p, twin, T2, OEDEMA) > 1.2
        assert _change(p, twin, T1, OEDEMA) < 1


def test_core_is_dark_in_t1gd_and_bright_in_t2(patients, healthy_twins):
    # The largest core of them: in the smallest ones the rim bleeds in.
    sizes = [(p.labels == CORE).sum() for p in patients]
    p, twin = patients[np.argmax(sizes)], healthy_twins[np.argmax(sizes)]
    assert _change(p, twin, T1GD, CORE) < 0.9
    assert _change(p, twin, T2, CORE) > 1.2


def test_healthy_patients_have_vessels_as_bright_as_a_rim(healthy_twins):
    for twin in healthy_twins:
        t1gd = twin.image[..., T1GD][twin.image[..., T1GD] > 0]
        assert 0.0001 < (t1gd > 1.5 * np.median(t1gd)).mean() < 0.05


def test_a_quarter_to_a_third_of_the_slices_with_brain_show_tumour():
    shares = []
    for seed in range(16):
        p = brain_phantom(seed, (40, 40, 40))
        body = (p.image[..., 0] > 0).any(axis=(0, 1))
        shares.append((p.labels >= CORE).any(axis=(0, 1)).sum() / body.sum())
    assert 0.25 <= np.mean(shares) <= 0.35
    assert min(shares) < 0.2 < 0.4 < max(shares)


def test_patient_keeps_its_anatomy_at_another_sampling():
    coarse, fine = brain_phantom(1, (48, 48, 32)), brain_phantom(1, (96, 96, 64))
    picked = (fine.image[..., 0] > 0).reshape(48, 2, 48, 2, 32, 2).mean(axis=(1, 3, 5)) > 0.5
    overlap = picked & (coarse.image[..., 0] > 0)
    # They differ at the outline alone, by the share of a voxel.
    assert overlap.sum() > 0.97 * picked.sum()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantoms")
    write_brain_phantoms(out, (4, 5), SHAPE)
    return out


def test_folder_holds_the_decathlon_layout_and_nothing_else(folder):
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert found == [
        "dataset.json",
        "imagesTr/BRATS_001.nii.gz",
        "imagesTr/BRATS_002.nii.gz",
        "labelsTr/BRATS_001.nii.gz",
        "labelsTr/BRATS_002.nii.gz",
    ]


def test_dataset_json_lists_channels_labels_and_patients(folder):
    described = json.loads((folder / "dataset.json").read_text())
    assert described["modality"] == {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}
    assert list(described["labels"]) == ["0", "1", "2", "3"]
    assert described["numTraining"] == 2
    for pair in described["training"]:
        assert (folder / pair["image"]).is_file()
        assert (folder / pair["label"]).is_file()


def test_files_read_back_as_the_phantom(folder):
    p = brain_phantom(5, SHAPE)
    image = nibabel.load(folder / "imagesTr/BRATS_002.nii.gz")
    labels = nibabel.load(folder / "labelsTr/BRATS_002.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert labels.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(image.dataobj), p.image)
    np.testing.assert_array_equal(np.asarray(labels.dataobj), p.labels)
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
    np.testing.assert_allclose(image.header.get_zooms()[:3], (240 / 72, 240 / 72, 155 / 48), rtol=1e-6)


def test_written_patient_is_reproducible_byte_for_byte(folder, tmp_path):
    write_brain_phantoms(tmp_path, [5], SHAPE)
    first = gzip.decompress((folder / "imagesTr/BRATS_002.nii.gz").read_bytes())
    assert gzip.decompress((tmp_path / "imagesTr/BRATS_001.nii.gz").read_bytes()) == first
