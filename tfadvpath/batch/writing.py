"""Writing of results by processes of their own, in the studies' order, while more studies are explained."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Self, TypeVar

from tfadvpath.batch.plan import Task
from tfadvpath.batch.reading import Earlier
from tfadvpath.batch.recording import WriteResults
from tfadvpath.batch.signals import signals_held
from tfadvpath.batch.writer_process import Ended, WriterProcess
from tfadvpath.batch.writer_worker import Unable, Written
from tfadvpath.errors import InputError, unforeseen
from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import remove_partials

_Noted = TypeVar("_Noted")
Result = StudyExplanation | Earlier | InputError
# What becomes of a study: it is written, or known from an earlier run, or failed.
Done = Written | Earlier | InputError

# Processes where no number is given: more would take memory that few devices explain fast enough for.
_MOST_PROCESSES = 4
# Times that a process may end over the same study: once may be a short want of memory.
_TRIES = 2
# Seconds that the studies which are being written at the end of a run may take to be whole.
_STOP_LIMIT = 60.0


def usual_processes() -> int:
    """Returns the number of processes that write where none is given: a core is left to explain."""
    return min(_MOST_PROCESSES, len(os.sched_getaffinity(0)) - 1)


class _Study:
    """A study on its way from being explained to being noted."""

    def __init__(self, task: Task, result: Result, seconds: float):
        self.task, self.result, self.seconds = task, result, seconds
        self.done: Done | None = None
        self.images = 0
        if isinstance(result, StudyExplanation):
            self.images = len(result.study.images)
        else:
            self.done = result


class Writing(Generic[_Noted]):
    """Results on their way to their folders.

    Studies are written by processes, and by this one where it has nothing else to do: when no more may wait,
    and at the end. A study over which a process ended is tried once more by a new one. What a process cannot
    do, such as a format of somebody's own script, is done by this one.

    Args:
        write: Function that writes a study's results.
        note: Function that notes what became of a study, called in the studies' order.
        processes: Number of processes that write; with 0, each study is written when it is added.
        images: Number of images of studies that may be held; one study may have more.

    Usage::

        with Writing(write, note, processes=2, images=32) as writing:
            for task, result, seconds in explained:
                yield from writing.add(task, result, seconds)
            yield from writing.rest()
    """

    def __init__(
        self, write: WriteResults, note: Callable[[Task, Result, Done], _Noted], processes: int, images: int
    ):
        self._write, self._note, self._most = write, note, images
        self._held: deque[_Study] = deque()  # in their order; only the thread that explains looks at it
        self._waiting: deque[_Study] = deque()  # those that nobody writes yet
        self._change = threading.Condition()  # of what waits, of what is done, and of the end
        self._ended = False
        self._cut = False  # whether a process ended at work, and left something half written
        self._starting: set[WriterProcess] = set()
        self._started: set[WriterProcess] = set()
        self._threads = [
            threading.Thread(target=self._serve, name="writing", daemon=True) for _ in range(processes)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def add(self, task: Task, result: Result, seconds: float) -> Iterator[_Noted]:
        """Adds a study, once there is room for it.

        Args:
            task: Task of the study.
            result: Study and explanation; or what stands for it, which is noted in its place.
            seconds: Seconds that explaining the study took.

        Yields:
            What ``note`` returns for each study that is done, in their order. A signal waits for ``note``.
        """
        study = _Study(task, result, seconds)
        yield from self._noted(lambda: self._images + study.images <= self._most)
        self._held.append(study)
        if study.done is None:
            with self._change:
                self._waiting.append(study)
                self._change.notify_all()
        if not self._threads:
            yield from self.rest()

    def rest(self) -> Iterator[_Noted]:
        """Yields the same as ``add`` for the studies that are held, until all are done."""
        yield from self._noted(lambda: False)

    def close(self) -> None:
        """Ends all processes. What they are writing becomes whole and is noted; what waits is not written."""
        with signals_held():
            with self._change:
                self._ended = True
                self._waiting.clear()
                for process in self._starting:
                    process.kill()
                self._change.notify_all()
            self._join(time.monotonic() + _STOP_LIMIT)
            with self._change:
                for process in self._started:  # those that took too long
                    self._cut = True
                    process.kill()
            self._join(None)
            if self._cut:
                with contextlib.suppress(OSError):
                    remove_partials(self._write.out)
            with contextlib.suppress(InputError):  # a full disk, which was said
                while self._held and isinstance(done := self._held[0].done, tuple):
                    study = self._held.popleft()
                    self._note(study.task, study.result, done)

    def _join(self, deadline: float | None) -> None:
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))

    @property
    def _images(self) -> int:
        return sum(study.images for study in self._held)

    def _noted(self, enough: Callable[[], bool]) -> Iterator[_Noted]:
        while self._held:
            study = self._held[0]
            if study.done is not None:
                with signals_held():
                    self._held.popleft()
                    noted = self._note(study.task, study.result, study.done)
                yield noted
            elif enough():
                return
            else:
                self._help(study)

    def _help(self, first: _Study) -> None:
        """Writes a study that waits; where none does, waits until something changes."""
        with self._change:
            if not self._waiting:
                if first.done is None:
                    self._change.wait()
                return
        with signals_held():  # a signal ends the run between two studies: nothing is half then
            study = self._take()
            if study is not None:
                self._finish(study, self._written_here(study))

    def _take(self) -> _Study | None:
        with self._change:
            return self._waiting.popleft() if self._waiting else None

    def _finish(self, study: _Study, done: Done) -> None:
        with self._change:
            study.done = done
            self._change.notify_all()

    def _give_back(self, study: _Study) -> None:
        with self._change:
            if not self._ended:
                self._waiting.appendleft(study)
                self._change.notify_all()

    def _written_here(self, study: _Study) -> Done:
        assert isinstance(study.result, StudyExplanation)
        try:
            return self._write(study.result, study.task, study.seconds)
        except InputError as error:
            return error
        except Exception as error:
            return unforeseen(study.task.source, error)

    def _serve(self) -> None:
        """Gives studies to a process, one after the other, until there are no more or it can do none."""
        process = self._start()
        while process is not None:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._ended)
                study = self._take()
            if study is None:
                self._end(process)
                return
            try:
                process = self._served(process, study)
            except Exception as error:  # a fault of ours: the study must not be waited for in vain
                self._finish(study, unforeseen(study.task.source, error))
                return

    def _served(self, process: WriterProcess, study: _Study) -> WriterProcess | None:
        """Gives a study to a process, and to another one if that ends; returns the process for the next."""
        assert isinstance(study.result, StudyExplanation)
        chosen = StudyExplanation(study.result.study, study.result.explanation.only(self._write.maps))
        how = ""
        for _ in range(_TRIES):
            try:
                answer = process.write(chosen, study.task, study.seconds)
            except Ended as ended:
                how = str(ended)
                self._cut = True
                self._end(process)
                another = self._start()
                if another is None:
                    self._give_back(study)
                    return None
                process = another
                continue
            except Exception:  # it cannot be pickled
                answer = Unable()
            if isinstance(answer, Unable):
                self._give_back(study)
                self._end(process)
                return None
            self._finish(study, answer)
            return process
        self._finish(
            study,
            InputError(
                study.task.source,
                f"was written {_TRIES} times when the process that draws and writes ended ({how}), as for "
                "want of memory",
                "Lower `workers`, or crop or shrink it; if that does not help, please report it",
            ),
        )
        return process

    def _start(self) -> WriterProcess | None:
        """Returns a process that is ready; None where there can be none, or need not be."""
        with self._change:
            if self._ended:
                return None
            try:
                process = WriterProcess(self._write)
            except OSError:  # no memory for one more
                return None
            self._starting.add(process)
        try:
            able = process.start()
        except Ended:
            able = False
        with self._change:
            self._starting.discard(process)
            self._started.add(process)
        if not able:
            self._end(process)
            return None
        return process

    def _end(self, process: WriterProcess) -> None:
        with self._change:
            self._started.discard(process)
        process.close()
