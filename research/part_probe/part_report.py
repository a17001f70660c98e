"""Report of a probe as text and as JSON fields."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from .effects import PCK_THRESHOLDS, Accuracy
from .part_probe import ACTS, DEAD, WEAK, PartReport, ProbeReport

EFFECTS = ('part', 'neutralised', 'change', 'shift', 'moved %')
GRADIENTS = ('part', 'gradient at', 'of', 'per element', 'x eps', 'share', 'relative to')
LEGEND = (
    'change: of the heatmaps, relative; shift: of the joints, in heatmap pixels; moved: joints '
    'shifted by more than half a pixel; error: pixels of the picture; x eps: clipped as in '
    "training, in units of Adam's eps"
)


def report_fields(report: ProbeReport) -> dict[str, Any]:
    """Return the report as JSON fields; undefined figures are null."""
    fields = asdict(report)
    for verdict in (DEAD, WEAK):
        fields[verdict] = [part.name for part in report.judged(verdict)]
    return _without_nan(fields)


def format_report(report: ProbeReport) -> str:
    """Format the report as tables, followed by the dead and the weak parts."""
    pck = [f'PCK@{threshold:g}' for threshold in PCK_THRESHOLDS]
    whole = ['whole model', '', '', '', '', *_accuracy_cells(report.accuracy)]
    effects = [whole, *(row for part in report.parts for row in _effect_rows(part))]
    parts = (*report.parts, *report.terms)
    gradients = [row for part in parts for row in _gradient_rows(part)]
    return '\n\n'.join(
        (
            '\n'.join(_table((*EFFECTS, *pck, 'error'), effects)),
            '\n'.join(_table(GRADIENTS, gradients)),
            LEGEND,
            '\n'.join(_verdicts(report)),
        )
    )


def _verdicts(report: ProbeReport) -> Iterator[str]:
    for verdict in (DEAD, WEAK):
        judged = report.judged(verdict)
        if not judged:
            yield f'{verdict}: none'
        for part in judged:
            yield f'{verdict}: {part.name} ({part.reason})'
    yield f'{ACTS}: {", ".join(part.name for part in report.judged(ACTS)) or "none"}'


def _effect_rows(part: PartReport) -> Iterator[list[str]]:
    for effect in part.effects:
        yield [
            part.name,
            effect.neutralisation,
            f'{effect.heatmap_change:.2g}',
            f'{effect.shift_px:.2f}',
            f'{100 * effect.moved:.1f}',
            *_accuracy_cells(effect.accuracy),
        ]


def _gradient_rows(part: PartReport) -> Iterator[list[str]]:
    for gradient in part.gradients:
        yield [
            part.name,
            gradient.place,
            gradient.loss if gradient.loss != part.name else '',
            f'{gradient.per_element:.2g}',
            '' if gradient.eps_ratio is None else f'{gradient.eps_ratio:.2g}',
            '' if gradient.share is None else f'{gradient.share:.2g}',
            gradient.reference or '',
        ]


def _accuracy_cells(accuracy: Accuracy) -> list[str]:
    return [*(f'{value:.1f}' for value in accuracy.pck.values()), f'{accuracy.error_px:.2f}']


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield '  '.join(cells).rstrip()


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
