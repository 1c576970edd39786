"""Runs: every study explained and written, the failures listed."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from tfadvpath import explainers
from tfadvpath._version import __version__
from tfadvpath.batch.explain import explained
from tfadvpath.batch.ledger import Ledger, record_of, row_of_failure, row_of_results
from tfadvpath.batch.outcomes import ExplainSummary, Failure, Resumed, Run, Success
from tfadvpath.batch.parts import folder_of_part, holds_parts
from tfadvpath.batch.plan import LEDGER_TABLE, SUMMARY, Task, plan
from tfadvpath.batch.reading import Earlier, read_again, read_headers, read_studies
from tfadvpath.batch.results import write_study
from tfadvpath.batch.signals import signals_held
from tfadvpath.bundle.bundle import Bundle, load_bundle
from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.errors import ERROR_LOG, InputError, UnforeseenError
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import json_text, make_folder, only_writer, remove_partials, write_json
from tfadvpath.studies.limits import MEMORY_LIMIT, TIME_LIMIT
from tfadvpath.studies.reader_process import ReaderProcess
from tfadvpath.studies.study import Study
from tfadvpath.writers.formats import formats


@dataclass(frozen=True)
class ExplainOptions:
    """Options of explaining and writing studies.

    Attributes:
        method: Name of the explainer.
        maps: Names of the maps to write; None is all of the method.
        formats: Names of the formats to write; None is all but those that are written on request, as DICOM
            is. One that does not apply to a study is passed over.
        channel: Index of the channel of 4-D NIfTI files; None is that of the bundle's training.
        steps: Number of points of the path where the gradient is taken; None is the method's default.
        sigma: Standard deviation, in pixels of the classifier's images, of the kernel that smooths a map;
            None is the paper's 2 pixels of 224, in proportion to the image's side.
        kernel_size: Number of taps per axis of that kernel; None is twice 7 σ, 28 at 224 pixels.
        path: Path from start to adversary, "straight" or "manifold"; None is the method's default.
        batch_size: Images explained at once.
        seed: Seed of all random numbers.
        resume: Whether results of an earlier run that were made in the same way, from the same files, are
            kept, and these studies not explained again. Where the ledger says that results were made in
            another way, the run is refused. False explains every study anew.
        num_parts: Number of runs that share the studies, such as the tasks of a job array; each writes into a
            folder of its own in that of all results.
        part_id: Number of this run among them, from 0.
        memory_limit: Bytes of memory that reading one study may take.
        time_limit: Seconds that a study of up to 10 MB may take to be read; a larger one as many times more.
    """

    method: str = "syce"
    maps: Sequence[str] | None = None
    formats: Sequence[str] | None = None
    channel: int | None = None
    steps: int | None = None
    sigma: float | None = None
    kernel_size: int | None = None
    path: str | None = None
    batch_size: int = 16
    seed: int = 0
    resume: bool = True
    num_parts: int = 1
    part_id: int = 0
    memory_limit: int = MEMORY_LIMIT
    time_limit: float = TIME_LIMIT


def explain_studies(
    bundle: Bundle | Path | str,
    inputs: Path | str | Iterable[Path | str],
    out: Path | str,
    options: ExplainOptions | None = None,
    *,
    listener: Callable[[Success | Resumed | Failure], None] | None = None,
    on_progress: Callable[[float, int], None] | None = None,
) -> ExplainSummary:
    """Explains the studies in files and folders and writes their results; a broken study stops no other.

    Every study gets a folder in ``out``, and a row in ``out``/ledger.jsonl as soon as its results are there.
    At the end, also where the run is interrupted, the same is written as ledger.parquet and as summary.json.
    A signal of the keyboard, or SIGTERM, waits until the study that is being written is in the ledger. Files
    are read in a process of their own: one that takes too much memory or time, or ends that process, is a
    study that failed. Files below ``out``, and folders of other results, are not explained again.

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
            no such map or option; what a format needs is not installed; ``out`` cannot be written to, another
            run writes there, or it holds results that were made in another way.
    """
    options = options or ExplainOptions()
    whole = Path(out)
    out = folder_of_part(whole, options.part_id, options.num_parts)
    if out == whole and holds_parts(whole):
        raise InputError(whole, "holds the parts of a job array", "Name another folder in `out`")
    given = [Path(one) for one in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    chosen_formats = _chosen_formats(options.formats)
    with ReaderProcess(options.memory_limit, options.time_limit) as reader:
        planned = plan(given, whole, functools.partial(read_headers, reader))
        if not planned.tasks:
            source = given[0] if given else "`inputs`"
            raise InputError(
                source, "holds no image that can be read", "Name image files or a folder of them"
            )
        planned = planned.part(options.part_id, options.num_parts)
        make_folder(out)
        named = bundle.recipe.name if isinstance(bundle, Bundle) else str(bundle)
        bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
        explainer = get_explainer(
            bundle,
            options.method,
            options.seed,
            steps=options.steps,
            sigma=options.sigma,
            kernel_size=options.kernel_size,
            path=options.path,
            batch_size=options.batch_size,
        )
        lengths = _lengths(explainer, bundle.image_size)
        chosen_maps = _chosen("maps", options.maps, explainer.map_names)
        channel = bundle.recipe.data.volume_channel if options.channel is None else options.channel
        steps = options.steps or explainers.options(options.method).get("steps")
        made_with = {
            "tfadvpath": __version__,
            "bundle": bundle.digest,
            "method": options.method,
            "steps": steps,
            "path": options.path or explainers.options(options.method).get("path"),
            "lengths": lengths,
            "maps": chosen_maps,
            "formats": chosen_formats,
            "channel": channel,
            "seed": options.seed,
        }
        keras.utils.set_random_seed(options.seed)
        tasks = planned.tasks
        with only_writer(out):
            ledger = Ledger(out, made_with, options.resume)
            remove_partials(out)
            for name in (SUMMARY, LEDGER_TABLE, ERROR_LOG):  # of an earlier run
                (out / name).unlink(missing_ok=True)
            ledger.start()
            run = Run(
                planned,
                ledger.rows,
                named,
                out,
                options.method,
                steps,
                chosen_maps,
                _about_pair(bundle, options.method),
            )
            try:
                for outcome in run_tasks(
                    explainer,
                    tasks,
                    bundle.image_size,
                    out,
                    chosen_maps,
                    chosen_formats,
                    channel,
                    lambda done: on_progress(done, len(tasks)) if on_progress else None,
                    reader=reader,
                    made_with=made_with,
                    resume=options.resume,
                    ledger=ledger,
                ):
                    run.note(outcome)
                    if listener:
                        listener(outcome)
            except KeyboardInterrupt as interrupt:
                interrupt.args = (run.how_far(),)
                raise
            finally:
                with signals_held():
                    summary = run.summary()
                    _write_summary(summary)
                    ledger.finish(run.names)
    return summary


def _lengths(explainer: Explainer, size: tuple[int, int]) -> dict[str, float]:
    """Returns the explainer's lengths in pixels of the classifier's images."""
    try:
        return explainer.lengths(*size)
    except ValueError as error:
        problem = f"do not fit these images: {error}".rstrip(".")
        raise InputError("`sigma`, `kernel_size`", problem, "Leave them out for the paper's") from error


def _about_pair(bundle: Bundle, method: str) -> tuple[str, ...]:
    """Returns what the measured quality of a method's pairs means for its maps."""
    generator = explainers.generator_of(method)
    figures = (bundle.figures.get("test") or {}).get(generator or "")
    return pair_verdict(figures).sentences if figures else ()


def _write_summary(summary: ExplainSummary) -> None:
    path = summary.out / SUMMARY
    try:
        write_json(path, summary.as_json())
    except OSError as error:
        raise InputError(
            path, f"cannot be written ({error.strerror or error})", "Make room and go on with `resume`"
        ) from error


def run_tasks(
    explainer: Explainer,
    tasks: Sequence[Task],
    size: tuple[int, int],
    out: Path,
    map_names: Sequence[str],
    format_names: Collection[str],
    channel: int | None = None,
    on_progress: Callable[[float], None] = lambda studies: None,
    *,
    reader: ReaderProcess | None = None,
    made_with: Mapping[str, Any] | None = None,
    resume: bool = False,
    ledger: Ledger | None = None,
) -> Iterator[Success | Resumed | Failure]:
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
        reader: Process that reads the studies ahead; None reads them in this one.
        made_with: All that the results depend on besides the studies' files; it goes into each study.json.
        resume: Whether results that were made with the same, from the same files, are kept.
        ledger: Ledger that gets a row of each study, before that is yielded.

    Yields:
        What became of each task, in their order.
    """
    studies = read_studies(
        tasks, size, channel, out, reader=reader, made_with=(made_with or {}) if resume else None
    )

    def again(earlier: Earlier) -> Study | None:
        return read_again(earlier, size, channel, reader)

    for task, (result, seconds) in zip(tasks, explained(explainer, studies, on_progress, again), strict=True):
        # A signal ends the run between two studies, or while images are explained: nothing is half then.
        with signals_held():
            outcome: Success | Resumed | Failure
            if isinstance(result, StudyExplanation):
                outcome = _written(
                    result, task, out, map_names, format_names, made_with or {}, seconds, ledger
                )
            elif isinstance(result, Earlier):
                outcome = Resumed(task, result.record)
                if ledger is not None:
                    _keep(ledger, result, out / task.name)
            else:
                outcome = _failed(task, result, out)
            if isinstance(outcome, Failure) and ledger is not None:
                ledger.append(row_of_failure(task, outcome.error, made_with or {}))
        yield outcome


def _written(
    result: StudyExplanation,
    task: Task,
    out: Path,
    map_names: Sequence[str],
    format_names: Collection[str],
    made_with: Mapping[str, Any],
    seconds: float,
    ledger: Ledger | None,
) -> Success | Failure:
    started = time.monotonic()
    chosen = StudyExplanation(result.study, result.explanation.only(map_names))
    try:
        record = write_study(chosen, task, out, format_names, made_with)
    except InputError as error:
        return _failed(task, error, out)
    if ledger is not None:
        seconds += time.monotonic() - started
        ledger.append(row_of_results(record, out / task.name, seconds))
    return Success(task, result, record)


def _keep(ledger: Ledger, earlier: Earlier, folder: Path) -> None:
    """Adds a study of an earlier run whose row is missing: its process ended before that was written."""
    record = json.loads(json_text(earlier.record))
    row = ledger.rows.get(record["folder"])
    if row is None or record_of(row) != record:
        ledger.append(row_of_results(record, folder, None))


def _failed(task: Task, error: InputError, out: Path) -> Failure:
    return Failure(task, error.logged(out / ERROR_LOG) if isinstance(error, UnforeseenError) else error)


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


def _chosen_formats(names: Sequence[str] | None) -> list[str]:
    """Returns the formats to write; where none are named, all that need not be asked for."""
    known = formats()
    if names is None:
        return [name for name, form in known.items() if not form.on_request]
    chosen = _chosen("formats", names, known)
    for name in chosen:
        known[name].check_installed()
    return chosen


def _chosen(parameter: str, names: Sequence[str] | None, known: Collection[str]) -> list[str]:
    """Returns the chosen names, each once; all where none are given."""
    if names is None:
        return list(known)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        received = f"{unknown[0]!r} is not known" if unknown else "nothing is named"
        raise InputError(f"`{parameter}`", received, f"Choose from {', '.join(known)}")
    return list(dict.fromkeys(names))
