"""The precision in which a network computes: a Keras dtype policy for a block, and copies in another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def policy(name: str) -> Iterator[None]:
    """Builds what is built in the block with a Keras dtype policy, such as "mixed_bfloat16"."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def with_policy(model: keras.Model, name: str) -> keras.Model:
    """Returns a copy with the same weights whose layers have another dtype policy.

    A network's last layer keeps its own: a probability near 1 has no neighbours in half precision.

    Args:
        model: Functional or sequential model or a ``UNet``; its weights are float32.
        name: Name of the policy, "float32" or "mixed_bfloat16".
    """
    config = keras.saving.serialize_keras_object(model)
    # A sequential model does not name its outputs.
    _replace(config, name, set(getattr(model, "output_names", None) or [model.layers[-1].name]))
    with policy(name):
        copy = keras.saving.deserialize_keras_object(config)
    copy.set_weights(model.get_weights())
    return copy


def _replace(node: Any, name: str, kept: set[str]) -> None:
    if isinstance(node, list | tuple):
        for item in node:
            _replace(item, name, kept)
    if not isinstance(node, dict) or node.get("name") in kept:
        return
    if node.get("class_name") == "DTypePolicy" and node["config"]["name"] in ("float32", "mixed_bfloat16"):
        node["config"]["name"] = name
        return
    for item in node.values():
        _replace(item, name, kept)
