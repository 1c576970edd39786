"""The card says what was measured, and is whole Markdown."""

import re

import numpy as np
import pytest
from support import tiny

from tfadvpath.bundle.figures import classifier_figures
from tfadvpath.bundle.model_card import model_card
from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.recipes.recipe import Recipe, dump_recipe

RATE = {"flip_rate": 0.91234, "flip_rate_interval": [0.85, 0.96], "adversary_distance": 0.01239}
SYCE = {
    "images": 40,
    "patients": 4,
    **RATE,
    "adversary_distance_interval": [0.01, 0.02],
    "keep_rate": None,
    "keep_rate_interval": None,
    "frechet_distance": {"zero_to_one": 12.345, "one_to_zero": None, "mean": None},
    "frechet_floor": {"zero_to_one": 1.5, "one_to_zero": None, "mean": None},
    "frechet_images": {"zero_to_one": 9, "one_to_zero": 1},
}
HISTORIES = {
    "classifier": [{"epoch": e, "loss": 1.0, "seconds": 60.0} for e in range(3)],
    "syce": [{"epoch": e, "loss": 1.0, "seconds": 1800.0} for e in range(5)],
}
ABOUT = {
    "versions": {"python": "3.11.7", "tfadvpath": "0.1.0", "keras": "3.15.1"},
    "git_revision": "abc123",
    "data": "f1f2f3",
    "parameters": {"classifier": 1234567, "syce": 89},
    "train": {"images": 12345, "patients": 90, "positive_share": 0.25},
}


def measured():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 2
    probability = np.clip(0.5 + 0.3 * (labels - 0.5) + 0.2 * rng.normal(size=40), 0, 1)
    return classifier_figures(probability, labels, [f"p{i // 5}" for i in range(40)])


def card(recipe=tiny.RECIPE, histories=HISTORIES, about=ABOUT, **test):
    part = {"classifier": measured(), "syce": SYCE} | test
    return model_card(recipe, {"validation": part, "test": part}, histories, about)


@pytest.fixture(scope="module")
def text():
    return card()


def tables(text):
    """Every Markdown table: lists of rows of cells."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in row.split("|")[1:-1]] for row in block.splitlines()] for block in blocks
    ]


def test_figures_stand_with_their_intervals(text):
    figures = measured()
    rows = {row[0]: row[1:] for table in tables(text) for row in table}
    low, high = figures["auc_interval"]
    expected = f"{figures['auc']:.3f} [{low:.3f}, {high:.3f}]"
    assert rows["Area under the ROC curve"] == [expected, expected]
    assert rows["Changed images on the other side of the decision"][1] == "0.912 [0.850, 0.960]"
    assert rows["Mean distance of a pixel, image to adversary"][1] == "0.0124 [0.0100, 0.0200]"
    assert rows["Fréchet distance to real images, 0 to 1 (floor)"][1] == "12.3 (1.5)"
    assert rows["Fréchet distance to real images, 1 to 0 (floor)"][1] == "–"
    assert not any(title.startswith("Stable images") for title in rows)  # this generator has none
    assert rows["train"] == ["12 345", "90", "0.250"]
    assert rows["test"] == ["40", "8", "0.500"]
    assert rows["Classifier"] == ["1 234 567", "3", "3 min"]
    assert rows["SyCE"] == ["89", "5", "2 h 30 min"]


def test_a_floor_of_sets_of_another_size_does_not_stand_beside_its_distance():
    """Figures of an earlier version have no number of images: their floor is of halves of the real images."""
    earlier = {name: values for name, values in SYCE.items() if name != "frechet_images"}
    rows = {row[0]: row[1:] for table in tables(card(syce=earlier)) for row in table}
    assert rows["Fréchet distance to real images, 0 to 1 (floor)"] == ["12.3 (–)", "12.3 (–)"]


def test_every_table_is_whole(text):
    found = tables(text)
    assert len(found) == 5  # parts, stages, classifier, SyCE, calibration
    for table in found:
        assert len({len(row) for row in table}) == 1
        assert set(table[1]) == {"---"}
    calibration = found[-1]
    assert sum(int(row[2]) for row in calibration[2:]) == 40


def test_what_it_was_made_by_is_said(text):
    assert text.startswith("# tiny\n")
    for said in ("`abc123`", "`f1f2f3`", "python 3.11.7", "keras 3.15.1.", "Seed 0"):
        assert said in text
    assert dump_recipe(tiny.RECIPE).strip() in text
    assert "installed package" in card(about={**ABOUT, "git_revision": None})


def test_it_says_what_it_is_not_for_and_whose_the_data_are(text):
    assert "**not** a medical device" in text
    assert "generated phantoms" in text
    assert "licence" not in text
    values = tiny.RECIPE.model_dump()
    values["data"] = {"task": "pneumonia", "path": "prepared", "image_size": 32}
    real = card(Recipe.model_validate(values))
    assert "licence" in real
    assert "phantoms" not in real
    values["data"]["terms"] = "Of somebody, who is to be named."
    named = card(Recipe.model_validate(values)).split("fold: null")[0]
    assert "for whoever trained them to know.\n\nOf somebody, who is to be named.\n\nNo patient" in named


def test_a_control_is_called_one_before_all_else(text):
    marked = card(about={**ABOUT, "control": "This is a control."})
    assert marked == text.replace("# tiny\n\n", "# tiny\n\n**This is a control.**\n\n", 1) != text


def test_the_generators_images_have_their_own_fingerprint():
    recipe = tiny.RECIPE.model_copy(update={"generator_data": tiny.RECIPE.data})
    text = card(recipe, about={**ABOUT, "generator_data": "a1b2c3"})
    assert "of the fingerprint `a1b2c3`" in text
    assert "`f1f2f3`" in text


def test_the_commands_name_a_method_that_the_bundle_has(text):
    assert "--method syce" in text
    assert 'explainers.get("syce", bundle)' in text
    alone = card(histories={"classifier": HISTORIES["classifier"]})
    assert "--method" not in alone
    assert "SyCE" not in alone.split("## Recipe")[0]


def test_the_text_reads_without_gaps(text):
    assert "\n\n\n" not in text
    assert "None" not in text
    assert text.endswith("```\n")
    assert max(map(len, text.split("## Recipe")[0].splitlines())) < 180


GOOD = {
    "flip_rate": 0.95,
    "flip_rate_interval": [0.9, 1.0],
    "flip_rate_by_class": {"zero_to_one": 0.97, "one_to_zero": 0.93},
    "flip_rate_by_class_interval": {"zero_to_one": [0.96, 0.98], "one_to_zero": [None, None]},
    "keep_rate": 0.99,
    "stable_similarity": 0.9876,
    "adversary_similarity": 0.96,
    "stable_sharpness": 0.98,
    "adversary_sharpness": 1.04,
}


def test_the_detail_of_a_pair_and_its_classes_have_rows():
    rows = {row[0]: row[1:] for table in tables(card(syce=GOOD)) for row in table}
    assert rows["Changed images on the other side, of those predicted 0"][1] == "0.970 [0.960, 0.980]"
    assert rows["Changed images on the other side, of those predicted 1"][1] == "0.930"
    assert rows["Structural similarity, image to stable image"][1] == "0.988"
    assert rows["High-frequency energy, median of adversary / image"][1] == "1.04"


def test_the_verdict_of_a_good_generator_is_repeated():
    text = card(syce=GOOD)
    part = text.split("### SyCE")[1].split("###")[0]
    assert "Verdict: its pairs of stable image and adversary reach all limits" in part
    assert "\n- " not in part
    assert "Verdict" not in text.split("### SyCE")[0]


def test_the_verdict_of_a_poor_generator_says_what_follows():
    poor = GOOD | {"keep_rate": 0.5, "stable_similarity": 0.9, "adversary_sharpness": 0.4}
    text = card(syce=poor)
    part = " ".join(text.split("### SyCE")[1].split("###")[0].split())
    for sentence in pair_verdict(poor).sentences:
        assert f"- {sentence}" in part
    assert "miss limits" in part
    assert "50 % of the stable images lose the decision" in part
    assert "\n\n\n" not in text
    assert max(map(len, text.split("## Recipe")[0].splitlines())) < 180


def test_the_verdict_is_on_the_test_images():
    part = {"classifier": measured(), "syce": GOOD}
    bad = {"classifier": measured(), "syce": GOOD | {"flip_rate": 0.5}}
    text = model_card(tiny.RECIPE, {"validation": bad, "test": part}, HISTORIES, ABOUT)
    assert "reach all limits" in text
    text = model_card(tiny.RECIPE, {"validation": part, "test": bad}, HISTORIES, ABOUT)
    assert "50 % of the adversaries do not cross the decision" in text


def test_a_network_that_makes_no_pairs_has_no_verdict():
    gan = {"images": 40, "flip_rate": 0.3, "flip_rate_interval": [0.2, 0.4]}
    histories = {**HISTORIES, "fixed_point_gan": HISTORIES["syce"]}
    about = {**ABOUT, "parameters": {**ABOUT["parameters"], "fixed_point_gan": 5}}
    text = card(histories=histories, about=about, syce=GOOD, fixed_point_gan=gan)
    assert text.count("Verdict:") == 1
