"""Check of a SavedModel's graph before anything loads it: what it could do, by its file alone.

A SavedModel is a program: its operations can read and write files, and some run while it is loaded. An
export of this package needs arithmetic, and files for its weights alone.

``check_process`` loads this file by its path, in a process where tfadvpath cannot be imported: nothing of
tfadvpath may be imported here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

GRAPH = "saved_model.pb"
# Operations of the exports themselves: of every method, map, path and kind of file, with XLA and without.
_OF_EXPORTS = """
Abs AddN AddV2 All Any AssignVariableOp BiasAdd BiasAddGrad BitwiseAnd BroadcastArgs BroadcastGradientArgs
BroadcastTo Cast ConcatOffset ConcatV2 Const Conv2D Conv2DBackpropFilter Conv2DBackpropInput DecodeJpeg
DecodePng DecodeRaw DisableCopyOnRead DivNoNan DynamicStitch EnsureShape Equal ExpandDims ExtractJpegShape
Fill FloorDiv FloorMod GatherV2 Greater GreaterEqual Identity LeakyRelu LeakyReluGrad Less LessEqual Log
LogicalAnd LogicalNot LogicalOr MatMul Max MaxPool MaxPoolGrad Maximum Mean MergeV2Checkpoints Min Minimum
MirrorPad MirrorPadGrad Mul Neg NoOp NotEqual Pack Pad PartitionedCall Placeholder Pow Prod Range
ReadVariableOp RealDiv Relu ReluGrad Reshape ResizeBilinear ResizeBilinearGrad RestoreV2 Round Rsqrt
RsqrtGrad SaveV2 Select SelectV2 Shape ShapeN ShardedFilename Sigmoid SigmoidGrad Size Slice Split Square
SquaredDifference Squeeze StatefulPartitionedCall StatelessIf StatelessWhile StaticRegexFullMatch
StopGradient StridedSlice StridedSliceGrad StringJoin StringLength Sub Substr Sum TensorListConcatV2
TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem TensorListStack
TensorScatterAdd Tile Transpose VarHandleOp While ZerosLike
"""
# Operations of layers that classifiers of other people have, and of their gradients: arithmetic too.
_OF_LAYERS = """
ArgMax Asinh Atan AvgPool AvgPoolGrad BatchMatMulV2 BatchToSpaceND Ceil ClipByValue Conv3D Cos Cosh Cumsum
DepthToSpace DepthwiseConv2dNative DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput
Einsum Elu EluGrad EmptyTensorList Erf Erfc Erfinv Exp Expm1 Floor FusedBatchNormGradV3 FusedBatchNormV3
GatherNd IdentityN InvGrad InvertPermutation IsFinite IsNan L2Loss LRN LRNGrad LinSpace Log1p LogSoftmax
MatrixBandPart MaxPoolGradV2 MaxPoolV2 OneHot PadV2 Rank Reciprocal ReciprocalGrad Relu6 Relu6Grad
ResizeBicubic ResizeBicubicGrad ResizeNearestNeighbor ResizeNearestNeighborGrad ReverseV2 ScatterNd Selu
SeluGrad Sign Sin Sinh Softmax Softplus SoftplusGrad Softsign SoftsignGrad SpaceToBatchND SpaceToDepth
SplitV Sqrt SqrtGrad Tanh TanhGrad TensorListElementShape TensorListLength TensorListPopBack
TensorListPushBack TensorScatterUpdate TopKV2 Unpack UnsortedSegmentSum VariableShape Where Xdivy Xlogy
"""
_READ, _WRITE = {"RestoreV2"}, {"MergeV2Checkpoints", "SaveV2", "ShardedFilename"}
ALLOWED = frozenset(_OF_EXPORTS.split()) | frozenset(_OF_LAYERS.split())
# What an export's objects are: layers and networks have become functions and variables.
_KINDS = {"bare_concrete_function", "constant", "function", "user_object", "variable"}
_CLASSES = {
    "_generic_user_object",
    "signature_map",
    "trackable_dict_wrapper",
    "trackable_list_wrapper",
    "trackable_tuple_wrapper",
}
_LONGEST_LIST = 5


class UnknownOperations(Exception):
    """The graph has operations that are not allowed.

    Args:
        names: Names of the operations, in their order.
    """

    def __init__(self, names: Iterable[str]):
        self.names = sorted(names)
        more = len(self.names) - _LONGEST_LIST
        shown = ", ".join(self.names[:_LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
        super().__init__(f"its graph has the operations {shown}, which an export does not need")


class UnsafeGraph(Exception):
    """The graph may do what no export does, whatever its operations."""


def check_graph(folder: Path, allowed: Collection[str] = ALLOWED) -> None:
    """Reads a SavedModel's graph and checks it. Nothing of it is run.

    Args:
        folder: Folder of the SavedModel.
        allowed: Names of the operations that it may have. Operations for files are allowed in the functions
            that save and restore its weights alone.

    Raises:
        UnknownOperations: It has other operations.
        UnsafeGraph: It cannot be read, is stored in another way than an export, reads or writes files
            elsewhere, or has objects that run code when they are loaded.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    # A loader may take saved_model.cpb or saved_model.pbtxt in the place of the file that is checked here.
    others = sorted(path.name for path in folder.glob("saved_model*") if path.name != GRAPH)
    if others:
        raise UnsafeGraph(f"it has a second graph, {others[0]}")
    try:
        saved = saved_model_pb2.SavedModel.FromString((folder / GRAPH).read_bytes())
    except (OSError, DecodeError) as error:
        raise UnsafeGraph(f"its {GRAPH} cannot be read: {error}") from error
    if len(saved.meta_graphs) != 1:
        raise UnsafeGraph(f"it has {len(saved.meta_graphs)} graphs, where an export has one")
    (graph,) = saved.meta_graphs
    functions: dict[str, list[Any]] = {}
    for function in graph.graph_def.library.function:
        functions.setdefault(function.signature.name, []).extend(function.node_def)
    nodes = [*graph.graph_def.node, *(node for body in functions.values() for node in body)]
    unknown = {node.op for node in nodes} - set(allowed)
    if unknown:
        raise UnknownOperations(unknown)
    # A name of no function would be looked up among the operations.
    missing = {name for node in nodes for name in _called(node)} - functions.keys()
    if missing:
        raise UnsafeGraph(f"it calls the function {min(missing)}, which it does not have")
    _check_files(graph, functions)
    _check_objects(graph)


def _check_files(graph: Any, functions: Mapping[str, list[Any]]) -> None:
    """Checks that files are read where weights are restored, and written where they are saved, alone."""
    reading, writing = (_reaching(functions, operations) for operations in (_READ, _WRITE))
    saver = graph.saver_def
    save, restore = _node(saver.save_tensor_name), _node(saver.restore_op_name)
    for node in graph.graph_def.node:
        called = set(_called(node))
        if node.op in _READ | _WRITE or (called & (reading | writing) and node.name not in (save, restore)):
            raise UnsafeGraph(f"its node {node.name} reads or writes files")
        if node.name == restore and called & writing:
            raise UnsafeGraph("it writes files when its weights are restored")
        if {save, restore} & {_node(name) for name in node.input}:
            raise UnsafeGraph(f"its node {node.name} takes what comes from files")
    answers = {
        _node(tensor.name)
        for signature in graph.signature_def.values()
        for tensor in signature.outputs.values()
    }
    at_start = {_node(name) for found in graph.collection_def.values() for name in found.node_list.value}
    if (answers | at_start) & {save, restore}:
        raise UnsafeGraph("it reads or writes files when it answers or starts")
    for name in graph.object_graph_def.concrete_functions:
        if name in reading | writing:
            raise UnsafeGraph(f"its function {name} reads or writes files")


def _check_objects(graph: Any) -> None:
    """Checks that no object runs code when it is loaded: tables, assets, savers of their own."""
    if graph.asset_file_def:
        raise UnsafeGraph("it has assets")
    for node in graph.object_graph_def.nodes:
        kind = node.WhichOneof("kind")
        if kind not in _KINDS:
            raise UnsafeGraph(f"it has an object of the kind {kind}")
        if kind == "user_object" and node.user_object.identifier not in _CLASSES:
            raise UnsafeGraph(f"it has an object of the class {node.user_object.identifier}")
        if node.saveable_objects or node.registered_name or node.registered_saver:
            raise UnsafeGraph("it has an object that restores itself")


def _reaching(functions: Mapping[str, list[Any]], operations: Collection[str]) -> set[str]:
    """Returns the functions that have one of the operations, themselves or in what they call."""
    found = {name for name, body in functions.items() if any(node.op in operations for node in body)}
    calls = {name: {each for node in body for each in _called(node)} for name, body in functions.items()}
    while more := {name for name in calls.keys() - found if calls[name] & found}:
        found |= more
    return found


def _called(node: Any) -> Iterable[str]:
    """Returns the names of the functions that a node calls."""
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        yield from (each.name for each in value.list.func)


def _node(name: str) -> str:
    """Returns the node of a tensor's name ("a:0") or of a control input's ("^a")."""
    return name.removeprefix("^").partition(":")[0]
