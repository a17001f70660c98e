"""Plots of studies, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from stdpose_mm.visualization.plots import make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def dots(
    panels: Mapping[str, Sequence[tuple[str, float, tuple[float, float]]]],
    marks: Mapping[str, Mapping[str, float]],
) -> Figure:
    """Plot metrics of several methods as dots with ranges, one panel below the other.

    Args:
        panels: Metric -> (method, value, lowest and highest value) of each row, from the top.
        marks: Metric -> method -> published value, marked by a line; also of methods without a dot.
    """
    metrics = list(dict.fromkeys([*panels, *(metric for metric in marks if marks[metric])]))
    figure, axes = make_figure(max(1, len(metrics)), width=8)
    for axis, metric in zip(axes, metrics, strict=False):
        panel, of_metric = panels.get(metric, ()), marks.get(metric, {})
        names = list(dict.fromkeys([*(name for name, _, _ in panel), *of_metric]))
        for name, value, interval in panel:
            axis.plot(value, names.index(name), 'o', color='tab:blue')
            axis.hlines(names.index(name), *interval, color='tab:blue')
        for number, (name, value) in enumerate(of_metric.items()):
            place = names.index(name)
            axis.vlines(
                value,
                place - 0.4,
                place + 0.4,
                color='tab:red',
                linestyle='--',
                label='' if number else 'published',
            )
        ends = [end for _, _, interval in panel for end in interval] + [*of_metric.values()]
        margin = 0.1 * (max(ends) - min(ends)) or 1.0
        axis.set_xlim(min(ends) - margin, max(ends) + margin)
        axis.set_yticks(range(len(names)), names, fontsize='small')
        axis.invert_yaxis()
        axis.set_xlabel(metric)
        if of_metric:
            axis.legend(fontsize='small')
    return figure
