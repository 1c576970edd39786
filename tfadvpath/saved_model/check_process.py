"""Program that runs an exported version as a stranger would: with TensorFlow, without Keras and tfadvpath.

``tfadvpath.saved_model.check`` starts it as a program of its own and reads one line of JSON: what was
measured, or why the version is refused. The graph is checked before it is loaded, and runs within limits:
see ``graph_check.py`` and ``limits.py``. Nothing of tfadvpath may be imported here.

    python -I check_process.py MODELS/NAME/VERSION '{"allowed": [], "memory": 17179869184, "seconds": 3600}'
"""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

_REPEATS = 3
_BLOCKED = ("keras", "tf_keras", "tfadvpath")
# How far an answer may be from the recorded one, whatever the manifest says; images relative to their
# largest value. A gradient jumps where a value crosses a ReLU's edge: noise of 1e-7 in an image moved a map
# by 1e-4, and XLA, which rounds otherwise as another processor does, by 1e-3. Another network is far beyond.
_TOLERANCE, _GRADIENT_TOLERANCE = 1e-3, 1e-2
_OF_GRADIENTS = ("map", "completeness_residual")
# Below this change of the probability a residual relative to it says nothing, as in path.importance.
_SMALLEST_CHANGE = 1e-6
Arrays = Mapping[str, np.ndarray]


def largest_tolerance(output: str) -> float:
    """Returns how far an output of that name may be from what was recorded."""
    return _GRADIENT_TOLERANCE if output in _OF_GRADIENTS else _TOLERANCE


class Refused(Exception):
    """The version does not do what its manifest says."""


class _WithoutBlocked(MetaPathFinder):
    """A finder of modules for which the blocked packages are not installed."""

    def __init__(self, finder: Any):
        self.finder = finder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in _BLOCKED:
            return None
        return self.finder.find_spec(fullname, path, target)


def main(folder: Path, allowed: Collection[str], memory: int, seconds: int) -> None:
    """Prints {"signatures": …, "without_network": …}, or {"refused": …} with what it is refused for.

    Unknown operations are listed under "operations"; "memory" is there where the limit was not enough.

    Args:
        folder: Folder of the version.
        allowed: Names of operations that the graph may have beside those of exports.
        memory: Bytes that the graph may take.
        seconds: Seconds of CPU time that it may take.
    """
    limits, graph_check = _neighbour("limits"), _neighbour("graph_check")
    without_network = limits.leave_network()  # before TensorFlow starts threads
    # As the commands do: recorded results and latencies are those with oneDNN's kernels.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # GPUs round convolutions otherwise than the recorded ones, and their driver claims any address space.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    block_imports()
    import tensorflow as tf  # whose import must not find Keras either

    limits.limit_process(memory, seconds)
    answer: dict[str, Any]
    try:
        graph_check.check_graph(folder, graph_check.ALLOWED | set(allowed))
        answer = {"signatures": _measure(folder), "without_network": without_network}
    except graph_check.UnknownOperations as error:
        answer = {"refused": str(error), "operations": error.names}
    except (graph_check.UnsafeGraph, Refused) as error:
        answer = {"refused": str(error)}
    except (MemoryError, tf.errors.ResourceExhaustedError):
        answer = {"refused": "it takes more memory than the check may", "memory": True}
    print(json.dumps(answer))


def block_imports() -> None:
    """Lets neither Keras nor tfadvpath be imported in this process from now on."""
    sys.meta_path[:] = [_WithoutBlocked(finder) for finder in sys.meta_path]


def _neighbour(name: str) -> Any:
    """Returns a module beside this file, which is found by its path: its package cannot be imported."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _measure(folder: Path) -> dict[str, Any]:
    import tensorflow as tf

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    _check_demands(manifest)
    try:
        loaded = tf.saved_model.load(str(folder))
        cases = read_cases(folder / "assets.extra" / "cases.tfrecord")
    except (MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:  # whatever the loader raises, the version is of no use
        raise Refused(f"it cannot be loaded: {error}") from error
    compare_signatures(loaded.signatures, manifest["signatures"])
    results: dict[str, Any] = {}
    for name in manifest["signatures"]:
        inputs, expected = _case(name, manifest, cases)
        for size in manifest["batch_sizes"]:
            batch = {each: tf.constant(values[:size]) for each, values in inputs.items()}

            def run(name: str = name, batch: Any = batch) -> dict[str, np.ndarray]:
                return {key: value.numpy() for key, value in loaded.signatures[name](**batch).items()}

            try:
                outputs = run()
            except (MemoryError, tf.errors.ResourceExhaustedError):
                raise
            except Exception as error:
                raise Refused(f"{name}, batch of {size}, fails: {error}") from error
            wanted = {each: values[:size] for each, values in expected.items()}
            difference = compare(f"{name}, batch of {size}", outputs, wanted, manifest["tolerance"])
            results.setdefault(name, {})[str(size)] = {
                "seconds": _seconds(run),
                "largest_difference": difference,
            }
    return results


def _check_demands(manifest: Mapping[str, Any]) -> None:
    """Raises Refused where the manifest asks for less than a check."""
    if not manifest["batch_sizes"] or min(manifest["batch_sizes"]) < 1:
        raise Refused(f"its manifest names the batch sizes {manifest['batch_sizes']}: nothing can be checked")
    for name, tolerance in manifest["tolerance"].items():
        if not tolerance <= largest_tolerance(name):  # NaN is refused as well
            raise Refused(
                f"its manifest allows {name} to be {tolerance:g} from what was recorded, "
                f"at most {largest_tolerance(name):g} may be allowed"
            )


def _case(
    name: str, manifest: Mapping[str, Any], cases: Mapping[str, tuple[Arrays, Arrays]]
) -> tuple[Arrays, Arrays]:
    """Returns recorded inputs and outputs of a signature: all that it has, for the largest batch."""
    # The signature compiled by XLA must answer what serving_default does.
    recorded = name if name in cases else "serving_default"
    if recorded not in cases:
        raise Refused(f"no case of {name} is recorded")
    inputs, outputs = cases[recorded]
    described = manifest["signatures"][name]
    if set(inputs) != set(described["inputs"]) or set(outputs) != set(described["outputs"]):
        raise Refused(f"not every input and output of {name} is recorded")
    count = min(len(values) for values in (*inputs.values(), *outputs.values()))
    largest = max(manifest["batch_sizes"])
    if count < largest:
        raise Refused(
            f"{name} has {count} recorded images, fewer than the batch of {largest} that is allowed"
        )
    return inputs, outputs


def read_cases(path: Path) -> dict[str, tuple[Arrays, Arrays]]:
    """Returns the inputs and outputs of every signature by tensor name."""
    import tensorflow as tf
    from tensorflow.core.protobuf import named_tensor_pb2

    cases: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        named = named_tensor_pb2.NamedTensorProto.FromString(record)
        signature, part, name = named.name.split("/")
        parts = cases.setdefault(signature, {"inputs": {}, "outputs": {}})
        parts[part][name] = tf.make_ndarray(named.tensor)
    return {signature: (parts["inputs"], parts["outputs"]) for signature, parts in cases.items()}


def compare_signatures(found: Mapping[str, Any], described: Mapping[str, Any]) -> None:
    """Raises Refused where the loaded signatures are not those that the manifest describes."""
    if set(found) != set(described):
        raise Refused(f"its signatures are {sorted(found)}, the manifest has {sorted(described)}")
    for name, signature in found.items():
        tensors = {
            "inputs": signature.structured_input_signature[1],
            "outputs": signature.structured_outputs,
        }
        for part, expected in described[name].items():
            actual = {
                each: {
                    "dtype": tensor.dtype.name,
                    "shape": [-1 if length is None else length for length in tensor.shape],
                }
                for each, tensor in tensors[part].items()
            }
            if actual != expected:
                raise Refused(f"{name} has other {part} than the manifest says: {actual}")


def compare(where: str, outputs: Arrays, expected: Arrays, tolerance: Mapping[str, float]) -> float:
    """Returns the largest difference; that of images is relative to the largest value of each.

    Raises:
        Refused: One is above the tolerance of that output.
    """
    change = np.maximum(
        np.abs(expected.get("probability_adversary", 0.0) - expected.get("probability_start", 0.0)),
        _SMALLEST_CHANGE,
    )
    largest = 0.0
    for name, wanted in expected.items():
        values = outputs[name]
        if values.shape != wanted.shape:
            raise Refused(f"{where}: {name} has the shape {values.shape}, recorded is {wanted.shape}")
        if wanted.dtype == bool:
            difference = float((values != wanted).any())
        elif wanted.ndim == 1:
            # A residual is relative to the change: its rounding error is that of the probabilities over it.
            scale = change if name == "completeness_residual" else 1.0
            difference = float(np.abs((values - wanted) * scale).max())
        else:
            axes = tuple(range(1, wanted.ndim))
            peak = np.maximum(np.abs(wanted).max(axis=axes), np.finfo(np.float32).tiny)
            difference = float((np.abs(values - wanted).max(axis=axes) / peak).max())
        if not difference <= tolerance[name]:  # NaN is refused as well
            raise Refused(
                f"{where}: {name} is {difference:.2g} from what was recorded, allowed is {tolerance[name]:g}"
            )
        largest = max(largest, difference)
    return largest


def _seconds(run: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        run()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


if __name__ == "__main__":
    main(Path(sys.argv[1]), **json.loads(sys.argv[2]))
