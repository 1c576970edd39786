"""The tables of docs/explanation/results.md, from what ``tfadvpath evaluate`` and ``agreement`` wrote.

    python benchmarks/results_table.py PAGE NAME=FOLDER [NAME=FOLDER ...]

PAGE is the Markdown file. FOLDER is what one of the two commands wrote, and NAME stands for it on the page.
Each part of the page between ``<!-- NAME KIND -->`` and ``<!-- end -->`` is replaced by a table of that kind:
origin, maps, verdicts, cascade, pairs, errors, short_cuts of an evaluation, or agreement. Parts of other
names stay.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path

_PART = re.compile(r"(<!-- (\S+) (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_WIDTH = 108
# The weighted maps, whose gradient the cascade tries.
_WEIGHTED = ("cyce_fi_v1", "cyce_fi_v2", "syce_fi_v1", "syce_fi_v2")
_SHARES = ("last layer", "25 %", "50 %", "75 %", "100 %")


class Evaluation:
    """What ``tfadvpath evaluate`` wrote.

    Args:
        folder: Its folder.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        self.titles = {key: one["title"] for key, one in self.report["maps"].items()}
        with (folder / "measurements.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.numbers = {(row["map"], row["metric"], row["part"]): row for row in rows if not row["against"]}
        self.percentile = f"{self.report['options']['percentiles'][0]:g}"

    def number(self, key: str, metric: str, part: str = "") -> str:
        """Returns a number with its interval, or a dash."""
        return _number(self.numbers.get((key, metric, part), {}))

    def origin(self) -> str:
        """Returns the commands, the bundle and the versions."""
        origin, counts = self.report["origin"], self.report["counts"]
        texts = [
            f"Bundle: {origin['Bundle']}. Seed: {self.report['options']['seed']}. {origin['Versions']}.",
            f"{counts['images']} test images of {counts['patients']} patients; {counts['localised']} with an "
            f"annotation; R and AOPC on {counts['relevance']} of them. {origin['Time']}.",
        ]
        return "\n\n".join([f"    {origin['Command']}", *map(_filled, texts)])

    def maps(self) -> str:
        """Returns IoU and FNR with ties broken, R and AOPC of every map, control and reference."""
        exact = f"{self.percentile} exact"
        columns = {f"IoU {self.percentile}": ("iou", exact), f"FNR {self.percentile}": ("fnr", exact)}
        columns |= {f"IoU {self.percentile}, found": ("iou_found", exact)}
        columns |= {"R": ("relevance", "all"), "AOPC 16 %": ("aopc", "all 16 %")}
        if self.report["options"]["second_perturbation"]:
            columns |= {"R 2": ("relevance_2", "all"), "AOPC 2 16 %": ("aopc_2", "all 16 %")}
        names = self.titles | {"average_mask": "average mask", "segmentation": "segmentation network"}
        names |= {"best_possible": "best possible", "random": "random order"}
        rows = [
            [title, *(self.number(key, *column) for column in columns.values())]
            for key, title in names.items()
            if any((key, *column) in self.numbers for column in columns.values())
        ]
        return _table(["map", *columns], rows)

    def verdicts(self) -> str:
        """Returns the verdict of each main claim with its difference in IoU, R and AOPC."""
        wanted = {
            ("iou", float(self.percentile)): f"IoU {self.percentile}",
            ("relevance", None): "R",
            ("aopc", None): "AOPC 16 %",
            ("relevance_2", None): "R 2",
            ("aopc_2", None): "AOPC 2 16 %",
        }
        rows, known = [], set()
        for claim in self.report["claims"]:
            if claim["kind"] != "main" or not claim["comparisons"]:
                continue
            by_number = {(one["metric"], one["percentile"]): one for one in claim["comparisons"]}
            known |= set(by_number)
            first = claim["comparisons"][0]
            better = {
                number: _number({**one, "value": one["better_by"]}) for number, one in by_number.items()
            }
            names = [self.titles[first[name]] for name in ("map", "against")]
            rows.append((names, better, claim["verdict"]))
        columns = {number: title for number, title in wanted.items() if number in known}
        return _table(
            ["map", "against", *columns.values(), "verdict"],
            [
                [*names, *(better.get(number, "–") for number in columns), verdict]
                for names, better, verdict in rows
            ],
        )

    def cascade(self) -> str:
        """Returns the rank correlation of the gradient's weight while the classifier forgets."""
        rows = [
            [self.titles[key], *(self.number(key, "cascade_weight", share) for share in _SHARES)]
            for key in _WEIGHTED
            if (key, "cascade_weight", _SHARES[0]) in self.numbers
        ]
        return _table(["map", *_SHARES], rows)

    def pairs(self) -> str:
        """Returns the quality of the pairs, and the verdict on each generator."""
        table = _without_caption(self.folder / "table_6.md")
        verdicts = [f"**{name}**: {' '.join(one['sentences'])}" for name, one in self.report["pairs"].items()]
        return "\n\n".join([table, *map(_filled, verdicts)])

    def short_cuts(self) -> str:
        """Returns how much of each map lies where short cuts are."""
        return _without_caption(self.folder / "table_8.md")

    def errors(self) -> str:
        """Returns how well the pairs tell the classifier's errors."""
        return _without_caption(self.folder / "table_7.md")


def agreement(folder: Path) -> str:
    """Returns the table that ``tfadvpath agreement`` wrote."""
    return _without_caption(folder / "agreement.md")


def _without_caption(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()[2:]
    return "\n".join(line if line.startswith("|") else _filled(line) for line in lines).strip()


def _filled(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def _number(cell: dict) -> str:
    if cell.get("value") in (None, ""):
        return "–"
    value, low, high = (float(cell[name] or "nan") for name in ("value", "low", "high"))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def filled_page(page: str, folders: dict[str, Path]) -> str:
    """Returns the text of a page with its parts replaced.

    Args:
        page: Text of the page.
        folders: Folders of evaluations and agreements by their names.

    Raises:
        SystemExit: A part is of an unknown kind.
    """
    evaluations = {name: Evaluation(one) for name, one in folders.items() if (one / "report.json").exists()}

    def part(match: re.Match[str]) -> str:
        begin, name, kind, end = match.groups()
        if name not in folders:
            return match[0]
        make: Callable[[], str] | None = None
        if name in evaluations:
            make = getattr(evaluations[name], kind, None)
        elif kind == "agreement":
            return f"{begin}\n{agreement(folders[name])}\n\n{end}"
        if make is None:
            raise SystemExit(f"{name} {kind}: no such table. Write one of the kinds that --help lists")
        return f"{begin}\n{make()}\n\n{end}"

    return _PART.sub(part, page)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("page", type=Path)
    parser.add_argument("folders", nargs="+", metavar="NAME=FOLDER")
    given = parser.parse_args()
    folders = {name: Path(path) for name, _, path in (text.partition("=") for text in given.folders)}
    text = given.page.read_text(encoding="utf-8")
    given.page.write_text(filled_page(text, folders), encoding="utf-8")


if __name__ == "__main__":
    main()
