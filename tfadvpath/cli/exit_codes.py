"""Exit codes of every command."""

from __future__ import annotations

ALL_DONE = 0
SOME_FAILED = 1  # some studies, cases or methods failed; what did not is written
NOTHING_DONE = 2  # wrong use, or nothing could be done
INTERNAL_ERROR = 3  # a fault of this package
INTERRUPTED = 130  # by the keyboard: 128 and the signal's number, as shells have it
TERMINATED = 143
