"""The format html: the viewer's page of a study."""

from __future__ import annotations

import cv2
import nibabel as nib
import numpy as np
import pytest
from support.viewer_pages import arrays, content, explanation_to_show, with_checks

from tfadvpath.explanation import PathExplanation, StudyExplanation
from tfadvpath.studies.study import read_study
from tfadvpath.viewer.encoding import FINE
from tfadvpath.writers.formats import formats
from tfadvpath.writers.html import study_scene, write_viewer
from tfadvpath.writers.npz import write_npz

SIZE = (16, 12)


def a_volume(folder, slices=6):
    values = np.random.default_rng(0).normal(size=(30, 24, slices))
    values[..., 1] = 3.0  # blank
    nib.save(nib.Nifti1Image(values, np.diag([-2.0, 1, 3, 1])), folder / "Zebra_Quagga.nii.gz")
    return read_study(folder / "Zebra_Quagga.nii.gz", SIZE)


def an_xray(folder, rows=300, columns=200, size=SIZE):
    values = np.random.default_rng(0).integers(0, 255, (rows, columns)).astype(np.uint8)
    cv2.imwrite(str(folder / "Zebra_Quagga.png"), cv2.GaussianBlur(values, (0, 0), 4))
    return read_study(folder / "Zebra_Quagga.png", size)


def explained(study, seed=0):
    count, size = int((~study.blank).sum()), study.images.shape[1:3]
    return StudyExplanation(
        study, explanation_to_show(count, size, seed), {"method": "syce", "bundle": "ab" * 32}
    )


def written(folder, result):
    folder.mkdir()
    write_viewer(folder, result)
    return (folder / "explanation.html").read_text(encoding="utf-8")


def test_the_page_has_the_values_of_the_npz_file_of_the_study(tmp_path):
    study = a_volume(tmp_path)
    result = explained(study)
    shown = arrays(written(tmp_path / "out", result))
    write_npz(tmp_path / "explanation.npz", result.explanation, study.blank)
    with np.load(tmp_path / "explanation.npz") as exact:
        for name, key in {"input": "images", "start": "start", "adversary": "adversary"}.items():
            np.testing.assert_allclose(shown[name], exact[key][..., 0], atol=FINE.image_error * 1.001)
        for name in result.explanation.maps:
            error = FINE.map_error * exact[name].max()
            np.testing.assert_allclose(shown[name], exact[name][..., 0], atol=error)
            assert not shown[name][study.blank].any()


def test_the_page_names_no_file(tmp_path):
    for make in (a_volume, an_xray):
        folder = tmp_path / make.__name__
        folder.mkdir()
        html = written(folder / "out", explained(make(folder)))
        assert "Zebra" not in html
        assert "Quagga" not in html
        assert str(tmp_path) not in html


def test_the_same_study_gives_the_same_bytes(tmp_path):
    study = a_volume(tmp_path)
    one, other = (written(tmp_path / name, explained(study)) for name in ("one", "other"))
    assert one == other
    assert one != written(tmp_path / "third", explained(study, seed=1))


def test_a_picture_that_is_finer_than_the_network_sees_it_goes_along(tmp_path):
    html = written(tmp_path / "out", explained(an_xray(tmp_path)))
    known = content(html)
    assert known["proportions"] == [300, 200]
    assert known["detail"] == {"rows": 300, "columns": 200, "top": 255}
    fine = read_study(tmp_path / "Zebra_Quagga.png").images[..., 0]
    np.testing.assert_allclose(arrays(html)["detail"], fine, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("size", [(300, 200), (512, 342)])
def test_a_picture_as_fine_as_the_network_sees_it_does_not(tmp_path, size):
    assert study_scene(explained(an_xray(tmp_path, size=size))).detail is None


def test_it_opens_where_the_first_map_is_largest_and_can_be_read(tmp_path):
    result = explained(a_volume(tmp_path))  # slices 0, 2, 3, 4, 5
    explanation = result.explanation
    explanation.maps["fi_v1"][:] = np.arange(5, dtype=np.float32)[:, None, None, None]
    fine = [True] * 5

    def opened(kept, crossed):
        checked = with_checks(explanation, kept, crossed, [0.0] * 5)
        return study_scene(StudyExplanation(result.study, checked)).opens_at

    assert opened(fine, fine) == 5
    assert opened(fine, [True, True, True, True, False]) == 4
    assert opened([True, True, True, False, True], [True, True, True, True, False]) == 3
    assert opened(fine, [False] * 5) == 5


def test_what_made_the_maps_stands_at_the_end(tmp_path):
    html = written(tmp_path / "out", explained(an_xray(tmp_path)))
    assert "<dt>Method</dt><dd>syce</dd>" in html
    assert "<dt>Bundle</dt><dd>abababababab</dd>" in html


def test_a_study_of_blank_slices_has_a_page_that_says_so(tmp_path):
    nib.save(nib.Nifti1Image(np.full((20, 24, 2), 3.0), np.eye(4)), tmp_path / "a.nii.gz")
    study = read_study(tmp_path / "a.nii.gz", SIZE)
    nothing = PathExplanation.of_nothing((*SIZE, 1), ["fi_v1"])
    known = content(written(tmp_path / "out", StudyExplanation(study, nothing)))
    assert known["blank"] == [True, True]
    assert known["flags"][0] == [["nothing", "This slice is blank: there is nothing to explain."]]


def test_it_is_written_where_it_is_asked_for_alone():
    assert formats()["html"].on_request
    assert not formats()["html"].names_patient
