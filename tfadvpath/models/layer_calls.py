"""The calls of a model's layers and operations while it runs, also inside nested models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfadvpath.models.keras_internals import Call, calls_replaced


class LayerCall(NamedTuple):
    """One call of a layer, or of an operation such as ``keras.ops.relu`` in a model's graph.

    Attributes:
        layer: Layer or operation that was called; a model inside the model is one, and so is the model.
        inputs: First argument of the call: a tensor, or a structure of tensors.
        outputs: Result of the call.
        nodes: Numbers of the operations of TensorFlow's graph that the call made; none where it ran eagerly.
    """

    layer: keras.Operation
    inputs: Any
    outputs: Any
    nodes: range


@contextmanager
def recorded_calls(model: keras.Model) -> Iterator[list[LayerCall]]:
    """Lists the calls of every layer and operation of the model while the block runs, as they end.

    The tensors are those of that run, so that gradients can be taken with respect to them. A model of the
    layers' symbolic outputs would not do: a nested model has its own graph, whose tensors the outer one
    does not know, and a subclassed model has none.

    It is not thread-safe: a call by another thread while the block runs is listed too.

    Args:
        model: Keras model of any kind. It is left as it was.

    Example:
        >>> model = keras.Sequential([keras.layers.Flatten(name="flat"), keras.layers.Dense(1, name="one")])
        >>> with recorded_calls(model) as calls:
        ...     output = model(keras.ops.ones((2, 3, 3, 1)))
        >>> [call.layer.name for call in calls][:2], calls[-1].outputs is output
        (['flat', 'one'], True)
    """
    calls: list[LayerCall] = []

    def recording(layer: keras.Operation, call: Call) -> Call:
        def record(*args: Any, **kwargs: Any) -> Any:
            begin = _nodes_made()
            outputs = call(*args, **kwargs)
            inputs = args[0] if args else next(iter(kwargs.values()), None)
            calls.append(LayerCall(layer, inputs, outputs, range(begin, _nodes_made())))
            return outputs

        return record

    with calls_replaced(model, recording):
        yield calls


def _nodes_made() -> int:
    return 0 if tf.executing_eagerly() else len(tf.compat.v1.get_default_graph().get_operations())
