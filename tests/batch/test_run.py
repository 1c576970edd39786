"""Studies in, whole folders of results out."""

from __future__ import annotations

import gzip
import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from support.broken_files import dicom, dicom_bytes, nifti_bytes, picture, png_bytes
from support.explanations import NAMES, KnownExplainer, explanation_of

from tfadvpath.batch.outcomes import Failure, Success
from tfadvpath.batch.plan import plan
from tfadvpath.batch.run import run_tasks

SIZE = (16, 16)


def run(folder, explainer=None, maps=NAMES, formats=("png", "npz", "nifti"), **options):
    tasks = plan([folder], folder.parent / "out").tasks
    (folder.parent / "out").mkdir(exist_ok=True)
    explainer = explainer or KnownExplainer()
    return list(run_tasks(explainer, tasks, SIZE, folder.parent / "out", maps, formats, **options))


def run_one(folder, **options):
    [outcome] = run(folder, **options)
    return outcome.record


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def write_pngs(folder, count):
    rng = np.random.default_rng(0)
    for i in range(count):
        (folder / f"{i:02d}.png").write_bytes(png_bytes(rng.integers(0, 256, (20, 24)).astype(np.uint8)))


def volume(slices=30, blank=()):
    values = np.random.default_rng(0).normal(size=(20, 24, slices))
    values[..., list(blank)] = 3.0
    return values


def test_single_images_share_batches(folder):
    write_pngs(folder, 10)
    explainer = KnownExplainer(batch_size=4)
    results = run(folder, explainer, formats=("npz",))
    assert explainer.batches == [4, 4, 2]
    for outcome in results:  # each got its own rows back
        with np.load(folder.parent / "out" / outcome.task.name / "explanation.npz") as arrays:
            np.testing.assert_array_equal(arrays["fi_v2"], 2 * arrays["images"])
            np.testing.assert_array_equal(arrays["images"], outcome.result.study.images)


def test_a_broken_study_does_not_stop_the_others(folder):
    write_pngs(folder, 5)
    (folder / "01.png").write_bytes(b"")
    outcomes = run(folder)
    assert [type(outcome) for outcome in outcomes] == [Success, Failure, Success, Success, Success]
    assert "is empty" in str(outcomes[1].error)
    assert sorted(path.name for path in (folder.parent / "out").iterdir()) == [
        "00.png", "02.png", "03.png", "04.png"
    ]  # fmt: skip


def test_blank_slices_are_not_explained_and_have_zero_maps(folder):
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    (folder / "a.nii").write_bytes(nifti_bytes(volume(6, blank=(0, 5)), affine))
    explainer = KnownExplainer()
    [outcome] = run(folder, explainer)
    record = outcome.record
    out = folder.parent / "out" / outcome.task.name
    assert explainer.batches == [4]
    assert record["blank"] == 2
    assert [value is None for value in record["score"]] == [True, False, False, False, False, True]
    assert record["crossed"][0] is None
    assert isinstance(record["crossed"][1], bool)
    image = nib.load(out / "fi_v2.nii.gz")
    np.testing.assert_array_equal(image.affine, affine)
    values = np.asarray(image.dataobj)
    assert values.shape == (20, 24, 6)
    assert [bool(values[..., k].any()) for k in range(6)] == [False, True, True, True, True, False]
    assert json.loads((out / "study.json").read_text()) == record
    assert len(outcome.result.explanation) == 4


def test_a_study_of_blank_slices_alone_is_written_as_such(folder):
    (folder / "a.nii").write_bytes(nifti_bytes(volume(3, blank=(0, 1, 2))))
    (folder / "b.png").write_bytes(png_bytes(np.full((9, 9), 7, np.uint8)))
    outcomes = run(folder)
    for outcome in outcomes:
        assert outcome.record["blank"] == outcome.record["slices"]
        assert (folder.parent / "out" / outcome.task.name / "input.png").exists()
    assert not np.asarray(nib.load(folder.parent / "out/a.nii/fi_v1.nii.gz").dataobj).any()


def test_a_volume_is_shown_on_one_sheet_a_map_and_by_its_largest_slice(folder):
    values = volume(40, blank=(0,))
    values[..., 33] = 0.0
    values[5:15, 5:20, 33] = 1.0  # scaled to [0, 1] it has by far the largest sum
    (folder / "a.nii.gz").write_bytes(gzip.compress(nifti_bytes(values)))
    record = run_one(folder, maps=("fi_v2_smooth", "difference"), formats=("png",))
    pictures = [name for name in record["files"] if name.endswith(".png")]
    largest = max(range(1, 40), key=lambda k: record["score"][k])
    assert pictures == sorted(
        f"{name}{part}.png"
        for name in ("input", "fi_v2_smooth", "difference")
        for part in ("", f"_slice_{largest:03d}")
    )
    sheet = Image.open(folder.parent / "out/a.nii.gz/difference.png")
    assert max(sheet.size) <= 5 * 226
    assert min(sheet.size) > 4 * 160


def test_a_picture_has_the_files_proportions_and_not_the_models(folder):
    (folder / "a.dcm").write_bytes(dicom_bytes(dicom(picture(80, 40).astype(np.uint8))))
    record = run_one(folder)
    assert Image.open(folder.parent / "out/a.dcm/fi_v1.png").size == (128, 256)
    assert not any("nii" in name for name in record["files"])


@pytest.mark.parametrize(("side", "of_map"), [(200, 256), (300, 256), (1100, 256)])
def test_what_lies_under_a_map_is_no_finer_than_the_map_needs(folder, side, of_map):
    (folder / "a.png").write_bytes(png_bytes(picture(side, side).astype(np.uint8)))
    run_one(folder, formats=("png",))
    results = folder.parent / "out/a.png"
    assert Image.open(results / "input.png").size == (min(max(side, 256), 1024),) * 2
    assert Image.open(results / "fi_v1.png").size == (of_map,) * 2


def test_only_the_maps_and_formats_asked_for_are_written(folder):
    (folder / "a.nii").write_bytes(nifti_bytes(volume(3)))
    record = run_one(folder, maps=("fi_v1",), formats=("npz", "nifti"))
    assert record["files"] == ["explanation.npz", "fi_v1.nii.gz"]
    with np.load(folder.parent / "out/a.nii/explanation.npz") as arrays:
        assert "fi_v1" in arrays
        assert "fi_v2" not in arrays


def test_results_replace_earlier_results_and_nothing_else(folder):
    write_pngs(folder, 3)
    out = folder.parent / "out"
    run(folder, formats=("npz",))
    (out / "00.png" / "study.json").unlink()
    (out / "00.png" / "mine.txt").touch()
    outcomes = run(folder, formats=("png",))
    assert "holds no results" in str(outcomes[0].error)
    assert (out / "00.png" / "mine.txt").exists()
    assert not (out / "01.png" / "explanation.npz").exists()
    assert (out / "01.png" / "fi_v1.png").exists()


def test_an_input_is_never_overwritten(folder):
    write_pngs(folder, 1)
    before = (folder / "00.png").read_bytes()
    tasks = plan([folder / "00.png"], folder).tasks
    [outcome] = run_tasks(KnownExplainer(), tasks, SIZE, folder, NAMES, ("png",))
    assert "Name another folder in `out`" in str(outcome.error)
    assert (folder / "00.png").read_bytes() == before


def test_progress_ends_at_the_number_of_studies(folder):
    write_pngs(folder, 5)
    (folder / "a.nii").write_bytes(nifti_bytes(volume(7, blank=(2,))))
    (folder / "b.png").write_bytes(b"")
    done = []
    run(folder, formats=(), on_progress=done.append)
    assert sum(done) == pytest.approx(7)


def test_parts_of_an_explanation_are_its_rows():
    images = np.random.default_rng(0).random((5, 4, 4, 1)).astype(np.float32)
    part = explanation_of(images).take(slice(1, 3))
    whole = explanation_of(images[1:3])
    np.testing.assert_array_equal(part.maps["fi_v1"], whole.maps["fi_v1"])
    np.testing.assert_array_equal(part.crossed, whole.crossed)
