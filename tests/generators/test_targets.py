"""The dual ascent that finds the weights of decisions: how weights move, and what they do to the loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from support import toys

from tfadvpath.generators.base import PairGenerator
from tfadvpath.generators.cyce import CyCE
from tfadvpath.models.unet import UNet

BOTH = {"flip": 0.9, "keep": 0.8}


def trained(name, steps=1, rates=(0.0, 0.0), slope=8.0, targets=None):
    targets = targets or ({"flip": 0.9} if name == "cyce" else BOTH)
    model, _ = toys.generator(name, toys.brightness_classifier(slope=slope), rates, targets=targets)
    for _ in range(steps):
        logs = model.train_step(toys.batch(name))
    return model, {key: float(value) for key, value in logs.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cyce", "syce", "sagen"])
def test_a_step_raises_the_weights_by_the_shares_that_it_logs(name):
    model, logs = trained(name)
    for term, target in model.targets.items():
        # One step from the target: the mean moves by a twentieth, and the weight by what is then missing.
        shares = target + 20 * (model.reached[term].numpy() - target)
        assert np.mean(shares) == pytest.approx(logs[f"{term}_rate"], abs=1e-4)
        missing = target - model.reached[term].numpy()
        missing /= np.where(missing > 0, target, 1 - target)
        np.testing.assert_allclose(model.raised[term], 0.03 * missing, atol=1e-6)
        assert logs[f"{term}_weight"] == pytest.approx(
            model.loss_weights[term] * np.exp(model.raised[term].numpy()).mean(), rel=1e-5
        )


def test_a_weight_rises_while_nothing_is_reached_and_falls_as_fast_where_all_is():
    model, _ = trained("cyce")
    reached, raised = 0.9, 0.0
    model.reached["flip"].assign([reached, reached])
    model.raised["flip"].assign([raised, raised])
    found = []
    for share in [0.0] * 150 + [1.0] * 200:
        model.raise_weights(1, {"flip": tf.constant(share)})
        reached = 0.95 * reached + 0.05 * share
        missing = 0.9 - reached
        raised += 0.03 * missing / (0.9 if missing > 0 else 0.1)
        found.append(float(model.raised["flip"][1]))
    assert found[-1] == pytest.approx(raised, abs=1e-4)
    assert found[149] == pytest.approx(0.03 * 150, rel=0.15)
    assert np.diff(found)[-1] == pytest.approx(-0.03, rel=0.02)
    assert float(model.raised["flip"][0]) == 0.0  # the other class has its own


@pytest.mark.slow
def test_raised_weights_count_in_training_and_not_in_what_is_measured():
    model, _ = trained("syce", targets={"flip": 0.9})
    model.raised["flip"].assign([1.0, -1.0])
    for k, factor in ((0, np.e), (1, 1 / np.e)):
        images = toys.domains()[k]
        measured, logs = model.generator_loss(images, k, training=False)
        training, _ = model.generator_loss(images, k, training=True)
        plain = sum(
            model.loss_weights[term] * float(logs[term]) for term in model.LOSS_WEIGHTS if term in logs
        )
        assert float(measured) == pytest.approx(plain, rel=1e-5)
        assert float(training) - float(measured) == pytest.approx(
            0.2 * (factor - 1) * float(logs["flip"]), abs=1e-4
        )


def test_a_factor_is_that_of_an_images_class():
    model, _ = trained("sagen")
    model.raised["flip"].assign(np.log([2.0, 3.0]))
    classes = tf.constant([[0.0], [1.0], [1.0]])
    np.testing.assert_allclose(model.factor("flip", classes), [[2], [3], [3]], rtol=1e-6)
    np.testing.assert_allclose(model.factor("flip", 0), 2.0, rtol=1e-6)


def test_a_weight_stays_within_bounds():
    model, _ = trained("cyce")
    model.raised["flip"].assign([5.29, -5.29])
    model.reached["flip"].assign([0.0, 1.0])
    model.raise_weights(0, {"flip": tf.constant(0.0)})
    model.raise_weights(1, {"flip": tf.constant(1.0)})
    np.testing.assert_allclose(model.raised["flip"], [5.3, -5.3], atol=1e-6)


@pytest.mark.slow
def test_with_a_target_decisions_cross_that_would_not_without():
    def share_that_crosses(targets):
        keras.utils.set_random_seed(0)
        unets = tuple(UNet(toys.SHAPE, [4, 8], dropout=0.0, residual=2) for _ in (0, 1))
        weights = {"near": 2.0, "flip": 0.05, "realism": 0.0}
        model = CyCE(toys.brightness_classifier(), unets, targets=targets, loss_weights=weights)
        model.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.001))
        step = tf.function(model.train_step)
        for _ in range(250):
            step(toys.domains())
        pair = model.generate(toys.both_classes())
        after = model.classify(pair.adversary)[0][:, 0]
        return np.mean((after >= 0.5) != (pair.probability >= 0.5))

    assert share_that_crosses({}) == 0.0
    assert share_that_crosses({"flip": 0.9}) == 1.0


@pytest.mark.parametrize("targets", [{"flip": 1.0}, {"cycle": 0.5}, {"keep": 0.5}])
def test_another_target_is_refused(targets):
    with pytest.raises(ValueError, match=r"share in \(0, 1\)"):
        toys.generator("cyce", targets=targets)


def test_without_targets_there_is_no_further_variable():
    model, _ = toys.generator("syce")
    assert isinstance(model, PairGenerator)
    assert not any("raised" in variable.path for variable in model.variables)
