"""Runs over many studies: the studies, the folders of their results, and one explainer for all."""
