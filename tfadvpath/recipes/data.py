"""The ``data`` section of a recipe: the images that a run trains and measures on, and the facts about them.

A class states the facts of its data set, so that no other file asks which data set it is. Its methods import
what reads or generates the images when they are called: a recipe is checked without TensorFlow.
"""

from __future__ import annotations

import abc
import hashlib
import importlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args

import pydantic

if TYPE_CHECKING:
    from tfadvpath.datasets.labelled_images import LabelledImages
    from tfadvpath.datasets.prepared import Prepared

PartName = Literal["train", "validation", "test"]
Organ = Literal["brain", "chest"]
PARTS: tuple[PartName, ...] = get_args(PartName)
# Parts whose patients are dealt into folds: never the test part's.
_DEALT: tuple[PartName, ...] = ("train", "validation")
# Phantom seeds: a million for each seed of a recipe.
_SEEDS_PER_RECIPE = 1_000_000


class Part(pydantic.BaseModel):
    """Any part of a ``data`` section: unknown keys are errors, values are fixed."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class DataSet(Part, abc.ABC):
    """Labelled images, split into three parts by patient.

    Attributes:
        task: Name of the data set in recipes and of ``tfadvpath prepare``.
        image_size: Height and width in pixels.
        folds: Number of folds into which the patients of the training and validation parts are dealt anew, by
            the recipe's seed, those with an image of class 1 and the others each evenly. The test part stays
            as it is. None leaves the parts as they are.
        fold: Index of the fold, from 0, that is the validation part; the other folds are the training part.
        terms: Sentences for the model card: whose the data are, on which terms, and whom to name. None says
            that whoever trained the networks has to know.
        GENERATED: Whether the images are phantoms, not patients'.
        ORGAN: Organ in the images, "brain" or "chest", by which published numbers and phantoms are chosen to
            stand beside them. None is any other, or one that the recipe names.
        PERCENTILES: Percentiles of the maps at which Table 1 is measured.
        CHANNEL: Channel of a 4-D volume that the classifier sees, unless an option says it; None where images
            have one.
    """

    GENERATED: ClassVar[bool] = False
    ORGAN: ClassVar[Organ | None] = None
    PERCENTILES: ClassVar[tuple[float, ...]] = (90.0, 95.0, 98.0, 99.0)
    CHANNEL: ClassVar[int | None] = None
    task: str
    image_size: int = pydantic.Field(ge=32)
    folds: int | None = pydantic.Field(None, ge=2)
    fold: int | None = pydantic.Field(None, ge=0)
    terms: str | None = None

    @pydantic.model_validator(mode="after")
    def _names_a_fold(self) -> DataSet:
        if (self.folds is None) != (self.fold is None):
            raise ValueError(
                "data.folds, the number of folds, and data.fold, the one to validate on, go together"
            )
        if self.folds is not None and self.fold is not None and self.fold >= self.folds:
            raise ValueError(f"data.fold counts from 0: of {self.folds} folds the last is {self.folds - 1}")
        return self

    @property
    def volume_channel(self) -> int | None:
        """Index of the channel of a 4-D volume that the classifier sees; None where images have one."""
        return self.CHANNEL

    @property
    def pictured_organ(self) -> Organ | None:
        """Organ in the images, "brain" or "chest"; None where it is another or not known."""
        return self.ORGAN

    @property
    def percentiles(self) -> tuple[float, ...]:
        """Percentiles of the maps at which Table 1 is measured."""
        return self.PERCENTILES

    def load(self, part: PartName, seed: int) -> LabelledImages:
        """Returns the labelled images of one part.

        Args:
            part: Name of the part: "train", "validation" or "test".
            seed: Seed of the recipe: chooses the phantoms, the images that ``max_images`` leaves, and the
                patients of each fold.

        Raises:
            InputError: The folder of prepared data is missing or damaged, the part is empty, or a fold would
                be without a class.
        """
        return self._read(part, seed) if part == "test" else self._dealt((part,), seed)[part]

    def load_parts(self, seed: int) -> dict[str, LabelledImages]:
        """Returns the labelled images of every part, as ``load`` does of one.

        Args:
            seed: Seed of the recipe.

        Raises:
            InputError: As ``load`` says.
        """
        return {**self._dealt(_DEALT, seed), "test": self._read("test", seed)}

    def _dealt(self, wanted: Sequence[PartName], seed: int) -> dict[str, LabelledImages]:
        """Returns the training or the validation part, or both, by ``folds`` and ``fold``."""
        if self.folds is None or self.fold is None:
            return {part: self._read(part, seed) for part in wanted}
        from tfadvpath.datasets.folds import held_out, joined

        parts = [self._read(part, seed) for part in _DEALT]
        chosen = held_out(parts, self.folds, self.fold, seed)
        others = [~of_part for of_part in chosen]
        return {part: joined(parts, chosen if part == "validation" else others) for part in wanted}

    @abc.abstractmethod
    def _read(self, part: PartName, seed: int) -> LabelledImages:
        """Returns the labelled images of one part, whatever the folds.

        Args:
            part: Name of the part: "train", "validation" or "test".
            seed: Seed of the recipe.

        Raises:
            InputError: The folder of prepared data is missing or damaged, or the part is empty.
        """

    def fingerprint(self, seed: int) -> str:
        """Returns the SHA-256, in hexadecimal, of all that the images depend on.

        For phantoms these are the options and the seed; for prepared images also their content, wherever the
        folder lies.

        Raises:
            InputError: The folder of prepared images is missing or incomplete.
        """
        # Where there are no folds, data have the fingerprint that they had before there was the option.
        left_out = {"path", "terms", "organ"} | ({"folds", "fold"} if self.folds is None else set())
        content = {"seed": seed, **self.model_dump(mode="json", exclude=left_out), **self._content()}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _content(self) -> dict[str, Any]:
        return {}


_Set = TypeVar("_Set", bound=type[DataSet])
# By task.
DATA_SETS: dict[str, type[DataSet]] = {}


def data_set(kind: _Set) -> _Set:
    """Adds a data set to those that a recipe and ``tfadvpath prepare`` can name.

    Raises:
        ValueError: There is one of that task.
    """
    fields: dict[str, Any] = kind.model_fields  # type: ignore[call-overload]
    (task,) = get_args(fields["task"].annotation)
    if task in DATA_SETS:
        raise ValueError(f"two data sets are called {task!r}")
    DATA_SETS[task] = kind
    return kind


class Patients(Part):
    """Numbers of patients in each part of the split."""

    train: int = pydantic.Field(ge=1)
    validation: int = pydantic.Field(ge=1)
    test: int = pydantic.Field(ge=1)


class PhantomData(DataSet):
    """Generated patients.

    Attributes:
        patients: Numbers of patients for training, validation and test. No patient is in two of them.
        STUDY_SIZE: Rows and columns in pixels of the studies that ``tfadvpath prepare`` writes, unless asked
            otherwise.
    """

    GENERATED: ClassVar = True
    STUDY_SIZE: ClassVar[int]

    patients: Patients

    def patient_seeds(self, part: PartName, seed: int) -> range:
        """Returns the phantoms' seeds of one part. Parts are disjoint, and so are recipes of other seeds."""
        counts = self.patients.model_dump()
        first = seed * _SEEDS_PER_RECIPE + sum(counts[before] for before in PARTS[: PARTS.index(part)])
        return range(first, first + counts[part])

    @staticmethod
    @abc.abstractmethod
    def write_studies(out: Path, seeds: Iterable[int], size: int) -> None:
        """Writes phantoms as the files that such a data set consists of.

        Args:
            out: Folder that gets them.
            seeds: Seeds of the patients, one for each.
            size: Rows and columns in pixels.
        """


@data_set
class PhantomBrain(PhantomData):
    """Slices of generated brain phantoms, split by patient.

    Attributes:
        channel: Channel of the 4-channel volume that the classifier sees (2 is T1gd).
        min_tumour_pixels: Least number of tumour pixels of a slice of class 1.
        min_body_fraction: Least share of the image that the body covers; other slices are left out.
        twins: Whether only the slices with tumour are taken, and the same slices of the patient without it.
    """

    ORGAN: ClassVar = "brain"
    PERCENTILES: ClassVar = (98.0, 99.0)
    STUDY_SIZE: ClassVar = 240

    task: Literal["phantom-brain"]
    channel: int = pydantic.Field(2, ge=0, le=3)
    min_tumour_pixels: int = pydantic.Field(10, ge=1)
    min_body_fraction: float = pydantic.Field(0.05, ge=0, lt=1)
    twins: bool = False

    @property
    def volume_channel(self) -> int | None:
        return self.channel

    def _read(self, part: PartName, seed: int) -> LabelledImages:
        from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices

        return phantom_brain_slices(
            self.patient_seeds(part, seed),
            self.image_size,
            self.channel,
            self.min_tumour_pixels,
            self.min_body_fraction,
            self.twins,
        )

    @staticmethod
    def write_studies(out: Path, seeds: Iterable[int], size: int) -> None:
        from tfadvpath.datasets.phantoms import write_brain_phantoms
        from tfadvpath.datasets.phantoms.brain_slices import phantom_shape

        write_brain_phantoms(out, seeds, phantom_shape(size))


@data_set
class PhantomChest(PhantomData):
    """X-rays of generated chest phantoms, split by patient.

    Attributes:
        twins: Whether each patient is taken with and without the opacity; otherwise every second one has it.
    """

    ORGAN: ClassVar = "chest"
    PERCENTILES: ClassVar = (90.0, 95.0, 98.0)
    STUDY_SIZE: ClassVar = 1024

    task: Literal["phantom-chest"]
    twins: bool = False

    def _read(self, part: PartName, seed: int) -> LabelledImages:
        from tfadvpath.datasets.phantoms.chest_xrays import phantom_chest_xrays

        return phantom_chest_xrays(self.patient_seeds(part, seed), self.image_size, self.twins)

    @staticmethod
    def write_studies(out: Path, seeds: Iterable[int], size: int) -> None:
        from tfadvpath.datasets.phantoms import write_chest_phantoms

        write_chest_phantoms(out, seeds, size)


class PreparedData(DataSet):
    """Images that ``tfadvpath prepare`` wrote.

    Attributes:
        path: Folder of the images; relative to the recipe's folder, if ``load_recipe`` read it, else to the
            working folder.
        image_size: Height and width in pixels. Another size than the prepared one costs a resizing.
        max_images: Largest number of images of each part, drawn by the seed: for trials. None is all.
        BUILDER: Module and class of the TensorFlow Datasets builder that prepares them.
        PREPARE_OPTIONS: Names of options of the builder's config beyond those of every data set.
    """

    BUILDER: ClassVar[str]
    PREPARE_OPTIONS: ClassVar[tuple[str, ...]] = ()

    path: Path
    max_images: int | None = pydantic.Field(None, ge=1)

    @pydantic.field_validator("path")
    @classmethod
    def _beside_the_recipe(cls, path: Path, info: pydantic.ValidationInfo) -> Path:
        return _from_the_recipe(path, info)

    @classmethod
    def load_builder(cls) -> Any:
        """Returns the builder's class; imports its module, and with it TensorFlow."""
        module, _, name = cls.BUILDER.rpartition(".")
        return getattr(importlib.import_module(module), name)

    def _read(self, part: PartName, seed: int) -> LabelledImages:
        if self.max_images is None:
            return self._prepared().load(part, self.image_size)
        return self._prepared().sample(part, self.image_size, self.max_images, seed)

    def _prepared(self) -> Prepared:
        from tfadvpath.datasets.prepared import Prepared

        return Prepared(self.path, self.task)

    def _content(self) -> dict[str, Any]:
        return {"parts": self._prepared().digests()}


@data_set
class BrainTumour(PreparedData):
    """Slices of the Medical Segmentation Decathlon's Task01, or of data in its form."""

    ORGAN: ClassVar = "brain"
    PERCENTILES: ClassVar = (98.0, 99.0)
    BUILDER: ClassVar = "tfadvpath.datasets.brain_tumour.BrainTumour"
    CHANNEL: ClassVar = 2  # T1gd

    task: Literal["brain-tumour"]


@data_set
class Pneumonia(PreparedData):
    """X-rays of the RSNA Pneumonia Detection Challenge, or of data in its form."""

    ORGAN: ClassVar = "chest"
    PERCENTILES: ClassVar = (90.0, 95.0, 98.0)
    BUILDER: ClassVar = "tfadvpath.datasets.pneumonia.Pneumonia"

    task: Literal["pneumonia"]


@data_set
class ImageFolder(PreparedData):
    """Images that a table lists.

    Attributes:
        organ: Organ in the images, "brain" or "chest": the paper's numbers of it stand beside those that are
            measured, at its percentiles. None for any other.
    """

    BUILDER: ClassVar = "tfadvpath.datasets.image_folder.ImageFolder"
    PREPARE_OPTIONS: ClassVar = ("images", "masks")

    task: Literal["image-folder"]
    organ: Organ | None = None

    @property
    def pictured_organ(self) -> Organ | None:
        return self.organ

    @property
    def percentiles(self) -> tuple[float, ...]:
        of_organ = {kind.ORGAN: kind.PERCENTILES for kind in DATA_SETS.values()}
        return self.PERCENTILES if self.organ is None else of_organ[self.organ]


@data_set
class OwnImages(DataSet):
    """Images that ``tfadvpath.fit`` was given with a classifier.

    Attributes:
        path: Folder that ``fit`` wrote; relative to the recipe's folder, if ``load_recipe`` read it, else to
            the working folder.
        image_size: Height and width in pixels, those of the images in the folder.
        channel: Channel of 4-D volumes that the classifier sees; None where images have one.
    """

    task: Literal["own-images"]
    path: Path
    channel: int | None = pydantic.Field(None, ge=0)

    @pydantic.field_validator("path")
    @classmethod
    def _beside_the_recipe(cls, path: Path, info: pydantic.ValidationInfo) -> Path:
        return _from_the_recipe(path, info)

    @property
    def volume_channel(self) -> int | None:
        return self.channel

    def _read(self, part: PartName, seed: int) -> LabelledImages:
        from tfadvpath.datasets.own_images import load_own_images

        return load_own_images(self.path, part, self.image_size)

    def _content(self) -> dict[str, Any]:
        from tfadvpath.datasets.own_images import own_digests

        return {"parts": own_digests(self.path)}


def _from_the_recipe(path: Path, info: pydantic.ValidationInfo) -> Path:
    """Returns a path of a recipe as it is read: relative to the folder of the recipe's file."""
    folder = (info.context or {}).get("folder")
    return path if folder is None else Path(folder).absolute() / path


def any_data() -> Any:
    """Returns the type of a ``data`` section for pydantic: one of ``DATA_SETS``, chosen by its task."""
    return Annotated[Union[tuple(DATA_SETS.values())], pydantic.Field(discriminator="task")]  # noqa: UP007
