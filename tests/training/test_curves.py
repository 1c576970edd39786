import numpy as np
import pytest
from PIL import Image

from tfadvpath.training.curves import training_chart
from tfadvpath.writers.charts import write_chart


def history(epochs=4, **numbers):
    return [
        {"epoch": e, "learning_rate": 1e-3, "seconds": 2.0}
        | {name: values[e] for name, values in numbers.items()}
        for e in range(epochs)
    ]


HISTORIES = {
    "classifier": history(loss=[4, 3, 2, 1], val_loss=[4, 2, 3, 5], auc=[0.5, 0.6, 0.7, 0.8]),
    "syce": history(
        epochs=3,
        loss=[1.0, 0.1, 0.01],
        val_loss=[1.0, 0.5, 0.6],
        stable=[-1.0, 50.0, 0.1],
        flip_rate=[0.1, 0.5, 0.9],
        adversary_distance=[0.03, 0.02, 0.01],
        val_adversary_similarity=[0.8, 0.9, 0.95],
        val_stable_sharpness=[1.4, 1.2, 1.1],
        val_undoing=[-0.1, 0.5, 0.9],
        val_undoing_zero_to_one=[0.0, 0.6, 0.9],
    ),
}


def drawn(chart):
    """The axes by their titles."""
    return {axes.get_title(loc="left"): axes for axes in chart.axes if axes.get_visible()}


def lines(axes):
    """Colour, style and points of what was drawn over the epochs."""
    return [(line.get_color(), line.get_linestyle(), line.get_xydata().tolist()) for line in axes.lines]


def test_each_number_stands_in_its_column():
    axes = drawn(training_chart(HISTORIES))
    names = {
        title: [text.get_text() for text in a.get_legend().texts]
        for title, a in axes.items()
        if a.get_legend()
    }
    assert names == {
        "classifier: loss": ["loss"],
        "classifier: shares of images, AUC": ["auc"],
        "syce: loss": ["loss"],
        "syce: shares of images, AUC": ["flip_rate"],
        "syce: mean distance of a pixel": ["adversary_distance"],
        "syce: similarity, sharpness, undoing": [
            "adversary_similarity",
            "stable_sharpness",
            "undoing",
            "undoing_zero_to_one",
        ],
        "syce: terms of the loss": ["stable"],
    }
    assert set(axes) - set(names) == {"classifier: learning rate", "syce: learning rate"}


def test_validation_is_solid_and_training_dashed_in_one_colour():
    validation, training, best = lines(drawn(training_chart(HISTORIES))["classifier: loss"])
    assert validation[1:] == ("-", [[1, 4], [2, 2], [3, 3], [4, 5]])
    assert training[1:] == ("--", [[1, 4], [2, 3], [3, 2], [4, 1]])
    assert validation[0] == training[0]
    assert [x for x, _ in best[2]] == [2, 2]  # the lowest val_loss


def test_the_best_epoch_is_the_one_that_is_named():
    axes = drawn(training_chart(HISTORIES, {"classifier": 3}))
    assert lines(axes["classifier: loss"])[-1][2][0][0] == 4
    assert lines(axes["syce: loss"])[-1][2][0][0] == 2


def test_scales_follow_the_values():
    axes = drawn(training_chart(HISTORIES))
    assert axes["classifier: loss"].get_yscale() == "linear"
    assert axes["syce: loss"].get_yscale() == "log"
    assert axes["syce: terms of the loss"].get_yscale() == "symlog"
    assert axes["syce: shares of images, AUC"].get_ylim() == pytest.approx((-0.02, 1.02))


def test_many_terms_have_a_colour_each():
    terms = {f"term_{i}": [i + 1.0] for i in range(12)}
    chart = training_chart({"fixed_point_gan": history(epochs=1, **terms)})
    colours = [line.get_color() for line in drawn(chart)["fixed_point_gan: terms of the loss"].lines]
    assert len(set(colours)) == 12


@pytest.mark.slow
@pytest.mark.parametrize("histories", [HISTORIES, {"classifier": []}, {}])
def test_the_picture_is_there_whole(tmp_path, histories):
    path = tmp_path / "curves.png"
    path.write_text("earlier")
    write_chart(path, training_chart(histories))
    assert np.asarray(Image.open(path)).ndim == 3
    assert list(tmp_path.iterdir()) == [path]
