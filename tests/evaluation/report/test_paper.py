"""The paper's numbers as data."""

import pytest

from tfadvpath.evaluation.claims import ClaimedNumber, Comparison
from tfadvpath.evaluation.compared_maps import COMPARED_MAPS
from tfadvpath.evaluation.report.paper import about_paper, paper_task
from tfadvpath.recipes.data import DATA_SETS, ImageFolder

_PATIENTS = {"train": 1, "validation": 1, "test": 1}


def data(task):
    """The recipe's entry of a data set, without its images."""
    own = {"patients": _PATIENTS} if DATA_SETS[task].GENERATED else {"path": "images"}
    return DATA_SETS[task](task=task, image_size=32, **own)


@pytest.mark.parametrize(("task", "numbers"), [("brain-tumour", 4), ("pneumonia", 5)])
def test_each_task_has_a_number_for_every_map(task, numbers):
    paper = paper_task(data(task))
    assert len(paper.numbers) == numbers
    for values in paper.numbers.values():
        assert list(values) == [compared.key for compared in COMPARED_MAPS]
        assert all(0 < value < 1 for value in values.values())


def test_numbers_stand_where_the_table_has_them():
    brain, chest = paper_task(data("brain-tumour")), paper_task(data("pneumonia"))
    assert brain.value(ClaimedNumber("iou", 98), "syce_fi_v2_smooth") == 0.432
    assert brain.value(ClaimedNumber("fnr", 98.0), "cyce_fi_v1") == 0.518
    assert brain.value(ClaimedNumber("relevance"), "sagen_difference") == 0.736
    assert chest.value(ClaimedNumber("iou", 95), "grad_cam") == 0.138
    assert chest.value(ClaimedNumber("iou", 99), "grad_cam") is None


@pytest.mark.parametrize(
    ("task", "organ"),
    [
        ("brain-tumour", "brain-tumour"),
        ("phantom-brain", "brain-tumour"),
        ("pneumonia", "pneumonia"),
        ("phantom-chest", "pneumonia"),
    ],
)
def test_a_data_set_is_measured_where_the_paper_has_numbers_of_its_organ(task, organ):
    paper = paper_task(data(task))
    assert paper is paper_task(data(organ))
    assert tuple(n.percentile for n in paper.numbers if n.metric == "iou") == data(task).percentiles


def test_images_of_any_organ_are_measured_at_all_percentiles_and_have_no_paper():
    assert ImageFolder.PERCENTILES == (90, 95, 98, 99)
    assert paper_task(data("image-folder")) is None
    assert about_paper(data("image-folder")) == ""


@pytest.mark.parametrize(("organ", "task"), [("brain", "brain-tumour"), ("chest", "pneumonia")])
def test_an_image_folder_of_an_organ_has_the_papers_numbers_and_percentiles_beside(organ, task):
    folder = ImageFolder(task="image-folder", path="p", image_size=64, organ=organ)
    assert paper_task(folder) is paper_task(data(task))
    assert folder.percentiles == data(task).percentiles
    assert "another data set" in about_paper(folder)


def test_numbers_beside_phantoms_are_for_orientation_only():
    assert about_paper(data("pneumonia")) == (
        "Columns named paper hold the published numbers of the same task, pneumonia (X-rays)."
    )
    assert "published numbers on pneumonia (X-rays): another data set" in about_paper(data("phantom-chest"))


@pytest.mark.parametrize(
    ("key", "against", "number", "advantage"),
    [
        ("syce_fi_v2_smooth", "syce_difference", ClaimedNumber("iou", 98), 0.432 - 0.411),
        ("syce_fi_v2_smooth", "syce_difference", ClaimedNumber("fnr", 98), 0.462 - 0.441),
        ("cyce_fi_v2_smooth", "grad_cam", ClaimedNumber("fnr", 98), 0.715 - 0.433),
        ("cyce_fi_v1", "sagen_difference", ClaimedNumber("relevance"), 0.675 - 0.736),
        ("cyce_fi_v1", "sagen_difference", ClaimedNumber("aopc"), None),
        ("syce_fi_v2_smooth", "syce_difference_smooth", ClaimedNumber("iou", 98), None),
    ],
)
def test_an_advantage_is_positive_where_the_paper_found_it(key, against, number, advantage):
    found = paper_task(data("brain-tumour")).advantage(Comparison(key, against, number, 0, 0, 0))
    assert found == (advantage if advantage is None else pytest.approx(advantage))
