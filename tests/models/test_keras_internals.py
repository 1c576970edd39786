"""Private parts of Keras: these tests fail where a release of Keras changes what the package takes of it."""

import threading

import keras
import numpy as np
import pytest

from tfadvpath.models.keras_internals import calls_replaced, every_layer, every_operation, graph_nodes

layers = keras.layers
CHANGED = (
    f"Keras {keras.__version__} changed %s, which tfadvpath/models/keras_internals.py uses. Mend that file, "
    "or exclude this release in setup.cfg."
)


def sequential():
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="first"), layers.Dense(1, name="second")], name="inner"
    )


def functional(inner):
    """x -> [inner(scaled x), inner(x)], joined."""
    image = keras.Input((4,), name="image")
    both = [inner(layers.Rescaling(0.5, name="half")(image)), inner(image)]
    return keras.Model(image, layers.Concatenate(name="join")(both), name="outer")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.inner = sequential()

    def call(self, x):
        return self.inner(x)


def test_private_names_of_keras_are_there():
    model = sequential()
    assert hasattr(model, "_functional"), CHANGED % "Sequential._functional"
    assert isinstance(model._functional, keras.Function), CHANGED % "the class of Sequential._functional"
    nodes = getattr(model._functional, "_nodes_by_depth", None)
    assert isinstance(nodes, dict), CHANGED % "Functional._nodes_by_depth"
    for name in ("operation", "input_tensors", "output_tensors"):
        assert all(hasattr(node, name) for at in nodes.values() for node in at), CHANGED % f"Node.{name}"
    assert callable(getattr(model, "_flatten_layers", None)), CHANGED % "Layer._flatten_layers"


def test_keras_looks_up_call_in_the_layer_itself():
    layer = layers.Dense(1)
    layer.build((None, 4))
    vars(layer)["call"] = lambda x: "in its place"
    assert layer(np.ones((1, 4))) == "in its place", CHANGED % "how Layer.__call__ finds `call`"
    assert vars(layer)["call"] is layer.call


@pytest.mark.parametrize("make", [lambda: functional(sequential()), sequential])
def test_nodes_stand_in_the_order_of_computation(make):
    model = make()
    ready = {id(tensor) for tensor in model.inputs}
    nodes = graph_nodes(model)
    for node in nodes:
        assert {id(tensor) for tensor in node.input_tensors} <= ready
        ready |= {id(tensor) for tensor in node.output_tensors}
    assert [node.output_tensors[0] for node in nodes][-1] is model.outputs[0]


def test_a_model_that_is_used_twice_has_two_nodes():
    inner = sequential()
    names = [node.operation.name for node in graph_nodes(functional(inner))]
    assert sorted(names) == ["half", "image", "inner", "inner", "join"]
    assert [node.operation.name for node in graph_nodes(inner)][1:] == ["first", "second"]


def test_layers_and_models_without_a_graph_have_no_nodes():
    assert graph_nodes(layers.Dense(1)) is None
    assert graph_nodes(Subclassed()) is None
    assert graph_nodes(keras.Sequential([layers.Dense(1)])) is None  # it does not know its input yet


@pytest.mark.parametrize("make", [lambda: functional(sequential()), Subclassed])
def test_every_layer_is_found_once_those_of_inner_models_too(make):
    model = make()
    names = [layer.name for layer in every_layer(model)]
    assert names[0] == model.name
    assert names.count("inner") == names.count("first") == names.count("second") == 1


@pytest.mark.parametrize("make", [lambda: functional(sequential()), Subclassed, sequential])
def test_every_call_goes_through_its_replacement(make):
    model = make()
    expected = model(np.ones((2, 4)))
    called = []

    def counted(layer, call):
        return lambda *args, **kwargs: called.append(layer.name) or call(*args, **kwargs)

    with calls_replaced(model, counted):
        found = model(np.ones((2, 4)))
    np.testing.assert_array_equal(found, expected)
    uses = 2 if model.name == "outer" else 1
    assert called.count(model.name) == 1
    assert called.count("first") == called.count("second") == uses


def test_operations_of_inner_graphs_are_called_through_their_replacement_too():
    image = keras.Input((4,))
    inner = keras.Model(image, keras.ops.relu(layers.Dense(3)(image) + 1.0))
    model = keras.Sequential([keras.Input((4,)), inner, layers.Dense(1)])
    expected, called = model(np.ones((2, 4))), []

    def counted(operation, call):
        return lambda *args, **kwargs: called.append(type(operation).__name__) or call(*args, **kwargs)

    with calls_replaced(model, counted):
        np.testing.assert_array_equal(model(np.ones((2, 4))), expected)
    assert [name for name in called if name in ("Add", "Relu")] == ["Add", "Relu"], (
        CHANGED % "how Operation.__call__ finds `call`"
    )
    assert not any("call" in vars(each) for each in every_operation(model))


def test_the_model_is_as_before_after_the_block_and_after_an_error():
    model = sequential()
    own = vars(model.layers[0])["call"] = model.layers[0].call
    with pytest.raises(RuntimeError, match="in the block"), calls_replaced(model, lambda layer, call: None):
        raise RuntimeError("in the block")
    assert vars(model.layers[0])["call"] is own
    assert [layer.name for layer in every_layer(model) if "call" in vars(layer)] == ["first"]


def test_a_call_by_another_thread_goes_through_the_replacement_too():
    """Why the package says that it is not thread-safe."""
    model, called = sequential(), []
    with calls_replaced(model, lambda layer, call: lambda *args, **kw: called.append(1) or call(*args, **kw)):
        other = threading.Thread(target=lambda: model(np.ones((1, 4))))
        other.start()
        other.join()
    assert called
