"""Figures, animations and files of an explanation."""

import dataclasses
import sys

import numpy as np
import pytest
from PIL import Image
from support.explanations import explanation_of

from tfadvpath.errors import InputError
from tfadvpath.explanation import Explanation
from tfadvpath.plots.figure import figure


@pytest.fixture(scope="module")
def explanation():
    images = np.linspace(0, 1, 10 * 16 * 16, dtype=np.float32).reshape(10, 16, 16, 1)
    return explanation_of(images)


def drawn(chart):
    """The titles of a figure's axes, row by row."""
    return [axes.get_title() for axes in chart.axes]


def test_a_figure_has_a_row_for_each_image_and_says_its_probabilities(explanation):
    chart = explanation.plot([0, 9], ["fi_v1", "difference"])
    titles = drawn(chart)
    assert len(titles) == 2 * 5
    mean = float(explanation.images[9].mean())
    assert titles[5:] == [
        f"input f = {mean:.2f}",
        f"start f = {mean:.2f}",
        f"adversary f = {1 - mean:.2f}",
        "fi_v1",
        "difference",
    ]


def test_eight_images_and_the_first_map_are_drawn_unless_others_are_chosen(explanation):
    titles = drawn(explanation.plot())
    assert len(titles) == 8 * 4
    assert titles[3] == "fi_v2_smooth"


def test_a_notebook_without_pyplot_shows_a_figure(explanation):
    assert explanation.plot()._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"


def test_what_a_figure_shows_is_the_image_and_the_map(explanation):
    axes = explanation.plot([2], ["fi_v1"]).axes
    np.testing.assert_array_equal(axes[0].images[0].get_array(), explanation.images[2, ..., 0])
    over = np.asarray(axes[3].images[1].get_array())
    values = explanation.maps["fi_v1"][2, ..., 0]
    np.testing.assert_allclose(over, np.clip(values / np.percentile(values, 99.5), 0, 1), atol=1e-6)


def test_an_image_whose_adversary_does_not_cross_says_so(explanation):
    stuck = dataclasses.replace(explanation, score_adversary=explanation.score)
    assert stuck.plot([0]).axes[0].get_ylabel() == "the adversary does not cross"
    assert explanation.plot([0]).axes[0].get_ylabel() == ""


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda e: e.plot([10]), "`images`: 10 is none of the 10 images"),
        (lambda e: e.plot(maps=["gradient"]), "`maps`: 'gradient' is not known. Choose from fi_v2_smooth"),
        (lambda e: e.plot([]), "`images`: 0 cannot be drawn"),
        (lambda e: e.animate(11), "`images`: 11 is none of the 10 images"),
        (lambda e: e.animate(0, frames=0), "`frames`: 0 is not positive"),
        (lambda e: Explanation(e.images, e.maps, e.score).animate(), "has no path from a start image"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(explanation, call, says):
    with pytest.raises(InputError, match=says):
        call(explanation)


def test_without_matplotlib_one_line_says_what_to_install(explanation, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError, match="matplotlib: is not installed"):
        figure({"input": explanation.images}, {}, {}, [0], [""])


def test_a_gif_goes_from_the_start_to_the_adversary_and_back(explanation, tmp_path):
    explanation.animate(3, path=tmp_path / "way.gif", frames=4, frames_per_second=5)
    with Image.open(tmp_path / "way.gif") as gif:
        gif.seek(1)
        assert gif.info["duration"] == 200  # the first frame stands for those in which the start rests
        frames = []
        for number in range(gif.n_frames):
            gif.seek(number)
            frames.append(np.asarray(gif.convert("L"), int))
    middle = [frame[:, frame.shape[1] // 3 : 2 * frame.shape[1] // 3] for frame in frames]
    assert np.abs(middle[0] - middle[len(middle) // 2]).max() > 20
    assert np.abs(middle[0] - middle[-1]).max() < 20  # it came back
    left = [frame[:, : frame.shape[1] // 3] for frame in frames]
    assert np.abs(left[0] - left[len(left) // 2]).max() < 20  # the input stands still


def test_the_way_is_a_straight_line(explanation):
    moving = explanation.animate(3, frames=4)
    axes = moving._fig.axes[1]
    for number, t in ((0, 0.0), (5, 0.0), (6, 0.25), (9, 1.0)):
        moving._func(number)
        expected = explanation.start[3] + t * (explanation.adversary[3] - explanation.start[3])
        np.testing.assert_allclose(axes.images[0].get_array(), expected[..., 0], atol=1e-6)


def test_files_hold_what_the_explanation_does(explanation, tmp_path):
    files = explanation.save(tmp_path / "new" / "results", ["npz", "png", "html", "gif"], name="mine")
    assert [path.name for path in files] == ["mine.npz", "mine.png", "mine.html", "mine.gif"]
    with np.load(files[0], allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["fi_v2"], explanation.maps["fi_v2"])
        np.testing.assert_array_equal(arrays["adversary"], explanation.adversary)
        np.testing.assert_array_equal(arrays["crossed"], explanation.crossed)
    with Image.open(files[1]) as picture:
        assert picture.format == "PNG"
    assert "</html>" in files[2].read_text()
    assert sorted(path.name for path in files[0].parent.iterdir()) == sorted(path.name for path in files)


def test_an_unknown_format_writes_nothing(explanation, tmp_path):
    with pytest.raises(InputError, match="`formats`: 'pdf' is not known"):
        explanation.save(tmp_path / "results", ["npz", "pdf"])
    assert not (tmp_path / "results").exists()
