"""The floor and the ceilings of localisation."""

import numpy as np
from support import tiny
from support.evaluations import evaluated_images, labelled_images

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.evaluation import references
from tfadvpath.evaluation.references import reference_maps

IDENTITY = {"bundle": "a"}


class Data:
    """Other patients' images, in parts that a test names."""

    def __init__(self, generated=False, **parts):
        self.GENERATED, self.parts = generated, parts

    def load(self, part, seed):
        return self.parts[part]


def bundle(data):
    recipe = tiny.RECIPE.model_copy(update={"data": data})
    return Bundle(tiny.small_classifier((16, 16, 1)), {}, recipe, {}, {})


def test_the_mean_annotation_is_that_of_other_patients(tmp_path):
    others, tested = labelled_images(seed=1), evaluated_images(labelled_images())
    for data in (Data(train=others), Data(True, validation=others)):
        maps = reference_maps(bundle(data), tested, tmp_path, IDENTITY, 0, segmentation=False)
        assert list(maps) == ["best_possible", "average_mask"]
        expected = others.masks[others.labels == 1].mean(axis=0)
        for one in maps["average_mask"]:
            np.testing.assert_allclose(one, expected, atol=1e-6)
        np.testing.assert_array_equal(maps["best_possible"] > 0, tested.images.masks[tested.localised])


def test_without_other_annotations_there_is_no_mean(tmp_path):
    others = labelled_images()
    others.masks[:] = False
    tested = evaluated_images(labelled_images())
    maps = reference_maps(bundle(Data(train=others)), tested, tmp_path, IDENTITY, 0)
    assert list(maps) == ["best_possible"]


def test_nothing_is_compared_where_nothing_is_annotated(tmp_path):
    images = labelled_images()
    images.masks[:] = False
    assert reference_maps(bundle(Data()), evaluated_images(images), tmp_path, IDENTITY, 0) == {}


def test_the_network_is_trained_once_for_an_identity(tmp_path, monkeypatch):
    tested = evaluated_images(labelled_images())
    wanted = tested.images.masks[tested.localised]
    trained = []

    def learn(bundle, images, seed):
        trained.append(seed)
        np.testing.assert_array_equal(images.masks, wanted)
        return np.full(images.masks.shape, 0.5, np.float32)

    monkeypatch.setattr(references, "segmentation_maps", learn)
    given = bundle(Data(train=labelled_images(seed=1))), tested, tmp_path
    for identity, count in ((IDENTITY, 1), (IDENTITY, 1), ({"bundle": "b"}, 2)):
        maps = reference_maps(*given, identity, 3)
        assert list(maps) == ["best_possible", "segmentation", "average_mask"]
        assert (maps["segmentation"] == 0.5).all()
        assert len(trained) == count

    def fail(*_, **__):
        raise RuntimeError("no room\nleft")

    monkeypatch.setattr(references, "segmentation_maps", fail)
    said = []
    assert "segmentation" not in reference_maps(*given, {"bundle": "d"}, 3, say=said.append)
    assert said == ["the segmentation network: not trained (RuntimeError: no room)"]
    monkeypatch.setattr(references, "segmentation_maps", lambda *_, **__: None)
    for _ in range(2):  # too few annotations, and remembered so
        assert "segmentation" not in reference_maps(*given, {"bundle": "c"}, 3)
