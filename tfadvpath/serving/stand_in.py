"""Stand-in for TensorFlow Serving on this machine alone, to try and test clients where no Docker is.

It speaks the protocol's own messages and answers one request at a time from the SavedModel, which TensorFlow
loads in this process. As a server with batching does, it refuses more images than the version's largest
batch, but it joins no requests. It has no warm-up, no versions but one, and no security: do not deploy it.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from tfadvpath.saved_model.batching import FILE_NAME as BATCHING
from tfadvpath.saved_model.batching import largest_batch

_HOST = "127.0.0.1"
_PATH = re.compile(
    r"/v1/models/(?P<model>[^/:]+)(/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
    r"(?P<verb>:predict|/metadata)"
)


@dataclass(frozen=True)
class Addresses:
    """Addresses at which the stand-in answers.

    Attributes:
        grpc: Host and port, such as "127.0.0.1:40001".
        rest: Address such as "http://127.0.0.1:40002".
    """

    grpc: str
    rest: str


@contextmanager
def stand_in_server(
    version: Path | str, label: str = "stable", *, limit_batches: bool = True
) -> Iterator[Addresses]:
    """Serves an exported version on free ports of the loopback interface while the block runs.

    Args:
        version: Folder MODELS/NAME/VERSION; the model's name and version are the folders'.
        label: Label of the version.
        limit_batches: Whether to refuse batches above the max_batch_size of the version's batching
            parameters, as a server that was started with --enable_batching does.
    """
    model = _Model(Path(version), label, limit_batches)
    with ThreadPoolExecutor(max_workers=4) as threads:
        service = grpc.server(threads, options=[("grpc.max_receive_message_length", -1)])
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(model), service)
        port = service.add_insecure_port(f"{_HOST}:0")
        service.start()
        web = ThreadingHTTPServer((_HOST, 0), type("Handler", (_Handler,), {"model": model}))
        serving = threading.Thread(target=web.serve_forever)
        serving.start()
        try:
            yield Addresses(f"{_HOST}:{port}", f"http://{_HOST}:{web.server_address[1]}")
        finally:
            web.shutdown()
            web.server_close()
            serving.join()
            service.stop(grace=None).wait()


class _WrongRequest(Exception):
    """A request that cannot be answered: the code in gRPC's words, and why."""

    def __init__(self, code: grpc.StatusCode, reason: str):
        super().__init__(reason)
        self.code = code


class _Model:
    """One loaded version."""

    def __init__(self, folder: Path, label: str, limit_batches: bool):
        self.name, self.version, self.label = folder.absolute().parent.name, int(folder.name), label
        self._largest = largest_batch((folder / BATCHING).read_text()) if limit_batches else None
        self._loaded = tf.saved_model.load(str(folder))
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        self.signature_defs = {
            name: definition
            for name, definition in saved.meta_graphs[0].signature_def.items()
            if not name.startswith("__")
        }
        self._one_at_a_time = threading.Lock()

    def check(self, name: str, version: int | None, label: str | None) -> None:
        """Raises _WrongRequest unless this model is meant."""
        # The server looks labels up before models, and calls an unknown one a wrong argument.
        if label is not None and (name, label) != (self.name, self.label):
            raise _WrongRequest(
                grpc.StatusCode.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}"
            )
        if name != self.name or version not in (None, self.version):
            which = "Latest" if version is None else f"Specific({version})"
            raise _WrongRequest(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}({name})")

    def metadata(self) -> get_model_metadata_pb2.SignatureDefMap:
        return get_model_metadata_pb2.SignatureDefMap(signature_def=self.signature_defs)

    def dtype(self, signature: str, name: str) -> tf.DType:
        """Returns the type of an input.

        Raises:
            _WrongRequest: There is no such signature or input.
        """
        inputs = self.signature_defs[signature].inputs if signature in self.signature_defs else {}
        if name not in inputs:
            raise _WrongRequest(
                grpc.StatusCode.INVALID_ARGUMENT, f"no input {name!r} of a signature {signature!r}"
            )
        return tf.as_dtype(inputs[name].dtype)

    def run(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns the outputs of a signature by name.

        Raises:
            _WrongRequest: The signature does not take such inputs.
        """
        tensors = {name: tf.constant(values, self.dtype(signature, name)) for name, values in inputs.items()}
        largest = max((int(tensor.shape[0]) for tensor in tensors.values() if tensor.shape.rank), default=0)
        if self._largest is not None and largest > self._largest:
            raise _WrongRequest(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Task size {largest} is larger than maximum input batch size {self._largest}",
            )
        try:
            with self._one_at_a_time:
                outputs = self._loaded.signatures[signature](**tensors)
            return {name: values.numpy() for name, values in outputs.items()}
        except (TypeError, ValueError, tf.errors.InvalidArgumentError) as error:
            raise _WrongRequest(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers over gRPC."""

    def __init__(self, model: _Model):
        self.model = model

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:  # the protocol's name
        try:
            self._check(request.model_spec)
            signature = request.model_spec.signature_name or "serving_default"
            inputs = {name: tf.make_ndarray(tensor) for name, tensor in request.inputs.items()}
            outputs = self.model.run(signature, inputs)
        except _WrongRequest as error:
            context.abort(error.code, str(error))
        response = predict_pb2.PredictResponse()
        for name, values in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(values))
        return response

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            self._check(request.model_spec)
        except _WrongRequest as error:
            context.abort(error.code, str(error))
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(self.model.metadata())
        return response

    def _check(self, spec: Any) -> None:
        version = spec.version.value if spec.HasField("version") else None
        self.model.check(spec.name, version, spec.version_label or None)


class _Handler(BaseHTTPRequestHandler):
    """Answers over REST."""

    model: _Model
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer("/metadata", self._metadata)

    def do_POST(self) -> None:
        self._answer(":predict", self._predict)

    def _metadata(self) -> dict[str, Any]:
        signatures = MessageToDict(self.model.metadata(), preserving_proto_field_name=True)
        return {"metadata": {"signature_def": signatures}}

    def _predict(self) -> dict[str, Any]:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        signature = body.get("signature_name", "serving_default")
        inputs = {
            name: self._array(values, self.model.dtype(signature, name))
            for name, values in body["inputs"].items()
        }
        outputs = {name: values.tolist() for name, values in self.model.run(signature, inputs).items()}
        return {"outputs": outputs if len(outputs) > 1 else next(iter(outputs.values()))}

    @staticmethod
    def _array(values: list[Any], dtype: tf.DType) -> np.ndarray:
        if dtype == tf.string:
            return np.array([base64.b64decode(each["b64"]) for each in values], object)
        return np.array(values, dtype.as_numpy_dtype)

    def _answer(self, verb: str, make: Any) -> None:
        found = _PATH.fullmatch(self.path)
        try:
            if found is None or found["verb"] != verb:
                raise _WrongRequest(grpc.StatusCode.NOT_FOUND, f"Malformed request: {self.path}")
            version = None if found["version"] is None else int(found["version"])
            self.model.check(found["model"], version, found["label"])
            code, answer = 200, make()
        except _WrongRequest as error:
            code = 404 if error.code is grpc.StatusCode.NOT_FOUND else 400
            answer = {"error": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            code, answer = 400, {"error": f"JSON Parse error: {error}"}
        content = json.dumps(answer).encode()
        with suppress(ConnectionError):  # of a client that did not wait
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""
