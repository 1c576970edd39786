import pytest
import tiny
import yaml

from tfadvpath.errors import InputError
from tfadvpath.training.recipe import dump_recipe, load_recipe


def test_a_dumped_recipe_loads_as_the_same(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    assert load_recipe(path) == tiny.RECIPE


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width: 4", "width: 5", r"line \d+: classifier.width.*4, 8, 16, 32 or 64"),
        ("epochs: 1", "epochs: 0", r"classifier.epochs.*greater than or equal to 1"),
        ("name: tiny", "nmae: tiny", "name: Field required"),
        ("  width: 4", "  widht: 4", "classifier.widht: Extra inputs"),
        ("train: 3", "train: many", "data.patients.train.*valid integer"),
        ("name: tiny", "name: [", "not valid YAML"),
        ("weights: null", "weights: imagenet", "classifier.weights must be null"),
        ("image_size: 32", "image_size: 33", "data.image_size must be a multiple of 2"),
        ("loss_weights: {}", "loss_weights: {flop: 1.0}", "syce.loss_weights.flop"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, old, new, message):
    path = tmp_path / "recipe.yaml"
    text = dump_recipe(tiny.RECIPE)
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_recipe(path)


def test_the_line_of_the_wrong_value_is_said(tmp_path):
    path = tmp_path / "recipe.yaml"
    text = dump_recipe(tiny.RECIPE).replace("width: 4", "width: 5")
    path.write_text(text)
    line = 1 + [line.strip() for line in text.splitlines()].index("width: 5")
    with pytest.raises(InputError, match=rf"recipe\.yaml, line {line}:"):
        load_recipe(path)


@pytest.mark.parametrize("text", ["", "- a list", "name"])
def test_what_is_no_recipe_is_said(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match="empty or no mapping"):
        load_recipe(path)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "none.yaml")


def test_defaults_are_the_papers():
    minimal = {
        "name": "x",
        "data": {
            "task": "phantom-brain",
            "image_size": 224,
            "patients": {"train": 1, "validation": 1, "test": 1},
        },
        "classifier": {},
        "syce": {"steps_per_epoch": 1},
    }
    recipe = type(tiny.RECIPE).model_validate(yaml.safe_load(yaml.safe_dump(minimal)))
    assert (recipe.classifier.learning_rate, recipe.classifier.batch_size) == (1e-4, 64)
    assert (recipe.syce.learning_rate, recipe.syce.epochs, recipe.syce.dropout) == (1e-4, 60, 0.2)
    assert recipe.data.min_tumour_pixels == 10
