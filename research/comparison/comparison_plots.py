"""Plots of comparisons at several intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from research.plots import Curve, curves
from stdpose_mm.labelling.comparison.compare_propagators import WITH_INTERVAL, title_of
from stdpose_mm.visualization import save_figure

from .clip_statistics import CLIP_MOTION, DISTANCES, SeedSummary
from .seed_comparison import SeedComparison

INTERVAL_AXIS = 'T: every T-th frame is labelled'

LEAST_SHARE = 0.01
"""Share of the joints below which a distance is not plotted, as only joints that are missing in
given frames have it."""


def plot_comparisons(comparisons: Sequence[SeedComparison], out_dir: Path) -> list[Path]:
    """Plot PCK@0.1 and the error of the unlabelled frames, with 95 % intervals.

    Args:
        comparisons: Comparisons of the same methods and videos, one for each T.
        out_dir: Folder of ``by_interval.png`` and, where the comparisons have breakdowns,
            ``by_interval_<group>.png`` for fast and slow videos and ``by_distance.png`` (for
            each T that leaves more than one distance to the nearest label).

    Returns:
        Paths of the files.
    """
    groups = {'by_interval.png': [c.unlabelled for c in comparisons]}
    for position, name in enumerate(('fast', 'slow')):
        chosen = [
            list(c.breakdowns[CLIP_MOTION].values())[position] for c in comparisons if c.breakdowns
        ]
        if any(row.num_joints for rows in chosen for row in rows.values()):
            groups[f'by_interval_{name}.png'] = chosen
    written = []
    for file, rows in groups.items():
        panels: dict[str, dict[str, Curve]] = {
            title_of(metric): {
                method: [
                    _point(comparison.interval, row[method], metric)
                    for comparison, row in zip(comparisons, rows, strict=True)
                ]
                for method in comparisons[0].unlabelled
            }
            for metric in WITH_INTERVAL
        }
        save_figure(curves(panels, INTERVAL_AXIS), out_dir / file)
        written.append(out_dir / file)
    panels = {f'error %, T = {c.interval}': _by_distance(c) for c in comparisons if c.breakdowns}
    distances = {
        label: panel for label, panel in panels.items() if max(map(len, panel.values())) > 1
    }
    if distances:
        figure = curves(distances, f'{DISTANCES} (the last: or more)')
        save_figure(figure, out_dir / 'by_distance.png')
        written.append(out_dir / 'by_distance.png')
    return written


def _by_distance(comparison: SeedComparison) -> dict[str, Curve]:
    # The last group has no label and so no distance.
    groups = list(comparison.breakdowns[DISTANCES].values())[:-1]
    return {
        method: [
            _point(distance, rows[method], 'error_percent')
            for distance, rows in enumerate(groups, 1)
            if rows[method].num_joints > LEAST_SHARE * comparison.unlabelled[method].num_joints
        ]
        for method in comparison.unlabelled
    }


def _point(
    place: float, row: SeedSummary, metric: str
) -> tuple[float, float, tuple[float, float] | None]:
    return place, row.values[metric], row.intervals.get(metric)
