"""Reports of comparisons at several intervals in Markdown and CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from research.comparison.reliability import Reliability
from stdpose_mm.labelling.comparison.compare_propagators import (
    COLUMNS,
    WITH_INTERVAL,
    FrameGroup,
    csv_of,
    title_of,
)

from .seed_comparison import Difference, SeedComparison, SeedSummary

FRAME_GROUPS: tuple[FrameGroup, ...] = ('unlabelled', 'all')

DIFFERENCES = ('PCK@0.05', 'PCK@0.1', 'PCK@0.2', 'error_percent')
"""Metrics whose difference to the reference the tables show."""


def comparison_report(comparisons: Sequence[SeedComparison], notes: Sequence[str] = ()) -> str:
    """Write tables under headings, and notes on their metrics.

    Args:
        comparisons: Comparisons of the same methods and videos, one for each T.
        notes: Sentences to add at the end.
    """
    blocks = []
    if len(comparisons) > 1:
        blocks.append(overview_table(comparisons))
    for comparison in comparisons:
        for frames in FRAME_GROUPS:
            num_joints = next(iter(comparison.summaries(frames).values())).num_joints
            blocks.append(comparison.table(frames=frames))
            blocks.append(f'Measured on {num_joints:,} labelled joints.')
    if any(row.differences for row in comparisons[0].unlabelled.values()):
        blocks.append(f'## Difference to {comparisons[0].reference}, unlabelled frames')
        blocks.append(difference_table(comparisons))
    if any(comparison.reliability for comparison in comparisons):
        blocks.append('## Scores of propagated joints')
        blocks.append(reliability_table(comparisons))
    return '\n\n'.join([*blocks, ' '.join([*_notes(comparisons), *notes])])


def comparison_csv(comparisons: Sequence[SeedComparison]) -> str:
    """Write all figures of the tables as CSV, a row for every T, group of frames and method.

    ``low`` and ``high`` are the ends of the 95 % bootstrap interval, ``std`` is over the seeds;
    cells that do not apply are empty.

    Args:
        comparisons: Comparisons of the same methods and videos, one for each T.
    """
    rows: list[dict[str, str | int]] = []
    for comparison in comparisons:
        for frames in FRAME_GROUPS:
            for method, row in comparison.summaries(frames).items():
                key = {'T': comparison.interval, 'frames': frames}
                cells = _csv_cells(row)
                if frames == 'unlabelled':
                    scores = _score_measures(comparison.reliability.get(method, ()))
                    cells |= {name: float(np.mean(v)) for name, v in scores.items() if v}
                numbers = {n: f'{v:.4f}' for n, v in cells.items() if not math.isnan(v)}
                rows.append({**key, 'method': method, 'joints': row.num_joints, **numbers})
    return csv_of(rows)


def overview_table(comparisons: Sequence[SeedComparison]) -> str:
    """Tabulate PCK@0.1 and error of unlabelled frames; a row per method, a column per T."""
    rows = [
        [
            method,
            *(
                ' / '.join(
                    f'{c.unlabelled[method].values[metric]:.{COLUMNS[metric][1]}f}'
                    for metric in WITH_INTERVAL
                )
                for c in comparisons
            ),
        ]
        for method in comparisons[0].unlabelled
    ]
    title = ' / '.join(map(title_of, WITH_INTERVAL))
    lines = [[f'{title}, unlabelled frames', *(f'T = {c.interval}' for c in comparisons)], *rows]
    lines.insert(1, ['---', *['---:'] * len(comparisons)])
    return _lines(lines)


def difference_table(comparisons: Sequence[SeedComparison]) -> str:
    """Tabulate the differences to the reference on unlabelled frames; a row per T and method."""
    rows = [
        [
            str(comparison.interval),
            method,
            *(_difference(row.differences[metric], metric) for metric in DIFFERENCES),
        ]
        for comparison in comparisons
        for method, row in comparison.unlabelled.items()
        if row.differences
    ]
    return _table(['T', 'method', *map(title_of, DIFFERENCES)], rows)


def reliability_table(comparisons: Sequence[SeedComparison]) -> str:
    """Tabulate the calibration of the scores; a row for every T and method."""
    rows = []
    for comparison in comparisons:
        for method, seeds in comparison.reliability.items():
            measures = _score_measures(seeds)
            cells = [
                _mean_and_spread(m, d) for m, d in zip(measures.values(), (1, 1, 3), strict=True)
            ]
            rows.append([str(comparison.interval), method, *cells])
    return _table(['T', 'method', *_score_measures(())], rows)


def _score_measures(seeds: Sequence[Reliability]) -> dict[str, list[float]]:
    """Return title of a measure -> its value for each seed."""
    return {
        'calibration error': [100 * seed.expected_calibration_error for seed in seeds],
        'AUROC': [100 * seed.auroc for seed in seeds],
        'Brier': [seed.brier for seed in seeds],
    }


def _csv_cells(row: SeedSummary) -> dict[str, float]:
    """Return column -> value of one method on one group of joints."""
    cells = {}
    for figure, value in row.values.items():
        title = title_of(figure)
        cells[title] = value
        if figure in row.spread:
            cells[f'{title} std'] = row.spread[figure]
        if figure in row.intervals:
            cells[f'{title} low'], cells[f'{title} high'] = row.intervals[figure]
        if figure in row.differences:
            difference = row.differences[figure]
            cells[f'{title} difference'] = difference.value
            if difference.interval is not None:
                low, high = difference.interval
                cells[f'{title} difference low'], cells[f'{title} difference high'] = low, high
    return cells


def _difference(difference: Difference, metric: str) -> str:
    decimals = COLUMNS[metric][1]
    if math.isnan(difference.value):
        return '-'
    text = f'{difference.value:+.{decimals}f}'
    if difference.interval is not None:
        low, high = difference.interval
        text += f' [{low:+.{decimals}f}, {high:+.{decimals}f}]'
    return text


def _mean_and_spread(values: Sequence[float], decimals: int) -> str:
    mean = float(np.mean(values))
    if math.isnan(mean):
        return '-'
    spread = f' ± {np.std(values, ddof=1):.{decimals}f}' if len(values) > 1 else ''
    return f'{mean:.{decimals}f}{spread}'


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, *rows]
    lines.insert(1, ['---:', '---', *['---:'] * (len(titles) - 2)])
    return _lines(lines)


def _lines(lines: Sequence[Sequence[str]]) -> str:
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def _notes(comparisons: Sequence[SeedComparison]) -> list[str]:
    first = comparisons[0]
    rows = first.unlabelled.values()
    notes = [
        'PCK, error and jitter: every labelled joint counts once; relative to the larger side of '
        'the tight box around the labelled joints of the pose.'
    ]
    if any(row.intervals for row in rows):
        notes.append('In brackets: 95 % bootstrap interval over the videos.')
    if any(row.spread for row in rows):
        notes.append(
            'After ±: standard deviation over the seeds; other figures are means over the seeds.'
        )
    if any(row.differences for row in rows):
        notes.append(
            f'Differences are to {first.reference}, on the same draws of videos; if an interval '
            'excludes 0, other videos of this kind would also show the difference.'
        )
    if first.num_ap_videos:
        notes.append(
            'AP: mean over the joints by the rules of PoseTrack, where a joint without any '
            'annotation counts as 0.'
        )
    if any(comparison.reliability for comparison in comparisons):
        notes.append(
            'Scores are compared with whether the joint lies within a tenth of the pose size: '
            'calibration error in points (0 is calibrated); AUROC: how well right joints rank '
            'above wrong ones (50 is chance).'
        )
    return notes
