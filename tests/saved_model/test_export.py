"""What stands beside the graph, and where it is written."""

from __future__ import annotations

import dataclasses
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.serving import STEPS, assert_same_maps, images, relative
from support.tiny import SIZE
from tensorflow.core.protobuf import named_tensor_pb2
from tensorflow_serving.apis import prediction_log_pb2

from tfadvpath import explainers
from tfadvpath.datasets.phantoms.chest_xrays import phantom_chest_xrays
from tfadvpath.errors import InputError
from tfadvpath.generators import SyCE
from tfadvpath.recipes.recipe import Recipe
from tfadvpath.saved_model import versions
from tfadvpath.saved_model import warm_up_requests as warm_up
from tfadvpath.saved_model.check import check_saved_model
from tfadvpath.saved_model.check_cases import SEED, make_cases
from tfadvpath.saved_model.decoding import decode_images
from tfadvpath.saved_model.export import export_saved_model
from tfadvpath.saved_model.manifest import read_manifest
from tfadvpath.saved_model.model_card import model_card
from tfadvpath.saved_model.signatures import make_signatures
from tfadvpath.saved_model.versions import write_version


def records(path):
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def test_the_manifest_says_what_it_is(exported):
    manifest = read_manifest(exported)
    assert exported.name == "1"
    assert exported.parent.name == manifest["name"] == "tiny"
    assert (manifest["method"], manifest["map"], manifest["steps"]) == ("syce", "fi_v2_smooth", STEPS)
    assert manifest["path"] == "straight"
    assert manifest["smoothing"] == {"sigma": pytest.approx(2 / 7), "kernel_size": 4, "scale": 32 / 224}
    assert manifest["batch_sizes"] == [1, 3]
    assert manifest["signatures"]["predict"] == {
        "inputs": {"images": {"dtype": "float32", "shape": [-1, 32, 32, 1]}},
        "outputs": {"probability": {"dtype": "float32", "shape": [-1]}},
    }
    assert {"saved_model.pb", "model_card.md", "batching_params.pbtxt"} <= set(manifest["sha256"])


def test_every_weight_is_stored_once(exported, bundle):
    networks = (bundle.classifier, *bundle.generators["syce"].generators)
    weights = sum(int(np.prod(variable.shape)) for network in networks for variable in network.variables)
    stored = tf.train.load_checkpoint(str(exported / "variables" / "variables")).get_variable_to_shape_map()
    values = {name: shape for name, shape in stored.items() if name.endswith("VARIABLE_VALUE")}
    assert sum(int(np.prod(shape)) for shape in values.values()) == weights


def test_the_warm_up_sends_every_batch_size_and_never_calls_xla(exported):
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record)
        for record in records(exported / "assets.extra" / warm_up.FILE_NAME)
    ]
    requests = [log.predict_log.request for log in logs]
    sent = {
        (request.model_spec.signature_name, tensor.tensor_shape.dim[0].size)
        for request in requests
        for tensor in request.inputs.values()
    }
    assert sent == {
        ("predict", 1),
        ("predict", 3),
        ("serving_default", 1),
        ("serving_default", 3),
        ("explain_bytes", 1),
        ("explain_bytes", 3),
    }
    assert {request.model_spec.name for request in requests} == {"tiny"}
    loaded = tf.saved_model.load(str(exported))
    for request in requests:
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        for values in loaded.signatures[request.model_spec.signature_name](**inputs).values():
            assert np.isfinite(values.numpy().astype(float)).all()


def test_a_case_is_recorded_for_every_signature(exported):
    names = [
        named_tensor_pb2.NamedTensorProto.FromString(record).name
        for record in records(exported / "assets.extra" / "cases.tfrecord")
    ]
    for signature, described in read_manifest(exported)["signatures"].items():
        expected = [f"{signature}/{part}/{name}" for part in described for name in described[part]]
        assert set(expected) <= set(names)


def test_the_recorded_images_are_prepared_ones(exported):
    (first, *_) = (
        tf.make_ndarray(named.tensor)
        for record in records(exported / "assets.extra" / "cases.tfrecord")
        if (named := named_tensor_pb2.NamedTensorProto.FromString(record)).name == "predict/inputs/images"
    )
    assert first.shape == (3, 32, 32, 1)
    assert first.min() == 0.0
    assert first.max() == 1.0


def test_files_are_png_unless_asked_and_the_contract_says_so(exported):
    taken = {"formats": ["png"], "max_pixels": 2**24}
    contract = json.loads((exported / "assets.extra" / "preprocessing" / "contract.json").read_text())
    assert read_manifest(exported)["files"] == contract["files"] == taken
    levels = np.random.default_rng(0).integers(0, 255, (40, 40, 1)).astype(np.uint8)
    explain_bytes = tf.saved_model.load(str(exported)).signatures["explain_bytes"]
    files = tf.stack([tf.io.encode_jpeg(levels), tf.io.encode_png(levels)])
    assert np.isnan(explain_bytes(image_bytes=files)["probability"]).tolist() == [True, False]


@pytest.mark.parametrize("files", ["none", "png", "png+jpeg"])
def test_the_recorded_files_are_those_that_the_signature_takes(bundle, files):
    explainer = explainers.get("syce", bundle, steps=2)
    cases = make_cases(bundle, explainer, "fi_v2", 3, files)
    made = make_signatures(explainer, "fi_v2", (*bundle.image_size, 1), xla=False, files=files)
    assert set(cases) == set(made)
    assert ("explain_bytes" in cases) == (files != "none")
    if files != "none":
        contents = cases["explain_bytes"].inputs["image_bytes"]
        starts = [content[:4] for content in contents]
        last = b"\x89PNG" if files == "png" else b"\xff\xd8\xff\xe0"
        assert starts == [b"\x89PNG", b"\x89PNG", last]
        jpeg, limit = files == "png+jpeg", 48 * 48
        decoded = decode_images(tf.constant(contents), bundle.image_size, jpeg=jpeg, max_pixels=limit)
        np.testing.assert_allclose(decoded, cases["explain_bytes"].outputs["image"], atol=1e-5)


def test_the_card_says_what_an_export_with_jpeg_files_cannot_see(exported, bundle):
    about = read_manifest(exported)
    about["files"] = {"formats": ["png", "jpeg"], "max_pixels": 1000}
    card = model_card(bundle, about)
    assert "itself with PNG and JPEG files" in card
    assert "**A damaged JPEG file is explained as if it were whole**" in card
    assert "JPEG" not in model_card(bundle, about | {"files": None})


def test_the_card_says_by_how_much_the_map_is_smoothed(exported, bundle):
    about = read_manifest(exported)
    card = " ".join(model_card(bundle, about).split())
    assert "5 steps along the straight path. The map is smoothed by a Gaussian of standard deviation" in card
    assert "0.286 pixels (2 pixels of 224" in card
    assert "(2 pixels of 224, scaled by 0.14) and 4 taps a side. - `start`" in card
    in_pixels = about | {"smoothing": {"sigma": 2.0, "kernel_size": 28, "scale": 1 / 7}}
    assert "deviation 2 pixels (14 pixels of 224, scaled by 0.14) and 28" in model_card(bundle, in_pixels)
    assert "smoothed" not in model_card(bundle, about | {"smoothing": None, "map": "fi_v1"})


def test_an_x_ray_bundle_is_recorded_on_x_rays(bundle):
    chest = {**bundle.recipe.model_dump(), "data": {"task": "phantom-chest", "image_size": 32}}
    chest["data"]["patients"] = {"train": 1, "validation": 1, "test": 1}
    other = dataclasses.replace(bundle, recipe=Recipe.model_validate(chest))
    explainer = explainers.get("syce", other, steps=STEPS)
    recorded = make_cases(other, explainer, "difference", 2)["predict"].inputs["images"]
    known = phantom_chest_xrays([SEED, SEED + 1], 32, twins=True).images
    for image in recorded:
        assert (image == known).all(axis=(1, 2, 3)).any()


def test_versions_count_up_and_nothing_half_is_left(tmp_path):
    def fill(folder):
        (folder / "a").write_text("a")

    assert [write_version(tmp_path / "m", fill).name for _ in range(2)] == ["1", "2"]
    (tmp_path / "m" / "10").mkdir()
    (tmp_path / "m" / "notes").mkdir()
    assert write_version(tmp_path / "m", fill).name == "11"

    def fail(folder):
        (folder / "a").write_text("a")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot be written \(No space left"):
        write_version(tmp_path / "m", fail)
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["1", "10", "11", "2", "notes"]


def test_two_exports_at_once_do_not_touch_each_other_and_heed_the_umask(tmp_path):
    both = threading.Barrier(2)

    def export(text):
        def fill(folder):
            both.wait(timeout=30)
            (folder / "a").write_text(text)
            both.wait(timeout=30)

        return write_version(tmp_path / "m", fill)

    with ThreadPoolExecutor(2) as threads:
        folders = list(threads.map(export, ["first", "second"]))
    assert {folder.name for folder in folders} == {"1", "2"}
    assert [(folder / "a").read_text() for folder in folders] == ["first", "second"]
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["1", "2"]
    umask = os.umask(0)
    os.umask(umask)
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o777 & ~umask}


def test_a_version_that_appears_meanwhile_is_not_replaced(tmp_path, monkeypatch):
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "1" / "b").write_text("b")
    found = iter([[], [1]])  # the other export finishes between looking and renaming
    monkeypatch.setattr(versions, "_versions", lambda model: next(found))
    assert write_version(tmp_path / "m", lambda folder: (folder / "a").write_text("a")).name == "2"
    assert (tmp_path / "m" / "1" / "b").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "gradient"}, "`method`: 'gradient' is no path .* Choose one of cyce, syce, sagen"),
        ({"map_name": "saliency"}, "`map_name`: 'saliency' is no map"),
        ({"sizes": (0, 1)}, "`sizes`: must be numbers of images from 1"),
        ({"sizes": ()}, "`sizes`: must be numbers of images from 1"),
        ({"steps": 0}, "`steps`: must be positive"),
        ({"path": "curly"}, "`path`: 'curly' is no path. Choose straight or manifold"),
        ({"sigma": -1.0}, "`sigma`, `kernel_size`: do not fit these images: .*must be positive"),
        ({"kernel_size": 64}, "do not fit these images: A kernel of 64 taps mirrors 32 pixels"),
        ({"map_name": "fi_v1", "sigma": 2.0}, "the map 'fi_v1' is not smoothed. Leave them out"),
        ({"files": "gif"}, "`files`: 'gif' are no files. Choose one of none, png, png.jpeg"),
        ({"max_pixels": 0}, "`max_pixels`: must be in 1…67108864"),
        ({"max_pixels": 2**26 + 1}, "`max_pixels`: must be in 1…67108864"),
        ({"name": "../up"}, "`name`: '../up' is no model name"),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_written(bundle, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        export_saved_model(bundle, tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_export_of_the_manifold_path_answers_as_the_library_with_and_without_xla(bundle, tmp_path):
    given = {"steps": 3, "path": "manifold"}
    version = export_saved_model(
        bundle, tmp_path, map_name="fi_v2", sizes=(2,), xla=True, files="none", **given
    )
    summary = check_saved_model(version)
    assert summary.manifest["path"] == "manifold"
    assert {call.signature for call in summary.calls} == {"predict", "serving_default", "explain_xla"}
    assert "3 steps along the manifold path" in (version / "model_card.md").read_text()
    answered = tf.saved_model.load(str(version)).signatures["serving_default"](images=images())
    library = explainers.get("syce", bundle, jit_compile=False, **given).explain(images())
    assert_same_maps(answered["map"].numpy(), library.maps["fi_v2"])
    straight = explainers.get("syce", bundle, steps=3).explain(images())
    assert relative(answered["map"].numpy(), straight.maps["fi_v2"]).max() > 0.01


@pytest.mark.slow
def test_a_classifier_whose_operations_define_their_gradients_is_exported(bundle, tmp_path):
    """As silu does, by ``tf.custom_gradient``."""
    inputs = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Conv2D(4, 3, activation="silu")(inputs)
    scores = keras.layers.Dense(1, activation="sigmoid")(keras.layers.GlobalAveragePooling2D()(x))
    classifier = keras.Model(inputs, scores)
    syce = SyCE(classifier, bundle.generators["syce"].generators)
    other = dataclasses.replace(bundle, classifier=classifier, generators={"syce": syce})
    version = export_saved_model(other, tmp_path, steps=3, sizes=(1,), files="none")
    assert {call.signature for call in check_saved_model(version).calls} == {"predict", "serving_default"}


def test_the_model_card_shows_signatures_and_limits(exported):
    card = " ".join((exported / "model_card.md").read_text().split())
    assert "| `serving_default` | `images` float32 [-1, 32, 32, 1] |" in card
    assert "not** a medical device" in card
    assert "generated phantoms" in card
    assert "explain_xla" not in card
    assert "refuses requests of more than 3 images" in card
    assert "itself with PNG files" in card
    assert "more than 16,777,216 pixels" in card
    assert "JPEG files are not taken, because" in card
