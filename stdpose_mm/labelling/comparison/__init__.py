"""Comparison of propagation methods on labelled videos."""

from .compare_propagators import Comparison, MetricSummary, compare_propagators, comparison_csv

__all__ = ['Comparison', 'MetricSummary', 'compare_propagators', 'comparison_csv']
