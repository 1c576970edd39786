"""The folder of a training run: its stages, what they depend on, and what of an earlier run still counts."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydantic

from tfadvpath.bundle.manifest import FIT_REPORT, MANIFEST, RECIPE
from tfadvpath.bundle.networks import network_files, network_path
from tfadvpath.errors import InputError
from tfadvpath.files import LOCK, make_folder, only_writer, remove_partials, sha256, write_json, write_text
from tfadvpath.recipes.recipe import Recipe, dump_recipe
from tfadvpath.recipes.stages import CLASSIFIER

# Files that a run needs on its way, and a bundle does not: checkpoints, and the entries of finished stages.
STAGES = "stages"
_CHECKPOINT, _STARTED, _DONE = "checkpoint.npz", "started.json", "done.json"


class RunFolder:
    """A run's folder, which becomes the bundle.

    A stage that is done stays so while all that it depends on is the same: its options, the seed, the data
    and the networks that it started from. A stage of other options or data is an error, not a new training:
    days of computing are not thrown away unasked.

    Args:
        recipe: Recipe of the run.
        out: Folder of the run.
    """

    def __init__(self, recipe: Recipe, out: Path):
        self.recipe = recipe
        self.out = out

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Makes the folder, and keeps other runs from it while the block runs.

        A folder that is new and got nothing is removed again.

        Raises:
            InputError: ``out`` is a file or holds something that is no run, it cannot be written to, or
                another process writes there.
        """
        self._check_is_run()
        is_new = not self.out.exists()
        make_folder(self.out)
        try:
            with only_writer(self.out):
                yield
        finally:
            if is_new:
                with contextlib.suppress(OSError):  # it got something
                    self.out.rmdir()

    def check(self, resume: bool) -> None:
        """Checks that the run may be written here.

        Args:
            resume: Whether an earlier run is gone on with.

        Raises:
            InputError: As ``open`` says.
        """
        self._check_is_run()
        if resume:
            self._check_begun()
        elif self._has_results():
            raise InputError(
                self.out, "the folder holds a run", "Pass `resume` to go on, or name a new folder"
            )

    def open(self, resume: bool) -> None:
        """Checks that the run may be written here, and clears what a killed process left.

        Nothing of an earlier run is touched if a check fails.

        Args:
            resume: Whether an earlier run is gone on with.

        Raises:
            InputError: ``out`` is a file, holds something that is no run, or holds a run though ``resume`` is
                False; or a stage was begun with other options, data or networks.
        """
        self.check(resume)
        if not resume:  # there may be what a run left that failed before its first result
            shutil.rmtree(self.out / STAGES, ignore_errors=True)
        remove_partials(self.out)

    def write_recipe(self) -> None:
        """Writes the recipe. The folder is no bundle any more until all files fit together again."""
        (self.out / STAGES).mkdir(parents=True, exist_ok=True)
        write_text(self.out / RECIPE, dump_recipe(self.recipe, self.out))
        for name in (MANIFEST, FIT_REPORT):  # the report is on the networks that were there
            (self.out / name).unlink(missing_ok=True)

    def of_stage(self, stage: str) -> Path:
        """Returns the folder of a stage's checkpoint."""
        return self.out / STAGES / stage

    def begin(self, stage: str) -> bool:
        """Begins a stage, or goes on with it; returns False where it is done already.

        Raises:
            InputError: It was begun with other options, data or networks; or the networks that it needs are
                not trained.
        """
        identity = self._identity(stage)
        if self._begun(stage, identity) and self.is_done(stage):
            return False
        self.of_stage(stage).mkdir(parents=True, exist_ok=True)
        write_json(self.of_stage(stage) / _STARTED, identity)
        return True

    def is_done(self, stage: str) -> bool:
        """Returns whether a stage was finished."""
        return (self.of_stage(stage) / _DONE).exists()

    def networks_before(self, stage: str) -> dict[str, Path]:
        """Returns the files of the trained networks that a stage begins with, by their names.

        Raises:
            InputError: They are not trained yet.
        """
        before = self.recipe.stages[stage].first_stage
        if before is None:
            return {}
        if not self.is_done(before):
            raise InputError(
                self.out, f"a stage starts from the networks of {before}", f"Train {before} first"
            )
        return {path.stem: path for path in network_files(self.out, before)}

    def finish(self, stage: str, done: Mapping[str, Any]) -> None:
        """Marks a stage as done.

        Args:
            stage: Name of the stage; its networks are saved.
            done: Entry of the stage in the bundle, as JSON can hold it.
        """
        write_json(self.of_stage(stage) / _DONE, done)
        (self.of_stage(stage) / _CHECKPOINT).unlink(missing_ok=True)

    def done(self) -> dict[str, dict[str, Any]]:
        """Returns the entries that ``finish`` was given, by the stages' names, in the recipe's order."""
        return {
            name: json.loads((self.of_stage(name) / _DONE).read_text(encoding="utf-8"))
            for name in self.recipe.stages
            if self.is_done(name)
        }

    def _check_is_run(self) -> None:
        """Checks that the folder is one of a run, or empty, or not there."""
        out = self.out
        if out.exists() and not out.is_dir():
            raise InputError(out, "is a file", "Name a new folder for the run")
        if not out.exists() or all(path.name == LOCK for path in out.iterdir()):
            return
        if not (out / STAGES).is_dir():
            what = f"a bundle without its {STAGES}/ folder" if (out / MANIFEST).exists() else "other files"
            raise InputError(out, f"the folder holds {what}", "Name a new folder for the run")

    def _has_results(self) -> bool:
        """Whether a run got as far as its first checkpoint; one that failed before can begin anew."""
        return any(path.name in (_DONE, _CHECKPOINT) for path in (self.out / STAGES).glob("*/*"))

    def _check_begun(self) -> None:
        """Checks every stage of the recipe that was begun, whether it is to be trained now or not.

        Raises:
            InputError: One was begun with other options or data, or with networks that are others by now or
                are to be trained anew.
        """
        stages = self.recipe.stages
        begun = [name for name in stages if (self.of_stage(name) / _STARTED).exists()]
        orphans = [
            name
            for name in begun
            for before in (CLASSIFIER, stages[name].first_stage)
            if before is not None and before != name and not self.is_done(before)
        ]
        if orphans:
            names = ", ".join(dict.fromkeys(orphans))
            raise InputError(
                self.out / STAGES,
                f"{names} began with networks that are to be trained anew",
                f"Delete the folders {names} here too, or name a new folder for the run",
            )
        for name in begun:
            self._begun(name, self._identity(name))

    def _begun(self, stage: str, identity: Mapping[str, Any]) -> bool:
        """Whether a stage was begun.

        Raises:
            InputError: It was begun with other options, data or another classifier.
        """
        path = self.of_stage(stage) / _STARTED
        if not path.exists():
            return False
        begun = json.loads(path.read_text(encoding="utf-8"))
        begun["options"] = self._with_later_options(stage, begun.get("options"))
        changed = [key for key in identity if begun.get(key) != json.loads(json.dumps(identity[key]))]
        if changed:
            raise InputError(
                self.of_stage(stage),
                f"was begun with another {', '.join(changed)}",
                "Delete this folder to train the stage anew, or name a new folder for the run",
            )
        return True

    def _with_later_options(self, stage: str, begun: Any) -> Any:
        """Returns the options that a stage was begun with, and those that this version has beside them.

        The default of a new option is what was done before there was the option: a run of an earlier version
        can be gone on with.
        """
        try:
            return type(self.recipe.stages[stage]).model_validate(begun).model_dump(mode="json")
        except pydantic.ValidationError:
            return begun

    def _identity(self, stage: str) -> dict[str, Any]:
        """Returns all that a stage's result depends on, as JSON."""
        recipe, options = self.recipe, self.recipe.stages[stage]
        identity = {
            "seed": recipe.seed,
            "precision": recipe.precision,
            "data": recipe.data_of(stage).fingerprint(recipe.seed),
            "options": options.model_dump(mode="json"),
        }
        for key, file in options.files().items():
            identity[key] = _digest(f"{stage}.{key}: {file}", file)
        if stage != CLASSIFIER:
            classifier = network_path(self.out, CLASSIFIER, CLASSIFIER)
            if not (self.is_done(CLASSIFIER) and classifier.exists()):
                raise InputError(
                    self.out, f"{stage} needs a trained classifier", f"Train the stage {CLASSIFIER} first"
                )
            identity[CLASSIFIER] = sha256(classifier)
        before = self.networks_before(stage)
        return identity | {f"start_from {name}": sha256(path) for name, path in before.items()}


def _digest(source: str, file: Path) -> str:
    try:
        return sha256(file)
    except OSError as error:
        problem = f"cannot be read ({error.strerror or error})"
        raise InputError(source, problem, "Name a .keras file") from None
