"""A recipe that takes a trained classifier in place of training one."""

import json

import keras
import numpy as np
import pytest
from support import tiny

from tfadvpath import explainers
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.errors import InputError
from tfadvpath.recipes.recipe import Recipe, load_recipe
from tfadvpath.training.run import train


def colour_model(activation="softmax"):
    """``tiny.small_classifier`` for colour images of any size, with an output for each class."""
    grey = tiny.small_classifier((tiny.SIZE, tiny.SIZE, 1))
    layers = keras.layers
    mean = layers.Conv2D(1, 1, kernel_initializer=keras.initializers.Constant(1 / 3), use_bias=False)
    ends = layers.Dense(2, activation)
    body = [keras.Input((None, None, 3)), mean, *grey.layers[:-2], ends]
    model = keras.Sequential(body)
    kernel, bias = grey.layers[-1].get_weights()
    ends.set_weights([np.hstack([0 * kernel, kernel]), np.array([0, bias[0]])])
    return model, grey


def recipe(model, **classifier):
    stages = {"mask_generator": tiny.EVERY_STAGE.mask_generator.model_dump()}
    given = {**tiny.RECIPE.model_dump(exclude={"syce", "classifier"}), **stages}
    return Recipe.model_validate({**given, "classifier": {"model": str(model), **classifier}})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    model, grey = colour_model()
    model.save(folder / "own.keras")
    train(recipe(folder / "own.keras", target=1), folder / "run")
    return folder, grey


@pytest.mark.slow
def test_the_bundle_holds_the_classifier_as_it_was_and_generators_for_it(run):
    folder, grey = run
    bundle = load_bundle(folder / "run")
    images = tiny.RECIPE.data.load("test", 0).images
    expected = grey.predict(images, verbose=0)
    np.testing.assert_allclose(bundle.classifier.predict(images, verbose=0), expected, atol=1e-6)
    assert set(bundle.generators) == {"mask_generator"}
    assert bundle.figures["test"]["classifier"]["images"] == len(images)
    for method in ("gradient", "grad_cam", "mask_generator"):
        explanation = explainers.get(method, bundle).explain(images[:2])
        np.testing.assert_allclose(explanation.score, expected[:2, 0], atol=1e-6)
    card = (folder / "run/model_card.md").read_text()
    assert "trained elsewhere" in card
    assert json.loads((folder / "run/history.json").read_text())["classifier"] == []


@pytest.mark.slow
def test_another_model_in_its_place_is_refused(run, tmp_path):
    folder, _ = run
    content = (folder / "own.keras").read_bytes()
    try:
        model, _ = colour_model()
        model.layers[-1].bias.assign([0.5, 0.0])
        model.save(folder / "own.keras")
        with pytest.raises(InputError, match="was begun with another model"):
            train(recipe(folder / "own.keras", target=1), folder / "run", resume=True)
    finally:
        (folder / "own.keras").write_bytes(content)
    train(recipe(folder / "own.keras", target=1), folder / "run", resume=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "options", "says"),
    [
        (None, {}, "own.keras: cannot be read"),
        ("text", {}, "own.keras: cannot be loaded"),
        ("softmax", {}, "own.keras: target must name one of the 2 outputs"),
        ("softmax", {"target": 2}, "own.keras: target must be in 0"),
        ("linear", {"target": 1}, "own.keras: answers from .* no probabilities.* sigmoid or softmax"),
    ],
)
def test_a_model_that_cannot_be_taken_is_one_line(tmp_path, make, options, says):
    file = tmp_path / "own.keras"
    if make == "text":
        file.write_text("not a model")
    elif make:
        colour_model(make)[0].save(file)
    with pytest.raises(InputError, match=says) as error:
        train(recipe(file, **options), tmp_path / "run")
    assert "\n" not in str(error.value)


def test_its_path_is_relative_to_the_recipes_folder(tmp_path):
    text = (
        "name: a\ndata: {task: phantom-brain, image_size: 32, patients: {train: 1, validation: 1, test: 1}}\n"
    )
    (tmp_path / "recipe.yaml").write_text(text + "classifier: {model: models/own.keras}\n")
    assert load_recipe(tmp_path / "recipe.yaml").classifier.model == str(tmp_path / "models/own.keras")
