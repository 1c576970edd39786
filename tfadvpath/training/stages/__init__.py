"""The stages of a training, one file for the networks that train together."""
