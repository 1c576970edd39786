"""Graphs that could do more than an export are refused by their file alone; real ones are not."""

from __future__ import annotations

import pytest
import tensorflow as tf
from tensorflow.core.framework import node_def_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tfadvpath.saved_model.graph_check import ALLOWED, UnknownOperations, UnsafeGraph, check_graph


class Model(tf.Module):
    """A classifier of one weight, and what a test has it do besides."""

    def __init__(self, besides):
        self.weight = tf.Variable(2.0)
        self.besides = besides

    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 1], name="images")], autograph=False)
    def predict(self, images):
        self.besides(images)
        return {"probability": tf.sigmoid(self.weight * tf.reduce_mean(images, axis=(1, 2, 3)))}


def nothing(images):
    pass


def save(folder, besides=nothing, **more):
    model = Model(besides)
    for name, value in more.items():
        setattr(model, name, value)
    tf.saved_model.save(model, str(folder), signatures={"predict": model.predict})
    return folder


@pytest.fixture
def folder(tmp_path):
    return save(tmp_path / "model")


def edited(folder, edit):
    """The folder after its graph was changed as bytes can be."""
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    edit(saved)
    path.write_bytes(saved.SerializeToString())
    return folder


def function_of(graph, part):
    (function,) = (each for each in graph.graph_def.library.function if part in each.signature.name)
    return function


@pytest.mark.slow
def test_an_export_has_nothing_that_is_refused(exported):
    check_graph(exported)


def test_a_model_that_computes_alone_is_accepted(folder):
    check_graph(folder)


@pytest.mark.parametrize(
    ("besides", "name"),
    [
        (lambda images: tf.io.read_file("/etc/hostname"), "ReadFile"),
        (lambda images: tf.io.write_file("/tmp/x", "x"), "WriteFile"),
        (lambda images: tf.io.matching_files("/home/*"), "MatchingFiles"),
        (lambda images: tf.print(images), "PrintV2"),
        (lambda images: tf.numpy_function(lambda x: x, [images], tf.float32), "PyFunc"),
        # Inside the body of a loop and the branch of a condition.
        (lambda images: tf.map_fn(lambda x: tf.io.read_file("/etc/hostname"), images, tf.string), "ReadFile"),
        (
            lambda images: tf.cond(
                tf.size(images) > 0, lambda: tf.io.read_file("/etc/hostname"), lambda: tf.constant("")
            ),
            "ReadFile",
        ),
    ],
)
def test_an_operation_that_no_export_needs_is_named(tmp_path, besides, name):
    save(tmp_path, besides)
    with pytest.raises(
        UnknownOperations, match=f"has the operations .*{name}.*, which an export does not need"
    ):
        check_graph(tmp_path)


def test_operations_can_be_allowed_and_a_long_list_is_cut(tmp_path):
    def many(images):
        for operation in (
            tf.math.lgamma,
            tf.math.digamma,
            tf.sinh,
            tf.math.acosh,
            tf.math.bessel_i0e,
            tf.tan,
        ):
            operation(images)

    save(tmp_path, many)
    with pytest.raises(UnknownOperations, match=r"Acosh, .* and 1 more") as error:
        check_graph(tmp_path, ALLOWED - {"Sinh"})
    check_graph(tmp_path, ALLOWED | set(error.value.names))


@pytest.mark.parametrize("reads", [True, False])
def test_weights_files_are_for_weights_alone(tmp_path, reads):
    def besides(images):
        if reads:
            tf.raw_ops.RestoreV2(
                prefix="/etc/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
            )
        else:
            tf.raw_ops.SaveV2(
                prefix="/tmp/x", tensor_names=["a"], shape_and_slices=[""], tensors=[images[0, 0, 0, 0]]
            )

    save(tmp_path, besides)
    with pytest.raises(UnsafeGraph, match=r"its (node|function) .* reads or writes files"):
        check_graph(tmp_path)


def test_the_function_that_saves_weights_is_called_by_the_saver_alone(folder):
    def restores_by_saving(saved):
        (graph,) = saved.meta_graphs
        restore = next(node for node in graph.graph_def.node if node.name == graph.saver_def.restore_op_name)
        restore.attr["f"].func.name = function_of(graph, "traced_save").signature.name

    def is_called_by_an_object(saved):
        (graph,) = saved.meta_graphs
        name = function_of(graph, "traced_save").signature.name
        graph.object_graph_def.concrete_functions[name].canonicalized_input_signature.SetInParent()

    def is_an_answer(saved):
        (graph,) = saved.meta_graphs
        graph.signature_def["predict"].outputs["probability"].name = graph.saver_def.save_tensor_name

    def runs_at_the_start(saved):
        (graph,) = saved.meta_graphs
        value = graph.collection_def["saved_model_main_op"].node_list.value
        value[:] = [graph.saver_def.save_tensor_name]

    def is_waited_for(saved):
        (graph,) = saved.meta_graphs
        node = next(node for node in graph.graph_def.node if node.op == "NoOp")
        node.input.append("^" + graph.saver_def.save_tensor_name.partition(":")[0])

    path = folder / "saved_model.pb"
    whole = path.read_bytes()
    for edit, reason in (
        (restores_by_saving, "writes files when its weights are restored"),
        (is_called_by_an_object, "its function .*traced_save.* reads or writes files"),
        (is_an_answer, "reads or writes files when it answers or starts"),
        (runs_at_the_start, "reads or writes files when it answers or starts"),
        (is_waited_for, "its node NoOp takes what comes from files"),
    ):
        path.write_bytes(whole)
        with pytest.raises(UnsafeGraph, match=reason):
            check_graph(edited(folder, edit))


def test_an_operation_in_the_place_of_a_function_is_found(folder):
    def edit(saved):
        (graph,) = saved.meta_graphs
        node = node_def_pb2.NodeDef(name="evil", op="StatefulPartitionedCall")
        node.attr["f"].func.name = "WriteFile"
        function_of(graph, "inference_predict").node_def.append(node)

    with pytest.raises(UnsafeGraph, match="calls the function WriteFile, which it does not have"):
        check_graph(edited(folder, edit))


def test_objects_that_run_code_when_they_are_loaded_are_refused(tmp_path):
    (tmp_path / "words").write_text("a")
    save(tmp_path / "asset", asset=tf.saved_model.Asset(str(tmp_path / "words")))
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a"], [1]), 0)
    save(tmp_path / "table", table=table)
    for name, operation, reason in (
        ("asset", "AssignVariableOp|VarIsInitializedOp", "it has assets"),
        ("table", "HashTableV2", "an object of the kind resource"),
    ):
        with pytest.raises(UnknownOperations, match=operation) as error:
            check_graph(tmp_path / name)
        with pytest.raises(UnsafeGraph, match=reason):
            check_graph(tmp_path / name, ALLOWED | set(error.value.names))


def test_savers_of_their_own_and_classes_that_are_not_an_export_s_are_refused(folder):
    path = folder / "saved_model.pb"
    whole = path.read_bytes()

    def has_a_class(saved):
        nodes = saved.meta_graphs[0].object_graph_def.nodes
        node = next(node for node in nodes if node.WhichOneof("kind") == "user_object")
        node.user_object.identifier = "_tf_keras_model"

    def has_a_saver(saved):
        saved.meta_graphs[0].object_graph_def.nodes[0].saveable_objects["a"].restore_function = 1

    for edit, reason in (
        (has_a_class, "an object of the class _tf_keras_model"),
        (has_a_saver, "an object that restores itself"),
    ):
        path.write_bytes(whole)
        with pytest.raises(UnsafeGraph, match=reason):
            check_graph(edited(folder, edit))


def test_the_one_graph_that_is_checked_is_the_one_that_is_loaded(folder):
    path = folder / "saved_model.pb"
    # A loader may take this file in the other's place.
    (folder / "saved_model.cpb").write_bytes(path.read_bytes())
    with pytest.raises(UnsafeGraph, match=r"it has a second graph, saved_model\.cpb"):
        check_graph(folder)
    (folder / "saved_model.cpb").unlink()
    with pytest.raises(UnsafeGraph, match="it has 2 graphs, where an export has one"):
        check_graph(edited(folder, lambda saved: saved.meta_graphs.append(saved.meta_graphs[0])))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UnsafeGraph, match="cannot be read"):
        check_graph(folder)
    path.unlink()
    with pytest.raises(UnsafeGraph, match="cannot be read"):
        check_graph(folder)


def test_what_is_allowed_are_operations_that_tensorflow_has_and_none_of_them_reaches_outside():
    assert not [name for name in ALLOWED if not hasattr(tf.raw_ops, name) and name not in WITHOUT_PYTHON]
    named = ("File", "Dataset", "Py", "Print", "Socket", "Debug", "Send", "Recv", "Rpc", "Iterator")
    reaching = {name for name in ALLOWED if any(part in name for part in named)}
    assert reaching == {"ShardedFilename"}  # which makes a name for the weights


# Operations that tf.raw_ops does not offer.
WITHOUT_PYTHON = {"Const", "Placeholder", "If", "While"}
