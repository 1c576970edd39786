"""The server is of this machine alone, keeps what it has from others, and leaves nothing."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import os
import socket
import stat
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from tfadvpath.batch.options import ExplainOptions
from tfadvpath.errors import InputError
from tfadvpath.viewer_server.server import serving

pytest.importorskip("gradio")
pytestmark = pytest.mark.slow
OPTIONS = ExplainOptions(method="gradient", batch_size=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The system's folder of temporary files, for the time of these tests."""
    folder = tmp_path_factory.mktemp("temporary")
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield folder
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def address(bundle, folder):
    with serving(bundle, OPTIONS, 0) as address:
        yield address


def asked(address: str, path: str = "/", method: str = "GET", **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(address).netloc, timeout=60)
    connection.putrequest(method, path, skip_host="host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    return connection.getresponse()


def test_it_listens_on_this_machine_alone(address):
    assert address.startswith("http://127.0.0.1:")
    port = int(address.rpartition(":")[2])
    listening = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    local = [line.split()[1] for line in listening if line.split()[3] == "0A"]  # of those that listen
    assert f"0100007F:{port:04X}" in local
    assert [one for one in local if one.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]
    if Path("/proc/net/tcp6").exists():
        assert f":{port:04X} 0000" not in Path("/proc/net/tcp6").read_text(encoding="ascii")


def test_a_page_of_elsewhere_is_not_answered(address):
    netloc = urllib.parse.urlsplit(address).netloc
    assert asked(address).status == 200
    assert asked(address, host="localhost:" + netloc.rpartition(":")[2]).status == 200
    for headers in (
        {"host": "rebound.example:80"},
        {"host": "rebound.example"},
        {"origin": "http://elsewhere.example"},
        {"origin": "http://127.0.0.1:1"},
    ):
        answer = asked(address, method="POST", path="/gradio_api/upload", **headers)
        assert answer.status == 403, headers
        assert answer.read() == b"This page is of this machine alone.\n"


def test_the_page_may_ask_this_server_alone_and_nothing_is_kept(address):
    answer = asked(address)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    "path",
    ["/explanations/guessed/page", "/explanations/guessed/npz", "/explanations/..%2f/page"],
)
def test_a_guessed_address_has_a_line(address, path):
    answer = asked(address, path=path)
    assert answer.status == 404
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/../../etc/passwd", str(Path(__file__)), "{folder}", "setup.cfg"]
)
def test_no_file_of_the_machine_is_served(address, folder, path):
    place = path.format(folder=next(folder.glob("tfadvpath-view-*")))
    for prefix in ("/gradio_api/file=", "/file=", "/static/"):
        answer = asked(address, path=prefix + urllib.parse.quote(place))
        assert answer.status in (403, 404, 405, 500, 307), (prefix, place)
        assert b"root:" not in answer.read()


def test_functions_are_of_the_page_alone(address):
    answer = asked(address, path="/gradio_api/info")
    assert b"bring" not in answer.read()
    for path in ("/docs", "/monitoring"):
        assert asked(address, path=path).status in (403, 404), path


def test_what_is_dropped_lies_where_nobody_else_reads_it(address, folder):
    [own] = folder.glob("tfadvpath-view-*")  # autograph of TensorFlow has files there too
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert stat.S_IMODE((own / "uploads").stat().st_mode) == 0o700
    assert os.environ["GRADIO_TEMP_DIR"] == str(own / "uploads")
    boundary = (
        b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\nabc\r\n--x--\r\n'
    )
    request = urllib.request.Request(
        f"{address}/gradio_api/upload", boundary, {"Content-Type": "multipart/form-data; boundary=x"}
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200
    assert [path for path in folder.rglob("a.png") if (own / "uploads") in path.parents]


def test_all_is_deleted_at_the_end_and_the_environment_is_as_it_was(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = dict(os.environ)
    with contextlib.suppress(KeyboardInterrupt), serving(bundle, OPTIONS, 0):
        [own] = tmp_path.glob("tfadvpath-view-*")
        (own / "uploads" / "scan.dcm").write_bytes(b"a")
        assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
        assert os.environ["HF_HUB_OFFLINE"] == "1"
        raise KeyboardInterrupt
    assert list(tmp_path.glob("tfadvpath-view-*")) == []
    assert dict(os.environ) == before


def refused(bundle: Path, port: int) -> str:
    with pytest.raises(InputError) as caught, serving(bundle, OPTIONS, port):
        pass
    return str(caught.value)


def test_a_port_that_is_taken_has_a_line(bundle):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert refused(bundle, port).startswith(f"`port`: {port} cannot be taken")
    assert "70000 is no port" in refused(bundle, 70000)


def test_without_gradio_the_extra_is_named(bundle, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "gradio" else find(name))
    assert "Run: pip install 'tfadvpath[viewer]'" in refused(bundle, 0)
