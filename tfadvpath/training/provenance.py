"""Which code a run was made by."""

from __future__ import annotations

import subprocess
from pathlib import Path

import tfadvpath


def git_revision() -> str | None:
    """Returns the commit of the work tree that this package runs from, "-modified" behind it if files differ.

    None where it was installed from elsewhere, or there is no git.
    """
    root = Path(tfadvpath.__file__).parent.parent
    if not (root / ".git").exists():
        return None

    def git(*words: str) -> str:
        command = ["git", "-C", str(root), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        revision = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "tfadvpath")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{revision}-modified" if changed else revision
