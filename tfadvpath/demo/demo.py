"""The demonstration: phantoms, their maps, and a page with measurements."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfadvpath.batch.outcomes import Failure, Success
from tfadvpath.batch.plan import SUMMARY, plan
from tfadvpath.batch.run import get_explainer, run_tasks
from tfadvpath.bundle.bundle import DEMONSTRATION, Bundle, load_bundle
from tfadvpath.bundle.manifest import library_versions
from tfadvpath.datasets.phantoms import write_brain_phantoms
from tfadvpath.datasets.phantoms.brain_slices import phantom_shape
from tfadvpath.demo.measure import Measurements, Patient, choose_seeds, measure, patient_of, slices_to_show
from tfadvpath.demo.page import write_demonstration, write_overview
from tfadvpath.errors import InputError
from tfadvpath.files import make_folder, write_json
from tfadvpath.path.integral import AUTO
from tfadvpath.recipes.data import PhantomBrain
from tfadvpath.recipes.stages import CLASSIFIER
from tfadvpath.training.loop import Listener
from tfadvpath.training.run import train as train_recipe
from tfadvpath.writers.formats import formats

PAGE = "report.html"


@dataclass(frozen=True, eq=False)
class DemoSummary:
    """What a demonstration leaves.

    Attributes:
        page: The page, one HTML file.
        measured: Measurements over all slices.
        seeds: Seeds of the phantoms.
        studies: Content of the study.json of every phantom.
    """

    page: Path
    measured: Measurements
    seeds: Sequence[int]
    studies: Sequence[Mapping[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Returns the content of summary.json."""
        measured = dataclasses.asdict(self.measured)
        return {"measured": measured, "seeds": list(self.seeds), "studies": list(self.studies)}


def run_demo(
    out: Path | str,
    *,
    train: bool = False,
    patients: int = 4,
    steps: int | str = AUTO,
    seed: int = 0,
    command: str | None = None,
    listener: Listener | None = None,
    on_progress: Callable[[str, float, float], None] = lambda title, done, total: None,
) -> DemoSummary:
    """Explains generated brain phantoms with known tumours, and measures how well the maps find them.

    Args:
        out: Folder that gets phantoms/, explanations/, overview.png and report.html.
        train: Whether the bundle is first trained anew, in bundle/.
        patients: Number of phantoms, drawn among those that training did not see.
        steps: Number of points of the path where the gradient is taken, or "auto": as many as each slice
            needs.
        seed: Seed of that draw.
        command: Command that the page names; None names this function.
        listener: Function that is told how far a training is.
        on_progress: Function that is called with a title, the amount that got done since, and the total.

    Raises:
        InputError: More phantoms are asked for than there are; ``out`` cannot be written to, or holds other
            files where results belong.
    """
    out = Path(out)
    make_folder(out)
    bundle = load_bundle(DEMONSTRATION)
    if train:
        stages = (CLASSIFIER, *bundle.generators)  # as shipped
        train_recipe(bundle.recipe, out / "bundle", stages, resume=True, listener=listener)
        bundle = load_bundle(out / "bundle")
    data = bundle.recipe.data
    if not isinstance(data, PhantomBrain):
        raise InputError(bundle.recipe.name, "is no bundle of brain phantoms", "Install tfadvpath anew")
    keras.utils.set_random_seed(seed)
    seeds = choose_seeds(data, bundle.recipe.seed, patients, seed)

    def counted() -> Any:
        for each in seeds:
            yield each
            on_progress("Generating", 1, len(seeds))

    write_brain_phantoms(out / "phantoms", counted(), phantom_shape(data.image_size))

    # As explain_studies(bundle, out / "phantoms" / "imagesTr", out / "explanations") does.
    explanations = out / "explanations"
    make_folder(explanations)
    volumes = [out / "phantoms" / "imagesTr" / f"BRATS_{i + 1:03d}.nii.gz" for i in range(patients)]
    tasks = plan(volumes, explanations).tasks
    explainer = get_explainer(bundle, "syce", steps=steps)
    explained, studies = [], []
    for outcome in run_tasks(
        explainer,
        tasks,
        bundle.image_size,
        explanations,
        explainer.map_names,
        list(formats()),
        data.channel,
        lambda done: on_progress("Explaining", done, len(tasks)),
    ):
        if isinstance(outcome, Failure):
            raise outcome.error
        # Without `resume` none is of an earlier run, and this process explains.
        assert isinstance(outcome, Success)
        assert outcome.result is not None
        labels = out / "phantoms" / "labelsTr" / outcome.task.source.name
        explained.append(patient_of(outcome.result, labels, data))
        studies.append(outcome.record)
    summary = DemoSummary(out / PAGE, measure(explained), seeds, studies)
    shown = slices_to_show(explained)
    about = _about(bundle, seed, seeds, command or "tfadvpath.run_demo(…)")
    about["Steps of the path"] = _said_of_steps(steps, explained)
    write_demonstration(summary.page, shown, summary.measured, about)
    write_overview(out / "overview.png", shown[:2])
    write_json(explanations / SUMMARY, summary.as_json())
    return summary


def _said_of_steps(steps: int | str, explained: Sequence[Patient]) -> str:
    if steps != AUTO:
        return str(steps)
    taken = [patient.explanation.steps for patient in explained if patient.explanation.steps is not None]
    counts = np.concatenate(taken)
    return f"as many as each slice needs: {counts.min()} to {counts.max()}, {counts.mean():.0f} in the mean"


def _about(bundle: Bundle, seed: int, seeds: Sequence[int], command: str) -> dict[str, str]:
    def listed(versions: Mapping[str, str]) -> str:
        return ", ".join(f"{name} {version}" for name, version in versions.items())

    return {
        "Command": command,
        "Seed": str(seed),
        "Phantoms": f"seeds {', '.join(map(str, seeds))}",
        "Bundle": f"{bundle.recipe.name}, trained with {listed(bundle.manifest['versions'])}",
        "Versions": listed(library_versions()),
    }
