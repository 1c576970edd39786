"""What a client shows to a server, what it checks, and what it sends nobody else."""

from __future__ import annotations

import json
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import pytest
import tensorflow as tf
from support.certificates import write_certificates
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tfadvpath.errors import InputError
from tfadvpath.serving import Access, GrpcClient, RestClient

IMAGES = np.zeros((1, 4, 4, 1), np.float32)


class Recording(BaseHTTPRequestHandler):
    """Answers every POST with a probability, and notes the headers of whatever comes."""

    def do_POST(self):
        self.server.seen.append(dict(self.headers))
        self.rfile.read(int(self.headers["Content-Length"]))
        content = json.dumps({"outputs": [1.0]}).encode()
        self.send_response(self.server.code)
        self.send_header("Content-Length", str(len(content)))
        if self.server.leads_to:
            self.send_header("Location", self.server.leads_to)
        self.end_headers()
        self.wfile.write(content)

    def do_CONNECT(self):
        self.server.seen.append(dict(self.headers))
        self.send_error(502)

    do_GET = do_CONNECT

    def log_message(self, *_):
        pass


@contextmanager
def http_server(context=None, code=200, leads_to=None):
    """A server, or a proxy: its address, and the headers of every request that it saw."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recording)
    server.seen, server.code, server.leads_to = [], code, leads_to
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}", server.seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def grpc_server(credentials=None):
    """A server that answers every prediction: its address, and the metadata of every request that it saw."""
    seen = []

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            seen.append(dict(context.invocation_metadata()))
            response = predict_pb2.PredictResponse()
            response.outputs["probability"].CopyFrom(tf.make_tensor_proto([1.0]))
            return response

    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
        port = (
            server.add_insecure_port("127.0.0.1:0")
            if credentials is None
            else server.add_secure_port("127.0.0.1:0", credentials)
        )
        server.start()
        try:
            yield f"127.0.0.1:{port}", seen
        finally:
            server.stop(None).wait()


def predict(kind, address, **access):
    client = kind(address, "m", access=Access(**access), attempts=1, timeout=20)
    try:
        return client.predict(IMAGES).tolist()
    finally:
        if kind is GrpcClient:
            client.close()


SERVERS = [pytest.param(RestClient, http_server, id="rest"), pytest.param(GrpcClient, grpc_server, id="grpc")]


@pytest.mark.parametrize(("kind", "serve"), SERVERS)
def test_images_go_to_the_server_and_to_a_proxy_only_if_asked(kind, serve, monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serve() as (address, seen), http_server() as (proxy, passed):
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, proxy)
        assert predict(kind, address) == [1.0]
        assert (len(seen), len(passed)) == (1, 0)
        try:
            predict(kind, address, proxy=True)
        except InputError:
            assert kind is GrpcClient  # for which this proxy opens no way
        assert (len(seen), len(passed)) == (1, 1)


@pytest.mark.parametrize(("kind", "serve"), SERVERS)
def test_the_token_and_other_headers_come_with_every_request(kind, serve):
    with serve() as (address, seen):
        predict(kind, address, token="abc.def", metadata={"x-site": "north"})
    (headers,) = ({name.lower(): value for name, value in each.items()} for each in seen)
    assert headers["authorization"] == "Bearer abc.def"
    assert headers["x-site"] == "north"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@contextmanager
def secure_rest(files):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files / "ca.pem"))
    context.load_cert_chain(files / "server.pem", files / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    with http_server(context) as found:
        yield found


@contextmanager
def secure_grpc(files):
    pair = ((files / "server.key").read_bytes(), (files / "server.pem").read_bytes())
    credentials = grpc.ssl_server_credentials(
        [pair], (files / "ca.pem").read_bytes(), require_client_auth=True
    )
    with grpc_server(credentials) as found:
        yield found


@pytest.mark.parametrize(
    ("kind", "serve"),
    [pytest.param(RestClient, secure_rest, id="rest"), pytest.param(GrpcClient, secure_grpc, id="grpc")],
)
def test_both_sides_show_certificates(kind, serve, files):
    client = {"certificate": files / "client.pem", "key": files / "client.key"}
    with serve(files) as (address, seen):
        assert predict(kind, address, ca=files / "ca.pem", **client) == [1.0]
        assert len(seen) == 1
        for fewer in ({"ca": files / "ca.pem"}, client):
            with pytest.raises(InputError) as error:
                predict(kind, address, **fewer)
            assert "\n" not in str(error.value)
        assert len(seen) == 1


@pytest.mark.parametrize(
    ("kind", "address"), [(RestClient, "http://server:8501"), (GrpcClient, "server:8500")]
)
def test_a_token_is_not_sent_unencrypted_over_a_network(kind, address):
    with pytest.raises(InputError, match="would get `token` unencrypted"):
        kind(address, "m", access=Access(token="abc"))
    kind(address, "m", access=Access(metadata={"authorization": "Bearer abc"}))  # who says it so wants it


def test_no_redirect_is_followed():
    with (
        http_server() as (other, passed),
        http_server(code=302, leads_to=other) as (address, _),
        pytest.raises(InputError, match="answers 302"),
    ):
        predict(RestClient, address, token="abc")
    assert passed == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"token": "a\r\nx-evil: 1"}, "`token`: authorization has a value that no header can hold"),
        ({"metadata": {"x": "a\nb"}}, "`metadata`: x has a value that no header can hold"),
        ({"metadata": {"X-Site": "a"}}, "'X-Site' is no name of a header|X-Site is no name of a header"),
        ({"metadata": {"a: b": "a"}}, "is no name of a header"),
        ({"metadata": {"x-bin": "a"}}, "is no name of a header"),
        ({"key": "k.pem"}, "`key`: has no certificate"),
    ],
)
def test_what_cannot_be_sent_is_said_at_once(options, problem):
    with pytest.raises(InputError, match=problem):
        Access(**options)


def test_secrets_are_not_shown():
    assert "abc" not in repr(Access(token="abc", metadata={"x-key": "abc"}))


@pytest.mark.parametrize("kind", [RestClient, GrpcClient])
def test_a_file_that_is_no_certificate_is_named(kind, files, tmp_path):
    (tmp_path / "text").write_text("no certificate")
    address = "https://127.0.0.1:1" if kind is RestClient else "127.0.0.1:1"
    for options, name in (
        ({"ca": tmp_path / "missing"}, "`ca` .*missing"),
        ({"ca": tmp_path / "text"}, "`ca` .*text"),
        ({"certificate": tmp_path / "missing"}, "`certificate` .*missing"),
        ({"certificate": files / "client.pem", "key": files / "server.key"}, "`certificate` .*client"),
    ):
        with pytest.raises(InputError, match=f"{name}.*: cannot be used"):
            kind(address, "m", access=Access(**options))
