"""The classifier of tfadvpath.models.resnet50_classifier, variant v2, in PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

# Name, filters and number of blocks of each stage, and the stride of its last block.
_STAGES = (("conv2", 64, 3, 2), ("conv3", 128, 4, 2), ("conv4", 256, 6, 2), ("conv5", 512, 3, 1))
_EPSILON, _SLOPE = 1.001e-5, 0.3


class Block(nn.Module):
    """A residual block that normalizes first; all paddings are explicit, one pixel to every side.

    Args:
        channels: Channels of the input.
        filters: Filters of the inner convolutions; the output has four times as many channels.
        stride: Stride of the 3 x 3 convolution and of the shortcut.
        widens: Whether the shortcut is a convolution.
    """

    def __init__(self, channels: int, filters: int, stride: int, widens: bool):
        super().__init__()
        self.stride = stride
        self.preact_bn = nn.BatchNorm2d(channels, _EPSILON)
        self.conv_0 = nn.Conv2d(channels, 4 * filters, 1, stride) if widens else None
        self.conv_1 = nn.Conv2d(channels, filters, 1, bias=False)
        self.bn_1 = nn.BatchNorm2d(filters, _EPSILON)
        self.conv_2 = nn.Conv2d(filters, filters, 3, stride, padding=1, bias=False)
        self.bn_2 = nn.BatchNorm2d(filters, _EPSILON)
        self.conv_3 = nn.Conv2d(filters, 4 * filters, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = functional.relu(self.preact_bn(x))
        if self.conv_0 is not None:
            shortcut = self.conv_0(active)
        else:
            shortcut = x if self.stride == 1 else functional.max_pool2d(x, 1, self.stride)
        x = functional.relu(self.bn_1(self.conv_1(active)))
        x = functional.relu(self.bn_2(self.conv_2(x)))
        return shortcut + self.conv_3(x)


class ResNet50V2(nn.Module):
    """Grey images [N, 1, H, W] -> logits [N], in inference mode.

    Args:
        arrays: Weights by layer/weight, as Keras names and lays them out.
    """

    def __init__(self, arrays: dict[str, np.ndarray]):
        super().__init__()
        self.conv1_conv = nn.Conv2d(3, 64, 7, 2, padding=3)
        self.blocks = nn.ModuleDict()
        channels = 64
        for stage, filters, blocks, last_stride in _STAGES:
            for number in range(1, blocks + 1):
                stride = last_stride if number == blocks else 1
                block = Block(channels, filters, stride, widens=number == 1)
                self.blocks[f"{stage}_block{number}"] = block
                channels = 4 * filters
        self.post_bn = nn.BatchNorm2d(channels, _EPSILON)
        self.dense = nn.Linear(channels, 128)
        self.probability = nn.Linear(128, 1)
        self._take(arrays)
        self.eval().requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([x, x, x], dim=1).contiguous(memory_format=torch.channels_last)
        x = self.conv1_conv(x)
        # Keras pads with zeros before it pools; PyTorch's own padding would be minus infinity.
        x = functional.max_pool2d(functional.pad(x, (1, 1, 1, 1)), 3, 2)
        for block in self.blocks.values():
            x = block(x)
        x = functional.relu(self.post_bn(x)).mean(dim=(2, 3))
        return self.probability(functional.leaky_relu(self.dense(x), _SLOPE))[:, 0]

    def _take(self, arrays: dict[str, np.ndarray]) -> None:
        state = {}
        for key, values in arrays.items():
            layer, _, weight = key.rpartition("/")
            state[f"{_module(layer)}.{_WEIGHTS[weight]}"] = torch.tensor(_laid_out(weight, values))
        for name in self.state_dict():
            if name.endswith("num_batches_tracked"):
                state[name] = torch.tensor(0)
        self.load_state_dict(state)  # names a weight that is missing or left over


_WEIGHTS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def _module(layer: str) -> str:
    """Returns the name here of a layer: conv2_block1_0_conv is blocks.conv2_block1.conv_0."""
    stage, _, rest = layer.partition("_")
    if not rest.startswith("block"):
        return layer
    block, _, part = rest.partition("_")
    number, _, kind = part.partition("_")
    return f"blocks.{stage}_{block}.{part if number == 'preact' else f'{kind}_{number}'}"


def _laid_out(weight: str, values: np.ndarray) -> np.ndarray:
    if weight != "kernel":
        return values
    return np.ascontiguousarray(values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T)
