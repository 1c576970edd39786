"""Many studies: which ones, where their results go, and one explainer for all."""
