"""The bundle of real chest X-rays beside the package: whole, small enough, and ready for a DICOM file."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import tfadvpath as tap
from tfadvpath.cli.main import app
from tfadvpath.datasets.phantoms import write_chest_phantoms
from tfadvpath.demo.chest_x_rays import chest_x_rays

BUNDLE = Path(__file__).parents[2] / "bundles" / "nih_cxr"
METHODS = ("cyce", "syce")


@pytest.fixture(scope="module")
def bundle():
    return tap.load_bundle(BUNDLE)


def test_it_is_small_and_says_whose_the_data_are():
    files = [path for path in BUNDLE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 40e6
    card = (BUNDLE / "model_card.md").read_text(encoding="utf-8")
    for said in (
        "NIH Clinical Center",
        "https://nihcc.app.box.com/v/ChestXray-NIHCC",
        "10.1148/ryai.2019180041",
    ):
        assert said in card
    assert "**not** a medical device" in card


def test_its_figures_are_of_patients_and_good_enough(bundle):
    figures = json.loads((BUNDLE / "figures.json").read_text(encoding="utf-8"))["test"]
    assert figures["classifier"]["patients"] == 121
    assert figures["classifier"]["auc"] >= 0.85
    for method in METHODS:
        assert figures[method]["flip_rate"] >= 0.85


def test_the_demonstration_says_its_figures():
    figures = json.loads((BUNDLE / "figures.json").read_text(encoding="utf-8"))["test"]
    shown = chest_x_rays()
    assert (shown.images, shown.patients) == (
        figures["classifier"]["images"],
        figures["classifier"]["patients"],
    )
    assert shown.auc == figures["classifier"]["auc"]
    assert (shown.flip_rate, shown.keep_rate) == (figures["syce"]["flip_rate"], figures["syce"]["keep_rate"])


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_a_dicom_x_ray_is_explained(tmp_path, method):
    write_chest_phantoms(tmp_path / "in", [900_001], 320)
    (xray,) = (tmp_path / "in").rglob("*.dcm")
    arguments = ["explain", str(xray), "--bundle", str(BUNDLE), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, "--method", method, "--steps", "4", "--format", "npz,html"])
    assert done.exit_code == 0, done.output
    (arrays,) = (tmp_path / "out").rglob("*.npz")
    with np.load(arrays) as found:
        assert np.isfinite(found["fi_v2_smooth"]).all()
        assert found["fi_v2_smooth"].max() > 0
    (page,) = (tmp_path / "out").rglob("*.html")
    assert page.stat().st_size < 2e6
