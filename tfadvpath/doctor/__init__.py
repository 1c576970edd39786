"""The check of an installation: the machine, the packages, what can be read, and how fast it computes."""
