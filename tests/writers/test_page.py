"""HTML pages and what their templates write values by."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
from PIL import Image

from tfadvpath.writers.page import data_uri, number, percent


@pytest.mark.parametrize("value", [None, math.nan])
def test_an_unknown_number_is_a_dash(value):
    assert number(value) == percent(value) == "–"


def test_numbers_are_rounded():
    assert percent(0.0256, 1) == "2.6 %"
    assert number(0.12345, 3) == "0.123"


def test_a_picture_becomes_an_address():
    picture = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    kind, _, content = data_uri(picture).partition(",")
    assert kind == "data:image/png;base64"
    np.testing.assert_array_equal(Image.open(io.BytesIO(base64.b64decode(content))), picture)
