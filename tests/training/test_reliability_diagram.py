import numpy as np
import pytest

from tfadvpath.bundle.figures import classifier_figures
from tfadvpath.training.reliability_diagram import reliability_chart

PATIENTS = np.arange(500)


def figures_of(promised, share):
    """Figures of a classifier that promises probabilities, where that share of the images is of class 1."""
    labels = np.random.default_rng(1).random(500) < share
    return classifier_figures(promised, labels, PATIENTS)


@pytest.fixture
def promised():
    return np.random.default_rng(0).random(500)


def columns(chart):
    """The upper and the lower axes of every part."""
    count = len(chart.axes) // 2
    return list(zip(chart.axes[:count], chart.axes[count:], strict=True))


def points(axes):
    """The diagonal's points and those of the classifier."""
    diagonal, drawn = (line.get_xydata() for line in axes.lines)
    return diagonal, drawn


def test_points_are_the_bins_mean_probability_and_share_of_class_1(promised):
    honest, boasting = figures_of(promised, promised), figures_of(promised, 0.4 * promised)
    chart = reliability_chart({"validation": honest, "test": boasting})
    for (above, _), figures in zip(columns(chart), (honest, boasting), strict=True):
        diagonal, drawn = points(above)
        np.testing.assert_array_equal(diagonal, [[0, 0], [1, 1]])
        bins = figures["reliability"]
        np.testing.assert_array_equal(drawn, np.transpose([bins["mean_score"], bins["positive_share"]]))
        assert (above.get_xlim(), above.get_ylim()) == ((0, 1), (-0.02, 1.02))
    kept, promises_more = (points(above)[1] for above, _ in columns(chart))
    assert np.abs(kept[:, 1] - kept[:, 0]).mean() < 0.1
    assert (promises_more[2:, 1] < promises_more[2:, 0]).all()  # below the diagonal


def test_bars_are_the_numbers_of_images_over_their_bins(promised):
    figures = figures_of(promised**2, promised)  # few images of a high probability
    ((_, below),) = columns(reliability_chart({"test": figures}))
    bars = [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in below.patches]
    expected = np.histogram(promised**2, bins=10, range=(0, 1))[0]
    np.testing.assert_allclose(bars, np.transpose([np.arange(10) / 10, np.full(10, 0.1), expected]))


def test_each_part_is_named_with_its_calibration_error(promised):
    figures = {"validation": figures_of(promised, promised), "test": figures_of(promised, 0.4 * promised)}
    titles = [above.get_title(loc="left") for above, _ in columns(reliability_chart(figures))]
    assert titles == [
        f"{part}, calibration error {values['expected_calibration_error']:.3f}"
        for part, values in figures.items()
    ]


def test_bins_without_images_have_no_point():
    figures = classifier_figures([0.05, 0.06, 0.95], [0, 1, 1], ["a", "b", "c"])
    ((above, below),) = columns(reliability_chart({"test": figures}))
    np.testing.assert_allclose(points(above)[1], [[0.055, 0.5], [0.95, 1]])
    assert [bar.get_height() for bar in below.patches] == [2, *[0] * 8, 1]


def test_a_part_without_images_has_its_axes_and_nothing_in_them():
    ((above, below),) = columns(reliability_chart({"test": classifier_figures([], [], [])}))
    assert above.get_title(loc="left") == "test"
    assert len(points(above)[1]) == 0
    assert [bar.get_height() for bar in below.patches] == [0] * 10
