"""The ``tfadvpath`` command."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from tfadvpath._version import __version__
from tfadvpath.cli.agreement import agreement
from tfadvpath.cli.console import in_flags, open_closed_streams, say, send_nowhere
from tfadvpath.cli.demo import demo
from tfadvpath.cli.doctor import doctor
from tfadvpath.cli.evaluate import evaluate
from tfadvpath.cli.exit_codes import INTERNAL_ERROR, INTERRUPTED, NOTHING_DONE, TERMINATED
from tfadvpath.cli.explain import explain
from tfadvpath.cli.export import export
from tfadvpath.cli.fit import fit
from tfadvpath.cli.ledger import ledger
from tfadvpath.cli.prepare import prepare
from tfadvpath.cli.send import send
from tfadvpath.cli.serve_check import serve_check
from tfadvpath.cli.train import train
from tfadvpath.cli.view import view
from tfadvpath.errors import InputError, quoted, unforeseen

# What a person does after a command was interrupted.
_GO_ON = {
    "explain": "Go on by the same command",
    "train": "Go on by the same command with --resume",
    "fit": "Go on by the same command with --resume",
    "evaluate": "Run it again: methods that were measured are not measured again",
    "send": "Give the same command again: the archive knows what it has",
}
# TensorFlow's errors of a full disk or memory, by name: it is not imported for them.
_EXHAUSTED = "ResourceExhaustedError"


class Terminated(KeyboardInterrupt):
    """The process was asked to end by SIGTERM, as job schedulers and container runtimes do."""


class _Commands(typer.core.TyperGroup):
    """Answers whatever happens with one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, TyperException):
            raise
        except InputError as error:
            say(in_flags(str(error), self.commands.get(ctx.invoked_subcommand)))
            raise typer.Exit(NOTHING_DONE) from None
        except KeyboardInterrupt as error:
            how_far = f": {error}" if str(error) else ""
            say(f"Interrupted{how_far}. {_GO_ON.get(ctx.invoked_subcommand, 'Run it again')}.")
            raise typer.Exit(TERMINATED if isinstance(error, Terminated) else INTERRUPTED) from None
        except Exception as error:
            code, line = _said(error, ctx.invoked_subcommand)
            say(line)
            raise typer.Exit(code) from None


def _said(error: Exception, command: str | None) -> tuple[int, str]:
    """Returns the exit code and the line of an exception that no command answers itself."""
    name = f"tfadvpath {command}" if command else "tfadvpath"
    if isinstance(error, OSError) and error.errno is not None:
        where = name if error.filename is None else error.filename
        return NOTHING_DONE, f"{where}: {error.strerror}. Make room or mend it, and run it again."
    if isinstance(error, MemoryError):
        return NOTHING_DONE, f"{name}: the memory is full. Close other programs, or give it less at once."
    if type(error).__name__ == _EXHAUSTED:
        return NOTHING_DONE, f"{name}: no room is left ({quoted(error)}). Make room, and run it again."
    try:
        handle, log = tempfile.mkstemp(prefix="tfadvpath-", suffix=".log")
        os.close(handle)
    except OSError:
        return INTERNAL_ERROR, str(unforeseen(name, error))
    return INTERNAL_ERROR, str(unforeseen(name, error).logged(Path(log)))


app = typer.Typer(
    cls=_Commands,
    help="""Shows where in a medical image a classifier's decision comes from.

    To begin: `tfadvpath doctor` checks the installation, `tfadvpath demo OUT` explains generated scans. Then
    `tfadvpath COMMAND --help` says what a command takes and writes, with an example.
    """,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help and one-line usage errors
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tfadvpath {__version__}")
        raise typer.Exit


@app.callback()
def _start(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


# The list of verbs has one line of a terminal for each. Its own help says more.
_VERBS: dict[Callable[..., None], str] = {
    explain: "Explain images: write maps, pictures and checks.",
    fit: "Train what explains a Keras classifier of your own.",
    view: "Open a page to drop images on and look at their maps.",
    ledger: "Merge the ledgers of a job array into one.",
    send: "Send DICOM results to an archive (PACS).",
    demo: "Explain generated brain scans, and write a page on it.",
    train: "Train a classifier and its generators from a recipe.",
    prepare: "Prepare images for training, or generate studies.",
    evaluate: "Compare methods: write tables, charts and a report.",
    agreement: "Compare the maps of bundles that were trained apart.",
    export: "Write the explainer as one SavedModel for a server.",
    serve_check: "Check whether an exported SavedModel may be served.",
    doctor: "Check this installation, and say what mends it.",
}
for verb, about in _VERBS.items():
    app.command(short_help=about)(verb)


def main() -> None:
    """Runs the command line in a process of its own."""
    open_closed_streams()

    def terminate(*_: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        app(prog_name="tfadvpath")
    finally:
        # Python would look for garbage among all that TensorFlow made, for two seconds.
        gc.freeze()
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            try:
                stream.flush()
            except OSError:  # nobody listens any more
                send_nowhere(number)
