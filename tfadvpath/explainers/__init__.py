"""Explainers by name."""

from tfadvpath.explainers.adversarial_path import AdversarialPath
from tfadvpath.explainers.base import Explainer
from tfadvpath.explainers.registry import get, names

__all__ = ["AdversarialPath", "Explainer", "get", "names"]
