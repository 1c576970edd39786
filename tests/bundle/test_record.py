"""Figures of an evaluation in the bundle: its verdict is the card's and the explanation's."""

import json

import pytest
from support.tiny import write_tiny_bundle

from tfadvpath.batch.run import ExplainOptions, prepared
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.bundle.manifest import FIGURES_FILE, HISTORY_FILE, MODEL_CARD, add_to_bundle
from tfadvpath.bundle.record import record_pairs
from tfadvpath.bundle.seal import sealed
from tfadvpath.errors import InputError

FIGURES = {"syce": {"flip_rate": 0.95, "transfer_rate": 0.1, "transfer_rate_interval": [0.05, 0.2]}}


@pytest.fixture
def folder(tmp_path):
    """A bundle whose own figures reach every limit."""
    folder = write_tiny_bundle(tmp_path / "tiny")
    counts = {"images": 20, "patients": 4, "positive_share": 0.5}
    own = {"validation": {}, "test": {"classifier": counts, "syce": {"flip_rate": 0.9, "keep_rate": 0.95}}}
    history = {"classifier": [{"seconds": 1.0}], "syce": [{"seconds": 2.0}]}
    texts = {FIGURES_FILE: own, HISTORY_FILE: history}
    add_to_bundle(folder, {name: json.dumps(text) for name, text in texts.items()} | {MODEL_CARD: "# old"})
    return folder


def with_provenance(folder):
    """What the manifest of a trained bundle says of its origin."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    origin = {"git_revision": None, "data": "0" * 64, "parameters": {"classifier": 1, "syce": 2}}
    path.write_text(json.dumps(sealed(manifest | origin | {"train": {}})))


def test_recorded_figures_stand_beside_the_training_own(folder):
    with_provenance(folder)
    record_pairs(folder, FIGURES)
    found = load_bundle(folder).figures["test"]["syce"]
    assert found == {"keep_rate": 0.95, **FIGURES["syce"]}


def test_the_card_and_an_explanation_repeat_the_verdict(folder):
    with_provenance(folder)
    _, before = prepared(folder, ExplainOptions(method="syce"))
    assert not any("second classifier" in sentence for sentence in before.pair)
    record_pairs(folder, FIGURES)
    card = " ".join((folder / MODEL_CARD).read_text(encoding="utf-8").split())
    assert "The adversaries do not transfer to a second classifier (10 % of them cross its decision)" in card
    assert "0.100 [0.050, 0.200]" in card
    _, after = prepared(folder, ExplainOptions(method="syce"))
    assert any("do not transfer to a second classifier" in sentence for sentence in after.pair)


def test_a_bundle_without_a_card_gets_the_figures_alone(tmp_path):
    folder = write_tiny_bundle(tmp_path / "tiny")
    record_pairs(folder, FIGURES)
    assert load_bundle(folder).figures["test"]["syce"] == FIGURES["syce"]
    assert not (folder / MODEL_CARD).exists()


def test_what_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(InputError, match="no bundle"):
        record_pairs(tmp_path, FIGURES)
