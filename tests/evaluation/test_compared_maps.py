"""The columns of the paper's tables."""

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
from tfadvpath.evaluation.options import percentiles_of
from tfadvpath.recipes.data import ImageFolder, PhantomBrain, PhantomChest


def test_there_are_the_fourteen_of_table_1_in_its_order():
    keys = [column.key for column in COMPARED_MAPS]
    assert keys == [
        *("gradient", "integrated_gradients", "grad_cam", "mask_perturbation", "mask_generator"),
        "sagen_difference",
        *("cyce_difference", "cyce_fi_v1", "cyce_fi_v2", "cyce_fi_v2_smooth"),
        *("syce_difference", "syce_fi_v1", "syce_fi_v2", "syce_fi_v2_smooth"),
    ]
    assert list(BASELINES) == keys[:6]


def test_every_method_is_an_explainer_that_the_registry_knows():
    assert set(METHODS) <= set(explainers.names())


def test_columns_of_some_methods_keep_the_order_of_the_table():
    columns = compared_maps({"syce": (), "gradient": ()})
    assert [column.key for column in columns[:2]] == ["gradient", "syce_difference"]


def test_a_method_that_the_paper_has_not_stands_behind_with_all_of_its_maps():
    columns = compared_maps({"my_own": ("my_own", "squared"), "gradient": ("gradient",)})
    assert [column.key for column in columns] == ["gradient", "my_own", "my_own_squared"]
    assert [column.title for column in columns] == ["Gradient", "My own", "My own, squared"]
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
    assert main_map(column.key for column in compared_maps(dict.fromkeys(measured, ()))) == main


def test_percentiles_are_the_papers_of_the_organ():
    patients = {"train": 1, "validation": 1, "test": 1}
    brain = PhantomBrain(task="phantom-brain", image_size=32, patients=patients)
    chest = PhantomChest(task="phantom-chest", image_size=32, patients=patients)
    folder = ImageFolder(task="image-folder", image_size=32, path="x")
    assert percentiles_of(brain) == (98, 99)
    assert percentiles_of(chest) == (90, 95, 98)
    assert percentiles_of(folder) == (90, 95, 98, 99)
