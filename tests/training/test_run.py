import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from support import tiny

from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.bundle.figures import pair_figures
from tfadvpath.bundle.manifest import seal_bundle
from tfadvpath.bundle.networks import load_network
from tfadvpath.errors import InputError
from tfadvpath.models.resnet50 import resnet50_classifier
from tfadvpath.training.run import train
from tfadvpath.training.stages import classifier

DRIVER = Path(__file__).with_name("killed_run.py")


def run_in_process(folder, stages, *kill):
    """Trains stages in their own process; ``kill`` is one of them and the number of the event to die at."""
    arguments = [sys.executable, str(DRIVER), str(folder), ",".join(stages), *map(str, kill)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = run_in_process(folder, tiny.EVERY_STAGE.stages)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "copy"))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(classifier, "resnet50_classifier", tiny.small_classifier)


def networks(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*.keras"))


@pytest.mark.slow
def test_a_run_killed_three_times_ends_as_one_that_was_not(whole, tmp_path):
    folder, stages = tmp_path / "run", tuple(tiny.EVERY_STAGE.stages)
    # Events: one at the beginning; of an epoch after its first step, its second, and at its end.
    for kill in (("classifier", 4), ("syce", 5), ("fixed_point_gan", 7)):
        killed = run_in_process(folder, stages, *kill)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        with pytest.raises(InputError, match="--resume"):
            load_bundle(folder)
    assert run_in_process(folder, stages).returncode == 0
    for name in networks(folder):
        one, other = (keras.saving.load_model(root / name) for root in (whole, folder))
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    expected, found = (json.loads((root / "figures.json").read_text()) for root in (whole, folder))
    for part, values in found.items():
        assert values.keys() == set(stages)
        assert values == {name: expected[part][name] for name in stages}


def test_a_run_leaves_a_bundle_of_every_stage(whole):
    bundle = load_bundle(whole)
    assert bundle.recipe == tiny.EVERY_STAGE
    assert set(bundle.generators) == set(tiny.EVERY_STAGE.stages) - {"classifier"}
    for part in ("validation", "test"):
        assert set(bundle.figures[part]) == set(tiny.EVERY_STAGE.stages)
        assert 0 <= bundle.figures[part]["classifier"]["auc"] <= 1
        assert 0 <= bundle.figures[part]["cyce"]["flip_rate"] <= 1
    assert {"seed", "git_revision", "data", "parameters", "versions"} <= set(bundle.manifest)
    assert "generator_data" not in bundle.manifest
    assert {"curves.png", "model_card.md", "history.json"} <= set(bundle.manifest["sha256"])
    assert list((whole / "logs/syce").iterdir())
    assert not list(whole.rglob("checkpoint.npz"))


def test_a_finished_run_is_not_trained_again(copy):
    events = []
    train(tiny.EVERY_STAGE, copy, resume=True, listener=events.append)
    assert events == []
    load_bundle(copy)


def test_what_a_run_killed_while_it_wrote_left_is_no_network(copy):
    for name in ("syce/.4711.generator_0.keras", ".4711.curves.png"):
        (copy / name).write_bytes(b"half")
    shutil.rmtree(copy / "stages/sagen")
    recipe = tiny.EVERY_STAGE.model_copy(
        update={"sagen": tiny.EVERY_STAGE.sagen.model_copy(update={"start_from": "syce"})}
    )
    train(recipe, copy, stages=["sagen"], resume=True)
    assert not list(copy.rglob(".4711.*"))
    assert not any("4711" in name for name in load_bundle(copy).manifest["sha256"])


def test_a_partial_network_is_not_sealed_into_a_bundle(copy):
    (copy / "syce/.4711.generator_0.keras").write_bytes(b"half")
    (copy / ".4711.curves.png").write_bytes(b"half")
    seal_bundle(copy, tiny.EVERY_STAGE, {})
    assert set(load_bundle(copy).generators) == set(tiny.EVERY_STAGE.stages) - {"classifier"}


def test_a_stage_can_be_added_later(copy):
    shutil.rmtree(copy / "stages/sagen")
    (copy / "sagen/network.keras").unlink()
    events = []
    train(tiny.EVERY_STAGE, copy, stages=["sagen"], resume=True, listener=events.append)
    assert {event.stage for event in events} == {"sagen"}
    assert "sagen" in load_bundle(copy).generators


def test_syce_can_start_from_the_networks_of_cyce(copy):
    changes = {"start_from": "cyce", "learning_rate": 1e-12, "warm_up_steps": 0}
    syce = tiny.EVERY_STAGE.syce.model_copy(update=changes)
    recipe = tiny.EVERY_STAGE.model_copy(update={"syce": syce})
    shutil.rmtree(copy / "stages/syce")
    train(recipe, copy, stages=["syce"], resume=True)
    for k in (0, 1):
        one, other = (load_network(copy / name / f"generator_{k}.keras") for name in ("cyce", "syce"))
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)
    shutil.rmtree(copy / "stages/syce")
    (copy / "stages/cyce/done.json").unlink()
    with pytest.raises(InputError, match=r"starts from the networks of cyce\. Train cyce first"):
        train(recipe, copy, stages=["syce"], resume=True)


def test_sagen_can_start_from_the_pairs_of_syce(copy):
    def distance(folder):
        bundle = load_bundle(folder)
        images = tf.constant(tiny.RECIPE.data.load("validation", tiny.RECIPE.seed).images)
        syce, sagen = (bundle.generators[name].generate(images) for name in ("syce", "sagen"))
        return float(tf.reduce_mean(tf.abs(syce.adversary - sagen.adversary)))

    changes = {"start_from": "syce", "learning_rate": 1e-12, "warm_up_steps": 150}
    sagen = tiny.EVERY_STAGE.sagen.model_copy(update=changes)
    before = distance(copy)
    shutil.rmtree(copy / "stages/sagen")
    train(tiny.EVERY_STAGE.model_copy(update={"sagen": sagen}), copy, stages=["sagen"], resume=True)
    assert distance(copy) < 0.5 * before


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


def test_a_run_that_failed_before_its_first_result_begins_anew(copy, monkeypatch):
    shutil.rmtree(copy / "stages")
    (copy / "stages/classifier").mkdir(parents=True)
    (copy / "stages/classifier/started.json").write_text("{}")

    def fail(*arguments):
        raise RuntimeError("here")  # after the checks

    monkeypatch.setattr("tfadvpath.training.run._train_one", fail)
    with pytest.raises(RuntimeError, match="here"):
        train(tiny.EVERY_STAGE, copy)
    (copy / "stages/classifier/checkpoint.npz").touch()
    with pytest.raises(InputError, match=r"holds a run.*--resume"):
        train(tiny.EVERY_STAGE, copy)


def test_a_run_is_not_overwritten_without_resume(copy):
    with pytest.raises(InputError, match=r"holds a run.*--resume"):
        train(tiny.EVERY_STAGE, copy)
    load_bundle(copy)


def test_other_options_than_the_run_began_with_are_refused(copy):
    syce = tiny.EVERY_STAGE.syce.model_copy(update={"learning_rate": 0.5})
    with pytest.raises(InputError, match="was begun with another options"):
        train(tiny.EVERY_STAGE.model_copy(update={"syce": syce}), copy, resume=True)
    assert load_bundle(copy).recipe == tiny.EVERY_STAGE


def test_other_options_of_a_stage_that_is_not_to_be_trained_are_refused_too(copy):
    syce = tiny.EVERY_STAGE.syce.model_copy(update={"epochs": 3})
    recipe = tiny.EVERY_STAGE.model_copy(update={"syce": syce})
    shutil.rmtree(copy / "stages/sagen")
    with pytest.raises(InputError, match=r"stages/syce: was begun with another options"):
        train(recipe, copy, stages=["sagen"], resume=True)
    assert load_bundle(copy).recipe == tiny.EVERY_STAGE


def test_a_stage_is_refused_when_the_one_that_it_began_with_is_to_be_trained_anew(copy):
    shutil.rmtree(copy / "stages/cyce")
    started = copy / "stages/syce/started.json"
    syce = tiny.EVERY_STAGE.syce.model_copy(update={"start_from": "cyce"})
    begun = json.loads(started.read_text()) | {"options": syce.model_dump(mode="json")}
    started.write_text(json.dumps(begun))
    with pytest.raises(InputError, match=r"syce began with networks .* Delete the folders syce here too"):
        train(tiny.EVERY_STAGE.model_copy(update={"syce": syce}), copy, stages=["cyce"], resume=True)
    shutil.rmtree(copy / "stages/classifier")
    with pytest.raises(InputError, match=r"stages: syce, sagen, mask_generator, fixed_point_gan began with"):
        train(tiny.EVERY_STAGE, copy, resume=True)


def test_networks_of_a_stage_that_the_recipe_lost_are_not_sealed_in(copy):
    train(tiny.EVERY_STAGE.model_copy(update={"sagen": None}), copy, resume=True)
    bundle = load_bundle(copy)
    assert (copy / "sagen/network.keras").exists()
    assert "sagen" not in bundle.generators
    assert set(bundle.figures["test"]) == set(bundle.generators) | {"classifier"}


def test_the_generators_images_are_told_in_the_manifest(copy):
    data = tiny.EVERY_STAGE.data.model_copy(update={"min_tumour_pixels": 3})
    recipe = tiny.EVERY_STAGE.model_copy(update={"generator_data": data})
    for name in set(recipe.stages) - {"classifier"}:
        shutil.rmtree(copy / "stages" / name)
    train(recipe, copy, stages=["classifier"], resume=True)
    manifest = load_bundle(copy).manifest
    assert manifest["data"] == recipe.data.fingerprint(recipe.seed)
    assert manifest["generator_data"] == data.fingerprint(recipe.seed)
    assert manifest["generator_data"] in (copy / "model_card.md").read_text()


def test_a_stage_of_another_classifier_is_refused(copy):
    model = keras.saving.load_model(copy / "classifier.keras")
    model.layers[-1].bias.assign([0.1])
    model.save(copy / "classifier.keras")
    with pytest.raises(InputError, match=r"cyce: was begun with another classifier"):
        train(tiny.EVERY_STAGE, copy, resume=True)


def test_a_generator_needs_a_classifier(tmp_path):
    with pytest.raises(InputError, match="cyce needs a trained classifier"):
        train(tiny.EVERY_STAGE, tmp_path / "run", stages=["cyce"])


def test_a_classifier_that_is_not_done_is_none(whole, tmp_path):
    (tmp_path / "run/stages").mkdir(parents=True)
    shutil.copy(whole / "classifier.keras", tmp_path / "run")
    with pytest.raises(InputError, match="cyce needs a trained classifier"):
        train(tiny.EVERY_STAGE, tmp_path / "run", stages=["cyce"], resume=True)


@pytest.mark.parametrize("weights", ["none.h5", "damaged.h5"])
def test_weights_that_cannot_be_had_are_said(tmp_path, monkeypatch, weights):
    monkeypatch.setattr(classifier, "resnet50_classifier", resnet50_classifier)
    (tmp_path / "damaged.h5").write_bytes(b"no weights")
    options = tiny.RECIPE.classifier.model_copy(update={"weights": str(tmp_path / weights), "width": 64})
    recipe = tiny.RECIPE.model_copy(update={"classifier": options})
    with pytest.raises(InputError, match=rf"{weights}: these weights cannot be used .*weights=null"):
        train(recipe, tmp_path / "run")


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files"):
        train(tiny.RECIPE, tmp_path)


def test_a_classifier_of_one_answer_stops_the_generators_with_the_reason(tmp_path, monkeypatch):
    def one_answer(*arguments):
        model = tiny.small_classifier(*arguments)
        model.layers[-1].bias.assign([-1e3])
        return model

    monkeypatch.setattr(classifier, "resnet50_classifier", one_answer)
    with pytest.raises(InputError, match="0 to class 1"):
        train(tiny.RECIPE, tmp_path / "run")
    assert json.loads((tmp_path / "run/stages/classifier/done.json").read_text())["best_epoch"] == 0


def test_too_few_images_are_said_before_the_training(tmp_path):
    options = tiny.RECIPE.classifier.model_copy(update={"batch_size": 10_000})
    with pytest.raises(InputError, match="a batch of 10000"):
        train(tiny.RECIPE.model_copy(update={"classifier": options}), tmp_path / "run")


def test_bfloat16_trains_and_leaves_float32_networks(tmp_path):
    recipe = tiny.RECIPE.model_copy(update={"precision": "bfloat16"})
    train(recipe, tmp_path / "run")
    assert keras.config.dtype_policy().name == "float32"
    bundle = load_bundle(tmp_path / "run")
    for network in (bundle.classifier, *bundle.generators["syce"].generators):
        assert network.compute_dtype == "float32"
        assert all(layer.compute_dtype == "float32" for layer in network.layers)
    for part in ("validation", "test"):
        images = recipe.data.load(part, recipe.seed)
        expected = pair_figures(bundle.generators["syce"], images.images, images.patients)
        assert json.loads(json.dumps(expected)) == bundle.figures[part]["syce"]
