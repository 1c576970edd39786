"""Good exports pass, and every kind of damage is refused by one line that says where."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import named_tensor_pb2

from tfadvpath.errors import InputError
from tfadvpath.saved_model import check_process, contract
from tfadvpath.saved_model.check import check_version
from tfadvpath.saved_model.check_process import Refused
from tfadvpath.saved_model.manifest import read_manifest, seal


def test_an_export_answers_as_recorded_without_keras_and_tfadvpath(exported):
    checked = check_version(exported)["checked"]
    assert set(checked) == {"predict", "serving_default", "explain_bytes"}
    for sizes in checked.values():
        assert set(sizes) == {"1", "3"}
        for figures in sizes.values():
            assert figures["largest_difference"] <= 1e-3  # a gradient may jump at a ReLU's edge
            assert figures["seconds"] > 0


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
        check_version(copy)
    assert "serving_default, batch of 1: map is 0.091 from what was recorded, allowed is 0.01" in str(
        refused.value
    )
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables/variables.index", "assets.extra/cases.tfrecord"]
)
def test_a_truncated_file_is_refused(copy, name):
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=f"{name}: the file is changed"):
        check_version(copy)


def test_a_missing_and_an_added_file_are_refused(copy):
    (copy / "assets.extra" / "more").write_text("more")
    with pytest.raises(InputError, match="more: the file is not in the manifest"):
        check_version(copy)
    (copy / "assets.extra" / "more").unlink()
    (copy / "fingerprint.pb").unlink()
    with pytest.raises(InputError, match=r"fingerprint\.pb: the file is missing"):
        check_version(copy)


def test_what_is_no_export_is_refused(tmp_path, copy):
    with pytest.raises(InputError, match="no exported version"):
        check_version(tmp_path)
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(InputError, match="format 2, this version checks 1"):
        check_version(copy)


def test_another_preprocessing_is_refused(copy):
    example = copy / contract.FOLDER / "example.npy"
    np.save(example, np.load(example) ** 1.1)
    seal(copy, about(copy))
    with pytest.raises(InputError, match="images are prepared otherwise by this version"):
        check_version(copy)


def about(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    return {key: value for key, value in manifest.items() if key not in ("format", "sha256")}


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
        check_process._compare("here", differing("map", values), RECORDED, LIMITS)
    assert check_process._compare(
        "here", differing("map", values), RECORDED, dict.fromkeys(RECORDED, 2e-2)
    ) == pytest.approx(1e-2)


def test_a_residual_is_compared_by_the_change_that_it_is_relative_to():
    values = RECORDED["completeness_residual"] + [1e-3, 0.1]
    assert check_process._compare("", differing("completeness_residual", values), RECORDED, LIMITS) < 1e-3
    with pytest.raises(Refused):
        check_process._compare("", differing("completeness_residual", [0.02, 0.01]), RECORDED, LIMITS)


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
        check_process._compare("here", differing(name, values), RECORDED, LIMITS)


def test_signatures_must_be_those_of_the_manifest(exported):
    signatures = tf.saved_model.load(str(exported)).signatures
    described = read_manifest(exported)["signatures"]
    check_process._compare_signatures(signatures, described)
    with pytest.raises(Refused, match="its signatures are"):
        check_process._compare_signatures(signatures, {**described, "more": {}})
    described["predict"]["inputs"]["images"]["shape"] = [-1, 64, 64, 1]
    with pytest.raises(Refused, match="predict has other inputs"):
        check_process._compare_signatures(signatures, described)
