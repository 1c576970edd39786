"""Explaining studies while a person watches: what ``explain`` and ``demo`` share."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfadvpath.cli.console import progress_bar, say
from tfadvpath.errors import InputError

if TYPE_CHECKING:
    from tfadvpath.batch.plan import Task
    from tfadvpath.batch.run import Failure, Success
    from tfadvpath.bundle import Bundle
    from tfadvpath.explainers.base import Explainer


def get_explainer(bundle: Bundle, method: str, seed: int = 0, **given: Any) -> Explainer:
    """Returns the explainer of that name.

    Args:
        bundle: What it explains with.
        method: Its name.
        seed: For methods that draw random numbers.
        **given: Options of the explainer that the person may give; None where they did not.

    Raises:
        InputError: There is none of that name, or it has no such option.
    """
    from tfadvpath import explainers  # imports TensorFlow, which --help need not wait for

    names = explainers.names(bundle)
    if method not in names:
        raise InputError(
            "--method", f"{method!r} is no method of this bundle", f"Choose one of {', '.join(names)}"
        )
    known = explainers.options(method)
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in chosen:
        if name not in known:
            takers = [other for other in names if name in explainers.options(other)]
            others = f"it is of {', '.join(takers)}" if takers else "no method of this bundle has it"
            raise InputError(
                f"--{name.replace('_', '-')}", f"{method!r} has no such option, {others}", "Leave it out"
            )
    if "seed" in known:
        chosen["seed"] = seed
    return explainers.get(method, bundle, **chosen)


def seed_everything(seed: int) -> None:
    """Seeds Python's, NumPy's and TensorFlow's random numbers."""
    import keras  # slow, as above

    keras.utils.set_random_seed(seed)


def explain_tasks(
    explainer: Explainer,
    tasks: Sequence[Task],
    size: tuple[int, int],
    out: Path,
    map_names: Sequence[str],
    formats: Collection[str],
    channel: int | None,
) -> Iterator[Success | Failure]:
    """Yields what ``run_tasks`` does, with a progress bar and a line for each failure."""
    from tfadvpath.batch.run import Failure, run_tasks  # slow, as above

    with progress_bar("Explaining", len(tasks)) as bar:
        for outcome in run_tasks(explainer, tasks, size, out, map_names, formats, channel, bar.advance):
            if isinstance(outcome, Failure):
                say(str(outcome.error))
            yield outcome


def make_folder(out: Path) -> None:
    """Makes the folder of all results.

    Raises:
        InputError: It cannot be made or written to.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(out, f"cannot be made ({error.strerror or error})", "Name another folder") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise InputError(out, "cannot be written to", "Name another folder or change its permissions")
