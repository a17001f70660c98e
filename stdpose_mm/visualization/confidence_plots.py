"""Plots of the calibration of scores and of labelling effort, as PNG files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.evaluation.functional import Reliability

from .plots import FilePath, make_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Effort = Sequence[tuple[float, float]]
"""(labelled frames in per cent, PCK@0.1 in per cent), in the order in which they were labelled."""


def plot_reliability(results: Mapping[str, Reliability], path: FilePath) -> None:
    """Write :func:`reliability_curves` as a PNG file, atomically."""
    save_figure(reliability_curves(results), path)


def reliability_curves(results: Mapping[str, Reliability]) -> Figure:
    """Plot the share of correct joints against the score, one curve for each set of scores.

    Calibrated scores lie on the diagonal. Bars are 95 % intervals of a share (Wilson), as if the
    joints of a bin were independent of each other; those of one video are not, so that they are a
    lower bound.

    Args:
        results: Name of the scores, such as the method's -> their reliability.
    """
    figure, (axis,) = make_figure(1, width=5.5)
    figure.set_figheight(5)
    axis.plot([0, 1], [0, 1], color='grey', linestyle='--', linewidth=1)
    for name, result in results.items():
        low, high = _wilson(result.accuracies, result.counts)
        label = (
            f'{name}: calibration error {result.expected_calibration_error:.3f}, '
            f'Brier {result.brier:.3f}, AUROC {result.auroc:.3f}'
        )
        axis.errorbar(
            result.mean_scores,
            result.accuracies,
            yerr=(result.accuracies - low, high - result.accuracies),
            marker='o',
            markersize=3,
            linewidth=1.5,
            elinewidth=1,
            label=label,
        )
    axis.set_xlim(-0.02, 1.02)
    axis.set_ylim(-0.02, 1.02)
    axis.set_aspect('equal')
    axis.set_xlabel('mean score of a bin')
    axis.set_ylabel("share within a tenth of the pose's size")
    axis.legend(fontsize='x-small', loc='lower right')
    return figure


def plot_labelling_effort(
    panels: Mapping[str, Mapping[str, Effort]], target: float, path: FilePath
) -> None:
    """Write :func:`labelling_effort` as a PNG file, atomically."""
    save_figure(labelling_effort(panels, target), path)


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


def _wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the 95 % Wilson interval of a share of ``count`` draws; it holds the share itself."""
    z2 = 1.96**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = np.sqrt(z2 * share * (1 - share) / count + z2**2 / (4 * count**2)) / (1 + z2 / count)
    return np.minimum(centre - half, share), np.maximum(centre + half, share)
