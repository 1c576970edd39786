import numpy as np
from PIL import Image

from tfadvpath.bundle.figures import classifier_figures
from tfadvpath.training.reliability_diagram import reliability_chart


def test_the_picture_shows_each_part_and_what_is_off(tmp_path):
    rng = np.random.default_rng(0)
    probability = rng.random(500)
    patients = np.arange(500)
    honest, boasting = (
        classifier_figures(probability, rng.random(500) < share, patients)
        for share in (probability, 0.4 * probability)
    )
    path = tmp_path / "reliability.png"
    pictures = []
    for figures in (
        {"validation": honest},
        {"validation": boasting},
        {"validation": honest, "test": boasting},
    ):
        reliability_chart(figures, path)
        pictures.append(np.asarray(Image.open(path).convert("RGB")))
    one, other, both = pictures
    assert both.shape == (one.shape[0], 2 * one.shape[1], 3)
    assert np.any(one != other)
    assert list(tmp_path.iterdir()) == [path]


def test_a_part_without_images_is_left_empty(tmp_path):
    reliability_chart({"test": classifier_figures([], [], [])}, tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").exists()
