"""A process that draws and writes results, as the one that explains sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from tfadvpath.batch.plan import Task
from tfadvpath.batch.recording import WriteResults
from tfadvpath.explanation import StudyExplanation
from tfadvpath.writers.formats import formats

if TYPE_CHECKING:
    from tfadvpath.batch.writer_worker import Answer

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from tfadvpath.batch.writer_worker import main; main(*map(int, sys.argv[2:]))"
)


class Ended(Exception):
    """The process has ended, or was closed; its text says how."""


class WriterProcess:
    """A process that writes the results of one study after the other. It imports no TensorFlow.

    It ends with the thread that started it.

    Args:
        write: Function that writes a study's results; it is sent to the process.
    """

    def __init__(self, write: WriteResults):
        self._write = write
        requests, outgoing = os.pipe()
        incoming, answers = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _START,
                    json.dumps(sys.path),
                    *map(str, (requests, answers, os.getpid())),
                ],
                pass_fds=(requests, answers),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"OPENCV_FOR_THREADS_NUM": "1"},  # the cores are those that explain
            )
        finally:
            os.close(requests)
            os.close(answers)
            self._outgoing = Connection(outgoing, readable=False)
            self._incoming = Connection(incoming, writable=False)

    def start(self) -> bool:
        """Waits until the process is ready, and returns whether it can write these formats.

        Raises:
            Ended: It ended before.
        """
        known = formats()
        modules = {known[name].write.__module__ for name in self._write.formats}
        try:
            self._outgoing.send((self._write, sorted(modules)))
            return self._incoming.recv() is None
        except (EOFError, OSError):
            raise Ended(self._how()) from None

    def write(self, result: StudyExplanation, task: Task, seconds: float) -> Answer:
        """Returns what became of a study's results.

        Args:
            result: Study and explanation.
            task: Task of the study.
            seconds: Seconds that explaining the study took.

        Raises:
            Ended: The process ended meanwhile.
            Exception: The arguments cannot be pickled.
        """
        try:
            self._outgoing.send((result, task, seconds))
            answer: Answer = self._incoming.recv()
        except (EOFError, OSError):
            raise Ended(self._how()) from None
        return answer

    def kill(self) -> None:
        """Ends the process, whatever it is doing; who waits for its answer is told."""
        self._process.kill()

    def close(self) -> None:
        """Ends the process, and waits for that."""
        self._process.kill()
        self._process.wait()
        self._outgoing.close()
        self._incoming.close()

    def _how(self) -> str:
        code = self._process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
