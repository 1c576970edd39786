"""Options of one engine are refused with another."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import tfadvpath.batch.run
from tfadvpath import ExplainOptions, explain_studies
from tfadvpath.batch.options import check_engine
from tfadvpath.cli.main import app
from tfadvpath.errors import InputError


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "beam"}, "`engine`: 'beam' is not known. Choose one of local, ray."),
        ({"workers": -1}, "`workers`: -1 is no number of processes. Give 0 or more."),
        ({"ray_address": "auto"}, "`ray_address`: is of the engine ray alone. Leave it out."),
        ({"engine": "ray", "workers": 0}, "`workers`: 0 is no number of processes. Give 1 or more."),
    ],
)
def test_what_an_engine_does_not_know_is_one_line(options, says):
    with pytest.raises(InputError) as error:
        check_engine(ExplainOptions(**options))
    assert str(error.value) == says


def test_the_command_names_its_flags():
    run = CliRunner().invoke(app, ["explain", "x.png", "--bundle", "b", "--ray-address", "auto"])
    assert (run.exit_code, run.stderr) == (2, "--ray-address: is of the engine ray alone. Leave it out.\n")


def test_a_missing_extra_is_one_line_before_anything_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as error:
        explain_studies("bundle", tmp_path / "none", tmp_path / "out", ExplainOptions(engine="ray"))
    assert str(error.value) == "ray: is not installed. Run: pip install 'tfadvpath[ray]'."
    assert not (tmp_path / "out").exists()


def test_a_bundle_in_memory_cannot_be_loaded_by_another_process(monkeypatch, tmp_path):
    monkeypatch.setattr(tfadvpath.batch.run, "Bundle", SimpleNamespace)
    options = ExplainOptions(engine="ray")
    with (
        pytest.raises(InputError, match="`bundle`: is in the memory of this process"),
        tfadvpath.batch.run._engine(SimpleNamespace(), options, tmp_path, None),
    ):
        pass
