"""Everything that an evaluation leaves for people and programs: tables, curves, examples, one page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.evaluation.claims import FAILS, HOLDS, UNDECIDED, Claim, Figure
from tfadvpath.evaluation.columns import COLUMNS
from tfadvpath.evaluation.randomised import OF_THE_PAIR
from tfadvpath.evaluation.summary import Summary
from tfadvpath.reports.evaluation_curves import draw_aopc, draw_iou
from tfadvpath.reports.evaluation_gallery import Shown, sheet
from tfadvpath.reports.evaluation_records import as_json, long_csv, records
from tfadvpath.reports.evaluation_tables import (
    claim_table,
    figure_title,
    further_table,
    localisation_table,
    relevance_table,
)
from tfadvpath.reports.page import write_page
from tfadvpath.reports.paper import about_papers_figures, paper_task
from tfadvpath.reports.tables import Table, comma_separated, latex, markdown
from tfadvpath.writers.atomic import replacing_file, replacing_folder
from tfadvpath.writers.png import write_png

REPORT = "report.html"
CURVES = "aopc.png"
FIGURES = "report.json"
_FORMATS = {".md": markdown, ".tex": latex, ".csv": comma_separated}


@dataclass(frozen=True, eq=False)
class About:
    """What an evaluation was of.

    Attributes:
        task: The recipe's ``data.task``.
        name: The bundle's.
        facts: What the page's head lists: the test images, the classifier, the perturbation, the generators.
        missing: Methods of the paper that the bundle has no network for or that were not asked for.
        failed: Why a method could not be measured, by its name.
        origin: What the page's end lists: command, versions.
    """

    task: str
    name: str
    facts: Mapping[str, str]
    missing: Sequence[str]
    failed: Mapping[str, str]
    origin: Mapping[str, str]


def write_evaluation(
    out: Path, summary: Summary, claims: Sequence[Claim], examples: Sequence[Shown], about: About
) -> dict[str, Any]:
    """Writes report.html, report.json, figures.csv, the tables, the curves and the examples.

    Args:
        out: The folder.
        summary: What was measured.
        claims: Of ``evaluation.claims.judge``.
        examples: To show.
        about: Where it comes from.

    Returns:
        What report.json holds.
    """
    paper = paper_task(about.task)
    about_paper = about_papers_figures(about.task) if paper else ""
    tables = [
        localisation_table(summary, paper, exact=False, about_paper=about_paper),
        localisation_table(summary, paper, exact=True),
        relevance_table(summary, paper, about_paper),
        further_table(summary),
    ]
    of_claims = [claim_table(i + 1, claim, paper, about_paper) for i, claim in enumerate(claims)]
    shown = [table for table in tables if table is not None]
    for table in (*shown, *of_claims):
        for ending, text in _FORMATS.items():
            _write(out / f"{table.name}{ending}", text(table))
    curves = {CURVES: draw_aopc(summary)}
    if summary.counts["localised"]:
        curves["iou.png"] = draw_iou(summary)
    for name, picture in curves.items():
        write_png(out / name, picture)
    with replacing_folder(out / "gallery") as folder:
        for i, example in enumerate(examples):
            kind = example.example.kind.replace(" ", "_")
            write_png(folder / f"{i + 1:02d}_{kind}_{_file_name(example.patient)}.png", sheet(example))
    _write(out / "figures.csv", long_csv(records(summary)))
    content = {
        "bundle": about.name,
        "task": about.task,
        "facts": dict(about.facts),
        "missing": list(about.missing),
        "failed": dict(about.failed),
        **as_json(summary, claims),
        "origin": dict(about.origin),
    }
    _write(out / FIGURES, json.dumps(content, indent=2, allow_nan=False) + "\n")
    write_page(
        out / REPORT,
        "evaluation.html",
        about=about,
        about_paper=about_paper,
        phantoms=about.task.startswith("phantom"),
        summary=summary,
        claims=list(zip(claims, map(_cells, of_claims), strict=True)),
        verdict_classes={HOLDS: "good", FAILS: "bad", UNDECIDED: "quiet"},
        titles={
            column.key: column.title for column in (*COLUMNS, *(c.column for c in summary.columns.values()))
        },
        tables={table.name: _cells(table) for table in shown},
        curves=curves,
        examples=examples,
        survivors=[column for column in summary.columns.values() if column.survives],
        of_the_pair=OF_THE_PAIR,
        ranked_by=figure_title(Figure("iou", summary.options.percentiles[0])),
    )
    return content


def _cells(table: Table) -> dict[str, Any]:
    """Returns a table for the template: its cells as text, with a mark on the best."""
    places = range(len(table.headings))
    return {
        "caption": table.caption,
        "titles": [heading.title for heading in table.headings],
        "rows": [
            [(table.text(row, place), table.is_best(row, place)) for place in places]
            for row in range(len(table.rows))
        ],
        "notes": table.notes,
    }


def _write(path: Path, text: str) -> None:
    with replacing_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in text)[:60]
