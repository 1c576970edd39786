"""The batches of stages that train against the classifier, on images whose one pixel is their number."""

import numpy as np
import pytest
from support import toys

from tfadvpath.errors import InputError
from tfadvpath.recipes.stages import CyCEOptions, FixedPointGANOptions, SAGenOptions
from tfadvpath.training.stages.registry import stage_class

# Images 0 … 11 are predicted 0, images 12 … 19 predicted 1.
ZEROS, ONES = 12, 8


def stage(name, options, zeros=ZEROS, ones=ONES, seed=0):
    images = np.arange(zeros + ones, dtype=np.float32).reshape(-1, 1, 1, 1)
    data = toys.stage_data(images, np.repeat([0, 1], [zeros, ones]))
    return stage_class(name, options)(options, data, seed)


def sagen(**options):
    return stage("sagen", SAGenOptions(batch_size=options.pop("batch_size", 4), **options))


def numbers(batch):
    return np.asarray(batch).reshape(-1).astype(int)


def test_the_images_shown_are_some_of_each_class_that_lie_apart():
    assert numbers(sagen().shown()).tolist() == [3, 7, 14, 16]


@pytest.mark.parametrize(("batch_size", "taken"), [(4, 4), (5, 4), (8, 8)])
def test_one_batch_has_as_many_of_each_class_and_leaves_an_odd_one_out(batch_size, taken):
    trained = sagen(batch_size=batch_size)
    found = [numbers(batch) for batch in trained.batches(0)]
    assert trained.batch == taken
    assert len(found) == trained.steps == ONES // (taken // 2)  # once through the smaller class
    for batch in found:
        assert len(batch) == taken
        assert (batch >= ZEROS).sum() == taken // 2


def test_a_pair_of_batches_has_a_class_each():
    trained = stage("cyce", CyCEOptions(batch_size=4))
    assert (trained.batch, trained.steps) == (4, 2)
    for zeros, ones in trained.batches(0):
        assert len(zeros) == len(ones) == 4
        assert numbers(zeros).max() < ZEROS <= numbers(ones).min()


def test_every_sub_batch_has_both_classes_and_they_are_every_nth_image():
    trained = stage("fixed_point_gan", FixedPointGANOptions(batch_size=12, n_critic=3))
    assert trained.sub_batches == 3
    for batch in trained.batches(0):
        assert len(batch) == 12
        for k in range(3):
            assert sorted(numbers(batch)[k::3] >= ZEROS) == [False, False, True, True]


def test_an_epoch_takes_an_image_once_and_another_epoch_has_another_order():
    def order(epoch):
        return np.concatenate([numbers(batch) for batch in sagen().batches(epoch)])

    assert len(set(order(0))) == len(order(0)) == 2 * ONES
    assert order(0).tolist() == order(0).tolist()
    assert order(0).tolist() != order(1).tolist()


def test_the_recipe_may_set_the_steps_of_an_epoch():
    trained = sagen(steps_per_epoch=7)
    assert len(list(trained.batches(0))) == trained.steps == 7


def test_validation_is_the_same_images_each_time_as_many_of_each_class():
    trained = sagen()
    first, again = (np.stack([numbers(batch) for batch in trained.validation()]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert sorted(first.reshape(-1)) == [*range(ONES), *range(ZEROS, ZEROS + ONES)]


def test_less_than_a_batch_of_a_class_is_said_with_the_numbers():
    with pytest.raises(InputError, match=r"toys: .* 12 train images to class 0 and 3 to class 1.*batch of 4"):
        stage("cyce", CyCEOptions(batch_size=4), ones=3)


def test_a_stage_without_a_classifier_says_so():
    with pytest.raises(ValueError, match="against a classifier"):
        _ = sagen().classifier
