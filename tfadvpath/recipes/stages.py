"""The options of every stage of a training, as a recipe names them."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import pydantic

from tfadvpath.errors import quoted
from tfadvpath.generators.registry import GENERATORS

Filters = Annotated[list[pydantic.PositiveInt], pydantic.Field(min_length=2)]


class Options(pydantic.BaseModel):
    """Any part of a recipe: unknown keys are errors, values are fixed."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


_Kind = TypeVar("_Kind", bound="type[Training]")
CLASSIFIER = "classifier"
# By the stage's name; the classifier's stands first, the others are those of the generators.
STAGE_OPTIONS: dict[str, type[Training]] = {}


def options_of(name: str) -> Callable[[_Kind], _Kind]:
    """Makes a class the options of a stage.

    Args:
        name: Name of the stage: "classifier", or that of a generator in ``generators.registry``.

    Raises:
        ValueError: There is no such generator, or the stage has options already.
    """
    if name in STAGE_OPTIONS:
        raise ValueError(f"the stage {name!r} has options already")
    if name != CLASSIFIER and name not in GENERATORS:
        raise ValueError(f"no generator is called {name!r}")

    def keep(kind: _Kind) -> _Kind:
        STAGE_OPTIONS[name] = kind
        return kind

    return keep


def loss_term(name: str) -> pydantic.AfterValidator:
    """Returns the check that a key of ``loss_weights`` names a term of a generator's loss."""

    def check(term: str) -> str:
        known = GENERATORS[name].loss_weights
        if term not in known:
            raise ValueError(f"{name} has no loss term {quoted(term, 40)!r}, but {', '.join(known)}")
        return term

    return pydantic.AfterValidator(check)


class Training(Options):
    """How long and how fast a stage trains.

    Attributes:
        learning_rate: Rate at the start.
        schedule: Way in which the rate falls. "plateau" multiplies it by ``plateau_factor``, down to
            ``min_learning_rate``, when the monitored number (the validation loss) has not got better for
            ``plateau_patience`` epochs. "cosine" lets it fall to 0 along half a cosine over all steps.
        batch_size: Images of a step; of CyCE and SyCE, images of each domain. The stages that take one batch
            with half of each decision leave the odd one out.
        epochs: Largest number of epochs.
        steps_per_epoch: Training steps of an epoch; None is once through the training images (of the smaller
            domain).
        early_stopping: Epochs without a lower validation loss after which the stage ends; None trains on.
        clip_norm: Largest norm of the gradients over all weights: longer ones are shortened to it. None
            leaves them.
        weight_decay: Share of the weights, times the rate, that every step takes away from them (AdamW).
        MODEL_OPTIONS: Names of the options that are arguments of the stage's model.
    """

    MODEL_OPTIONS: ClassVar[tuple[str, ...]] = ()

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
    weight_decay: float = pydantic.Field(0.0, ge=0)

    @property
    def first_stage(self) -> str | None:
        """Name of the stage whose trained networks this one begins with; None: it begins with new ones."""
        return None

    def files(self) -> dict[str, pathlib.Path]:
        """Returns the files that the stage's result depends on, by the name of their option."""
        return {}

    def model_arguments(self) -> dict[str, Any]:
        """Returns what the stage's model is made with beside its networks and seed.

        They are the same for a model that is to be trained and for one that a bundle holds.
        """
        return {name: getattr(self, name) for name in self.MODEL_OPTIONS}

    def check(self, name: str, image_size: int, stages: Mapping[str, Training]) -> None:
        """Checks that the stage fits the images and the other stages of a recipe.

        Args:
            name: Name of the stage.
            image_size: Height and width of the images in pixels.
            stages: Options of the recipe's stages by name.

        Raises:
            ValueError: It does not fit.
        """


class GeneratorOptions(Training):
    """A stage that trains a generator against the classifier."""

    def model_arguments(self) -> dict[str, Any]:
        weights: Mapping[str, float] = getattr(self, "loss_weights", {})
        return {"loss_weights": dict(weights), **super().model_arguments()}


class Augmentation(Options):
    """Random changes of the classifier's training images (arguments of ``datasets.augmentation``)."""

    flip: bool = True
    rotation: float = pydantic.Field(0.05, ge=0, le=0.5)
    zoom: float = pydantic.Field(0.1, ge=0, lt=1)
    translation: float = pydantic.Field(0.05, ge=0, lt=1)
    sharpness: float = pydantic.Field(0.0, ge=0, le=1)
    contrast: float = pydantic.Field(0.0, ge=0, lt=1)
    brightness: float = pydantic.Field(0.0, ge=0, lt=1)
    hidden_border: float = pydantic.Field(0.0, ge=0, lt=0.5)


class Attack(Options):
    """Small smooth changes that the classifier is trained against (arguments of ``training.attack``).

    Attributes:
        radius: Largest change, in grey values of [0, 1]; 0 trains on the images as they are.
        scale: Factor by which the change's resolution is lower than the images'.
        steps: Steps along the gradient for each batch, each of which costs a pass forth and back.
    """

    radius: float = pydantic.Field(0.0, ge=0, lt=1)
    scale: int = pydantic.Field(8, ge=1)
    steps: int = pydantic.Field(2, ge=1)


@options_of(CLASSIFIER)
class ClassifierOptions(Training):
    """The classifier's network and training (arguments of ``models.resnet50_classifier``).

    With ``backbone`` they are those of ``models.backbone_classifier``, and ``variant``, ``weights`` and
    ``width`` do not count.

    Attributes:
        model: File of your own trained Keras model, which is taken as it is: no option below counts then. It
            takes images of ``data``, in [0, 1], and answers probabilities [N, 1] or [N, K]; see
            ``models.binary_classifier``. None trains a classifier. The path is relative as that of
            ``weights``.
        target: Index of the output of ``model`` that is class 1, where it has K of them.
        backbone: Keras file of a trained feature extractor, images in [0, 1] -> features [N, H, W, C] or
            [N, C], which gets a head and is trained on. None builds a ResNet50.
        backbone_layer: Name of the layer of ``backbone`` whose output is the features; None is its last one.
        head: Layers that answer from the features of ``backbone``. "pooled" is the paper's head. With "local"
            each cell of the features answers by itself, and an image is of class 1 where some cells are: a
            change that turns the decision has to be where the finding is. See ``models.backbone_classifier``.
        finding_weight: Weight of a second loss of a local head: each cell shall answer whether it lies in the
            finding's mask or boxes. Training images of class 1 without a mask have no part in it. 0
            trains by the images' labels alone.
        backbone_rate: Learning rate of the backbone's weights, as a share of ``learning_rate``. 0 leaves them
            as they are.
        weights: File of a backbone's weights without top, or "imagenet"; None is from scratch. A path is
            relative to the recipe's folder, if ``load_recipe`` read it, else to the working folder.
        operating_point: Threshold at which the trained classifier decides. "half" leaves its probabilities.
            "youden" takes the one of the largest sensitivity + specificity on the validation images; a number
            is a sensitivity to reach on them. The last bias is moved until that threshold is 0.5, at which
            the method decides: the order of the probabilities, and with it the AUC, stays.
        monitor: Number on the validation images that chooses the best epoch and recognises a plateau: the
            loss or the area under the ROC curve. The loss of a small network trained at a high rate jumps,
            and its lowest value can be an early one. "none" takes the last epoch, for validation images that
            are too few to choose by.
        shuffle_labels: Whether the training images get each other's labels, image by image, in an order drawn
            by the seed: a classifier that has learned nothing of the finding. It is a control for sanity
            checks, never for use. The labels of the validation and test images stay true, so that what is
            measured on them shows chance.
        attack: Small smooth changes that shall not turn the decisions. A classifier that is trained on few
            images decides by patterns that no reader sees, such as faint stripes, and adversaries of it are
            these patterns.
    """

    model: str | None = None
    target: int | None = pydantic.Field(None, ge=0)
    backbone: str | None = None
    backbone_layer: str | None = None
    backbone_rate: float = pydantic.Field(1.0, ge=0, le=1)
    head: Literal["pooled", "local"] = "pooled"
    finding_weight: float = pydantic.Field(0.0, ge=0)
    variant: Literal["v1", "v2"] = "v2"
    weights: str | None = "imagenet"
    width: Literal[4, 8, 16, 32, 64] = 64
    dropout: float = pydantic.Field(0.3, ge=0, lt=1)
    monitor: Literal["loss", "auc", "none"] = "loss"
    operating_point: Literal["half", "youden"] | Annotated[float, pydantic.Field(gt=0, lt=1)] = "half"
    plateau_patience: int = pydantic.Field(3, ge=1)
    epochs: int = pydantic.Field(50, ge=1)
    shuffle_labels: bool = False
    augmentation: Augmentation = Augmentation()
    attack: Attack = Attack()

    @pydantic.field_validator("weights", "model", "backbone")
    @classmethod
    def _beside_the_recipe(cls, file: str | None, info: pydantic.ValidationInfo) -> str | None:
        folder = (info.context or {}).get("folder")
        if folder is None or file is None or (info.field_name == "weights" and file == "imagenet"):
            return file
        return str(pathlib.Path(folder).absolute() / file)

    def files(self) -> dict[str, pathlib.Path]:
        files = {"model": self.model, "backbone": self.backbone}
        return {name: pathlib.Path(path) for name, path in files.items() if path is not None}

    @pydantic.model_validator(mode="after")
    def _can_be_watched(self) -> ClassifierOptions:
        if self.monitor == "none" and (self.schedule == "plateau" or self.early_stopping is not None):
            raise ValueError("monitor: none needs schedule: cosine and early_stopping: null")
        return self

    def check(self, name: str, image_size: int, stages: Mapping[str, Training]) -> None:
        if self.attack.radius and image_size % self.attack.scale:
            raise ValueError(
                f"classifier.attack.scale must divide data.image_size. Received: {self.attack.scale} "
                f"and {image_size}"
            )
        if self.model is not None and self.shuffle_labels:
            raise ValueError("classifier.shuffle_labels needs a training: classifier.model must be null then")
        if self.model is not None and self.backbone is not None:
            raise ValueError("classifier.model is a whole classifier: classifier.backbone must be null then")
        if self.backbone is None and (self.head != "pooled" or self.backbone_layer is not None):
            raise ValueError("classifier.head: local and classifier.backbone_layer need a backbone")
        if self.finding_weight and self.head != "local":
            raise ValueError("classifier.finding_weight needs classifier.head: local")
        if self.finding_weight and self.shuffle_labels:
            raise ValueError("classifier.shuffle_labels needs finding_weight: 0, since masks tell labels")
        if self.backbone is None and self.weights is not None and self.width != 64:
            raise ValueError("classifier.weights must be null where classifier.width is not 64")


class UNetOptions(GeneratorOptions):
    """A stage that trains U-Nets (arguments of ``models.UNet``).

    Attributes:
        normalization: Normalization of the U-Nets; SyCE trained best with "affine" (decision 21).
        residual: Factor by which the change is smaller that a U-Net adds to its input; None: it makes the
            image itself, which it first has to learn to copy. See ``models.UNet``.
        padding: Values that the U-Nets' convolutions find beyond the image's edge. With "mirrored" ones a
            U-Net does not know where in the image it is, so it cannot paint the same thing at one place of
            every image.
        flip_target: Share of the adversaries that shall cross the decision: the weight of the loss's term
            "flip" rises, for each class by itself, until they do, and then falls. None keeps the weight.
        keep_target: The same for the share of the stable images that keep the decision, and "keep".
        warm_up_steps: Largest number of steps in which the U-Nets first learn to copy their input; they end
            when the copies of validation images are sharp. With ``residual`` there is nothing to learn.
        warm_up_learning_rate: Rate at the first of those steps; it falls to 0 along half a cosine over them.
    """

    filters: Filters = [16, 32, 64, 128, 256]
    normalization: Literal["affine", "group", "batch"] = "affine"
    dropout: float = pydantic.Field(0.2, ge=0, lt=1)
    residual: pydantic.PositiveInt | None = None
    padding: Literal["zeros", "mirrored"] = "zeros"
    flip_target: float | None = pydantic.Field(None, gt=0, lt=1)
    warm_up_steps: int = pydantic.Field(0, ge=0)
    warm_up_learning_rate: float = pydantic.Field(2e-3, gt=0)

    def check(self, name: str, image_size: int, stages: Mapping[str, Training]) -> None:
        factor = 2 ** (len(self.filters) - 1)
        if image_size % factor:
            raise ValueError(
                f"data.image_size must be a multiple of {factor} for the {len(self.filters)} filters "
                f"of {name}"
            )
        if self.padding == "mirrored" and image_size < 2 * factor:
            raise ValueError(
                f"{name}.padding: mirrored needs a data.image_size of at least {2 * factor} for the "
                f"{len(self.filters)} filters of {name}"
            )
        if self.residual is not None:
            smallest = self.residual.bit_length() - 1
            if self.residual != 2**smallest or smallest >= len(self.filters):
                raise ValueError(
                    f"{name}.residual must be null or a power of 2 up to {factor} for the "
                    f"{len(self.filters)} filters of {name}"
                )

    def targets(self) -> dict[str, float]:
        """Returns the shares that terms of the loss shall reach, by the term's name."""
        wanted = {"flip": self.flip_target, "keep": getattr(self, "keep_target", None)}
        return {term: share for term, share in wanted.items() if share is not None}

    def model_arguments(self) -> dict[str, Any]:
        return {"targets": self.targets(), **super().model_arguments()}


@options_of("cyce")
class CyCEOptions(UNetOptions):
    """The generators of ``generators.CyCE``."""

    discriminator_learning_rate: float = pydantic.Field(1e-4, gt=0)
    loss_weights: dict[Annotated[str, loss_term("cyce")], float] = {}


@options_of("syce")
class SyCEOptions(UNetOptions):
    """The generators of ``generators.SyCE``.

    Attributes:
        start_from: Stage whose trained U-Nets this one begins with, in place of learning to copy: "cyce".
            Their adversaries cross the decision and, for the cycle's sake, still carry what was removed: the
            stable image has only to learn to bring it back where it was.
    """

    start_from: Literal["cyce"] | None = None
    keep_target: float | None = pydantic.Field(None, gt=0, lt=1)
    discriminator_learning_rate: float = pydantic.Field(1e-4, gt=0)
    loss_weights: dict[Annotated[str, loss_term("syce")], float] = {}

    @property
    def first_stage(self) -> str | None:
        return self.start_from

    def check(self, name: str, image_size: int, stages: Mapping[str, Training]) -> None:
        super().check(name, image_size, stages)
        first = stages.get("cyce")
        alike = isinstance(first, CyCEOptions) and all(
            getattr(first, option) == getattr(self, option)
            for option in ("filters", "normalization", "residual", "padding")
        )
        if self.start_from and not alike:
            raise ValueError(
                "syce.start_from: cyce needs a stage cyce with the filters, the normalization, the residual "
                "and the padding of syce"
            )


@options_of("sagen")
class SAGenOptions(UNetOptions):
    """The network of ``generators.SAGen``.

    Attributes:
        start_from: Stage whose stable images and adversaries this one first learns, in place of learning to
            copy: "syce".
    """

    start_from: Literal["syce"] | None = None
    keep_target: float | None = pydantic.Field(None, gt=0, lt=1)
    loss_weights: dict[Annotated[str, loss_term("sagen")], float] = {}

    @property
    def first_stage(self) -> str | None:
        return self.start_from

    def check(self, name: str, image_size: int, stages: Mapping[str, Training]) -> None:
        super().check(name, image_size, stages)
        if self.start_from and "syce" not in stages:
            raise ValueError("sagen.start_from: syce needs a stage syce")


@options_of("mask_generator")
class MaskGeneratorOptions(GeneratorOptions):
    """The decoder of ``generators.MaskGenerator`` (arguments of it and of ``models.mask_decoder``).

    Attributes:
        blur_sigma: Standard deviation of the blur in pixels; None is 5 pixels of 224, in proportion to the
            images' side.
    """

    MODEL_OPTIONS: ClassVar = ("destroy_exponent", "blur_sigma", "noise_share", "noise_sigma")

    width: int = pydantic.Field(64, ge=1)
    destroy_exponent: float = pydantic.Field(0.3, gt=0, le=1)
    blur_sigma: float | None = pydantic.Field(None, gt=0)
    noise_share: float = pydantic.Field(0.5, ge=0, le=1)
    noise_sigma: float = pydantic.Field(0.05, ge=0)
    learning_rate: float = pydantic.Field(1e-3, gt=0)
    loss_weights: dict[Annotated[str, loss_term("mask_generator")], float] = {}


@options_of("fixed_point_gan")
class FixedPointGANOptions(GeneratorOptions):
    """The networks of ``generators.FixedPointGAN`` (arguments of it and of ``models.translator``).

    Attributes:
        batch_size: Images of a step: of ``n_critic`` updates of the discriminator together.
        schedule: Way in which the rates fall, "cosine" only: no number tells which epoch is better, so there
            is no plateau.
        early_stopping: None only, since no number tells which epoch is better.
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
    loss_weights: dict[Annotated[str, loss_term("fixed_point_gan")], float] = {}

    def check(self, name: str, image_size: int, stages: Mapping[str, Training]) -> None:
        if image_size % 4:
            raise ValueError(f"data.image_size must be a multiple of 4 for {name}")
        if image_size < 2**self.levels:
            raise ValueError(
                f"{name}.levels: {self.levels} levels need a data.image_size of at least {2**self.levels}"
            )

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
