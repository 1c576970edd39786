"""Processes of one kind in a cluster, where one that ends is replaced."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import ray
from ray.exceptions import RayError, RayTaskError

from tfadvpath.errors import InputError, quoted

# Group of calls beside the one of work: a call to stop does not wait for what a process is doing.
_BESIDE = "beside"
# Processes in a row that may end while they start.
_STARTS = 3

_Work = TypeVar("_Work")


@dataclass(frozen=True)
class Lost:
    """Stands for an answer that will not come.

    Attributes:
        ended: Whether the process ended over the work; else what it needs was lost with another machine.
    """

    ended: bool


class Pool(Generic[_Work]):
    """Processes that each do one piece of work at a time.

    Args:
        kind: Class whose objects are the processes; it has the methods ``start`` and ``stop``.
        arguments: Arguments of an object.
        count: Number of processes. Those that the cluster has no room for join as soon as it has.
        resources: Options of Ray's actors: what a process takes of the cluster, and where.
        on_start: Function that is called with what ``start`` returned, before a process gets work.
    """

    def __init__(
        self,
        kind: type,
        arguments: Sequence[Any],
        count: int,
        resources: dict[str, Any],
        on_start: Callable[[Any], None],
    ):
        remote: Any = ray.remote
        # A process that ends is not started again by Ray, which would do its work again without end.
        self._kind = remote(concurrency_groups={_BESIDE: 1}, max_restarts=0, max_task_retries=0)(kind)
        self._arguments, self._resources, self._on_start = arguments, resources, on_start
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, _Work]] = {}
        self._ended_at_start = 0
        self.ended_at_work = 0
        for _ in range(count):
            self._add()

    @property
    def has_room(self) -> bool:
        """Whether a process waits for work."""
        return bool(self._idle)

    @property
    def started(self) -> int:
        """Number of processes that are ready for work or do some."""
        return len(self._idle) + len(self._busy)

    @property
    def awaited(self) -> list[Any]:
        """References to what the processes will answer."""
        return [*self._starting, *self._busy]

    def awaits(self, answer: Any) -> bool:
        """Returns whether an answer is one of those that are awaited."""
        return answer in self._starting or answer in self._busy

    @property
    def work(self) -> list[_Work]:
        """The pieces of work that are being done."""
        return [work for _, work in self._busy.values()]

    def give(self, call: Callable[[Any], tuple[Any, _Work]]) -> None:
        """Gives a piece of work to a process that waits for some.

        Args:
            call: Function that calls a process, and returns the reference to its answer and the work.
        """
        process = self._idle.pop()
        answer, work = call(process)
        self._busy[answer] = process, work

    def take(self, answer: Any) -> tuple[_Work, Any] | None:
        """Takes an answer that is there.

        Args:
            answer: Reference, one of those that are awaited.

        Returns:
            The work, and its answer or why that is lost; None where a process has started.

        Raises:
            InputError: Processes end while they start.
        """
        if answer in self._starting:
            self._take_start(answer)
            return None
        process, work = self._busy.pop(answer)
        try:
            found = ray.get(answer)
        except RayTaskError as error:
            if not isinstance(error.cause, RayError):
                raise  # a fault of ours
            self._idle.append(process)
            return work, Lost(ended=False)
        except RayError:
            self.ended_at_work += 1
            _kill(process)
            self._add()
            return work, Lost(ended=True)
        self._idle.append(process)
        return work, found

    def _take_start(self, answer: Any) -> None:
        process = self._starting.pop(answer)
        try:
            found = ray.get(answer)
        except RayError as error:
            self._ended_at_start += 1
            if self._ended_at_start >= _STARTS:
                raise InputError(
                    "`engine`",
                    f"processes of the cluster end while they start ({quoted(error)})",
                    "Install the same on all its machines, and see whether their memory is enough",
                ) from error
            _kill(process)
            self._add()
            return
        self._ended_at_start = 0
        self._on_start(found)
        self._idle.append(process)

    def _add(self) -> None:
        process = self._kind.options(**self._resources).remote(*self._arguments)
        self._starting[process.start.remote()] = process

    def stop(self, seconds: float) -> list[Any]:
        """Stops all processes, and returns what those answer that do some work.

        Args:
            seconds: Seconds that they may take. What a process does after that is cut.
        """
        busy = [process for process, _ in self._busy.values()]
        others = [*self._idle, *self._starting.values()]
        stops = [process.stop.options(concurrency_group=_BESIDE).remote() for process in busy]
        found = []
        if stops:
            ready, late = ray.wait(stops, num_returns=len(stops), timeout=seconds)
            self.ended_at_work += len(late)
            for answer in ready:
                with contextlib.suppress(RayError):
                    found.append(ray.get(answer))
        for process in (*busy, *others):
            _kill(process)
        self._busy, self._idle, self._starting = {}, [], {}
        return found


def _kill(process: Any) -> None:
    with contextlib.suppress(RayError):
        ray.kill(process)
