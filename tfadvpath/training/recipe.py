"""The recipe of a training run: a YAML file, checked and typed."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import Any, Literal

import pydantic
import yaml

from tfadvpath.errors import InputError

# The terms of tfadvpath.generators.syce.LOSS_WEIGHTS, whose module waits for TensorFlow.
LossName = Literal["stable", "cycle", "flip", "keep", "cycle_decision", "realism", "gradient_penalty"]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Data(_Part):
    """Which images: generated brain phantoms, split by patient.

    Attributes:
        task: What the images are.
        image_size: Height and width in pixels.
        channel: Of a 4-channel volume, the one that the classifier sees (2 is T1gd).
        patients: How many for training, validation and test. No patient is in two of them.
        min_tumour_pixels: A slice with that many tumour pixels is class 1.
        min_body_fraction: Slices where the body covers less of the image are left out.
        twins: Of each patient only the slices with tumour, and the same slices of the patient without it.
    """

    task: Literal["phantom-brain"]
    image_size: int = pydantic.Field(ge=32)
    channel: int = pydantic.Field(2, ge=0, le=3)
    patients: Patients
    min_tumour_pixels: int = pydantic.Field(10, ge=1)
    min_body_fraction: float = pydantic.Field(0.05, ge=0, lt=1)
    twins: bool = False


class Patients(_Part):
    """Numbers of patients in each part of the split."""

    train: int = pydantic.Field(ge=1)
    validation: int = pydantic.Field(ge=1)
    test: int = pydantic.Field(ge=1)


class Augmentation(_Part):
    """Random changes of the classifier's training images, as shares of the image (rotation: of a full turn).

    Attributes:
        darkening: An image is multiplied by a factor from 1 - darkening to 1, so that its brightness tells
            nothing.
    """

    flip: bool = True
    rotation: float = pydantic.Field(0.05, ge=0, le=0.5)
    zoom: float = pydantic.Field(0.1, ge=0, lt=1)
    translation: float = pydantic.Field(0.05, ge=0, lt=1)
    darkening: float = pydantic.Field(0.0, ge=0, lt=1)


class Classifier(_Part):
    """The classifier's network and training. The learning rate falls to 0 along a half cosine."""

    variant: Literal["v1", "v2"] = "v2"
    weights: str | None = "imagenet"
    width: Literal[4, 8, 16, 32, 64] = 64
    dropout: float = pydantic.Field(0.3, ge=0, lt=1)
    learning_rate: float = pydantic.Field(1e-4, gt=0)
    batch_size: int = pydantic.Field(64, ge=1)
    epochs: int = pydantic.Field(50, ge=1)
    augmentation: Augmentation = Augmentation()


class SyCE(_Part):
    """The generators' networks and training. The learning rates fall to 0 along a half cosine."""

    filters: list[pydantic.PositiveInt] = pydantic.Field([16, 32, 64, 128, 256], min_length=2)
    normalization: Literal["affine", "group", "batch"] = "affine"
    dropout: float = pydantic.Field(0.2, ge=0, lt=1)
    learning_rate: float = pydantic.Field(1e-4, gt=0)
    clip_norm: float = pydantic.Field(1.0, gt=0, description="Of the U-Nets' gradient, over all weights.")
    discriminator_learning_rate: float = pydantic.Field(1e-4, gt=0)
    batch_size: int = pydantic.Field(64, ge=1, description="Images of each domain in a step.")
    epochs: int = pydantic.Field(60, ge=1)
    steps_per_epoch: int = pydantic.Field(ge=1)
    loss_weights: dict[LossName, float] = {}
    warm_up_steps: int = pydantic.Field(
        0, ge=0, description="Steps in which the U-Nets learn to copy their input."
    )
    warm_up_learning_rate: float = pydantic.Field(2e-3, gt=0)


class Recipe(_Part):
    """Everything that a run depends on."""

    name: str
    seed: int = pydantic.Field(0, ge=0)
    data: Data
    classifier: Classifier
    syce: SyCE

    @pydantic.model_validator(mode="after")
    def _parts_fit(self) -> Recipe:
        if self.classifier.weights is not None and self.classifier.width != 64:
            raise ValueError("classifier.weights must be null where classifier.width is not 64")
        factor = 2 ** (len(self.syce.filters) - 1)
        if self.data.image_size % factor:
            raise ValueError(
                f"data.image_size must be a multiple of {factor} for {len(self.syce.filters)} filters"
            )
        return self


def load_recipe(path: pathlib.Path | str) -> Recipe:
    """Reads and checks a recipe.

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
    try:
        return Recipe.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        line = _line_of(root, first["loc"])
        raise InputError(
            f"{path}, line {line}", f"{where}: {first['msg']}", "Correct the key or its value"
        ) from error


def dump_recipe(recipe: Recipe) -> str:
    """Returns the recipe as YAML with every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


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
