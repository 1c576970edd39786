import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tfadvpath.datasets.splits import PARTS, Case, Shares, split_by_list, split_by_shares
from tfadvpath.errors import InputError

EMPTY = {key: [] for key in PARTS.values()}


def cases_of(patients, each=2):
    return [Case(f"{patient}-{number}", patient) for patient in patients for number in range(each)]


@given(
    st.integers(1, 40),
    st.tuples(*[st.floats(0, 100, allow_subnormal=False)] * 3),
    st.integers(0, 2**32),
)
def test_every_case_is_in_one_part_and_every_patient_too(patients, shares, seed):
    assume(sum(shares) > 0 and patients >= sum(share > 0 for share in shares))
    cases = cases_of([f"p{number}" for number in range(patients)])
    split = split_by_shares(cases, Shares(*shares), seed)
    assert sorted(case for part in split.values() for case in part) == sorted(case.name for case in cases)
    homes = {}
    for part, names in split.items():
        for name in names:
            assert homes.setdefault(name.split("-")[0], part) == part
    assert list(split) == [part for part, share in zip(PARTS, shares, strict=True) if share > 0]
    assert all(split.values())


def test_shares_are_of_the_patients():
    split = split_by_shares(cases_of(map(str, range(40))), Shares(75, 10, 15), 0)
    assert {part: len(cases) for part, cases in split.items()} == {"train": 60, "validation": 8, "test": 12}


def test_the_seed_alone_decides():
    cases = cases_of(map(str, range(40)))
    one, again, other = (split_by_shares(cases, Shares(), seed) for seed in (0, 0, 1))
    assert one == again == split_by_shares(cases[::-1], Shares(), 0)
    assert one != other


@pytest.mark.parametrize(
    ("shares", "problem"),
    [
        ((0, 0, 0), "are to be three numbers from 0 on, not all 0"),
        ((-1, 2, 2), "are to be three numbers from 0 on"),
        ((float("nan"), 1, 1), "are to be three numbers from 0 on"),
        ((1, 1, 1), "2 patients cannot be dealt out to 3 parts"),
    ],
)
def test_impossible_shares_are_refused(shares, problem):
    with pytest.raises(InputError, match=f"^`shares`: {problem}"):
        split_by_shares(cases_of(["a", "b"]), Shares(*shares), 0)


def write(folder, **lists):
    path = folder / "split.json"
    path.write_text(json.dumps(EMPTY | lists))
    return path


def test_a_list_is_taken_exactly(tmp_path):
    path = write(tmp_path, train_indexes=[["a", 3], ["b", 0], ["a", 1]], test_indexes=[["c", 7]])
    assert split_by_list(path, []) == {
        "train": {"a": frozenset({1, 3}), "b": frozenset({0})},
        "test": {"c": frozenset({7})},
    }


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({}, "is an empty list"),
        ({"train_indexes": [["a", 1]], "test_indexes": [["a", 2]]}, "patient a in train_indexes and in test"),
        ({"train_indexes": [["a", 1], ["a", 1]]}, "1 images of a twice"),
        ({"train_indexes": [["a", -1]]}, r'\["a", -1\] as train_indexes\[0\]'),
        ({"train_indexes": [["a", 1], ["a", True]]}, r"train_indexes\[1\]"),
        ({"val_indexes": [["a"]]}, r"val_indexes\[0\]"),
        ({"val_indexes": [{}]}, r"val_indexes\[0\]"),
        ({"val_indexes": "a"}, "no list as val_indexes"),
        ({"valid": []}, "train_indexes, val_indexes, test_indexes"),
    ],
)
def test_what_is_wrong_with_a_list_is_named(tmp_path, lists, message):
    with pytest.raises(InputError, match=message):
        split_by_list(write(tmp_path, **lists), [])


def test_two_cases_of_one_patient_do_not_part(tmp_path):
    path = write(tmp_path, train_indexes=[["a-0", 0]], test_indexes=[["a-1", 0]])
    with pytest.raises(InputError, match="has the patient a in train_indexes and in test_indexes"):
        split_by_list(path, cases_of("a"))


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b'{"train_indexes": ['])
def test_no_list_at_all_is_refused(tmp_path, content):
    path = tmp_path / "split.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"split\.json.*Write JSON"):
        split_by_list(path, [])
    with pytest.raises(InputError, match="cannot be read as a list of images"):
        split_by_list(tmp_path / "none.json", [])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("brain_tumor_classifier_training", (46900, 6184, 9424)),
        ("brain_tumor_interpreter_training", (10000, 5000, 9424)),
        ("pneumonia_detection", (11917, 1495, 1451)),
    ],
)
def test_the_papers_lists_are_read_whole(paper_lists, name, counts):
    split = split_by_list(paper_lists / f"split_{name}.json", [])
    assert tuple(sum(map(len, cases.values())) for cases in split.values()) == counts


@pytest.mark.real_data
def test_a_list_of_test_images_alone_has_one_part(paper_lists):
    split = split_by_list(paper_lists / "split_brain_tumor_interpreter_evaluation.json", [])
    assert list(split) == ["test"]


@pytest.mark.real_data
def test_the_papers_brain_slices_are_one_run_for_each_case(paper_lists):
    split = split_by_list(paper_lists / "split_brain_tumor_classifier_training.json", [])
    runs = [indexes for cases in split.values() for indexes in cases.values()]
    assert len(runs) == 363 + 48 + 73
    assert all(indexes == frozenset(range(min(indexes), max(indexes) + 1)) for indexes in runs)
    assert max(map(max, runs)) < 145
