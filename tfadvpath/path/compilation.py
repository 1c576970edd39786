"""Compilation: whether XLA takes part, and one compiled function for each classifier and its options."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf

_Compiled = TypeVar("_Compiled")
# A compiled function holds its classifier's weights: more of them would keep networks in memory unasked.
_KEPT = 4


def use_xla(jit_compile: bool | str, static: bool = True) -> bool:
    """Returns whether XLA compiles: "auto" is True where TensorFlow sees a GPU or a TPU.

    Args:
        jit_compile: True, False or "auto".
        static: Whether the sizes of all tensors are known before the function runs, as XLA needs it. They are
            not with ``steps="auto"``.

    Raises:
        ValueError: Neither a bool nor "auto", or True where XLA cannot compile.
    """
    if jit_compile is True and not static:
        raise ValueError('`jit_compile` cannot be True with `steps="auto"`: XLA needs a number of steps')
    if jit_compile == "auto":
        return static and bool(tf.config.get_visible_devices("GPU") or tf.config.get_visible_devices("TPU"))
    if not isinstance(jit_compile, bool):
        raise ValueError(f'`jit_compile` must be True, False or "auto". Received: {jit_compile!r}')
    return jit_compile


def one_per_classifier(compile_for: Callable[..., _Compiled]) -> Callable[..., _Compiled]:
    """Returns a function that compiles once for the same arguments, and keeps the last four results.

    Args:
        compile_for: Function that takes a classifier and options, by position, and returns a compiled
            function. Where one of them has no hash, nothing is kept.
    """
    kept = functools.lru_cache(maxsize=_KEPT)(compile_for)

    @functools.wraps(compile_for)
    def compiled(*arguments: Any) -> _Compiled:
        try:
            hash(arguments)
        except TypeError:
            return compile_for(*arguments)
        return kept(*arguments)

    return compiled
