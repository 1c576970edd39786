"""A table of docs/explanation/results.md: IoU and FNR with ties broken, R and AOPC of every map.

    python benchmarks/results_table.py EVALUATION PERCENTILE

EVALUATION is what ``tfadvpath evaluate`` wrote.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("percentile")
    given = parser.parse_args()
    with (given.evaluation / "measurements.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["against"]]
    cells = {(row["map"], row["metric"], row["part"]): row for row in rows}
    report = json.loads((given.evaluation / "report.json").read_text(encoding="utf-8"))
    wanted = [
        ("iou", f"{given.percentile} exact"),
        ("fnr", f"{given.percentile} exact"),
        ("relevance", "all"),
        ("aopc", "all 16 %"),
    ]
    heads = (f"IoU {given.percentile}", f"FNR {given.percentile}", "R", "AOPC 16 %")
    print(f"| map | {' | '.join(heads)} |\n| --- |{' ---: |' * len(heads)}")
    for key, measured in report["maps"].items():
        texts = (number_in(cells[key, metric, part]) for metric, part in wanted)
        print(f"| {measured['title']} | {' | '.join(texts)} |")


def number_in(cell: dict[str, str]) -> str:
    """A number with its interval, to three digits."""
    value, low, high = (f"{float(cell[name]):.3f}" for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


if __name__ == "__main__":
    main()
