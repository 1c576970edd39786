"""The tables of docs/explanation/results.md, from what ``tfadvpath evaluate`` and ``agreement`` wrote.

    python benchmarks/results_table.py PAGE NAME=FOLDER [NAME=FOLDER ...]

PAGE is the Markdown file. FOLDER is what one of the two commands wrote, and NAME stands for it on the page.
Each part of the page between ``<!-- NAME KIND -->`` and ``<!-- end -->`` is replaced by a table of that kind:
origin, maps, findings, verdicts, chance, further, cascade, pairs, errors, short_cuts of an evaluation, or
agreement. Parts of other names stay.
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
        """Returns IoU and FNR with ties broken, R and AOPC of every map, control and reference.

        The paper's numbers stand beside where the data's organ is one of its two.
        """
        exact = f"{self.percentile} exact"
        columns = {f"IoU {self.percentile}": ("iou", exact), f"FNR {self.percentile}": ("fnr", exact)}
        columns |= {f"IoU {self.percentile}, found": ("iou_found", exact)}
        columns |= {"R": ("relevance", "all"), "AOPC 16 %": ("aopc", "all 16 %")}
        if self.report["options"]["second_perturbation"]:
            columns |= {"R 2": ("relevance_2", "all"), "AOPC 2 16 %": ("aopc_2", "all 16 %")}
        names = self.titles | {"average_mask": "average mask", "segmentation": "segmentation network"}
        names |= {"best_possible": "best possible"}
        rows = [
            [title, *(self.number(key, *column) for column in columns.values())]
            for key, title in names.items()
            if any((key, *column) in self.numbers for column in columns.values())
        ]
        # AOPC is relative to that of random orders, so their own is left out.
        row = [
            self.number("random" if metric.startswith("relevance") else "random_order", metric, part)
            for metric, part in columns.values()
        ]
        rows.append(["random order", *row])
        heads, papers = ["map", *columns], self._papers()
        if papers:
            keys = {title: key for key, title in self.titles.items()} | {"random order": "random"}
            heads += [f"paper {title}" for title in papers]
            rows = [
                [*row, *(papers[title].get(keys.get(row[0], ""), "–") for title in papers)] for row in rows
            ]
        return _table(heads, rows)

    def _papers(self) -> dict[str, dict[str, str]]:
        """Returns the paper's numbers by the title of their column and by the map's key."""
        found: dict[str, dict[str, str]] = {}
        titles = {"iou": f"IoU {self.percentile}", "fnr": f"FNR {self.percentile}", "relevance": "R"}
        for one in self.report.get("paper", []):
            if one["percentile"] in (None, float(self.percentile)):
                found.setdefault(titles[one["metric"]], {})[one["map"]] = f"{one['value']:.3f}"
        return found

    def findings(self) -> str:
        """Returns IoU with ties broken of found and missed findings, of small and large ones."""
        parts = ("found", "missed", "small", "large")
        exact = f"{self.percentile} exact"
        rows = [
            [title, *(self.number(key, f"iou_{part}", exact) for part in parts)]
            for key, title in self.titles.items()
            if (key, "iou_found", exact) in self.numbers
        ]
        return _table(["map", *(f"IoU {self.percentile}, {part}" for part in parts)], rows)

    def verdicts(self) -> str:
        """Returns the verdict of each main claim: v2 smooth against E, E smooth and each baseline."""
        return self._claims("main")

    def chance(self) -> str:
        """Returns the verdict of v2 smooth against a random order and the average mask."""
        return self._claims("reference")

    def further(self) -> str:
        """Returns the verdict of v1 and v2 against E and each baseline."""
        return self._claims("further")

    def _claims(self, kind: str) -> str:
        """Returns claims with their difference in IoU, FNR, R and AOPC, and what decided them elsewhere."""
        percentile = float(self.percentile)
        shown = {
            ("iou", percentile): f"IoU {self.percentile}",
            ("fnr", percentile): f"FNR {self.percentile}",
            ("relevance", None): "R",
            ("aopc", None): "AOPC 16 %",
            ("relevance_2", None): "R 2",
            ("aopc_2", None): "AOPC 2 16 %",
        }
        rows, known = [], set()
        for claim in self.report["claims"]:
            if claim["kind"] != kind or not claim["comparisons"]:
                continue
            by_number = {(one["metric"], one["percentile"]): one for one in claim["comparisons"]}
            known |= set(by_number)
            better = {
                number: _number({**one, "value": one["better_by"]}) for number, one in by_number.items()
            }
            others = [one for number, one in by_number.items() if number not in shown]
            counts = [
                f"{sum(one['verdict'] == verdict for one in others)} {word}"
                for verdict, word in (("holds", "better"), ("does not hold", "worse"))
            ]
            rows.append(
                (claim["text"].split(" is better than "), better, ", ".join(counts), claim["verdict"])
            )
        columns = {number: title for number, title in shown.items() if number in known}
        heads = ["map", "against", *columns.values()]
        more = any(number not in shown for number in known)
        return _table(
            [*heads, *(["other percentiles"] if more else []), "verdict"],
            [
                [
                    *names,
                    *(better.get(number, "–") for number in columns),
                    *([counts] if more else []),
                    verdict,
                ]
                for names, better, counts, verdict in rows
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
        verdicts = [
            f"**{name}**: {' '.join(one['sentences']) or 'The pairs reach every limit.'}"
            for name, one in self.report["pairs"].items()
        ]
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
