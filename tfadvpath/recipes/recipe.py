"""The recipe of a training run: a YAML file, checked and typed."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import pydantic
import yaml

from tfadvpath.errors import InputError, quoted
from tfadvpath.recipes import yaml_text
from tfadvpath.recipes.data import DataSet, any_data
from tfadvpath.recipes.stages import CLASSIFIER, STAGE_OPTIONS, ClassifierOptions, Options, Training

# Characters: it lists all that a key may be.
_LONGEST_MESSAGE = 220

# Options that may name a file or a folder, by the section of the recipe.
_PATHS = {"data": ("path",), "generator_data": ("path",), "classifier": ("weights", "model", "backbone")}


class _Recipe(Options):
    """Everything that a training run depends on.

    Beside the attributes below a recipe has one for each generator of ``generators.registry``: the options
    of its stage, or None where the generator is not trained.

    Attributes:
        name: Name of the bundle.
        seed: Seed of the data's choice, the initial weights and every random number. A thousand times the
            largest one is still an int32, as TensorFlow's seeds are.
        precision: Type in which the stages compute. "bfloat16" keeps float32 weights; the saved networks
            compute in float32.
        data: Images that the classifier is trained on, and that everything is measured on.
        generator_data: Images that the other stages are trained on; None is the classifier's.
        classifier: Network and training of the classifier.
    """

    name: str
    seed: int = pydantic.Field(0, ge=0, le=2_000_000)
    precision: Literal["float32", "bfloat16"] = "float32"
    data: DataSet
    generator_data: DataSet | None = None
    classifier: ClassifierOptions

    @property
    def stages(self) -> dict[str, Training]:
        """Options of the stages that the recipe names, in the order in which they run."""
        options = {name: getattr(self, name, None) for name in STAGE_OPTIONS}
        return {name: value for name, value in options.items() if value is not None}

    def data_of(self, stage: str) -> DataSet:
        """Returns the images that a stage is trained on."""
        return self.data if stage == CLASSIFIER else self.generator_data or self.data

    def check_stages(self, names: Sequence[str] | None) -> None:
        """Checks that the recipe has stages of those names; None is all.

        Raises:
            InputError: It lacks one of them.
        """
        unknown = sorted(set(names or ()) - set(self.stages))
        if unknown:
            raise InputError(
                self.name, f"has no stage {', '.join(unknown)}", f"Name one of {', '.join(self.stages)}"
            )

    @pydantic.model_validator(mode="after")
    def _parts_fit(self) -> _Recipe:
        stages = self.stages
        for name, options in stages.items():
            options.check(name, self.data.image_size, stages)
        if self.generator_data and self.generator_data.image_size != self.data.image_size:
            raise ValueError("generator_data.image_size must be data.image_size")
        return self


if TYPE_CHECKING:
    Recipe = _Recipe
else:
    # The fields that a new data set or generator adds to are made from their registries.
    Recipe = pydantic.create_model(
        "Recipe",
        __base__=_Recipe,
        __doc__=_Recipe.__doc__,
        __module__=__name__,
        data=(any_data(), ...),
        generator_data=(any_data() | None, None),
        **{name: (kind | None, None) for name, kind in STAGE_OPTIONS.items() if name != CLASSIFIER},
    )


def load_recipe(path: pathlib.Path | str, changes: Sequence[str] = ()) -> Recipe:
    """Reads and checks a recipe.

    Args:
        path: YAML file. Paths in it are relative to its folder.
        changes: Values in place of those of the file, such as "syce.epochs=3": dotted keys and YAML values.

    Raises:
        InputError: The file is missing or no YAML, or a key is unknown, missing or wrong; the line is named.
    """
    path = pathlib.Path(path)
    values, root = yaml_text.read(path)
    if not isinstance(values, dict):
        raise InputError(
            path, "the recipe is empty or no mapping", "See training/phantom_brain.yaml for the keys"
        )
    changed = [_change(values, change) for change in changes]
    try:
        return Recipe.model_validate(values, context={"folder": path.parent})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        # The kind of data stands in a location as if it were a key.
        tasks = [part.get("task") for part in values.values() if isinstance(part, dict)]
        location = tuple(part for part in first["loc"] if part not in tasks and part != "[key]")
        where = ".".join(map(str, location))
        # The last one counts, as for the values.
        for change, key in zip(reversed(changes), reversed(changed), strict=True):
            if f"{where}.".startswith(f"{key}.") or (
                f"{key}.".startswith(f"{where}.") and not _holds(root, location)
            ):
                source = f"`changes`: {change}"
                break
        else:
            source = f"{path}, line {_line_of(root, location)}"
        message = quoted(first["msg"].removeprefix("Value error, "), _LONGEST_MESSAGE)
        problem = f"{quoted(where)}: {message}" if where else message
        raise InputError(source, problem, "Correct the key or its value") from error


def _change(values: dict[str, Any], change: str) -> str:
    """Puts one "key.of.part=value" into the values, and returns the key."""
    key, equals, text = change.partition("=")
    *parts, last = key.split(".")
    node: Any = values
    for part in parts:
        if isinstance(node, dict) and node.get(part) is None:
            node[part] = {}
        node = node[part] if isinstance(node, dict) else None
    try:
        value, _ = yaml_text.parse(text, f"`changes`: {quoted(change)}")
    except InputError as error:
        if not isinstance(error.__cause__, yaml.YAMLError):
            raise
        value = text
    if not equals or not isinstance(node, dict):
        raise InputError(f"`changes`: {change}", "names no value of a recipe", "Write it as syce.epochs=3")
    node[last] = value
    return key


def dump_recipe(recipe: Recipe, folder: pathlib.Path | None = None) -> str:
    """Returns the recipe as YAML with every default written out.

    Args:
        recipe: Recipe to write.
        folder: Folder that gets the text. Paths become relative to it, as ``load_recipe`` takes them: a
            bundle that is passed on then tells nothing of the machine that it was trained on, and a folder
            that holds runs and data can be moved. None leaves paths as they are.
    """
    values = recipe.model_dump(mode="json")
    if folder is not None:
        root = os.path.realpath(folder)
        for section, options in _PATHS.items():
            part = values.get(section) or {}
            for option in options:
                if part.get(option) is not None and pathlib.Path(part[option]).is_absolute():
                    part[option] = os.path.relpath(os.path.realpath(part[option]), root)
    return yaml.safe_dump(values, sort_keys=False)


def _holds(node: Any, location: Sequence[int | str]) -> bool:
    """Returns whether a recipe's file has a key at a location: else it came with a change."""
    for part in location:
        if not isinstance(node, yaml.MappingNode):
            return True  # a list is the file's: no change reaches into one
        node = next((value for key, value in node.value if key.value == str(part)), None)
        if node is None:
            return False
    return True


def _line_of(node: Any, location: Sequence[int | str]) -> int:
    """Returns the line of the deepest existing key on the way to a location."""
    line = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            match = [(key, value) for key, value in node.value if key.value == str(part)]
            if not match:
                break
            key, node = match[0]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
