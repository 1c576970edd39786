"""Path steps a second of this library, and of Captum, Xplique and PAIR's saliency with the same network.

    python benchmarks/attribution_speed.py [--images 1,8,32] [--repeats 5] [--size 224] [--steps 50]
    python benchmarks/attribution_speed.py --size 64 --images 1,2 --repeats 1        a trial

`make peers` makes the peers' environments, which --venv-captum, --venv-xplique and --venv-saliency name. The
processor computes, with all cores, unless --device is gpu. Each contestant is a process of its own; one works
at a time, and they alternate in an order that rotates by repetition.

ResNet50V2 has random weights, and moving statistics of random images. Every contestant first gives maps,
integrated gradients or those that follow from them, which must agree with those of a loop of TensorFlow by
the same rule of quadrature to a relative L1 distance of 1e-3. Maps in bfloat16 are described against those in
float32 instead. The points in one pass of a peer and of the loop are those of --batch that are fastest, tried
in processes that end before the timing; larger numbers of images than --tune-limit take the choice of the
largest below it. Captum shares them among the images, at least one each. This library has its default. Of
Captum's two ways to bfloat16 the faster at the smallest number of images is measured.

Each network runs as its library runs it: this one folds batch normalizations into convolutions, PyTorch
compiles nothing, Captum's weights are frozen and its images have channels last, and Xplique's data sets are
not tuned, since their end would wait for the thread that tunes. Ratios are of times in the same repetition.
"Times the better of Captum and Xplique" is of their float32, also for bfloat16; the ratio to Captum in
bfloat16 stands beside it. Four calls of a peer are four times the call for one map: Captum's gives fi_v1 as
well, no peer's gives fi_v2. A step that steps="auto" saves counts as done, so that the rates compare times of
a map. Memory is the largest resident set of the process during the calls. Other work on the cores slows some
contestants more than others: the load average is printed before each repetition, and after it the share of
the cores that went to other processes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import results

ROOT = Path(__file__).resolve().parents[1]
PEERS = ("captum", "xplique", "saliency")
OURS = ("float32", "bfloat16", "auto")
SEED = 0
# Relative L1 distance to the same rule's map by the loop.
_AGREEMENT = 1e-3
_AGREEING_IMAGES = 2
_CALIBRATION_IMAGES = 16
_TOP = 0.02
# Share of the cores that other processes may take before the tables say that they did.
_QUIET = 0.05
# Factor of what a residual block adds to its shortcut. With 1, the gradients of random weights are so rough
# that two computations of a map in float32 differ by up to 1e-2, and each from float64.
_BRANCH = 0.1


@dataclass(frozen=True)
class Contestant:
    """What is measured.

    Attributes:
        name: Name in the tables.
        script: Worker script in benchmarks/peers.
        kind: Its --kind.
        rule: Rule of quadrature by which its maps are checked.
        environment: Folder of its environment; None is that of this process.
        tuned: Whether the points in one pass are chosen among --batch.
        by_image: Whether it takes one image after the other, so that the choice suits any number.
        exact: Whether it computes in float32.
    """

    name: str
    script: str
    kind: str = "float32"
    rule: str = "midpoints"
    environment: Path | None = None
    tuned: bool = True
    by_image: bool = False
    exact: bool = True


class Row(NamedTuple):
    """A contestant, and how many calls one measurement of it has."""

    contestant: str
    calls: int


LOOP = Contestant("bare TensorFlow loop", "with_tensorflow.py", "loop", by_image=True)
MATRIX = Contestant("matrix product", "with_tensorflow.py", "matrix", tuned=False)
FLOAT32, ONE_MAP, BFLOAT16, AUTO = (
    Contestant(name, "with_tfadvpath.py", kind, tuned=False, exact=exact)
    for name, kind, exact in (
        ("tfadvpath", "float32", True),
        ("tfadvpath, one map", "one map", True),
        ("tfadvpath, bfloat16", "bfloat16", False),
        ("tfadvpath, bfloat16, steps auto", "bfloat16, steps auto", False),
    )
)
CAPTUM, XPLIQUE, SALIENCY = "Captum", "Xplique", "saliency"
CAPTUM_CAST, CAPTUM_AUTOCAST = "Captum, bfloat16", "Captum, autocast to bfloat16"


def contestants_of(given: argparse.Namespace) -> list[Contestant]:
    """Returns those that are asked for, with both of Captum's ways to bfloat16."""
    found = [FLOAT32, ONE_MAP, LOOP]
    found += [one for name, one in (("bfloat16", BFLOAT16), ("auto", AUTO)) if name in given.ours]
    if "captum" in given.peers:
        captum = Contestant(CAPTUM, "with_captum.py", environment=given.venv_captum)
        found += [
            captum,
            replace(captum, name=CAPTUM_CAST, kind="bfloat16", exact=False),
            replace(captum, name=CAPTUM_AUTOCAST, kind="autocast", exact=False),
        ]
    if "xplique" in given.peers:
        xplique = Contestant(XPLIQUE, "with_xplique.py", environment=given.venv_xplique)
        found.append(replace(xplique, rule="trapezoids from black"))
    if "saliency" in given.peers:
        saliency = Contestant(SALIENCY, "with_saliency.py", environment=given.venv_saliency)
        found.append(replace(saliency, rule="mean with both ends", by_image=True))
    return found


class Worker:
    """The process of a contestant, ready to be asked.

    Args:
        contestant: What it measures.
        folder: Folder with the network and the pairs; its error output goes there.
        steps: Points of a path.
        gpu: Whether it sees the GPUs.
    """

    def __init__(self, contestant: Contestant, folder: Path, steps: int, gpu: bool = False):
        self.contestant = contestant
        self.errors = folder / f"{contestant.name}.txt"
        place = contestant.environment
        python = sys.executable if place is None else place / "bin" / "python"
        script = ROOT / "benchmarks" / "peers" / contestant.script
        command = [python, script, "--kind", contestant.kind, "--folder", folder, "--steps", str(steps)]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"}
        # On a GPU several processes of TensorFlow live at once, and each would take all of its memory.
        # Products of float32 stay products of float32 on a GPU; TensorFlow and PyTorch would round to TF32.
        environment |= (
            {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "NVIDIA_TF32_OVERRIDE": "0"}
            if gpu
            else {"CUDA_VISIBLE_DEVICES": "-1"}
        )
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        self.versions: dict[str, str] = self._answer()["versions"]

    def ask(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Returns the answer to one request.

        Raises:
            SystemExit: The worker failed.
        """
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # the answer says why
            print(json.dumps({"operation": operation, **arguments}), file=self.process.stdin, flush=True)
        return self._answer()

    def maps(self, images: int, points: int | None, rule: str) -> dict[str, np.ndarray]:
        """Returns the maps of the first pairs by name, float32 [images, H, W, 1]."""
        answer = self.ask("maps", images=images, points=points, rule=rule)
        with np.load(answer["file"]) as arrays:
            return dict(arrays)

    def close(self) -> None:
        """Ends the process."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"its process ended with {self.process.wait()}"}
        if "error" in answer:
            tail = "\n".join(self.errors.read_text(encoding="utf-8").splitlines()[-12:])
            raise SystemExit(f"{tail}\n{self.contestant.name}: {answer['error']}")
        return answer


def prepare(folder: Path, size: int, images: int) -> float:
    """Writes the network and the pairs; returns the floating-point operations of one step of a path."""
    import keras

    from tfadvpath.models import resnet50_classifier

    keras.utils.set_random_seed(SEED)
    rng = np.random.default_rng(SEED)
    start, adversary = random_pairs(rng, images, size)
    model = resnet50_classifier((size, size, 1), weights=None)
    normalizations = [one for one in model.layers if isinstance(one, keras.layers.BatchNormalization)]
    momentum = [one.momentum for one in normalizations]
    for layer in model.layers:
        for weight in layer.weights:
            if weight.name == "gamma":
                weight.assign(rng.uniform(0.8, 1.2, weight.shape))
            elif weight.name in ("beta", "bias"):
                weight.assign(0.1 * rng.normal(size=weight.shape))
            elif layer.name.endswith("_3_conv"):
                weight.assign(_BRANCH * weight)
    # Statistics of real activations: with the initial ones, gradients would vanish or explode.
    for one in normalizations:
        one.momentum = 0.0
    calibration = np.concatenate(random_pairs(rng, _CALIBRATION_IMAGES // 2, size))
    model(calibration, training=True)
    for one, before in zip(normalizations, momentum, strict=True):
        one.momentum = before
    # Answers to both sides, spread as a trained classifier's.
    last = model.layers[-1]
    logits_of = keras.Model(model.input, last.input)
    ends = np.concatenate([start[:_CALIBRATION_IMAGES], adversary[:_CALIBRATION_IMAGES]])
    logits = logits_of.predict(ends, batch_size=8, verbose=0) @ np.asarray(last.kernel)
    gain = 2 / logits.std()
    last.kernel.assign(gain * last.kernel)
    last.bias.assign([-gain * np.median(logits)])

    model.save(folder / "model.keras")
    arrays = {
        f"{layer.name}/{weight.name}": np.asarray(weight)
        for layer in model.layers
        for weight in layer.weights
    }
    np.savez(folder / "weights.npz", **arrays)
    np.savez(folder / "pairs.npz", start=start, adversary=adversary)
    return 2 * forward_operations(model)


def random_pairs(rng: np.random.Generator, images: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns cloudy images, and each with a spot and a slight change of its clouds; float32 in [0, 1]."""

    def clouds() -> np.ndarray:
        grids = rng.normal(size=(images, 8, 8))
        frequencies = np.fft.rfft2(grids, norm="forward")
        wide = np.zeros((images, size, size // 2 + 1), complex)
        wide[:, :4, :4], wide[:, -3:, :4] = frequencies[:, :4, :4], frequencies[:, -3:, :4]
        return np.fft.irfft2(wide, s=(size, size), norm="forward")

    start = 0.5 + 0.15 * clouds() + 0.03 * rng.normal(size=(images, size, size))
    rows, columns = np.mgrid[:size, :size] / size
    middle = rng.uniform(0.25, 0.75, (2, images, 1, 1))
    spot = np.exp(-((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2) / (2 * 0.08**2))
    adversary = start + 0.4 * spot + 0.03 * clouds()
    start, adversary = (np.clip(one, 0, 1).astype(np.float32)[..., np.newaxis] for one in (start, adversary))
    return start, adversary


def forward_operations(model: Any) -> float:
    """Returns the operations of an image's forward pass in convolutions and dense layers: twice the products.

    The gradient for the image takes as many again, because every layer is differentiated for its input alone.
    """
    products = 0
    for layer in model.layers:
        kernel = next((weight for weight in layer.weights if weight.name == "kernel"), None)
        if kernel is not None:
            products += np.prod(kernel.shape) * np.prod(layer.output.shape[1:-1], dtype=int)
    return 2.0 * float(products)


class Choice(NamedTuple):
    """The points in one pass that were the fastest, by number of images, and all that was tried.

    Attributes:
        points: Points by number of images.
        seconds: Seconds of a call by number of images and points.
    """

    points: dict[int, int]
    seconds: dict[int, dict[int, float]]


def tuned(worker: Worker, given: argparse.Namespace) -> Choice:
    """Tries the candidates."""
    counts = [images for images in given.images if images <= max(given.tune_limit, min(given.images))]
    if worker.contestant.by_image:
        counts = counts[:1]
    choice = Choice({}, {})
    for images in counts:
        seconds = {}
        for points in given.batch:
            request = {"images": images, "points": points, "calls": 1}
            worker.ask("time", **request)
            seconds[points] = min(worker.ask("time", **request)["seconds"] for _ in range(given.tune_calls))
        choice.seconds[images] = seconds
        choice.points[images] = min(seconds, key=seconds.__getitem__)
        said = ", ".join(f"{points} in a pass {value:.2f} s" for points, value in seconds.items())
        print(f"{worker.contestant.name}, {counted(images)}: {said}", flush=True)
    for images in given.images:
        choice.points.setdefault(images, choice.points[max(choice.points)])
    return choice


def relative_distance(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the largest over images of Σ |found - expected| / Σ |expected|."""
    axes = tuple(range(1, found.ndim))
    return float((np.abs(found - expected).sum(axes) / np.abs(expected).sum(axes)).max())


def compare_maps(
    contestant: Contestant, found: dict[str, np.ndarray], reference: dict[str, np.ndarray]
) -> dict[str, float]:
    """Compares a contestant's maps with the loop's by the same rule.

    Returns:
        In float32 the relative L1 distances by map; in bfloat16 the means over images of the rank correlation
        with float32 and of the intersection over union of the top 2 %.

    Raises:
        SystemExit: A contestant in float32 does not agree.
    """
    compared = {name: (values, reference[name]) for name, values in found.items() if name in reference}
    if contestant.exact:
        distances = {name: relative_distance(*pair) for name, pair in compared.items()}
        said = ", ".join(f"{name} {value:.1e}" for name, value in distances.items())
        print(f"{contestant.name}: relative L1 distance by {contestant.rule}: {said}", flush=True)
        # So written that NaN fails.
        if not all(value <= _AGREEMENT for value in distances.values()):
            raise SystemExit(f"{contestant.name}: its maps are further than {_AGREEMENT:g} from the loop's")
        return distances
    resemblance = {}
    for name, (approximate, precise) in compared.items():
        if name != "integrated_gradients":  # it has a sign, and tops of maps have none
            pairs = list(zip(approximate, precise, strict=True))
            resemblance[f"{name} rank correlation"] = _mean(rank_correlation, pairs)
            resemblance[f"{name} IoU of top 2 %"] = _mean(top_overlap, pairs)
    said = ", ".join(f"{name} {value:.3f}" for name, value in resemblance.items())
    print(f"{contestant.name}: against float32: {said}", flush=True)
    return resemblance


def check_and_tune(
    contestants: list[Contestant], folder: Path, given: argparse.Namespace
) -> tuple[dict[str, dict[str, float]], dict[str, Choice]]:
    """Compares the maps of every contestant, and tunes it; one process lives at a time.

    Returns:
        What ``compare_maps`` found, by contestant, and the choices of those that are tuned.
    """
    images = min(_AGREEING_IMAGES, max(given.images))
    references, agreement, choices = {}, {}, {}
    with contextlib.closing(Worker(LOOP, folder, given.steps, given.gpu)) as loop:
        for rule in dict.fromkeys(one.rule for one in contestants):
            references[rule] = loop.maps(images, given.batch[-1], rule)
    # All agree before anything is timed.
    for one in contestants:
        with contextlib.closing(Worker(one, folder, given.steps, given.gpu)) as worker:
            if one != LOOP:
                found = worker.maps(images, given.batch[-1] if one.tuned else None, one.rule)
                agreement[one.name] = compare_maps(one, found, references[one.rule])
    for one in contestants:
        if one.tuned:
            with contextlib.closing(Worker(one, folder, given.steps, given.gpu)) as worker:
                choices[one.name] = tuned(worker, given)
    return agreement, choices


def _mean(measure_of: Callable[[np.ndarray, np.ndarray], float], pairs: Any) -> float:
    return statistics.fmean(measure_of(*pair) for pair in pairs)


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Returns Spearman's correlation over the pixels of two maps without ties."""
    ranks = [np.argsort(np.argsort(values.ravel())) for values in (one, other)]
    return float(np.corrcoef(ranks)[0, 1])


def top_overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the intersection over union of the 2 % largest pixels of two maps."""
    count = max(1, round(_TOP * one.size))
    here, there = (set(np.argsort(values.ravel())[-count:].tolist()) for values in (one, other))
    return len(here & there) / len(here | there)


class BusyCores:
    """The time of the cores from now on.

    Args:
        own: Processes of this benchmark besides the present one.
    """

    def __init__(self, own: list[int]):
        self.own = [os.getpid(), *own]
        self.before = self._ticks()

    def others(self) -> float:
        """Returns the share of the cores' time since then that went to other processes."""
        passed, busy, own = (now - then for now, then in zip(self._ticks(), self.before, strict=True))
        return max(0.0, (busy - own) / max(1, passed))

    def _ticks(self) -> tuple[int, int, int]:
        first = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
        user, nice, system, idle, waiting, *rest = (int(part) for part in first.split()[1:9])
        busy = user + nice + system + sum(rest)  # interrupts, and what the host took
        own = 0
        for pid in self.own:
            after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            own += int(after_name[11]) + int(after_name[12])
        return busy + idle + waiting, busy, own


def measure(
    workers: dict[str, Worker], choices: dict[str, Choice], given: argparse.Namespace
) -> tuple[list[dict[str, Any]], dict[str, list[float]], list[dict[str, Any]]]:
    """Returns a measurement of every row, the rates of the matrix product, and how busy the machine was."""
    names = [name for name in workers if name != MATRIX.name]
    peers = [name for name in names if name in (CAPTUM, XPLIQUE, SALIENCY)]
    measured: list[dict[str, Any]] = []
    rates: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    loads: list[dict[str, Any]] = []
    for images in given.images:
        rows = [Row(name, 1) for name in names]
        if images in given.four_images:
            rows += [Row(name, 4) for name in peers]
        answers: dict[Row, list[dict[str, Any]]] = {row: [] for row in rows}

        def ask(row: Row, images: int = images) -> dict[str, Any]:
            points = choices[row.contestant].points[images] if row.contestant in choices else None
            return workers[row.contestant].ask("time", images=images, points=points, calls=row.calls)

        for row in rows:
            if row.calls == 1:
                ask(row)
        for repetition in range(given.repeats):
            load = list(os.getloadavg())
            said = ", ".join(f"{value:.2f}" for value in load)
            print(
                f"{counted(images)}, repetition {repetition + 1} of {given.repeats}: load average {said}",
                flush=True,
            )
            busy = BusyCores([worker.process.pid for worker in workers.values()])
            found = workers[MATRIX.name].ask("time", images=0, points=None, calls=1)
            for dtype, values in rates.items():
                values.append(found[dtype])
            first = repetition % len(rows)
            for row in rows[first:] + rows[:first]:
                answers[row].append(ask(row))
            others = busy.others()
            print(f"Other processes took {100 * others:.1f} % of the cores", flush=True)
            loads.append({"images": images, "load_average": load, "share_of_others": others})
        for row, given_answers in answers.items():
            measured.append(
                {
                    "name": row.contestant,
                    "images": images,
                    "calls": row.calls,
                    "points_in_a_pass": choices[row.contestant].points[images]
                    if row.contestant in choices
                    else None,
                    "seconds": [one["seconds"] for one in given_answers],
                    "steps_taken": given_answers[-1]["steps_taken"],
                    "peak_mib": round(max(one["peak_mib"] for one in given_answers)),
                }
            )
    return measured, rates, loads


def add_ratios(
    measured: list[dict[str, Any]], matrix: dict[str, list[float]], operations: float, steps: int
) -> None:
    """Adds rates, ratios by repetition, and the share of the matrix product's rate to the measurements.

    Args:
        measured: Rows, which get them.
        matrix: Rates of the matrix product by type, in the order in which the repetitions were measured.
        operations: Floating-point operations of one step of a path.
        steps: Steps of a path.
    """
    order = list(dict.fromkeys(one["images"] for one in measured))
    by_row = {(one["name"], one["images"], one["calls"]): one["seconds"] for one in measured}
    for one in measured:
        images, calls, seconds = one["images"], one["calls"], one["seconds"]
        one["path_steps_per_second"] = spread(images * steps * calls / value for value in seconds)
        peers = [by_row[key] for name in (CAPTUM, XPLIQUE) if (key := (name, images, calls)) in by_row]
        if peers:
            better = [min(pair) for pair in zip(*peers, strict=True)]
            one["to_better_peer"] = spread(b / s for b, s in zip(better, seconds, strict=True))
        if calls == 1:
            pairs = zip(by_row[LOOP.name, images, 1], seconds, strict=True)
            one["to_loop"] = spread(there / here for there, here in pairs)
        if calls == 4:
            pairs = zip(seconds, by_row[FLOAT32.name, images, 1], strict=True)
            one["to_four_maps"] = spread(there / here for there, here in pairs)
        if one["name"] == FLOAT32.name:
            pairs = zip(seconds, by_row[ONE_MAP.name, images, 1], strict=True)
            one["to_one_map"] = spread(four / single for four, single in pairs)
        ways = ((name, images, calls) for name in (CAPTUM_CAST, CAPTUM_AUTOCAST))
        half = next((by_row[way] for way in ways if way in by_row), None)
        if half and "bfloat16" in one["name"]:
            pairs = zip(half, seconds, strict=True)
            one["to_captum_in_bfloat16"] = spread(there / here for there, here in pairs)
        dtype = "bfloat16" if "bfloat16" in one["name"] else "float32"
        first = order.index(images) * len(seconds)
        rates = zip(matrix[dtype][first : first + len(seconds)], seconds, strict=True)
        done = images * one["steps_taken"] * calls * operations / 1e9
        one["share_of_matrix_rate"] = spread(done / taken / rate for rate, taken in rates)


def spread(values: Iterable[float]) -> dict[str, float]:
    """Returns median, least and greatest."""
    found = list(values)
    return {"median": statistics.median(found), "min": min(found), "max": max(found)}


def goals(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns what the library promises itself, what was measured, and whether it is met."""
    found = []
    by_name = {(one["name"], one["images"]): one for one in measured if one["calls"] == 1}

    def goal(name: str, images: int, key: str, least: float, sign: int = 1) -> None:
        one = by_name.get((name, images), {})
        if key in one:
            value = one[key]["median"]
            met = sign * value >= sign * least
            found.append(
                {
                    "name": name,
                    "images": images,
                    "figure": key,
                    "at least" if sign > 0 else "at most": least,
                    "measured": value,
                    "met": met,
                }
            )

    for images in sorted({one["images"] for one in measured}):
        if images <= 8:
            goal(FLOAT32.name, images, "to_better_peer", 1.25)
        goal(FLOAT32.name, images, "to_loop", 1.0)
        goal(BFLOAT16.name, images, "to_better_peer", 2.8)
        goal(BFLOAT16.name, images, "share_of_matrix_rate", 0.4)
        goal(AUTO.name, images, "to_better_peer", 7.0)
        goal(FLOAT32.name, images, "to_one_map", 1.05, -1)
    return found


def markdown(figures: dict[str, Any]) -> str:
    """Returns the tables of one map and of four, the goals, and a warning where the machine was not quiet."""
    measured = figures["measured"]
    single = [
        [
            one["name"],
            one["images"],
            _spread_said(one["path_steps_per_second"], ".1f"),
            _spread_said(one.get("to_better_peer"), ".2f"),
            _spread_said(one.get("to_captum_in_bfloat16"), ".2f"),
            _spread_said(one["to_loop"], ".2f"),
            _spread_said(one["share_of_matrix_rate"], ".2f"),
            f"{one['steps_taken']:.3g}",
            one["peak_mib"],
        ]
        for one in measured
        if one["calls"] == 1
    ]
    four = [
        [
            one["name"],
            f"{one['calls']} calls" if one["calls"] > 1 else "1 call",
            one["images"],
            _spread_said(spread(one["seconds"]), ".2f"),
            _spread_said(one.get("to_one_map"), ".2f"),
            _spread_said(one.get("to_four_maps"), ".2f"),
        ]
        for one in measured
        if one["calls"] == 4 or one["name"] == FLOAT32.name
    ]
    matrix = ", ".join(f"{name} {rate:.0f}" for name, rate in figures["matrix_gflops"].items())
    parts = [
        _table(
            [
                "contestant",
                "images",
                "path steps a second",
                "times the better of Captum and Xplique",
                "times Captum in bfloat16",
                "times the loop",
                "share of the matrix rate",
                "steps",
                "peak MiB",
            ],
            single,
        ),
        _table(["four maps", "by", "images", "seconds", "times one map", "times tfadvpath's call"], four),
        f"Matrix product, GFLOP/s: {matrix}. A step has {figures['gflop_of_a_step']:.2f} GFLOP.",
        "\n".join(
            f"- {one['name']}, {counted(one['images'])}: {one['figure']} {one['measured']:.3f}, "
            + (f"at least {one['at least']:g}" if "at least" in one else f"at most {one['at most']:g}")
            + (", met" if one["met"] else ", **missed**")
            for one in figures["goals"]
        ),
    ]
    others = max(one["share_of_others"] for one in figures["machine_by_repetition"])
    if others > _QUIET:
        parts.append(f"**Other processes took up to {100 * others:.0f} % of the cores: measure again.**")
    return "\n\n".join(parts)


def _spread_said(values: dict[str, float] | None, form: str) -> str:
    if values is None:
        return "–"
    return f"{values['median']:{form}} [{values['min']:{form}}, {values['max']:{form}}]"


def _table(heads: list[str], rows: list[list[Any]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def counted(images: int) -> str:
    return f"{images} image" if images == 1 else f"{images} images"


def names(allowed: tuple[str, ...]) -> Any:
    """Returns the reader of an option whose value is some of these names, separated by commas."""

    def read(text: str) -> list[str]:
        chosen = [part for part in text.split(",") if part]
        if unknown := sorted(set(chosen) - set(allowed)):
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose among {', '.join(allowed)}")
        return chosen

    return read


def numbers(text: str) -> list[int]:
    return sorted({int(part) for part in text.split(",")})


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=numbers, default=[1, 8, 32])
    parser.add_argument("--four-images", type=numbers, default=[1, 8], help="of --images: four calls, too")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--batch", type=numbers, default=[5, 10, 25, 50], help="divisors of --steps")
    parser.add_argument("--tune-limit", type=int, default=8, help="most images with a choice of their own")
    parser.add_argument("--tune-calls", type=int, default=2)
    parser.add_argument("--peers", type=names(PEERS), default=list(PEERS))
    parser.add_argument("--ours", type=names(OURS), default=list(OURS), help="float32 is always measured")
    for peer in PEERS:
        parser.add_argument(f"--venv-{peer}", type=Path, default=ROOT / f".venv-peers-{peer}")
    parser.add_argument("--name", default="attribution_speed", help="of the file of results")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    given = parser.parse_args()
    given.gpu = given.device == "gpu"
    if unfit := [points for points in given.batch if points < 1 or given.steps % points]:
        parser.error(f"--batch must be divisors of --steps, which is {given.steps}. Received: {unfit}")
    for peer in given.peers:
        place = getattr(given, f"venv_{peer}")
        if not (place / "bin" / "python").exists():
            parser.error(
                f"{place}: no environment. Make it with `make peers`, or leave {peer} out of --peers"
            )
    return given


@contextlib.contextmanager
def working(
    contestants: list[Contestant], folder: Path, given: argparse.Namespace
) -> Iterator[dict[str, Worker]]:
    """Starts a process for each, one after the other, and ends all."""
    with contextlib.ExitStack() as stack:
        yield {
            one.name: stack.enter_context(contextlib.closing(Worker(one, folder, given.steps, given.gpu)))
            for one in contestants
        }


def main() -> None:
    given = options()
    contestants = contestants_of(given)
    with tempfile.TemporaryDirectory(prefix="attribution_speed_") as temporary:
        folder = Path(temporary)
        # In a process of its own, so that TensorFlow's memory is free again.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            operations = pool.submit(prepare, folder, given.size, max(given.images)).result()
        agreement, choices = check_and_tune(contestants, folder, given)
        least = {
            name: min(choices[name].seconds[given.images[0]].values())
            for name in (CAPTUM_CAST, CAPTUM_AUTOCAST)
            if name in choices
        }
        slower = max(least, key=least.__getitem__, default="")
        contestants = [one for one in contestants if one.name != slower]
        with working([*contestants, MATRIX], folder, given) as workers:
            measured, rates, loads = measure(workers, choices, given)
            versions = {name: worker.versions for name, worker in workers.items()}
    matrix = {dtype: statistics.median(values) for dtype, values in rates.items()}
    add_ratios(measured, rates, operations, given.steps)
    figures = {
        "size": given.size,
        "steps": given.steps,
        "repeats": given.repeats,
        "versions": versions,
        "rules": {one.name: one.rule for one in contestants},
        "tuning_seconds": {name: choice.seconds for name, choice in choices.items()},
        "agreement": agreement,
        "gflop_of_a_step": operations / 1e9,
        "matrix_gflops": matrix,
        "matrix_gflops_by_repetition": rates,
        "machine_by_repetition": loads,
        "measured": measured,
        "goals": goals(measured),
    }
    results.write(given.name, figures)
    print(markdown(figures))


if __name__ == "__main__":
    main()
