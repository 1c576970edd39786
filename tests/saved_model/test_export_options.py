"""Exports with as many steps as an image needs, and in half precision."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from support.tiny import SIZE, write_tiny_bundle

from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.errors import InputError
from tfadvpath.saved_model.export import export_saved_model
from tfadvpath.saved_model.graph_check import check_graph


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return load_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


@pytest.mark.slow
def test_it_is_served_as_it_explains(bundle, tmp_path):
    version = export_saved_model(
        bundle, tmp_path, steps="auto", precision="bfloat16", sizes=[2], files="none"
    )
    check_graph(version)
    manifest = json.loads((version / "manifest.json").read_text())
    assert (manifest["steps"], manifest["tolerance_of_steps"]) == ("auto", 0.05)
    assert manifest["precision"] == "bfloat16"
    images = np.random.default_rng(0).random((2, SIZE, SIZE, 1)).astype(np.float32)
    answers = tf.saved_model.load(str(version)).signatures["serving_default"](tf.constant(images))
    assert answers["map"].dtype == tf.float32
    assert np.isfinite(answers["map"]).all()
    assert float(np.max(answers["map"])) > 0.0


def test_what_cannot_be_is_refused(bundle, tmp_path):
    with pytest.raises(InputError, match="`xla`: needs a number of steps"):
        export_saved_model(bundle, tmp_path, steps="auto", xla=True)
    with pytest.raises(InputError, match="`steps`: must be positive"):
        export_saved_model(bundle, tmp_path, steps="many")
    with pytest.raises(InputError, match="`path`"):
        export_saved_model(bundle, tmp_path, path="spiral")
    with pytest.raises(InputError, match="`precision` must be"):
        export_saved_model(bundle, tmp_path, precision="half2")
