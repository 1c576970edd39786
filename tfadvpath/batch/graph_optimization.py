"""Calls of a function whose graph TensorFlow optimizes once, by what makes it faster."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

# Passes of TensorFlow's RewriterConfig that leave an explainer's graph as it is: layouts are chosen for GPUs,
# and its loops and functions hold nothing that could be moved out of them.
_WITHOUT_EFFECT = (
    "layout_optimizer",
    "loop_optimization",
    "shape_optimization",
    "function_optimization",
    "implementation_selector",
)


class OptimizedOnce:
    """A ``tf.function`` of tensors on a CPU with a shorter first call, and answers of the same bits.

    TensorFlow optimizes a graph twice before it runs, by a dozen passes that take longer than a batch of
    small images. Here it does so once, without those that change nothing.

    Args:
        function: A ``tf.function`` that XLA does not compile, from tensors to a structure of tensors.
    """

    def __init__(self, function: Any):
        self._function = function
        config = tf.compat.v1.ConfigProto()
        options = config.graph_options.rewrite_options
        options.meta_optimizer_iterations = options.ONE
        options.memory_optimization = options.NO_MEM_OPT
        for name in _WITHOUT_EFFECT:
            setattr(options, name, options.OFF)
        self._options = config.SerializeToString()

    def get_concrete_function(self, *arguments: tf.Tensor | tf.TensorSpec) -> Any:
        """Returns the traced function for arguments of these shapes and types."""
        return self._function.get_concrete_function(*arguments)

    def __call__(self, *arguments: tf.Tensor) -> Any:
        traced = self.get_concrete_function(*arguments)
        answers = tf.raw_ops.StatefulPartitionedCall(
            args=[*arguments, *traced.captured_inputs],
            Tout=[output.dtype for output in traced.outputs],
            f=traced,
            config_proto=self._options,
        )
        return tf.nest.pack_sequence_as(traced.structured_outputs, answers)
