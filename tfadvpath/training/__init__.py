"""Training: from a recipe to a bundle, stage by stage."""
