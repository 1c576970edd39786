"""Runs: every study explained and written, the failures listed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfadvpath import explainers
from tfadvpath._version import __version__
from tfadvpath.batch.explain import explained
from tfadvpath.batch.plan import SUMMARY, Task, plan
from tfadvpath.batch.results import write_study
from tfadvpath.bundle.bundle import Bundle, load_bundle
from tfadvpath.errors import InputError
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import make_folder, write_json
from tfadvpath.writers.formats import formats


@dataclass(frozen=True)
class ExplainOptions:
    """Options of explaining and writing studies.

    Attributes:
        method: Name of the explainer.
        maps: Names of the maps to write; None is all of the method.
        formats: Names of the formats to write; None is all. One that does not apply to a study is passed
            over.
        channel: Index of the channel of 4-D NIfTI files; None is that of the bundle's training.
        steps: Number of points of the path where the gradient is taken; None is the method's default.
        batch_size: Images explained at once.
        seed: Seed of all random numbers.
    """

    method: str = "syce"
    maps: Sequence[str] | None = None
    formats: Sequence[str] | None = None
    channel: int | None = None
    steps: int | None = None
    batch_size: int = 16
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Success:
    """A study whose results are written.

    Attributes:
        task: The study, and the folder of its results.
        result: Study and explanation, with all maps.
        record: Content of its study.json.
    """

    task: Task
    result: StudyExplanation
    record: dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A study without results.

    Attributes:
        task: The study.
        error: Reason, with what to do about it.
    """

    task: Task
    error: InputError


@dataclass(frozen=True, eq=False)
class ExplainSummary:
    """Summary of a run: what became of every study.

    Attributes:
        bundle: Folder of the bundle; its name where it was given in memory.
        out: Folder of all results.
        method: Name of the explainer.
        steps: Number of points of the path; None where the method has no path.
        maps: Names of the maps that were written.
        studies: Content of the study.json of every explained study.
        failures: Studies without results.
        ignored: Files in folders that are no studies, with the reason.
        remarks: Sentences on series, each with one of its files.
    """

    bundle: str
    out: Path
    method: str
    steps: int | None
    maps: Sequence[str]
    studies: Sequence[dict[str, Any]]
    failures: Sequence[Failure]
    ignored: Sequence[tuple[Path, str]]
    remarks: Sequence[tuple[Path, str]]

    def as_json(self) -> dict[str, Any]:
        """Returns the content of summary.json."""
        return {
            "version": __version__,
            "bundle": self.bundle,
            "method": self.method,
            "steps": self.steps,
            "maps": list(self.maps),
            "out": str(self.out),
            "explained": len(self.studies),
            "failed": len(self.failures),
            "studies": list(self.studies),
            "errors": [
                {"source": str(failure.task.source), "message": str(failure.error)}
                for failure in self.failures
            ],
            "ignored": [{"source": str(path), "reason": reason} for path, reason in self.ignored],
            "remarks": [{"source": str(path), "remark": remark} for path, remark in self.remarks],
        }


def explain_studies(
    bundle: Bundle | Path | str,
    inputs: Path | str | Iterable[Path | str],
    out: Path | str,
    options: ExplainOptions | None = None,
    *,
    listener: Callable[[Success | Failure], None] | None = None,
    on_progress: Callable[[float, int], None] | None = None,
) -> ExplainSummary:
    """Explains the studies in files and folders and writes their results; a broken study stops no other.

    Every study gets a folder in ``out``, and ``out`` a summary.json. Files below ``out`` are not explained
    again.

    Args:
        bundle: Bundle, or its folder.
        inputs: DICOM, NIfTI, PNG or JPEG files, and folders of them. One-slice files of a DICOM series in one
            folder are one study.
        out: Folder of all results.
        options: Options of explaining and writing; None is the defaults.
        listener: Function that is told what became of each study, in their order.
        on_progress: Function that is called with the number of studies, or the part of one, that got done,
            and the number of all.

    Raises:
        InputError: Nothing can be explained: there is no study; the bundle has no such method, or the method
            no such map or option; ``out`` cannot be written to.
    """
    options = options or ExplainOptions()
    out = Path(out)
    given = [Path(one) for one in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    chosen_formats = _chosen("formats", options.formats, formats())
    planned = plan(given, out)
    if not planned.tasks:
        source = given[0] if given else "`inputs`"
        raise InputError(source, "holds no image that can be read", "Name image files or a folder of them")
    make_folder(out)
    named = bundle.recipe.name if isinstance(bundle, Bundle) else str(bundle)
    bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
    explainer = get_explainer(
        bundle, options.method, options.seed, steps=options.steps, batch_size=options.batch_size
    )
    chosen_maps = _chosen("maps", options.maps, explainer.map_names)
    channel = bundle.recipe.data.volume_channel if options.channel is None else options.channel
    keras.utils.set_random_seed(options.seed)
    tasks = planned.tasks
    studies, failures = [], []
    for outcome in run_tasks(
        explainer,
        tasks,
        bundle.image_size,
        out,
        chosen_maps,
        chosen_formats,
        channel,
        lambda done: on_progress(done, len(tasks)) if on_progress else None,
    ):
        if isinstance(outcome, Failure):
            failures.append(outcome)
        else:
            studies.append(outcome.record)
        if listener:
            listener(outcome)
    summary = ExplainSummary(
        bundle=named,
        out=out,
        method=options.method,
        steps=options.steps or explainers.options(options.method).get("steps"),
        maps=chosen_maps,
        studies=studies,
        failures=failures,
        ignored=planned.ignored,
        remarks=planned.remarks,
    )
    write_json(out / SUMMARY, summary.as_json())
    return summary


def run_tasks(
    explainer: Explainer,
    tasks: Sequence[Task],
    size: tuple[int, int],
    out: Path,
    map_names: Sequence[str],
    format_names: Collection[str],
    channel: int | None = None,
    on_progress: Callable[[float], None] = lambda studies: None,
) -> Iterator[Success | Failure]:
    """Explains every task's study and writes its results; a broken study does not stop the others.

    Args:
        explainer: Explainer of images of that size.
        tasks: Tasks of a plan.
        size: Height and width that the classifier takes.
        out: Folder of all results.
        map_names: Names of the maps to write.
        format_names: Names of the formats to write.
        channel: Index of the channel of 4-D NIfTI files.
        on_progress: Function that is called with the number of studies, or the part of one, that got done.

    Yields:
        What became of each task, in their order.
    """
    results = explained(explainer, [task.sources for task in tasks], size, channel, on_progress)
    for task, result in zip(tasks, results, strict=True):
        if isinstance(result, InputError):
            yield Failure(task, result)
            continue
        chosen = StudyExplanation(result.study, result.explanation.only(map_names))
        try:
            record = write_study(chosen, task, out, format_names)
        except InputError as error:
            yield Failure(task, error)
        else:
            yield Success(task, result, record)


def get_explainer(bundle: Bundle, method: str, seed: int = 0, **given: Any) -> Explainer:
    """Returns the explainer of that name.

    Args:
        bundle: Bundle that it explains with.
        method: Name of the explainer.
        seed: Seed for methods that draw random numbers.
        **given: Options of the explainer; one that is None keeps its default.

    Raises:
        InputError: There is none of that name, or it has no such option.
    """
    names = explainers.names(bundle)
    if method not in names:
        raise InputError(
            "`method`", f"{method!r} is no method of this bundle", f"Choose one of {', '.join(names)}"
        )
    known = explainers.options(method)
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in chosen:
        if name not in known:
            takers = [other for other in names if name in explainers.options(other)]
            others = f"it is of {', '.join(takers)}" if takers else "no method of this bundle has it"
            raise InputError(f"`{name}`", f"{method!r} has no such option, {others}", "Leave it out")
    if "seed" in known:
        chosen["seed"] = seed
    return explainers.get(method, bundle, **chosen)


def _chosen(parameter: str, names: Sequence[str] | None, known: Collection[str]) -> list[str]:
    """Returns the chosen names, each once; all where none are given."""
    if names is None:
        return list(known)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        received = f"{unknown[0]!r} is not known" if unknown else "nothing is named"
        raise InputError(f"`{parameter}`", received, f"Choose from {', '.join(known)}")
    return list(dict.fromkeys(names))
