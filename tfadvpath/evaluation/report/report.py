"""Files of the report: tables, charts, examples, numbers for programs, and one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.evaluation.claims import FURTHER, HOLDS, MAIN, REFERENCE, ClaimedNumber
from tfadvpath.evaluation.options import SECOND
from tfadvpath.evaluation.report.curves import aopc_chart, iou_chart
from tfadvpath.evaluation.report.pair_tables import errors_table, pair_table
from tfadvpath.evaluation.report.paper import about_paper, paper_task
from tfadvpath.evaluation.report.pictures import Shown, sheet
from tfadvpath.evaluation.report.records import as_json, long_csv, records
from tfadvpath.evaluation.report.short_cut_tables import short_cuts_table
from tfadvpath.evaluation.report.tables import (
    cascade_table,
    findings_table,
    further_table,
    localisation_table,
    number_title,
    relevance_table,
    verdict_table,
)
from tfadvpath.evaluation.summary import Summary
from tfadvpath.files import replacing_folder, write_json, write_text
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.recipes.data import DataSet
from tfadvpath.writers.charts import chart_pixels
from tfadvpath.writers.page import write_page
from tfadvpath.writers.png import write_png
from tfadvpath.writers.tables import Table, comma_separated, latex, markdown

PAGE = "report.html"
AOPC_CHART = "aopc.png"
REPORT_FILE = "report.json"
MEASUREMENTS = "measurements.csv"
_FORMATS = {".md": markdown, ".tex": latex, ".csv": comma_separated}


@dataclass(frozen=True, eq=False)
class About:
    """Subject and origin of an evaluation.

    Attributes:
        data: Data of the recipe.
        name: Name of the bundle.
        facts: Sentences at the head of the page, by title: test images, classifier, perturbation, generators.
        missing: Names of the paper's methods that the bundle has no network for or that were not asked for.
        origin: Entries at the end of the page, by title: command, bundle, options, versions.
    """

    data: DataSet
    name: str
    facts: Mapping[str, str]
    missing: Sequence[str]
    origin: Mapping[str, str]


def write_report(out: Path, summary: Summary, examples: Sequence[Shown], about: About) -> None:
    """Writes report.html, report.json, measurements.csv, the tables, the charts and the examples.

    Args:
        out: Folder that gets them.
        summary: Measurements and judged claims.
        examples: Test images to show.
        about: Subject and origin.
    """
    paper, sentence = paper_task(about.data), about_paper(about.data)
    tables = [
        localisation_table(summary, paper, exact=False, about_paper=sentence),
        localisation_table(summary, paper, exact=True),
        findings_table(summary),
        relevance_table(summary, paper, sentence),
        relevance_table(summary, None, ending=SECOND) if SECOND in summary.options.perturbations else None,
        further_table(summary),
        cascade_table(summary),
        verdict_table(summary, MAIN, paper, sentence),
        verdict_table(summary, REFERENCE, None),
        verdict_table(summary, FURTHER, paper, sentence),
        pair_table(summary),
        errors_table(summary),
        short_cuts_table(summary),
    ]
    shown = [table for table in tables if table is not None]
    for table in shown:
        for ending, text in _FORMATS.items():
            write_text(out / f"{table.name}{ending}", text(table))
    charts = {AOPC_CHART: chart_pixels(aopc_chart(summary))}
    if summary.counts["localised"]:
        charts["iou.png"] = chart_pixels(iou_chart(summary))
    for name, picture in charts.items():
        write_png(out / name, picture)
    with replacing_folder(out / "gallery") as folder:
        for i, example in enumerate(examples):
            kind = example.example.kind.replace(" ", "_")
            write_png(folder / f"{i + 1:02d}_{kind}_{_file_name(example.patient)}.png", sheet(example))
    write_text(out / MEASUREMENTS, long_csv(records(summary)))
    content = {
        "bundle": about.name,
        "task": about.data.task,
        "facts": dict(about.facts),
        "missing": list(about.missing),
        "failed": dict(summary.failed),
        **as_json(summary),
        "paper": [] if paper is None else paper.as_json(),
        "origin": dict(about.origin),
    }
    write_json(out / REPORT_FILE, content)
    write_page(
        out / PAGE,
        "tfadvpath.evaluation.report",
        "evaluation.html",
        about=about,
        about_paper=sentence,
        phantoms=about.data.GENERATED,
        summary=summary,
        titles={measured.compared.key: measured.compared.title for measured in summary.maps.values()},
        tables={table.name: _cells(table) for table in shown},
        charts=charts,
        examples=examples,
        survivors=[measured for measured in summary.maps.values() if measured.survives],
        pairs={GENERATORS[name].title: pair_verdict(one) for name, one in summary.pairs.items()},
        claims_hold=sum(claim.verdict == HOLDS for claim in summary.claims if claim.kind == MAIN),
        claims_judged=sum(bool(claim.comparisons) for claim in summary.claims if claim.kind == MAIN),
        ranked_by=number_title(ClaimedNumber("iou", summary.options.percentiles[0])),
    )


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


def _file_name(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in text)[:60]
