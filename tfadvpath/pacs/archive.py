"""Archive as ``send_results`` sees it, and what its status codes mean."""

from __future__ import annotations

import abc
import enum
from pathlib import Path
from types import TracebackType
from typing import Self

from tfadvpath.errors import InputError
from tfadvpath.pacs.instances import Instance
from tfadvpath.serving.failures import Unavailable

_SUCCESS = 0x0000
# Duplicate SOP instance (PS3.7, C.5.7), and what Microsoft's DICOM service says for the same.
_THERE = {0x0111, 0xB00E}
_WARNINGS = {0x0001, 0x0107, 0x0116}
_CLASS = "Let the archive take this class of objects, or leave the file out"
_LOG = "Look at the archive's log"
_REFUSALS = {
    0x0110: ("could not process it", _LOG),
    0x0117: ("does not take its identifier", "Look at the archive's log, and export the file again"),
    0x0122: ("does not take its class of objects", _CLASS),
    0x0124: ("does not let this client store it", "Ask who runs the archive for the right to store"),
    0xC122: ("does not take its transfer syntax", "Let the archive take it, or export it uncompressed"),
}
_NOT_AS_ITS_CLASS = ("finds that it is not as its class demands", _LOG)
_NOT_UNDERSTOOD = ("cannot understand it", _LOG)
_OTHER = ("refuses it", _LOG)


class State(enum.Enum):
    """What an archive says of an instance that it has.

    Attributes:
        STORED: It is stored.
        CHANGED: It is stored, and the archive warns that it changed or dropped attributes.
        THERE: It was there before.
    """

    STORED = "stored"
    CHANGED = "changed"
    THERE = "there"


class Barred(Exception):
    """The archive lets nothing in: no other file will fare better.

    Args:
        problem: Words that follow the archive's address.
        remedy: An action that helps.
    """

    def __init__(self, problem: str, remedy: str):
        self.problem, self.remedy = problem, remedy
        super().__init__(problem)


class Archive(abc.ABC):
    """Way into an archive; a context manager that ends its connection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(kind is not None)

    @abc.abstractmethod
    def send(self, instance: Instance) -> State:
        """Sends a file, its data set byte for byte.

        Args:
            instance: The file.

        Raises:
            Unavailable: The archive cannot be reached or is busy; later it may answer.
            Barred: The archive lets nothing in.
            InputError: The archive refuses this file.
        """

    @abc.abstractmethod
    def close(self, at_once: bool) -> None:
        """Ends the connection.

        Args:
            at_once: Whether the archive is not asked first.
        """


def state_of(path: Path, code: int) -> State:
    """Returns what a status code of DICOM says (PS3.7, annex C; PS3.4, B.2.3; PS3.18, I.2).

    The archive's words are not looked at: they may quote a patient's header.

    Args:
        path: File that was sent, for the message.
        code: Status of a C-STORE response, or the failure or warning reason of a STOW-RS response.

    Raises:
        Unavailable: The archive is out of resources.
        InputError: It refuses the file.
    """
    if code == _SUCCESS:
        return State.STORED
    if code in _THERE:
        return State.THERE
    if code in _WARNINGS or code >> 12 == 0xB:
        return State.CHANGED
    if code >> 8 == 0xA7:
        raise Unavailable(f"is out of resources ({code:04X})")
    if code in _REFUSALS:
        problem, remedy = _REFUSALS[code]
    elif code >> 12 == 0xC:
        problem, remedy = _NOT_UNDERSTOOD
    else:
        problem, remedy = _NOT_AS_ITS_CLASS if code >> 8 == 0xA9 else _OTHER
    raise InputError(path, f"was refused: the archive {problem} ({code:04X})", remedy)
