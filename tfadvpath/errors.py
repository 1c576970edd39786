"""Errors that a person at the console can act on."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

# File of traces beside the results of a run.
ERROR_LOG = "errors.log"
# Characters of a foreign text, such as a library's error, that a message quotes.
QUOTED = 120


class InputError(ValueError):
    """Says in one line which input is wrong, why, and what to do.

    The command line prints ``str(error)`` without a traceback.

    Args:
        source: The file, folder or parameter that is wrong. A parameter is written in backticks, such as
            ``"`batch_size`"``: the command line turns it into its flag.
        problem: The fault in a few words.
        remedy: An action that helps.
    """

    def __init__(self, source: Path | str, problem: str, remedy: str):
        self.source = str(source)
        self.problem = problem
        self.remedy = remedy
        super().__init__(" ".join(f"{source}: {problem}. {remedy}.".split()))

    def __reduce__(self) -> tuple[type[InputError], tuple[Any, ...]]:
        return InputError, (self.source, self.problem, self.remedy)


class UnforeseenError(InputError):
    """An exception that nobody foresaw, met on one input: a fault of this package, not of the person.

    Args:
        source: The file, folder or step at which it was raised.
        kind: Name of the exception's class.
        trace: Lines of the code that led to it, without the exception's text: that may quote a patient's
            header.
        log: File that holds the trace; None before it is written.
    """

    def __init__(self, source: Path | str, kind: str, trace: str, log: Path | None = None):
        self.kind = kind
        self.trace = trace
        self.log = log
        place = "" if log is None else f" with its trace, in {log}"
        super().__init__(
            source,
            f"led to an unforeseen error ({kind}), which is a fault of tfadvpath",
            f"Please report it{place}",
        )

    def __reduce__(self) -> tuple[type[InputError], tuple[Any, ...]]:
        return UnforeseenError, (self.source, self.kind, self.trace, self.log)

    def logged(self, log: Path) -> UnforeseenError:
        """Appends the trace to a file, and returns the error that names it; itself where that fails.

        Args:
            log: File of traces, which need not exist.
        """
        try:
            with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{self.source}: {self.kind}\n{self.trace}\n\n")
        except OSError:
            return self
        return UnforeseenError(self.source, self.kind, self.trace, log)


def unforeseen(source: Path | str, error: BaseException) -> UnforeseenError:
    """Returns an exception as the error of one input.

    Args:
        source: The file, folder or step at which it was raised.
        error: The exception, while or after it is handled.
    """
    frames = traceback.extract_tb(error.__traceback__)
    trace = "".join(traceback.format_list(frames)) + f"{type(error).__module__}.{type(error).__qualname__}"
    return UnforeseenError(source, type(error).__name__, trace)


def quoted(text: object, longest: int = QUOTED) -> str:
    """Returns a foreign text as a message may quote it: its last line, printable, and not too long.

    Args:
        text: Error of a library, or a value of a file that is no patient's.
        longest: Number of characters that it is cut to.
    """
    lines = str(text).strip().splitlines() or [type(text).__name__]
    line = "".join(letter if letter.isprintable() else "?" for letter in lines[-1].strip())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def first_line(error: BaseException) -> str:
    """Returns the first line of an exception's text, or the name of its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
