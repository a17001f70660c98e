"""Comparison of propagation methods on labelled videos."""

from .clip_statistics import MetricSummary
from .compare_propagators import Comparison, compare_propagators
from .difficulty import Difficulty, measure_difficulty, report_difficulty
from .motion import mean_motion

__all__ = [
    'Comparison',
    'Difficulty',
    'MetricSummary',
    'compare_propagators',
    'mean_motion',
    'measure_difficulty',
    'report_difficulty',
]
