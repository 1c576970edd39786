"""The options of every stage of a training, as a recipe names them."""

from __future__ import annotations

import pathlib
from typing import Annotated, Any, ClassVar, Literal

import pydantic

# The loss terms' names stand in the generators' LOSS_WEIGHTS too, whose modules wait for TensorFlow.
CyCETerm = Literal["cycle", "flip", "cycle_decision", "realism", "near", "gradient_penalty"]
SyCETerm = Literal["stable", "cycle", "flip", "keep", "cycle_decision", "realism", "gradient_penalty"]
SAGenTerm = Literal["stable", "near", "keep", "flip"]
MaskTerm = Literal["smooth", "small", "preserve", "destroy"]
FixedPointTerm = Literal[
    "discrimination",
    "real_classification",
    "gradient_penalty",
    "realism",
    "classification",
    "cycle",
    "same_realism",
    "same_classification",
    "same_cycle",
    "identity",
    "flip",
]
Filters = Annotated[list[pydantic.PositiveInt], pydantic.Field(min_length=2)]


class Options(pydantic.BaseModel):
    """Any part of a recipe: unknown keys are errors, values are fixed."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Training(Options):
    """How long and how fast a stage trains.

    Attributes:
        learning_rate: At the start.
        schedule: "plateau" multiplies the rate by ``plateau_factor``, down to ``min_learning_rate``, when the
            monitored figure (the validation loss) has not got better for ``plateau_patience`` epochs.
            "cosine" lets it fall to 0 along half a cosine over all steps.
        batch_size: Images of a step; of CyCE and SyCE, images of each domain. The stages that take one batch
            with half of each decision leave the odd one out.
        epochs: At most.
        steps_per_epoch: None is once through the training images (of the smaller domain).
        early_stopping: Epochs without a lower validation loss after which the stage ends; None trains on.
        clip_norm: Gradients longer than that, over all weights, are shortened to it; None leaves them.
    """

    learning_rate: float = pydantic.Field(1e-4, gt=0)
    schedule: Literal["plateau", "cosine"] = "plateau"
    plateau_factor: float = pydantic.Field(0.3, gt=0, lt=1)
    plateau_patience: int = pydantic.Field(4, ge=1)
    min_learning_rate: float = pydantic.Field(1e-5, ge=0)
    batch_size: int = pydantic.Field(64, ge=1)
    epochs: int = pydantic.Field(60, ge=1)
    steps_per_epoch: int | None = pydantic.Field(None, ge=1)
    early_stopping: int | None = pydantic.Field(None, ge=1)
    clip_norm: float | None = pydantic.Field(None, gt=0)

    def model_arguments(self) -> dict[str, Any]:
        """Returns what the stage's model is made with beside its networks and seed.

        The same for a model that is to be trained and for one that a bundle holds.
        """
        weights = getattr(self, "loss_weights", None)
        found = {} if weights is None else {"loss_weights": {str(name): w for name, w in weights.items()}}
        return found | {name: getattr(self, name) for name in self.MODEL_OPTIONS}

    # Which of the options are arguments of the stage's model.
    MODEL_OPTIONS: ClassVar[tuple[str, ...]] = ()


class Augmentation(Options):
    """Random changes of the classifier's training images (arguments of ``datasets.augmentation``)."""

    flip: bool = True
    rotation: float = pydantic.Field(0.05, ge=0, le=0.5)
    zoom: float = pydantic.Field(0.1, ge=0, lt=1)
    translation: float = pydantic.Field(0.05, ge=0, lt=1)
    sharpness: float = pydantic.Field(0.0, ge=0, le=1)


class ClassifierOptions(Training):
    """The classifier's network and training (arguments of ``models.resnet50_classifier``).

    Attributes:
        model: The file of a trained Keras model of one's own, which is taken as it is: nothing below counts
            then. Images of ``data``, in [0, 1], in -> probabilities [N, 1] or [N, K] out; see
            ``models.binary_classifier``. A path as that of ``weights``.
        target: Which of the K outputs of ``model`` is class 1.
        weights: "imagenet", or the file of a backbone's weights without top; None is from scratch. A path is
            relative to the recipe's folder, if ``load_recipe`` read it, else to the working folder.
        monitor: Which figure on the validation images tells the best epoch, and the plateau: the loss or the
            area under the ROC curve. The loss of a small network trained at a high rate jumps, and its lowest
            value can be an early one.
    """

    model: str | None = None
    target: int | None = pydantic.Field(None, ge=0)
    variant: Literal["v1", "v2"] = "v2"
    weights: str | None = "imagenet"
    width: Literal[4, 8, 16, 32, 64] = 64
    dropout: float = pydantic.Field(0.3, ge=0, lt=1)
    monitor: Literal["loss", "auc"] = "loss"
    plateau_patience: int = pydantic.Field(3, ge=1)
    epochs: int = pydantic.Field(50, ge=1)
    augmentation: Augmentation = Augmentation()

    @pydantic.field_validator("weights", "model")
    @classmethod
    def _beside_the_recipe(cls, file: str | None, info: pydantic.ValidationInfo) -> str | None:
        folder = (info.context or {}).get("folder")
        if folder is None or file is None or (info.field_name == "weights" and file == "imagenet"):
            return file
        return str(pathlib.Path(folder).absolute() / file)


class UNetOptions(Training):
    """A stage that trains U-Nets (arguments of ``models.UNet``).

    Attributes:
        normalization: "affine" by default: SyCE trained best with it (decision 21).
        warm_up_steps: Steps in which the U-Nets first learn to copy their input.
        warm_up_learning_rate: Falls to 0 along half a cosine over those steps.
    """

    filters: Filters = [16, 32, 64, 128, 256]
    normalization: Literal["affine", "group", "batch"] = "affine"
    dropout: float = pydantic.Field(0.2, ge=0, lt=1)
    warm_up_steps: int = pydantic.Field(0, ge=0)
    warm_up_learning_rate: float = pydantic.Field(2e-3, gt=0)


class CyCEOptions(UNetOptions):
    """The generators of ``generators.CyCE``."""

    discriminator_learning_rate: float = pydantic.Field(1e-4, gt=0)
    loss_weights: dict[CyCETerm, float] = {}


class SyCEOptions(UNetOptions):
    """The generators of ``generators.SyCE``.

    Attributes:
        start_from: "cyce" begins with the trained U-Nets of that stage, in place of learning to copy. Their
            adversaries cross the decision and, for the cycle's sake, still carry what was removed: the stable
            image has only to learn to bring it back where it was.
    """

    start_from: Literal["cyce"] | None = None
    discriminator_learning_rate: float = pydantic.Field(1e-4, gt=0)
    loss_weights: dict[SyCETerm, float] = {}


class SAGenOptions(UNetOptions):
    """The network of ``generators.SAGen``.

    Attributes:
        start_from: "syce" begins by learning that stage's stable images and adversaries, in place of learning
            to copy.
    """

    start_from: Literal["syce"] | None = None
    loss_weights: dict[SAGenTerm, float] = {}


class MaskGeneratorOptions(Training):
    """The decoder of ``generators.MaskGenerator`` (arguments of it and of ``models.mask_decoder``)."""

    MODEL_OPTIONS: ClassVar = ("destroy_exponent", "blur_sigma", "noise_share", "noise_sigma")

    width: int = pydantic.Field(64, ge=1)
    destroy_exponent: float = pydantic.Field(0.3, gt=0, le=1)
    blur_sigma: float = pydantic.Field(5.0, gt=0)
    noise_share: float = pydantic.Field(0.5, ge=0, le=1)
    noise_sigma: float = pydantic.Field(0.05, ge=0)
    learning_rate: float = pydantic.Field(1e-3, gt=0)
    loss_weights: dict[MaskTerm, float] = {}


class FixedPointGANOptions(Training):
    """The networks of ``generators.FixedPointGAN`` (arguments of it and of ``models.translator``).

    Attributes:
        batch_size: Images of a step: of ``n_critic`` updates of the discriminator together.
        schedule: "cosine" only: no figure tells a better epoch, so there is no plateau.
        early_stopping: None only, likewise.
    """

    MODEL_OPTIONS: ClassVar = ("n_critic",)

    schedule: Literal["plateau", "cosine"] = "cosine"

    width: int = pydantic.Field(64, ge=1)
    residual_blocks: int = pydantic.Field(6, ge=1)
    discriminator_width: int = pydantic.Field(64, ge=1)
    levels: int = pydantic.Field(6, ge=1)
    n_critic: int = pydantic.Field(5, ge=1)
    discriminator_learning_rate: float = pydantic.Field(1e-4, gt=0)
    batch_size: int = pydantic.Field(40, ge=1)
    loss_weights: dict[FixedPointTerm, float] = {}

    @pydantic.model_validator(mode="after")
    def _fits(self) -> FixedPointGANOptions:
        if self.schedule == "plateau" or self.early_stopping is not None:
            raise ValueError(
                "schedule must be cosine and early_stopping null: the losses of a contest of two networks do "
                "not tell which epoch is better"
            )
        if self.batch_size % (2 * self.n_critic):
            raise ValueError(
                "batch_size must be a multiple of 2 n_critic: half of each class in every update"
            )
        return self
