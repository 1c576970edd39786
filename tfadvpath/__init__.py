"""Where in a medical image a classifier's decision comes from, and how much each pixel matters to it."""

import importlib
from typing import TYPE_CHECKING, Any

from tfadvpath._version import __version__ as __version__

if TYPE_CHECKING:
    from tfadvpath import explainers, generators, metrics, models, serving
    from tfadvpath.batch.merge import MergeSummary, merge_ledgers
    from tfadvpath.batch.outcomes import ExplainSummary
    from tfadvpath.batch.run import ExplainOptions, explain_studies
    from tfadvpath.bundle.bundle import DEMONSTRATION, Bundle, load_bundle
    from tfadvpath.demo.demo import DemoSummary, run_demo
    from tfadvpath.errors import InputError
    from tfadvpath.evaluation.agreement import Agreement, measure_agreement
    from tfadvpath.evaluation.evaluate import evaluate
    from tfadvpath.evaluation.options import EvaluationOptions
    from tfadvpath.evaluation.summary import Summary
    from tfadvpath.explanation import Explanation, PathExplanation, StudyExplanation
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
    "InputError": "errors",
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
    "check_saved_model": "saved_model.check",
    "cross_validate": "training.cross_validation",
    "evaluate": "evaluation.evaluate",
    "explain_studies": "batch.run",
    "export_saved_model": "saved_model.export",
    "feature_importance": "path.importance",
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
    "InputError",
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
    "check_saved_model",
    "cross_validate",
    "evaluate",
    "explain_studies",
    "explainers",
    "export_saved_model",
    "feature_importance",
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
