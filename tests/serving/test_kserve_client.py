"""The client of KServe's protocol against a small server that speaks it on the loopback interface."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import tensorflow as tf
from support.serving import assert_same_ends, assert_same_maps, images

from tfadvpath.errors import InputError
from tfadvpath.serving import KServeClient, failures

TYPES = {"float32": "FP32", "bool": "BOOL"}


@contextmanager
def serving(answer):
    """A server whose answer to (path, body) is a code and JSON; a GET has no body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send(*answer(self.path, body))

        def do_GET(self):
            self.send(*answer(self.path, None))

        def send(self, code, content):
            content = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def as_triton(signatures):
    """Answers as NVIDIA Triton: numbers have two axes."""

    def answer(path, body):
        found = re.fullmatch(r"/v2/models/(\w+?)(/versions/1)?(/infer)?", path)
        name = found and {"tiny": "serving_default", "tiny_predict": "predict"}.get(found[1])
        if name is None or (body is None) == bool(found[3]):
            return 400, {"error": f"Request for unknown model: {path}"}
        if body and body["inputs"][0]["shape"][0] > 3:
            return 400, {"error": "inference request batch-size must be <= 3 for 'tiny'"}
        if body is None:
            return 200, {"inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 32, 32, 1]}]}
        (given,) = body["inputs"]
        assert given["datatype"] == "FP32"
        values = np.array(given["data"], np.float32).reshape(given["shape"])
        outputs = []
        for key, value in signatures[name](**{given["name"]: tf.constant(values)}).items():
            array = value.numpy()
            shape = array.shape if array.ndim > 1 else (*array.shape, 1)
            kind = TYPES[array.dtype.name]
            outputs.append(
                {"name": key, "datatype": kind, "shape": list(shape), "data": array.ravel().tolist()}
            )
        return 200, {"outputs": outputs}

    return answer


def test_the_library_s_explanation_comes_back(exported, library):
    signatures = tf.saved_model.load(str(exported)).signatures
    with serving(as_triton(signatures)) as address:
        client = KServeClient(address, "tiny", batch_size=3, version=1)
        explained = client.explain(images())
        np.testing.assert_allclose(client.predict(images()), library.score, atol=1e-6)
        assert client.image_size == (32, 32)
        for other in (KServeClient(address, "other"), KServeClient(address, "tiny", predict_model="other")):
            with pytest.raises(InputError, match=r"Request for unknown model: .* Check the model's name"):
                other.predict(images())
        with pytest.raises(InputError, match="Let `batch_size` be at most that number"):
            KServeClient(address, "tiny").predict(images())
    assert_same_maps(explained.maps["fi_v2_smooth"], library.maps["fi_v2_smooth"])
    np.testing.assert_array_equal(explained.crossed, library.crossed)
    assert_same_ends(explained, library)


def test_pixels_lose_nothing_on_the_way():
    seen = []

    def answer(path, body):
        seen.append(body["inputs"][0])
        data = [0.5] * body["inputs"][0]["shape"][0]
        return 200, {
            "outputs": [{"name": "probability", "datatype": "FP32", "shape": [len(data)], "data": data}]
        }

    with serving(answer) as address:
        KServeClient(address, "m").predict(images())
    sent = np.array(seen[0]["data"], np.float32).reshape(seen[0]["shape"])
    np.testing.assert_allclose(sent, images(), rtol=0, atol=1e-9)


def test_a_server_that_is_not_ready_is_asked_again(monkeypatch):
    monkeypatch.setattr(failures, "_FIRST_WAIT", 1e-3)
    codes = [503, 503, 200]

    def answer(path, body):
        code = codes.pop(0)
        good = {"outputs": [{"name": "probability", "datatype": "FP32", "shape": [8, 1], "data": [1.0] * 8}]}
        return code, good if code == 200 else {"error": "the model is not ready"}

    with serving(answer) as address:
        assert KServeClient(address, "m").predict(images()).tolist() == [1.0] * 8
    assert codes == []


@pytest.mark.parametrize(
    "content",
    [
        [1],
        {"outputs": 3},
        {"outputs": [{"name": "probability"}]},
        {"outputs": [{"name": "probability", "datatype": "BYTES", "shape": [8], "data": ["a"] * 8}]},
        {"outputs": [{"name": "probability", "datatype": "FP32", "shape": [9], "data": [1.0] * 8}]},
        {"outputs": [{"name": "probability", "datatype": "FP32", "shape": [4, 2], "data": [1.0] * 8}]},
        {"outputs": [{"name": "classes", "datatype": "FP32", "shape": [8], "data": [1.0] * 8}]},
        {"inputs": [{"name": "x"}]},
        {"inputs": [{"name": "images", "shape": [-1, 3]}]},
    ],
)
def test_what_no_export_answers_is_said_in_one_line(content):
    with serving(lambda path, body: (200, content)) as address:
        client = KServeClient(address, "m")
        for call in (client.predict, client.explain, lambda _: client.image_size):
            with pytest.raises(InputError, match="'m' is no export of tfadvpath") as error:
                call(images())
            assert "\n" not in str(error.value)


def test_there_are_no_labels():
    with pytest.raises(InputError, match="`label`: is not known to this protocol"):
        KServeClient("http://127.0.0.1", "m", label="stable")
