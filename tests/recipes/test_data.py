import json

import numpy as np
import pydantic
import pytest
from support import tiny

from tfadvpath.datasets.brain_tumour import BrainTumour as Builder
from tfadvpath.datasets.builder import PrepareConfig
from tfadvpath.datasets.phantoms import write_brain_phantoms
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices
from tfadvpath.datasets.prepare import prepare
from tfadvpath.datasets.splits import Shares
from tfadvpath.errors import InputError
from tfadvpath.recipes.data import BrainTumour, PhantomBrain, PhantomChest, Pneumonia

PARTS = ("train", "validation", "test")
PATIENTS = {"train": 2, "validation": 1, "test": 1}
BRAIN = PhantomBrain(task="phantom-brain", image_size=32, patients=PATIENTS, min_tumour_pixels=2)
CHEST = PhantomChest(task="phantom-chest", image_size=32, patients=PATIENTS, twins=True)


def test_no_patient_is_in_two_parts_nor_in_another_seed():
    everyone = [person for seed in (0, 1) for part in PARTS for person in BRAIN.patient_seeds(part, seed)]
    assert len(everyone) == len(set(everyone)) == 8


@pytest.mark.parametrize("data", [BRAIN, CHEST])
def test_phantoms_are_of_the_parts_patients(data):
    loaded = {part: data.load(part, 1) for part in PARTS}
    for part in PARTS:
        assert set(loaded[part].patients) == {f"phantom_{seed}" for seed in data.patient_seeds(part, 1)}
        assert loaded[part].images.shape[1:] == (32, 32, 1)
        assert 0 < loaded[part].labels.mean() < 1


def test_brain_slices_are_chosen_by_the_sections_rules():
    expected = phantom_brain_slices([0, 1], 32, 2, 2, 0.05, False)
    np.testing.assert_array_equal(BRAIN.load("train", 0).images, expected.images)
    np.testing.assert_array_equal(BRAIN.load("train", 0).labels, expected.labels)


def test_the_fingerprint_tells_options_and_seeds_apart():
    others = [
        BRAIN.fingerprint(1),
        BRAIN.model_copy(update={"twins": True}).fingerprint(0),
        CHEST.fingerprint(0),
    ]
    assert BRAIN.fingerprint(0) == BRAIN.model_copy().fingerprint(0)
    assert len({BRAIN.fingerprint(0), *others}) == 4


# Recipes without folds keep the fingerprints that their runs and bundles were made with.
@pytest.mark.parametrize(
    ("data", "fingerprint"),
    [
        (BRAIN, "12ee07b151fafedddb811eef6f96fa4b183a80ad0c301ec35ca9dc100c8db788"),
        (CHEST, "673af878d7d9295a648f7bcf81379c75804f8eace4a000349b6447a3c346b8da"),
    ],
)
def test_the_fingerprint_without_folds_is_that_of_the_first_version(data, fingerprint):
    assert data.fingerprint(0) == fingerprint
    folds = [data.model_copy(update={"folds": 3, "fold": fold}).fingerprint(0) for fold in range(3)]
    assert len({fingerprint, *folds}) == 4


@pytest.mark.parametrize("data", [BRAIN, CHEST])
def test_the_terms_of_the_data_change_no_image(data):
    named = data.model_copy(update={"terms": "Of somebody, to be named."})
    assert named.fingerprint(0) == data.fingerprint(0)
    assert in_fold(named, 0).fingerprint(0) == in_fold(data, 0).fingerprint(0)


def in_fold(data, fold, folds=3):
    return data.model_copy(update={"folds": folds, "fold": fold})


def rows_of(part):
    assert len(set(part.cases)) == len(part.cases)
    return {
        case: (image.tobytes(), label, mask.tobytes(), patient)
        for image, label, mask, patient, case in zip(*vars(part).values(), strict=True)
    }


def check_folds(data):
    """Every patient but the test part's is held out once, and all that belongs to an image goes with it."""
    whole = rows_of(data.load("train", 0)) | rows_of(data.load("validation", 0))
    test = rows_of(data.load("test", 0))
    assert not set(whole) & set(test)
    held_out = []
    for fold in range(3):
        parts = in_fold(data, fold).load_parts(0)
        train, validation = rows_of(parts["train"]), rows_of(parts["validation"])
        assert train | validation == whole
        assert not set(parts["train"].patients) & set(parts["validation"].patients)
        assert rows_of(parts["test"]) == test
        assert rows_of(in_fold(data, fold).load("validation", 0)) == validation
        assert rows_of(in_fold(data, fold).load("train", 0)) == train
        held_out += validation
    assert sorted(held_out) == sorted(whole)


@pytest.mark.parametrize("data", [BRAIN, CHEST], ids=["brain", "chest"])
def test_the_patients_of_phantoms_can_be_dealt_into_folds(data):
    check_folds(data)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"folds": 5}, "data.folds, the number of folds, and data.fold, the one to validate on, go together"),
        ({"fold": 0}, "data.folds, the number of folds, and data.fold"),
        ({"folds": 5, "fold": 5}, "data.fold counts from 0: of 5 folds the last is 4"),
        ({"folds": 1, "fold": 0}, "folds"),
        ({"folds": 3, "fold": -1}, "fold"),
    ],
)
def test_a_fold_that_there_is_not_is_refused(keys, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        PhantomBrain(**{**tiny.RECIPE.data.model_dump(), **keys})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three brain phantoms in the Decathlon's form, prepared."""
    source, out = tmp_path_factory.mktemp("msd"), tmp_path_factory.mktemp("prepared")
    write_brain_phantoms(source, [1, 2, 3], (32, 32, 21))
    prepare(Builder, source, out, PrepareConfig(size=32, shares=Shares(1, 1, 1)))
    return out


def prepared(folder, **options):
    return BrainTumour(**({"task": "brain-tumour", "path": folder, "image_size": 32} | options))


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """Six brain phantoms in the Decathlon's form, prepared."""
    source, out = tmp_path_factory.mktemp("msd"), tmp_path_factory.mktemp("prepared")
    write_brain_phantoms(source, range(1, 7), (32, 32, 21))
    prepare(Builder, source, out, PrepareConfig(size=32, shares=Shares(4, 1, 1)))
    return out


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"max_images": 40}], ids=["all", "some"])
def test_the_patients_of_prepared_images_can_be_dealt_into_folds(six, options):
    check_folds(prepared(six, **options))


@pytest.mark.slow
def test_prepared_parts_share_no_patient(folder):
    patients = [set(prepared(folder).load(part, 0).patients) for part in PARTS]
    assert [len(names) for names in patients] == [1, 1, 1]
    assert len(set.union(*patients)) == 3


def test_a_trial_takes_some_images_by_the_seed(folder):
    trial = prepared(folder, max_images=10)
    one, again, other = (trial.load("train", seed) for seed in (0, 0, 1))
    assert one.images.shape == (10, 32, 32, 1)
    np.testing.assert_array_equal(one.images, again.images)
    assert not np.array_equal(one.images, other.images)


def test_the_fingerprint_of_prepared_images_is_of_their_content_wherever_it_is(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    first = prepared(folder).fingerprint(0)
    assert prepared(tmp_path / "link").fingerprint(0) == first
    assert prepared(folder, max_images=9).fingerprint(0) != first
    summary = (folder / "summary.json").read_text()
    digest = json.loads(summary)["parts"]["train"]["sha256"]
    try:
        (folder / "summary.json").write_text(summary.replace(digest, "0" * 64))
        assert prepared(folder).fingerprint(0) != first
    finally:
        (folder / "summary.json").write_text(summary)


def test_a_folder_of_another_task_is_refused(folder):
    with pytest.raises(InputError, match="brain-tumour, not pneumonia"):
        Pneumonia(task="pneumonia", path=folder, image_size=32).load("train", 0)
