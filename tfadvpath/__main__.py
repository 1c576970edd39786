"""Runs the command line as ``python -m tfadvpath``."""

from tfadvpath.cli.main import app

if __name__ == "__main__":
    app(prog_name="tfadvpath")
