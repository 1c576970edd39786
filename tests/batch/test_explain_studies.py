"""`tfadvpath.explain_studies`: folders in, a folder of results for every study out."""

from __future__ import annotations

import dataclasses
import json

import nibabel as nib
import numpy as np
import pytest
from pyarrow import parquet
from support.broken_files import nifti_bytes, picture, png_bytes, volume
from support.bundles import PHANTOM_BRAIN
from support.series import decimals, noise, oblique, write_series
from support.tiny import write_tiny_bundle

from tfadvpath import ExplainOptions, explain_studies
from tfadvpath.batch.outcomes import Failure, Success
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.errors import InputError
from tfadvpath.path.gaussian import gaussian_filter
from tfadvpath.studies.study import read_study

GRADIENT = ExplainOptions(method="gradient")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


def names(summary):
    return [study["folder"] for study in summary.studies]


def test_the_summary_says_what_the_pairs_are_worth(bundle, tmp_path):
    (tmp_path / "x.png").write_bytes(png_bytes(picture().astype(np.uint8)))
    poor = dataclasses.replace(bundle, figures={"test": {"syce": {"flip_rate": 0.4, "keep_rate": 1.0}}})
    options = ExplainOptions(method="syce", steps=2)
    summary = explain_studies(poor, tmp_path / "x.png", tmp_path / "out", options)
    assert len(summary.pair) == 1
    assert summary.pair[0].startswith("60 % of the adversaries do not cross the decision")
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["pair"] == list(summary.pair)
    # A control says so first, whatever the method.
    options_of_it = poor.recipe.classifier.model_copy(update={"shuffle_labels": True})
    control = dataclasses.replace(poor, recipe=poor.recipe.model_copy(update={"classifier": options_of_it}))
    said = [
        explain_studies(control, tmp_path / "x.png", tmp_path / one.method, one).pair
        for one in (GRADIENT, options)
    ]
    assert [len(sentences) for sentences in said] == [1, 2]
    assert all(sentences[0].startswith("The classifier was trained on shuffled") for sentences in said)
    # The gradient has no pair.
    assert explain_studies(poor, tmp_path / "x.png", tmp_path / "other", GRADIENT).pair == ()


@pytest.mark.slow
def test_a_series_a_volume_and_a_broken_file_of_one_folder(bundle, tmp_path):
    directions = oblique()
    values = noise(5, 40, 36)
    values[3] = 7  # blank
    paths = write_series(tmp_path / "in" / "mri", values, directions=directions, spacing=(1.5, 0.75))
    paths.pop().unlink()
    paths.pop().unlink()
    (tmp_path / "in" / "head.nii").write_bytes(nifti_bytes(volume((20, 24, 3))))
    (tmp_path / "in" / "broken.png").write_bytes(b"")
    (tmp_path / "in" / "notes.txt").write_text("text")
    outcomes, done = [], []
    summary = explain_studies(
        bundle,
        tmp_path / "in",
        tmp_path / "out",
        GRADIENT,
        listener=outcomes.append,
        on_progress=lambda part, total: done.append((part, total)),
    )
    assert [type(outcome) for outcome in outcomes] == [Failure, Success, Success]
    assert names(summary) == ["head.nii", "mri/series_004"]
    assert [str(failure.error) for failure in summary.failures] == [str(outcomes[0].error)]
    assert "broken.png: is empty" in str(outcomes[0].error)
    assert [path.name for path, _ in summary.ignored] == ["notes.txt"]
    assert sum(part for part, _ in done) == pytest.approx(3)
    assert {total for _, total in done} == {3}
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary.as_json()
    assert summary.bundle == bundle.recipe.name

    folder = tmp_path / "out" / "mri" / "series_004"
    study = json.loads((folder / "study.json").read_text())
    assert study == summary.studies[1]
    assert study["source"] == str(tmp_path / "in" / "mri")
    assert study["sources"] == [str(path) for path in paths]
    assert study["slices"] == len(paths) == 3


def test_the_maps_of_a_series_lie_where_its_slices_lie(bundle, tmp_path):
    values = noise(4, 40, 36)
    values[2] = 7  # blank
    paths = write_series(tmp_path / "in", values, directions=oblique(), spacing=(1.5, 0.75), step=2.5)
    explain_studies(bundle, tmp_path / "in", tmp_path / "out", GRADIENT)
    folder = tmp_path / "out" / "series_004"
    image = nib.load(folder / "gradient.nii.gz")
    assert image.shape == (36, 40, 4)  # columns, rows, slices
    study = read_study(paths, bundle.image_size)
    np.testing.assert_allclose(image.affine, study.grid.affine, atol=1e-4)  # float32 in the file
    assert image.header.get_xyzt_units()[0] == "mm"
    np.testing.assert_allclose(image.header.get_zooms(), (0.75, 1.5, 2.5), rtol=1e-6)
    with np.load(folder / "explanation.npz") as arrays:
        np.testing.assert_array_equal(arrays["images"], study.images)
        on_the_grid = study.to_grid(arrays["gradient"])
    written = np.asarray(image.dataobj)
    for index in range(4):
        np.testing.assert_array_equal(written[..., index].T, on_the_grid[index])
    assert [bool(written[..., index].any()) for index in range(4)] == [True, True, False, True]


def test_a_series_without_a_place_in_space_has_no_volume_but_a_remark(bundle, tmp_path):
    paths = write_series(tmp_path / "in", noise(4, 40, 36))
    paths[1].unlink()
    summary = explain_studies(bundle, tmp_path / "in", tmp_path / "out", GRADIENT)
    [study] = summary.studies
    assert "gradient.png" in study["files"]
    assert not [name for name in study["files"] if "nii" in name]
    [(path, remark)] = summary.remarks
    assert (path, remark) == (paths[0], "its series has gaps: slices are 3 to 6 mm apart")
    assert summary.as_json()["remarks"] == [{"source": str(path), "remark": remark}]


def test_a_series_that_is_named_file_by_file_gets_the_same_folder(bundle, tmp_path):
    paths = write_series(tmp_path / "in", noise(3, 40, 36))
    summary = explain_studies(bundle, paths[::-1], tmp_path / "out", GRADIENT)
    assert names(summary) == ["series_004"]
    assert summary.studies[0]["sources"] == [str(path) for path in paths]


def test_two_series_of_one_number_do_not_share_a_folder(bundle, tmp_path):
    write_series(tmp_path / "in", noise(2, 40, 36))
    write_series(tmp_path / "in", noise(2, 30, 36), uid="other", names=["a.dcm", "b.dcm"])
    write_series(tmp_path / "in", noise(2, 30, 36), uid="third", names=["c.dcm", "d.dcm"])
    summary = explain_studies(bundle, tmp_path / "in", tmp_path / "out", GRADIENT)
    assert sorted(names(summary)) == ["2/series_004", "in/series_004", "series_004"]


def test_a_broken_slice_fails_its_series_alone_and_is_named(bundle, tmp_path):
    paths = write_series(tmp_path / "in", noise(3, 40, 36))
    paths[1].write_bytes(paths[1].read_bytes()[:-50])
    (tmp_path / "in" / "a.png").write_bytes(png_bytes(picture().astype(np.uint8)))
    summary = explain_studies(bundle, tmp_path / "in", tmp_path / "out", GRADIENT)
    assert names(summary) == ["a.png"]
    [failure] = summary.failures
    assert failure.task.source == tmp_path / "in"
    assert str(failure.error).startswith(f"{paths[1]}: is truncated")


def test_results_of_an_earlier_run_are_not_explained(bundle, tmp_path):
    write_series(tmp_path / "in", noise(2, 40, 36))
    for _ in range(2):
        summary = explain_studies(bundle, tmp_path / "in", tmp_path / "in" / "out", GRADIENT)
        assert names(summary) == ["series_004"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"method": "magic"}, "`method`: 'magic' is no method of this bundle"),
        ({"maps": ["fi_v9"]}, "`maps`: 'fi_v9' is not known. Choose from gradient"),
        ({"formats": []}, "`formats`: nothing is named. Choose from "),
        ({"steps": 3}, "`steps`: 'gradient' has no such option, it is of integrated_gradients, syce"),
        ({"sigma": 2.0}, "`sigma`: 'gradient' has no such option, it is of syce"),
        ({"steps": "auto"}, "`steps`: 'gradient' has no such option, it is of integrated_gradients, syce"),
        ({"method": "syce", "steps": "some"}, "`method`: 'syce' cannot explain so: `steps` must be a number"),
        ({"method": "syce", "tolerance": 0.1}, "`tolerance`: is of `steps` 'auto' alone"),
        ({"precision": "half2"}, "`method`: 'gradient' cannot explain so: `precision` must be"),
        (
            {"method": "syce", "sigma": float("nan")},
            "`sigma`, `kernel_size`: do not fit these images: `sigma`",
        ),
        (
            {"method": "syce", "kernel_size": 64},
            "`sigma`, `kernel_size`: do not fit these images: A kernel of",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_the_parameter_s_name(bundle, tmp_path, options, says):
    (tmp_path / "a.png").write_bytes(png_bytes(picture().astype(np.uint8)))
    given = ExplainOptions(**{"method": "gradient", **options})
    with pytest.raises(InputError) as error:
        explain_studies(bundle, tmp_path / "a.png", tmp_path / "out", given)
    assert str(error.value).startswith(says)


@pytest.mark.slow
def test_lengths_are_recorded_in_pixels_and_others_are_not_taken_for_the_same(bundle, tmp_path):
    (tmp_path / "a.png").write_bytes(png_bytes(picture().astype(np.uint8)))

    def run(**given):
        out = tmp_path / f"out_{len(given)}"
        options = ExplainOptions(steps=2, formats=["npz"], **given)
        summary = explain_studies(bundle, tmp_path / "a.png", out, options)
        [study] = summary.studies
        with np.load(out / "a.png" / "explanation.npz") as arrays:
            return summary.resumed, study["made_with"]["lengths"], arrays["fi_v2"], arrays["fi_v2_smooth"]

    resumed, lengths, _, smooth = run()
    assert (resumed, lengths) == (0, {"sigma": 2 * 32 / 224, "kernel_size": 4})
    assert run()[0] == 1
    with pytest.raises(InputError, match="made otherwise: lengths"):
        explain_studies(
            bundle,
            tmp_path / "a.png",
            tmp_path / "out_0",
            ExplainOptions(steps=2, formats=["npz"], sigma=1.0),
        )
    resumed, lengths, fi_v2, in_pixels = run(sigma=1.0, kernel_size=5)
    assert (resumed, lengths) == (0, {"sigma": 1.0, "kernel_size": 5})
    np.testing.assert_allclose(in_pixels, gaussian_filter(fi_v2, 1.0, 5), atol=1e-5 * fi_v2.max())
    assert np.abs(in_pixels - smooth).max() > 0.1 * smooth.max()


def test_nothing_to_explain_is_refused(bundle, tmp_path):
    (tmp_path / "empty").mkdir()
    for inputs in (tmp_path / "empty", []):
        with pytest.raises(InputError, match="holds no image that can be read"):
            explain_studies(bundle, inputs, tmp_path / "out", GRADIENT)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.real_data
def test_a_real_volume_as_a_series_has_its_maps_where_the_volume_lies(real_data, tmp_path):
    """Written as a scanner would, explained by trained networks, and compared in millimetres."""
    source = nib.load(real_data / "brain_tumor_progression" / "01" / "Pre_Scan_T1.nii.gz")
    voxels = np.asarray(source.dataobj, np.float64)  # [columns, rows, slices] of the series
    slope = np.ptp(voxels) / 60000
    stored = np.rint((voxels - voxels.min()) / slope - 30000).astype(np.int16)
    to_the_left_and_back = np.diag([-1.0, -1, 1, 1]) @ source.affine
    axes, origin = to_the_left_and_back[:3, :3], to_the_left_and_back[:3, 3]
    lengths = np.linalg.norm(axes, axis=0)
    directions = (axes / lengths)[:, :2].T
    backwards = np.cross(*directions) @ axes[:, 2] < 0  # the file's last slice comes first along the normal
    paths = write_series(
        tmp_path / "in",
        stored.transpose(2, 1, 0),
        directions=directions,
        spacing=(lengths[1], lengths[0]),
        step=axes[:, 2],
        origin=origin,
        numbers=np.random.default_rng(1).permutation(len(stored[0, 0])).tolist(),
        RescaleSlope=decimals([slope])[0],
        RescaleIntercept=decimals([voxels.min() + 30000 * slope])[0],
    )
    ordered = paths[::-1] if backwards else paths
    options = ExplainOptions(method="syce", steps=4, maps=["fi_v2_smooth", "difference"])
    summary = explain_studies(PHANTOM_BRAIN, tmp_path / "in", tmp_path / "out", options)
    assert (summary.failures, summary.ignored, summary.remarks) == ([], [], [])
    [study] = summary.studies
    assert study["folder"] == "series_004"
    assert study["sources"] == [str(path) for path in ordered]
    assert study["slices"] == voxels.shape[2]
    assert study["blank"] == 4  # as the reader of the volume itself says

    image = nib.load(tmp_path / "out" / "series_004" / "fi_v2_smooth.nii.gz")
    assert image.shape == voxels.shape
    corners = np.array(np.meshgrid(*[(0, length - 1) for length in voxels.shape], [1])).reshape(4, -1)
    of_the_file = corners.copy()
    if backwards:
        of_the_file[2] = voxels.shape[2] - 1 - of_the_file[2]
    np.testing.assert_allclose((image.affine @ corners)[:3], (source.affine @ of_the_file)[:3], atol=1e-3)
    # A map is 0 where the slice is blank.
    written = np.asarray(image.dataobj)
    in_the_file = written[..., ::-1] if backwards else written
    blank = np.ptp(voxels, axis=(0, 1)) == 0
    np.testing.assert_array_equal(in_the_file.any(axis=(0, 1)), ~blank)


@pytest.mark.slow
def test_each_image_has_as_many_steps_as_it_needs_and_the_record_says_so(tmp_path):
    (tmp_path / "in").mkdir()
    for seed in range(3):
        picture_of_seed = np.roll(picture(), 5 * seed, axis=0).astype(np.uint8)
        (tmp_path / "in" / f"{seed}.png").write_bytes(png_bytes(picture_of_seed))
    options = ExplainOptions(steps="auto", tolerance=0.1, precision="bfloat16", formats=["npz"])
    summary = explain_studies(PHANTOM_BRAIN, tmp_path / "in", tmp_path / "out", options)
    assert summary.steps == "auto"
    [row, *_] = parquet.read_table(tmp_path / "out" / "ledger.parquet").to_pylist()
    assert (row["steps"], row["tolerance"], row["precision"]) == (None, 0.1, "bfloat16")
    for study in summary.studies:
        assert set(study["steps_taken"]) <= {9, 17, 33, 65, 129}
        assert study["map_error"][0] <= 0.1 or study["steps_taken"] == [129]
        arrays = np.load(tmp_path / "out" / study["folder"] / "explanation.npz")
        assert arrays["steps"].tolist() == study["steps_taken"]
        assert arrays["fi_v2_smooth"].dtype == np.float32
    again = explain_studies(PHANTOM_BRAIN, tmp_path / "in", tmp_path / "out", options)
    assert again.resumed == 3
    other = dataclasses.replace(options, tolerance=0.05)
    with pytest.raises(InputError, match=r"tolerance 0\.1 for 0\.05"):
        explain_studies(PHANTOM_BRAIN, tmp_path / "in", tmp_path / "out", other)
