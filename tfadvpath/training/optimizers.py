"""The optimizer of a stage."""

from __future__ import annotations

import keras

from tfadvpath.training.options import Training


def adam(
    options: Training, steps: int, learning_rate: float | None = None, **kwargs: float
) -> keras.Optimizer:
    """Returns Adam by the options of a stage.

    Args:
        options: Gives the rate, its schedule and the gradients' largest norm.
        steps: Moves of this optimizer in the whole stage, over which a cosine falls.
        learning_rate: In place of the options'.
        **kwargs: Of ``keras.optimizers.Adam``.
    """
    rate = learning_rate or options.learning_rate
    if options.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    return keras.optimizers.Adam(rate, global_clipnorm=options.clip_norm, **kwargs)
