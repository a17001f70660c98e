"""Comparison of propagation methods on labelled videos."""

from .clip_statistics import MetricSummary
from .compare_propagators import Comparison, compare_propagators

__all__ = ['Comparison', 'MetricSummary', 'compare_propagators']
