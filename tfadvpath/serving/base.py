"""Base of both clients: batches of images out, explanations in."""

from __future__ import annotations

import abc
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.explanation import PathExplanation, StudyExplanation, check_images
from tfadvpath.serving.access import Access
from tfadvpath.serving.failures import Unavailable, with_retries
from tfadvpath.studies.study import read_study

Arrays = Mapping[str, np.ndarray]
_CHANGE_SOON = "Start the server, wait until it has loaded the model, or check the address"
# Outputs by signature: of the images' shape, and one number an image.
_PICTURES = {"predict": (), "serving_default": ("map", "start", "adversary")}
_NUMBERS = {
    "predict": ("probability",),
    "serving_default": (
        "probability",
        "probability_start",
        "probability_adversary",
        "completeness_residual",
    ),
}


class Client(abc.ABC):
    """Sends images to a server in batches and puts its answers together.

    Args:
        address: Address of the server.
        model: Name of the model there.
        version: Version of the model; None is the server's choice, the latest unless it is told otherwise.
        label: Label of the version, such as "stable", in place of its number.
        map_name: Name of the exported map in the answers. The server does not say which map it is.
        batch_size: Number of images in one request: at most the largest batch that the server takes.
        timeout: Seconds for one request. 50 steps of a ResNet50 at 224 pixels take some seconds an image on
            a CPU.
        attempts: Number of times that a request is sent while the server is unavailable.
        access: Certificates, token and headers, and whether proxies are used; None is none of them.

    Raises:
        ValueError: A number is below 1, or both version and label are given.
    """

    def __init__(
        self,
        address: str,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        map_name: str = "fi_v2_smooth",
        batch_size: int = 8,
        timeout: float = 600.0,
        attempts: int = 5,
        access: Access | None = None,
    ):
        if batch_size < 1 or attempts < 1 or timeout <= 0:
            raise ValueError(
                "`batch_size`, `attempts` and `timeout` must be positive. "
                f"Received: {batch_size}, {attempts}, {timeout}"
            )
        if version is not None and label is not None:
            raise ValueError(f"Either `version` or `label` may be given. Received: {version} and {label!r}")
        self.address = address
        self.model = model
        self.version = version
        self.label = label
        self.map_name = map_name
        self.batch_size = batch_size
        self.timeout = timeout
        self.attempts = attempts
        self.access = Access() if access is None else access

    @abc.abstractmethod
    def request(self, signature: str, inputs: Arrays) -> dict[str, np.ndarray]:
        """Sends one request; returns the outputs by name.

        Args:
            signature: Name of the signature, such as "serving_default".
            inputs: Arrays by name, each with one entry an image.

        Raises:
            Unavailable: The server cannot be reached now.
            InputError: The server refuses the request, does not answer in time, or answers otherwise than an
                export does.
        """

    @abc.abstractmethod
    def request_image_shape(self) -> tuple[int, ...]:
        """Asks the server for the shape of the batches of images that it takes; -1 is any length.

        Raises:
            Unavailable: The server cannot be reached now.
            InputError: The server refuses, does not answer in time, or answers otherwise than an export does.
        """

    def no_export(self, reason: str) -> InputError:
        """Returns the error of an answer that no export gives."""
        return InputError(
            self.address,
            f"{self.model!r} is no export of tfadvpath ({reason})",
            "Check the address and the model's name",
        )

    @functools.cached_property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the model takes, by the server's word.

        Raises:
            InputError: The server does not tell.
        """
        try:
            shape = with_retries(self.request_image_shape, self.attempts)
        except Unavailable as error:
            raise self._unreachable(error) from error
        if len(shape) != 4 or min(shape[1:]) < 1:
            raise self.no_export(f"it takes images of the shape {list(shape)}")
        return shape[1], shape[2]

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Returns the classifier's probability of class 1, float32 [B].

        Args:
            images: float [B, H, W, C] in [0, 1], B >= 1, prepared as ``read_study`` does.

        Raises:
            ValueError: Another shape, no image, or values that are not finite or outside [0, 1].
            InputError: The server cannot be reached, refuses the request, does not answer in time, or answers
                otherwise than an export does.
        """
        return self._over_batches("predict", check_images(images))["probability"]

    def explain(self, images: np.ndarray) -> PathExplanation:
        """Explains every image.

        Args:
            images: float [B, H, W, C] in [0, 1], B >= 1, prepared as ``read_study`` does.

        Raises:
            ValueError: Another shape, no image, or values that are not finite or outside [0, 1].
            InputError: The server cannot be reached, refuses the request, does not answer in time, or answers
                otherwise than an export does.
        """
        images = check_images(images)
        outputs = self._over_batches("serving_default", images)
        return PathExplanation(
            images=images,
            maps={self.map_name: outputs["map"]},
            score=outputs["probability"],
            start=outputs["start"],
            adversary=outputs["adversary"],
            score_start=outputs["probability_start"],
            score_adversary=outputs["probability_adversary"],
            completeness_residual=outputs["completeness_residual"],
        )

    def explain_study(
        self, path: Path | str | Sequence[Path | str], channel: int | None = None
    ) -> StudyExplanation:
        """Reads one study here and has its slices explained there.

        Blank slices are not sent, and of the others nothing but the scaled pixels.

        Args:
            path: File (DICOM, NIfTI, PNG or JPEG); files of one DICOM series; or a folder that holds one
                study.
            channel: Index of the channel of a 4-D NIfTI file, from 0.

        Raises:
            InputError: The study cannot be read, or the server cannot explain it, as ``explain`` says.
        """
        study = read_study(path, self.image_size, channel)
        images = study.images[~study.blank]
        if not len(images):
            nothing = PathExplanation.of_nothing(study.images.shape[1:], [self.map_name])
            return StudyExplanation(study, nothing)
        return StudyExplanation(study, self.explain(images))

    def _over_batches(self, signature: str, images: np.ndarray) -> dict[str, np.ndarray]:
        parts = []
        for i in range(0, len(images), self.batch_size):
            batch = {"images": images[i : i + self.batch_size]}
            try:
                outputs = with_retries(functools.partial(self.request, signature, batch), self.attempts)
            except Unavailable as error:
                raise self._unreachable(error) from error
            self._check_outputs(signature, outputs, batch["images"].shape)
            parts.append(outputs)
        names = (*_PICTURES[signature], *_NUMBERS[signature])
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _check_outputs(self, signature: str, outputs: Arrays, shape: tuple[int, ...]) -> None:
        expected = dict.fromkeys(_PICTURES[signature], shape) | dict.fromkeys(_NUMBERS[signature], shape[:1])
        for name, wanted in expected.items():
            if name not in outputs:
                raise self.no_export(f"{signature} answers no {name}")
            if outputs[name].shape != wanted or outputs[name].dtype.kind != "f":
                found = outputs[name]
                raise self.no_export(f"{name} is {found.dtype.name} {list(found.shape)}, not {list(wanted)}")

    def _unreachable(self, error: Unavailable) -> InputError:
        return InputError(self.address, f"no answer after {self.attempts} attempts ({error})", _CHANGE_SOON)
