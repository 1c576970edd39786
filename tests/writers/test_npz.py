"""An explanation as arrays."""

from __future__ import annotations

import numpy as np
from support.explanations import explanation_of

from tfadvpath.explanation import Explanation, PathExplanation
from tfadvpath.writers.npz import write_npz

BLANK = np.array([True, False, False, True])


def test_every_array_reads_back_at_its_slice(tmp_path):
    explanation = explanation_of(np.random.default_rng(0).random((2, 8, 6, 1)).astype(np.float32))
    write_npz(tmp_path / "a.npz", explanation, BLANK)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        for name in (
            "images",
            "start",
            "adversary",
            "score",
            "score_start",
            "score_adversary",
            "kept",
            "crossed",
        ):
            np.testing.assert_array_equal(arrays[name][1:3], getattr(explanation, name), err_msg=name)
        for name, values in explanation.maps.items():
            np.testing.assert_array_equal(arrays[name][1:3], values, err_msg=name)
            assert not arrays[name][[0, 3]].any()
        np.testing.assert_array_equal(arrays["blank"], BLANK)
        assert np.isnan(arrays["score"][[0, 3]]).all()
        assert not arrays["kept"][[0, 3]].any()


def test_a_volume_is_compressed_and_one_image_is_not(tmp_path):
    images = np.zeros((1, 64, 64, 1), np.float32)
    for name, blank in (("one.npz", [False]), ("two.npz", [False, True])):
        write_npz(tmp_path / name, Explanation(images, {"gradient": images}, np.zeros(1, np.float32)), blank)
    assert (tmp_path / "one.npz").stat().st_size > 2 * images.nbytes
    assert (tmp_path / "two.npz").stat().st_size < images.nbytes


def test_a_map_may_have_one_channel_for_all_of_the_images(tmp_path):
    images = np.random.default_rng(0).random((2, 8, 6, 3)).astype(np.float32)
    score = np.array([0.2, 0.7], np.float32)
    write_npz(tmp_path / "a.npz", Explanation(images, {"grad_cam": images[..., :1]}, score), BLANK)
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["images"].shape == (4, 8, 6, 3)
        np.testing.assert_array_equal(arrays["grad_cam"][1:3], images[..., :1])
        assert arrays["decision"].tolist() == [False, False, True, False]
        assert set(arrays) == {"images", "grad_cam", "score", "decision", "blank"}


def test_a_study_without_anything_to_explain_is_written_as_such(tmp_path):
    write_npz(tmp_path / "a.npz", PathExplanation.of_nothing((8, 6, 1), ["difference"]), [True, True])
    with np.load(tmp_path / "a.npz") as arrays:
        assert arrays["difference"].shape == (2, 8, 6, 1)
        assert not arrays["difference"].any()
