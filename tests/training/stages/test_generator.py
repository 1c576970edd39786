"""The batches of stages that train against the classifier, on images whose one pixel is their number."""

import numpy as np
import pytest
from support import toys

from tfadvpath.errors import InputError
from tfadvpath.recipes.stages import CyCEOptions, FixedPointGANOptions, SAGenOptions, SyCEOptions
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


@pytest.mark.parametrize(("zeros", "ones", "taken"), [(100, 40, (16, 16)), (30, 8, (16, 8))])
def test_pairs_are_measured_on_a_few_images_of_each_class_that_the_seed_draws(zeros, ones, taken):
    def measured(seed):
        found = stage("sagen", SAGenOptions(batch_size=4), zeros, ones, seed).measured()
        return [numbers(images).tolist() for images in found]

    zero, one = measured(0)
    assert (len(set(zero)), len(set(one))) == taken
    assert max(zero) < zeros <= min(one)
    assert measured(0) == [zero, one]
    assert measured(1)[0] != zero


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
    # Of the larger class they lie apart: neighbours are images of one patient.
    assert sorted(first.reshape(-1)) == [0, 1, 3, 4, 6, 7, 9, 11, *range(ZEROS, ZEROS + ONES)]


@pytest.mark.parametrize(("zeros", "ones"), [(40, 8), (8, 40)])
def test_validation_spans_all_patients_of_either_class(zeros, ones):
    shown = np.concatenate(
        [numbers(b) for b in stage("sagen", SAGenOptions(batch_size=4), zeros, ones).validation()]
    )
    for first, last in ((0, zeros), (zeros, zeros + ones)):
        chosen = np.sort(shown[(shown >= first) & (shown < last)])
        assert len(chosen) == 8
        assert (chosen[0], chosen[-1]) == (first, last - 1)
        assert np.ptp(np.diff(chosen)) <= 1


@pytest.mark.parametrize(
    ("logs", "rank"),
    [
        ({"val_loss": 2.0, "val_flip_rate": 0.95, "val_keep_rate": 1.0}, 2.0),
        ({"val_loss": 1.0, "val_flip_rate": 0.85, "val_keep_rate": 1.0}, 6.0),
        ({"val_loss": 1.0, "val_flip_rate": 0.85, "val_keep_rate": 0.8}, 21.0),
    ],
)
def test_an_epoch_that_misses_its_targets_is_worse(logs, rank):
    trained = stage("syce", SyCEOptions(batch_size=4, flip_target=0.9, keep_target=0.95))
    assert trained.rank(logs) == pytest.approx(rank)
    assert stage("syce", SyCEOptions(batch_size=4)).rank(logs) == logs["val_loss"]


def test_less_than_a_batch_of_a_class_is_said_with_the_numbers():
    with pytest.raises(InputError, match=r"toys: .* 12 train images to class 0 and 3 to class 1.*batch of 4"):
        stage("cyce", CyCEOptions(batch_size=4), ones=3)


def test_a_stage_without_a_classifier_says_so():
    with pytest.raises(ValueError, match="against a classifier"):
        _ = sagen().classifier
