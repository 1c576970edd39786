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
    with (given.evaluation / "figures.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if not row["against"]]
    cells = {(row["column"], row["figure"], row["part"]): row for row in rows}
    report = json.loads((given.evaluation / "report.json").read_text(encoding="utf-8"))
    wanted = [
        ("iou", f"{given.percentile} exact"),
        ("fnr", f"{given.percentile} exact"),
        ("relevance", "all"),
        ("aopc", "all 16 %"),
    ]
    heads = (f"IoU {given.percentile}", f"FNR {given.percentile}", "R", "AOPC 16 %")
    print(f"| map | {' | '.join(heads)} |\n| --- |{' ---: |' * len(heads)}")
    for key, column in report["columns"].items():
        found = (cells[key, figure, part] for figure, part in wanted)
        texts = (" [".join((f"{float(f['value']):.3f}", f"{ends(f)}]")) for f in found)
        print(f"| {column['title']} | {' | '.join(texts)} |")


def ends(cell: dict[str, str]) -> str:
    return ", ".join(f"{float(cell[name]):.3f}" for name in ("low", "high"))


if __name__ == "__main__":
    main()
