"""`tfadvpath explain --method …` of methods that have no path."""

from __future__ import annotations

import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from support.broken_files import nifti_bytes, volume
from typer.testing import CliRunner

from tfadvpath import explainers
from tfadvpath.batch.run import get_explainer
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.cli.main import app

METHODS = ("grad_cam", "gradient", "integrated_gradients")


@pytest.fixture
def explain(bundle, tmp_path):
    (tmp_path / "head.nii").write_bytes(nifti_bytes(volume((24, 20, 3))))

    def run(method, *options):
        arguments = ["--bundle", str(bundle), "--out", str(tmp_path / "out"), "--method", method, "--json"]
        return CliRunner().invoke(app, ["explain", str(tmp_path / "head.nii"), *arguments, *options])

    return run


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_format_holds_the_methods_map(explain, bundle, tmp_path, method):
    run = explain(method)
    assert run.exit_code == 0, run.output
    summary = json.loads(run.stdout)
    assert summary["method"] == method
    assert summary["maps"] == [method]
    assert summary["steps"] == (50 if method == "integrated_gradients" else None)
    [study] = summary["studies"]
    assert "crossings" not in study
    out = tmp_path / "out" / "head.nii"
    assert {"explanation.npz", "input.png", f"{method}.png", f"{method}.nii.gz"} <= set(study["files"])
    with np.load(out / "explanation.npz") as arrays:
        expected = explainers.get(method, load_bundle(bundle)).explain(arrays["images"])
        # Networks that are loaded twice give the same to the last digit or nearly so.
        np.testing.assert_allclose(arrays[method], expected.maps[method], atol=1e-5)
        np.testing.assert_allclose(arrays["score"], expected.score, atol=1e-6)
        assert "start" not in arrays
    assert nib.load(out / f"{method}.nii.gz").shape == (24, 20, 3)
    picture = np.asarray(Image.open(out / f"{method}.png")).astype(int)
    assert expected.maps[method].any() == bool(np.ptp(picture, axis=2).any())  # coloured where there is a map


@pytest.mark.slow
def test_steps_reach_the_methods_that_take_them(explain):
    assert json.loads(explain("integrated_gradients", "--steps", "7").stdout)["steps"] == 7


@pytest.mark.slow
def test_sigma_and_kernel_size_reach_the_method_that_takes_them(explain):
    run = explain("syce", "--steps", "2", "--sigma", "1.5", "--kernel-size", "9", "--format", "npz")
    [study] = json.loads(run.stdout)["studies"]
    assert study["made_with"]["lengths"] == {"sigma": 1.5, "kernel_size": 9}
    run = explain("syce", "--kernel-size", "64")
    assert run.exit_code == 2
    assert run.stderr.startswith("--sigma, --kernel-size: do not fit these images: A kernel of 64 taps")
    assert run.stderr.endswith("choose a smaller --kernel-size. Leave them out for the paper's.\n")


@pytest.mark.slow
def test_the_path_reaches_the_method_that_takes_it_and_is_recorded(explain):
    def fi_v2(*options):
        run = explain("syce", "--steps", "2", "--format", "npz", "--no-resume", *options)
        assert run.exit_code == 0, run.output
        summary = json.loads(run.stdout)
        [study] = summary["studies"]
        with np.load(f"{summary['out']}/head.nii/explanation.npz") as arrays:
            return study["made_with"]["path"], arrays["fi_v2"], arrays["difference"]

    (straight, before, difference), (manifold, after, same) = fi_v2(), fi_v2("--path", "manifold")
    assert (straight, manifold) == ("straight", "manifold")
    np.testing.assert_allclose(same, difference, atol=1e-6)
    assert np.abs(after - before).max() > 1e-3 * before.max()
    [study] = json.loads(explain("gradient", "--no-resume").stdout)["studies"]
    assert study["made_with"]["path"] is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "given", "said"),
    [
        ("syce", "curly", "--path: 'curly' is no path. Choose straight or manifold.\n"),
        ("gradient", "manifold", "--path: 'gradient' has no such option, it is of syce. Leave it out.\n"),
    ],
)
def test_a_path_that_cannot_be_is_refused(explain, method, given, said):
    run = explain(method, "--path", given)
    assert (run.exit_code, run.stderr) == (2, said)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradient", "grad_cam", "mask_perturbation"])
def test_steps_of_a_method_without_a_path_are_refused(explain, method):
    run = explain(method, "--steps", "50")
    assert run.exit_code == 2
    assert run.stderr == (
        f"--steps: '{method}' has no such option, it is of integrated_gradients, syce. Leave it out.\n"
    )


def test_the_seed_reaches_the_method_that_draws_and_no_other(bundle):
    models = load_bundle(bundle)
    assert get_explainer(models, "mask_perturbation", seed=5).seed == 5
    assert get_explainer(models, "gradient", seed=5).map_names == ("gradient",)
