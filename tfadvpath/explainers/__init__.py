"""Explainers by name."""

from tfadvpath.explainers.adversarial_path import AdversarialPath
from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.grad_cam import GradCAM
from tfadvpath.explainers.gradient import Gradient
from tfadvpath.explainers.integrated_gradients import IntegratedGradients
from tfadvpath.explainers.mask_generator import GeneratedMask
from tfadvpath.explainers.mask_perturbation import MaskPerturbation
from tfadvpath.explainers.registry import code, computing_code, generator_of, get, names, options

__all__ = [
    "AdversarialPath",
    "Explainer",
    "GeneratedMask",
    "GradCAM",
    "Gradient",
    "IntegratedGradients",
    "MaskPerturbation",
    "code",
    "computing_code",
    "generator_of",
    "get",
    "names",
    "options",
]
