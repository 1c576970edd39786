"""What maps and classifiers are measured by. Arrays and callables only."""

from tfadvpath.metrics.classification import auc, sensitivity, specificity
from tfadvpath.metrics.localization import false_negative_rate, iou, most_important, selected_share

__all__ = [
    "auc",
    "false_negative_rate",
    "iou",
    "most_important",
    "selected_share",
    "sensitivity",
    "specificity",
]
