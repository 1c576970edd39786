"""Recipes: what is trained on what, as typed YAML files."""
