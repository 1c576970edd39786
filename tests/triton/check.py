"""Serves an export by NVIDIA Triton and compares its answers with the recorded ones: ``make triton-check``.

    python tests/triton/check.py MODELS/NAME/VERSION PYTHON

PYTHON is that of the environment with requirements.txt. Several clients ask at once over HTTP, so that Triton
joins their requests; one asks over gRPC.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.saved_model.check_process import compare, read_cases
from tfadvpath.serving import KServeClient

HERE = Path(__file__).parent
_WAIT = 600  # seconds that the server may take to start
_CLIENTS = 6


def main(version, python):
    manifest = json.loads((version / "manifest.json").read_text())
    cases = read_cases(version / "assets.extra" / "cases.tfrecord")
    http, grpc = free_ports(2)
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "batches"
        log = (Path(folder) / "log").open("w+")
        command = [python, HERE / "server.py", version, str(http), str(grpc), record]
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment(python))
        try:
            wait_until_ready(server, f"http://127.0.0.1:{http}", manifest["name"])
            over_http(f"http://127.0.0.1:{http}", manifest, cases)
            say_batches(record)
            over_grpc(f"127.0.0.1:{grpc}", manifest, cases, python, Path(folder))
        except BaseException:
            log.seek(0)
            sys.stderr.write("".join(log.readlines()[-40:]))
            raise
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()


def environment(python):
    """The environment in which Triton finds the library of that Python, and no other's."""
    ask = "import sysconfig; print(sysconfig.get_config_var('LIBDIR'))"
    found = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    others = os.environ.get("LD_LIBRARY_PATH")
    return {**os.environ, "LD_LIBRARY_PATH": f"{found}:{others}" if others else found}


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until_ready(server, address, model):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + _WAIT
    for name in (model, f"{model}_predict"):
        while True:
            if server.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"Triton does not serve {name} (code {server.poll()})")
            try:
                opener.open(f"{address}/v2/models/{name}/ready", timeout=5)
                break
            except OSError:
                time.sleep(0.5)


def over_http(address, manifest, cases):
    """Every client sends one image at the same time; their answers are put together and compared."""
    inputs, expected = cases["serving_default"]
    largest = max(manifest["batch_sizes"])
    chosen = np.arange(_CLIENTS) % len(inputs["images"])
    clients = [KServeClient(address, manifest["name"], batch_size=largest) for _ in chosen]
    with ThreadPoolExecutor(len(chosen)) as threads:
        parts = list(
            threads.map(
                lambda client, i: client.request("serving_default", {"images": inputs["images"][i : i + 1]}),
                clients,
                chosen,
            )
        )
    answers = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    wanted = {name: values[chosen] for name, values in expected.items()}
    apart = compare("HTTP, serving_default", answers, wanted, manifest["tolerance"])
    print(f"HTTP: {len(parts)} clients at once, largest difference {apart:.1e}")
    client = clients[0]
    images, known = cases["predict"][0]["images"], cases["predict"][1]
    compare("HTTP, predict", {"probability": client.predict(images)}, known, manifest["tolerance"])
    assert client.image_size == inputs["images"].shape[1:3]
    too_many = np.repeat(inputs["images"][:1], largest + 1, axis=0)
    try:
        client.request("serving_default", {"images": too_many})
    except InputError as error:
        print(f"HTTP: {len(too_many)} images at once are refused: {error}")
    else:
        raise SystemExit("more images than the largest batch are not refused")


def say_batches(record):
    lines = [line.split() for line in record.read_text().splitlines()]
    sizes = [int(size) for name, size in lines if name == "serving_default"]
    print(f"Triton ran the requests of {_CLIENTS} clients as batches of {sizes}")
    if sum(sizes) < _CLIENTS or max(sizes) == 1:
        raise SystemExit("no requests were joined")


def over_grpc(address, manifest, cases, python, folder):
    inputs, expected = cases["serving_default"]
    count = max(manifest["batch_sizes"])
    np.save(folder / "images.npy", inputs["images"][:count])
    files = [folder / "images.npy", folder / "answers.npz"]
    subprocess.run([python, HERE / "ask_over_grpc.py", address, manifest["name"], *files], check=True)
    with np.load(folder / "answers.npz") as found:
        answers = {
            name: np.squeeze(found[name], 1) if found[name].ndim == 2 else found[name] for name in found
        }
    wanted = {name: values[:count] for name, values in expected.items()}
    apart = compare("gRPC, serving_default", answers, wanted, manifest["tolerance"])
    print(f"gRPC: {count} images, largest difference {apart:.1e}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
