"""A small bundle, and a desk that explains with it."""

from __future__ import annotations

import shutil

import pytest
from support.tiny import write_tiny_bundle

from tfadvpath.batch.options import ExplainOptions
from tfadvpath.studies.reader_process import ReaderProcess
from tfadvpath.viewer_server.desk import Desk
from tfadvpath.viewer_server.explaining import Explaining


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="session")
def explaining(bundle):
    return Explaining(bundle, ExplainOptions(batch_size=4, steps=3))


@pytest.fixture(scope="session")
def reader():
    with ReaderProcess(time_limit=120) as one:  # a busy machine
        yield one


@pytest.fixture
def desk(explaining, reader, tmp_path):
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(explaining, folder, reader)


@pytest.fixture
def bring(desk, tmp_path):
    """A function that brings a copy of a file to the desk, as the page does."""

    def bring(tab, file, name=None):
        copy = tmp_path / "uploads" / (name or file.name)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(file, copy)
        return desk.bring(tab, copy, copy.name)

    return bring
