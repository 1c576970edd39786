"""What comes next for each study, where processes end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tfadvpath.batch.job import Job
from tfadvpath.batch.ledger import COLUMNS, Ledger
from tfadvpath.batch.outcomes import Failure, Success
from tfadvpath.batch.plan import Task
from tfadvpath.batch.reading import Earlier
from tfadvpath.errors import InputError

pytest.importorskip("ray", reason="the extra ray is not installed")

from tfadvpath.batch.on_ray.engine import _Course
from tfadvpath.batch.on_ray.explaining import Answer
from tfadvpath.batch.on_ray.pool import Lost

SETTINGS = {"method": "syce"}
JOB = Job((8, 8), None, 4, ["fi_v1"], ["npz"], SETTINGS, ())
ENDED = Lost(ended=True)


@pytest.fixture
def start(tmp_path):
    def start(count):
        ledger = Ledger(tmp_path, SETTINGS, resume=False)
        ledger.start()
        tasks = [Task((Path(f"{number}.png"),), Path(f"{number}.png")) for number in range(count)]
        return _Course(tasks, tmp_path, ledger, JOB, resume=False), ledger

    return start


def read_all(course, found=lambda number: 1):
    """Reads all studies, the later ones first."""
    reads = []
    while read := course.next_read(groups=99, ahead=99):
        read.study = f"study {read.number}"
        reads.append(read)
    for read in reversed(reads):
        course.take_read(read, found(read.number))


def names(group):
    return [given.task.source.stem for given in group.given]


def row(given):
    return dict.fromkeys(COLUMNS) | {"folder": given.task.name.as_posix(), "source": "x"}


def test_studies_are_gathered_in_their_order_whatever_is_read_first(start):
    course, _ = start(9)
    error = InputError("x", "is wrong", "Mend it")
    earlier = Earlier({"slices": 3, "blank": 1}, ())
    # Four images, then four studies, then what is left.
    read_all(course, lambda number: {1: 3, 3: error, 5: 0, 8: earlier}.get(number, 1))
    groups = [course.next_group() for _ in range(3)]
    assert [names(group) for group in groups] == [["0", "1"], ["2", "3", "4", "5"], ["6", "7", "8"]]
    assert course.next_group() is None
    assert groups[1].studies == ["study 2", "study 4", "study 5"]
    assert [given.known for given in groups[1].given] == [None, error, None, None]
    assert [given.known for given in groups[2].given] == [None, None, earlier]
    assert course.next_read(99, 99) is None


def test_no_more_is_read_than_can_be_held(start):
    course, _ = start(20)
    first = course.next_read(groups=1, ahead=3)
    others = [course.next_read(groups=1, ahead=3) for _ in range(2)]
    assert course.next_read(groups=1, ahead=3) is None  # the first takes long
    for read in (*others, first):
        course.take_read(read, 1)
    last = course.next_read(groups=1, ahead=3)
    course.take_read(last, 1)
    assert course.next_read(groups=1, ahead=3) is None  # a group waits to be explained
    assert names(course.next_group()) == ["0", "1", "2", "3"]
    assert course.next_read(groups=1, ahead=3).number == 4


def test_a_group_over_which_a_process_ends_is_tried_again_then_study_by_study(start):
    course, ledger = start(3)
    read_all(course)
    group = course.next_group()
    assert group.studies == ["study 0", "study 1", "study 2"]
    assert course.take_group(group, ENDED) == []
    again = course.next_group()
    assert (names(again), again.studies) == (["0", "1", "2"], [])  # what was read may be lost, too
    assert course.take_group(again, ENDED) == []
    alone = [course.next_group() for _ in range(3)]
    assert [names(group) for group in alone] == [["0"], ["1"], ["2"]]
    assert len({group.number for group in (group, *alone)}) == 4
    course.take_group(alone[1], ENDED)
    [failure] = course.take_group(course.next_group(), ENDED)
    assert isinstance(failure, Failure)
    assert "was explained alone 2 times when the process ended" in str(failure.error)
    for group in (alone[0], alone[2]):
        assert not course.is_done
        [success] = course.take_group(group, Answer(group.number, [row(group.given[0])]))
        assert isinstance(success, Success)
    assert course.is_done
    assert {name: found["error"] is None for name, found in ledger.rows.items()} == {
        "0.png": True, "1.png": False, "2.png": True
    }  # fmt: skip


def test_what_is_lost_with_another_machine_is_no_try(start):
    course, _ = start(1)
    read_all(course)
    for _ in range(5):
        course.take_group(course.next_group(), Lost(ended=False))
    assert course.take_group(course.next_group(), ENDED) == []
    [failure] = course.take_group(course.next_group(), ENDED)
    assert isinstance(failure, Failure)


def test_a_study_over_which_reading_ends_twice_costs_one_row(start):
    course, ledger = start(2)
    first, second = course.next_read(9, 9), course.next_read(9, 9)
    course.take_read(second, 1)
    course.take_read(first, ENDED)
    again = course.next_read(0, 0)  # it was begun
    assert again is first
    course.take_read(again, ENDED)
    group = course.next_group()
    assert names(group) == ["0", "1"]
    error = group.given[0].known
    assert "was read 2 times when the process ended" in str(error)
    course.take_group(group, Answer(group.number, [error, row(group.given[1])]))
    assert course.is_done
    assert ledger.rows["0.png"]["error"] == str(error)


def test_what_was_written_before_the_end_of_a_run_is_in_the_ledger(start):
    course, ledger = start(3)
    read_all(course)
    group = course.next_group()
    error = InputError("x", "is wrong", "Mend it")
    course.note_done(group, Answer(group.number, [row(group.given[0]), error]))
    assert list(ledger.rows) == ["0.png"]


def test_an_error_of_the_whole_run_comes_after_what_was_done_before(start):
    course, ledger = start(3)
    read_all(course)
    group = course.next_group()
    error = InputError("`batch_size`", "is too large", "Give a smaller one")
    assert len(course.take_group(group, Answer(group.number, [row(group.given[0])], error))) == 1
    assert course.ended is error
    assert list(ledger.rows) == ["0.png"]
