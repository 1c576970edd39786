"""Client over gRPC: arrays travel as they are in memory."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import numpy as np

from tfadvpath.errors import InputError, quoted
from tfadvpath.serving.base import Arrays, Client
from tfadvpath.serving.failures import Unavailable, remedy

# gRPC's own 4 MiB hold not even 8 explanations of 224x224 pixels.
_MESSAGE_BYTES = 2**30


class GrpcClient(Client):
    """Calls TensorFlow Serving over gRPC; a context manager that closes the connection.

    Args:
        address: Host and port, such as "127.0.0.1:8500".
        model: Name of the model at the server.
        **options: Options of ``Client``. Without ``access`` the images are sent unencrypted.

    Raises:
        InputError: The extra ``serving`` is not installed, a file of ``access`` cannot be used, or its token
            would be sent unencrypted.

    Usage::

        with GrpcClient("127.0.0.1:8500", "phantom_brain") as client:
            explained = client.explain_study("scan.nii.gz")
    """

    def __init__(self, address: str, model: str, **options: Any):
        super().__init__(address, model, **options)
        try:
            import grpc
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise InputError(
                "tensorflow-serving-api", "is not installed", "Run: pip install 'tfadvpath[serving]'"
            ) from error
        access = self.access
        access.check_secret(address, address.rpartition(":")[0], access.is_encrypted)
        credentials = access.grpc_credentials()
        given = [
            ("grpc.max_send_message_length", _MESSAGE_BYTES),
            ("grpc.max_receive_message_length", _MESSAGE_BYTES),
            ("grpc.enable_http_proxy", int(access.proxy)),
        ]
        self._metadata = tuple(access.headers.items())
        self._channel = (
            grpc.insecure_channel(address, given)
            if credentials is None
            else grpc.secure_channel(address, credentials, given)
        )
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def request(self, signature: str, inputs: Arrays) -> dict[str, np.ndarray]:
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        self._address_model(request.model_spec)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        response = self._send(self._service.Predict, request)
        try:
            return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}
        except (TypeError, ValueError) as error:
            raise self.no_export(f"{signature} answers what is no tensor: {error}") from error

    def request_image_shape(self) -> tuple[int, ...]:
        from tensorflow_serving.apis import get_model_metadata_pb2

        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._address_model(request.model_spec)
        response = self._send(self._service.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        # What is not there reads as empty, which is the shape of no batch.
        images = signatures.signature_def["serving_default"].inputs["images"]
        return tuple(int(dimension.size) for dimension in images.tensor_shape.dim)

    def _address_model(self, spec: Any) -> None:
        spec.name = self.model
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label

    def _send(self, method: Any, request: Any) -> Any:
        import grpc

        try:
            return method(request, timeout=self.timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            code, details = error.code(), error.details() or ""
            if code is grpc.StatusCode.UNAVAILABLE:
                raise Unavailable(details) from error
            raise InputError(
                self.address, f"answers {code.name}: {quoted(details)}", remedy(code.name, details)
            ) from error
