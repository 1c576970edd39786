"""Worker of attribution_speed.py: Captum's integrated gradients in PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch
from captum.attr import IntegratedGradients
from resnet50v2 import ResNet50V2
from worker import Contestant, Task, serve

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


class Captum(Contestant):
    """IntegratedGradients by midpoints, with channels last, on the GPU where PyTorch sees one.

    Args:
        task: What is explained.
        kind: float32, bfloat16 (weights and images are cast) or autocast (PyTorch chooses what to cast).
    """

    packages = ("captum", "torch", "numpy")

    def __init__(self, task: Task, kind: str = "float32"):
        super().__init__(task)
        torch.set_num_threads(os.cpu_count() or 1)
        with np.load(task.folder / "weights.npz") as arrays:
            network = ResNet50V2(dict(arrays)).to(DEVICE, memory_format=torch.channels_last)
        self.explainer = IntegratedGradients(_probability(network, kind))

    def explain(self, images: int, points: int | None) -> np.ndarray:
        start, adversary = (
            torch.from_numpy(values[:images].transpose(0, 3, 1, 2)).to(DEVICE)
            for values in (self.task.start, self.task.adversary)
        )
        attribution = self.explainer.attribute(
            adversary,
            baselines=start,
            n_steps=self.task.steps,
            method="riemann_middle",
            internal_batch_size=points,
        )
        return attribution.detach().cpu().numpy().transpose(0, 2, 3, 1)

    def maps(self, images: int, points: int | None, rule: str) -> dict[str, np.ndarray]:
        found = self.explain(images, points)
        change = self.task.adversary[:images] - self.task.start[:images]
        return {"integrated_gradients": found, "fi_v1": np.abs(found * change)}


def _probability(network: ResNet50V2, kind: str) -> Callable[[torch.Tensor], torch.Tensor]:
    if kind == "float32":
        return lambda x: torch.sigmoid(network(x))
    if kind == "bfloat16":
        network.bfloat16()
        return lambda x: torch.sigmoid(network(x.bfloat16()).float())

    def autocast(x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(DEVICE, torch.bfloat16):
            logits = network(x)
        return torch.sigmoid(logits.float())

    return autocast


if __name__ == "__main__":
    serve(
        {
            "float32": Captum,
            "bfloat16": lambda task: Captum(task, "bfloat16"),
            "autocast": lambda task: Captum(task, "autocast"),
        }
    )
