"""The harness sees planted faults of every kind, and tries the same inputs again."""

import pytest
from fuzz import harness
from fuzz.harness import Finding
from fuzz.promises import BrokenPromise, check_line

from tfadvpath.errors import InputError


def first_finding(name, time_limit=10.0):
    events = harness.run([f"planted_{name}"], seed=1, seconds=20, time_limit=time_limit)
    finding = next(event for event in events if isinstance(event, Finding))
    events.close()
    return finding


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind", "text"),
    [
        ("error", "error", "KeyError at planted.py"),
        ("patient", "promise", "a line with a patient's data"),
        ("memory", "memory", "more than 1.35 GB"),
        ("crash", "crash", "SIGABRT"),
        ("hang", "time", "more than 0.5 s"),
    ],
)
def test_a_planted_fault_is_found_and_found_again(name, kind, text, tmp_path):
    time_limit = 0.5 if name == "hang" else 10.0
    finding = first_finding(name, time_limit)
    assert finding.kind == kind
    assert text in finding.text
    file = harness.save(finding, tmp_path)
    assert file.name.startswith(f"planted_{name}-{kind}-")
    (again,) = harness.replay(finding.target, file.read_bytes(), time_limit)
    assert (again.kind, again.text) == (finding.kind, finding.text)


@pytest.mark.slow
def test_after_a_crash_the_next_input_is_tried():
    found = []
    for event in harness.run(["planted_crash"], seed=1, seconds=20):
        if isinstance(event, Finding):
            found.append(event.index)
        if len(found) == 2:
            break
    assert found[0] < found[1]


@pytest.mark.slow
def test_what_keeps_its_promises_is_not_accused():
    events = list(harness.run(["planted_nothing"], seed=1, seconds=0.5))
    assert events == list(range(len(events)))
    assert len(events) > 100


def test_the_inputs_of_a_seed_are_always_the_same():
    for target in harness.targets():
        inputs = [target.input(5, index) for index in range(6)]
        assert inputs == [target.input(5, index) for index in range(6)]
        assert inputs != [target.input(6, index) for index in range(6)]


@pytest.mark.parametrize(
    ("problem", "broken"),
    [
        ("is empty", None),
        ("is of zebra^patient", "a patient's data"),
        ("was born on 19010203", "a patient's data"),
        ("has a bell \a", "not printable"),
        ("is long" * 80, "560 characters"),
        ("does not fit into memory", "memory"),
    ],
)
def test_a_line_is_judged(problem, broken, tmp_path):
    error = InputError(tmp_path / "file.dcm", problem, "Help")
    if broken is None:
        check_line(error, tmp_path)
        return
    with pytest.raises(BrokenPromise, match=broken.replace("560 characters", "line of 5")):
        check_line(error, tmp_path)
