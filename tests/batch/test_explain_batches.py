"""An image is explained in the same batch whichever studies are of an earlier run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.explanations import KnownExplainer
from support.killed_runs import OfItsBatch

from tfadvpath.batch.explain import explained
from tfadvpath.batch.reading import Earlier
from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.study import Study

BATCH = 4


def studies_of(seed):
    """Studies of 1 to 7 slices, some blank, and errors between them."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(12):
        count = 1 if rng.random() < 0.6 else int(rng.integers(2, 8))
        images = rng.random((count, 5, 5, 1)).astype(np.float32)
        blank = rng.random(count) < 0.2
        images[blank] = 0
        study = Study((Path(f"{number}.png"),), images, blank, Grid((count, 5, 5)))
        found.append(study if rng.random() < 0.85 else InputError("x", "is wrong", "Mend it"))
    return found


def earlier(study):
    record = {"slices": len(study.blank), "blank": int(study.blank.sum())}
    return Earlier(record, study.sources)


@pytest.mark.parametrize("seed", range(8))
def test_results_are_those_of_a_run_that_explains_all_and_no_more_batches_are_computed(seed):
    studies = studies_of(seed)
    whole = OfItsBatch(BATCH)
    expected = [result for result, _ in explained(whole, studies)]
    rng = np.random.default_rng(100 + seed)
    for share in (0.1, 0.5, 0.9):
        known = [isinstance(each, Study) and rng.random() < share for each in studies]
        given = [earlier(study) if done else study for study, done in zip(studies, known, strict=True)]
        by_source = {study.sources: study for study in studies if isinstance(study, Study)}
        part = OfItsBatch(BATCH)
        results = [
            result
            for result, _ in explained(part, given, read_again=lambda one, read=by_source: read[one.sources])
        ]
        for result, wanted, one in zip(results, expected, given, strict=True):
            if not isinstance(one, Study):
                assert result is one
                continue
            for name, values in wanted.explanation.maps.items():
                np.testing.assert_array_equal(result.explanation.maps[name], values)
        assert len(part.batches) <= len(whole.batches)
    # None is read, and nothing computed, where all are of an earlier run.
    part = OfItsBatch(BATCH)
    given = [earlier(study) if isinstance(study, Study) else study for study in studies]
    assert [result for result, _ in explained(part, given, read_again=pytest.fail)] == given
    assert part.batches == []


def test_a_study_that_has_changed_meanwhile_stops_no_other():
    studies = [study for study in studies_of(0) if isinstance(study, Study)][:6]
    given = [earlier(study) if number % 2 else study for number, study in enumerate(studies)]
    results = [result for result, _ in explained(OfItsBatch(BATCH), given)]
    for result, study in zip(results[::2], studies[::2], strict=True):
        assert len(result.explanation) == (~study.blank).sum()


def test_seconds_are_shared_by_the_images(monkeypatch):
    clock = iter(np.arange(100) * 10.0)
    monkeypatch.setattr("tfadvpath.batch.explain.time.monotonic", lambda: next(clock))
    studies = [study for study in studies_of(1) if isinstance(study, Study)]
    seconds = [taken for _, taken in explained(KnownExplainer(64), studies)]
    counts = np.array([(~study.blank).sum() for study in studies])
    np.testing.assert_allclose(seconds, 10 * counts / counts.sum())
