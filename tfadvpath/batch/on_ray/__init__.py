"""The engine of several processes and machines, by Ray; its packages are an extra."""
