"""Files, checked before a reader opens them."""

from __future__ import annotations

import errno
from pathlib import Path

from tfadvpath.errors import InputError
from tfadvpath.studies.limits import MAX_FILE_BYTES


def check_file(path: Path) -> None:
    """Makes sure that there is a file that can be opened, of a possible size.

    Args:
        path: The file.

    Raises:
        InputError: It does not exist, is no regular file, is empty or too large, or may not be read.
    """
    try:
        if not path.exists():
            if path.is_symlink():
                raise InputError(path, _broken_link(path), "Mend or remove the link")
            raise InputError(path, "does not exist", "Check the spelling")
        if path.is_dir():
            raise InputError(
                path, "is a folder that cannot be read as one image", "Check its permissions or pass files"
            )
        if not path.is_file():
            raise InputError(path, "is not a regular file", "Pass an image file")
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror or error})", "Check the path") from None
    if size == 0:
        raise InputError(path, "is empty (0 bytes)", "Copy or export it again")
    if size > MAX_FILE_BYTES:
        raise InputError(
            path, f"is too large: {size:,} bytes of at most {MAX_FILE_BYTES:,}", "Crop or shrink it"
        )


def _broken_link(path: Path) -> str:
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "is a link that leads back to itself"
    return "is a link to a file that does not exist"
