"""Plots of comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.visualization.plots import make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


Curve = Sequence[tuple[float, float, tuple[float, float] | None]]
"""(position, value, 95 % interval if there is one); NaN values are left out."""


def curves(panels: Mapping[str, Mapping[str, Curve]], position: str) -> Figure:
    """Plot metrics of several methods against a number, one panel below the other.

    A method has the same colour in all panels. Intervals are bars; methods are shifted a little, so
    that bars do not hide each other.

    Args:
        panels: Label of the vertical axis -> method -> curve of the method.
        position: Label of the horizontal axis.
    """
    figure, axes = make_figure(len(panels), width=8)
    methods = list(dict.fromkeys(method for panel in panels.values() for method in panel))
    for axis, (label, panel) in zip(axes, panels.items(), strict=True):
        for method, curve in panel.items():
            number = methods.index(method)
            shift = 0.06 * (number - (len(methods) - 1) / 2)
            known = [point for point in curve if not np.isnan(point[1])]
            places = [place + shift for place, _, _ in known]
            values = [value for _, value, _ in known]
            # Matplotlib's own colours, C0 to C9, cyclically.
            color = f'C{number % 10}'
            axis.plot(places, values, marker='o', markersize=3, color=color, label=method)
            bars = [interval or (value, value) for _, value, interval in known]
            axis.vlines(places, *np.reshape(bars, (-1, 2)).T, color=color, alpha=0.5)
        ticks = sorted({place for curve in panel.values() for place, _, _ in curve})
        axis.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
        axis.set_ylabel(label)
        axis.set_xlabel(position)
    axes[0].legend(fontsize='small', loc='upper left', bbox_to_anchor=(1, 1))
    return figure
