"""The registry's digest of what a method's maps and figures depend on."""

import pytest

from tfadvpath import explainers
from tfadvpath.explainers import registry


@pytest.fixture
def computing_code(tmp_path, monkeypatch):
    """A package of two rooms in place of this one's; the digest of a method after a change of a file."""
    for room in registry._COMPUTING_ROOMS:
        (tmp_path / room).mkdir()
        (tmp_path / room / "one.py").write_text("x = 1\n")
    monkeypatch.setattr(registry.tfadvpath, "__path__", [str(tmp_path)])

    def changed(name=None, text=""):
        if name:
            (tmp_path / name).write_text(text)
        registry.computing_code.cache_clear()
        return explainers.code("gradient")

    yield changed
    registry.computing_code.cache_clear()


@pytest.mark.parametrize("name", ["path/one.py", "metrics/one.py", "generators/new.py", "models/one.py"])
def test_a_change_of_what_computes_is_another_code(computing_code, name):
    before = computing_code()
    assert computing_code() == before
    after = computing_code(name, "x = 2\n")
    assert after != before
    assert computing_code(name, "x = 3\n") != after


def test_a_note_beside_the_modules_changes_nothing(computing_code):
    before = computing_code()
    assert computing_code("path/notes.txt", "none") == before


def test_two_methods_have_two_codes():
    assert explainers.code("gradient") != explainers.code("grad_cam")
    with pytest.raises(ValueError, match="`name` must be one of"):
        explainers.code("magic")
