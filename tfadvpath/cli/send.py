"""``tfadvpath send``: results into an archive (PACS)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tfadvpath.cli.console import Bars, answer, counted, in_flags, say
from tfadvpath.cli.exit_codes import NOTHING_DONE, SOME_FAILED
from tfadvpath.errors import InputError

if TYPE_CHECKING:
    from tfadvpath.pacs.outcomes import SendSummary

_LONGEST_TOKEN = 2**16  # bytes of its file


def send(
    ctx: typer.Context,
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS",
            help="Folders that `tfadvpath explain --format dicom` wrote, and DICOM files.",
        ),
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="TARGET", help="https://HOST/dicom-web, or AET@HOST:PORT.")
    ],
    calling_aet: Annotated[
        str, typer.Option(metavar="AET", help="Title of this side, for AET@HOST:PORT.")
    ] = "TFADVPATH",
    synthetic: Annotated[
        bool,
        typer.Option("--synthetic", help="Send generated images too, which are none of the patient."),
    ] = False,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            help="Encrypt, for AET@HOST:PORT. --ca and --certificate say it too.",
        ),
    ] = False,
    ca: Annotated[
        Path | None,
        typer.Option(
            metavar="PEM", help="Authorities that the archive is checked by. Without it: the system's."
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Certificate that this side shows.")
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="Its private key. Without it: in the file of --certificate."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File that holds a bearer token, for https.")
    ] = None,
    token_variable: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Variable of the environment that holds the token."),
    ] = None,
    unencrypted_token: Annotated[
        bool,
        typer.Option(
            "--unencrypted-token",
            help="Send the token over http to another machine. Others may read it.",
        ),
    ] = False,
    proxy: Annotated[
        bool, typer.Option("--proxy", help="Take the proxies that the environment names, for https.")
    ] = False,
    attempts: Annotated[
        int, typer.Option(min=1, help="How often a file is sent where the archive is busy or not there.")
    ] = 5,
    timeout: Annotated[
        float, typer.Option(min=1, metavar="SECONDS", help="For the archive's answer to a file.")
    ] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Send DICOM results to an archive (PACS), by DICOMweb or C-STORE, and say what it has.

    Each file is sent as it is. A file that cannot be sent is named with the reason, and the others go on. The
    same command may be given again: an archive knows what it has. No other command sends results anywhere.
    Needs the extra: pip install 'tfadvpath[pacs]'.

    Example: tfadvpath send maps/ --to https://pacs.example.org/dicom-web

    Exit code: 0 the archive has all, 1 some could not be sent, 2 none could be or wrong use, 3 a fault of
    tfadvpath, 130 or 143 interrupted.
    """
    # It imports NumPy and pydicom: --help need not wait for them.
    from tfadvpath.pacs.outcomes import NotSent, Sent
    from tfadvpath.pacs.send import send_results
    from tfadvpath.serving.access import Access

    access = Access(
        token=_token(token_file, token_variable),
        ca=ca,
        certificate=certificate,
        key=key,
        tls=tls,
        proxy=proxy,
    )

    def listen(outcome: Sent | NotSent) -> None:
        if isinstance(outcome, NotSent):
            say(in_flags(str(outcome.error), ctx.command))
        elif outcome.state is outcome.state.CHANGED:
            say(f"{outcome.path}: stored, but the archive changed or dropped attributes. Look at its log.")

    def show(amount: float, total: float) -> None:
        bars.advance("Sending", amount, total)

    with Bars() as bars:
        summary = send_results(
            results,
            target,
            access=access,
            calling_aet=calling_aet,
            synthetic=synthetic,
            unencrypted_token=unencrypted_token,
            attempts=attempts,
            timeout=timeout,
            listener=listen,
            on_progress=show,
        )
    for path, reason in summary.left_out:
        say(in_flags(f"{path}: left out, it {reason}.", ctx.command))
    answer(json.dumps(summary.as_json(), indent=2) if as_json else _sentence(summary))
    if summary.failures:
        raise typer.Exit(SOME_FAILED if summary.sent else NOTHING_DONE)


def _token(file: Path | None, variable: str | None) -> str | None:
    """Returns the token, which nobody shall read from the list of processes."""
    if file is not None and variable is not None:
        raise InputError("`token_file`", "does not go with `token_variable`", "Give one of them")
    if variable is not None:
        token = os.environ.get(variable, "").strip()
        if not token:
            # The name is not shown: it may be the token itself, by mistake.
            raise InputError("`token_variable`", "names no variable that is set", "Set it, and give its name")
        return token
    if file is None:
        return None
    try:
        with file.open(encoding="utf-8") as opened:
            token = opened.read(_LONGEST_TOKEN).strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(file, f"the token cannot be read ({reason})", "Check the file") from None
    if not token:
        raise InputError(file, "holds no token", "Write the token into it")
    return token


def _sentence(summary: SendSummary) -> str:
    from tfadvpath.pacs.archive import State

    text = f"{counted(len(summary.sent), 'file')} of {len(summary.sent) + len(summary.failures)} are in "
    text += f"{summary.target}: {summary.megabytes:.1f} MB in {summary.seconds:.1f} s."
    there = summary.count(State.THERE)
    if there:
        text += f" {counted(there, 'file')} had been there before."
    if summary.failures:
        text += f" {counted(len(summary.failures), 'file')} could not be sent."
    return text
