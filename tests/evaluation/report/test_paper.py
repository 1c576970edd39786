"""The paper's figures as data."""

import pytest

from tfadvpath.evaluation.claims import BEST_BASELINE, ClaimedNumber, Comparison
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS
from tfadvpath.evaluation.report.paper import about_papers_figures, paper_task


@pytest.mark.parametrize(("task", "figures"), [("brain-tumour", 4), ("pneumonia", 5)])
def test_each_task_has_a_figure_for_every_column(task, figures):
    paper = paper_task(task)
    assert len(paper.figures) == figures
    for values in paper.figures.values():
        assert list(values) == [column.key for column in COMPARED_MAPS]
        assert all(0 < value < 1 for value in values.values())


def test_figures_stand_where_the_table_has_them():
    brain, chest = paper_task("brain-tumour"), paper_task("pneumonia")
    assert brain.value(ClaimedNumber("iou", 98), "syce_fi_v2_smooth") == 0.432
    assert brain.value(ClaimedNumber("fnr", 98.0), "cyce_fi_v1") == 0.518
    assert brain.value(ClaimedNumber("relevance"), "sagen_difference") == 0.736
    assert chest.value(ClaimedNumber("iou", 95), "grad_cam") == 0.138
    assert chest.value(ClaimedNumber("iou", 99), "grad_cam") is None


def test_phantoms_have_the_figures_of_their_organ_for_orientation_only():
    assert paper_task("phantom-brain") is paper_task("brain-tumour")
    assert paper_task("image-folder") is None
    assert "of the same task, pneumonia (X-rays)." in about_papers_figures("pneumonia")
    assert "on pneumonia (X-rays): another data set" in about_papers_figures("phantom-chest")


@pytest.mark.parametrize(
    ("key", "against", "figure", "advantage"),
    [
        ("syce_fi_v2_smooth", "syce_difference", ClaimedNumber("iou", 98), 0.432 - 0.411),
        ("syce_fi_v2_smooth", "syce_difference", ClaimedNumber("fnr", 98), 0.462 - 0.441),
        ("cyce_fi_v2_smooth", BEST_BASELINE, ClaimedNumber("fnr", 98), 0.525 - 0.433),
        ("cyce_fi_v1", BEST_BASELINE, ClaimedNumber("relevance"), 0.675 - 0.736),
        ("cyce_fi_v1", BEST_BASELINE, ClaimedNumber("aopc"), None),
    ],
)
def test_an_advantage_is_positive_where_the_paper_found_it(key, against, figure, advantage):
    found = paper_task("brain-tumour").advantage(Comparison(key, against, figure, 0, 0, 0))
    assert found == (advantage if advantage is None else pytest.approx(advantage))
