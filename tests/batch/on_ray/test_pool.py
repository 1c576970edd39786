"""Processes of a cluster that end are replaced."""

from __future__ import annotations

import os

import pytest

from tfadvpath.errors import InputError

pytestmark = pytest.mark.slow


def make(starts, count=1):
    from ray.exceptions import ObjectLostError

    from tfadvpath.batch.on_ray.pool import Pool

    class Worker:  # of a function, so that it needs no module in a process of the cluster
        def __init__(self, starts):
            self._starts = starts

        def start(self):
            if not self._starts:
                os._exit(7)
            return "started"

        def do(self, word):
            if word == "end":
                os._exit(7)
            if word == "lost":  # as Ray does where the machine that had an argument is gone
                raise ObjectLostError("0" * 56, None, "")
            if word == "fault":
                raise KeyError(word)
            return word, os.getpid()

        def stop(self):
            return "stopped"

    known = []
    return Pool(Worker, (starts,), count, {"num_cpus": 0}, known.append), known


def taken(pool):
    """Takes what comes next."""
    import ray

    return [pool.take(answer) for answer in ray.wait(pool.awaited, timeout=60)[0]]


def wait_until_started(pool):
    while not pool.has_room:
        assert taken(pool) == [None]


def asked(word):
    return lambda process: (process.do.remote(word), word)


def test_a_process_that_ends_over_its_work_is_replaced_and_its_answer_is_lost(started):
    from tfadvpath.batch.on_ray.pool import Lost

    pool, known = make(starts=True)
    assert not pool.has_room
    wait_until_started(pool)
    assert known == ["started"]
    pool.give(asked("good"))
    assert not pool.has_room
    assert pool.work == ["good"]
    [(work, (_, first))] = taken(pool)
    assert work == "good"
    pool.give(asked("end"))
    assert taken(pool) == [("end", Lost(ended=True))]
    assert pool.ended_at_work == 1
    wait_until_started(pool)
    pool.give(asked("good"))
    [(_, (_, second))] = taken(pool)
    assert second != first
    pool.give(asked("slow"))
    assert pool.stop(60) == ["stopped"]
    assert pool.awaited == []


def test_an_exception_of_ours_is_raised_and_what_is_lost_with_another_machine_is_not(started):
    from ray.exceptions import RayTaskError

    from tfadvpath.batch.on_ray.pool import Lost

    pool, _ = make(starts=True)
    wait_until_started(pool)
    pool.give(asked("lost"))
    assert taken(pool) == [("lost", Lost(ended=False))]
    assert pool.ended_at_work == 0
    pool.give(asked("fault"))
    with pytest.raises(RayTaskError, match="KeyError"):
        taken(pool)
    pool.stop(60)


def test_processes_that_end_while_they_start_are_not_started_for_ever(started):
    pool, _ = make(starts=False)
    with pytest.raises(InputError, match="`engine`: processes of the cluster end while they start"):
        wait_until_started(pool)
    pool.stop(60)
