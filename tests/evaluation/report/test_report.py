"""What an evaluation leaves for people and programs."""

import csv
import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from support import evaluations
from support.evaluations import OPTIONS, evaluated_images, random_orders, without_annotation
from support.pages import Page

from tfadvpath.evaluation.claims import judge
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS, ComparedMap
from tfadvpath.evaluation.gallery import choose_examples
from tfadvpath.evaluation.report.curves import aopc_chart, iou_chart
from tfadvpath.evaluation.report.pictures import show
from tfadvpath.evaluation.report.report import About, write_report
from tfadvpath.evaluation.summary import summarise
from tfadvpath.recipes.data import PhantomBrain, Pneumonia
from tfadvpath.writers.charts import chart_pixels

PHANTOMS = PhantomBrain(
    task="phantom-brain", image_size=32, patients={"train": 1, "validation": 1, "test": 6}
)
ABOUT = About(
    data=PHANTOMS,
    name="tiny <b>",
    facts={"Test images": "24 of 6 patients"},
    missing=["sagen"],
    origin={"Command": "tfadvpath evaluate 'a & b'"},
)
TABLES = ["table_1", "table_1b", "table_1c", "table_2", "table_3", "table_3b"]
TABLES += ["table_4", "table_4b", "table_5"]
FAILED = {"grad_cam": "ValueError: no <layer>"}


def shown(evaluated, measured, summary):
    iou = measured["syce"].maps["fi_v2_smooth"]["iou"][:, 0, 0]
    examples = choose_examples(evaluated, "syce_fi_v2_smooth", iou)
    rows = [e.row for e in examples]
    maps = {
        one.compared: evaluated.images.images[rows, ..., 0] * (i + 1)
        for i, one in enumerate(summary.maps.values())
    }
    return [
        show(e, i, evaluated.images, float(evaluated.scores[e.row]), maps) for i, e in enumerate(examples)
    ]


def summarised(evaluated, measured, failed=None):
    masks = evaluated.images.masks[evaluated.localised].astype(np.float32)
    average = np.broadcast_to(evaluated.images.masks.mean(axis=0), masks.shape)
    references = {"best_possible": masks, "segmentation": masks, "average_mask": average}
    summary = summarise(
        measured, random_orders(evaluated), evaluated, OPTIONS, repeats=50, references=references
    )
    return dataclasses.replace(summary, claims=judge(summary), failed=failed or {})


def write(out, evaluated, methods, about=ABOUT):
    """Writes the report of some methods, without failures."""
    measured = {n: m for n, m in evaluations.every_method(evaluated).items() if n in methods}
    summary = summarised(evaluated, measured)
    write_report(out, summary, shown(evaluated, measured, summary), about)
    return summary


@pytest.fixture(scope="module")
def measured(evaluated):
    """Measurements of every method; no test writes to them."""
    return evaluations.every_method(evaluated)


@pytest.fixture(scope="module")
def summary(evaluated, measured):
    return summarised(evaluated, measured, FAILED)


@pytest.fixture(scope="module")
def examples(evaluated, measured, summary):
    return shown(evaluated, measured, summary)


@pytest.fixture(scope="module")
def out(summary, examples, tmp_path_factory):
    """The folder of the report."""
    folder = tmp_path_factory.mktemp("evaluation")
    write_report(folder, summary, examples, ABOUT)
    return folder


@pytest.fixture(scope="module")
def page(out):
    return read_page(out)


def read_page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def read_table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_every_file_is_there(out):
    names = {path.name for path in out.iterdir()}
    tables = TABLES
    expected = {f"{table}{ending}" for table in tables for ending in (".md", ".tex", ".csv")}
    expected |= {"report.html", "report.json", "measurements.csv", "aopc.png", "iou.png", "gallery"}
    assert names == expected


def test_the_gallery_names_what_each_example_shows(out, examples):
    names = sorted(path.name for path in (out / "gallery").iterdir())
    assert names == [
        f"{i:02d}_{one.example.kind.replace(' ', '_')}_{one.patient.replace(' ', '_')}.png"
        for i, one in enumerate(examples, start=1)
    ]
    kinds = {one.example.kind for one in examples}
    assert kinds == {"best", "median", "worst", "missed", "false alarm"}


def test_the_page_is_one_file(page):
    assert page.fetched == []
    assert all(image["alt"] for image in page.images)


def test_what_is_given_is_escaped(page):
    assert "tiny <b>" not in page.html
    assert "no <layer>" not in page.html
    assert "grad_cam failed: ValueError: no <layer>" in page.text
    assert ABOUT.origin["Command"] in page.text


def test_the_page_says_whose_numbers_stand_beside(page):
    assert "generated phantoms, not patients" in page.text
    assert "published numbers on brain tumours (MRI): another data set" in page.text


@pytest.mark.slow
def test_numbers_beside_patients_are_of_the_same_task(evaluated, tmp_path):
    own = About(Pneumonia(task="pneumonia", image_size=32, path="images"), "x", {}, [], {})
    write(tmp_path, evaluated, ["gradient", "syce"], own)
    page = read_page(tmp_path)
    assert "published numbers of the same task, pneumonia (X-rays)" in page.text
    assert "another data set" not in page.text
    assert "phantoms" not in page.text


def test_verdicts_have_a_row_for_every_other_map(out, summary):
    rows = read_table(out / "table_4.csv")
    assert [(row["map"], row["against"]) for row in rows][:3] == [
        ("SyCE v2 smooth", "SyCE E"),
        ("SyCE v2 smooth", "SyCE E smooth"),
        ("SyCE v2 smooth", "Gradient"),
    ]
    claim = summary.claims[0]
    by_number = {(one.number.metric, one.number.percentile): one for one in claim.comparisons}
    assert float(rows[0]["FNR 98"]) == pytest.approx(by_number["fnr", 98].advantage, rel=1e-5)
    assert float(rows[0]["R high"]) == pytest.approx(by_number["relevance", None].high, rel=1e-5)
    assert float(rows[0]["paper IoU 98"]) == pytest.approx(0.432 - 0.411)
    assert rows[0]["verdict"] == "holds (6 better, 0 worse, 0 undecided)"
    assert rows[1]["verdict"] == "not tested"
    assert rows[1]["IoU 98"] == ""
    further = [(row["map"], row["against"]) for row in read_table(out / "table_5.csv")]
    assert further[:2] == [("SyCE v1", "SyCE E"), ("SyCE v1", "Gradient")]
    assert {name for name, _ in further} == {f"{g} {v}" for g in ("SyCE", "CyCE") for v in ("v1", "v2")}
    by_chance, average = read_table(out / "table_4b.csv")[:2]
    assert [row["against"] for row in (by_chance, average)] == ["a random order", "the average mask"]
    assert by_chance["R"] != ""
    assert average["R"] == ""


FIGURES = {
    "flip_rate": 0.4,
    "flip_rate_interval": [0.3, 0.5],
    "keep_rate": None,
    "encoder_frechet_distance": {"zero_to_one": 3.0, "one_to_zero": 5.0, "mean": 4.0},
}


def test_the_pairs_stand_with_their_verdict_in_plain_words(evaluated, measured, tmp_path):
    summary = dataclasses.replace(
        summarised(evaluated, measured), pairs={"syce": FIGURES, "cyce": {"flip_rate": 0.99}}
    )
    write_report(tmp_path, summary, [], ABOUT)
    rows = read_table(tmp_path / "table_6.csv")
    assert [row["figure"] for row in rows] == [
        "x_a crosses the decision",
        "Fréchet distance of an encoder's features",
    ]
    assert (rows[0]["SyCE"], rows[0]["SyCE low"], rows[0]["CyCE"]) == ("0.4", "0.3", "0.99")
    assert rows[0]["wanted"] == "at least 0.85"
    assert float(rows[1]["SyCE"]) == 4
    page = read_page(tmp_path)
    assert "SyCE: read the maps with care" in page.text
    assert "60 % of the adversaries do not cross the decision" in page.text
    assert "CyCE: the pairs reach every limit" in page.text
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["pairs"]["syce"]["figures"] == FIGURES
    assert (content["pairs"]["syce"]["good"], content["pairs"]["cyce"]["good"]) == (False, True)


def test_each_example_has_a_picture_of_every_map(page, examples):
    titles = ["Input", *(compared.title for compared in COMPARED_MAPS)]
    of_examples = [f"{title}, {one.example.kind}, {one.patient}" for one in examples for title in titles]
    assert [image["alt"] for image in page.images[2:]] == of_examples
    for i, title in enumerate(titles):
        np.testing.assert_array_equal(page.picture(2 + i), examples[0].pictures[title])


def test_the_page_tells_that_the_difference_survives_by_construction(page):
    assert "it survives by construction" in page.text
    assert "These survive: SAGen, CyCE E, SyCE E." in page.text


def test_verdicts_and_what_is_missing_stand_beside_the_claims(page):
    assert "Of 14 comparisons of v2 smooth with another map 14 hold by every number." in page.text
    missing = "Not measured, since the bundle has no network for them or they were not asked for: sagen."
    assert missing in page.text


def test_the_pages_tables_are_those_of_the_files(page, out):
    for name in TABLES:
        caption, *lines = (out / f"{name}.md").read_text(encoding="utf-8").splitlines()
        table = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
        rows = [[cell.strip("*") for cell in row] for row in table if row[0] != "---"]
        assert page.tables[caption.strip("*")] == rows


def test_tables_hold_the_measurements_and_the_papers_numbers(out, summary):
    rows = read_table(out / "table_1.csv")
    assert [row["map"] for row in rows] == [
        *(compared.title for compared in COMPARED_MAPS),
        "best possible",
        "segmentation network",
        "average mask of other patients",
        "random order",
    ]
    best = float(summary.references["best_possible"]["iou"].value[1, 0])
    assert float(rows[-4]["IoU 98"]) == pytest.approx(best, rel=1e-5)
    estimate = summary.maps["syce_fi_v1"].estimates["iou"].at(1, 0)
    [row] = [row for row in rows if row["map"] == "SyCE v1"]
    assert float(row["IoU 98"]) == pytest.approx(float(estimate.value), rel=1e-5)
    assert float(row["IoU 98 low"]) == pytest.approx(float(estimate.interval()[0]), rel=1e-5)
    assert float(row["paper IoU 98"]) == 0.404
    assert "paper IoU 90" not in row
    rows = read_table(out / "table_2.csv")
    assert rows[-1]["map"] == "random order"
    assert float(rows[-1]["paper R all"]) == 0.066
    assert float(rows[-1]["R class 1"]) == pytest.approx(summary.random["relevance"].value[2], rel=1e-5)
    assert float(rows[-1]["AOPC 80 % all"]) == 0  # 16 steps of 20 are 80 %
    aopc = summary.maps["gradient"].estimates["aopc"].value[0]
    assert float(rows[0]["AOPC 80 % all"]) == pytest.approx(aopc[16], rel=1e-5)
    assert float(rows[0]["AOPC 100 % all"]) == pytest.approx(aopc[20], rel=1e-5)


@pytest.mark.parametrize("ending", ["md", "tex"])
def test_every_table_says_what_it_holds_and_what_the_papers_numbers_are_worth(
    out, evaluated, summary, ending
):
    for name in ("table_1", "table_2", "table_4"):
        text = (out / f"{name}.{ending}").read_text(encoding="utf-8")
        assert "by bootstrap over patients" in text
        assert "another data set" in text
    decided = evaluated.decisions[evaluated.relevance]
    text = (out / f"table_2.{ending}").read_text(encoding="utf-8")
    assert f"{(~decided).sum()} images of class 0, {decided.sum()} of class 1" in text
    by_chance = summary.random["aopc"].value[0]
    assert f"reach {by_chance[16]:.3f} after" in text
    assert "has 4 squares" in text


@pytest.fixture(scope="module")
def content(out):
    """The content of report.json."""
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


def test_json_says_what_was_measured_and_of_what(content, summary):
    assert {name: content[name] for name in ("bundle", "task", "facts", "missing", "failed", "origin")} == {
        "bundle": "tiny <b>",
        "task": "phantom-brain",
        "facts": ABOUT.facts,
        "missing": ["sagen"],
        "failed": FAILED,
        "origin": ABOUT.origin,
    }
    assert content["counts"] == summary.counts
    assert content["options"]["percentiles"] == list(OPTIONS.percentiles)
    verdicts = [claim["verdict"] for claim in content["claims"]]
    assert (verdicts.count("holds"), verdicts.count("not tested")) == (46, 2)  # no E smooth was measured


def test_json_holds_every_number_of_a_map_once(content, summary):
    assert list(content["maps"]) == [compared.key for compared in COMPARED_MAPS]
    numbers = content["maps"]["syce_fi_v2"]["numbers"]
    by_part = {(number["metric"], number["part"]): number for number in numbers}
    assert len(by_part) == len(numbers)
    estimates = summary.maps["syce_fi_v2"].estimates
    for key, estimate in {
        ("iou", "98 exact"): estimates["iou"].at(1, 1),
        ("fnr", "90 paper"): estimates["fnr"].at(0, 0),
        ("selected_share", "98"): estimates["share"].at(1),
        ("pointing_game", ""): estimates["pointing"],
        ("average_precision", ""): estimates["average_precision"],
        ("relevance", "class_1"): estimates["relevance"].at(2),
        ("aopc", "all 80 %"): estimates["aopc"].at(0, 16),
        ("aopc", "class_0 100 %"): estimates["aopc"].at(1, 20),
        ("sensitivity_mean", ""): estimates["sensitivity"].at(1),
        ("rank_correlation_randomised", ""): estimates["randomised"],
        ("cascade_rank_correlation", "last layer"): estimates["cascade"].at(0, 0),
        ("cascade_same_pixels", "75 %"): estimates["cascade"].at(3, 1),
        ("flip_rate", ""): estimates["crossed"],
    }.items():
        found = [by_part[key][name] for name in ("value", "low", "high")]
        np.testing.assert_allclose(found, [estimate.value, *estimate.interval()])


def test_the_cascade_has_the_last_step_of_a_costly_method_and_no_weight_of_a_plain_map(out, summary):
    rows = {row["map"]: row for row in read_table(out / "table_3b.csv")}
    shares = ("last layer", "25 %", "50 %", "75 %", "100 %")
    assert [rows["Mask perturbation"][f"rank: {share}"] != "" for share in shares] == [False] * 4 + [True]
    assert all(rows["CyCE E"][f"rank: {share}"] for share in shares)
    weighted = {name for name, row in rows.items() if row["weight: 50 %"]}
    assert weighted == {f"{generator} {name}" for generator in ("CyCE", "SyCE") for name in ("v1", "v2")}
    value = float(summary.maps["syce_fi_v1"].estimates["cascade_weight"].value[2])
    assert float(rows["SyCE v1"]["weight: 50 %"]) == pytest.approx(value, abs=1e-3)


def test_json_holds_the_curves(content, summary):
    curves = content["maps"]["gradient"]["curves"]
    estimates = summary.maps["gradient"].estimates
    np.testing.assert_allclose(curves["aopc"]["value"], estimates["aopc"].value[0])
    np.testing.assert_allclose(curves["iou"]["high"], estimates["curve"].interval()[1])


@pytest.mark.parametrize(
    ("key", "against"),
    [
        ("syce_fi_v2", {"syce_difference"}),
        ("grad_cam", {"cyce_difference", "syce_difference"}),
        ("syce_difference", set()),
    ],
)
def test_json_holds_differences_to_the_generators_and_to_the_main_map(content, key, against):
    found = {difference["against"] for difference in content["maps"][key]["differences"]}
    assert found == against | {"syce_fi_v2_smooth"}


def test_csv_holds_the_numbers_of_json(content, out):
    rows = read_table(out / "measurements.csv")
    of_map = [row for row in rows if row["map"] == "syce_fi_v2" and not row["against"]]
    numbers = content["maps"]["syce_fi_v2"]["numbers"]
    assert [(row["metric"], row["part"]) for row in of_map] == [(n["metric"], n["part"]) for n in numbers]
    for name in ("value", "low", "high"):
        found = [float(row[name] or "nan") for row in of_map]
        expected = [np.nan if number[name] is None else number[name] for number in numbers]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert {row["metric"] for row in rows if row["map"] == "random"} == {"relevance", "aopc", "flip_rate"}


def lines(axes):
    """The points of every map's line by its title."""
    return {
        line.get_label(): line.get_xydata() for line in axes.lines if not line.get_label().startswith("_")
    }


def bands(axes):
    """The corners of every map's interval."""
    return [band.get_paths()[0].vertices for band in axes.collections]


def titles(row):
    return [axes.get_title(loc="left") for axes in row]


def test_a_panel_holds_the_maps_of_a_generator_or_the_baselines_with_the_main_map(summary):
    baselines, cyce, syce = iou_chart(summary).axes
    assert titles([baselines, cyce, syce]) == ["baselines", "CyCE", "SyCE"]
    all_titles = [compared.title for compared in COMPARED_MAPS]
    assert list(lines(baselines)) == [*all_titles[:6], "SyCE v2 smooth"]
    assert list(lines(cyce)) == all_titles[6:10]
    assert list(lines(syce)) == all_titles[10:]
    assert [text.get_text() for text in baselines.get_legend().texts] == list(lines(baselines))
    colours = [line.get_color() for line in baselines.lines]
    assert colours[-1] == "black"
    assert len(set(colours)) == 7


def test_the_iou_chart_is_the_mean_by_percentile_in_its_interval(summary):
    _, _, syce = iou_chart(summary).axes
    estimate = summary.maps["syce_fi_v1"].estimates["curve"]
    np.testing.assert_array_equal(lines(syce)["SyCE v1"], np.column_stack([OPTIONS.curve, estimate.value]))
    for end in estimate.interval():
        for corner in zip(OPTIONS.curve, end, strict=True):
            assert corner in map(tuple, bands(syce)[1].tolist())


def test_the_aopc_chart_shows_the_first_part_above_and_the_whole_image_below(summary):
    axes = aopc_chart(summary).axes
    above, below = axes[:3], axes[3:]
    assert titles(above) == titles(below) == ["baselines", "CyCE", "SyCE"]
    estimate = summary.maps["cyce_fi_v2"].estimates["aopc"].at(0)
    share = 5.0 * np.arange(21)  # of 20 steps each is 5 %
    np.testing.assert_allclose(lines(below[1])["CyCE v2"], np.column_stack([share, estimate.value]))
    np.testing.assert_allclose(lines(above[1])["CyCE v2"], np.column_stack([share, estimate.value])[:17])
    for end in estimate.interval():
        for corner in zip(share, end, strict=True):
            assert np.isclose(bands(below[1])[2], corner).all(axis=1).any()
    for panel in axes:
        [by_chance] = [line for line in panel.lines if line.get_label()[0] == "_"]
        assert list(by_chance.get_ydata()) == [0, 0]


def test_a_method_that_the_paper_has_not_is_dashed(summary):
    one = summary.maps["gradient"]
    own = dataclasses.replace(one, compared=ComparedMap("my_own", "my_own", "My own"))
    [panel] = iou_chart(dataclasses.replace(summary, maps={"gradient": one, "my_own": own})).axes
    assert [(line.get_label(), line.get_linestyle()) for line in panel.lines] == [
        ("Gradient", "-"),
        ("My own", "--"),
    ]


def test_charts_are_on_the_page_and_beside_it(page, out, summary):
    charts = {"iou": iou_chart(summary), "aopc": aopc_chart(summary)}
    for place, (name, chart) in enumerate(charts.items()):
        expected = chart_pixels(chart)
        np.testing.assert_array_equal(Image.open(out / f"{name}.png"), expected)
        np.testing.assert_array_equal(page.picture(place), expected)


def test_without_annotation_the_report_is_of_relevance_alone(tmp_path):
    write(tmp_path, evaluated_images(without_annotation()), ["gradient", "syce"])
    assert not (tmp_path / "table_1.md").exists()
    assert not (tmp_path / "iou.png").exists()
    page = read_page(tmp_path)
    assert "12 test images of class 1 have no annotation" in page.text
    assert "which is therefore left out" in page.text


def test_the_outline_is_drawn_on_every_picture(examples):
    assert list(examples[0].pictures) == ["Input", *(compared.title for compared in COMPARED_MAPS)]
    for picture in examples[0].pictures.values():
        assert (np.abs(picture.astype(int) - (0, 230, 230)).sum(axis=2) < 60).any()
