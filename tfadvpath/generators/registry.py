"""The registry of the generators: name, networks and loss terms of each. Nothing here imports TensorFlow."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class GeneratorRow:
    """The facts of a generator that recipes, bundles, exports, explainers, model cards and reports need.

    Attributes:
        name: Name in recipes, in bundles and on the command line, such as "syce".
        title: Name in tables and texts, such as "SyCE".
        home: Module and class, such as "tfadvpath.generators.syce.SyCE".
        networks: File names, without ending, of the networks that the class is made of beside the classifier.
            The class takes a single network as it is, several as a tuple.
        loss_weights: Terms of the loss with their default weights.
        is_path: Whether the class makes pairs across the classifier's decision, so that its path is an
            explainer and can be exported.
        has_stable_image: Whether that path starts at a stable image; otherwise it starts at the input.
    """

    name: str
    title: str
    home: str
    networks: tuple[str, ...]
    loss_weights: Mapping[str, float]
    is_path: bool = False
    has_stable_image: bool = False

    def load_class(self) -> Any:
        """Returns the generator's class; imports its module, and with it TensorFlow."""
        module, _, name = self.home.rpartition(".")
        return getattr(importlib.import_module(module), name)


# By name, in the order in which a recipe trains them.
GENERATORS: dict[str, GeneratorRow] = {}


def register(row: GeneratorRow) -> None:
    """Adds a generator.

    Raises:
        ValueError: There is one of that name.
    """
    if row.name in GENERATORS:
        raise ValueError(f"two generators are called {row.name!r}")
    GENERATORS[row.name] = row


def path_generators() -> tuple[str, ...]:
    """Returns the names of the generators whose path crosses the decision."""
    return tuple(row.name for row in GENERATORS.values() if row.is_path)


register(
    GeneratorRow(
        name="cyce",
        title="CyCE",
        home="tfadvpath.generators.cyce.CyCE",
        networks=("generator_0", "generator_1"),
        loss_weights={
            "cycle": 10.0,
            "flip": 0.2,
            "cycle_decision": 0.005,
            "realism": 0.25,
            "near": 0.0,
            "gradient_penalty": 1.0,
        },
        is_path=True,
    )
)
register(
    GeneratorRow(
        name="syce",
        title="SyCE",
        home="tfadvpath.generators.syce.SyCE",
        networks=("generator_0", "generator_1"),
        loss_weights={
            "stable": 10.0,
            "cycle": 2.0,
            "flip": 0.2,
            "keep": 0.01,
            "cycle_decision": 0.005,
            "realism": 0.25,
            "near": 0.0,
            "gradient_penalty": 1.0,
        },
        is_path=True,
        has_stable_image=True,
    )
)
register(
    GeneratorRow(
        name="sagen",
        title="SAGen",
        home="tfadvpath.generators.sagen.SAGen",
        networks=("network",),
        loss_weights={"stable": 10.0, "near": 5.0, "keep": 0.1, "flip": 0.2},
        is_path=True,
        has_stable_image=True,
    )
)
register(
    GeneratorRow(
        name="mask_generator",
        title="Mask generator",
        home="tfadvpath.generators.mask_generator.MaskGenerator",
        networks=("decoder",),
        loss_weights={"smooth": 1e-3, "small": 10.0, "preserve": 1.0, "destroy": 5.0},
    )
)
register(
    GeneratorRow(
        name="fixed_point_gan",
        title="Fixed-point GAN",
        home="tfadvpath.generators.fixed_point_gan.FixedPointGAN",
        networks=("translator",),
        loss_weights={
            "discrimination": 1.0,
            "real_classification": 1.0,
            "gradient_penalty": 10.0,
            "realism": 1.0,
            "classification": 1.0,
            "cycle": 10.0,
            "same_realism": 1.0,
            "same_classification": 1.0,
            "same_cycle": 10.0,
            "identity": 0.1,
            "flip": 0.0,
        },
    )
)
