import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.generators.base import AdversarialPair
from tfadvpath.training.panels import pair_panel, panel

TILE = 160  # of images that are smaller
GAP, HEADER = 2, 20
WHITE, GREY = np.ones((3, 32, 32, 1), np.float32), np.full((3, 32, 32, 1), 0.5, np.float32)


def tile(picture, row, column):
    top, left = HEADER + row * (TILE + GAP), column * (TILE + GAP)
    return picture[top : top + TILE, left : left + TILE]


def test_a_row_is_an_image_and_a_column_a_kind_of_picture():
    images = np.stack([np.full((32, 32, 1), level) for level in (0.2, 0.4, 0.8)])
    picture = panel({"x": images, "half": images / 2})
    assert picture.dtype == np.uint8
    assert picture.shape == (HEADER + 3 * TILE + 2 * GAP, 2 * TILE + GAP, 3)
    for row, level in enumerate((0.2, 0.4, 0.8)):
        assert (tile(picture, row, 0) == round(255 * level)).all()
        assert (tile(picture, row, 1) == round(127.5 * level)).all()
    assert picture[:HEADER, :TILE].max() > 200  # a name stands above
    assert picture[:HEADER, TILE + GAP :].max() > 200


def test_one_scale_serves_all_rows_of_a_map():
    maps = GREY * np.array([0.0, 1.0, 0.5])[:, None, None, None]
    picture = panel({"x": WHITE}, {"E": maps}).astype(int)
    # Green alone grows all the way up inferno.
    none, most, half = (tile(picture, row, 1)[..., 1] for row in range(3))
    assert none.max() == 0
    assert most.min() > half.max()
    assert half.min() > 0
    # Ten times the map is the same picture under another number.
    larger = panel({"x": WHITE}, {"E": 10 * maps})
    np.testing.assert_array_equal(larger[HEADER:], picture[HEADER:])
    assert np.any(larger[:HEADER] != picture[:HEADER])


def test_a_score_is_written_into_its_own_picture():
    plain = panel({"x": GREY, "x_a": GREY})
    written = panel({"x": GREY, "x_a": GREY}, scores={"x_a": [0.1, 0.2, 0.9]})
    changed = (plain != written).any(axis=2)
    assert not changed[:, : TILE + GAP].any()
    for row in range(3):
        assert tile(changed, row, 1).any()
    assert np.any(tile(written, 0, 1) != tile(written, 2, 1))


@pytest.mark.parametrize(
    ("columns", "maps"),
    [
        ({}, None),
        ({"x": WHITE[:0]}, None),
        ({"x": WHITE, "y": WHITE[:2]}, None),
        ({"x": WHITE}, {"E": WHITE[:, :8]}),
    ],
)
def test_what_has_no_common_size_is_refused(columns, maps):
    with pytest.raises(ValueError, match="one size"):
        panel(columns, maps)


class Darkens:
    STABLE = True

    def __init__(self):
        self.classifier = keras.Sequential(
            [
                keras.Input((32, 32, 1)),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(1, "sigmoid"),
            ]
        )

    def generate(self, images):
        return AdversarialPair(0.8 * images, 0.4 * images, tf.zeros(len(images)))


def test_the_pair_stands_beside_its_image():
    generator = Darkens()
    picture = pair_panel(WHITE, generator)
    for column, level in enumerate((255, 204, 102)):
        assert (tile(picture, 0, column)[: TILE // 2] == level).all()
    assert picture.shape[1] == 4 * TILE + 3 * GAP
    generator.STABLE = False
    without = pair_panel(WHITE, generator)
    assert without.shape[1] == 3 * TILE + 2 * GAP
    assert (tile(without, 0, 1)[: TILE // 2] == 102).all()
