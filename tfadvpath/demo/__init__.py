"""The demonstration: generated phantoms, explained, measured and shown on one page."""
