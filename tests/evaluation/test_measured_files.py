"""Files of measurements say what they depend on."""

import numpy as np
import pytest

from tfadvpath.errors import InputError
from tfadvpath.evaluation.measured_files import read_arrays, write_arrays

IDENTITY = {"bundle": "abc", "options": {"images": 8, "percentiles": [90.0, 98.0]}}


@pytest.fixture
def path(tmp_path):
    arrays = {"a.iou": np.arange(3.0), "seconds": np.array(0.5)}
    write_arrays(tmp_path / "methods/a.npz", arrays, {**IDENTITY, "method": "a"})
    return tmp_path / "methods/a.npz"


def test_arrays_come_back(path):
    found = read_arrays(path, IDENTITY)
    assert found.keys() == {"a.iou", "seconds"}
    np.testing.assert_array_equal(found["a.iou"], np.arange(3.0))
    assert [file.name for file in path.parent.iterdir()] == ["a.npz"]


def test_other_options_are_refused_by_name(path):
    other = {"bundle": "abc", "options": {"images": 20, "percentiles": [90.0, 98.0]}}
    with pytest.raises(
        InputError, match=r"a\.npz: was measured with options\.images 8, not 20\. Name another"
    ):
        read_arrays(path, other)


def test_another_bundle_is_refused(path):
    with pytest.raises(InputError, match="bundle abc, not xyz"):
        read_arrays(path, {**IDENTITY, "bundle": "xyz"})


def test_a_missing_file_is_none(tmp_path):
    assert read_arrays(tmp_path / "a.npz", IDENTITY) is None


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_damaged_file_is_none(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert read_arrays(path, IDENTITY) is None
