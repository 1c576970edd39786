"""Runs the command line as ``python -m tfadvpath``."""

from tfadvpath.cli.main import main

if __name__ == "__main__":
    main()
