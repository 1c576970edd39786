"""The deployment kit in export/: what can be checked of it without the server's image."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from support.serving import images

from tfadvpath.serving.stand_in import stand_in_server

KIT = Path(__file__).parents[2] / "export"


def compose():
    return yaml.safe_load((KIT / "compose.yaml").read_text())


def test_no_port_is_open_to_other_machines_and_models_cannot_be_written():
    for service in compose()["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert all(volume["read_only"] for volume in service["volumes"])
        assert service["read_only"]


def test_a_server_can_take_neither_the_machine_s_memory_nor_its_cores_nor_its_disk():
    for service in compose()["services"].values():
        assert service["mem_limit"] == service["memswap_limit"] == "${MEMORY:-8g}"
        assert service["cpus"] == "${CPUS:-4}"
        assert 0 < service["pids_limit"] <= 4096
        assert service["tmpfs"] == ["/tmp:size=64m,noexec,nosuid,nodev"]
        assert service["cap_drop"] == ["ALL"]
        assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
        assert service["healthcheck"]["test"][0] == "CMD"
        # By its digest, where one is named.
        assert service["image"].startswith("${TF_SERVING_IMAGE:-tensorflow/serving:")


def test_the_servers_read_the_files_of_the_kit_and_each_version_s_batch_sizes():
    for service in compose()["services"].values():
        flags = dict(flag.removeprefix("--").split("=", 1) for flag in service["command"])
        for name in ("monitoring_config_file", "batching_parameters_file"):
            assert (KIT / flags[name].removeprefix("/config/")).is_file()
        assert flags["enable_batching"] == flags["enable_per_model_batching_parameters"] == "true"
        assert int(flags["rest_api_timeout_in_ms"]) >= 600_000
        # explain_xla is for those who ask for it.
        assert not any("xla" in name for name in flags)


def test_a_gpu_multiplies_all_bits():
    assert compose()["services"]["gpu"]["environment"]["NVIDIA_TF32_OVERRIDE"] == "0"


def test_without_a_compiler_the_loader_check_says_so(tmp_path):
    command = ["make", "-C", str(KIT / "loader_check"), "CXX=no-compiler", f"BUILD={tmp_path}"]
    finished = subprocess.run(
        [*command, f"PYTHON={sys.executable}"], capture_output=True, text=True, check=False
    )
    assert finished.returncode
    assert "needs a C++ compiler, and there is no no-compiler" in finished.stderr


def test_the_readme_names_every_file_of_the_kit():
    text = (KIT / "README.md").read_text()
    for path in KIT.rglob("*"):
        if path.is_file() and path.name != "README.md" and path.parent.name != "__pycache__":
            assert re.search(rf"\b{re.escape(path.name)}\b", text), path


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray((255 * images()[3, ..., 0]).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def server(exported):
    with stand_in_server(exported) as addresses:
        yield addresses


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_the_python_example_writes_a_study(server, picture, tmp_path, monkeypatch, capsys, protocol):
    options = ["--server", getattr(server, protocol), "--model", "tiny", "--map", "fi_v1"]
    options += ["--out", str(tmp_path / "maps"), "--metadata", "x-site=north"]
    (tmp_path / "token").write_text("abc.def\n")
    options += ["--token-file", str(tmp_path / "token")]
    monkeypatch.setattr(sys, "argv", ["explain_study.py", str(picture), *options])
    runpy.run_path(str(KIT / "clients" / "explain_study.py"), run_name="__main__")
    assert capsys.readouterr().out.startswith("1 slices, in ")
    with np.load(tmp_path / "maps" / "a.png" / "explanation.npz") as arrays:
        assert any("fi_v1" in name for name in arrays)


@pytest.fixture
def site(tmp_path, server):
    """Answers as the server, and notes the headers of what comes: its address over REST, and the headers."""
    seen = []

    class Passing(BaseHTTPRequestHandler):
        def do_POST(self):
            seen.append({name.lower(): value for name, value in self.headers.items()})
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = urllib.request.Request(server.rest + self.path, body)
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as response:
                content = response.read()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    passing = ThreadingHTTPServer(("127.0.0.1", 0), Passing)
    thread = threading.Thread(target=passing.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{passing.server_address[1]}", seen
    passing.shutdown()
    passing.server_close()
    thread.join()


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_the_shell_example_sends_the_token_and_headers_and_takes_no_proxy(site, picture, tmp_path):
    address, seen = site
    (tmp_path / "token").write_text("abc.def\n")
    script = [KIT / "clients" / "explain_file.sh", "--token-file", tmp_path / "token"]
    script += ["--metadata", "x-site=north: a=b"]
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:1", "TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()

    def run(*words):
        return subprocess.run([*script, *words], capture_output=True, text=True, check=False, env=environment)

    finished = run(picture, address, "tiny")
    assert finished.returncode == 0, finished.stderr
    assert seen[0]["authorization"] == "Bearer abc.def"
    assert seen[0]["x-site"] == "north: a=b"
    assert seen[0]["content-type"] == "application/json"
    assert list((tmp_path / "temporary").iterdir()) == []  # where the token was
    assert run("--proxy", picture, address, "tiny").returncode  # there is none at that port
    assert "would get the token unencrypted" in run(picture, "http://server:8501").stderr
    assert "there is no option --toke" in run("--toke", picture).stderr


def test_both_examples_have_the_same_options():
    shell = (KIT / "clients" / "explain_file.sh").read_text()
    python = (KIT / "clients" / "explain_study.py").read_text()
    for option in ("--token-file", "--ca", "--certificate", "--key", "--metadata", "--proxy"):
        assert f"#     {option}" in shell
        assert f'"{option}"' in python


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_the_shell_example_prints_json(server, picture):
    command = [KIT / "clients" / "explain_file.sh", picture, server.rest, "tiny"]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert np.array(json.loads(finished.stdout)["outputs"]["map"]).shape == (1, 32, 32, 1)
    finished = subprocess.run([*command, "canary"], capture_output=True, text=True, check=False)
    assert finished.returncode
    assert "Unrecognized servable version label: canary" in finished.stdout
