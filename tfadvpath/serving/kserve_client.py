"""Client of the Open Inference Protocol (KServe v2) over REST, which NVIDIA Triton speaks, too."""

from __future__ import annotations

import urllib.parse
from typing import Any

import numpy as np

from tfadvpath.errors import InputError, quoted
from tfadvpath.serving.base import Arrays, Client
from tfadvpath.serving.json_http import JsonHttp, NoJson
from tfadvpath.serving.rest_client import DECIMALS

_TYPES = {"FP32": np.float32, "FP64": np.float64, "BOOL": np.bool_}
PREDICT_ENDING = "_predict"


class KServeClient(Client):
    """Calls a server of the Open Inference Protocol, also known as KServe v2.

    The protocol knows no signatures: each signature that is served is a model of its own. It knows no labels
    of versions either.

    Args:
        address: Address such as "http://127.0.0.1:8000"; https where the server or a proxy before it has a
            certificate.
        model: Name of the model that answers as the signature ``serving_default``.
        predict_model: Name of the model that answers as the signature ``predict``; None is the first name
            with "_predict" behind it.
        **options: Options of ``Client``, without ``label``.

    Raises:
        InputError: The address is none, a file of ``access`` cannot be used, its token would be sent
            unencrypted, or there is a label.

    Usage::

        explained = KServeClient("http://127.0.0.1:8000", "phantom_brain").explain_study("scan.dcm")
    """

    def __init__(self, address: str, model: str, *, predict_model: str | None = None, **options: Any):
        super().__init__(address.rstrip("/"), model, **options)
        if self.label is not None:
            raise InputError("`label`", "is not known to this protocol", "Name a `version`")
        self._models = {
            "serving_default": model,
            "predict": model + PREDICT_ENDING if predict_model is None else predict_model,
        }
        self._http = JsonHttp(self.address, self.access, self.timeout)

    def request(self, signature: str, inputs: Arrays) -> dict[str, np.ndarray]:
        body = {"inputs": [_tensor(name, values) for name, values in inputs.items()]}
        answer = self._send(signature, "/infer", body)
        try:
            return {output["name"]: _array(output) for output in answer["outputs"]}
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.no_export(f"{signature} answers what holds no outputs") from error

    def request_image_shape(self) -> tuple[int, ...]:
        answer = self._send("serving_default", "", None)
        try:
            (images,) = (each for each in answer["inputs"] if each["name"] == "images")
            return tuple(int(length) for length in images["shape"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self.no_export("its metadata has no input of images") from error

    def _send(self, signature: str, verb: str, body: Any) -> Any:
        version = "" if self.version is None else f"/versions/{self.version}"
        path = f"/v2/models/{urllib.parse.quote(self._models[signature])}{version}{verb}"
        try:
            return self._http.call(path, body)
        except NoJson as error:
            raise self.no_export("it answers what is no JSON") from error


def _tensor(name: str, values: np.ndarray) -> dict[str, Any]:
    data = values.astype(np.float64).round(DECIMALS).ravel().tolist()
    return {"name": name, "shape": list(values.shape), "datatype": "FP32", "data": data}


def _array(output: Any) -> np.ndarray:
    """Returns an output's values; one number an image as [B], where servers that need two axes say [B, 1].

    Raises:
        ValueError: Its type is none that an export answers, or its values do not fit its shape.
    """
    if output["datatype"] not in _TYPES:
        raise ValueError(quoted(output["datatype"]))
    shape = [int(length) for length in output["shape"]]
    values: np.ndarray = np.array(output["data"], _TYPES[output["datatype"]]).reshape(shape)
    values = values if values.dtype == bool else values.astype(np.float32)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
