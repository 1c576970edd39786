"""GradCAM: the last activations of a convolutional network, weighted by what they do to the decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import register
from tfadvpath.models.keras_internals import every_layer
from tfadvpath.models.layer_calls import LayerCall, recorded_calls
from tfadvpath.models.pictures import Picture, pictures
from tfadvpath.path.classifier import probability_function
from tfadvpath.path.classifier_input import declared_input, said

# float32 has no number between this and 1, and none that is normal below the smallest.
_SMALLEST, _LARGEST = 2.0**-126, 1.0 - 2.0**-24


@register("grad_cam")
class GradCAM(Explainer):
    """Explains with E = ReLU(Σ_c a_c A_c), brought to the image's size bilinearly, map [B, H, W, 1].

    A is the last convolutional activation, a_c the mean over its pixels of the logit's derivative ∂z/∂A_c.
    z is the logit of class 1 where class 1 is predicted, and -z, that of class 0, elsewhere.

    A is found by itself: the last picture of more than one pixel that the network makes and the output
    depends on, and that is not just pooled, resized, padded or cropped. A picture is what still has the
    image's rows and columns (``models.pictures``): tokens and heads of attention are none, and its channels
    may come first. Models inside the model count: a backbone's last activation is found in it. So do
    operations such as ``keras.ops.relu``. z is what goes into the last sigmoid. Where the model does not end
    in a Dense or Activation layer with one, z is log(f / (1 - f)), whose derivative is lost where f is
    rounded to 0 or 1: the map is 0 there.

    Source: Selvaraju et al. 2017, "Grad-CAM: visual explanations from deep networks via gradient-based
    localization".

    Args:
        classifier: Keras 3 model of images [N, H, W, C] in [0, 1] -> probabilities [N, 1] or [N, K].
        layer: Name of the layer whose output is A, its last one where it is called several times. None finds
            it.
        target: Class to explain where the classifier has K of them.
        batch_size: Images on the device at once, where the classifier does not take a fixed number.
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
        if not isinstance(classifier, keras.Model):
            raise ValueError(
                "`classifier` must be a Keras 3 model: GradCAM looks at its layers. "
                f"Received: {type(classifier).__name__}"
            )
        takes = declared_input(classifier)
        fixed = takes.shape[0] if takes is not None and takes.shape.rank else None
        # Called in groups of a fixed size, its layers would run in a graph of their own.
        super().__init__(("grad_cam",), fixed or batch_size, jit_compile)
        self.classifier = classifier
        self.probability = probability_function(classifier, target)
        self.layer = layer
        self.target = target

    def explain_batch(self, images: tf.Tensor, count: tf.Tensor) -> Mapping[str, Any]:
        if tf.executing_eagerly():  # there is no graph to follow
            return tf.function(self.explain_batch, autograph=False)(images, count)
        with recorded_calls(self.classifier) as calls:
            scores = tf.cast(self.probability(images), tf.float32)
        logit = _logit(calls, scores, self.target)
        sign = tf.where(scores >= 0.5, 1.0, -1.0)
        activation, slope = self._activation(images, calls, logit, sign)
        weights = tf.reduce_mean(slope, axis=(1, 2), keepdims=True)
        maps = tf.reduce_sum(weights * activation, axis=3, keepdims=True)
        maps = tf.image.resize(tf.nn.relu(maps), images.shape[1:3], "bilinear")
        return {"maps": {"grad_cam": maps}, "score": scores}

    @tf.autograph.experimental.do_not_convert  # Python that reads a graph: converted it would take seconds
    def _activation(
        self, images: tf.Tensor, calls: Sequence[LayerCall], logit: tf.Tensor, sign: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns A and what ``sign`` times the logit changes with it, float32 [N, h, w, C]."""
        found = pictures(images, calls)
        candidates = _made(found, calls) if self.layer is None else [_named(found, calls, self.layer)]
        for picture in candidates:
            [slope] = tf.gradients(logit, picture.tensor, grad_ys=sign)
            if slope is not None:
                activation, slope = map(picture.channels_last, (picture.tensor, slope))
                return tf.cast(activation, tf.float32), tf.cast(slope, tf.float32)
        if not candidates:
            raise said(
                ValueError(
                    "`classifier` must have an activation [N, h, w, C] of more than one pixel that keeps the "
                    "image's rows and columns, as convolutions make it. It has none"
                )
            )
        name = self.layer or _name(candidates[0], calls)
        raise said(ValueError(f"The classifier's output does not depend on {name!r}. Name another `layer`"))


def _made(found: Mapping[str, Picture], calls: Sequence[LayerCall]) -> list[Picture]:
    """Returns the pictures that can be A, the last first."""
    if not found:
        return []
    graph = next(iter(found.values())).tensor.graph
    nodes = graph.get_operations()
    results, inside = set(), set()
    for call in calls:
        outputs = [tensor for tensor in tf.nest.flatten(call.outputs) if isinstance(tensor, tf.Tensor)]
        results |= {tensor.name for tensor in outputs if tensor.graph is graph}
        # What a layer that has no others computes on its way is no activation: its result is.
        alone = not isinstance(call.layer, keras.Layer) or len(every_layer(call.layer)) == 1
        if alone and all(tensor.graph is graph for tensor in outputs):
            inside |= {nodes[i].name for i in call.nodes}
    return [
        picture
        for name, picture in reversed(list(found.items()))
        if (picture.made and not picture.reframed and picture.tensor.dtype.is_floating)
        and picture.pixels > 1
        and (name in results or picture.tensor.op.name not in inside)
    ]


def _named(found: Mapping[str, Picture], calls: Sequence[LayerCall], layer: str) -> Picture:
    """Returns the last picture that the layer of that name gave."""
    by_layer = {
        call.layer.name: found[call.outputs.name]
        for call in calls
        if isinstance(call.outputs, tf.Tensor) and call.outputs.name in found
    }
    if layer not in by_layer:
        raise said(
            ValueError(
                "`layer` must name a layer whose output is [N, h, w, C] on the image's rows and columns, of "
                f"{list(by_layer)}. Received: {layer!r}"
            )
        )
    return by_layer[layer]


def _name(picture: Picture, calls: Sequence[LayerCall]) -> str:
    """Returns the name of the layer that gave a picture, or of the operation."""
    names = [call.layer.name for call in calls if call.outputs is picture.tensor]
    return names[0] if names else picture.tensor.op.name


def _logit(calls: Sequence[LayerCall], scores: tf.Tensor, target: int | None) -> tf.Tensor:
    """Returns z, float32 [N], of which the scores are the sigmoid; without a constant that no slope sees."""
    layer, inputs, *_ = next(call for call in calls if call.outputs is calls[-1].outputs)  # the innermost
    logits = None
    if getattr(layer, "activation", None) is keras.activations.sigmoid:
        if isinstance(layer, keras.layers.Activation):
            logits = tf.cast(inputs, tf.float32)
        elif isinstance(layer, keras.layers.Dense):
            logits = tf.cast(inputs, tf.float32) @ tf.cast(layer.kernel, tf.float32)
    if logits is None:
        scores = tf.clip_by_value(scores, _SMALLEST, _LARGEST)
        return tf.math.log(scores) - tf.math.log1p(-scores)
    return logits if logits.shape.rank == 1 else logits[:, target or 0]
