"""Which class trains a stage, and that it keeps the networks that the generator's row names."""

import numpy as np
import pytest
from support import tiny, toys

from tfadvpath.generators.registry import GENERATORS
from tfadvpath.recipes.stages import STAGE_OPTIONS, ClassifierOptions, SyCEOptions
from tfadvpath.training.stages.classifier import ClassifierStage
from tfadvpath.training.stages.own_classifier import OwnClassifierStage
from tfadvpath.training.stages.registry import stage_class


@pytest.mark.parametrize("name", STAGE_OPTIONS)
def test_every_stage_of_a_recipe_has_its_class(name):
    kind = stage_class(name, tiny.EVERY_STAGE.stages[name])
    assert kind.name == name
    assert (name != "classifier") == kind.NEEDS_CLASSIFIER
    assert kind.TRAINS


def test_your_own_classifier_is_loaded_by_another_class_than_one_that_is_trained():
    assert stage_class("classifier", ClassifierOptions()) is ClassifierStage
    own = stage_class("classifier", ClassifierOptions(model="own.keras"))
    assert own is OwnClassifierStage
    assert not own.TRAINS


def test_a_stage_without_a_class_is_said():
    with pytest.raises(ValueError, match="one class must train the stage 'flop'"):
        stage_class("flop", SyCEOptions())


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATORS)
def test_a_stage_keeps_the_networks_of_its_generators_row(name):
    options = tiny.EVERY_STAGE.stages[name]
    shape = (tiny.SIZE, tiny.SIZE, 1)
    images = np.random.default_rng(0).random((8, *shape)).astype(np.float32)
    data = toys.stage_data(images, np.arange(8) % 2, tiny.small_classifier(shape))
    stage = stage_class(name, options)(options, data, 5)
    model = stage.build()
    assert type(model) is GENERATORS[name].load_class()
    assert tuple(stage.networks(model)) == GENERATORS[name].networks
    assert model.seed == 5
