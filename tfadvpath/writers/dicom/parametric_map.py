"""Parametric Map: one map as floating-point values in the patient's space (PS3.3, A.75)."""

from __future__ import annotations

import numpy as np
from highdicom import VOILUTFunctionValues, VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from pydicom.sr.codedict import codes

from tfadvpath.writers.dicom.finish import finish
from tfadvpath.writers.dicom.made_by import MadeBy, described
from tfadvpath.writers.pictures import display_scale


def parametric_map(made_by: MadeBy, name: str, values: np.ndarray, index: int) -> ParametricMap:
    """Returns a map as a Parametric Map whose stored values are the map's.

    Args:
        made_by: Source, whose slices have places, and settings.
        name: Name of the map.
        values: float32 [slices, rows, columns], not negative, on the source's grid.
        index: Index of the map among those of its series.
    """
    scale = display_scale(values)
    largest = float(values.max()) or 1.0
    mapping = RealWorldValueMapping(
        lut_label=name[:16],
        lut_explanation=described(name),
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, largest),
        slope=1.0,
        intercept=0.0,
        quantity_definition=codes.DCM.Saliency,
    )
    window = VOILUTTransformation(
        window_center=scale / 2,
        window_width=scale,
        window_explanation="0 to the 99.5th percentile",
        voi_lut_function=VOILUTFunctionValues.LINEAR_EXACT,  # a window of LINEAR is at least 1 wide
    )
    image = ParametricMap(
        source_images=made_by.source.images,
        pixel_array=values,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[window],
        content_label=content_label(name),
        content_description=described(name),
        **made_by.names("map", index, [name]),
    )
    return finish(image, made_by)


def content_label(name: str) -> str:
    """Returns a map's name as a content label: 16 capital letters, figures and underscores at most."""
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name.upper())[:16]
