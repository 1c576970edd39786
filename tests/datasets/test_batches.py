import numpy as np
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from tfadvpath.datasets.batches import batches, epoch_order


@given(
    count=st.integers(1, 50), rounds=st.integers(1, 3), seed=st.integers(0, 2**31), epoch=st.integers(0, 99)
)
def test_an_epoch_takes_every_item_equally_often(count, rounds, seed, epoch):
    order = epoch_order(count, rounds * count, seed, epoch)
    np.testing.assert_array_equal(np.bincount(order, minlength=count), rounds)
    np.testing.assert_array_equal(order, epoch_order(count, rounds * count, seed, epoch))
    assert len(epoch_order(count, 1, seed, epoch)) == 1


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = {tuple(epoch_order(50, 50, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}
    assert len(orders) == 4


def test_batches_keep_items_of_several_arrays_together(tmp_path):
    images = np.arange(10, dtype=np.float32).reshape(10, 1, 1, 1) * np.ones((1, 2, 3, 1), np.float32)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    order = np.array([7, 1, 1, 9, 0])
    labels = np.arange(10, dtype=np.float64)[:, np.newaxis]
    seen = list(batches((mapped, labels), order, 2))
    assert [tuple(x.shape) for x, _ in seen] == [(2, 2, 3, 1), (2, 2, 3, 1), (1, 2, 3, 1)]
    np.testing.assert_array_equal(np.concatenate([x[:, 0, 0, 0] for x, _ in seen]), order)
    np.testing.assert_array_equal(np.concatenate([y[:, 0] for _, y in seen]), order)
    assert {str(y.dtype.name) for _, y in seen} == {"float32"}
    assert batches((mapped,), order, 2).element_spec.shape.as_list() == [None, 2, 3, 1]


def test_no_data_set_that_is_made_of_batches_waits_for_a_thread_that_tunes_it():
    one, other = (batches((np.zeros((6, 1), np.float32),), np.arange(6), 2) for _ in (0, 1))
    made = [
        one,
        one.map(tf.abs).prefetch(2),
        one.take(1),
        one.unbatch().batch(3),
        tf.data.Dataset.zip(one, other),
    ]
    assert [each.options().autotune.enabled for each in made] == [False] * 5
