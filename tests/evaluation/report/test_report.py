"""What an evaluation leaves for people and programs."""

import base64
import csv
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image
from support.evaluations import OPTIONS, evaluated, every_method, labelled_images, random_arrays

from tfadvpath.evaluation.claims import judge
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS, compared_maps
from tfadvpath.evaluation.gallery import choose_examples
from tfadvpath.evaluation.report.pictures import show
from tfadvpath.evaluation.report.report import About, write_evaluation
from tfadvpath.evaluation.summary import summarise

EVALUATED = evaluated()
ABOUT = About(
    task="phantom-brain",
    name="tiny <b>",
    facts={"Test images": "24 of 6 patients"},
    missing=["sagen"],
    failed={"grad_cam": "ValueError: no <layer>"},
    origin={"Command": "tfadvpath evaluate 'a & b'"},
)


def shown(held, measured):
    iou = measured["syce"]["fi_v2_smooth.iou"][:, 0, 0]
    examples = choose_examples(held, "syce_fi_v2_smooth", iou)
    maps = {
        column: held.images.images[[e.row for e in examples], ..., 0] * (i + 1)
        for i, column in enumerate(compared_maps(measured))
    }
    scores = [float(held.scores[e.row]) for e in examples]
    return [show(e, i, held.images, scores[i], maps) for i, e in enumerate(examples)]


def write(out, held=EVALUATED, about=ABOUT, methods=None):
    measured = every_method(held)
    measured = {name: measured[name] for name in methods or measured}
    summary = summarise(measured, random_arrays(held), held, OPTIONS, repeats=50)
    examples = shown(held, measured) if "syce" in measured else []
    return write_evaluation(out, summary, judge(summary), examples, about), summary


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("evaluation")
    content, summary = write(out)
    return out, content, summary


@pytest.fixture(scope="module")
def page(written):
    return (written[0] / "report.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_every_file_is_there(written):
    names = {path.name for path in written[0].iterdir()}
    tables = ["table_1", "table_1b", "table_2", "table_3", "claim_1", "claim_2", "claim_3"]
    expected = {f"{table}{ending}" for table in tables for ending in (".md", ".tex", ".csv")}
    assert names == expected | {"report.html", "report.json", "figures.csv", "aopc.png", "iou.png", "gallery"}
    kinds = {"_".join(path.stem.split("_")[1:-1]) for path in (written[0] / "gallery").iterdir()}
    assert {kind.split("_patient")[0] for kind in kinds} == {
        *("best", "median", "worst", "missed", "false_alarm")
    }


def test_the_page_is_one_file(page):
    assert "http" not in page
    assert "url(" not in page
    tags = Tags(page).tags
    assert not [tag for tag, _ in tags if tag in ("script", "link", "iframe")]
    sources = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert all(attributes["alt"] for tag, attributes in tags if tag == "img")


def test_what_is_given_is_escaped(page):
    assert "tiny <b>" not in page
    assert "no <layer>" not in page
    text = Tags(page).text
    assert "grad_cam failed: ValueError: no <layer>" in text
    assert ABOUT.origin["Command"] in text


def test_the_page_says_whose_figures_stand_beside(page, tmp_path):
    text = " ".join(Tags(page).text.split())
    assert "generated phantoms, not patients" in text
    assert "on brain tumours (MRI): another data set" in text
    own = About("pneumonia", "x", {}, [], {}, {})
    write(tmp_path, about=own, methods=["gradient", "syce"])
    text = " ".join(Tags((tmp_path / "report.html").read_text(encoding="utf-8")).text.split())
    assert "published figures of the same task, pneumonia (X-rays)" in text
    assert "another data set" not in text
    assert "phantoms" not in text


def test_each_example_has_a_picture_of_every_column(page, written):
    examples = len(list((written[0] / "gallery").iterdir()))
    images = [attributes for tag, attributes in Tags(page).tags if tag == "img"]
    assert len(images) == 2 + examples * (1 + len(COMPARED_MAPS))
    content = base64.b64decode(images[2]["src"].partition(",")[2])
    assert Image.open(io.BytesIO(content)).size == (160, 160)


def test_the_page_tells_that_the_difference_survives_by_construction(page):
    text = " ".join(Tags(page).text.split())
    assert "it survives by construction" in text
    assert "These survive: SAGen, CyCE E, SyCE E." in text


def test_verdicts_and_what_is_missing_stand_beside_the_claims(page):
    text = " ".join(Tags(page).text.split())
    assert re.search(r"1\. The smoothed importance v2 localises better .*?: holds", text)
    assert "Of 8 comparisons 8 hold, 0 do not, 0 are undecided." in text
    assert "Not measured, since the bundle has no network for them or they were not asked for: sagen." in text


def test_tables_hold_the_figures_and_the_papers(written):
    rows = list(csv.DictReader((written[0] / "table_1.csv").open(encoding="utf-8")))
    assert [row["map"] for row in rows] == [column.title for column in COMPARED_MAPS]
    estimate = written[2].columns["syce_fi_v1"].estimates["iou"].at(1, 0)
    [row] = [row for row in rows if row["map"] == "SyCE v1"]
    assert float(row["IoU 98"]) == pytest.approx(float(estimate.value), rel=1e-5)
    assert float(row["IoU 98 low"]) == pytest.approx(float(estimate.interval()[0]), rel=1e-5)
    assert float(row["paper IoU 98"]) == 0.404
    assert "paper IoU 90" not in row
    rows = list(csv.DictReader((written[0] / "table_2.csv").open(encoding="utf-8")))
    assert rows[-1]["map"] == "random order"
    assert float(rows[-1]["paper R all"]) == 0.066
    assert float(rows[-1]["R class 1"]) == pytest.approx(written[2].random["relevance"].value[2], rel=1e-5)
    assert float(rows[-1]["AOPC 80 % all"]) == 0  # 16 steps of 20 are 80 %
    aopc = written[2].columns["gradient"].estimates["aopc"].value[0]
    assert float(rows[0]["AOPC 80 % all"]) == pytest.approx(aopc[16], rel=1e-5)
    assert float(rows[0]["AOPC 100 % all"]) == pytest.approx(aopc[20], rel=1e-5)


@pytest.mark.parametrize("ending", ["md", "tex"])
def test_every_table_says_what_it_holds_and_what_the_papers_figures_are_worth(written, ending):
    for name in ("table_1", "table_2", "claim_3"):
        text = (written[0] / f"{name}.{ending}").read_text(encoding="utf-8")
        assert "by bootstrap over patients" in text
        assert "another data set" in text
    decided = EVALUATED.decisions[EVALUATED.relevance]
    text = (written[0] / f"table_2.{ending}").read_text(encoding="utf-8")
    assert f"{(~decided).sum()} images of class 0, {decided.sum()} of class 1" in text
    by_chance = written[2].random["aopc"].value[0]
    assert f"reach {by_chance[16]:.3f} after" in text
    assert "has 4 squares" in text


def test_json_and_csv_hold_every_figure_once(written):
    content = json.loads((written[0] / "report.json").read_text(encoding="utf-8"))
    assert content == written[1]
    assert list(content["columns"]) == [column.key for column in COMPARED_MAPS]
    figures = content["columns"]["syce_fi_v2"]["figures"]
    keys = [(f["figure"], f["part"]) for f in figures]
    assert len(keys) == len(set(keys))
    assert {"iou", "fnr", "selected_share", "pointing_game", "average_precision", "relevance", "aopc"} <= {
        figure for figure, _ in keys
    }
    bases = {"cyce_difference", "syce_difference"}
    for key, expected in (
        ("syce_fi_v2", {"syce_difference"}),
        ("grad_cam", bases),
        ("syce_difference", set()),
    ):
        found = {difference["against"] for difference in content["columns"][key]["differences"]}
        assert found == expected | {"syce_fi_v2_smooth"}
    assert len(content["columns"]["gradient"]["curves"]["aopc"]["value"]) == OPTIONS.region_steps + 1
    assert [claim["verdict"] for claim in content["claims"]] == ["holds"] * 3
    rows = list(csv.DictReader((written[0] / "figures.csv").open(encoding="utf-8")))
    of_map = [row for row in rows if row["column"] == "syce_fi_v2" and not row["against"]]
    assert [(row["figure"], row["part"]) for row in of_map] == keys
    assert {row["figure"] for row in rows if row["column"] == "random"} == {"relevance", "aopc", "flip_rate"}


def test_curves_are_pictures_with_a_panel_a_group(written):
    sizes = {name: Image.open(written[0] / f"{name}.png").size for name in ("aopc", "iou")}
    assert sizes["aopc"][0] == sizes["iou"][0] > 3 * 400
    assert sizes["aopc"][1] > 1.5 * sizes["iou"][1]


def test_without_annotation_the_report_is_of_relevance_alone(tmp_path):
    images = labelled_images()
    images.masks[:] = False
    held = evaluated(images)
    write(tmp_path, held, methods=["gradient", "syce"])
    assert not (tmp_path / "table_1.md").exists()
    assert not (tmp_path / "iou.png").exists()
    text = " ".join(Tags((tmp_path / "report.html").read_text(encoding="utf-8")).text.split())
    assert "12 test images of class 1 have no annotation" in text
    assert "which is therefore left out" in text


def test_the_outline_is_drawn_on_every_picture():
    one = shown(EVALUATED, every_method(EVALUATED))[0]
    assert list(one.pictures) == ["Input", *(column.title for column in COMPARED_MAPS)]
    for picture in one.pictures.values():
        assert (np.abs(picture.astype(int) - (0, 230, 230)).sum(axis=2) < 60).any()
