"""The seeds of a step's random draws."""

import numpy as np
import tensorflow as tf

from tfadvpath.generators.base import seed_of_draw


def test_neither_two_seeds_nor_two_draws_nor_two_steps_share_a_seed():
    found = {
        tuple(seed_of_draw(seed, tf.constant(step), draw).numpy().tolist())
        for seed in (0, 1, 2, 1_999_999, 2_000_000)
        for step in (0, 1)
        for draw in (0, 1, 999)
    }
    assert len(found) == 5 * 2 * 3


def test_the_largest_seed_of_a_recipe_is_still_an_int32():
    seed = seed_of_draw(2_000_000, tf.constant(7, tf.int64), 999)
    assert seed.dtype == tf.int32
    np.testing.assert_array_equal(seed, [2_000_000_999, 7])
