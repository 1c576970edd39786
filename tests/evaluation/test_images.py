"""Which test images take part in what."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import tiny
from support.evaluations import OPTIONS, evaluated_images, labelled_images

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.errors import InputError
from tfadvpath.evaluation.images import balanced, choose_images, load_evaluated_images


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 50), st.integers(0, 3))
def test_as_many_of_each_class_are_drawn_without_repetition(classes, count, seed):
    positive = np.array(classes)
    rows = balanced(positive, count, seed)
    assert len(set(rows.tolist())) == len(rows)
    assert rows.tolist() == sorted(rows.tolist())
    assert positive[rows].sum() == (~positive[rows]).sum()
    assert len(rows) == 2 * min(count // 2, positive.sum(), (~positive).sum())


def test_the_seed_alone_chooses():
    positive = np.arange(100) % 3 == 0
    assert balanced(positive, 20, 1).tolist() == balanced(positive, 20, 1).tolist()
    assert balanced(positive, 20, 1).tolist() != balanced(positive, 20, 2).tolist()


def test_positives_without_annotation_are_counted_and_not_localised():
    images = labelled_images()
    images.masks[[0, 4]] = False
    found = evaluated_images(images)
    assert found.without_mask == 2
    assert not set(found.localised.tolist()) & {0, 4}
    assert len(found.localised) == 10
    assert images.labels[found.localised].all()


def test_maps_are_needed_of_both_groups_once(evaluated):
    assert set(evaluated.explained.tolist()) == {*evaluated.localised.tolist(), *evaluated.relevance.tolist()}
    assert len(evaluated.subset) == OPTIONS.subset
    labels = evaluated.images.labels[evaluated.relevance][evaluated.subset]
    assert labels.sum() == 2


def test_images_of_one_class_are_refused():
    images = labelled_images()
    images.labels[:] = 1
    with pytest.raises(InputError, match="all test images are of class 1"):
        choose_images(images, np.zeros(len(images.labels)), OPTIONS, "squares")


def write_list(folder, *test):
    path = folder / "list.json"
    path.write_text(json.dumps({"train_indexes": [], "val_indexes": [], "test_indexes": list(test)}))
    return path


def test_a_list_names_the_images_whose_pixels_are_replaced(tmp_path):
    part = tiny.RECIPE.data.load("test", 0)
    one, zero = (np.flatnonzero(np.asarray(part.labels) == k) for k in (1, 0))
    rows = sorted([one[2], zero[1], zero[5]])
    named = []
    for row in reversed(rows):
        case, colon, index = part.cases[row].partition(":")
        assert colon
        named.append([case, int(index)])
    found = load_evaluated_images(bundle(), OPTIONS, write_list(tmp_path, *named))
    assert found.relevance.tolist() == rows
    assert set(found.subset.tolist()) <= {0, 1, 2}
    assert len(found.localised) == len(load_evaluated_images(bundle(), OPTIONS).localised)


def test_a_list_of_other_images_or_of_one_class_is_refused(tmp_path):
    part = tiny.RECIPE.data.load("test", 0)
    case, _, index = part.cases[np.flatnonzero(np.asarray(part.labels) == 1)[0]].partition(":")
    message = r"names 2 images that are no test images of the data, such as nobody, 0\. Prepare"
    with pytest.raises(InputError, match=message):
        load_evaluated_images(
            bundle(), OPTIONS, write_list(tmp_path, [case, int(index)], ["nobody", 0], [case, 999])
        )
    with pytest.raises(InputError, match="1 test images, and none of one of the classes"):
        load_evaluated_images(bundle(), OPTIONS, write_list(tmp_path, [case, int(index)]))


def bundle(**manifest):
    return Bundle(tiny.small_classifier((32, 32, 1)), {}, tiny.RECIPE, {}, manifest)


def test_the_recipes_test_part_is_loaded_with_the_classifiers_answers():
    found = load_evaluated_images(bundle(), dataclasses.replace(OPTIONS, images=6))
    assert set(found.images.patients.tolist()) == {"phantom_5", "phantom_6"}  # after 3 + 2
    expected = bundle().classifier(found.images.images, training=False).numpy()[:, 0]
    np.testing.assert_allclose(found.scores, expected, atol=1e-6)


def test_images_that_the_bundle_was_not_trained_on_are_refused():
    with pytest.raises(InputError, match="other images than the bundle was trained on"):
        load_evaluated_images(bundle(data="another fingerprint"), OPTIONS)
