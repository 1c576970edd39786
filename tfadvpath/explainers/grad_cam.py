"""GradCAM: the last activations of a convolutional network, weighted by what they do to the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import register
from tfadvpath.models.layer_calls import LayerCall, recorded_calls
from tfadvpath.path.classifier import probability_function

# They make the last activation smaller or shift it, and add nothing to it.
_REFRAMING = (
    keras.layers.AveragePooling2D,
    keras.layers.Cropping2D,
    keras.layers.MaxPooling2D,
    keras.layers.ZeroPadding2D,
)
# float32 has no number between this and 1, and none that is normal below the smallest.
_SMALLEST, _LARGEST = 2.0**-126, 1.0 - 2.0**-24


@register("grad_cam")
class GradCAM(Explainer):
    """Explains with E = ReLU(Σ_c a_c A_c), brought to the image's size bilinearly, map [B, H, W, 1].

    A is the last convolutional activation, a_c the mean over its pixels of the logit's derivative ∂z/∂A_c.
    z is the logit of class 1 where class 1 is predicted, and -z, that of class 0, elsewhere.

    A is found by itself: the last output [N, h, w, C] of more than one pixel that is not just pooled, padded
    or cropped. Models inside the model count: a backbone's last activation is found in it. z is what goes
    into the last sigmoid. Where the model does not end in a Dense or Activation layer with one, z is
    log(f / (1 - f)), whose derivative is lost where f is rounded to 0 or 1: the map is 0 there.

    Source: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based
    localization".

    Args:
        classifier: Keras 3 model, channels last, images [N, H, W, C] in [0, 1] -> probabilities [N, 1] or
            [N, K].
        layer: Name of the layer whose output is A, its last one where it is called several times. None finds
            it.
        target: Class to explain where the classifier has K of them.
        batch_size: Images on the device at once.
        jit_compile: True compiles with XLA, False runs the graph, "auto" chooses by the device.

    Raises:
        ValueError: ``classifier`` is no Keras model. ``explain`` raises it where A is not to be found, or the
            output does not depend on it.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        layer: str | None = None,
        target: int | None = None,
        batch_size: int = 16,
        jit_compile: bool | str = "auto",
    ):
        super().__init__(("grad_cam",), batch_size, jit_compile)
        if not isinstance(classifier, keras.Model):
            raise ValueError(
                "`classifier` must be a Keras 3 model: GradCAM looks at its layers. "
                f"Received: {type(classifier).__name__}"
            )
        self.classifier = classifier
        self.probability = probability_function(classifier, target)
        self.layer = layer
        self.target = target

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            with recorded_calls(self.classifier) as calls:
                scores = tf.cast(self.probability(images), tf.float32)
            logit = _logit(calls, scores, self.target)
        layer, _, activation = _activation_call(calls, self.layer)
        sign = tf.where(scores >= 0.5, 1.0, -1.0)
        slope = tape.gradient(logit, activation, output_gradients=sign)
        if slope is None:
            raise ValueError(
                f"The classifier's output does not depend on {layer.name!r}. Name another `layer`"
            )
        weights = tf.reduce_mean(tf.cast(slope, tf.float32), axis=(1, 2), keepdims=True)
        maps = tf.reduce_sum(weights * tf.cast(activation, tf.float32), axis=3, keepdims=True)
        maps = tf.image.resize(tf.nn.relu(maps), images.shape[1:3], "bilinear")
        return {"maps": {"grad_cam": maps}, "score": scores}


def _activation_call(calls: Sequence[LayerCall], name: str | None) -> LayerCall:
    """Returns the call that gave A: of the layer of that name, else the last that did more than reframe."""
    maps = [call for call in calls if tf.is_tensor(call.outputs) and call.outputs.shape.rank == 4]
    if name is None:
        # A model that ends in a reframing layer returns that layer's output.
        reframed = [call.outputs for call in maps if isinstance(call.layer, _REFRAMING)]
        found = [
            call
            for call in maps
            if max(call.outputs.shape[1:3]) > 1 and not any(call.outputs is output for output in reframed)
        ]
    else:
        found = [call for call in maps if call.layer.name == name]
    if found:
        return found[-1]
    if name is None:
        raise ValueError(
            "`classifier` must have an activation [N, h, w, C] of more than one pixel. It has none"
        )
    names = list(dict.fromkeys(call.layer.name for call in maps))
    raise ValueError(f"`layer` must name a layer with an output [N, h, w, C], of {names}. Received: {name!r}")


def _logit(calls: Sequence[LayerCall], scores: tf.Tensor, target: int | None) -> tf.Tensor:
    """Returns z, float32 [N], of which the scores are the sigmoid; without a constant that no slope sees."""
    layer, inputs, _ = next(call for call in calls if call.outputs is calls[-1].outputs)  # the innermost
    logits = None
    if getattr(layer, "activation", None) is keras.activations.sigmoid:
        if isinstance(layer, keras.layers.Activation):
            logits = tf.cast(inputs, tf.float32)
        elif isinstance(layer, keras.layers.Dense):
            logits = tf.cast(inputs, tf.float32) @ layer.kernel
    if logits is None:
        scores = tf.clip_by_value(scores, _SMALLEST, _LARGEST)
        return tf.math.log(scores) - tf.math.log1p(-scores)
    return logits if logits.shape.rank == 1 else logits[:, target or 0]
