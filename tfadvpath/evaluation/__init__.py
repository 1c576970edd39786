"""Explanations of a bundle's test images, measured: what the paper's tables and figures are made of."""
