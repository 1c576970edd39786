"""Requests that TensorFlow's own batcher joins, pads and splits are answered as they are one by one.

``BatchFunction`` is TensorFlow's operation with the scheduler of TensorFlow Serving's batching: it takes
requests of several threads, waits for others, fills a batch up to an allowed size, and cuts the answers apart
again.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from support.serving import assert_same_maps, images

from tfadvpath.saved_model import check_process
from tfadvpath.saved_model.batching import FILE_NAME, largest_batch

NAMES = ("image", "map", "start", "adversary", "probability", "probability_start", "probability_adversary")
TOLERANCE = {
    name: check_process.largest_tolerance(name) for name in (*NAMES, "completeness_residual", "flipped")
}
COUNTS = (1, 2, 5, 1, 3, 1, 2, 1)  # images of each request: one is larger than any batch


@pytest.fixture(scope="module")
def loaded(exported):
    """The model: its signatures alone would not keep its variables."""
    return tf.saved_model.load(str(exported))


@pytest.fixture(scope="module")
def sizes(exported):
    """The largest batch of the version, and the sizes that batches are filled up to."""
    text = (exported / FILE_NAME).read_text()
    allowed = [int(line.split(":")[1]) for line in text.splitlines() if line.startswith("allowed")]
    assert largest_batch(text) == allowed[-1]
    return allowed


def batched(signature, specs, sizes, seen):
    """The signature behind a batcher; ``seen`` gets the size of every batch that it is run with."""
    (name, spec), outputs = specs["inputs"], sorted(signature.structured_outputs)

    def run(values):
        tf.py_function(lambda count: seen.append(int(count)), [tf.shape(values)[0]], [])
        answers = signature(**{name: values})
        return [answers[each] for each in outputs]

    @tf.function(input_signature=[spec])
    def call(values):
        answers = tf.nondifferentiable_batch_function(
            num_batch_threads=1,
            max_batch_size=2 * sizes[-1],  # a request of so many is run in parts, none above the last size
            batch_timeout_micros=3_000_000,  # a machine under load is late with threads
            allowed_batch_sizes=sizes,
            max_enqueued_batches=100,
            autograph=False,
        )(run)(values)
        return dict(zip(outputs, answers, strict=True))

    return call


def asked_at_once(call, requests):
    """The answers to requests that come at the same time, each from a thread of its own."""
    together = threading.Barrier(len(requests))

    def ask(values):
        together.wait(timeout=60)
        return {name: answer.numpy() for name, answer in call(tf.constant(values)).items()}

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(ask, requests))


@pytest.mark.parametrize("name", ["predict", "serving_default", "explain_bytes"])
def test_answers_to_joined_padded_and_split_requests_are_those_to_each_alone(loaded, sizes, name):
    signature, seen = loaded.signatures[name], []
    ends = np.cumsum(COUNTS)
    pool = np.resize(np.arange(8), ends[-1])
    if name == "explain_bytes":
        levels = (255 * images()).astype(np.uint8)
        files = [tf.io.encode_png(image).numpy() for image in levels]
        values, spec = np.array(files, object)[pool], tf.TensorSpec([None], tf.string)
        key = "image_bytes"
    else:
        values, spec, key = images()[pool], tf.TensorSpec([None, 32, 32, 1]), "images"
    requests = [values[end - count : end] for end, count in zip(ends, COUNTS, strict=True)]
    call = batched(signature, {"inputs": (key, spec)}, sizes, seen)
    alone = [
        {each: answer.numpy() for each, answer in signature(**{key: tf.constant(values)}).items()}
        for values in requests
    ]
    for answers, expected in zip(asked_at_once(call, requests), alone, strict=True):
        # As an export is compared with what was recorded: a gradient may jump at a ReLU's edge.
        assert check_process.compare("here", answers, expected, TOLERANCE) < 1e-2
        for each in set(expected) - {"map", "completeness_residual", "flipped"}:
            np.testing.assert_allclose(answers[each], expected[each], atol=1e-5, err_msg=each)
    assert set(seen) <= set(sizes)  # filled up
    assert len(seen) < len(COUNTS)  # joined
    assert sum(seen) >= sum(COUNTS)


def test_an_image_that_cannot_be_explained_does_not_touch_the_requests_beside_it(loaded, sizes):
    seen = []
    spec = tf.TensorSpec([None, 32, 32, 1])
    call = batched(loaded.signatures["serving_default"], {"inputs": ("images", spec)}, sizes, seen)
    good, bad = images()[:1], np.full((1, 32, 32, 1), np.nan, np.float32)
    first, second = asked_at_once(call, [good, bad])
    assert seen == [3]  # joined, and filled up to the next size
    alone = loaded.signatures["serving_default"](images=tf.constant(good))["map"].numpy()
    assert_same_maps(first["map"], alone)
    assert np.isnan(second["map"]).all()
