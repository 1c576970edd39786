"""Client over REST: JSON, several times the bytes of gRPC, and no package beyond Python's own."""

from __future__ import annotations

import urllib.parse
from typing import Any

import numpy as np

from tfadvpath.serving.base import Arrays, Client
from tfadvpath.serving.json_http import JsonHttp, NoJson

# Decimals that are sent: the step between float32 numbers below 1 is 6e-8.
DECIMALS = 9


class RestClient(Client):
    """Calls TensorFlow Serving's REST interface.

    Args:
        address: Address such as "http://127.0.0.1:8501"; https where the server or a proxy before it has a
            certificate.
        model: Name of the model at the server.
        **options: Options of ``Client``. The server's own --rest_api_timeout_in_ms must be as long as
            ``timeout``: it is 30 seconds unless said.

    Raises:
        InputError: The address is none, a file of ``access`` cannot be used, or its token would be sent
            unencrypted.

    Usage::

        explained = RestClient("http://127.0.0.1:8501", "phantom_brain").explain_study("scan.dcm")
    """

    def __init__(self, address: str, model: str, **options: Any):
        super().__init__(address.rstrip("/"), model, **options)
        self._http = JsonHttp(self.address, self.access, self.timeout)

    def request(self, signature: str, inputs: Arrays) -> dict[str, np.ndarray]:
        columns = {name: _as_json(values) for name, values in inputs.items()}
        answer = self._send(":predict", {"signature_name": signature, "inputs": columns})
        try:
            outputs = answer["outputs"]
            if not isinstance(outputs, dict):  # a single output has no name in JSON
                outputs = {"probability": outputs}
            return {name: _as_array(values) for name, values in outputs.items()}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.no_export(f"{signature} answers what holds no outputs") from error

    def request_image_shape(self) -> tuple[int, ...]:
        answer = self._send("/metadata", None)
        try:
            signatures = answer["metadata"]["signature_def"]["signature_def"]
            dimensions = signatures["serving_default"]["inputs"]["images"]["tensor_shape"]["dim"]
            return tuple(int(dimension["size"]) for dimension in dimensions)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.no_export("its metadata has no serving_default of images") from error

    def _send(self, verb: str, body: Any) -> Any:
        which = "" if self.version is None else f"/versions/{self.version}"
        which = which if self.label is None else f"/labels/{urllib.parse.quote(self.label)}"
        path = f"/v1/models/{urllib.parse.quote(self.model)}{which}{verb}"
        try:
            return self._http.call(path, body)
        except NoJson as error:
            raise self.no_export("it answers what is no JSON") from error


def _as_json(values: np.ndarray) -> list[Any]:
    return values.astype(np.float64).round(DECIMALS).tolist()


def _as_array(values: Any) -> np.ndarray:
    array = np.asarray(values)
    return array if array.dtype == bool else array.astype(np.float32)
