"""The pairs of a bundle in an evaluation: measured once, with the networks that judge them."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import layers
from support import tiny
from support.evaluations import evaluated_images, labelled_images

from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.manifest import seal_bundle
from tfadvpath.errors import InputError
from tfadvpath.evaluation import pairs
from tfadvpath.evaluation.options import EvaluationOptions
from tfadvpath.evaluation.pairs import Judges, load_judges, measure_pairs
from tfadvpath.recipes.recipe import Recipe

SHAPE = (16, 16, 1)
NOBODY = Judges(None, None, {})


def classifier(folder, size=16, channels=1):
    inner = [keras.Input((size, size, channels)), layers.GlobalAveragePooling2D(), layers.Dense(1, "sigmoid")]
    path = folder / "second.keras"
    keras.Sequential(inner).save(path)
    return path


def encoder(folder):
    """A feature extractor of colour images of another size."""
    path = folder / "encoder.keras"
    keras.Sequential([keras.Input((40, 40, 3)), layers.Conv2D(5, 3, strides=2)]).save(path)
    return path


def phantoms(seed, train=3):
    """A recipe of phantoms, and their fingerprint."""
    values = tiny.RECIPE.model_dump() | {"seed": seed}
    values["data"]["patients"]["train"] = train
    recipe = Recipe.model_validate(values)
    return recipe, {"data": recipe.data.fingerprint(seed)}


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """A bundle whose pairs are to be judged: its test patients are the phantoms of seeds 5 and 6."""
    path = classifier(tmp_path_factory.mktemp("explained"))
    network, (recipe, recorded) = keras.saving.load_model(path), phantoms(0)
    network.set_weights([one + 1 for one in network.get_weights()])  # whatever the tests' seed is
    return Bundle(network, {}, recipe, {}, recorded)


def test_judges_are_loaded_and_fitted_to_the_images(tmp_path, explained):
    judges = load_judges(classifier(tmp_path), encoder(tmp_path), explained)
    x = np.zeros((2, *SHAPE), np.float32)
    assert judges.second_classifier.predict(x, verbose=0).shape == (2, 1)
    assert judges.encoder.predict(x, verbose=0).shape[-1] == 5
    assert set(judges.digests) == {"second_classifier", "encoder"}
    assert load_judges(None, None, explained).digests == {}


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("second_classifier", lambda folder: classifier(folder, size=8), "images of shape"),
        ("second_classifier", lambda folder: folder / "none.keras", "cannot be loaded"),
        ("encoder", lambda folder: folder, "cannot be loaded"),
    ],
)
def test_a_judge_that_cannot_be_had_is_said(tmp_path, explained, name, make, message):
    given = {"second_classifier": None, "encoder": None, name: make(tmp_path)}
    with pytest.raises(InputError, match=f"^`{name}`: .*{message}"):
        load_judges(given["second_classifier"], given["encoder"], explained)


def bundle_of(folder, recipe, recorded):
    """A bundle of a second classifier."""
    classifier(folder).rename(folder / "classifier.keras")
    seal_bundle(folder, recipe, {}, recorded, stages=["classifier"])
    return folder


def test_a_second_classifier_may_be_that_of_a_bundle_that_does_not_know_the_test_images(tmp_path, explained):
    """Phantoms of another recipe's seed are other patients; of eight to train on, two are test patients."""
    other = tmp_path / "other"
    other.mkdir()
    assert load_judges(bundle_of(other, *phantoms(1)), None, explained).second_classifier is not None
    trained_on_them = tmp_path / "trained_on_them"
    trained_on_them.mkdir()
    bundle_of(trained_on_them, *phantoms(0, train=8))
    with pytest.raises(InputError, match=r"^`second_classifier`: .*_them: was trained on other images"):
        load_judges(trained_on_them, None, explained)
    # Of a file nobody knows what it was trained on.
    assert load_judges(trained_on_them / "classifier.keras", None, explained).second_classifier is not None


def test_the_explained_classifier_is_no_second_one(tmp_path, explained):
    path = tmp_path / "copy.keras"
    wrapped = keras.Input(SHAPE)  # another file, of the same weights
    keras.Model(wrapped, explained.classifier(wrapped)).save(path)
    message = r"^`second_classifier`: .*copy\.keras: holds the weights of the explained .*separately"
    with pytest.raises(InputError, match=message):
        load_judges(path, None, explained)


@dataclasses.dataclass
class Evaluation:
    """What ``measure_pairs`` needs of an evaluation."""

    folder: object
    seed: int = 0
    sigma: float | None = None

    def __post_init__(self):
        self.evaluated = evaluated_images(labelled_images())
        self.options = EvaluationOptions(seed=self.seed, sigma=self.sigma)
        self.identity = {"options": self.options.as_json()}
        self.bundle = dataclasses.make_dataclass("Bundle", ["generators"])({"syce": "SyCE", "cyce": "CyCE"})


@pytest.fixture
def measured(monkeypatch):
    """Names of the generators whose pairs were measured, and with what."""
    found = []

    def quality(generator, images, **given):
        found.append((generator, given["second_classifier"], given["seed"], given["sigma"]))
        figures = {"flip_rate": 0.5, "images": len(images.images)}
        return dataclasses.make_dataclass("Quality", ["figures"])(figures)

    monkeypatch.setattr(pairs, "pair_quality", quality)
    return found


def test_the_pairs_of_measured_methods_are_measured_once(tmp_path, measured):
    said = []
    found = measure_pairs(Evaluation(tmp_path), ["gradient", "syce"], NOBODY, said.append)
    assert found == {"syce": {"flip_rate": 0.5, "images": 24}}
    again = measure_pairs(Evaluation(tmp_path), ["gradient", "syce"], NOBODY, said.append)
    assert again == found
    assert said == ["the pairs of syce: measured", "the pairs of syce: measured before"]
    assert [generator for generator, *_ in measured] == ["SyCE"]


def test_other_judges_or_options_measure_anew(tmp_path, measured):
    measure_pairs(Evaluation(tmp_path), ["syce"], NOBODY, print)
    other = Judges("a network", None, {"second_classifier": "digest"})
    measure_pairs(Evaluation(tmp_path), ["syce"], other, print)
    measure_pairs(Evaluation(tmp_path, seed=1), ["syce"], other, print)
    measure_pairs(Evaluation(tmp_path, seed=1, sigma=2.0), ["syce"], other, print)
    assert [given for _, *given in measured] == [
        [None, 0, None],
        ["a network", 0, None],
        ["a network", 1, None],
        ["a network", 1, 2.0],
    ]


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"identity": 1, "figures": 2})])
def test_a_damaged_file_is_measured_anew(tmp_path, measured, content):
    (tmp_path / "syce.pair.json").write_text(content)
    measure_pairs(Evaluation(tmp_path), ["syce"], NOBODY, print)
    assert len(measured) == 1


def test_a_generator_that_fails_loses_neither_the_others_nor_the_report(tmp_path, monkeypatch):
    def quality(generator, images, **given):
        if generator == "CyCE":
            raise RuntimeError("no room\nfor this")
        return dataclasses.make_dataclass("Quality", ["figures"])({"flip_rate": 1.0})

    monkeypatch.setattr(pairs, "pair_quality", quality)
    said = []
    found = measure_pairs(Evaluation(tmp_path), ["cyce", "syce"], NOBODY, said.append)
    assert found == {"syce": {"flip_rate": 1.0}}
    assert said[0] == "the pairs of cyce: not measured (RuntimeError: no room)"
