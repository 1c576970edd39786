"""Recipes that fit the time."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tfadvpath.fitting import plan
from tfadvpath.recipes.recipe import Recipe, dump_recipe

SHORT = {"epochs": 2, "steps_per_epoch": 5}


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("size", [*range(32, 132, 4), 160, 224, 256, 300, 512])
def test_every_size_has_networks_that_a_recipe_takes(size, wide):
    for method, stages in plan.STAGES.items():
        networks = plan.networks_for(size, wide)
        lengths = dict.fromkeys(stages, SHORT)
        recipe = plan.recipe_for("mine", method, Path("c.keras"), Path("i"), size, networks, 4, lengths, 0)
        assert list(recipe.stages) == ["classifier", *stages]
        narrow = plan.narrower(networks)
        plan.recipe_for("mine", method, Path("c.keras"), Path("i"), size, narrow, 4, lengths, 0)


def test_a_recipe_comes_back_from_its_file():
    lengths = {"cyce": SHORT, "syce": SHORT}
    networks = plan.networks_for(64, False)
    recipe = plan.recipe_for("mine", "syce", Path("c.keras"), Path("i"), 64, networks, 4, lengths, 7, 2)
    assert Recipe.model_validate(yaml.safe_load(dump_recipe(recipe))) == recipe
    assert recipe.data.volume_channel == 2
    assert recipe.classifier.model == str(Path("c.keras").absolute())


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["cyce", "syce", "sagen"]),
    st.floats(30, 10_000),
    st.floats(0.001, 0.5),
    st.floats(0.1, 5),
    st.integers(1, 16),
)
def test_what_is_planned_takes_no_longer_than_there_is(stage, seconds, step, tracing, validation):
    lengths = plan.lengths_for(stage, seconds, step, tracing, validation, stage == "syce")
    epochs, steps = lengths["epochs"], lengths["steps_per_epoch"]
    cost = step * plan.COST[stage]
    taken = epochs * (steps + plan._VALIDATION * validation) * cost
    taken += lengths.get("warm_up_steps", 0) * plan._UNDO * step
    shortest = epochs == 2 and steps == 5  # so much is always trained
    many = steps == 5  # or the validation alone takes the time
    assert taken <= seconds or shortest or many
    assert epochs <= plan._MOST_EPOCHS
    assert epochs * steps <= plan._MOST_STEPS


def test_more_time_gives_more_steps():
    steps = []
    for seconds in (60, 240, 960):
        lengths = plan.lengths_for("cyce", seconds, 0.1, 5.0, 4, False)
        steps.append(lengths["epochs"] * lengths["steps_per_epoch"])
    assert steps == sorted(set(steps))


def test_a_batch_is_no_larger_than_the_smallest_part():
    assert plan.batch_for({"train": [90, 40], "validation": [20, 6], "test": [1, 1]}) == 6
    assert plan.batch_for({"train": [90, 40], "validation": [20, 60], "test": [1, 1]}) == 8
