"""Tables in three formats."""

import csv
import io
import math

import pytest

from tfadvpath.writers.tables import Heading, Number, Table, comma_separated, latex, markdown

TABLE = Table(
    "figures",
    "Figures & shares",
    [Heading("map_name"), Heading("IoU", 2, best="highest"), Heading("FNR", best="lowest"), Heading("note")],
    [
        ["a|b", Number(0.5, 0.4, 0.6), Number(0.25), "5 %"],
        ["c", Number(0.504, 0.4, 0.61), Number(math.nan), ""],
        ["by chance", Number(0.9), Number(-0.0001), "{x}"],
    ],
    notes=["A note."],
    references=1,
)


def test_markdown_shows_intervals_dashes_and_the_best():
    lines = markdown(TABLE).splitlines()
    assert lines[0] == "**Figures & shares**"
    assert lines[2:] == [
        "| map_name | IoU | FNR | note |",
        "| --- | ---: | ---: | ---: |",
        r"| a\|b | **0.50 [0.40, 0.60]** | **0.250** | 5 % |",
        "| c | **0.50 [0.40, 0.61]** | – |  |",
        "| by chance | 0.90 | 0.000 | {x} |",
        "",
        "A note.",
    ]


def test_latex_escapes_what_it_would_read():
    text = latex(TABLE)
    assert r"\caption{Figures \& shares. A note.}" in text
    assert r"map\_name & IoU & FNR & note \\" in text
    assert r"a|b & \textbf{0.50 [0.40, 0.60]} & \textbf{0.250} & 5 \% \\" in text
    assert r"by chance & 0.90 & 0.000 & \{x\} \\" in text
    assert text.count(r"\begin") == text.count(r"\end") == 2


def test_csv_gives_an_interval_columns_of_its_own():
    rows = list(csv.reader(io.StringIO(comma_separated(TABLE))))
    assert rows == [
        ["map_name", "IoU", "IoU low", "IoU high", "FNR", "note"],
        ["a|b", "0.5", "0.4", "0.6", "0.25", "5 %"],
        ["c", "0.504", "0.4", "0.61", "", ""],
        ["by chance", "0.9", "", "", "-0.0001", "{x}"],
    ]


def test_equal_values_are_best_as_far_as_their_digits_show():
    assert [TABLE.is_best(row, 1) for row in range(3)] == [True, True, False]
    assert [TABLE.is_best(row, 2) for row in range(3)] == [True, False, False]
    assert not any(TABLE.is_best(row, 3) for row in range(3))


@pytest.mark.parametrize(("value", "text"), [(-0.0004, "0.000"), (-0.0006, "-0.001"), (1.0, "1.000")])
def test_a_number_that_rounds_to_nothing_has_no_sign(value, text):
    assert Table("a", "", [Heading("x")], [[Number(value)]]).text(0, 0) == text
