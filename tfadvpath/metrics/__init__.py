"""Metrics of maps, classifiers and generators, on arrays and callables only."""

from tfadvpath.metrics.area_over_curve import Aopc, aopc, aopc_from_curves, aopc_per_step
from tfadvpath.metrics.bootstrap import bootstrap_interval, bootstrap_values
from tfadvpath.metrics.chequer import chequer_ratio
from tfadvpath.metrics.classification import (
    auc,
    brier,
    expected_calibration_error,
    operating_threshold,
    reliability,
    sensitivity,
    specificity,
)
from tfadvpath.metrics.concentration import concentration
from tfadvpath.metrics.frechet import frechet_distance
from tfadvpath.metrics.localization import (
    average_precision,
    false_negative_rate,
    iou,
    most_important,
    pointing_game,
    random_false_negative_rate,
    random_iou,
    selected_share,
)
from tfadvpath.metrics.perturbation_curves import (
    BothCurves,
    most_and_least_curves,
    perturbation_curves,
    random_curves,
)
from tfadvpath.metrics.perturbations import PERTURBATIONS, inpaint, noise, perturbation
from tfadvpath.metrics.proximity import l1_distance, l2_distance, sparsity, undoing
from tfadvpath.metrics.randomization import rank_correlation, survives
from tfadvpath.metrics.relevance import FeatureRelevance, feature_relevance, relevance_from_curves
from tfadvpath.metrics.separability import held_out_auc, logistic_scores, patient_folds
from tfadvpath.metrics.sharpness import high_frequency_energy, structural_similarity
from tfadvpath.metrics.stability import MapSensitivity, map_sensitivities, map_sensitivity
from tfadvpath.metrics.transition import cout

__all__ = [
    "PERTURBATIONS",
    "Aopc",
    "BothCurves",
    "FeatureRelevance",
    "MapSensitivity",
    "aopc",
    "aopc_from_curves",
    "aopc_per_step",
    "auc",
    "average_precision",
    "bootstrap_interval",
    "bootstrap_values",
    "brier",
    "chequer_ratio",
    "concentration",
    "cout",
    "expected_calibration_error",
    "false_negative_rate",
    "feature_relevance",
    "frechet_distance",
    "held_out_auc",
    "high_frequency_energy",
    "inpaint",
    "iou",
    "l1_distance",
    "l2_distance",
    "logistic_scores",
    "map_sensitivities",
    "map_sensitivity",
    "most_and_least_curves",
    "most_important",
    "noise",
    "operating_threshold",
    "patient_folds",
    "perturbation",
    "perturbation_curves",
    "pointing_game",
    "random_curves",
    "random_false_negative_rate",
    "random_iou",
    "rank_correlation",
    "relevance_from_curves",
    "reliability",
    "selected_share",
    "sensitivity",
    "sparsity",
    "specificity",
    "structural_similarity",
    "survives",
    "undoing",
]
