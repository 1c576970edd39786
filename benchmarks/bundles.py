"""The trained bundle that the benchmarks explain: brain phantoms of 64 pixels."""

import pathlib

PHANTOM_BRAIN = pathlib.Path(__file__).parents[1] / "bundles" / "phantom_brain"
