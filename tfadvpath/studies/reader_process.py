"""Reading in a process of its own, with limits of memory and time, ahead of who takes the results."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError
from tfadvpath.studies.limits import MEMORY_LIMIT, TIME_LIMIT
from tfadvpath.studies.study import source_name

_BYTES_OF_TIME_LIMIT = 10_000_000
# Seconds until a new process has imported all: minutes where several start on a busy machine.
_START_LIMIT = 300.0
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from tfadvpath.studies.reader_worker import main; main(*map(int, sys.argv[2:]))"
)
_NO_MORE = object()

Request = tuple[Sequence[Path], Callable[..., Any], tuple[Any, ...]]


class ReaderProcess:
    """A process that reads studies, one after the other.

    A study that takes too much memory or time, or that ends the process, costs itself alone: it becomes an
    ``InputError``, and a new process reads the next one.

    Args:
        memory_limit: Bytes that reading one study may take.
        time_limit: Seconds that a study of up to 10 MB may take to be read; a larger one as many times more.

    Raises:
        ValueError: A limit is not positive.

    Usage::

        with ReaderProcess() as reader:
            study = reader.call([path], read_study, path, (224, 224))
    """

    def __init__(self, memory_limit: int = MEMORY_LIMIT, time_limit: float = TIME_LIMIT):
        for name, value in (("memory_limit", memory_limit), ("time_limit", time_limit)):
            if value <= 0:
                raise ValueError(f"`{name}` must be positive. Received: {value}")
        self.memory_limit = memory_limit
        self.time_limit = time_limit
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._asking = threading.Lock()  # a call may come while studies are read ahead

    def __enter__(self) -> ReaderProcess:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts the process, which takes a second; it is not waited for."""
        if self._process is not None:
            return
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    _START,
                    json.dumps(sys.path),
                    str(requests),
                    str(answers),
                    str(int(self.memory_limit)),
                ],
                pass_fds=(requests, answers),
                # Libraries write there what an InputError says in the file's terms.
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        finally:
            os.close(requests)
            os.close(answers)
            self._outgoing = Connection(self._requests, readable=False)
            self._incoming = Connection(self._answers, writable=False)
        self._ready = False

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        process, self._process = self._process, None
        if process is None:
            return
        self._outgoing.close()
        self._incoming.close()
        process.kill()
        process.wait()

    def call(self, sources: Sequence[Path], function: Callable[..., Any], *arguments: Any) -> Any:
        """Returns what a function of a module returns for some arguments, run in the process.

        Args:
            sources: Files that it reads: their sizes say how long it may take, the first names the study.
            function: Function of a module, known by its name there.
            *arguments: Arguments that can be pickled.

        Raises:
            InputError: The function raised it; or it raised what nobody foresaw, took too much memory or
                time, or ended the process.
        """
        answer = self._ask(sources, function, arguments)
        if isinstance(answer, InputError):
            raise answer
        return answer

    def map(
        self,
        requests: Iterable[Request],
        ahead: int = 2,
        weight: Callable[[Any], int] = lambda answer: 1,
        most: int = 0,
    ) -> Iterator[Any]:
        """Yields the answer to each request in their order, or its ``InputError``; reads ahead.

        Args:
            requests: Sources, function and arguments of each call.
            ahead: Number of answers that may wait, whatever they weigh.
            weight: Function that returns the weight of an answer, such as its number of images.
            most: Weight up to which more answers than that may wait.
        """
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        ended = threading.Event()
        taken = threading.Condition()
        held: deque[int] = deque()  # weights of the answers that wait

        def put(answer: Any) -> None:
            heavy = 0 if answer is _NO_MORE or isinstance(answer, _Raised) else weight(answer)
            with taken:
                taken.wait_for(lambda: ended.is_set() or len(held) < ahead or sum(held) + heavy <= most)
                held.append(heavy)
            answers.put(answer)

        def read() -> None:
            try:
                for sources, function, arguments in requests:
                    if ended.is_set():
                        return
                    put(self._ask(sources, function, arguments))
                put(_NO_MORE)
            except BaseException as error:  # raised where the answers are taken
                put(_Raised(error))

        thread = threading.Thread(target=read, name="reading ahead", daemon=True)
        thread.start()
        try:
            while (answer := answers.get()) is not _NO_MORE:
                if isinstance(answer, _Raised):
                    raise answer.error
                with taken:
                    held.popleft()
                    taken.notify()
                yield answer
        finally:
            with taken:
                ended.set()
                taken.notify()
            if thread.is_alive():
                self._kill()  # what it is reading is wanted no more
                thread.join()

    def _ask(self, sources: Sequence[Path], function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        with self._asking:
            return self._answer(sources, function, arguments)

    def _answer(
        self, sources: Sequence[Path], function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> Any:
        source = source_name(sources)
        seconds = self.time_limit * max(1.0, sum(map(_bytes_of, sources)) / _BYTES_OF_TIME_LIMIT)
        self.start()
        try:
            self._wait_until_ready()
            self._outgoing.send((str(source), function, arguments))
            if self._incoming.poll(seconds):
                return self._incoming.recv()
        except (EOFError, OSError):
            return self._ended(source)
        self.close()
        return InputError(
            source,
            f"took longer than the {seconds:.3g} seconds that reading it may take",
            "Check it with another program; if it is right, raise `time_limit`",
        )

    def _wait_until_ready(self) -> None:
        if not self._ready:
            if not self._incoming.poll(_START_LIMIT):
                self.close()
                raise RuntimeError("the process that reads files does not start")
            self._incoming.recv()
            self._ready = True

    def _ended(self, source: Path) -> InputError:
        """Returns what is said of the study whose reading ended the process."""
        process = self._process
        if process is None:  # closed meanwhile
            return InputError(source, "was not read: the run was ended", "Run it again")
        code = process.wait()
        self.close()
        if not self._ready:
            raise RuntimeError(f"the process that reads files cannot be started (exit code {code})")
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if code == -signal.SIGKILL:
            return InputError(
                source,
                "was read when the reading process was killed, as a machine does that runs out of memory",
                "Crop or shrink it, or lower `memory_limit`",
            )
        return InputError(
            source,
            f"ended the process that read it ({how}): it is damaged, or its decoder has a fault",
            "Copy or export it again; if other programs open it, please report it",
        )

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()


class _Raised:
    def __init__(self, error: BaseException):
        self.error = error


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
