"""Figures and animations of explanations, which matplotlib draws, from arrays."""
