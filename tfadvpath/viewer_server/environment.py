"""The environment that keeps Gradio, and what it imports, from asking anything of other machines."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tfadvpath.errors import InputError

_SILENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SHARE": "False",
    "GRADIO_MCP_SERVER": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
}


@contextmanager
def silent_gradio(uploads: Path) -> Iterator[None]:
    """Sets the environment for the time of the block, in which Gradio is imported and its server runs.

    Args:
        uploads: Folder that Gradio keeps uploads in.

    Raises:
        InputError: Gradio is not installed.
    """
    if importlib.util.find_spec("gradio") is None:
        raise InputError("gradio", "is not installed", "Run: pip install 'tfadvpath[viewer]'")
    wanted = _SILENT | {"GRADIO_TEMP_DIR": str(uploads)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
