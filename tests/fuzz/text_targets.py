"""Targets that take text: tables, lists, recipes, manifests, and what comes over the network.

What they need of TensorFlow is imported when they run.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from fuzz import seeds
from fuzz.promises import BrokenPromise, check_line
from fuzz.target import Target
from fuzz.text_mutator import change_csv, change_json, change_yaml

from tfadvpath.errors import InputError


def _refused_in_one_line(read: Callable[[Path], Any], path: Path) -> None:
    try:
        read(path)
    except InputError as error:
        check_line(error, path, *path.parents)


def read_table(data: bytes, folder: Path) -> None:
    from tfadvpath.datasets.csv_tables import box_of, read_table

    def read(path: Path) -> None:
        for _, row in read_table(path, ("file", "patient", "label")):
            with contextlib.suppress(ValueError):
                box_of(row)

    path = folder / "table.csv"
    path.write_bytes(data)
    _refused_in_one_line(read, path)


def read_split(data: bytes, folder: Path) -> None:
    from tfadvpath.datasets.splits import Case, split_by_list

    path = folder / "list.json"
    path.write_bytes(data)
    _refused_in_one_line(lambda path: split_by_list(path, [Case("a", "pa"), Case("b", "pb")]), path)


def read_recipe(data: bytes, folder: Path) -> None:
    from tfadvpath.recipes.recipe import load_recipe

    path = folder / "recipe.yaml"
    path.write_bytes(data)
    _refused_in_one_line(load_recipe, path)


def read_bundle_manifest(data: bytes, folder: Path) -> None:
    """A changed manifest beside files whose digests it holds."""
    from tfadvpath.bundle.manifest import checked_manifest

    for name in ("recipe.yaml", "figures.json", "classifier.keras"):
        (folder / name).write_bytes(name.encode())
    (folder / "manifest.json").write_bytes(data)
    _refused_in_one_line(checked_manifest, folder)


@functools.cache
def _bundle_manifests() -> list[bytes]:
    from hashlib import sha256

    from tfadvpath.bundle.seal import sealed

    names = ("recipe.yaml", "figures.json", "classifier.keras")
    digests = {name: sha256(name.encode()).hexdigest() for name in names}
    content = {"name": "x", "versions": {}, "sha256": digests}
    return [
        json.dumps(made).encode() for made in ({"format": 2, **content}, sealed({"format": 3, **content}))
    ]


def read_export_manifest(data: bytes, folder: Path) -> None:
    from tfadvpath.saved_model.manifest import read_manifest

    (folder / "saved_model.pb").write_bytes(b"graph")
    (folder / "manifest.json").write_bytes(data)
    _refused_in_one_line(read_manifest, folder)


@functools.cache
def _export_manifests() -> list[bytes]:
    from tempfile import TemporaryDirectory

    from tfadvpath.saved_model.manifest import seal

    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "saved_model.pb").write_bytes(b"graph")
        seal(folder, {"signatures": ["predict"], "name": "x", "image_size": [8, 8]})
        return [(folder / "manifest.json").read_bytes()]


def read_prepared(data: bytes, folder: Path) -> None:
    """The summary of a folder of prepared images, and the count of a part."""
    from tfadvpath.datasets.prepare import SUMMARY
    from tfadvpath.datasets.prepared import Prepared

    (folder / "records").mkdir()
    (folder / SUMMARY).write_bytes(data)
    _refused_in_one_line(lambda path: Prepared(path, "pneumonia").load("train", 8), folder)


def _prepared_summaries() -> list[bytes]:
    parts = {"train": {"images": 0, "patients": 0}, "test": {"images": 2, "patients": 1}}
    return [json.dumps({"task": "pneumonia", "parts": parts, "records": "records"}).encode()]


def read_result(data: bytes, folder: Path) -> None:
    """A record of an earlier run that ``explain`` finds, and its folder as an input."""
    from tfadvpath.batch.ledger import row_of_results
    from tfadvpath.batch.outcomes import Resumed, Run
    from tfadvpath.batch.plan import Plan, Task
    from tfadvpath.batch.reading import Earlier, read_task
    from tfadvpath.studies.find import find_studies

    path = folder / "scan.png"
    path.write_bytes(seeds.png()[0])
    results = folder / "out"
    results.mkdir()
    (results / "study.json").write_bytes(data)
    (results / "maps.npz").write_bytes(b"")
    find_studies(folder)
    task = Task((path,), Path("out"))
    found = read_task(task.sources, (16, 16), None, results, {"method": "syce", "steps": 50})
    if isinstance(found, Earlier):
        rows = {"out": row_of_results(found.record, results, None)}
        run = Run(Plan([task], [], []), rows, "bundle", folder, "syce", 50, ["difference"])
        run.note(Resumed(task, found.record))
        json.dumps(run.summary().as_json())


@functools.cache
def _records() -> list[bytes]:
    from hashlib import sha256

    record = {"source": "scan.png", "sources": ["scan.png"], "folder": "out", "slices": 1, "blank": 0}
    record |= {"score": [0.5], "crossings": 1, "remarks": ["a remark"], "files": ["maps.npz"]}
    record |= {"made_with": {"method": "syce", "steps": 50}, "sha256": sha256(seeds.png()[0]).hexdigest()}
    return [json.dumps(record).encode()]


class _Answers(http.server.BaseHTTPRequestHandler):
    """A server that answers every request with the bytes it was told to, and one of several codes."""

    content = b""
    code = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(self.code)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing."""


@functools.cache
def _answering() -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def read_rest_answer(data: bytes, folder: Path) -> None:
    """What a server answers to the client over REST."""
    from tfadvpath.serving.rest_client import RestClient

    _Answers.content, _Answers.code = data, (200, 200, 200, 400, 404, 500)[len(data) % 6]
    host, port = _answering().server_address[:2]
    client = RestClient(f"http://{host}:{port}", "model", attempts=1, timeout=5)
    images = np.zeros((1, 2, 2, 1), np.float32)
    for ask in (client.predict, client.explain, lambda _: client.image_size):
        try:
            ask(images)
        except InputError as error:
            check_line(error)


def _rest_answers() -> list[bytes]:
    picture = [[[[0.0], [1.0]], [[0.5], [0.25]]]]
    explained = dict.fromkeys(("map", "start", "adversary"), picture)
    names = ("probability", "probability_start", "probability_adversary", "completeness_residual")
    explained |= {name: [0.5] for name in names}
    dimensions = [{"size": str(size), "name": ""} for size in (-1, 2, 2, 1)]
    inputs = {"images": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": dimensions, "unknown_rank": False}}}
    definition = {"signature_def": {"serving_default": {"inputs": inputs}}}
    answers: list[Any] = [{"outputs": [0.5]}, {"outputs": explained}, {"error": "no such model"}]
    answers.append({"metadata": {"signature_def": definition}})
    return [json.dumps(answer).encode() for answer in answers]


def read_request(data: bytes, folder: Path) -> None:
    """What a client sends over REST to the stand-in for the server."""
    import tensorflow as tf

    from tfadvpath.serving import stand_in

    handler = object.__new__(type("Handler", (stand_in._Handler,), {"protocol_version": "HTTP/1.1"}))
    answers: list[int] = []
    handler.model = SimpleNamespace(
        name="model",
        version=1,
        check=lambda *_: None,
        dtype=lambda signature, name: {"images": tf.float32, "image_bytes": tf.string}[name],
        run=lambda signature, inputs: {"probability": np.zeros(1)},
    )
    handler.path = "/v1/models/model:predict"
    handler.headers = {"Content-Length": str(len(data))}
    handler.rfile = SimpleNamespace(read=lambda count: data[:count])
    handler.wfile = SimpleNamespace(write=lambda content: None)
    handler.send_response = answers.append
    handler.send_header = lambda name, value: None
    handler.end_headers = lambda: None
    handler.do_POST()
    if answers not in ([200], [400], [404]):
        raise BrokenPromise(f"answers {answers}")


def _requests() -> list[bytes]:
    images = {"signature_name": "predict", "inputs": {"images": [[[[0.5]]]]}}
    packed = {"signature_name": "explain_bytes", "inputs": {"image_bytes": [{"b64": "AAAA"}]}}
    return [json.dumps(images).encode(), json.dumps(packed).encode()]


TEXTS = [
    Target("table", seeds.tables, change_csv, read_table, ".csv"),
    Target("split", seeds.splits, change_json, read_split, ".split.json"),
    Target("recipe", seeds.recipes, change_yaml, read_recipe, ".yaml"),
    Target("bundle_manifest", _bundle_manifests, change_json, read_bundle_manifest, ".manifest.json"),
    Target("export_manifest", _export_manifests, change_json, read_export_manifest, ".manifest.json"),
    Target("prepared", _prepared_summaries, change_json, read_prepared, ".prepared.json"),
    Target("result", _records, change_json, read_result, ".study.json"),
    Target("rest_answer", _rest_answers, change_json, read_rest_answer, ".answer.json"),
    Target("request", _requests, change_json, read_request, ".request.json"),
]
