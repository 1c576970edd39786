"""The maps of the paper's tables."""

import pytest

from tfadvpath import explainers
from tfadvpath.evaluation.compared_maps import (
    BASELINES,
    COMPARED_MAPS,
    METHODS,
    compared_maps,
    in_order,
    main_map,
)


def test_there_are_the_fourteen_of_table_1_in_its_order():
    keys = [compared.key for compared in COMPARED_MAPS]
    assert keys == [
        *("gradient", "integrated_gradients", "grad_cam", "mask_perturbation", "mask_generator"),
        "sagen_difference",
        *("cyce_difference", "cyce_fi_v1", "cyce_fi_v2", "cyce_fi_v2_smooth"),
        *("syce_difference", "syce_fi_v1", "syce_fi_v2", "syce_fi_v2_smooth"),
    ]
    assert list(BASELINES) == keys[:6]


def test_every_method_is_an_explainer_that_the_registry_knows():
    assert set(METHODS) <= set(explainers.names())


def test_maps_of_some_methods_keep_the_order_of_the_table():
    found = compared_maps({"syce": (), "gradient": ()})
    assert [compared.key for compared in found[:2]] == ["gradient", "syce_difference"]


def test_a_method_that_the_paper_has_not_stands_behind_with_all_of_its_maps():
    found = compared_maps({"my_own": ("my_own", "squared"), "gradient": ("gradient",)})
    assert [compared.key for compared in found] == ["gradient", "my_own", "my_own_squared"]
    assert [compared.title for compared in found] == ["Gradient", "My own", "My own, squared"]
    assert in_order(["my_own", "syce", "a", "gradient"]) == ["gradient", "syce", "a", "my_own"]


@pytest.mark.parametrize(
    ("measured", "main"),
    [
        ({"gradient", "cyce", "syce"}, "syce_fi_v2_smooth"),
        ({"gradient", "cyce"}, "cyce_fi_v2_smooth"),
        ({"gradient", "grad_cam"}, "grad_cam"),
    ],
)
def test_the_smoothed_map_stands_for_a_run(measured, main):
    assert main_map(compared.key for compared in compared_maps(dict.fromkeys(measured, ()))) == main
