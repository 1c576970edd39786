"""Planted faults and what is advised about them."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from support.own_classifiers import images

from tfadvpath.fitting.advice import Training, advice, first_stage_instead, pair_facts

GOOD = {
    "flip_rate": 0.95,
    "flip_rate_by_class": {"zero_to_one": 0.95, "one_to_zero": 0.95},
    "keep_rate": 0.97,
    "adversary_similarity": 0.95,
    "stable_similarity": 0.99,
    "adversary_sharpness": 1.0,
    "stable_sharpness": 1.0,
    "chequer_ratio": 1.1,
    "alike": 0.3,
    "leaves_classes": 0.0,
}
SHORT = Training("RUN", 45.0, {"cyce": 200, "syce": 150}, (300, 200), {"cyce": {"flip": 0.5}})


def test_nothing_is_advised_about_good_pairs():
    assert advice(GOOD, SHORT) == ()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (
            {"flip_rate": 0.4},
            r"Too few adversaries cross the decision: train longer \(a stage had 150 steps; 1500 take "
            r"`minutes` of about 45 on this machine\), or raise cyce.loss_weights.flip \(now 0.5\)",
        ),
        (
            {"flip_rate_by_class": {"zero_to_one": 0.5, "one_to_zero": 1.0}},
            "Too few adversaries of images predicted 0 cross",
        ),
        (
            {"keep_rate": 0.5},
            "The adversaries cross, but the stable images do not keep the decision: train longer .*"
            "syce.warm_up_steps",
        ),
        (
            {"undoing": 0.4},
            "stable images do not show what the adversaries lack.*until then explain by CyCE",
        ),
        (
            {"undoing_by_class": {"zero_to_one": 0.9, "one_to_zero": 0.0}},
            "stable images do not show what the adversaries lack",
        ),
        ({"alike": 0.97}, "The adversaries are all alike.*collapsed: lower cyce.learning_rate"),
        ({"chequer_ratio": 8.0}, "The change is chequered: raise cyce.residual"),
        ({"adversary_sharpness": 0.5}, "The images that are made are blurred: .*raise cyce.residual"),
        ({"stable_sharpness": 0.5}, "The images that are made are blurred"),
        ({"adversary_similarity": 0.6}, "change too much of the image: .*cyce.loss_weights.near"),
        ({"stable_similarity": 0.8}, "The stable images are no faithful copies: .*syce.loss_weights.stable"),
        ({"leaves_classes": 0.4}, "40% of the adversaries are put in a third class"),
    ],
)
def test_each_planted_fault_has_its_advice(fault, says):
    sentence, *how = advice({**GOOD, **fault}, SHORT)
    assert re.search(says, sentence), sentence
    if "loss_weights" in sentence:
        [key] = re.findall(r"\w+\.loss_weights\.\w+", sentence)
        assert f"`tfadvpath train RUN/recipe.yaml --out NEW --set {key}=NUMBER`" in how[0]


def test_cyce_is_named_where_it_misses_fewer_limits():
    bad = {**GOOD, "flip_rate": 0.97, "keep_rate": 0.6}
    cyce = {**GOOD, "keep_rate": None, "stable_similarity": None, "stable_sharpness": None}
    said = first_stage_instead(bad, cyce)
    assert said.startswith("Explain by CyCE, which was trained on the way: 95% of its adversaries cross")
    assert "But" not in said
    assert first_stage_instead(GOOD, cyce) is None
    assert first_stage_instead(bad, cyce | {"adversary_sharpness": 0.5}) is None  # as many
    worse = bad | {"stable_similarity": 0.9}
    said = first_stage_instead(worse, cyce | {"adversary_sharpness": 0.5})
    assert said.endswith(
        "But: The adversaries are blurred copies (they keep 50 % of the images' fine detail): "
        "the maps show every edge of the image."
    )


def test_few_images_are_said_where_something_is_wrong():
    few = Training("RUN", 45.0, {"cyce": 200}, (300, 30))
    assert advice({**GOOD, "flip_rate": 0.4}, few)[-1].startswith("Only 30 training images are predicted 1")
    assert advice(GOOD, few) == ()


def test_one_change_for_all_is_no_fault_of_the_first_steps():
    begun = Training("RUN", 45.0, {"cyce": 20, "syce": 10}, (300, 200))
    assert advice({**GOOD, "alike": 0.97}, begun) == ()


def test_after_enough_steps_more_time_is_not_advised():
    long = Training("RUN", 45.0, {"cyce": 4000, "syce": 3000}, (300, 200))
    sentence, _ = advice({**GOOD, "flip_rate": 0.4}, long)
    assert "give more images" in sentence
    assert "train longer" not in sentence


class Planted:
    """A generator whose adversaries are the images and a change of each."""

    def __init__(self, change):
        self.change = change

    def generate(self, x):
        change = self.change(x.numpy())
        return SimpleNamespace(adversary=x + change, probability=tf.reduce_mean(x, axis=(1, 2, 3)))


def own_changes(x):
    """Another smooth spot for each image, placed by its content."""
    rows, columns = np.indices(x.shape[1:3])
    places = [(8 + 3 * (i % 6), 8 + 4 * (i % 5)) for i in range(len(x))]
    spots = [np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / 18) for r, c in places]
    return 0.1 * np.stack(spots)[..., np.newaxis].astype(np.float32)


def board(x):
    return own_changes(x) * (-1.0) ** np.indices(x.shape[1:3]).sum(axis=0)[np.newaxis, ..., np.newaxis]


def test_one_change_for_all_is_alike_and_changes_of_their_own_are_not():
    values = images(24)
    same = pair_facts(Planted(lambda x: own_changes(x[:1]).repeat(len(x), axis=0)), values)
    own = pair_facts(Planted(own_changes), values)
    assert same["alike"] == pytest.approx(1.0)
    assert own["alike"] < 0.9
    assert own["leaves_classes"] is None


def test_a_chequered_change_is_seen():
    values = images(24)
    smooth, chequered = (pair_facts(Planted(change), values) for change in (own_changes, board))
    assert smooth["chequer_ratio"] < 3 < chequered["chequer_ratio"]


def test_the_share_that_leaves_both_classes_is_that_of_the_classifier():
    values = images(24)
    facts = pair_facts(Planted(own_changes), values, lambda x: np.arange(len(x)) % 4 != 0)
    assert facts["leaves_classes"] == 0.25


def test_nothing_changed_is_neither_alike_nor_chequered():
    facts = pair_facts(Planted(np.zeros_like), images(24))
    assert facts["chequer_ratio"] is None
    assert facts["alike"] == 0.0
