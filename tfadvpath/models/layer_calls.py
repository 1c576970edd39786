"""The calls of a model's layers while it runs, also inside nested models, with their inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras

from tfadvpath.models.keras_internals import Call, calls_replaced


class LayerCall(NamedTuple):
    """One call of a layer.

    Attributes:
        layer: Layer that was called; a model inside the model is one, and so is the model.
        inputs: First argument of the call: a tensor, or a structure of tensors.
        outputs: Result of the call.
    """

    layer: keras.Layer
    inputs: Any
    outputs: Any


@contextmanager
def recorded_calls(model: keras.Model) -> Iterator[list[LayerCall]]:
    """Lists the calls of every layer of the model while the block runs, in the order in which they end.

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

    def recording(layer: keras.Layer, call: Call) -> Call:
        def record(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            inputs = args[0] if args else next(iter(kwargs.values()), None)
            calls.append(LayerCall(layer, inputs, outputs))
            return outputs

        return record

    with calls_replaced(model, recording):
        yield calls
