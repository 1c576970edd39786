"""``tfadvpath train``: from a recipe to a bundle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import import_tensorflow


def train(
    recipe: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="A YAML file such as training/phantom_brain.yaml.")
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Gets the bundle.")],
    seed: Annotated[int | None, typer.Option(min=0, help="In place of the recipe's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Train a classifier and its generators, and write them as a bundle."""
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help need not wait for it.
    from tfadvpath.bundle import check_bundle_folder, load_bundle
    from tfadvpath.training.recipe import load_recipe
    from tfadvpath.training.run import train as train_recipe

    chosen = load_recipe(recipe)
    if seed is not None:
        chosen = chosen.model_copy(update={"seed": seed})
    check_bundle_folder(out)  # now, not after the training
    train_recipe(chosen, out, verbose=0 if as_json else "auto")
    figures = load_bundle(out).figures
    if as_json:
        typer.echo(json.dumps(figures, indent=2))
        return
    for part, stages in figures.items():
        for stage, values in stages.items():
            listed = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
            typer.echo(f"{part}, {stage}: {listed}")
    typer.echo(f"The bundle is in {out}")
