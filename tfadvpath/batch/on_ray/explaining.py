"""A process of the cluster that explains studies and writes their results."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tfadvpath.batch.explain import explained_together
from tfadvpath.batch.job import Job
from tfadvpath.batch.ledger import Row
from tfadvpath.batch.on_ray.place import Place
from tfadvpath.batch.plan import Task
from tfadvpath.batch.reading import Earlier, read_again
from tfadvpath.batch.recording import write_results
from tfadvpath.errors import InputError
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.reader_process import Request
from tfadvpath.studies.study import Study


@dataclass(frozen=True)
class Given:
    """A study that is to be explained together with others.

    Attributes:
        task: The study, and the folder of its results.
        request: Request to a reading process that reads it anew.
        known: Results of an earlier run, or the reason why it cannot be read; None of one to explain.
    """

    task: Task
    request: Request
    known: Earlier | InputError | None


@dataclass(frozen=True)
class Answer:
    """The outcome of studies that were explained together.

    Attributes:
        group: Number of the studies' group.
        done: Outcomes of the studies, in their order, as far as there are any: the row of the ledger, what an
            earlier run has of it, or the reason why there are no results.
        ended: Error that ends the whole run; None where there is none.
    """

    group: int
    done: Sequence[Row | Earlier | InputError]
    ended: InputError | None = None


class Explaining:
    """A process that explains studies and writes their results.

    Args:
        place: Place and limits.
        prepare: Function that returns the explainer and the job, pickled: its module may be none that Ray
            finds.
    """

    def __init__(self, place: Place, prepare: bytes):
        self._place = place
        self._prepare = prepare
        self._writing = threading.Lock()  # a call to stop comes while studies are explained
        self._stopped = False
        self._group = -1
        self._done: list[Row | Earlier | InputError] = []

    def start(self) -> Job | InputError:
        """Loads the bundle, and returns the job; or the reason why it cannot be done here."""
        self._place.enter()
        if wrong := self._place.check_shared():
            return wrong
        self._reader = self._place.reader()
        try:
            prepare: Callable[[], tuple[Explainer, Job]] = pickle.loads(self._prepare)
            self._explainer, self._job = prepare()
        except InputError as error:
            return error
        return self._job

    def explain(self, group: int, given: Sequence[Given], *studies: Study) -> Answer:
        """Explains studies whose images are put into batches in a row, and writes their results.

        Args:
            group: Number of the studies' group.
            given: Studies.
            *studies: The studies to explain as they were read, in their order; none at a second try, which
                reads them itself: the machine that had them may be gone.
        """
        with self._writing:
            self._group, self._done = group, []
        read = iter(studies)
        found = [each.known or (next(read) if studies else self._read(each.request)) for each in given]
        results = explained_together(self._explainer, found, read_again=self._read_again)
        try:
            for each, (result, seconds) in zip(given, results, strict=True):
                with self._writing:
                    if self._stopped:
                        break
                    self._done.append(self._written(each.task, result, seconds))
        except InputError as error:
            return Answer(group, self._done, error)
        return Answer(group, self._done)

    def stop(self) -> Answer:
        """Returns what is done of the group that is explained, once the study that is written is whole.

        Nothing is written after that.
        """
        with self._writing:
            self._stopped = True
            return Answer(self._group, self._done)

    def _written(
        self, task: Task, result: StudyExplanation | Earlier | InputError, seconds: float
    ) -> Row | Earlier | InputError:
        if not isinstance(result, StudyExplanation):
            return result
        job = self._job
        try:
            _, row = write_results(
                result, task, self._place.out, job.maps, job.formats, job.made_with, seconds, job.pair
            )
        except InputError as error:
            return error
        return row

    def _read(self, request: Request) -> Study | InputError:
        sources, function, arguments = request
        try:
            return self._reader.call(sources, function, *arguments)
        except InputError as error:
            return error

    def _read_again(self, earlier: Earlier) -> Study | None:
        return read_again(earlier, self._job.size, self._job.channel, self._reader)
