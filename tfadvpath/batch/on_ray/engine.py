"""The engine of a Ray cluster: some of its processes read the studies, others explain and write them."""

from __future__ import annotations

import contextlib
import pickle
import secrets
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray

from tfadvpath.batch.explain import Gathering
from tfadvpath.batch.job import Job
from tfadvpath.batch.ledger import Ledger, Row, record_of
from tfadvpath.batch.on_ray.cluster import shared_environment
from tfadvpath.batch.on_ray.explaining import Answer, Explaining, Given
from tfadvpath.batch.on_ray.place import Place
from tfadvpath.batch.on_ray.pool import Lost, Pool
from tfadvpath.batch.on_ray.reading import Reading
from tfadvpath.batch.options import ExplainOptions
from tfadvpath.batch.outcomes import Outcome, Outcomes, Success
from tfadvpath.batch.plan import Task
from tfadvpath.batch.reading import Earlier, images_of, request_of
from tfadvpath.batch.recording import note_earlier, note_failure
from tfadvpath.batch.signals import signals_held
from tfadvpath.errors import InputError
from tfadvpath.explainers.base import Explainer
from tfadvpath.files import remove_partials
from tfadvpath.studies.reader_process import Request

# Times that a process may end over the same work: once may be a machine that went down.
_TRIES = 2
# Reading processes for each that explains: a GPU explains faster than a core reads.
_READERS = 8
# Studies that are read ahead for each reading process while an earlier one takes long.
_AHEAD = 2
# Seconds until the first process that explains has started: a cluster may have to get a machine first.
_START_LIMIT = 900.0
# Seconds that a signal may wait at most while nothing comes.
_LOOK = 0.5
# Seconds that the study which is being written at the end of a run may take to be whole.
_STOP_LIMIT = 60.0
# Seconds that processes may take to end what they started.
_END_LIMIT = 5.0


@contextmanager
def ray_engine(
    prepare: Callable[[], tuple[Explainer, Job]], options: ExplainOptions, out: Path
) -> Iterator[RayEngine]:
    """Gives the engine of the cluster that this process is connected to, once it can explain, to the block.

    Args:
        prepare: Function that returns the explainer and the job in a process of the cluster, where it is
            known by its module and name.
        options: Options of the run.
        out: Folder of all results, which exists and which all machines of the cluster share.

    Raises:
        InputError: The processes of the cluster do not start, or cannot do what the options ask for.
    """
    mark = out / f".tfadvpath-{secrets.token_hex(8)}.shared"
    place = Place(Path.cwd(), tuple(sys.path), mark, options.memory_limit, options.time_limit)
    with signals_held():
        mark.touch()
        engine = RayEngine(prepare, place, options)
    try:
        engine.start()
        yield engine
    finally:
        with signals_held():
            engine.stop()
            mark.unlink(missing_ok=True)


class RayEngine:
    """Engine of the Ray cluster that this process is connected to.

    Studies are explained in the same batches as by this process alone. Where a process ends, another one
    tries its studies once more. If that ends, too, they are tried study by study: the one over which
    processes end costs itself alone.

    Args:
        prepare: Function that returns the explainer and the job in a process of the cluster.
        place: Place and limits of its processes.
        options: Options of the run.
    """

    job: Job

    def __init__(self, prepare: Callable[[], tuple[Explainer, Job]], place: Place, options: ExplainOptions):
        self._resume, self._mark = options.resume, place.mark
        resources = ray.cluster_resources()
        gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
        workers = options.workers or gpus or max(1, sum(map(_has_cores, ray.nodes())))
        alike = {
            "scheduling_strategy": "SPREAD",
            "runtime_env": {"env_vars": shared_environment()},
        }
        self._explaining: Pool[_Group] = Pool(
            Explaining,
            (place, pickle.dumps(prepare)),
            workers,
            {"num_cpus": 1, "num_gpus": 1 if gpus else 0, **alike},
            self._check_job,
        )
        self._reading: Pool[_Read] = Pool(
            Reading,
            (place,),
            min(max(1, cores - workers), _READERS * workers),
            {"num_cpus": 1 if cores > workers else 0, **alike},
            lambda _: None,
        )

    def start(self) -> None:
        """Waits until a process that explains has loaded the bundle.

        Raises:
            InputError: None starts, or it cannot do the job.
        """
        deadline = time.monotonic() + _START_LIMIT
        while not self._explaining.started:
            with signals_held():
                for answer in _arrived(self._explaining.awaited):
                    self._explaining.take(answer)
            if time.monotonic() > deadline:
                raise InputError(
                    "`engine`",
                    f"no process that explains could start within {_START_LIMIT / 60:.0f} minutes",
                    "See by `ray status` whether the cluster has a free GPU, or a free core",
                )

    def _check_job(self, job: Job | InputError) -> None:
        if isinstance(job, InputError):
            raise job
        if not hasattr(self, "job"):
            self.job = job
        if job != self.job:
            raise InputError(
                "`engine`",
                "two machines of the cluster would make other results of the same study",
                "Install the same version on them, and let `bundle` be a folder that they share",
            )

    def outcomes(
        self, tasks: Sequence[Task], out: Path, ledger: Ledger, on_progress: Callable[[float], None]
    ) -> Outcomes:
        self._mark.touch()  # the run has tidied the folder
        course = _Course(tasks, out, ledger, self.job, self._resume)
        try:
            while not course.is_done:
                with signals_held():
                    self._give(course)
                    arrived = _arrived([*self._explaining.awaited, *self._reading.awaited])
                with signals_held():
                    outcomes = [each for answer in arrived for each in self._take(answer, course)]
                on_progress(len(outcomes))
                yield from outcomes
                if course.ended is not None:
                    raise course.ended
        finally:
            with signals_held():
                self._stop(course)

    def _give(self, course: _Course) -> None:
        while self._explaining.has_room and (group := course.next_group()):
            self._explaining.give(group.ask)
        while self._reading.has_room and (
            read := course.next_read(self._explaining.started, _AHEAD * self._reading.started)
        ):
            self._reading.give(read.ask)

    def _take(self, answer: Any, course: _Course) -> list[Outcome]:
        if self._reading.awaits(answer):
            if (read := self._reading.take(answer)) is not None:
                course.take_read(*read)
            return []
        explained = self._explaining.take(answer)
        return [] if explained is None else course.take_group(*explained)

    def _stop(self, course: _Course) -> None:
        groups = {group.number: group for group in self._explaining.work}
        for answer in self._explaining.stop(_STOP_LIMIT):
            if answer.group in groups:
                course.note_done(groups[answer.group], answer)
        if self._explaining.ended_at_work:
            course.tidy()
        self.stop()

    def stop(self) -> None:
        """Ends all processes."""
        for pool in (self._explaining, self._reading):
            pool.stop(_END_LIMIT)


def _arrived(awaited: list[Any]) -> list[Any]:
    """Waits for an answer for a moment, while signals are held: Ray would make one out of all of them."""
    return ray.wait(awaited, timeout=_LOOK)[0]


def _has_cores(machine: dict[str, Any]) -> bool:
    return machine["Alive"] and bool(machine["Resources"].get("CPU"))


@dataclass
class _Read:
    """A study that is read.

    Attributes:
        number: Number of the study in the order of all.
        task: The study.
        request: Request to a reading process.
        study: Reference to the study, once it was asked for.
        tries: Times that a process ended over it.
    """

    number: int
    task: Task
    request: Request
    study: Any = None
    tries: int = 0

    def ask(self, process: Any) -> tuple[Any, _Read]:
        answer, self.study = process.read.options(num_returns=2).remote(self.request)
        return answer, self


@dataclass
class _Group:
    """Studies that are explained together.

    Attributes:
        number: Number of the group.
        given: The studies.
        studies: References to those to explain; none where the process that explains reads them.
        tries: Times that a process ended over it.
    """

    number: int
    given: list[Given]
    studies: list[Any] = field(default_factory=list)
    tries: int = 0

    def ask(self, process: Any) -> tuple[Any, _Group]:
        return process.explain.remote(self.number, self.given, *self.studies), self


class _Course:
    """The course of the studies of a run, from being read to their rows in the ledger.

    Args:
        tasks: Tasks of a plan.
        out: Folder of all results.
        ledger: Ledger that gets the rows.
        job: Job that is done on each study.
        resume: Whether results of an earlier run that were made with the same are kept.

    Attributes:
        ended: Error that ends the whole run, once it was met.
    """

    def __init__(self, tasks: Sequence[Task], out: Path, ledger: Ledger, job: Job, resume: bool):
        self._tasks, self._out, self._ledger, self._job, self._resume = tasks, out, ledger, job, resume
        self.ended: InputError | None = None
        self._left = len(tasks)
        self._begun = 0  # studies that reading was begun of
        self._gathered = 0  # studies that were gathered, in their order
        self._unread: deque[_Read] = deque()  # those over which a process ended
        self._arrived: dict[int, tuple[_Read, int | Earlier | InputError]] = {}
        self._gathering: Gathering[tuple[Given, Any]] = Gathering(job.batch_size)
        self._groups: deque[_Group] = deque()
        self._numbers = 0

    @property
    def is_done(self) -> bool:
        """Whether every study has its row."""
        return not self._left

    def next_read(self, groups: int, ahead: int) -> _Read | None:
        """Returns a study to read now.

        Args:
            groups: Number of groups that may wait to be explained.
            ahead: Number of studies that may be read beyond the first that is not yet.
        """
        if self._unread:
            return self._unread.popleft()
        if (
            self._begun == len(self._tasks)
            or len(self._groups) >= groups
            or self._begun - self._gathered >= ahead
        ):
            return None
        task = self._tasks[self._begun]
        read = _Read(self._begun, task, self._request(task, self._resume))
        self._begun += 1
        return read

    def _request(self, task: Task, resume: bool) -> Request:
        job = self._job
        return request_of(task, job.size, job.channel, self._out, job.made_with if resume else None)

    def take_read(self, read: _Read, found: int | Earlier | InputError | Lost) -> None:
        """Takes what reading a study came to, and gathers the studies that are explained together."""
        if isinstance(found, Lost):
            read.tries += 1
            if read.tries < _TRIES:
                self._unread.append(read)
                return
            found = InputError(
                read.task.source,
                f"was read {_TRIES} times when the process ended, as for want of memory",
                "Crop or shrink it, or lower `memory_limit`",
            )
        self._arrived[read.number] = read, found
        while self._gathered in self._arrived:
            read, found = self._arrived.pop(self._gathered)
            self._gathered += 1
            known, images = (None, found) if isinstance(found, int) else (found, images_of(found))
            given = Given(read.task, self._request(read.task, resume=False), known)
            self._add_group(self._gathering.add((given, read.study), images))
        if self._gathered == len(self._tasks):
            self._add_group(self._gathering.rest())

    def _add_group(self, together: Sequence[tuple[Given, Any]]) -> None:
        if together:
            studies = [study for given, study in together if given.known is None]
            self._groups.append(self._group([given for given, _ in together], studies))

    def _group(self, given: list[Given], studies: Sequence[Any] = ()) -> _Group:
        self._numbers += 1
        return _Group(self._numbers, given, list(studies))

    def next_group(self) -> _Group | None:
        """Returns studies to explain now."""
        return self._groups.popleft() if self._groups else None

    def take_group(self, group: _Group, found: Answer | Lost) -> list[Outcome]:
        """Takes what explaining studies came to; returns the outcomes, which are in the ledger."""
        if isinstance(found, Answer):
            self.ended = found.ended
            return [
                self._note(given.task, done) for given, done in zip(group.given, found.done, strict=False)
            ]
        group.tries += found.ended
        group.studies = []  # they may be lost
        if group.tries < _TRIES:
            self._groups.appendleft(group)
        elif len(group.given) > 1:
            self._groups.extendleft(self._group([given]) for given in reversed(group.given))
        else:
            [given] = group.given
            error = InputError(
                given.task.source,
                f"was explained alone {_TRIES} times when the process ended, as for want of memory",
                "Lower `batch_size`, or crop or shrink it; if that does not help, please report it",
            )
            return [self._note(given.task, error)]
        return []

    def _note(self, task: Task, done: Row | Earlier | InputError) -> Outcome:
        self._left -= 1
        if isinstance(done, Earlier):
            return note_earlier(task, done, self._out, self._ledger)
        if isinstance(done, InputError):
            return note_failure(task, done, self._out, self._job.made_with, self._ledger)
        self._ledger.append(done)
        return Success(task, None, record_of(done))

    def note_done(self, group: _Group, answer: Answer) -> None:
        """Puts into the ledger what was written before the run was ended."""
        for _, done in zip(group.given, answer.done, strict=False):
            if isinstance(done, dict):
                self._ledger.append(done)

    def tidy(self) -> None:
        """Removes what processes left half-written that ended."""
        with contextlib.suppress(OSError):
            remove_partials(self._out)
