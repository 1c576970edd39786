"""Fuzzing one target by the code that its inputs reach, with atheris: ``run.py --guided`` starts it.

atheris (libFuzzer for Python) comes with the extra `fuzz`, on Linux alone. It keeps what reaches new lines
of tfadvpath, and changes that further, by the target's own mutator.
"""

from __future__ import annotations

import importlib
import random
import shutil
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz import harness

_MODULES = ("studies.study", "studies.masks", "datasets.csv_tables", "datasets.splits", "recipes.recipe")
_MODULES += ("saved_model.manifest", "serving.rest_client", "batch.reading", "batch.outcomes")
# Where an input of 64 KiB is a large one, so that thousands are tried.
_LONGEST = 2**16


def main(name: str, seconds: str, seed: str, out: str, scratch_folder: str) -> None:
    import atheris

    # Imported while it is instrumented, before an input is tried.
    with atheris.instrument_imports(include=["tfadvpath"]):
        (target,) = harness.targets([name])
        for module in _MODULES:
            importlib.import_module(f"tfadvpath.{module}")
        importlib.import_module("tfadvpath.studies.registry").readers()
    scratch = Path(scratch_folder)
    contents = target.seeds()
    corpus = scratch / "corpus"
    corpus.mkdir()
    for number, content in enumerate(contents):
        (corpus / str(number)).write_bytes(content)

    def try_one(data: bytes) -> None:
        folder = scratch / "input"
        folder.mkdir()
        try:
            target.run(data, folder)
        finally:
            shutil.rmtree(folder)

    def mutate(data: bytes, max_size: int, number: int) -> bytes:
        try:
            changed = target.mutate(data, random.Random(number), contents)
        except Exception:  # what was kept may be no file of the format any more
            changed = atheris.Mutate(data, max_size)
        return changed[:max_size]

    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={out}/{name}-guided-"]
    options += [f"-timeout={harness.TIME_LIMIT:g}", "-rss_limit_mb=1500", f"-max_len={_LONGEST}"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], try_one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
