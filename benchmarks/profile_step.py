"""What a training step spends its time on, by kind of operation.

    python benchmarks/profile_step.py [--recipe training/phantom_brain.yaml] [--stage syce] [--steps 5]

The step of training_speed.py, compiled, on random images of the recipe's size. Times are told as
profile_pass.py does.
"""

from __future__ import annotations

import argparse

import results
from profile_pass import profiled
from training_speed import a_step

from tfadvpath.recipes.recipe import load_recipe


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default="training/phantom_brain.yaml")
    parser.add_argument("--stage", action="append", help="may be repeated; syce by default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--steps", type=int, default=5)
    given = parser.parse_args()
    recipe = load_recipe(given.recipe, given.set)
    figures = {}
    for stage in given.stage or ["syce"]:
        run, images = a_step(recipe, stage, given.precision, True)
        run()
        print(f"{stage}, {given.precision}, {images} images")
        figures[stage] = {"images": images, **profiled(run, given.steps)}
    results.write(
        "profile_step",
        {
            "recipe": recipe.name,
            "image_size": recipe.data.image_size,
            "precision": given.precision,
            "stages": figures,
        },
    )


if __name__ == "__main__":
    main()
