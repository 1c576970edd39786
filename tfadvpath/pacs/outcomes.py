"""Outcomes of sending: what became of each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError
from tfadvpath.pacs.archive import State


@dataclass(frozen=True)
class Sent:
    """File that the archive has.

    Attributes:
        path: The file.
        uid: Identifier of the instance.
        state: Word of the archive on it.
    """

    path: Path
    uid: str
    state: State


@dataclass(frozen=True)
class NotSent:
    """File that could not be sent.

    Attributes:
        path: The file.
        error: Reason, with what to do about it.
    """

    path: Path
    error: InputError


@dataclass(frozen=True)
class SendSummary:
    """Summary of what was sent.

    Attributes:
        target: Address of the archive.
        sent: Files that the archive has.
        failures: Files that could not be sent.
        left_out: Files and links in folders that were passed over, with the reason.
        megabytes: Size of the files that were sent, in millions of bytes.
        seconds: Time that reading and sending took.
    """

    target: str
    sent: Sequence[Sent]
    failures: Sequence[NotSent]
    left_out: Sequence[tuple[Path, str]]
    megabytes: float
    seconds: float

    def count(self, state: State) -> int:
        """Returns of how many files the archive said so.

        Args:
            state: Word of the archive.
        """
        return sum(each.state is state for each in self.sent)

    def as_json(self) -> dict[str, Any]:
        """Returns the summary as JSON holds it."""
        return {
            "target": self.target,
            **{state.value: self.count(state) for state in State},
            "failed": len(self.failures),
            "megabytes": round(self.megabytes, 3),
            "seconds": round(self.seconds, 3),
            "instances": [
                {"source": str(each.path), "sop_instance_uid": each.uid, "state": each.state.value}
                for each in self.sent
            ],
            "errors": [{"source": str(each.path), "message": str(each.error)} for each in self.failures],
            "left_out": [{"source": str(path), "reason": reason} for path, reason in self.left_out],
        }
