"""``tfadvpath ledger``: what became of every study of a job array, in one place."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import answer, counted
from tfadvpath.cli.exit_codes import NOTHING_DONE, SOME_FAILED


class _Action(enum.Enum):
    MERGE = "merge"


def ledger(
    action: Annotated[_Action, typer.Argument(metavar="merge", help="Make one ledger of the parts'.")],
    out: Annotated[Path, typer.Argument(metavar="DIR", help="The --out of `tfadvpath explain --num-parts`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")] = False,
) -> None:
    """Merge the ledgers and summaries of a job array's parts into one of all studies.

    DIR holds the parts: part_0_of_4, part_1_of_4 and so on. It gets ledger.jsonl, ledger.parquet and
    summary.json of all studies. The parts stay as they are.

    Example: tfadvpath ledger merge maps/

    Exit code: 0 all studies are explained, 1 some failed, 2 none is explained, a part is missing, or wrong
    use.
    """
    from tfadvpath.batch.merge import merge_ledgers

    assert action is _Action.MERGE  # the only one yet
    summary = merge_ledgers(out)
    text = f"{counted(summary.explained, 'study', 'studies')} of {counted(summary.parts, 'part')} explained"
    text += f", {summary.failed} failed: {out}"
    answer(json.dumps(summary.as_json(), indent=2) if as_json else text)
    if summary.failed:
        raise typer.Exit(SOME_FAILED if summary.explained else NOTHING_DONE)
