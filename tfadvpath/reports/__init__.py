"""Pages for people. Nothing here computes a map."""
