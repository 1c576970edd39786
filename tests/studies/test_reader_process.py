"""The reader process: what one file does to it costs that file alone."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest
from support.broken_files import picture, png_bytes
from support.misreaders import read

from tfadvpath.errors import InputError, UnforeseenError
from tfadvpath.studies.reader_process import ReaderProcess
from tfadvpath.studies.study import read_study


@pytest.fixture(scope="module")
def reader():
    with ReaderProcess(memory_limit=2**30, time_limit=2) as process:
        yield process


def written(folder, words):
    paths = [folder / f"{i:02d}.txt" for i in range(len(words))]
    for path, word in zip(paths, words, strict=True):
        path.write_text(word)
    return paths


def requests(paths):
    return [((path,), read, (path,)) for path in paths]


@pytest.mark.slow
def test_every_way_to_go_wrong_costs_one_line_and_the_others_are_read(reader, tmp_path):
    wrong = {
        "refuse": "is refused",
        "crash": "ended the process that read it (SIGSEGV)",
        "abort": "ended the process that read it (SIGABRT)",
        "exit": "ended the process that read it (exit code 7)",
        "killed": "was read when the reading process was killed",
        "hang": "took longer than the 2 seconds",
        "fill": "needs more than the 1 GiB of memory",
        "fault ZEBRA": "led to an unforeseen error (KeyError)",
        "deep": "led to an unforeseen error (RecursionError)",
    }
    words = [word for i, name in enumerate(wrong) for word in (str(i), name)]
    paths = written(tmp_path, words)
    answers = list(reader.map(requests(paths)))
    assert len(answers) == len(words)
    for word, path, answer in zip(words, paths, answers, strict=True):
        if word in wrong:
            assert isinstance(answer, InputError)
            assert str(answer).startswith(f"{path}: ")
            assert wrong[word] in str(answer)
            assert "\n" not in str(answer)
            assert "ZEBRA" not in f"{answer} {getattr(answer, 'trace', '')}"
        else:
            np.testing.assert_array_equal(answer, np.full(3, float(word)))
    [fault] = [answer for answer, word in zip(answers, words, strict=True) if word == "fault ZEBRA"]
    assert isinstance(fault, UnforeseenError)
    assert "misreaders.py" in fault.trace
    assert "builtins.KeyError" in fault.trace
    log = tmp_path / "errors.log"
    assert f"with its trace, in {log}" in str(fault.logged(log))
    assert "misreaders.py" in log.read_text()


def test_a_study_is_what_it_is_in_this_process(reader, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(picture().astype(np.uint8)))
    there, here = reader.call([path], read_study, path, (16, 24)), read_study(path, (16, 24))
    np.testing.assert_array_equal(there.images, here.images)
    assert there.sources == here.sources
    assert there.grid.shape == here.grid.shape
    with pytest.raises(InputError, match=r"b.png: does not exist"):
        reader.call([tmp_path / "b.png"], read_study, tmp_path / "b.png")


def test_it_reads_ahead_no_further_than_asked(reader, tmp_path):
    asked = []

    def all_requests():
        for request in requests(written(tmp_path, [str(i) for i in range(20)])):
            asked.append(request)
            yield request

    answers = reader.map(all_requests(), ahead=3)
    next(answers)
    deadline = time.monotonic() + 20
    while len(asked) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert len(asked) == 5  # one taken, three wait, one is being handed over
    answers.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "reading ahead"]


def test_an_error_in_what_is_to_be_read_is_raised(reader):
    def broken():
        yield from ()
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        list(reader.map(broken()))


def test_no_process_is_left():
    with ReaderProcess() as process:
        process.start()
        number = process._process.pid
        os.kill(number, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


@pytest.mark.parametrize("limits", [{"memory_limit": 0}, {"time_limit": -1.0}])
def test_limits_are_positive(limits):
    with pytest.raises(ValueError, match="must be positive"):
        ReaderProcess(**limits)
