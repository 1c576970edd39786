"""The features that a classifier itself makes of an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import keras
import tensorflow as tf

from tfadvpath.models.layer_calls import recorded_calls


def with_features(classifier: keras.Model) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns a function of a batch of images: the classifier's features and its probabilities, in one pass.

    Features are what the last Dense layer that the classifier calls receives. For
    ``models.resnet50_classifier`` they are the 128 values behind the leaky ReLU. The layer may lie in a
    nested model, and an activation may follow it. Where that is one value alone, as with a local head, they
    are what the convolution before it receives, its mean over the cells.

    Args:
        classifier: Keras model, float32 [B, H, W, C] -> [B, 1]. It runs with ``training=False``.

    Returns:
        float32 [B, H, W, C] -> (features float32 [B, D], probability float32 [B]). Call it in a
        ``tf.function`` where there is more than one batch.

    Raises:
        ValueError: The model has no Dense layer.

    Example:
        >>> layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(1, "sigmoid")]
        >>> features, probability = with_features(keras.Sequential(layers))(tf.zeros((2, 8, 8, 1)))
        >>> features.shape, probability.shape
        (TensorShape([2, 64]), TensorShape([2]))
    """
    if next(_dense_layers(classifier), None) is None:
        raise ValueError(f"`classifier` must have a Dense layer. Received: {classifier.name!r}, without one")

    def call(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # A new model that ends at the layer's ``input`` would be shorter, but a layer that was called in
        # several graphs does not tell which of its inputs is that of the classifier's.
        with recorded_calls(classifier) as calls:
            probability = classifier(images, training=False)
        inputs = [call.inputs for call in calls if isinstance(call.layer, keras.layers.Dense)]
        received = inputs[-1]
        if received.shape[-1] == 1:
            weighted = keras.layers.Dense, keras.layers.Conv2D
            several = [call.inputs for call in calls if isinstance(call.layer, weighted)]
            received = next((each for each in reversed(several) if each.shape[-1] != 1), received)
            if len(received.shape) == 4:
                received = tf.reduce_mean(received, axis=(1, 2))
        features = tf.reshape(received, [tf.shape(images)[0], -1])
        return tf.cast(features, tf.float32), tf.reshape(tf.cast(probability, tf.float32), [-1])

    return call


def _dense_layers(layer: keras.Layer) -> Iterator[keras.layers.Dense]:
    if isinstance(layer, keras.layers.Dense):
        yield layer
    for inner in getattr(layer, "layers", ()):
        yield from _dense_layers(inner)
