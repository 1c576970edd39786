"""Tables of the generators' pairs."""

import dataclasses

import pytest
from support.evaluations import OPTIONS, evaluated_images, every_method, labelled_images, random_orders

from tfadvpath.evaluation.report.pair_tables import errors_table, pair_table
from tfadvpath.evaluation.summary import summarise
from tfadvpath.writers.tables import comma_separated, markdown

TOLD = {
    "uncertainty": {
        "images": 20,
        "wrong": 6,
        "auc": 0.8,
        "auc_interval": [0.7, 0.9],
        "uncertainty_auc": 0.8,
        "gain": 0.0,
        "gain_interval": [0.0, 0.0],
    },
    "cout": {
        "images": 12,
        "wrong": 5,
        "auc": 0.6,
        "auc_interval": [None, None],
        "uncertainty_auc": 0.7,
        "gain": -0.1,
        "gain_interval": [-0.3, 0.1],
    },
}
PAIRS = {
    "syce": {
        "flip_rate": 0.9,
        "flip_rate_interval": [0.8, 1.0],
        "keep_rate": None,
        "transfer_rate": 0.5,
        "transfer_rate_images": 20,
        "adversary_sharpness": 0.97,
        "errors_told": TOLD,
    },
    "cyce": {
        "flip_rate": 0.7,
        "transfer_rate_images": 0,
        "encoder_frechet_distance": {"mean": 3.0},
        "errors_told": {},
    },
}


@pytest.fixture(scope="module")
def summary():
    evaluated = evaluated_images(labelled_images())
    found = summarise(every_method(evaluated), random_orders(evaluated), evaluated, OPTIONS, repeats=20)
    return dataclasses.replace(found, pairs=PAIRS)


def test_figures_stand_beside_the_limits_of_the_verdict(summary):
    lines = markdown(pair_table(summary)).splitlines()
    assert "| figure | SyCE | CyCE | wanted |" in lines
    assert "| x_a crosses the decision | 0.900 [0.800, 1.000] | 0.700 | at least 0.85 |" in lines
    assert "| Fréchet distance of an encoder's features | – | 3.000 |  |" in lines
    [sharpness] = [line for line in lines if "high frequencies of x_a" in line]
    assert sharpness.endswith("| 0.9 to 1.1 |")
    assert "| images that both classifiers decide alike | 20 | – |  |" in lines
    assert not any("x_s keeps" in line for line in lines)  # nobody measured it


def test_signs_of_errors_stand_beside_the_classifiers_own_uncertainty(summary):
    lines = markdown(errors_table(summary)).splitlines()
    assert "| SyCE: f(x) near 0.5 | 20 | 6 | 0.800 [0.700, 0.900] | – |" in lines
    assert "| SyCE: high COUT | 12 | 5 | 0.600 | -0.100 [-0.300, 0.100] |" in lines
    assert not any(line.startswith("| CyCE") for line in lines)
    assert comma_separated(errors_table(summary)).splitlines()[2].startswith("SyCE: high COUT,12,5,0.6,,,")


def test_without_a_second_classifier_no_images_are_counted(summary):
    alone = dataclasses.replace(summary, pairs={"cyce": PAIRS["cyce"]})
    assert "both classifiers" not in markdown(pair_table(alone))


def test_without_pairs_there_is_no_table(summary):
    none = dataclasses.replace(summary, pairs={})
    assert pair_table(none) is errors_table(none) is None
