"""The paper's method on tensors: a classifier's gradients along a path between two images."""
