"""The recipe's ``data`` section: which images a run trains and measures on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pydantic


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Patients(_Part):
    """Numbers of patients in each part of the split."""

    train: int = pydantic.Field(ge=1)
    validation: int = pydantic.Field(ge=1)
    test: int = pydantic.Field(ge=1)


class PhantomBrain(_Part):
    """Slices of generated brain phantoms, split by patient.

    Attributes:
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


class PhantomChest(_Part):
    """X-rays of generated chest phantoms, split by patient.

    Attributes:
        image_size: Height and width in pixels.
        patients: How many for training, validation and test. No patient is in two of them.
        twins: Each patient with and without the opacity; otherwise every second one has it.
    """

    channel: ClassVar[None] = None

    task: Literal["phantom-chest"]
    image_size: int = pydantic.Field(ge=32)
    patients: Patients
    twins: bool = False


class _Prepared(_Part):
    """What ``tfadvpath prepare`` wrote.

    Attributes:
        path: The folder; relative to the recipe's, if ``load_recipe`` read it, else to the working folder.
        image_size: Height and width in pixels. Another size than the prepared one costs a resizing.
        max_images: Of each part only that many, drawn by the seed: for trials.
    """

    path: Path
    image_size: int = pydantic.Field(ge=32)
    max_images: int | None = pydantic.Field(None, ge=1)

    @pydantic.field_validator("path")
    @classmethod
    def _beside_the_recipe(cls, path: Path, info: pydantic.ValidationInfo) -> Path:
        folder = (info.context or {}).get("folder")
        return path if folder is None else Path(folder).absolute() / path


class BrainTumour(_Prepared):
    """Slices of the Medical Segmentation Decathlon's Task01, or of data in its form."""

    channel: ClassVar[int] = 2  # T1gd
    task: Literal["brain-tumour"]


class Pneumonia(_Prepared):
    """X-rays of the RSNA Pneumonia Detection Challenge, or of data in its form."""

    channel: ClassVar[None] = None
    task: Literal["pneumonia"]


class ImageFolder(_Prepared):
    """Images that a table lists."""

    channel: ClassVar[None] = None
    task: Literal["image-folder"]


Phantoms = PhantomBrain | PhantomChest
Prepared = BrainTumour | Pneumonia | ImageFolder
Data = Annotated[Phantoms | Prepared, pydantic.Field(discriminator="task")]
