"""What of an earlier run still counts. Networks are files of a few bytes: nothing is trained here."""

import json
import os
import shutil

import pytest
from support import tiny

from tfadvpath.bundle.networks import network_path
from tfadvpath.errors import InputError
from tfadvpath.files import LOCK
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.recipes.recipe import Recipe, load_recipe
from tfadvpath.training.run_folder import RunFolder

RECIPE = tiny.EVERY_STAGE


def changed(recipe=RECIPE, **parts):
    """A recipe with other values: options by stage, or values of its own."""
    values = recipe.model_dump(mode="json")
    for part, change in parts.items():
        values[part] = {**(values[part] or {}), **change} if isinstance(change, dict) else change
    return Recipe.model_validate(values)


STARTING = changed(syce={"start_from": "cyce"}, sagen={"start_from": "syce"})


def write_networks(out, stage, text="weights"):
    row = GENERATORS.get(stage)
    for name in row.networks if row else (stage,):
        path = network_path(out, stage, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text} of {name}")


def finish(run, stage):
    run.begin(stage)
    write_networks(run.out, stage)
    run.finish(stage, {"says": stage})


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


@pytest.fixture
def finished(out):
    """Makes a finished run of a recipe, of all its stages or some."""

    def make(recipe=RECIPE, stages=None):
        run = RunFolder(recipe, out)
        run.open(resume=False)
        run.write_recipe()
        for stage in stages or recipe.stages:
            finish(run, stage)
        return run

    return make


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# From begin to finish.


def test_a_stage_is_begun_gone_on_with_and_done(out):
    run = RunFolder(RECIPE, out)
    run.open(resume=False)
    run.write_recipe()
    assert run.begin("classifier")
    assert run.of_stage("classifier").is_dir()
    assert not run.is_done("classifier")
    assert run.begin("classifier")  # as after it was killed
    write_networks(out, "classifier")
    run.finish("classifier", {"best_epoch": 3})
    assert run.is_done("classifier")
    assert not run.begin("classifier")
    assert run.done() == {"classifier": {"best_epoch": 3}}


def test_another_process_goes_on_where_one_ended(finished, out):
    finished(stages=["classifier", "cyce"])
    later = RunFolder(RECIPE, out)
    later.open(resume=True)
    assert [name for name in RECIPE.stages if later.is_done(name)] == ["classifier", "cyce"]
    assert not later.begin("cyce")
    assert later.begin("syce")


def test_entries_of_finished_stages_come_in_the_recipes_order(finished):
    run = finished(stages=["classifier", "sagen", "cyce"])
    assert list(run.done()) == ["classifier", "cyce", "sagen"]
    assert run.done()["sagen"] == {"says": "sagen"}


def test_a_finished_stage_keeps_no_checkpoint(finished):
    run = finished(stages=["classifier"])
    run.begin("cyce")
    checkpoint = run.of_stage("cyce") / "checkpoint.npz"
    checkpoint.touch()
    run.finish("cyce", {})
    assert not checkpoint.exists()


def test_while_a_run_goes_on_its_folder_is_no_bundle(finished, out):
    run = finished()
    (out / "manifest.json").write_text("{}")
    run.write_recipe()
    assert not (out / "manifest.json").exists()
    assert load_recipe(out / "recipe.yaml") == RECIPE


def test_networks_before_a_stage_are_whole_files_by_their_names(finished, out):
    run = finished(STARTING)
    (out / "cyce" / ".tfadvpath-0011223344556677.keras").write_text("half")
    assert run.networks_before("cyce") == run.networks_before("classifier") == {}
    assert run.networks_before("syce") == {
        f"generator_{k}": out / "cyce" / f"generator_{k}.keras" for k in (0, 1)
    }
    assert set(run.networks_before("sagen")) == {"generator_0", "generator_1"}


def test_networks_that_are_not_trained_yet_are_named(finished):
    run = finished(STARTING, ["classifier"])
    with pytest.raises(InputError, match=r"starts from the networks of cyce\. Train cyce first"):
        run.begin("syce")


# One process at a time.


def test_a_second_process_is_refused_while_one_runs(finished, out):
    run = finished(stages=["classifier"])
    before = files(out)
    with run.alone():
        says = rf"^{out}: is written to by another run \(process {os.getpid()} on \S+, since .* UTC\)"
        with pytest.raises(InputError, match=says), RunFolder(RECIPE, out).alone():
            pass
        assert load_recipe(out / "recipe.yaml") == RECIPE
    assert files(out) == before
    with RunFolder(RECIPE, out).alone():
        pass


@pytest.mark.parametrize("resume", [False, True])
def test_the_lock_of_a_killed_process_is_no_obstacle(out, resume):
    out.mkdir()
    (out / LOCK).write_text("process 1 on a machine that is off")
    run = RunFolder(RECIPE, out)
    with run.alone():
        run.open(resume)
        run.write_recipe()
    assert not (out / LOCK).exists()


def test_a_new_folder_that_got_nothing_is_removed_again(out):
    with RunFolder(RECIPE, out).alone():
        assert out.is_dir()
    assert not out.exists()
    out.mkdir()
    with RunFolder(RECIPE, out).alone():
        pass
    assert out.exists()


def test_a_folder_that_is_no_run_gets_no_lock(out):
    out.mkdir()
    (out / "thesis.txt").touch()
    with pytest.raises(InputError, match="the folder holds other files"), RunFolder(RECIPE, out).alone():
        pass
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


# Folders that are refused.


@pytest.mark.parametrize("resume", [False, True])
def test_a_new_or_empty_folder_is_taken(tmp_path, resume):
    RunFolder(RECIPE, tmp_path).open(resume)
    RunFolder(RECIPE, tmp_path / "new").open(resume)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["thesis.txt"], r"the folder holds other files\. Name a new folder"),
        (["manifest.json", "classifier.keras"], "the folder holds a bundle without its stages/ folder"),
    ],
)
def test_a_folder_that_is_no_run_is_refused_and_stays_as_it_is(out, resume, names, says):
    out.mkdir()
    for name in names:
        (out / name).write_text("years of work")
    before = files(out)
    with pytest.raises(InputError, match=says):
        RunFolder(RECIPE, out).open(resume)
    assert files(out) == before


def test_a_file_is_refused(out):
    out.write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        RunFolder(RECIPE, out).open(resume=False)


def test_a_run_is_not_overwritten_without_resume(finished, out):
    finished()
    before = files(out)
    with pytest.raises(InputError, match=r"the folder holds a run\. Pass `resume` to go on"):
        RunFolder(RECIPE, out).open(resume=False)
    assert files(out) == before


def test_a_run_that_failed_before_its_first_checkpoint_begins_anew(out):
    run = RunFolder(RECIPE, out)
    run.open(resume=False)
    run.write_recipe()
    run.begin("classifier")
    other = changed(classifier={"learning_rate": 0.5})
    RunFolder(other, out).open(resume=False)
    assert RunFolder(other, out).begin("classifier")
    (run.of_stage("classifier") / "checkpoint.npz").touch()
    with pytest.raises(InputError, match="the folder holds a run"):
        RunFolder(other, out).open(resume=False)


def test_what_a_killed_process_left_half_is_cleared_when_all_checks_passed(finished, out):
    finished()
    leftovers = [out / "syce" / ".tfadvpath-0011223344556677.keras", out / ".tfadvpath-0011223344556677.png"]
    for path in leftovers:
        path.write_text("half")
    with pytest.raises(InputError, match="another options"):
        RunFolder(changed(syce={"learning_rate": 0.5}), out).open(resume=True)
    assert all(path.exists() for path in leftovers)
    RunFolder(RECIPE, out).open(resume=True)
    assert not any(path.exists() for path in leftovers)
    assert (out / "syce" / "generator_0.keras").exists()


# Stages that no longer fit.


@pytest.mark.parametrize(
    ("change", "stage", "what"),
    [
        ({"syce": {"learning_rate": 0.5}}, "syce", "options"),
        ({"mask_generator": {"loss_weights": {"small": 2.0}}}, "mask_generator", "options"),
        ({"seed": 7}, "classifier", "seed, data"),
        ({"precision": "bfloat16"}, "classifier", "precision"),
        ({"data": {"min_tumour_pixels": 3}}, "classifier", "data"),
        ({"generator_data": RECIPE.data.model_dump(mode="json") | {"twins": True}}, "cyce", "data"),
    ],
)
def test_what_a_stage_was_begun_with_is_named_where_it_changed(finished, out, change, stage, what):
    finished()
    before = files(out)
    with pytest.raises(
        InputError, match=rf"stages/{stage}: was begun with another {what}\. Delete this folder to train"
    ):
        RunFolder(changed(**change), out).open(resume=True)
    assert files(out) == before


def test_an_option_that_is_newer_than_a_run_counts_as_its_default(finished, out):
    run = finished(stages=["classifier"])
    path = run.of_stage("classifier") / "started.json"
    begun = json.loads(path.read_text())
    assert begun["options"].pop("shuffle_labels") is False
    path.write_text(json.dumps(begun))
    run.open(resume=True)
    with pytest.raises(InputError, match="classifier: was begun with another options"):
        RunFolder(changed(classifier={"shuffle_labels": True}), out).open(resume=True)
    begun["options"]["an_option_that_is_gone"] = 1
    path.write_text(json.dumps(begun))
    with pytest.raises(InputError, match="classifier: was begun with another options"):
        run.open(resume=True)


def test_a_stage_is_checked_when_it_begins_too(finished, out):
    finished()
    with pytest.raises(InputError, match="stages/syce: was begun with another options"):
        RunFolder(changed(syce={"learning_rate": 0.5}), out).begin("syce")


def test_a_stage_of_another_classifier_is_refused(finished, out):
    run = finished()
    write_networks(out, "classifier", "other weights")
    with pytest.raises(InputError, match="stages/cyce: was begun with another classifier"):
        run.open(resume=True)


def test_a_stage_that_started_from_other_networks_is_refused(finished, out):
    run = finished(STARTING)
    (out / "cyce" / "generator_1.keras").write_text("other weights")
    with pytest.raises(InputError, match="stages/syce: was begun with another start_from generator_1"):
        run.open(resume=True)


def test_your_own_classifier_is_known_by_the_content_of_its_file(finished, out, tmp_path):
    (tmp_path / "own.keras").write_text("a model")
    run = finished(changed(classifier={"model": str(tmp_path / "own.keras")}), ["classifier"])
    run.open(resume=True)
    (tmp_path / "own.keras").write_text("another model")
    with pytest.raises(InputError, match="stages/classifier: was begun with another model"):
        run.open(resume=True)
    (tmp_path / "own.keras").unlink()
    with pytest.raises(InputError, match=r"classifier\.model: .*own\.keras: cannot be read"):
        run.open(resume=True)


def test_a_stage_that_the_recipe_lost_is_not_asked_for(finished, out):
    finished()
    shorter = RunFolder(changed(sagen=None), out)
    shorter.open(resume=True)
    assert "sagen" not in shorter.done()


def test_stages_that_began_with_networks_to_be_trained_anew_are_all_named(finished, out):
    run = finished(STARTING)
    shutil.rmtree(run.of_stage("cyce"))
    with pytest.raises(InputError, match=r"stages: syce began with networks .* Delete the folders syce here"):
        run.open(resume=True)
    shutil.rmtree(run.of_stage("classifier"))
    everyone = "syce, sagen, mask_generator, fixed_point_gan"
    with pytest.raises(InputError, match=rf"stages: {everyone} began with networks that are to be trained"):
        run.open(resume=True)


def test_a_classifier_counts_when_its_stage_is_done_and_its_file_is_there(finished, out):
    run = RunFolder(RECIPE, out)
    run.open(resume=False)

    def is_missed_by(stage):
        says = rf"{stage} needs a trained classifier\. Train the stage classifier first"
        with pytest.raises(InputError, match=says):
            run.begin(stage)

    is_missed_by("cyce")
    run.write_recipe()
    write_networks(out, "classifier")  # as if it was copied here
    is_missed_by("cyce")
    finish(run, "classifier")
    assert run.begin("cyce")
    (out / "classifier.keras").unlink()
    is_missed_by("syce")


def test_a_stage_is_known_by_json_that_a_person_can_read(finished):
    run = finished(STARTING, ["classifier", "cyce", "syce"])
    begun = json.loads((run.of_stage("syce") / "started.json").read_text())
    assert begun["seed"] == RECIPE.seed
    assert begun["options"]["start_from"] == "cyce"
    assert begun["data"] == RECIPE.data.fingerprint(RECIPE.seed)
    assert {"precision", "classifier", "start_from generator_0", "start_from generator_1"} <= set(begun)
