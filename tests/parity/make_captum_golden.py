"""Writes, or checks, the answers of Captum that our integrated gradients and GradCAM have to give.

Runs in the environment of requirements-captum.txt beside this file, never in that of the library, which
needs no PyTorch. `make parity` calls it.

    python make_captum_golden.py golden/captum.npz           writes the file
    python make_captum_golden.py --check golden/captum.npz   compares; exit code 1 if it differs
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerAttribution, LayerGradCam
from torch import nn

SEED = 2023
IMAGES, HEIGHT, WIDTH, STEPS = 6, 32, 40, 50
# name: kernel [rows, columns, in, out] as Keras has it
KERNELS = {
    "stem": (3, 3, 1, 8),
    "down": (3, 3, 8, 12),
    "keep": (3, 3, 12, 12),
    "shortcut": (1, 1, 8, 12),
    "head": (1, 1, 12, 1),
}
# Both sides compute in float64; only the order of their sums differs between processors.
TOLERANCE = 1e-10


class ResidualNetwork(nn.Module):
    """Three strided convolutions, one past the others, and a logit: paddings are explicit, one pixel wide."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8, eps=1e-3)
        self.down = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.keep = nn.Conv2d(12, 12, 3, padding=1)
        self.shortcut = nn.Conv2d(8, 12, 1, stride=2)
        self.last = nn.ReLU()
        self.head = nn.Conv2d(12, 1, 1)
        state = {}
        for name in KERNELS:
            state[f"{name}.weight"] = arrays[f"{name}/kernel"].transpose(3, 2, 0, 1)
            state[f"{name}.bias"] = arrays[f"{name}/bias"]
        for name, ours in (
            ("weight", "gamma"),
            ("bias", "beta"),
            ("running_mean", "mean"),
            ("running_var", "variance"),
        ):
            state[f"norm.{name}"] = arrays[f"norm/{ours}"]
        state["norm.num_batches_tracked"] = np.array(0)
        self.load_state_dict({name: torch.tensor(values.copy()) for name, values in state.items()})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.stem(x)))
        x = self.last(self.keep(torch.relu(self.down(x))) + self.shortcut(x))
        return self.head(x.mean(dim=(2, 3), keepdim=True))[:, 0, 0, 0]


def golden_arrays() -> dict[str, np.ndarray]:
    """Returns images and weights, float32, and the answers, float64, all channels last."""
    rng = np.random.default_rng(SEED)
    patches = np.kron(rng.random((IMAGES, 4, 5, 1)), np.ones((1, HEIGHT // 4, WIDTH // 5, 1)))
    images = 0.6 * patches + 0.4 * rng.random((IMAGES, HEIGHT, WIDTH, 1))
    arrays = {"images": images}
    for name, shape in KERNELS.items():
        arrays[f"{name}/kernel"] = rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:3]))
        arrays[f"{name}/bias"] = 0.1 * rng.normal(size=shape[3])
    arrays["norm/gamma"], arrays["norm/variance"] = 0.5 + rng.random((2, 8))
    arrays["norm/beta"], arrays["norm/mean"] = 0.2 * rng.normal(size=(2, 8))
    arrays = {name: values.astype(np.float32) for name, values in arrays.items()}
    torch.set_default_dtype(torch.float64)
    x = torch.tensor(arrays["images"].transpose(0, 3, 1, 2).astype(np.float64))
    logits = logits_of(arrays)(x).detach().numpy()
    # Answers to both sides, spread as a trained network's; rounded, to be the same on every processor.
    gain, middle = round(2 / logits.std(), 1), round(float(np.median(logits)), 4)
    arrays["head/kernel"] = (gain * arrays["head/kernel"]).astype(np.float32)
    arrays["head/bias"] = (gain * (arrays["head/bias"] - middle)).astype(np.float32)
    network = logits_of(arrays)
    logits = network(x).detach()
    sign = torch.where(logits >= 0, 1.0, -1.0)

    integrated = IntegratedGradients(lambda images: torch.sigmoid(network(images)))
    arrays["integrated_gradients"] = integrated.attribute(
        x, baselines=0.0, n_steps=STEPS, method="riemann_middle"
    )
    cam = LayerGradCam(lambda images, sign: sign * network(images), network.last)
    small = cam.attribute(x, additional_forward_args=(sign,), relu_attributions=True)
    arrays["grad_cam"] = LayerAttribution.interpolate(small, (HEIGHT, WIDTH), "bilinear")
    for name in ("integrated_gradients", "grad_cam"):
        arrays[name] = arrays[name].detach().numpy().transpose(0, 2, 3, 1)
    arrays["probability"] = torch.sigmoid(logits).numpy()
    return arrays


def logits_of(arrays: dict[str, np.ndarray]) -> ResidualNetwork:
    """Returns the network with the arrays' weights, in inference mode and in float64."""
    return ResidualNetwork(arrays).double().eval()


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes beside the target first, so that a half-written file never bears its name."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez_compressed(file, **arrays)
    Path(file.name).chmod(0o644)
    os.replace(file.name, path)


def differences(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, float]:
    """Returns the largest difference to each of the file's arrays.

    Raises:
        SystemExit: The file holds other arrays, or arrays of other shapes.
    """
    with np.load(path) as committed:
        shapes = {name: committed[name].shape for name in committed.files}
        if shapes != {name: np.shape(array) for name, array in arrays.items()}:
            raise SystemExit(f"{path}: other arrays than {Path(__file__).name} computes. Write the file anew")
        return {name: float(np.max(np.abs(committed[name] - array))) for name, array in arrays.items()}


def main() -> int:
    """Reads the arguments and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    arrays = golden_arrays()
    if not arguments.check:
        write(arguments.path, arrays)
        return 0
    largest = differences(arguments.path, arrays)
    for name in ("probability", "integrated_gradients", "grad_cam"):
        print(f"{name}: largest difference {largest[name]:.2g}, allowed {TOLERANCE:g}")
    # So written that NaN fails.
    return 0 if all(difference <= TOLERANCE for difference in largest.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
