"""Base class of every explainer: images in, an Explanation out, in batches of one shape."""

from __future__ import annotations

import abc
import operator
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from tfadvpath.explanation import Explanation, check_images
from tfadvpath.path.compilation import use_xla
from tfadvpath.path.integral import pad_images

# A probability that was computed in bfloat16 may be rounded out of [0, 1] by some steps of that type: of
# 2^-8 = 0.004 below 1.
_ROUNDING = 1e-2


class Explainer(abc.ABC):
    """Explains batches of images with one compiled function.

    Args:
        map_names: Names of the maps that it makes, the one to show first in front.
        batch_size: Images on the device at once. The last batch is filled up with black images, so that
            nothing is compiled twice.
        jit_compile: True compiles with XLA, False runs the graph, "auto" chooses by the device. None does not
            compile: ``explain_batch`` then runs as Python.
        autograph: Whether AutoGraph translates Python's conditions on tensors. Tracing takes half as long
            again with it.

    Attributes:
        EXPLANATION: Class of its answers: a PathExplanation where there is a path across the decision.
        run_batch: Function ``explain_batch``, compiled.
    """

    EXPLANATION: ClassVar[type[Explanation]] = Explanation

    def __init__(
        self,
        map_names: tuple[str, ...],
        batch_size: int,
        jit_compile: bool | str | None = None,
        autograph: bool = True,
    ):
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        self.map_names = map_names
        self.batch_size = batch_size
        self.run_batch: Callable[[tf.Tensor, tf.Tensor], Mapping[str, Any]] = self.explain_batch
        if jit_compile is not None:
            self.run_batch = tf.function(
                self.explain_batch, autograph=autograph, jit_compile=use_xla(jit_compile)
            )

    @abc.abstractmethod
    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        """Returns the fields of ``EXPLANATION`` but ``images``, as tensors; graph code where it is compiled.

        Args:
            images: float32 [batch_size, H, W, C].
            count: int32 scalar: images after the first ``count`` are padding.
        """

    def lengths(self, height: int, width: int) -> dict[str, float]:
        """Returns the lengths that the method takes for images of a size, by name; none unless it has some.

        A length that is in proportion to the image is known only with the images' size. Records of results
        hold it in pixels.

        Args:
            height: Height of the images in pixels.
            width: Width of the images in pixels.

        Raises:
            ValueError: An option of the method does not fit images of this size.
        """
        return {}

    def explain(self, images: Any, on_batch: Callable[[int], None] | None = None) -> Explanation:
        """Explains every image.

        Args:
            images: float [B, H, W, C] in [0, 1], B >= 1.
            on_batch: Function that is called after each batch with the number of its images, for a progress
                bar.

        Raises:
            ValueError: Another shape, no image, or values that are not finite or outside [0, 1]; the
                classifier does not answer with probabilities.
        """
        images = check_images(images)
        parts = []
        for i in range(0, len(images), self.batch_size):
            batch = images[i : i + self.batch_size]
            fields = self.run_batch(pad_images(batch, self.batch_size), tf.constant(len(batch)))
            arrays = tf.nest.map_structure(lambda tensor: tensor.numpy(), dict(fields))
            parts.append(tf.nest.map_structure(operator.itemgetter(slice(len(batch))), arrays))
            if on_batch:
                on_batch(len(batch))
            _check_probability(parts[-1]["score"])
        joined = tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *parts)
        return self.EXPLANATION(images=images, **joined)


def _check_probability(scores: np.ndarray) -> None:
    if not (scores.min() >= -_ROUNDING and scores.max() <= 1.0 + _ROUNDING):  # NaN is in no range
        raise ValueError(
            "The classifier must answer with probabilities: its decision is read at 0.5. "
            f"Received: values from {scores.min():.3g} to {scores.max():.3g}; end it in a sigmoid or softmax"
        )
