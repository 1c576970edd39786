import inspect
from pathlib import Path

import numpy as np
import pytest
import yaml
from support import tiny

from tfadvpath.errors import InputError
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.recipes.recipe import Recipe, dump_recipe, load_recipe
from tfadvpath.recipes.stages import STAGE_OPTIONS, UNetOptions, options_of

RECIPES = Path(__file__).parents[2] / "training"


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
        ("fixed_point_gan: null", "fixed_point_gan: {levels: 6}", r"levels: 6 levels need .* at least 64"),
        ("fixed_point_gan: null", "fixed_point_gan: {schedule: plateau}", "schedule must be cosine"),
        ("fixed_point_gan: null", "fixed_point_gan: {early_stopping: 3}", "early_stopping null"),
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


def test_a_key_that_stands_twice_is_named_with_its_line(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE) + "syce:\n  epochs: 3\n")
    line = len(path.read_text().splitlines()) - 1
    with pytest.raises(InputError, match=f"line {line}: syce stands here twice"):
        load_recipe(path)
    path.write_text("name: x\ndata:\n  task: phantom-brain\n  task: phantom-chest\n")
    with pytest.raises(InputError, match="line 4: task stands here twice"):
        load_recipe(path)


def test_a_seed_fits_into_tensorflows(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    assert np.int32(1000 * load_recipe(path, ["seed=2000000"]).seed + 999) > 0
    with pytest.raises(InputError, match=r"seed: .*less than or equal to 2000000"):
        load_recipe(path, ["seed=2000001"])


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


def test_values_can_be_set_beside_the_file(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    recipe = load_recipe(
        path, ["syce.epochs=3", "classifier.weights=null", "data.patients={train: 9, validation: 1, test: 1}"]
    )
    assert recipe.syce.epochs == 3
    assert recipe.data.patients.train == 9
    assert recipe.classifier == tiny.RECIPE.classifier
    assert load_recipe(path, ["sagen.filters=[4, 8]"]).stages.keys() == {"classifier", "syce", "sagen"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("syce.epochs=none", r"`changes`: syce.epochs=none: syce.epochs: .*valid integer"),
        ("syce.epochs", "`changes`: syce.epochs: names no value"),
        ("nope.x=1", "`changes`: nope.x=1: nope: Extra inputs"),
        ("syce.nope.x=1", "`changes`: syce.nope.x=1: syce.nope: Extra inputs"),
        ("syce={nope: 1}", "`changes`: syce={nope: 1}: syce.nope: Extra inputs"),
        ("name.of=3", "`changes`: name.of=3: names no value"),
        ("data.image_size=8", "`changes`: data.image_size=8: data.image_size"),
        ("syce.start_from=cyce", "syce.start_from: cyce needs a stage cyce with the filters"),
    ],
)
def test_a_wrong_change_is_named(tmp_path, change, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    with pytest.raises(InputError, match=message):
        load_recipe(path, [change])


def test_your_own_classifier_has_no_labels_to_shuffle(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    assert load_recipe(path, ["classifier.shuffle_labels=true"]).classifier.shuffle_labels
    with pytest.raises(InputError, match=r"classifier\.shuffle_labels needs a training"):
        load_recipe(path, ["classifier.shuffle_labels=true", "classifier.model=own.keras"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["classifier.head=local"], "need a backbone"),
        (["classifier.backbone_layer=conv"], "need a backbone"),
        (["classifier.finding_weight=1"], r"finding_weight needs classifier\.head: local"),
        (
            ["classifier={backbone: b.keras, head: local, finding_weight: 1, shuffle_labels: true}"],
            "since masks tell labels",
        ),
    ],
)
def test_options_of_a_local_head_that_do_not_fit_are_said(tmp_path, settings, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    with pytest.raises(InputError, match=message):
        load_recipe(path, settings)


def test_sagen_starts_from_a_stage_that_there_is(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    assert load_recipe(path, ["sagen={start_from: syce}"]).sagen.start_from == "syce"
    with pytest.raises(InputError, match=r"sagen\.start_from: syce needs a stage syce"):
        load_recipe(path, ["sagen={start_from: syce}", "syce=null"])


def test_a_written_recipe_names_no_folder_of_this_machine(tmp_path):
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    values = {
        "name": "x",
        "data": {"task": "pneumonia", "path": "../data", "image_size": 224},
        "classifier": {"backbone": "own.keras", "weights": None},
    }
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "recipe.yaml").write_text(yaml.safe_dump(values))
    recipe = load_recipe(tmp_path / "recipes" / "recipe.yaml")
    (run / "recipe.yaml").write_text(dump_recipe(recipe, run))
    assert str(tmp_path) not in (run / "recipe.yaml").read_text()
    (tmp_path / "link").symlink_to(run)
    for folder in (run, tmp_path / "link"):
        again = load_recipe(folder / "recipe.yaml")
        assert again.data.path.resolve() == (tmp_path / "data").resolve()
        assert Path(again.classifier.backbone).resolve() == (tmp_path / "recipes" / "own.keras").resolve()
    assert str(tmp_path) in dump_recipe(recipe)


def test_a_path_is_relative_to_the_recipe(tmp_path):
    recipe = {"name": "x", "data": {"task": "pneumonia", "path": "data", "image_size": 224}, "classifier": {}}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    assert load_recipe(tmp_path / "recipe.yaml").data.path == tmp_path / "data"


@pytest.mark.parametrize(
    ("weights", "expected"), [("w.h5", "{}/w.h5"), ("/w.h5", "/w.h5"), ("imagenet", "imagenet")]
)
def test_weights_are_relative_to_the_recipe_too(tmp_path, weights, expected):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    recipe = load_recipe(path, ["classifier.width=64", f"classifier.weights={weights}"])
    assert recipe.classifier.weights == expected.format(tmp_path)


def test_the_fixed_point_gan_halves_an_image_twice(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(tiny.RECIPE))
    with pytest.raises(InputError, match="a multiple of 4 for fixed_point_gan"):
        load_recipe(path, ["data.image_size=34", "fixed_point_gan={levels: 3}"])


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_one(path):
    assert load_recipe(path).name == path.stem


@pytest.mark.parametrize("name", GENERATORS)
def test_recipes_name_the_terms_of_the_losses_and_no_others(name):
    values = tiny.EVERY_STAGE.model_dump()
    terms = GENERATORS[name].loss_weights
    values[name]["loss_weights"] = dict.fromkeys(terms, 0.5)
    assert Recipe.model_validate(values).stages[name].loss_weights == dict.fromkeys(terms, 0.5)
    values[name]["loss_weights"] = {"flop": 1.0}
    with pytest.raises(ValueError, match=rf"{name} has no loss term 'flop', but {', '.join(terms)}"):
        Recipe.model_validate(values)


def test_every_generator_has_options_and_stages_run_in_the_order_of_the_registry():
    assert list(STAGE_OPTIONS) == ["classifier", *GENERATORS]
    assert list(tiny.EVERY_STAGE.stages) == list(STAGE_OPTIONS)


def test_options_are_of_one_stage_that_there_is():
    with pytest.raises(ValueError, match="the stage 'syce' has options already"):
        options_of("syce")
    with pytest.raises(ValueError, match="no generator is called 'flop'"):
        options_of("flop")


@pytest.mark.parametrize("name", GENERATORS)
def test_the_generators_options_are_arguments_of_its_class(name):
    arguments = tiny.EVERY_STAGE.stages[name].model_arguments()
    targets = {"targets"} if issubclass(STAGE_OPTIONS[name], UNetOptions) else set()
    assert set(arguments) == {"loss_weights", *targets, *STAGE_OPTIONS[name].MODEL_OPTIONS}
    assert set(arguments) <= set(inspect.signature(GENERATORS[name].load_class().__init__).parameters)
