"""Networks of one weight and one bias, which can learn exactly what they are asked to."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage
from support import toys

from tfadvpath.generators.base import AdversarialPair
from tfadvpath.recipes.stages import CyCEOptions, SAGenOptions, SyCEOptions
from tfadvpath.training.stages.registry import stage_class
from tfadvpath.training.stages.unet_warm_up import copied_detail, learn_pairs, learn_to_copy, learn_to_undo

STEPS = {"warm_up_steps": 400, "warm_up_learning_rate": 0.05}
OPTIONS = CyCEOptions(**STEPS, batch_size=4)


def line(slope, offset):
    model = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(1, 1)])
    model.set_weights([np.full((1, 1, 1, 1), slope, np.float32), np.array([offset], np.float32)])
    return model


def slope_and_offset(model):
    return [float(np.squeeze(weight)) for weight in model.get_weights()]


def stage(name="cyce", options=OPTIONS):
    """A stage of random images, half of them predicted 1."""
    images = np.random.default_rng(0).random((80, 12, 12, 1)).astype(np.float32)
    return stage_class(name, options)(options, toys.stage_data(images, np.arange(80) % 2), 0)


@pytest.mark.slow
def test_networks_learn_what_trained_ones_do_where_that_undoes_itself():
    trained = [line(-1.0, 1.0), line(-1.0, 1.0)]  # the negative of the negative is the image
    networks = [line(1.0, 0.0), line(0.5, 0.2)]
    looks = []
    assert learn_to_undo(networks, trained, OPTIONS, stage(), lambda *look: looks.append(look)) == 400
    assert looks[0] == (25, 400)
    assert [look[:2] for look in looks if len(look) > 2] == [(200, 400), (400, 400)]
    assert looks[-1][2].startswith("after 400 steps val_loss ")
    assert looks[-1][2].endswith(", undoing 1.000 of images predicted 0, 1.000 of images predicted 1")
    for network in networks:
        assert slope_and_offset(network) == pytest.approx([-1.0, 1.0], abs=0.02)
    assert slope_and_offset(trained[0]) == [-1.0, 1.0]


def test_what_undoes_nothing_is_told_for_each_class_after_the_last_step():
    # Too few steps to learn anything: the first network moves x_a further from x, the second gets x back.
    options, looks = SyCEOptions(warm_up_steps=1, warm_up_learning_rate=1e-6, batch_size=4), []
    trained = [line(-1.0, 1.0), line(-1.0, 1.0)]
    networks = [line(0.5, 0.0), line(-1.0, 1.0)]
    learn_to_undo(networks, trained, options, stage("syce", options), lambda *look: looks.append(look))
    ((step, steps, said),) = looks
    assert (step, steps) == (1, 1)
    assert said.endswith("undoing -1.000 of images predicted 0, 1.000 of images predicted 1")


def test_a_network_learns_to_copy():
    network, looks = line(0.5, 0.3), []
    steps = learn_to_copy(network, 1, OPTIONS, stage(), lambda *look: looks.append(look))
    assert slope_and_offset(network) == pytest.approx([1.0, 0.0], abs=0.06)
    assert 0 < steps < OPTIONS.warm_up_steps  # it ends when the copies are sharp
    said = [look for look in looks if len(look) > 2]
    assert [look[0] for look in said] == list(range(50, steps + 1, 50))
    assert re.fullmatch(
        r"after 50 steps the copies have structural similarity [01]\.\d{3} \(at least 0\.97 is wanted\) and "
        r"sharpness \d\.\d{3} \(0\.9 to 1\.1 is wanted\)",
        said[0][2],
    )
    assert "warning" not in said[-1][2]


def test_learning_to_copy_goes_on_while_the_copies_are_not_sharp():
    blurring = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.AveragePooling2D(2),
            keras.layers.UpSampling2D(2),
            keras.layers.Conv2D(1, 1),
        ]
    )
    looks = []
    assert learn_to_copy(blurring, 1, OPTIONS, stage(), lambda *look: looks.append(look)) == 400
    warnings = [look for look in looks if len(look) > 2 and "warning" in look[2]]
    assert [look[:2] for look in warnings] == [(400, 400)]
    assert re.fullmatch(
        r"warning, the copies are not sharp after all 400 steps\. They have structural similarity 0\.\d{3} "
        r"\(at least 0\.97 is wanted\) and sharpness 0\.\d{3} \(0\.9 to 1\.1 is wanted\)\. "
        r"Raise cyce\.warm_up_steps, or use cyce\.residual",
        warnings[0][2],
    )


def test_a_network_that_adds_to_the_image_has_nothing_to_copy():
    options = CyCEOptions(**STEPS, batch_size=4, residual=1)
    network = line(0.5, 0.3)
    assert learn_to_copy(network, 1, options, stage(options=options)) == 0
    assert slope_and_offset(network) == pytest.approx([0.5, 0.3])


@pytest.mark.parametrize(
    ("changed", "sharp"),
    [
        (lambda x: x, True),
        (lambda x: ndimage.uniform_filter(x, (1, 2, 2, 1)), False),
        (lambda x: np.clip(x + 0.2 * np.random.default_rng(1).standard_normal(x.shape), 0, 1), False),
        (lambda x: 0.98 * x, True),
        (lambda x: 0.8 * x, False),
    ],
)
def test_a_copy_is_sharp_if_it_has_the_images_detail_and_no_more(changed, sharp):
    images = np.random.default_rng(0).random((5, 24, 24, 1)).astype(np.float32)
    assert copied_detail(images, changed(images).astype(np.float32)).sharp == sharp


@pytest.mark.slow
def test_a_network_learns_the_pairs_of_a_trained_generator():
    class Trained:
        def generate(self, x):
            return AdversarialPair(0.5 * x, 1.0 - x, tf.reduce_mean(x, axis=(1, 2, 3)))

    options = SAGenOptions(**STEPS, batch_size=8)
    network = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Conv2D(2, 1)])
    learn_pairs(network, Trained(), options, stage("sagen", options))
    kernel, bias = network.get_weights()
    assert kernel.reshape(-1) == pytest.approx([0.5, -1.0], abs=0.02)
    assert bias == pytest.approx([0.0, 1.0], abs=0.02)


def test_without_steps_nothing_is_learnt():
    network = line(0.5, 0.3)
    none = SyCEOptions(warm_up_steps=0)
    assert learn_to_copy(network, 1, none, stage()) == 0
    assert learn_to_undo([network], [line(1.0, 0.0)], none, stage()) == 0
    assert learn_pairs(network, None, none, stage()) == 0
    assert slope_and_offset(network) == pytest.approx([0.5, 0.3])
