"""The bundles beside the package: trained networks that tests may use."""

from pathlib import Path

_BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
# Of 64 pixels: it explains in a quarter of the time that the shipped bundle takes.
PHANTOM_BRAIN = _BUNDLES / "phantom_brain"
NIH_CXR = _BUNDLES / "nih_cxr"
