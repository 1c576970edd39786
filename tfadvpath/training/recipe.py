"""The recipe of a training run: a YAML file, checked and typed."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import pydantic
import yaml

from tfadvpath.errors import InputError
from tfadvpath.training.data_options import Data
from tfadvpath.training.options import (
    ClassifierOptions,
    CyCEOptions,
    FixedPointGANOptions,
    MaskGeneratorOptions,
    Options,
    SAGenOptions,
    SyCEOptions,
    Training,
)

# In the order in which they run.
STAGES = ("classifier", "cyce", "syce", "sagen", "mask_generator", "fixed_point_gan")
StageName = Literal["classifier", "cyce", "syce", "sagen", "mask_generator", "fixed_point_gan"]


class Recipe(Options):
    """Everything that a run depends on.

    Attributes:
        name: Of the bundle.
        seed: Of the data's choice, the initial weights and every random number. A thousand times the largest
            one is still an int32, as TensorFlow's seeds are.
        precision: "bfloat16" computes in bfloat16 and keeps float32 weights; what is saved computes in
            float32.
        data: What the classifier is trained on, and every figure measured.
        generator_data: What the other stages are trained on; None is the classifier's.
        classifier: Its network and training. A stage that is not named below is not trained.
        cyce: See ``generators.CyCE``.
        syce: See ``generators.SyCE``.
        sagen: See ``generators.SAGen``.
        mask_generator: See ``generators.MaskGenerator``.
        fixed_point_gan: See ``generators.FixedPointGAN``.
    """

    name: str
    seed: int = pydantic.Field(0, ge=0, le=2_000_000)
    precision: Literal["float32", "bfloat16"] = "float32"
    data: Data
    generator_data: Data | None = None
    classifier: ClassifierOptions
    cyce: CyCEOptions | None = None
    syce: SyCEOptions | None = None
    sagen: SAGenOptions | None = None
    mask_generator: MaskGeneratorOptions | None = None
    fixed_point_gan: FixedPointGANOptions | None = None

    @property
    def stages(self) -> dict[str, Training]:
        """The options of the stages that it names, in their order."""
        options = {name: getattr(self, name) for name in STAGES}
        return {name: value for name, value in options.items() if value is not None}

    @pydantic.model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if self.classifier.weights is not None and self.classifier.width != 64:
            raise ValueError("classifier.weights must be null where classifier.width is not 64")
        for name in ("cyce", "syce", "sagen"):
            options = getattr(self, name)
            factor = 2 ** (len(options.filters) - 1) if options else 1
            if self.data.image_size % factor:
                raise ValueError(
                    f"data.image_size must be a multiple of {factor} for the {len(options.filters)} filters "
                    f"of {name}"
                )
        levels = self.fixed_point_gan.levels if self.fixed_point_gan else 0
        if self.fixed_point_gan and self.data.image_size % 4:
            raise ValueError("data.image_size must be a multiple of 4 for fixed_point_gan")
        if self.data.image_size < 2**levels:
            raise ValueError(
                f"fixed_point_gan.levels: {levels} levels need a data.image_size of at least {2**levels}"
            )
        if self.syce and self.syce.start_from:
            first = self.cyce
            if first is None or (first.filters, first.normalization) != (
                self.syce.filters,
                self.syce.normalization,
            ):
                raise ValueError(
                    "syce.start_from: cyce needs a stage cyce with the filters and normalization of syce"
                )
        if self.sagen and self.sagen.start_from and self.syce is None:
            raise ValueError("sagen.start_from: syce needs a stage syce")
        if self.generator_data and self.generator_data.image_size != self.data.image_size:
            raise ValueError("generator_data.image_size must be data.image_size")
        return self


def load_recipe(path: pathlib.Path | str, changes: Sequence[str] = ()) -> Recipe:
    """Reads and checks a recipe.

    Args:
        path: A YAML file. Paths in it are relative to its folder.
        changes: Values in place of the file's, such as "syce.epochs=3": dotted keys and YAML values.

    Raises:
        InputError: The file is missing or no YAML, or a key is unknown, missing or wrong; the line is named.
    """
    path = pathlib.Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            path, f"the recipe cannot be read ({error})", "Name an existing YAML file"
        ) from error
    except yaml.YAMLError as error:
        raise InputError(path, f"not valid YAML: {error}", "Correct the line") from error
    if not isinstance(values, dict):
        raise InputError(
            path, "the recipe is empty or no mapping", "See training/phantom_brain.yaml for the keys"
        )
    _refuse_duplicates(path, root)
    changed = [_change(values, change) for change in changes]
    try:
        return Recipe.model_validate(values, context={"folder": path.parent})
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        # The kind of data stands in a location as if it were a key.
        tasks = [part.get("task") for part in values.values() if isinstance(part, dict)]
        location = tuple(part for part in first["loc"] if part not in tasks)
        where = ".".join(map(str, location))
        source = f"{path}, line {_line_of(root, location)}"
        if where in changed:
            source = f"--set {changes[changed.index(where)]}"
        message = first["msg"].removeprefix("Value error, ")
        problem = f"{where}: {message}" if where else message
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
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = text
    if not equals or not isinstance(node, dict):
        raise InputError(f"--set {change}", "names no value of a recipe", "Write it as syce.epochs=3")
    node[last] = value
    return key


def dump_recipe(recipe: Recipe) -> str:
    """Returns the recipe as YAML with every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


def _refuse_duplicates(path: pathlib.Path, node: Any) -> None:
    """Raises InputError where a key stands twice in one mapping: YAML would let the last one win."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_duplicates(path, item)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            raise InputError(
                f"{path}, line {key.start_mark.line + 1}",
                f"{key.value} stands here twice",
                "Keep one of them",
            )
        seen.add(key.value)
        _refuse_duplicates(path, value)


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
