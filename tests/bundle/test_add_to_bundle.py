"""A text that is added to a sealed bundle belongs to it from then on."""

import json

import pytest
from support.tiny import write_tiny_bundle

from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.bundle.manifest import FIT_REPORT, add_to_bundle
from tfadvpath.errors import InputError


def test_an_added_text_is_sealed_with_the_bundle(tmp_path):
    folder = write_tiny_bundle(tmp_path / "tiny")
    before = json.loads((folder / "manifest.json").read_text())
    add_to_bundle(folder, {FIT_REPORT: "{}\n"})
    after = load_bundle(folder).manifest
    assert set(after["sha256"]) == {*before["sha256"], "fit.json"}
    assert {name: after["sha256"][name] for name in before["sha256"]} == before["sha256"]
    add_to_bundle(folder, {FIT_REPORT: '{"good": true}\n'})
    load_bundle(folder)
    (folder / "fit.json").write_text("{}")
    with pytest.raises(InputError, match=r"fit\.json"):
        load_bundle(folder)
