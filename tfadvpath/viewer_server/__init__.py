"""A page of this machine alone: a file that is dropped on it is explained, and shown by the viewer."""
