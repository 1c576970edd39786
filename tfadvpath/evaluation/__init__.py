"""Evaluation of a bundle: maps of its test images, measured for the paper's tables and charts."""
