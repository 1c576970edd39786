"""A target: what is given bytes, and what it may do with them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fuzz.byte_mutator import Mutator


@dataclass(frozen=True)
class Target:
    """Something that takes bytes from outside.

    Attributes:
        name: Name on the command line.
        seeds: Function that returns contents to start from.
        mutate: Changes a seed.
        run: Function of the content and of an empty folder; raises what is no promise kept.
        ending: Ending of a finding's file.
    """

    name: str
    seeds: Callable[[], list[bytes]]
    mutate: Mutator
    run: Callable[[bytes, Path], None]
    ending: str

    def input(self, seed: int, index: int) -> bytes:
        """Returns an input: always the same for a seed and an index."""
        rng = random.Random(f"{seed}:{self.name}:{index}")
        contents = self.seeds()
        return self.mutate(rng.choice(contents), rng, contents)
