"""The ``tfadvpath`` command."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from tfadvpath._version import __version__
from tfadvpath.cli.console import say
from tfadvpath.cli.demo import demo
from tfadvpath.cli.evaluate import evaluate
from tfadvpath.cli.explain import explain
from tfadvpath.cli.export import export
from tfadvpath.cli.prepare import prepare
from tfadvpath.cli.serve_check import serve_check
from tfadvpath.cli.train import train
from tfadvpath.errors import InputError

_WRONG, _INTERRUPTED = 2, 130
_PARAMETER = re.compile(r"`(\w+)`")


class _Commands(typer.core.TyperGroup):
    """Answers what a person can cause with one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            say(_in_flags(str(error), self.commands.get(ctx.invoked_subcommand)))
            raise typer.Exit(_WRONG) from None
        except KeyboardInterrupt:
            raise typer.Exit(_INTERRUPTED) from None


def _in_flags(message: str, command: Any) -> str:
    """Returns a message of the library with the parameters that it names as the command's flags.

    The library writes the name of a parameter as `batch_size`, which is --batch-size here.
    """
    flags = {} if command is None else {each.name: _flag(each) for each in command.params}
    return _PARAMETER.sub(lambda match: flags.get(match[1], match[0]), message)


def _flag(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return parameter.make_metavar() if parameter.metavar is None else parameter.metavar
    return max(parameter.opts, key=len)


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
