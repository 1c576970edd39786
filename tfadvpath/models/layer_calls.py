"""What a model's layers take and give while it runs, those of models inside it too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import keras


class LayerCall(NamedTuple):
    """One call of a layer.

    Attributes:
        layer: That was called; a model inside the model is one, and so is the model.
        inputs: Its first argument: a tensor, or a structure of tensors.
        outputs: What it returned.
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

    Args:
        model: Any Keras model. It is left as it was.

    Example:
        >>> model = keras.Sequential([keras.layers.Flatten(name="flat"), keras.layers.Dense(1, name="one")])
        >>> with recorded_calls(model) as calls:
        ...     output = model(keras.ops.ones((2, 3, 3, 1)))
        >>> [call.layer.name for call in calls][:2], calls[-1].outputs is output
        (['flat', 'one'], True)
    """
    calls: list[LayerCall] = []
    # A layer that is used twice is there twice.
    before = {layer: vars(layer).get("call") for layer in model._flatten_layers()}
    for layer in before:
        # Past Keras's own __setattr__, which would track it.
        vars(layer)["call"] = _recording(layer, calls)
    try:
        yield calls
    finally:
        for layer, call in before.items():
            if call is None:
                del vars(layer)["call"]
            else:
                vars(layer)["call"] = call


def _recording(layer: keras.Layer, calls: list[LayerCall]) -> Callable[..., Any]:
    call = layer.call

    def recording(*args: Any, **kwargs: Any) -> Any:
        outputs = call(*args, **kwargs)
        inputs = args[0] if args else next(iter(kwargs.values()), None)
        calls.append(LayerCall(layer, inputs, outputs))
        return outputs

    return recording
