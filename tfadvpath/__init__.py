"""Where in a medical image a classifier's decision comes from, and how much each pixel matters to it."""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tfadvpath._version import __version__ as __version__

if TYPE_CHECKING:
    from tfadvpath import explainers, generators, metrics, models, serving
    from tfadvpath.batch.merge import MergeSummary, merge_ledgers
    from tfadvpath.batch.outcomes import ExplainSummary
    from tfadvpath.batch.run import ExplainOptions, explain_studies
    from tfadvpath.bundle.bundle import DEMONSTRATION, Bundle, load_bundle
    from tfadvpath.demo.demo import DemoSummary, run_demo
    from tfadvpath.doctor.check import check_installation
    from tfadvpath.doctor.installation import Installation
    from tfadvpath.errors import InputError
    from tfadvpath.evaluation.agreement import Agreement, measure_agreement
    from tfadvpath.evaluation.evaluate import evaluate
    from tfadvpath.evaluation.options import EvaluationOptions
    from tfadvpath.evaluation.summary import Summary
    from tfadvpath.explanation import Explanation, PathExplanation, StudyExplanation
    from tfadvpath.fitting.explain import explain
    from tfadvpath.fitting.fit import FittedExplainer, fit
    from tfadvpath.fitting.report import FitReport
    from tfadvpath.pacs.outcomes import SendSummary
    from tfadvpath.pacs.send import send_results
    from tfadvpath.path.gaussian import gaussian_filter
    from tfadvpath.path.importance import PathImportance, feature_importance
    from tfadvpath.path.path_integral import path_integral
    from tfadvpath.path.paths import LinearPath, ManifoldPath
    from tfadvpath.recipes.prepare import PrepareSummary, prepare
    from tfadvpath.recipes.recipe import Recipe, load_recipe
    from tfadvpath.saved_model.check import CheckSummary, check_saved_model
    from tfadvpath.saved_model.export import export_saved_model
    from tfadvpath.studies.study import Study, read_study
    from tfadvpath.training.cross_validation import CrossValidation, cross_validate
    from tfadvpath.training.run import TrainedBundle, train
    from tfadvpath.viewer_server.view import view

# The module of every public name.
_HOMES = {
    "DEMONSTRATION": "bundle.bundle",
    "Agreement": "evaluation.agreement",
    "Bundle": "bundle.bundle",
    "CheckSummary": "saved_model.check",
    "CrossValidation": "training.cross_validation",
    "DemoSummary": "demo.demo",
    "EvaluationOptions": "evaluation.options",
    "ExplainOptions": "batch.run",
    "ExplainSummary": "batch.outcomes",
    "Explanation": "explanation",
    "FitReport": "fitting.report",
    "FittedExplainer": "fitting.fit",
    "InputError": "errors",
    "Installation": "doctor.installation",
    "LinearPath": "path.paths",
    "ManifoldPath": "path.paths",
    "MergeSummary": "batch.merge",
    "PathExplanation": "explanation",
    "PathImportance": "path.importance",
    "PrepareSummary": "recipes.prepare",
    "Recipe": "recipes.recipe",
    "SendSummary": "pacs.outcomes",
    "Study": "studies.study",
    "StudyExplanation": "explanation",
    "Summary": "evaluation.summary",
    "TrainedBundle": "training.run",
    "check_installation": "doctor.check",
    "check_saved_model": "saved_model.check",
    "cross_validate": "training.cross_validation",
    "evaluate": "evaluation.evaluate",
    "explain": "fitting.explain",
    "explain_studies": "batch.run",
    "export_saved_model": "saved_model.export",
    "feature_importance": "path.importance",
    "fit": "fitting.fit",
    "gaussian_filter": "path.gaussian",
    "load_bundle": "bundle.bundle",
    "load_recipe": "recipes.recipe",
    "measure_agreement": "evaluation.agreement",
    "merge_ledgers": "batch.merge",
    "path_integral": "path.path_integral",
    "prepare": "recipes.prepare",
    "read_study": "studies.study",
    "run_demo": "demo.demo",
    "send_results": "pacs.send",
    "train": "training.run",
    "view": "viewer_server.view",
}

__all__ = [
    "DEMONSTRATION",
    "Agreement",
    "Bundle",
    "CheckSummary",
    "CrossValidation",
    "DemoSummary",
    "EvaluationOptions",
    "ExplainOptions",
    "ExplainSummary",
    "Explanation",
    "FitReport",
    "FittedExplainer",
    "InputError",
    "Installation",
    "LinearPath",
    "ManifoldPath",
    "MergeSummary",
    "PathExplanation",
    "PathImportance",
    "PrepareSummary",
    "Recipe",
    "SendSummary",
    "Study",
    "StudyExplanation",
    "Summary",
    "TrainedBundle",
    "check_installation",
    "check_saved_model",
    "cross_validate",
    "evaluate",
    "explain",
    "explain_studies",
    "explainers",
    "export_saved_model",
    "feature_importance",
    "fit",
    "gaussian_filter",
    "generators",
    "load_bundle",
    "load_recipe",
    "measure_agreement",
    "merge_ledgers",
    "metrics",
    "models",
    "path_integral",
    "prepare",
    "read_study",
    "run_demo",
    "send_results",
    "serving",
    "train",
    "view",
]


def __getattr__(name: str) -> Any:
    # On first use: the readers need no TensorFlow, the command line answers --help without waiting for it
    # and sets its log level before, and who explains a model of their own needs no bundle.
    if name in _HOMES:
        value = getattr(importlib.import_module(f"tfadvpath.{_HOMES[name]}"), name)
    elif name in __all__:
        value = importlib.import_module(f"tfadvpath.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _ClassesOfSavedNetworks(importlib.abc.MetaPathFinder):
    """Registers the classes that saved networks name as soon as Keras is imported, and not before.

    So a network of a bundle loads by ``keras.saving.load_model``, whichever of both was imported first, and
    ``import tfadvpath`` waits for no TensorFlow.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        loader = None if spec is None else spec.loader
        if loader is not None:
            execute = loader.exec_module

            def and_register(module: ModuleType) -> None:
                sys.meta_path.remove(self)  # not before: who only looks for Keras does not import it
                execute(module)
                importlib.import_module("tfadvpath.models")

            loader.exec_module = and_register  # type: ignore[method-assign]
        return spec


def _register_saved_networks() -> None:
    if "keras" in sys.modules:
        importlib.import_module("tfadvpath.models")
    else:
        sys.meta_path.insert(0, _ClassesOfSavedNetworks())


_register_saved_networks()
