"""The pairs of a bundle's generators, measured on the test images; what an earlier run measured is read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfadvpath import explainers
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.manifest import RECIPE, checked_manifest
from tfadvpath.bundle.networks import load_own_network
from tfadvpath.errors import InputError, first_line
from tfadvpath.evaluation.methods import Evaluation
from tfadvpath.evaluation.pair_quality import pair_quality
from tfadvpath.evaluation.same_images import may_know_test_images
from tfadvpath.files import sha256, write_json
from tfadvpath.generators.registry import path_generators
from tfadvpath.models.backbone import feature_extractor
from tfadvpath.models.binary import binary_classifier
from tfadvpath.recipes.recipe import load_recipe
from tfadvpath.recipes.stages import CLASSIFIER


@dataclass(frozen=True, eq=False)
class Judges:
    """Networks that judge pairs and are not the explained classifier.

    Attributes:
        second_classifier: Classifier of the same task that was trained separately; None is none.
        encoder: Feature extractor; None is none.
        digests: SHA-256 of their files, in hexadecimal, by the parameter's name.
    """

    second_classifier: keras.Model | None
    encoder: keras.Model | None
    digests: dict[str, str]


def load_judges(second_classifier: Path | None, encoder: Path | None, bundle: Bundle) -> Judges:
    """Loads the networks that judge pairs, in safe mode.

    Args:
        second_classifier: Keras file of a classifier of such images, or folder of a bundle that has one;
            None is none. A file does not say what it was trained on: it is taken as it is.
        encoder: Keras file of a feature extractor, of this size or another; None is none.
        bundle: Bundle whose pairs are judged.

    Raises:
        InputError: One of them cannot be loaded, or takes other images; the second classifier is the
            explained one, or that of a bundle that may have been trained on the test patients.
    """
    image_shape = tuple(bundle.classifier.input_shape[1:])
    digests, loaded = {}, {}
    fitting: dict[str, tuple[Path | None, Callable[..., keras.Model]]] = {
        "second_classifier": (second_classifier, binary_classifier),
        "encoder": (encoder, feature_extractor),
    }
    for name, (path, fit) in fitting.items():
        if path is None:
            continue
        file = path / f"{CLASSIFIER}.keras" if path.is_dir() else path
        network = load_own_network(file, f"`{name}`: {file}")
        if name == "second_classifier":
            _check_second(path, network, bundle)
        digests[name] = sha256(file)
        try:
            loaded[name] = fit(network, image_shape)
        except ValueError as error:
            raise InputError(
                f"`{name}`: {file}", first_line(error).replace("`", ""), "Name a file that fits"
            ) from error
    return Judges(loaded.get("second_classifier"), loaded.get("encoder"), digests)


def _check_second(path: Path, network: keras.Model, bundle: Bundle) -> None:
    """Checks that a second classifier is another one, and may be asked about the test images.

    Raises:
        InputError: It is not, or its bundle is damaged or none.
    """
    if _weights(network) == _weights(bundle.classifier):
        raise InputError(
            f"`second_classifier`: {path}",
            "holds the weights of the explained classifier, so the transfer rate would be the flip rate",
            "Name a classifier that was trained separately",
        )
    if not path.is_dir():
        return
    manifest = checked_manifest(path)
    if may_know_test_images(bundle, load_recipe(path / RECIPE), manifest):
        raise InputError(
            f"`second_classifier`: {path}",
            f"was trained on other images than {bundle.recipe.name}, perhaps on its test patients",
            f"Name a bundle of the same data, or its {CLASSIFIER}.keras if you know that it was not",
        )


def _weights(network: keras.Model) -> list[str]:
    """Returns the SHA-256 of each of a network's weights, whatever their order."""
    return sorted(hashlib.sha256(one.tobytes()).hexdigest() for one in network.get_weights())


def measure_pairs(
    evaluation: Evaluation, methods: Sequence[str], judges: Judges, say: Callable[[str], None]
) -> dict[str, dict[str, Any]]:
    """Measures the pairs of every generator among the methods, on all test images.

    Args:
        evaluation: Evaluation that the methods belong to.
        methods: Names of explainers that were measured.
        judges: Networks that judge pairs.
        say: Function that is told when a generator is measured.

    Returns:
        Figures of ``pair_quality`` by the generator's name; none of a generator that failed.
    """
    found = {}
    for name in path_generators():
        if name not in methods:
            continue
        path = evaluation.folder / f"{name}.pair.json"
        identity = {**evaluation.identity, "code": explainers.code(name), "judges": judges.digests}
        figures = _stored(path, identity)
        if figures is None:
            try:
                measured = pair_quality(
                    evaluation.bundle.generators[name],
                    evaluation.evaluated.images,
                    second_classifier=judges.second_classifier,
                    encoder=judges.encoder,
                    seed=evaluation.options.seed,
                    **evaluation.options.kernel,
                )
            except Exception as error:  # the maps are measured by now: their report is worth having
                say(f"the pairs of {name}: not measured ({type(error).__name__}: {first_line(error)})")
                continue
            figures = dict(measured.figures)
            write_json(path, {"identity": identity, "figures": figures})
            say(f"the pairs of {name}: measured")
        else:
            say(f"the pairs of {name}: measured before")
        found[name] = figures
    return found


def _stored(path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """Returns the figures of a file that was made under the same identity; None where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        same = content["identity"] == json.loads(json.dumps(identity))
        return dict(content["figures"]) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
