"""What maps, classifiers and generators are measured by. Arrays and callables only."""

from tfadvpath.metrics.bootstrap import bootstrap_interval, bootstrap_values
from tfadvpath.metrics.classification import (
    auc,
    brier,
    expected_calibration_error,
    reliability,
    sensitivity,
    specificity,
)
from tfadvpath.metrics.frechet import frechet_distance
from tfadvpath.metrics.localization import false_negative_rate, iou, most_important, selected_share

__all__ = [
    "auc",
    "bootstrap_interval",
    "bootstrap_values",
    "brier",
    "expected_calibration_error",
    "false_negative_rate",
    "frechet_distance",
    "iou",
    "most_important",
    "reliability",
    "selected_share",
    "sensitivity",
    "specificity",
]
