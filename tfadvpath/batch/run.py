"""Runs: every study explained and written, the failures listed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import keras
import tensorflow as tf

from tfadvpath import explainers
from tfadvpath._version import __version__
from tfadvpath.batch.explain import explained
from tfadvpath.batch.graph_optimization import OptimizedOnce
from tfadvpath.batch.job import Job
from tfadvpath.batch.ledger import Ledger
from tfadvpath.batch.options import ExplainOptions, check_engine
from tfadvpath.batch.outcomes import ExplainSummary, Outcome, Outcomes, Run, Success
from tfadvpath.batch.parts import folder_of_part, holds_parts
from tfadvpath.batch.plan import LEDGER_TABLE, SUMMARY, Task, plan
from tfadvpath.batch.reading import Earlier, read_again, read_headers, read_studies
from tfadvpath.batch.recording import WriteResults, note_earlier, note_failure
from tfadvpath.batch.signals import signals_held
from tfadvpath.batch.writing import Done, Result, Writing, usual_processes
from tfadvpath.bundle.bundle import Bundle, load_bundle
from tfadvpath.bundle.method import chosen_method
from tfadvpath.bundle.pair_verdict import pair_verdict
from tfadvpath.errors import ERROR_LOG, InputError
from tfadvpath.explainers.base import Explainer
from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import make_folder, only_writer, remove_partials, write_json
from tfadvpath.path.compilation import use_xla
from tfadvpath.path.importance import INTEGRATED
from tfadvpath.path.integral import AUTO
from tfadvpath.path.precision import chosen_precision
from tfadvpath.studies.reader_process import ReaderProcess
from tfadvpath.studies.study import Study
from tfadvpath.writers.formats import formats

# Batches of images that may be held: one is written while the next one is explained, and one has room for a
# study that takes longer.
_BATCHES_HELD = 2
_OF_A_CONTROL = (
    "The classifier was trained on shuffled labels. It is a control, and the maps say nothing of a patient."
)


class Engine(Protocol):
    """The process, or the processes, that read, explain and write the studies of a run.

    Attributes:
        job: Job that is done on each study.
    """

    job: Job

    def outcomes(
        self, tasks: Sequence[Task], out: Path, ledger: Ledger, on_progress: Callable[[float], None]
    ) -> Outcomes:
        """Explains every task's study and writes its results; a broken study does not stop the others.

        Args:
            tasks: Tasks of a plan.
            out: Folder of all results.
            ledger: Ledger that gets a row of each study, before that is yielded.
            on_progress: Function that is called with the number of studies, or the part of one, that got
                done.

        Yields:
            What became of each task.
        """


def explain_studies(
    bundle: Bundle | Path | str,
    inputs: Path | str | Iterable[Path | str],
    out: Path | str,
    options: ExplainOptions | None = None,
    *,
    listener: Callable[[Outcome], None] | None = None,
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
        listener: Function that is told what became of each study, in their order; where several processes
            explain, in the order in which they got done.
        on_progress: Function that is called with the number of studies, or the part of one, that got done,
            and the number of all.

    Raises:
        InputError: Nothing can be explained: there is no study; the bundle has no such method, or the method
            no such map or option; what a format or the engine needs is not installed; ``out`` cannot be
            written to, another run writes there, or it holds results that were made in another way; the
            cluster cannot be reached, or its processes do not start.
    """
    options = options or ExplainOptions()
    check_engine(options)
    whole = Path(out)
    out = folder_of_part(whole, options.part_id, options.num_parts)
    if out == whole and holds_parts(whole):
        raise InputError(whole, "holds the parts of a job array", "Name another folder in `out`")
    given = [Path(one) for one in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
    _chosen_formats(options.formats)  # said before anything is read
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
        tasks = planned.tasks
        with _engine(bundle, options, out, reader) as engine, only_writer(out):
            job = engine.job
            ledger = Ledger(out, job.made_with, options.resume)
            remove_partials(out)
            for name in (SUMMARY, LEDGER_TABLE, ERROR_LOG):  # of an earlier run
                (out / name).unlink(missing_ok=True)
            ledger.start()
            run = Run(
                planned,
                ledger.rows,
                named,
                out,
                job.made_with["method"],
                job.made_with["steps"],
                job.maps,
                job.pair,
            )
            try:
                outcomes = engine.outcomes(
                    tasks,
                    out,
                    ledger,
                    lambda done: on_progress(done, len(tasks)) if on_progress else None,
                )
                # What is done when a signal comes is in the ledger before the run says how far it got.
                with closing(outcomes):
                    for outcome in outcomes:
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


@contextmanager
def _engine(
    bundle: Bundle | Path | str, options: ExplainOptions, out: Path, reader: ReaderProcess
) -> Iterator[Engine]:
    if options.engine == "local":
        yield _Local(*prepared(bundle, options), reader, options)
        return
    if isinstance(bundle, Bundle):
        raise InputError(
            "`bundle`", "is in the memory of this process, which no other one can load", "Name its folder"
        )
    from tfadvpath.batch.on_ray.cluster import cluster

    reader.close()  # the cluster has its own
    with cluster(options.ray_address):
        # Importing it imports Ray, which needs an extra and reads the environment that was set meanwhile.
        from tfadvpath.batch.on_ray.engine import ray_engine

        with ray_engine(functools.partial(prepared, bundle, options), options, out) as engine:
            yield engine


class _Local:
    """Engine of this process.

    Args:
        explainer: Explainer of the job's images.
        job: Job to do.
        reader: Process that reads the studies ahead.
        options: Options of the run.
    """

    def __init__(self, explainer: Explainer, job: Job, reader: ReaderProcess, options: ExplainOptions):
        self.job = job
        self._explainer, self._reader, self._resume = explainer, reader, options.resume
        self._writers = usual_processes() if options.workers is None else options.workers

    def outcomes(
        self, tasks: Sequence[Task], out: Path, ledger: Ledger, on_progress: Callable[[float], None]
    ) -> Outcomes:
        return run_tasks(
            self._explainer,
            tasks,
            self.job.size,
            out,
            self.job.maps,
            self.job.formats,
            self.job.channel,
            on_progress,
            reader=self._reader,
            made_with=self.job.made_with,
            resume=self._resume,
            ledger=ledger,
            writers=self._writers,
            remarks=self.job.pair,
        )


def prepared(bundle: Bundle | Path | str, options: ExplainOptions) -> tuple[Explainer, Job]:
    """Returns the explainer of a run, and its job, in a process that explains.

    Args:
        bundle: Bundle, or its folder.
        options: Options of explaining and writing.

    Raises:
        InputError: The bundle cannot be loaded; it has no such method, or the method no such map or option;
            what a format needs is not installed.
    """
    folder = None if isinstance(bundle, Bundle) else bundle
    options = dataclasses.replace(options, method=chosen_method(bundle, options.method))
    if not isinstance(bundle, Bundle):
        bundle = load_bundle(bundle, _generators_of(options.method))
    get = functools.partial(
        get_explainer,
        method=options.method,
        seed=options.seed,
        steps=options.steps,
        tolerance=options.tolerance,
        tolerance_map=_tolerance_map(options),
        precision=options.precision,
        sigma=options.sigma,
        kernel_size=options.kernel_size,
        path=options.path,
        batch_size=options.batch_size,
    )
    try:
        explainer = get(bundle)
    except InputError:
        if folder is None:
            raise
        explainer = get(load_bundle(folder))  # its error names the methods of all generators
    lengths = _lengths(explainer, bundle.image_size)
    maps = _chosen("maps", options.maps, explainer.map_names)
    formats = _chosen_formats(options.formats)
    channel = bundle.recipe.data.volume_channel if options.channel is None else options.channel
    keras.utils.set_random_seed(options.seed)
    made_with = {
        "tfadvpath": __version__,
        "bundle": bundle.digest,
        "method": options.method,
        "steps": options.steps or explainers.options(options.method).get("steps"),
        "tolerance": _tolerance(options),
        "precision": _precision(options, bundle),
        "path": options.path or explainers.options(options.method).get("path"),
        "lengths": lengths,
        "maps": maps,
        "formats": formats,
        "channel": channel,
        "seed": options.seed,
    }
    pair = _about_pair(bundle, options.method)
    return explainer, Job(bundle.image_size, channel, explainer.batch_size, maps, formats, made_with, pair)


def _tolerance(options: ExplainOptions) -> float | None:
    """Returns the error at which an image has steps enough; None where their number is fixed."""
    if options.steps != AUTO:
        if options.tolerance is not None:
            raise InputError("`tolerance`", f"is of `steps` {AUTO!r} alone", "Leave it out")
        return None
    return options.tolerance or explainers.options(options.method).get("tolerance")


def _precision(options: ExplainOptions, bundle: Bundle) -> str | None:
    """Returns the type that gradients are computed in; None where the method has no choice."""
    precision = options.precision or explainers.options(options.method).get("precision")
    return chosen_precision(precision, bundle.classifier) if precision == AUTO else precision


def _tolerance_map(options: ExplainOptions) -> str | None:
    """Returns the first map asked for whose error depends on the steps; None is the method's own choice."""
    if options.steps != AUTO or options.method not in explainers.names():
        return None
    if "tolerance_map" not in explainers.options(options.method):
        return None
    return next((name for name in options.maps or () if name in INTEGRATED), None)


def _generators_of(method: str) -> tuple[str, ...] | None:
    """Returns the generators that a method needs; None, for all, where there is no such method."""
    if method not in explainers.names():
        return None
    generator = explainers.generator_of(method)
    return () if generator is None else (generator,)


def _lengths(explainer: Explainer, size: tuple[int, int]) -> dict[str, float]:
    """Returns the explainer's lengths in pixels of the classifier's images."""
    try:
        return explainer.lengths(*size)
    except ValueError as error:
        problem = f"do not fit these images: {error}".rstrip(".")
        raise InputError("`sigma`, `kernel_size`", problem, "Leave them out for the paper's") from error


def _about_pair(bundle: Bundle, method: str) -> tuple[str, ...]:
    """Returns what the measured quality of a method's pairs means for its maps, and if they mean nothing."""
    generator = explainers.generator_of(method)
    figures = (bundle.figures.get("test") or {}).get(generator or "")
    control = (_OF_A_CONTROL,) if bundle.recipe.classifier.shuffle_labels else ()
    return control + (pair_verdict(figures).sentences if figures else ())


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
    writers: int = 0,
    remarks: Sequence[str] = (),
) -> Outcomes:
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
        writers: Number of processes that draw and write while more studies are explained; 0 does it in this
            one.
        remarks: Sentences on all maps of the bundle, for the formats that show them.

    Yields:
        What became of each task, in their order.
    """
    studies = read_studies(
        tasks,
        size,
        channel,
        out,
        reader=reader,
        made_with=(made_with or {}) if resume else None,
        images=explainer.batch_size,
    )

    def again(earlier: Earlier) -> Study | None:
        return read_again(earlier, size, channel, reader)

    def note(task: Task, result: Result, done: Done) -> Outcome:
        if isinstance(done, Earlier):
            return note_earlier(task, done, out, ledger)
        if isinstance(done, InputError):
            return note_failure(task, done, out, made_with or {}, ledger)
        record, row = done
        if ledger is not None:
            ledger.append(row)
        return Success(task, result if isinstance(result, StudyExplanation) else None, record)

    write = WriteResults(out, list(map_names), list(format_names), made_with or {}, list(remarks))
    # A study alone has nothing that could be explained meanwhile.
    writers = min(writers, len(tasks) - 1)
    with Writing(write, note, writers, _BATCHES_HELD * explainer.batch_size) as writing:
        results = explained(explainer, studies, on_progress, again)
        for task in tasks:
            try:
                result, seconds = next(results)
            except Exception:  # it ends the run; what was explained before is written
                yield from writing.rest()
                raise
            yield from writing.add(task, result, seconds)
        yield from writing.rest()


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
    try:
        explainer = explainers.get(method, bundle, **chosen)
    except InputError:
        raise
    except ValueError as error:
        problem = f"{method!r} cannot explain so: {error}".rstrip(".")
        raise InputError("`method`", problem, "Choose other options") from error
    if isinstance(explainer.run_batch, tf.types.experimental.PolymorphicFunction) and not use_xla("auto"):
        explainer.run_batch = OptimizedOnce(explainer.run_batch)
    return explainer


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
