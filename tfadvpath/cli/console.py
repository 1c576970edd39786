"""Lines and progress for the person at the console: on stderr, stdout is for results."""

from __future__ import annotations

import gc
import importlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tfadvpath.cli.exit_codes import SOME_FAILED

_Thing = TypeVar("_Thing")
_PARAMETER = re.compile(r"`(\w+)(=False)?`")
# Keras imports them where they are installed, which takes most of a second. It needs them for plots of images
# and for data frames as training data, which no command has.
_UNUSED_BY_KERAS = ("matplotlib", "pandas")


class _Stderr(Console):
    def on_broken_pipe(self) -> None:
        """Goes on without a word where nobody listens: the results are worth more than the lines."""
        self.quiet = True


_console = _Stderr(stderr=True, markup=False, highlight=False, emoji=False)


def say(text: str) -> None:
    """Prints one line on stderr, above a progress bar if there is one."""
    # File names may hold control characters and bytes that are no text.
    line = "".join(letter if letter.isprintable() else "?" for letter in text)
    try:
        _console.print(line, soft_wrap=True)
    except OSError:
        _console.quiet = True  # as of a broken pipe


def answer(text: str) -> None:
    """Prints a command's result on stdout.

    Args:
        text: One line or several.

    Raises:
        typer.Exit: It cannot be written, as on a full disk. A reader that wants no more, such as ``head``, is
            no fault.
    """
    try:
        typer.echo(text)
    except BrokenPipeError:
        send_nowhere(1)
    except OSError as error:
        send_nowhere(1)
        say(f"Standard output: cannot be written ({error.strerror}). Make room there, and run it again.")
        raise typer.Exit(SOME_FAILED) from None


def send_nowhere(number: int) -> None:
    """Sends what is still written to a standard stream nowhere.

    Python would else try it again at its end, fail, and end with a code of its own.

    Args:
        number: File descriptor of the stream: 1 is stdout, 2 stderr.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def open_closed_streams() -> None:
    """Opens the standard streams that a process was started without.

    The next file that is opened would take such a stream's number, and get what libraries write there.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        flags = os.O_WRONLY if number else os.O_RDONLY
        try:
            os.fstat(number)
        except OSError:
            os.dup2(os.open(os.devnull, flags), number)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8", closefd=False))


@contextmanager
def progress_bar(title: str, total: float) -> Iterator[ProgressBar]:
    """Shows a bar with the time left while the block runs; nothing where stderr is no terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_console, disable=not _console.is_terminal, transient=True) as progress:
        yield ProgressBar(progress, title, total)


@contextmanager
def waiting(title: str) -> Iterator[None]:
    """Shows a title and the time since its start while the block runs, whose length nobody knows.

    Nothing is shown where stderr is no terminal.
    """
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=_console, disable=not _console.is_terminal, transient=True) as progress:
        progress.add_task(title, total=None)
        yield


class ProgressBar:
    """One bar."""

    def __init__(self, progress: Progress, title: str, total: float):
        self._progress = progress
        self._task = progress.add_task(title, total=total)

    def advance(self, amount: float) -> None:
        """Moves the bar on, in units of its total."""
        self._progress.advance(self._task, amount)

    def over(self, things: Iterable[_Thing]) -> Iterator[_Thing]:
        """Yields the things, moving the bar on by one after each."""
        for thing in things:
            yield thing
            self.advance(1)


class Bars:
    """One bar after the other, each with its title; the next title ends the last bar.

    Usage::

        with Bars() as bars:
            bars.advance("Explaining", 1, total=8)
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._title: str | None = None
        self._done = 0.0

    def __enter__(self) -> Bars:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def advance(self, title: str, amount: float, total: float) -> None:
        """Moves the bar of a title on, in units of its total."""
        if title != self._title:
            self._stack.close()
            self._bar = self._stack.enter_context(progress_bar(title, total))
            self._title, self._done = title, 0.0
        self._bar.advance(amount)
        self._done += amount

    def move_to(self, title: str, done: float, total: float) -> None:
        """Moves the bar of a title to where so much is done."""
        self.advance(title, done - (self._done if title == self._title else 0.0), total)


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Returns a number with its noun: 1 study, 2 studies."""
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


def names_in(text: str) -> list[str] | None:
    """Returns names that are separated by commas; None where the text is "all"."""
    return None if text == "all" else [name.strip() for name in text.split(",") if name.strip()]


def in_flags(message: str, command: Any) -> str:
    """Returns a message of the library with the parameters that it names as the command's flags.

    The library writes the name of a parameter in backticks; batch_size is --batch-size here, and resume=False
    is --no-resume.
    """
    flags = {} if command is None else {each.name: _flag(each) for each in command.params}
    for each in () if command is None else command.params:
        flags |= {f"{each.name}=False": flag for flag in each.secondary_opts}
    return _PARAMETER.sub(lambda match: flags.get(match[0].strip("`"), match[0]), message)


def _flag(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return parameter.metavar or parameter.name.upper()
    return max(parameter.opts, key=len)


def import_tensorflow() -> None:
    """Imports TensorFlow without its remarks, unless the person asked for them by TF_CPP_MIN_LOG_LEVEL=0.

    Every command that computes calls it first.
    """
    # A ~/.keras/keras.json may name another backend; the models here are TensorFlow's.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # TensorFlow leaves them off on processors without AVX-512, where they double the speed of a U-Net too.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    talks = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0"
    with (
        nullcontext() if "tensorflow" in sys.modules else _uncollected(),
        _as_if_missing(*_UNUSED_BY_KERAS),
        nullcontext() if talks else _silent_stderr(),
    ):
        tensorflow = importlib.import_module("tensorflow")
        importlib.import_module("keras")
        tensorflow.config.list_physical_devices()  # a machine without a GPU is remarked on here
    if not talks:
        importlib.import_module("absl.logging").set_verbosity("error")
        tensorflow.get_logger().setLevel("ERROR")  # every stage of a training is traced anew: it warns of it


@contextmanager
def _silent_stderr() -> Iterator[None]:
    # The first lines come whatever TF_CPP_MIN_LOG_LEVEL says, straight to the file descriptor.
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keeps Python from looking for garbage among what the block makes, now or later.

    TensorFlow's import makes hundreds of thousands of objects that stay. To look through them again and again
    took a tenth of the time from the command to the first map.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def _as_if_missing(*names: str) -> Iterator[None]:
    """Lets the import of packages fail while the block runs, of those that are not imported yet."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name)
