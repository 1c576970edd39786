"""The private parts of Keras that this package uses; no other file uses any.

Keras has no public way to the nodes of a model's graph, nor to the tensors that a layer takes and gives
while the model runs. Private are ``Sequential._functional``, ``Functional._nodes_by_depth`` with the
attributes of its nodes, ``Layer._flatten_layers`` and ``Optimizer._get_variable_index``; and that Keras looks
up ``layer.call``, where a function in the layer's own ``__dict__`` comes before the method of its class.
tests/models/test_keras_internals.py pins all of it: it fails where a release of Keras changes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras

Call = Callable[..., Any]


def graph_nodes(operation: Any) -> list[Any] | None:
    """Returns the nodes of a model's own graph in the order of computation; None where it has no graph.

    A node is one use of a layer, or of a model, in the graph. It has an ``operation``, ``input_tensors`` and
    ``output_tensors``; ``layer.output`` can be a tensor of another model that has the same layer.

    Args:
        operation: Functional or sequential model; layers and other models have no graph.
    """
    graph = operation._functional if isinstance(operation, keras.Sequential) else operation
    if not isinstance(graph, keras.Function):
        return None
    nodes = graph._nodes_by_depth
    return [node for depth in sorted(nodes, reverse=True) for node in nodes[depth]]


def every_layer(model: keras.Model) -> list[keras.Layer]:
    """Returns the model and all layers in it, those of models inside it too; each of them once."""
    return list(dict.fromkeys(model._flatten_layers()))


def every_operation(model: keras.Model) -> list[keras.Operation]:
    """Returns ``every_layer`` and the operations, such as ``keras.ops.relu``, that stand in their graphs."""
    found = every_layer(model)
    nodes = [node for layer in found for node in graph_nodes(layer) or ()]
    return list(dict.fromkeys([*found, *(node.operation for node in nodes)]))


@contextmanager
def calls_replaced(
    model: keras.Model, replacement: Callable[[keras.Operation, Call], Call]
) -> Iterator[None]:
    """Replaces the ``call`` of the model and of all layers and operations in it while the block runs.

    It changes the layers themselves, so it is not thread-safe: while the block runs, another thread that
    calls the model goes through the replacements too, and must not replace them itself.

    Args:
        model: Keras model of any kind. It is left as it was, also after an error.
        replacement: Function of a layer or operation and its ``call`` that returns what is called instead.
    """
    # Through `vars`, past Keras's own __setattr__, which would track it.
    before = {each: vars(each).get("call") for each in every_operation(model)}
    for each in before:
        vars(each)["call"] = replacement(each, each.call)
    try:
        yield
    finally:
        for each, call in before.items():
            if call is None:
                del vars(each)["call"]
            else:
                vars(each)["call"] = call


def index_in_optimizer(optimizer: keras.Optimizer, variable: Any) -> int:
    """Returns the place of a variable among those that an optimizer was built for.

    Args:
        optimizer: Optimizer that is built.
        variable: Variable as ``update_step`` is given it: one of the backend.
    """
    return optimizer._get_variable_index(variable)
