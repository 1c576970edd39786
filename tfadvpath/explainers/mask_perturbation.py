"""The mask perturbation: the smallest smooth mask whose blur takes the decision away."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import register
from tfadvpath.path.classifier import probability_function, scores_and_gradients
from tfadvpath.path.gaussian import gaussian_blur
from tfadvpath.path.lengths import PAPER_SIDE, blurring_sigma, scaled_length, scaled_pixels

# Of the paper's images, in pixels: width of a mask cell, σ of the mask's filter, range of the shifts.
_PAPER_CELL, _PAPER_MASK_SIGMA, _PAPER_JITTER = 4, 3.0, 4
# The weights are meant for masks of so many cells a side: those of the paper's images.
_PAPER_CELLS = PAPER_SIDE // _PAPER_CELL
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8  # of Adam


class _Lengths(NamedTuple):
    """Cells of a mask; standard deviations and range of the shifts in pixels."""

    mask_rows: int
    mask_columns: int
    mask_sigma: float
    blur_sigma: float
    jitter: int


@register("mask_perturbation")
class MaskPerturbation(Explainer):
    """Optimises a mask m for every image, all of a batch in one compiled loop; E = 1 - M, map [B, H, W, 1].

        minimise  l1 Σ (1 - m) + tv Σ (dx² + dy²)^(exponent / 2) + f_c(M x + (1 - M) blur(x)),  m in [0, 1]

    M is m brought to the image's size bilinearly and filtered by a Gaussian; f_c is the probability of the
    class that f assigns to x; dx and dy are differences of neighbours in m. m starts at 1. Every step of
    Adam shifts x and blur(x) together under the mask, up to jitter / 2 pixels to each side, so that no mask
    fits single pixels. All images of all batches are shifted alike: a map depends on its image alone.

    The paper gives its lengths for images of 224 pixels. By default each is in proportion to the image's
    side, so the mask has 56x56 cells, or one for each pixel of an image that has fewer pixels than that. A
    length that is given is in pixels.

    The weights are for 56x56 cells. For r times as many cells a side l1 is divided by r² and tv multiplied by
    r^(exponent - 2): a mask and its enlargement cost the same. Unscaled, tv outweighs l1 where cells are few,
    and masks run out over the whole image.

    Where f is so near 0 or 1 that its derivative at x is smaller than l1, nothing moves the mask and E is 0.

    Source: Fong and Vedaldi 2017, "Interpretable explanations of black boxes by meaningful perturbation";
    sizes, σ and iterations: Charachon et al. 2021. They publish no weights.

    Args:
        classifier: Classifier of images in [0, 1], as ``tfadvpath.feature_importance`` takes it.
        target: Class to explain where the classifier has K of them.
        iterations: Steps of Adam; each is one forward and one backward pass.
        learning_rate: Learning rate of Adam.
        cell: Width of a mask cell in pixels; None is 4 pixels of 224, at least 1 pixel.
        mask_sigma: Standard deviation of the mask's filter in pixels; None is 3 pixels of 224.
        blur_sigma: Standard deviation of the image's blur in pixels; None is 5 pixels of 224.
        l1_weight: Weight l1 of a mask of 56x56 cells.
        tv_weight: Weight tv of a mask of 56x56 cells.
        tv_exponent: Exponent, at least 2: below, the derivative of a flat mask is not bounded.
        jitter: Range of the shifts in pixels; None is 4 pixels of 224, at least 1 pixel.
        seed: Seed of the shifts.
        batch_size: Images on the device at once.
        jit_compile: True compiles with XLA, False runs the graph, "auto" chooses by the device.
        precision: Floating-point type in which the classifier computes: "float32", "bfloat16", or "auto" for
            bfloat16 where it is faster.

    Raises:
        ValueError: ``iterations``, ``cell``, ``tv_exponent`` or ``jitter`` is out of range.
    """

    def __init__(
        self,
        classifier: Any,
        *,
        target: int | None = None,
        iterations: int = 150,
        learning_rate: float = 0.1,
        cell: int | None = None,
        mask_sigma: float | None = None,
        blur_sigma: float | None = None,
        l1_weight: float = 2.5e-5,
        tv_weight: float = 1e-2,
        tv_exponent: float = 3.0,
        jitter: int | None = None,
        seed: int = 0,
        batch_size: int = 16,
        jit_compile: bool | str = "auto",
        precision: str = "float32",
    ):
        super().__init__(("mask_perturbation",), batch_size, jit_compile)
        out_of_range = (cell is not None and cell < 1) or (jitter is not None and jitter < 0)
        if iterations < 1 or out_of_range or tv_exponent < 2:
            raise ValueError(
                "`iterations` and `cell` must be positive, `jitter` not negative, `tv_exponent` at least 2. "
                f"Received: iterations={iterations}, cell={cell}, jitter={jitter}, tv_exponent={tv_exponent}"
            )
        self.probability = probability_function(classifier, target, precision)
        self.iterations = iterations
        self.learning_rate = learning_rate
        self.cell = cell
        self.mask_sigma = mask_sigma
        self.blur_sigma = blur_sigma
        self.l1_weight = l1_weight
        self.tv_weight = tv_weight
        self.tv_exponent = tv_exponent
        self.jitter = jitter
        self.seed = seed

    def lengths(self, height: int, width: int) -> dict[str, float]:
        return self._lengths(height, width)._asdict()

    def _lengths(self, height: int, width: int) -> _Lengths:
        if self.cell is None:
            cell = scaled_length(_PAPER_CELL, height, width)
            rows, columns = (max(1, min(side, round(side / cell))) for side in (height, width))
        else:
            rows, columns = math.ceil(height / self.cell), math.ceil(width / self.cell)
        mask_sigma, blur_sigma, jitter = self.mask_sigma, self.blur_sigma, self.jitter
        return _Lengths(
            rows,
            columns,
            scaled_length(_PAPER_MASK_SIGMA, height, width) if mask_sigma is None else mask_sigma,
            blurring_sigma((height, width)) if blur_sigma is None else blur_sigma,
            scaled_pixels(_PAPER_JITTER, height, width) if jitter is None else jitter,
        )

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        batch, height, width, _ = images.shape
        lengths = self._lengths(height, width)
        scores = tf.cast(self.probability(images), tf.float32)
        # f_c is f or 1 - f: their derivatives differ in the sign.
        sign = tf.where(scores >= 0.5, 1.0, -1.0)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        blurred = gaussian_blur(images, lengths.blur_sigma)
        before, after = lengths.jitter // 2, lengths.jitter - lengths.jitter // 2
        margins = [[0, 0], [before, after], [before, after], [0, 0]]
        images_around, blurred_around = (tf.pad(x, margins, "REFLECT") for x in (images, blurred))
        shifts = tf.random.stateless_uniform(
            (self.iterations, 2), (self.seed, 0), 0, lengths.jitter + 1, dtype=tf.int32
        )

        def enlarged(mask: tf.Tensor) -> tf.Tensor:  # M, [B, H, W, 1]
            return gaussian_blur(tf.image.resize(mask, (height, width), "bilinear"), lengths.mask_sigma)

        def step(i: tf.Tensor, mask: tf.Tensor, mean: tf.Tensor, square: tf.Tensor) -> tuple[tf.Tensor, ...]:
            corner = tf.concat([[0], shifts[i], [0]], axis=0)
            x, blur = (tf.slice(x, corner, images.shape) for x in (images_around, blurred_around))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(mask)
                perturbed = blur + enlarged(mask) * (x - blur)
                penalty = self._penalty(mask)
            _, slope = scores_and_gradients(self.probability, perturbed)
            gradient = tape.gradient(
                [perturbed, penalty], mask, output_gradients=[sign * slope, tf.ones_like(penalty)]
            )
            mean = _BETA_1 * mean + (1.0 - _BETA_1) * gradient
            square = _BETA_2 * square + (1.0 - _BETA_2) * tf.square(gradient)
            steps = tf.cast(i + 1, tf.float32)
            root = tf.sqrt(square / (1.0 - tf.pow(_BETA_2, steps)))
            change = mean / (1.0 - tf.pow(_BETA_1, steps)) / (root + _EPSILON)
            return i + 1, tf.clip_by_value(mask - self.learning_rate * change, 0.0, 1.0), mean, square

        shape = (batch, lengths.mask_rows, lengths.mask_columns, 1)
        initial = (tf.constant(0), tf.ones(shape), tf.zeros(shape), tf.zeros(shape))
        _, mask, _, _ = tf.while_loop(lambda i, *_: i < self.iterations, step, initial, parallel_iterations=1)
        # 1 - M, without the rounding that would tell untouched pixels apart.
        maps = enlarged(1.0 - mask)
        return {"maps": {"mask_perturbation": maps}, "score": scores}

    def _penalty(self, mask: tf.Tensor) -> tf.Tensor:
        """Returns l1 Σ (1 - m) + tv Σ (dx² + dy²)^(exponent / 2) of every mask, [B]."""
        enlargement = math.sqrt(mask.shape[1] * mask.shape[2]) / _PAPER_CELLS
        l1 = self.l1_weight / enlargement**2
        tv = self.tv_weight * enlargement ** (self.tv_exponent - 2.0)
        removed = tf.reduce_sum(1.0 - mask, axis=(1, 2, 3))
        # Beyond the last row and column the mask goes on as it is.
        down = tf.pad(mask[:, 1:] - mask[:, :-1], [[0, 0], [0, 1], [0, 0], [0, 0]])
        right = tf.pad(mask[:, :, 1:] - mask[:, :, :-1], [[0, 0], [0, 0], [0, 1], [0, 0]])
        edges = tf.pow(tf.square(down) + tf.square(right), self.tv_exponent / 2.0)
        return l1 * removed + tv * tf.reduce_sum(edges, axis=(1, 2, 3))
