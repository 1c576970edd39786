"""The export of a trained bundle gives the library's maps by every way that a deployment may take.

The C++ loader, which needs a compiler, is checked by ``make loader-check``.
"""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from support.bundles import PHANTOM_BRAIN
from support.serving import assert_same_maps, relative
from support.shared import made_once, shared_folder

from tfadvpath import explainers
from tfadvpath.bundle.bundle import load_bundle
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices
from tfadvpath.saved_model.export import export_saved_model
from tfadvpath.serving import GrpcClient, RestClient
from tfadvpath.serving.stand_in import stand_in_server

COUNTS = (1, 3, 8)
STEPS = 10  # of the path: as many programs and batches, in a fifth of the time
MAP = "fi_v2_smooth"


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(PHANTOM_BRAIN)


@pytest.fixture(scope="module")
def images(bundle):
    found = phantom_brain_slices([1], bundle.image_size[0], twins=True).images[: max(COUNTS)]
    return np.ascontiguousarray(found)


@pytest.fixture(scope="module")
def expected(bundle, images):
    return explainers.get("syce", bundle, steps=STEPS).explain(images).maps[MAP]


@pytest.fixture(scope="module")
def version(bundle, tmp_path_factory):
    def make(folder):
        export_saved_model(bundle, folder, sizes=COUNTS, steps=STEPS)

    folder = made_once(shared_folder(tmp_path_factory) / "phantom_brain_1_3_8_by_10", make)
    return folder / bundle.recipe.name / "1"


@pytest.fixture(scope="module")
def server(version):
    with stand_in_server(version) as addresses:
        yield addresses


@functools.cache
def loaded(version):
    return tf.saved_model.load(str(version)).signatures["serving_default"]


def by_python(version, server, images, folder):
    return loaded(version)(images=tf.constant(images))["map"].numpy()


def by_saved_model_cli(version, server, images, folder):
    np.save(folder / "images.npy", images)
    command = [Path(sys.executable).with_name("saved_model_cli"), "run", "--dir", version]
    command += ["--tag_set", "serve", "--signature_def", "serving_default"]
    command += ["--inputs", f"images={folder / 'images.npy'}", "--outdir", folder]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return np.load(folder / "map.npy")


def by_grpc(version, server, images, folder):
    with GrpcClient(server.grpc, version.parent.name, batch_size=len(images)) as client:
        return client.explain(images).maps[MAP]


def by_rest(version, server, images, folder):
    return RestClient(server.rest, version.parent.name, batch_size=len(images)).explain(images).maps[MAP]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "count"),
    # The program that TensorFlow ships loads the export anew each time: one batch of it is enough.
    [*itertools.product([by_python, by_grpc, by_rest], COUNTS), (by_saved_model_cli, 3)],
)
def test_the_maps_are_the_library_s(version, server, images, expected, tmp_path, way, count):
    found = way(version, server, images[:count], tmp_path)
    print(f"{way.__name__}, batch of {count}: {relative(found, expected[:count]).max():.1e}")
    assert_same_maps(found, expected[:count])
