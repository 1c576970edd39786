"""Options of a run."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from tfadvpath.errors import InputError
from tfadvpath.studies.limits import MEMORY_LIMIT, TIME_LIMIT

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class ExplainOptions:
    """Options of explaining and writing studies.

    Attributes:
        method: Name of the explainer; "auto" is "syce" of a bundle that has it, else another generator's, see
            ``bundle.method``.
        maps: Names of the maps to write; None is all of the method.
        formats: Names of the formats to write; None is all but those that are written on request, as DICOM
            is. One that does not apply to a study is passed over.
        channel: Index of the channel of 4-D NIfTI files; None is that of the bundle's training.
        steps: Number of points of the path where the gradient is taken, or "auto": as many as each image
            needs; None is the method's default.
        tolerance: Relative L1 error of the first of ``maps`` at which an image has steps enough, with
            ``steps="auto"``; None is the method's default.
        precision: Floating-point type in which the classifier's gradients are computed: "float32",
            "bfloat16", or "auto" for bfloat16 where it is faster; None is the method's default.
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
        engine: Engine that explains: "local" is this process, "ray" the processes of a Ray cluster, on one
            machine or several.
        workers: Number of processes. Of the engine "local" they draw and write while this process explains;
            0 draws and writes in this one, None leaves it one of the cores and is 4 at most. Of the engine
            "ray" they explain; None is one for each GPU of the cluster, or for each machine where there are
            none.
        ray_address: Address of a running cluster, such as "auto" on one of its machines; None is what the
            environment variable RAY_ADDRESS says, or else a cluster of this machine that lasts as long as
            the run.
    """

    method: str = "auto"
    maps: Sequence[str] | None = None
    formats: Sequence[str] | None = None
    channel: int | None = None
    steps: int | str | None = None
    tolerance: float | None = None
    precision: str | None = None
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
    engine: str = "local"
    workers: int | None = None
    ray_address: str | None = None


def check_engine(options: ExplainOptions) -> None:
    """Refuses options of another engine than the chosen one.

    Raises:
        InputError: There is no such engine, it is not installed, or it has no such option.
    """
    if options.engine not in ENGINES:
        raise InputError(
            "`engine`", f"{options.engine!r} is not known", f"Choose one of {', '.join(ENGINES)}"
        )
    least = 1 if options.engine == "ray" else 0
    if options.workers is not None and options.workers < least:
        raise InputError("`workers`", f"{options.workers} is no number of processes", f"Give {least} or more")
    if options.engine == "ray" and importlib.util.find_spec("ray") is None:
        raise InputError("ray", "is not installed", "Run: pip install 'tfadvpath[ray]'")
    if options.engine == "local" and options.ray_address is not None:
        raise InputError("`ray_address`", "is of the engine ray alone", "Leave it out")
