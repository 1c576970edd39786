"""What ``train`` refuses before it trains, and what of a run stays when a later stage cannot be trained."""

import pytest
from support import tiny

from tfadvpath.errors import InputError
from tfadvpath.recipes.recipe import Recipe
from tfadvpath.training.run import train
from tfadvpath.training.run_folder import RunFolder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patients", "says"),
    [
        (
            {"train": 6, "validation": 1, "test": 1},
            "2 patients that the generators train on are in the valid",
        ),
        (
            {"train": 3, "validation": 3, "test": 1},
            "1 patients that the generators are chosen by are in the t",
        ),
    ],
)
def test_generators_do_not_train_on_patients_that_are_measured(tmp_path, patients, says):
    # The parts of a phantom recipe follow each other: with more to train on, its first ones are measured.
    data = type(tiny.RECIPE.data).model_validate({**tiny.RECIPE.data.model_dump(), "patients": patients})
    recipe = tiny.EVERY_STAGE.model_copy(update={"generator_data": data})
    with pytest.raises(InputError, match=says):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_stage_that_the_recipe_does_not_have_is_named(tmp_path):
    with pytest.raises(InputError, match=r"has no stage sagen\. Name one of classifier, syce"):
        train(tiny.RECIPE, tmp_path / "run", stages=["sagen"])
    assert not (tmp_path / "run").exists()


def test_a_generator_needs_a_classifier(tmp_path):
    with pytest.raises(InputError, match="cyce needs a trained classifier"):
        train(tiny.EVERY_STAGE, tmp_path / "run", stages=["cyce"])


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files"):
        train(tiny.RECIPE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.slow
def test_too_few_images_are_said_before_the_training(tmp_path):
    options = tiny.RECIPE.classifier.model_copy(update={"batch_size": 10_000})
    with pytest.raises(InputError, match="a batch of 10000"):
        train(tiny.RECIPE.model_copy(update={"classifier": options}), tmp_path / "run")


@pytest.mark.slow
def test_a_classifier_of_one_answer_stops_the_generators_with_the_reason_and_stays(tmp_path):
    model = tiny.small_classifier((tiny.SIZE, tiny.SIZE, 1))
    model.layers[-1].bias.assign([-1e3])
    model.save(tmp_path / "own.keras")
    values = tiny.RECIPE.model_dump(mode="json") | {"classifier": {"model": str(tmp_path / "own.keras")}}
    recipe = Recipe.model_validate(values)
    with pytest.raises(InputError, match="0 to class 1"):
        train(recipe, tmp_path / "run")
    run = RunFolder(recipe, tmp_path / "run")
    assert run.is_done("classifier")
    assert not run.is_done("syce")
