"""Both clients against servers that speak the protocol's own messages, on the loopback interface."""

from __future__ import annotations

import base64
import json
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import nibabel
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from support.broken_files import dicom, dicom_bytes, picture
from support.series import noise, write_series
from support.serving import assert_same_ends, assert_same_maps, images
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from tfadvpath import explainers
from tfadvpath.errors import InputError
from tfadvpath.serving import GrpcClient, RestClient, failures
from tfadvpath.serving.stand_in import stand_in_server
from tfadvpath.studies.study import read_study


@pytest.fixture(scope="module")
def server(exported):
    with stand_in_server(exported) as addresses:
        yield addresses


@pytest.fixture(params=["grpc", "rest"])
def connect(request, server):
    """Makes a client of either kind for the model, or for what the test says."""

    def make(model="tiny", **options):
        options = {"batch_size": 3, **options}  # the largest that the version allows
        if request.param == "rest":
            return RestClient(server.rest, model, **options)
        client = GrpcClient(server.grpc, model, **options)
        request.addfinalizer(client.close)
        return client

    return make


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(failures, "_FIRST_WAIT", 1e-3)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_a_client_gives_the_library_s_explanation(connect, library, batch_size):
    explained = connect(batch_size=batch_size).explain(images())
    assert_same_maps(explained.maps["fi_v2_smooth"], library.maps["fi_v2_smooth"])
    np.testing.assert_array_equal(explained.images, library.images)
    np.testing.assert_array_equal(explained.crossed, library.crossed)
    assert_same_ends(explained, library)


def test_a_client_predicts(connect, library):
    np.testing.assert_allclose(connect().predict(images()), library.score, atol=1e-6)


def test_the_server_says_the_size_of_the_images(connect):
    assert connect().image_size == (32, 32)


def test_a_study_comes_back_explained_on_its_grid(connect, bundle, tmp_path):
    volume = np.random.default_rng(1).random((40, 36, 3)).astype(np.float32)
    volume[..., 1] = 0.5  # blank
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "scan.nii.gz")
    result = connect().explain_study(tmp_path / "scan.nii.gz")
    assert result.study.blank.tolist() == [False, True, False]
    study = read_study(tmp_path / "scan.nii.gz", (32, 32))
    expected = explainers.get("syce", bundle, steps=5).explain(study.images[~study.blank])
    assert_same_maps(result.explanation.maps["fi_v2_smooth"], expected.maps["fi_v2_smooth"])


def test_a_dicom_file_comes_back_explained_in_its_frames(connect, bundle, tmp_path):
    pixels = np.stack([picture(top=4095), picture(top=4095)[::-1]]).astype(np.uint16)
    path = tmp_path / "scan.dcm"
    path.write_bytes(dicom_bytes(dicom(pixels, 12, PhotometricInterpretation="MONOCHROME1")))
    result = connect().explain_study(path)
    expected = explainers.get("syce", bundle, steps=5).explain(read_study(path, (32, 32)).images)
    assert len(result.explanation) == 2
    assert_same_maps(result.explanation.maps["fi_v2_smooth"], expected.maps["fi_v2_smooth"])


def test_a_blank_study_is_not_sent(connect, tmp_path):
    Image.fromarray(np.full((30, 30), 7, np.uint8)).save(tmp_path / "blank.png")
    client = connect()
    assert client.image_size  # asked for before
    client.request = None
    assert len(client.explain_study(tmp_path / "blank.png").explanation) == 0


def test_a_version_and_a_label_are_asked_for(connect):
    assert connect(version=1).predict(images()[:1]).shape == (1,)
    assert connect(label="stable").predict(images()[:1]).shape == (1,)
    for options in ({"version": 2}, {"label": "canary"}, {"model": "other"}):
        with pytest.raises(InputError, match="Check the model's name, version and label"):
            connect(**options).predict(images()[:1])
    with pytest.raises(InputError, match="Unrecognized servable version label: canary"):
        connect(label="canary").predict(images()[:1])


def test_more_images_than_the_largest_batch_are_refused(connect):
    with pytest.raises(InputError, match="Let `batch_size` be at most that maximum") as error:
        connect(batch_size=8).explain(images())
    assert "Task size 8 is larger than maximum input batch size 3" in str(error.value)


def test_images_of_another_size_are_refused_by_the_server(connect):
    with pytest.raises(InputError, match="takes images of that size"):
        connect().explain(images()[:1, :30])


@pytest.mark.parametrize(
    "wrong", [np.zeros((0, 32, 32, 1)), np.zeros((32, 32)), np.full((1, 32, 32, 1), 2.0)]
)
def test_what_is_no_batch_of_images_is_not_sent(connect, wrong):
    with pytest.raises(ValueError, match="`images` must be"):
        connect().explain(wrong)


def test_a_request_that_takes_too_long_is_not_sent_again(connect):
    with pytest.raises(InputError, match="allow more time"):
        connect(timeout=1e-3).explain(images())


@pytest.mark.parametrize(
    "client",
    [
        lambda: GrpcClient("127.0.0.1:1", "m", attempts=2),
        lambda: RestClient("http://127.0.0.1:1", "m", attempts=2),
    ],
)
def test_a_server_that_is_not_there_is_said_in_one_line(client, at_once):
    with pytest.raises(InputError, match="no answer after 2 attempts") as error:
        client().predict(images())
    assert "\n" not in str(error.value)


def test_options_must_be_possible():
    with pytest.raises(ValueError, match="must be positive"):
        RestClient("http://127.0.0.1", "m", batch_size=0)
    with pytest.raises(ValueError, match="Either `version` or `label`"):
        RestClient("http://127.0.0.1", "m", version=1, label="stable")
    for address in ("127.0.0.1:8501", "http://", "http://127.0.0.1:rest"):
        with pytest.raises(InputError, match="is no address of a REST interface"):
            RestClient(address, "m")


class Failing(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Fails with each code in turn, then answers with a probability for every image."""

    def __init__(self, codes):
        self.codes, self.calls = list(codes), 0

    def Predict(self, request, context):
        self.calls += 1
        if self.codes:
            context.abort(self.codes.pop(0), "as the test wants")
        response = predict_pb2.PredictResponse()
        count = request.inputs["images"].tensor_shape.dim[0].size
        response.outputs["probability"].CopyFrom(tf.make_tensor_proto(np.ones(count, np.float32)))
        return response


def failing_grpc(codes):
    return grpc_server(Failing(codes))


@contextmanager
def grpc_server(service):
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with GrpcClient(f"127.0.0.1:{port}", "m", attempts=3) as client:
                yield service, client
        finally:
            server.stop(None).wait()


@contextmanager
def failing_rest(codes):
    codes, calls = list(codes), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            calls.append(body)
            code = codes.pop(0) if codes else 200
            good = {"outputs": [1.0] * len(body["inputs"]["images"])}
            content = json.dumps(good if code == 200 else {"error": "as the test wants"}).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with rest_server(Handler) as address:
        yield calls, RestClient(address, "m", attempts=3)


@contextmanager
def rest_server(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


UNAVAILABLE, INTERNAL = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def test_grpc_tries_again_while_unavailable_and_only_then(at_once):
    with failing_grpc([UNAVAILABLE, UNAVAILABLE]) as (service, client):
        assert client.predict(images()).tolist() == [1] * 8
        assert service.calls == 3
    with failing_grpc([UNAVAILABLE] * 3) as (service, client):
        with pytest.raises(InputError, match=r"no answer after 3 attempts \(as the test wants\)"):
            client.predict(images())
        assert service.calls == 3
    with failing_grpc([INTERNAL]) as (service, client):
        with pytest.raises(InputError, match="answers INTERNAL: as the test wants"):
            client.predict(images())
        assert service.calls == 1


@pytest.mark.slow
def test_rest_tries_again_while_unavailable_and_only_then(at_once):
    with failing_rest([503, 503]) as (calls, client):
        assert client.predict(images()).tolist() == [1] * 8
        assert len(calls) == 3
    with failing_rest([503] * 3) as (calls, client):
        with pytest.raises(InputError, match=r"no answer after 3 attempts \(as the test wants\)"):
            client.predict(images())
        assert len(calls) == 3
    with failing_rest([500]) as (calls, client):
        with pytest.raises(InputError, match="answers 500: as the test wants"):
            client.predict(images())
        assert len(calls) == 1


def test_a_busy_server_is_said_and_not_called_again():
    with failing_grpc([EXHAUSTED]) as (service, client):
        with pytest.raises(InputError, match="The server is busy or the message is too large"):
            client.predict(images())
        assert service.calls == 1
    with failing_rest([429]) as (calls, client):
        with pytest.raises(InputError, match="The server is busy or the message is too large"):
            client.predict(images())
        assert len(calls) == 1


@pytest.mark.slow
@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"])
def test_a_request_that_the_server_may_be_at_work_on_is_not_sent_again(begin):
    calls = []

    class Closing(BaseHTTPRequestHandler):
        def do_POST(self):
            calls.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.wfile.write(begin)
            self.close_connection = True

        def log_message(self, *_):
            pass

    with (
        rest_server(Closing) as address,
        pytest.raises(InputError, match=r"gave no whole answer .* Look at the server's log"),
    ):
        RestClient(address, "m").predict(images())
    assert len(calls) == 1


def test_a_name_that_is_not_resolved_is_tried_again(monkeypatch, at_once):
    calls = []

    def unresolved(*_, **__):
        calls.append(1)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unresolved)
    with pytest.raises(InputError, match=r"no answer after 3 attempts .*name resolution"):
        RestClient("http://server", "m", attempts=3).predict(images())
    assert len(calls) == 3


def test_https_to_a_server_without_a_certificate_is_said_at_once(server):
    with pytest.raises(
        InputError, match=r"makes no secure connection .* write http:// where the server has none"
    ):
        RestClient(server.rest.replace("http", "https"), "tiny").predict(images())


STRANGE = [
    "<html>hello</html>",
    "[1, 2]",
    '{"answer": 1}',
    '{"outputs": {"probability": ["a"]}}',
    '{"outputs": {"probability": [null]}}',
    '{"outputs": {"probability": [[1], [1, 2]]}}',
    '{"outputs": {"classes": [1]}}',
    '{"outputs": [1, 2, 3]}',
    '{"outputs": 0.5}',
    '{"metadata": {"signature_def": {"signature_def": {"serving_default": {"inputs": {"x": {}}}}}}}',
    '{"metadata": {"signature_def": {"signature_def": {"serving_default": {"inputs": {"images": '
    '{"tensor_shape": {"dim": [{"size": "-1"}, {"size": "-1"}, {"size": "-1"}, {"size": "3"}]}}}}}}}',
]


@pytest.mark.slow
@pytest.mark.parametrize("content", STRANGE)
def test_what_no_export_answers_over_rest_is_said_in_one_line(content):
    class Strange(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content.encode())

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_):
            pass

    with rest_server(Strange) as address:
        client = RestClient(address, "m")
        for call in (client.predict, client.explain, lambda _: client.image_size):
            with pytest.raises(InputError, match="'m' is no export of tfadvpath") as error:
                call(images())
            assert "\n" not in str(error.value)


class Other(prediction_service_pb2_grpc.PredictionServiceServicer):
    """A model that is no export: other outputs, other inputs."""

    def __init__(self, outputs, shape):
        self.outputs, self.shape = outputs, shape

    def Predict(self, request, context):
        response = predict_pb2.PredictResponse()
        for name, tensor in self.outputs.items():
            response.outputs[name].CopyFrom(tensor)
        return response

    def GetModelMetadata(self, request, context):
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        signatures = get_model_metadata_pb2.SignatureDefMap()
        if self.shape is not None:
            shape = tf.TensorShape(self.shape).as_proto()
            signatures.signature_def["serving_default"].inputs["images"].tensor_shape.CopyFrom(shape)
        response.metadata["signature_def"].Pack(signatures)
        return response


@pytest.mark.parametrize(
    ("outputs", "shape"),
    [
        ({}, None),
        ({"classes": tf.make_tensor_proto([1.0])}, [None, 10]),
        ({"probability": tf.make_tensor_proto([1.0])}, [None, None, None, 3]),
        ({"probability": tf.make_tensor_proto(["a"] * 8)}, [None, 0, 5, 1]),
        ({"probability": tensor_pb2.TensorProto(dtype=99)}, None),
    ],
)
def test_what_no_export_answers_over_grpc_is_said_in_one_line(outputs, shape):
    with grpc_server(Other(outputs, shape)) as (_, client):
        for call in (client.predict, client.explain, lambda _: client.image_size):
            with pytest.raises(InputError, match="'m' is no export of tfadvpath") as error:
                call(images())
            assert "\n" not in str(error.value)


def test_pixels_lose_nothing_in_json():
    with failing_rest([]) as (calls, client):
        client.predict(images())
    sent = np.array(calls[0]["inputs"]["images"], np.float32)
    np.testing.assert_allclose(sent, images(), rtol=0, atol=1e-9)


def test_waits_double_up_to_a_limit(monkeypatch):
    waits = []
    monkeypatch.setattr(failures.time, "sleep", waits.append)
    monkeypatch.setattr(failures.random, "uniform", lambda low, high: high)

    def fail():
        raise failures.Unavailable

    with pytest.raises(failures.Unavailable):
        failures.with_retries(fail, 7)
    assert waits == [0.5, 1, 2, 4, 8, 8]


def test_a_message_may_be_larger_than_grpc_s_4_mib(exported):
    # 128 images of 32x32 come back as 1.5 MiB each way; 600 of them are above 4 MiB.
    many = np.repeat(images(), 75, axis=0)
    with (
        stand_in_server(exported, limit_batches=False) as server,
        GrpcClient(server.grpc, "tiny", batch_size=600) as client,
    ):
        assert client.explain(many).start.nbytes * 3 > 4 * 2**20


def test_a_file_is_explained_over_rest_as_the_kit_s_example_does(server, bundle, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray((255 * images()[3, ..., 0]).astype(np.uint8)).save(path)
    body = {
        "signature_name": "explain_bytes",
        "inputs": {"image_bytes": [{"b64": base64.b64encode(path.read_bytes()).decode()}]},
    }
    request = urllib.request.Request(f"{server.rest}/v1/models/tiny:predict", json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=60) as response:
        outputs = json.load(response)["outputs"]
    study = read_study(path, (32, 32))
    np.testing.assert_allclose(outputs["image"], study.images, atol=1e-5)
    expected = explainers.get("syce", bundle, steps=5).explain(study.images)
    assert_same_maps(np.array(outputs["map"]), expected.maps["fi_v2_smooth"])


def test_a_series_comes_back_explained_in_the_order_of_its_slices(connect, bundle, tmp_path):
    paths = write_series(tmp_path / "in", noise(3, 40, 36))
    for named in (paths[::-1], tmp_path / "in"):
        result = connect().explain_study(named)
        assert result.study.sources == tuple(paths)
    expected = explainers.get("syce", bundle, steps=5).explain(read_study(paths, (32, 32)).images)
    assert_same_maps(result.explanation.maps["fi_v2_smooth"], expected.maps["fi_v2_smooth"])
