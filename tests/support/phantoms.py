"""Explained slices with a known tumour, made without a network."""

from __future__ import annotations

import dataclasses

import numpy as np

from support.explanations import NAMES, explanation_of
from tfadvpath.demo.measure import Patient

BODY = slice(8, 24)  # rows and columns of the 32
TUMOUR = slice(8, 14)


def patient(name, tumour_slices, count=4):
    """Slices of a bright square; in those with tumour its upper left corner is the tumour."""
    generator = np.random.default_rng(0)
    images = np.zeros((count, 32, 32, 1), np.float32)
    images[:, BODY, BODY] = 0.9 * generator.random((count, 16, 16, 1)).astype(np.float32) + 0.1
    masks = np.zeros((count, 32, 32), bool)
    masks[tumour_slices, TUMOUR, TUMOUR] = True
    return Patient(name, np.arange(count) + 10, masks, masks.any(axis=(1, 2)), explanation_of(images))


def with_maps(who, **maps):
    """That patient with other maps, [B, H, W] each."""
    own = {name: values[..., np.newaxis].astype(np.float32) for name, values in maps.items()}
    return dataclasses.replace(who, explanation=dataclasses.replace(who.explanation, maps=own))


def lit_by_quarters(who):
    """That patient with maps that are 1 in a quarter of the body each, in the order of ``NAMES``, else 0."""
    maps = {}
    for place, name in enumerate(NAMES):
        row, column = (8 * i for i in divmod(place, 2))
        maps[name] = np.zeros(who.masks.shape)
        maps[name][:, 8 + row : 16 + row, 8 + column : 16 + column] = 1
    return with_maps(who, **maps)
