"""What every generator of the registry keeps to, on tiny networks against a classifier by brightness."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from support import toys

from tfadvpath import generators
from tfadvpath.generators.base import AgainstClassifier, PairGenerator
from tfadvpath.generators.registry import GENERATORS, path_generators

# Generators whose steps draw no random numbers.
DRAW_NOTHING = ("sagen",)


@pytest.fixture(params=GENERATORS)
def name(request):
    return request.param


def weights_of(networks):
    return [weight for network in networks for weight in network.get_weights()]


def in_letters(text):
    return re.sub("[^a-z]", "", text.lower())


def test_the_row_says_what_the_class_is(name):
    row = GENERATORS[name]
    kind = row.load_class()
    assert issubclass(kind, AgainstClassifier)
    assert issubclass(kind, PairGenerator) == row.is_path == (name in path_generators())
    assert row.has_stable_image == (row.is_path and kind.STABLE)
    assert in_letters(row.title) == in_letters(row.name) == in_letters(kind.__name__)
    assert getattr(generators, kind.__name__) is kind
    assert kind.__name__ in generators.__all__


@pytest.mark.slow
def test_networks_that_come_back_from_the_files_of_the_row_answer_the_same(name, tmp_path):
    model, networks = toys.generator(name)
    files = dict(zip(GENERATORS[name].networks, networks, strict=True)) | {"classifier": model.classifier}
    loaded = {}
    for file, network in files.items():
        network.save(tmp_path / f"{file}.keras")
        loaded[file] = keras.saving.load_model(tmp_path / f"{file}.keras", safe_mode=True)
    again = toys.assembled(name, loaded.pop("classifier"), tuple(loaded.values()))
    answers = (tf.nest.flatten(each(toys.both_classes())) for each in (model, again))
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_every_step_logs_the_loss_its_terms_and_all_that_the_class_names(name):
    model, _ = toys.generator(name)
    logged = set(type(model).LOGGED)
    assert {"loss", *model.LOSS_WEIGHTS} <= logged
    for step in (model.train_step, model.test_step):
        model.reset_metrics()
        logs = step(toys.batch(name))
        assert set(logs) == logged
        assert all(np.isfinite(value) for value in logs.values())


@pytest.mark.slow
def test_a_step_moves_every_network_and_never_the_classifier(name):
    model, networks = toys.generator(name)
    before, classifier = weights_of(networks), weights_of([model.classifier])
    model.train_step(toys.batch(name, 5))
    assert all(np.any(a != b) for a, b in zip(before, weights_of(networks), strict=True))
    for a, b in zip(classifier, weights_of([model.classifier]), strict=True):
        np.testing.assert_array_equal(a, b)


# Rates at which few steps suffice; the critic of the fixed-point GAN stays as it is.
TRAINING = {
    "cyce": {"rates": (5e-3, 1e-3)},
    "syce": {"rates": (5e-3, 1e-3)},
    "sagen": {"rates": (5e-3,)},
    "mask_generator": {"rates": (1e-2,)},
    "fixed_point_gan": {"rates": (1e-2, 0.0), "n_critic": 1},
}


@pytest.mark.slow
def test_training_lowers_the_loss_and_turns_decisions(name):
    turns = "flip" in GENERATORS[name].loss_weights
    model, _ = toys.generator(name, loss_weights={"flip": 5.0} if turns else {}, **TRAINING[name])
    held_out = tf.data.Dataset.from_tensors(toys.batch(name, 8, seed=1))
    first = model.evaluate(held_out, return_dict=True, verbose=0)
    model.fit(tf.data.Dataset.from_tensors(toys.batch(name, 8)).repeat(80), verbose=0)
    last = model.evaluate(held_out, return_dict=True, verbose=0)
    assert set(last) == set(type(model).LOGGED)
    assert last["loss"] < (0.5 if turns else 0.7) * first["loss"]
    if turns:
        assert first["flip_rate"] <= 0.5
        assert last["flip_rate"] == 1.0


@pytest.mark.slow
def test_a_weight_replaces_one_of_the_row_and_an_unknown_one_is_refused(name):
    first, *_ = GENERATORS[name].loss_weights
    model, _ = toys.generator(name, loss_weights={first: 3.5})
    assert model.loss_weights == {**GENERATORS[name].loss_weights, first: 3.5}
    with pytest.raises(ValueError, match=rf"`loss_weights` may name .*'{first}'.*Received: \['flop'\]"):
        toys.generator(name, loss_weights={"flop": 1.0})


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_logs_and_another_seed_others(name):
    def trained(seed):
        model, networks = toys.generator(name, seed=seed)
        logs = model.train_step(toys.batch(name, 5))
        return [*weights_of(networks), [float(value) for value in logs.values()]]

    one, again, other = trained(0), trained(0), trained(1)
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    differ = any(np.any(a != b) for a, b in zip(one, other, strict=True))
    assert differ == (name not in DRAW_NOTHING)


def test_a_classifier_without_one_probability_is_refused(name):
    networks = toys.NETWORKS[name](toys.learning_classifier())
    two = keras.Sequential(
        [keras.Input(toys.SHAPE), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    )
    with pytest.raises(ValueError, match=r"one output.*output shape \(None, 2\)"):
        toys.assembled(name, two, networks)
    with pytest.raises(TypeError, match=r"must be a Keras 3 model.*function"):
        toys.assembled(name, lambda images: images, networks)


@pytest.mark.slow
@pytest.mark.parametrize("name", path_generators())
def test_a_path_leads_from_image_to_image_and_carries_the_classifiers_probability(name):
    model, _ = toys.generator(name)
    images = toys.both_classes()
    pair = model.generate(images)
    for end in (pair.start, pair.adversary):
        assert end.shape == images.shape
        assert 0 <= np.min(end) <= np.max(end) <= 1
    np.testing.assert_allclose(pair.probability, model.classifier(images)[:, 0], atol=1e-6)
    assert np.array_equal(pair.start, images) != model.STABLE
