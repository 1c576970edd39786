"""The control maps: made of a method's own maps by the same kernel, and of a random gradient."""

import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.evaluation.compared_maps import CONTROLS, compared_maps, main_map
from tfadvpath.evaluation.controls import control_maps, control_names, needs_random_gradient
from tfadvpath.path.gaussian import gaussian_filter
from tfadvpath.path.importance import feature_importance

MAPS = {
    name: np.random.default_rng(place).random((2, 32, 32, 1)).astype(np.float32)
    for place, name in enumerate(("difference", "fi_v1", "fi_v2", "fi_v2_smooth", "gradient"))
}
RANDOM = {name: 1 - values for name, values in MAPS.items()}


def smooth(values):
    return gaussian_filter(values).numpy()


def test_a_path_has_its_difference_smoothed_and_its_maps_by_a_random_gradient():
    made = control_maps("syce", MAPS, RANDOM)
    assert tuple(made) == control_names("syce")
    np.testing.assert_array_equal(made["difference_smooth"], smooth(MAPS["difference"]))
    np.testing.assert_array_equal(made["difference_squared_smooth"], smooth(MAPS["difference"] ** 2))
    np.testing.assert_array_equal(made["fi_v2_of_random_gradient"], RANDOM["fi_v2"])
    np.testing.assert_array_equal(made["fi_v2_smooth_of_random_gradient"], RANDOM["fi_v2_smooth"])


def test_a_gradient_is_smoothed_and_needs_no_random_classifier():
    assert not needs_random_gradient("gradient")
    made = control_maps("gradient", MAPS)
    assert list(made) == ["gradient_smooth"]
    np.testing.assert_array_equal(made["gradient_smooth"], smooth(MAPS["gradient"]))
    assert control_maps("grad_cam", MAPS) == {}


def test_a_kernel_that_is_given_smooths_the_controls():
    made = control_maps("gradient", MAPS, kernel={"sigma": 2.0, "kernel_size": 9})
    expected = gaussian_filter(MAPS["gradient"], sigma=2.0, kernel_size=9)
    np.testing.assert_array_equal(made["gradient_smooth"], expected)
    assert np.abs(made["gradient_smooth"] - smooth(MAPS["gradient"])).max() > 1e-3


def test_the_controls_kernel_is_that_of_v2_smooth():
    # Else the two would differ by more than the gradient.
    start, adversary = np.random.default_rng(1).random((2, 2, 32, 32, 1)).astype(np.float32)
    result = feature_importance(lambda x: tf.reduce_mean(x**2, axis=(1, 2, 3)), start, adversary, steps=3)
    np.testing.assert_allclose(result.fi_v2_smooth, smooth(result.fi_v2), rtol=1e-5)


@pytest.mark.parametrize("method", ["cyce", "syce"])
def test_controls_stand_behind_the_papers_maps_where_they_were_measured(method):
    names = ("difference", *control_names(method))
    found = compared_maps({method: names})
    assert [one.map_name for one in found if one.is_control] == list(control_names(method))
    assert [one.is_control for one in found] == sorted(one.is_control for one in found)
    assert not any(one.is_control for one in compared_maps({method: ("difference",)}))


def test_a_control_is_never_the_main_map():
    assert main_map(["gradient", "gradient_smooth"]) == "gradient"
    assert len({control.key for control in CONTROLS}) == len(CONTROLS)
