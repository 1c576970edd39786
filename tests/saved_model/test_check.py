"""Good exports pass, and every kind of damage is refused by one line that says where."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import named_tensor_pb2, saved_model_pb2

from tfadvpath.bundle.bundle import load_bundle, save_bundle
from tfadvpath.bundle.seal import sealed
from tfadvpath.errors import InputError
from tfadvpath.saved_model import check, check_process, contract
from tfadvpath.saved_model.check import CheckedCall, CheckSummary, check_saved_model
from tfadvpath.saved_model.check_process import Refused
from tfadvpath.saved_model.export import export_saved_model
from tfadvpath.saved_model.manifest import read_manifest, seal


def test_an_export_answers_as_recorded_without_keras_and_tfadvpath(exported):
    summary = check_saved_model(exported)
    assert summary.folder == exported
    assert summary.manifest == read_manifest(exported)
    calls = {(call.signature, call.images): call for call in summary.calls}
    signatures = ("predict", "serving_default", "explain_bytes")
    assert set(calls) == {(name, size) for name in signatures for size in (1, 3)}
    for call in calls.values():
        assert call.largest_difference <= 1e-3  # a gradient may jump at a ReLU's edge
    # An explanation goes through the classifier many times.
    assert calls["serving_default", 3].seconds > calls["predict", 3].seconds


def test_a_summary_as_json_has_the_calls_by_signature_and_size():
    calls = [CheckedCall("predict", 1, 0.5, 1e-7), CheckedCall("predict", 3, 0.75, 2e-7)]
    assert CheckSummary(Path("1"), {"name": "tiny"}, calls).as_json() == {
        "name": "tiny",
        "checked": {
            "predict": {
                "1": {"seconds": 0.5, "largest_difference": 1e-7},
                "3": {"seconds": 0.75, "largest_difference": 2e-7},
            }
        },
        "without_network": False,
        "is_signed": False,
    }


def test_other_answers_than_the_recorded_are_refused_although_the_files_are_sound(copy):
    path = copy / "assets.extra" / "cases.tfrecord"
    content = [
        named_tensor_pb2.NamedTensorProto.FromString(record)
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]
    with tf.io.TFRecordWriter(str(path)) as writer:
        for named in content:
            if named.name == "serving_default/outputs/map":
                named.tensor.CopyFrom(tf.make_tensor_proto(1.1 * tf.make_ndarray(named.tensor)))
            writer.write(named.SerializeToString())
    seal(copy, about(copy))
    with pytest.raises(InputError) as refused:
        check_saved_model(copy)
    assert "serving_default, batch of 1: map is 0.091 from what was recorded, allowed is 0.01" in str(
        refused.value
    )
    assert "\n" not in str(refused.value)


def writes_a_file(folder, path):
    """Lets predict write a file whenever it is called, and seals the version as whoever made it could."""
    graph_file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(graph_file.read_bytes())
    (graph,) = saved.meta_graphs
    (function,) = (
        each
        for each in graph.graph_def.library.function
        if each.signature.name.startswith("__inference_signature_wrapper_predict")
    )
    for name, value in (("evil_name", str(path)), ("evil_content", "content")):
        constant = function.node_def.add(name=name, op="Const")
        constant.attr["dtype"].type = tf.string.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    inputs = ["evil_name:output:0", "evil_content:output:0"]
    function.node_def.add(name="evil", op="WriteFile", input=inputs)
    function.control_ret["evil"] = "evil"
    function.signature.control_output.append("evil")
    graph_file.write_bytes(saved.SerializeToString())
    seal(folder, about(folder))


def test_a_graph_that_writes_files_is_refused_before_it_is_loaded_and_cannot_write_if_allowed(copy, tmp_path):
    evil = tmp_path / "written"
    writes_a_file(copy, evil)
    tf.saved_model.load(str(copy)).signatures["predict"](images=tf.zeros((1, 32, 32, 1)))
    assert evil.read_text() == "content"  # it does what the check must not let it do
    evil.unlink()
    with pytest.raises(InputError, match=r"has the operations WriteFile, .* in `allow_operations`"):
        check_saved_model(copy)
    assert not evil.exists()
    with pytest.raises(InputError, match=r"predict, batch of 1, fails: .*File too large"):
        check_saved_model(copy, allow_operations=["WriteFile"])
    assert not evil.exists() or evil.read_bytes() == b""


def test_a_version_that_takes_more_than_the_limits_is_refused_in_one_line(exported):
    for options, problem in (
        ({"time_limit": 0.5}, "the check takes more than 0.5 seconds. Raise `time_limit`"),
        ({"memory_limit": 2**28}, "Raise `memory_limit`, which is 0.25 GiB"),
    ):
        with pytest.raises(InputError, match=problem) as error:
            check_saved_model(exported, **options)
        assert "\n" not in str(error.value)


def test_a_check_that_waits_for_ever_is_refused_and_one_that_works_is_not(exported, monkeypatch, tmp_path):
    program = tmp_path / "program.py"
    monkeypatch.setattr(check, "_PROGRAM", program)
    monkeypatch.setattr(check, "_STALL_SECONDS", 1.0)
    monkeypatch.setattr(check, "_POLL_SECONDS", 0.1)
    program.write_text("import time; time.sleep(3600)")
    with pytest.raises(InputError, match=r"did nothing for 1 seconds.*Raise `memory_limit`, which is 2 GiB"):
        check_saved_model(exported, memory_limit=2**31)
    program.write_text(
        "import time\n"
        "end = time.monotonic() + 4\n"
        "while time.monotonic() < end: pass\n"
        'print(\'{"signatures": {}, "without_network": false}\')'
    )
    assert not check_saved_model(exported).calls


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "assets.extra/cases.tfrecord"]
)
def test_a_truncated_file_is_refused(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=f"{name}: the file is changed"):
        check_saved_model(copy)


def test_a_missing_and_an_added_file_are_refused(copy):
    (copy / "assets.extra" / "more").write_text("more")
    with pytest.raises(InputError, match="more: the file is not in the manifest"):
        check_saved_model(copy)
    (copy / "assets.extra" / "more").unlink()
    (copy / "fingerprint.pb").unlink()
    with pytest.raises(InputError, match=r"fingerprint\.pb: the file is missing"):
        check_saved_model(copy)


def test_no_file_outside_the_version_is_used(copy, tmp_path):
    (tmp_path / "outside").write_text("outside")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["sha256"]["../../outside"] = hashlib.sha256(b"outside").hexdigest()
    (copy / "manifest.json").write_text(json.dumps(sealed(manifest)))
    with pytest.raises(InputError, match=r"names \.\./\.\./outside, which is outside the folder"):
        check_saved_model(copy)
    for link, target in (("link", tmp_path / "outside"), ("folder", tmp_path)):
        (copy / link).symlink_to(target)
        del manifest["sha256"]["../../outside" if link == "link" else "link"]
        manifest["sha256"][link] = hashlib.sha256(b"outside").hexdigest()
        (copy / "manifest.json").write_text(json.dumps(sealed(manifest)))
        with pytest.raises(InputError, match=f"names {link}, which is outside the folder"):
            check_saved_model(copy)
        (copy / link).unlink()


def test_what_is_no_export_is_refused(tmp_path, copy):
    with pytest.raises(InputError, match="no exported version"):
        check_saved_model(tmp_path)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(InputError, match="format 2, this version checks 1"):
        check_saved_model(copy)


def test_another_preprocessing_is_refused(copy):
    example = copy / contract.FOLDER / "example.npy"
    np.save(example, np.load(example) ** 1.1)
    seal(copy, about(copy))
    with pytest.raises(InputError, match="images are prepared otherwise by this version"):
        check_saved_model(copy)


def about(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    return {key: manifest[key] for key in manifest.keys() - {"format", "sha256", "manifest_sha256"}}


def test_an_edited_manifest_is_refused(copy):
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(dict(reversed(manifest.items()))))
    assert read_manifest(copy) == manifest  # order and spaces mean nothing
    manifest["tolerance"]["map"] = 1.0
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json: the file is edited"):
        read_manifest(copy)
    del manifest["manifest_sha256"]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"manifest\.json: the file is edited"):
        read_manifest(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"batch_sizes": []}, r"names the batch sizes \[\]: nothing can be checked"),
        ({"batch_sizes": [0]}, r"names the batch sizes \[0\]"),
        ({"batch_sizes": [1, 9]}, "predict has 3 recorded images, fewer than the batch of 9"),
        ({"tolerance": {"map": 0.5}}, "allows map to be 0.5 from what was recorded, at most 0.01 may"),
        ({"tolerance": {"probability": 0.01}}, "allows probability to be 0.01"),
    ],
)
def test_a_manifest_that_asks_for_less_than_a_check_is_refused_although_it_is_sealed(copy, change, reason):
    sealed = about(copy)
    merged = {**sealed, **change}
    if "tolerance" in change:
        merged["tolerance"] = {**sealed["tolerance"], **change["tolerance"]}
    seal(copy, merged)
    with pytest.raises(InputError, match=reason):
        check_saved_model(copy)


def test_a_tolerance_that_is_no_number_is_neither_written_nor_accepted(copy):
    sealed = about(copy)
    sealed["tolerance"] = {**sealed["tolerance"], "start": math.nan}
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        seal(copy, sealed)
    # Python's reader accepts NaN: here is a manifest with it, under the digest that it should have.
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["tolerance"]["start"] = math.nan
    del manifest["manifest_sha256"]
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (copy / "manifest.json").write_text(json.dumps({**manifest, "manifest_sha256": digest}))
    with pytest.raises(InputError, match="allows start to be nan"):
        check_saved_model(copy)


def test_a_sealed_version_without_its_contract_is_refused_in_one_line(copy):
    shutil.rmtree(copy / contract.FOLDER)
    seal(copy, about(copy))
    with pytest.raises(InputError, match="has no contract of the preprocessing") as refused:
        check_saved_model(copy)
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def others(bundle, tmp_path_factory):
    """Exports of networks with other weights, and of a method with another network."""
    folder = tmp_path_factory.mktemp("others")
    keras.utils.set_random_seed(5)
    classifier = keras.models.clone_model(bundle.classifier)  # with new weights
    generators = {
        name: {f"generator_{k}": unet for k, unet in enumerate(bundle.generators[name].generators)}
        for name in ("cyce", "syce")
    }
    save_bundle(folder / "bundle", classifier, generators, bundle.recipe, {"test": {}})
    options = {"steps": 5, "sizes": (3, 1)}
    return {
        "weights": export_saved_model(load_bundle(folder / "bundle"), folder, **options),
        "network": export_saved_model(bundle, folder, name="sagen", method="sagen", **options),
    }


@pytest.mark.parametrize(
    ("other", "names", "reason"),
    [
        ("weights", ["saved_model.pb", "variables"], "from what was recorded, allowed is"),
        ("network", ["saved_model.pb"], "it cannot be loaded: Received incompatible tensor"),
    ],
)
def test_the_model_of_another_bundle_is_refused_although_it_is_sealed(copy, others, other, names, reason):
    for name in names:
        if (copy / name).is_dir():
            shutil.copytree(others[other] / name, copy / name, dirs_exist_ok=True)
        else:
            shutil.copy(others[other] / name, copy / name)
    seal(copy, about(copy))
    with pytest.raises(InputError, match=f"{reason}.*Do not serve it; export it anew"):
        check_saved_model(copy)


def test_keras_and_tfadvpath_can_be_imported_before_the_check_and_not_after(exported):
    # Without the first line of the answer the second would show nothing.
    program = f"""
import importlib.util, runpy, sys
names = ("keras", "tfadvpath")
print([importlib.util.find_spec(name) is not None for name in names])
sys.argv = ["check_process.py", {str(exported)!r}, '{{"allowed": [], "memory": {2**34}, "seconds": 9999}}']
runpy.run_path({check_process.__file__!r}, run_name="__main__")
print([name in sys.modules for name in names])
for name in names:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    found, checked, loaded, *errors = done.stdout.splitlines()
    assert found == "[True, True]"
    assert set(json.loads(checked)) == {"signatures", "without_network"}
    assert loaded == "[False, False]"
    assert errors == ["No module named 'keras'", "No module named 'tfadvpath'"]


CHANGE = {"probability_start": np.array([0.2, 0.5]), "probability_adversary": np.array([0.7, 0.500001])}
RECORDED = {
    **CHANGE,
    "map": np.ones((2, 4, 4, 1)) * [[[[1e-4]]], [[[10.0]]]],
    "flipped": np.array([True, False]),
    "completeness_residual": np.array([0.01, 0.01]),
}

LIMITS = dict.fromkeys(RECORDED, 1e-3)


def differing(name, values):
    return {**RECORDED, name: np.asarray(values)}


def test_a_map_is_compared_relative_to_each_image_s_largest_value():
    values = RECORDED["map"].copy()
    values[0, 1, 1] += 1e-6  # small beside the other image, large in its own
    with pytest.raises(Refused, match=r"here: map is 0\.01 from what was recorded, allowed is 0\.001"):
        check_process.compare("here", differing("map", values), RECORDED, LIMITS)
    assert check_process.compare(
        "here", differing("map", values), RECORDED, dict.fromkeys(RECORDED, 2e-2)
    ) == pytest.approx(1e-2)


def test_a_residual_is_compared_by_the_change_that_it_is_relative_to():
    values = RECORDED["completeness_residual"] + [1e-3, 0.1]
    assert check_process.compare("", differing("completeness_residual", values), RECORDED, LIMITS) < 1e-3
    with pytest.raises(Refused):
        check_process.compare("", differing("completeness_residual", [0.02, 0.01]), RECORDED, LIMITS)


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("flipped", [False, False], "flipped is 1"),
        ("probability_start", [0.2, np.nan], "probability_start is nan"),
        ("probability_start", [0.2], "has the shape"),
    ],
)
def test_other_answers_are_refused(name, values, reason):
    with pytest.raises(Refused, match=reason):
        check_process.compare("here", differing(name, values), RECORDED, LIMITS)


def test_signatures_must_be_those_of_the_manifest(exported):
    signatures = tf.saved_model.load(str(exported)).signatures
    described = read_manifest(exported)["signatures"]
    check_process.compare_signatures(signatures, described)
    with pytest.raises(Refused, match="its signatures are"):
        check_process.compare_signatures(signatures, {**described, "more": {}})
    described["predict"]["inputs"]["images"]["shape"] = [-1, 64, 64, 1]
    with pytest.raises(Refused, match="predict has other inputs"):
        check_process.compare_signatures(signatures, described)
