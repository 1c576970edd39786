"""Variables that change what tfadvpath does."""

from __future__ import annotations

import json

import pytest

from tfadvpath.doctor.environment import environment_rows


@pytest.fixture
def rows(tmp_path):
    """Returns the rows of an environment, where Keras has these settings."""

    def look(environment, settings=None):
        path = tmp_path / "keras.json"
        if settings is not None:
            path.write_text(settings)
        return environment_rows(environment, path)

    return look


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_another_backend_is_a_fault_with_its_remedy(rows, backend):
    [row] = rows({"KERAS_BACKEND": backend})
    assert str(row.fault) == (
        f"KERAS_BACKEND is {backend}: from Python the networks of tfadvpath need TensorFlow. "
        "export KERAS_BACKEND=tensorflow"
    )
    assert row.fault.is_needed


def test_a_backend_in_the_settings_of_keras_counts_where_the_variable_is_not_set(rows):
    settings = json.dumps({"backend": "jax"})
    [row] = rows({}, settings)
    assert row.fault.remedy == "export KERAS_BACKEND=tensorflow"
    [row] = rows({"KERAS_BACKEND": "tensorflow"}, settings)
    assert row.fault is None


@pytest.mark.parametrize("settings", [None, "{", "[]", '{"backend": "tensorflow"}'])
def test_settings_that_say_nothing_else_are_no_fault(rows, settings):
    [row] = rows({}, settings)
    assert row.fault is None
    assert row.shown == "none is set that changes anything"


def test_onednn_that_is_off_is_a_fault_that_the_base_can_live_with(rows):
    [row] = rows({"TF_ENABLE_ONEDNN_OPTS": "0"})
    assert row.fault.remedy == "unset TF_ENABLE_ONEDNN_OPTS"
    assert not row.fault.is_needed
    [row] = rows({"TF_ENABLE_ONEDNN_OPTS": "1"})
    assert row.fault is None


def test_no_secret_is_shown(rows):
    secrets = {"RAY_AUTH_TOKEN": "ZEBRA", "HTTPS_PROXY": "http://me:ZEBRA@proxy", "OMP_NUM_THREADS": "2"}
    assert "ZEBRA" not in str(rows(secrets))
    assert [row.name for row in rows(secrets)] == ["OMP_NUM_THREADS"]
