"""Whole trainings: a run of every stage is made once, and the tests go on with copies of its folder."""

import json
import os
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
from tfadvpath.bundle.figures import classifier_figures, pair_figures
from tfadvpath.bundle.manifest import seal_bundle
from tfadvpath.bundle.networks import load_network, scores_of
from tfadvpath.errors import InputError
from tfadvpath.recipes.recipe import dump_recipe
from tfadvpath.training.run import train
from tfadvpath.training.stages import classifier

pytestmark = pytest.mark.slow
DRIVER = Path(__file__).with_name("killed_run.py")
RECIPE = tiny.EVERY_STAGE


def run_in_process(folder, stages, *kill):
    """Trains stages in their own process; ``kill`` is one of them and the number of the event to die at."""
    arguments = [sys.executable, str(DRIVER), str(folder), ",".join(stages), *map(str, kill)]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    done = run_in_process(folder, RECIPE.stages)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def networks(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*.keras"))


def test_a_run_killed_twice_ends_as_one_that_was_not(whole, tmp_path):
    folder, stages = tmp_path / "run", ("classifier", "cyce", "syce")
    # Events: one at the beginning; of an epoch after its first step, its second, and at its end.
    for kill in (("classifier", 4), ("syce", 5)):
        killed = run_in_process(folder, stages, *kill)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        with pytest.raises(InputError, match="Finish the training of its recipe with `resume`"):
            load_bundle(folder)
    assert run_in_process(folder, stages).returncode == 0
    assert len(networks(folder)) == 5
    assert set(networks(folder)) < set(networks(whole))
    for name in networks(folder):
        one, other = (keras.saving.load_model(root / name) for root in (whole, folder))
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    expected, found = (json.loads((root / "figures.json").read_text()) for root in (whole, folder))
    assert set(found) == {"validation", "test"}
    for part, values in found.items():
        assert values.keys() == set(stages)
        assert values == {name: expected[part][name] for name in stages}


def test_a_run_leaves_a_bundle_of_every_stage(whole):
    bundle = load_bundle(whole)
    assert bundle.recipe == RECIPE
    assert set(bundle.generators) == set(RECIPE.stages) - {"classifier"}
    for part in ("validation", "test"):
        assert set(bundle.figures[part]) == set(RECIPE.stages)
        assert 0 <= bundle.figures[part]["classifier"]["auc"] <= 1
        assert 0 <= bundle.figures[part]["cyce"]["flip_rate"] <= 1
    assert {"seed", "git_revision", "data", "parameters", "versions"} <= set(bundle.manifest)
    assert "generator_data" not in bundle.manifest
    assert {"curves.png", "model_card.md", "history.json"} <= set(bundle.manifest["sha256"])
    assert list((whole / "logs/syce").iterdir())
    assert not list(whole.rglob("checkpoint.npz"))


def test_a_finished_run_is_not_trained_again(copy):
    events = []
    train(RECIPE, copy, resume=True, listener=events.append)
    assert events == []
    load_bundle(copy)


@pytest.mark.parametrize("kind", ["a recipe", "a path", "a text"])
def test_a_run_from_python_returns_the_bundles_folder_and_its_figures(copy, tmp_path, kind):
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(RECIPE))
    recipe = {"a recipe": RECIPE, "a path": path, "a text": str(path)}[kind]
    trained = train(recipe, str(copy) if kind == "a text" else copy, resume=True)
    assert trained.folder == copy
    assert trained.figures == json.loads((copy / "figures.json").read_text())
    assert trained.figures == load_bundle(trained.folder).figures
    assert set(trained.figures["test"]) == set(RECIPE.stages)


def test_files_that_a_killed_process_left_half_are_not_part_of_the_bundle(copy):
    leftovers = [copy / "syce/.tfadvpath-0011223344556677.keras", copy / ".tfadvpath-0011223344556677.png"]
    for path in leftovers:
        path.write_bytes(b"half")
    texts = {name: (copy / name).read_text() for name in ("model_card.md", "history.json")}
    seal_bundle(copy, RECIPE, {}, others=texts, stages=list(RECIPE.stages))
    assert set(load_bundle(copy).generators) == set(RECIPE.stages) - {"classifier"}
    train(RECIPE, copy, resume=True)
    assert not any(path.exists() for path in leftovers)
    assert not any(".tfadvpath" in name for name in load_bundle(copy).manifest["sha256"])


def test_networks_of_a_stage_that_the_recipe_lost_are_not_sealed_in(copy):
    train(RECIPE.model_copy(update={"sagen": None}), copy, resume=True)
    bundle = load_bundle(copy)
    assert (copy / "sagen/network.keras").exists()
    assert "sagen" not in bundle.generators
    assert set(bundle.figures["test"]) == set(bundle.generators) | {"classifier"}


def test_the_generators_images_are_told_in_the_manifest(copy):
    data = RECIPE.data.model_copy(update={"min_tumour_pixels": 3})
    recipe = RECIPE.model_copy(update={"generator_data": data})
    for name in set(recipe.stages) - {"classifier"}:
        shutil.rmtree(copy / "stages" / name)
    train(recipe, copy, stages=["classifier"], resume=True)
    manifest = load_bundle(copy).manifest
    assert manifest["data"] == recipe.data.fingerprint(recipe.seed)
    assert manifest["generator_data"] == data.fingerprint(recipe.seed)
    assert manifest["generator_data"] in (copy / "model_card.md").read_text()


def test_a_control_is_called_one_and_is_measured_by_true_labels(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "resnet50_classifier", tiny.small_classifier)
    options = RECIPE.classifier.model_copy(update={"shuffle_labels": True})
    recipe = RECIPE.model_copy(update={"classifier": options})
    train(recipe, tmp_path / "run", ["classifier"])
    control, true = load_bundle(tmp_path / "run"), load_bundle(whole)
    assert "never for use" in control.manifest["control"]
    first_lines = (tmp_path / "run/model_card.md").read_text().split("\n\n")[:2]
    assert first_lines == ["# tiny", f"**{control.manifest['control']}**"]
    assert "control" not in true.manifest
    assert "control" not in (whole / "model_card.md").read_text()
    one, other = (bundle.classifier.get_weights() for bundle in (control, true))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))
    for part in ("validation", "test"):
        images = recipe.data.load(part, recipe.seed)
        expected = classifier_figures(
            scores_of(control.classifier, images.images), images.labels, images.patients
        )
        assert control.figures[part]["classifier"] == json.loads(json.dumps(expected))


def test_a_second_process_is_refused_and_the_first_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "resnet50_classifier", tiny.small_classifier)
    out, refused = tmp_path / "run", []

    def listen(event):
        if event.logs is None or refused:
            return
        arguments = [sys.executable, str(DRIVER), str(out), "classifier"]
        second = subprocess.run(arguments, capture_output=True, text=True, timeout=600, check=False)
        assert second.returncode != 0
        refused.append(second.stderr.splitlines()[-1])

    train(RECIPE, out, ["classifier"], listener=listen)
    assert f"{out}: is written to by another run (process {os.getpid()} on " in refused[0]
    load_bundle(out)
    assert not list(out.glob(".tfadvpath*"))


def test_a_run_of_other_options_is_refused_and_stays_a_bundle(copy):
    syce = RECIPE.syce.model_copy(update={"learning_rate": 0.5})
    other = RECIPE.model_copy(update={"syce": syce})
    shutil.rmtree(copy / "stages/sagen")
    for stages in (None, ["sagen"]):  # also where that stage is not to be trained now
        with pytest.raises(InputError, match=r"stages/syce: was begun with another options"):
            train(other, copy, stages=stages, resume=True)
    with pytest.raises(InputError, match=r"the folder holds a run\. Pass `resume`"):
        train(RECIPE, copy)
    assert load_bundle(copy).recipe == RECIPE


def test_a_classifier_that_was_changed_is_another_one(copy):
    model = keras.saving.load_model(copy / "classifier.keras")
    model.layers[-1].bias.assign([0.1])
    model.save(copy / "classifier.keras")
    with pytest.raises(InputError, match=r"cyce: was begun with another classifier"):
        train(RECIPE, copy, resume=True)


@pytest.fixture(scope="module")
def restarted(whole, tmp_path_factory):
    """The run with SyCE trained from CyCE's networks and a new SAGen from SyCE's pairs; and who trained.

    They hardly move after they have begun.
    """
    folder = Path(shutil.copytree(whole, tmp_path_factory.mktemp("restarted") / "run"))
    still = {"learning_rate": 1e-12}
    syce = RECIPE.syce.model_copy(update={"start_from": "cyce", "warm_up_steps": 0, **still})
    sagen = RECIPE.sagen.model_copy(update={"start_from": "syce", "warm_up_steps": 150, **still})
    recipe = RECIPE.model_copy(update={"syce": syce, "sagen": sagen})
    for stage in ("syce", "sagen"):
        shutil.rmtree(folder / "stages" / stage)
    shutil.rmtree(folder / "sagen")
    events = []
    train(recipe, folder, stages=["syce", "sagen"], resume=True, listener=events.append)
    return folder, [event.stage for event in events]


def test_stages_can_be_added_later(restarted):
    folder, trained = restarted
    assert set(trained) == {"syce", "sagen"}
    assert set(load_bundle(folder).generators) == set(RECIPE.stages) - {"classifier"}


def test_syce_can_start_from_the_networks_of_cyce(restarted):
    folder, _ = restarted
    for k in (0, 1):
        one, other = (load_network(folder / name / f"generator_{k}.keras") for name in ("cyce", "syce"))
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)


def test_sagen_can_start_from_the_pairs_of_syce(restarted, whole):
    images = tf.constant(RECIPE.data.load("validation", RECIPE.seed).images)
    later, first = load_bundle(restarted[0]).generators, load_bundle(whole).generators

    def distance_to_syce(sagen):
        wanted, found = (generator.generate(images) for generator in (later["syce"], sagen))
        return float(tf.reduce_mean(tf.abs(wanted.adversary - found.adversary)))

    assert distance_to_syce(later["sagen"]) < 0.5 * distance_to_syce(first["sagen"])


def test_bfloat16_trains_and_leaves_float32_networks(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier, "resnet50_classifier", tiny.small_classifier)
    recipe = tiny.RECIPE.model_copy(update={"precision": "bfloat16"})
    trained = train(recipe, tmp_path / "run")
    assert keras.config.dtype_policy().name == "float32"
    bundle = load_bundle(tmp_path / "run")
    for network in (bundle.classifier, *bundle.generators["syce"].generators):
        assert network.compute_dtype == "float32"
        assert all(layer.compute_dtype == "float32" for layer in network.layers)
    for part in ("validation", "test"):
        images = recipe.data.load(part, recipe.seed)
        expected = pair_figures(bundle.generators["syce"], images.images, images.patients)
        assert (
            json.loads(json.dumps(expected)) == bundle.figures[part]["syce"] == trained.figures[part]["syce"]
        )
