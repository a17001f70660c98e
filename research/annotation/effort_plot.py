"""Plots of labelling effort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.visualization.plots import make_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Effort = Sequence[tuple[float, float]]
"""(labelled frames in per cent, PCK@0.1 in per cent), in the order in which they were labelled."""


def labelling_effort(panels: Mapping[str, Mapping[str, Effort]], target: float) -> Figure:
    """Plot PCK@0.1 against the share of labelled frames, one panel below the other.

    Args:
        panels: Measured poses -> way of choosing frames -> labelling effort.
        target: PCK@0.1 in per cent, drawn as a line.
    """
    figure, axes = make_figure(len(panels), width=8)
    for axis, (measured, curves) in zip(axes, panels.items(), strict=True):
        axis.axhline(target, color='grey', linestyle='--', linewidth=1)
        for name, effort in curves.items():
            share, pck = np.array(effort, dtype=np.float64).reshape(-1, 2).T
            axis.plot(share, pck, marker='o', markersize=3, label=name)
        axis.set_ylabel(f'PCK@0.1, {measured}')
        axis.set_xlabel('labelled frames, per cent')
    axes[0].legend(fontsize='small', loc='lower right')
    return figure
