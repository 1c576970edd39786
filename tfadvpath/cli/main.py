"""The ``tfadvpath`` command."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from tfadvpath._version import __version__
from tfadvpath.cli.console import in_flags, say
from tfadvpath.cli.demo import demo
from tfadvpath.cli.evaluate import evaluate
from tfadvpath.cli.explain import explain
from tfadvpath.cli.export import export
from tfadvpath.cli.prepare import prepare
from tfadvpath.cli.serve_check import serve_check
from tfadvpath.cli.train import train
from tfadvpath.errors import InputError

_WRONG, _INTERRUPTED = 2, 130


class _Commands(typer.core.TyperGroup):
    """Answers what a person can cause with one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            say(in_flags(str(error), self.commands.get(ctx.invoked_subcommand)))
            raise typer.Exit(_WRONG) from None
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None


app = typer.Typer(
    cls=_Commands,
    help="Shows where in a medical image a classifier's decision comes from.",
    no_args_is_help=True,
    add_completion=False,
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


for verb in (explain, demo, train, prepare, evaluate, export, serve_check):
    app.command()(verb)
