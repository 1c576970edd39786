"""Images with labels, for training and measuring."""
