"""What every epoch measures of the pairs: the figures of the verdict, at no cost to what is trained."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from support import toys

from tfadvpath.bundle.figures import pair_figures
from tfadvpath.generators.base import AdversarialPair
from tfadvpath.recipes.stages import STAGE_OPTIONS
from tfadvpath.training.checkpoint import state_of
from tfadvpath.training.logbook import Logbook
from tfadvpath.training.loop import train_stage
from tfadvpath.training.pair_measurement import pair_measurement
from tfadvpath.training.run import make_deterministic
from tfadvpath.training.stages.registry import stage_class

OF_ADVERSARIES = {"adversary_similarity", "adversary_sharpness"}
BY_CLASS = {"undoing_zero_to_one": "zero_to_one", "undoing_one_to_zero": "one_to_zero"}
OF_PAIRS = OF_ADVERSARIES | {"stable_similarity", "stable_sharpness", "undoing", *BY_CLASS}
DOMAINS = tuple(images.numpy() for images in toys.domains(5))


@pytest.mark.parametrize(("name", "expected"), [("cyce", OF_ADVERSARIES), ("sagen", OF_PAIRS)])
def test_an_epoch_measures_the_figures_that_the_verdict_rests_on(name, expected):
    model, _ = toys.generator(name)
    figures = pair_figures(model, np.concatenate(DOMAINS), np.arange(10))
    measured = pair_measurement(model, DOMAINS)()
    assert set(measured) == expected
    for key, value in measured.items():
        wanted = figures["undoing_by_class"][BY_CLASS[key]] if key in BY_CLASS else figures[key]
        assert value == pytest.approx(wanted, rel=1e-4)


def test_the_generator_is_measured_as_it_is_now_and_compiled_once():
    model, (network,) = toys.generator("sagen")
    traces, generate = [], model.generate
    model.generate = lambda images: traces.append(images) or generate(images)
    measure = pair_measurement(model, DOMAINS)
    before = measure()
    network.set_weights([2.0 * weight for weight in network.get_weights()])
    after = measure()
    assert before["stable_similarity"] != after["stable_similarity"]
    assert measure() == after
    assert len(traces) == 1


def test_a_figure_that_is_unknown_is_left_out():
    # A residual network begins so: nothing is changed, so there is nothing to undo.
    model, _ = toys.generator("sagen")
    model.generate = lambda images: AdversarialPair(images, images, tf.ones(10))
    measured = pair_measurement(model, DOMAINS)()
    assert set(measured) == OF_PAIRS - {"undoing", *BY_CLASS}
    assert list(measured.values()) == pytest.approx([1.0] * 4)


def trained(name, folder, measures=True):
    """Trains two epochs, dropout and random draws among them; returns the state and the history."""
    options = STAGE_OPTIONS[name](filters=[4, 8], dropout=0.3, batch_size=4, epochs=2, steps_per_epoch=2)
    data = toys.stage_data(toys.both_classes(20).numpy(), np.arange(40) % 2, toys.brightness_classifier())
    make_deterministic(0)
    stage = stage_class(name, options)(options, data, 0)
    if not measures:
        stage.measurement = lambda model: dict
    strategy = tf.distribute.get_strategy()
    model, progress = train_stage(stage, folder, Logbook(folder / "logs"), lambda event: None, strategy)
    return [keras.ops.convert_to_numpy(variable) for variable in state_of(model)], progress


@pytest.mark.slow
@pytest.mark.parametrize("name", ["syce", "sagen"])
def test_a_training_that_measures_is_the_one_that_does_not(name, tmp_path):
    (tmp_path / "without").mkdir()
    state, progress = trained(name, tmp_path)
    other, plain = trained(name, tmp_path / "without", measures=False)
    assert progress.best_epoch == plain.best_epoch
    for one, two in zip(state, other, strict=True):
        np.testing.assert_array_equal(one, two)
    for logs, plain_logs in zip(progress.history, plain.history, strict=True):
        assert set(logs) - set(plain_logs) == {f"val_{key}" for key in OF_PAIRS}
        for key in set(plain_logs) - {"seconds"}:
            assert logs[key] == plain_logs[key]
