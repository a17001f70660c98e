"""Report of a study as JSON fields, Markdown and a plot."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from research.plots import Curve, curves, dots
from stdpose_mm.errors import InputError
from stdpose_mm.visualization import save_figure

from .study import Study
from .study_runs import EntryResult, RunResult

LOSSES = ('losses_before', 'losses_after')

VALIDATION_METRICS = ('AP', 'PCK@0.1')
"""Metrics of the table by default, with any prefix."""


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a metric over several runs.

    Args:
        mean: Mean over the runs.
        std: Sample standard deviation (n - 1); ``None`` for a single run.
        low, high: Lowest and highest value.
        number: Number of runs in which the metric is defined.
    """

    mean: float
    std: float | None
    low: float
    high: float
    number: int


def spread(values: Sequence[float | None]) -> Spread | None:
    """Compute mean and spread of the defined values; ``None`` if there are none."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    std = statistics.stdev(known) if len(known) > 1 else None
    return Spread(statistics.fmean(known), std, min(known), max(known), len(known))


def differences(
    values: Mapping[int, float | None], reference: Mapping[int, float | None]
) -> list[float | None]:
    """Subtract the values of the reference by seed; ``None`` where one is undefined.

    Args:
        values: Seed -> value.
        reference: Seed -> value, of the same seeds.
    """
    changes: list[float | None] = []
    for seed, value in values.items():
        other = reference[seed]
        changes.append(None if value is None or other is None else value - other)
    return changes


def choose_metrics(
    results: Sequence[EntryResult], metrics: Sequence[str] | None = None
) -> list[str]:
    """Choose the metrics to tabulate.

    Args:
        results: Results of each entry.
        metrics: Names; by default AP and PCK@0.1 with any prefix, or all if neither exists.

    Raises:
        InputError: If a name is not among the metrics of any run.
    """
    known = list(
        dict.fromkeys(
            name for run in _runs(results) for test in run.metrics.values() for name in test
        )
    )
    unknown = [name for name in metrics or () if name not in known]
    if unknown:
        raise InputError(f'no run has the metric {unknown[0]}, choose from {", ".join(known)}')
    if metrics:
        return list(dict.fromkeys(metrics))
    return [name for name in known if name.split('/')[-1] in VALIDATION_METRICS] or known


def study_fields(study: Study, results: Sequence[EntryResult]) -> dict[str, Any]:
    """Make JSON fields of all measurements.

    Args:
        study: The study.
        results: Results of each entry.
    """
    base = _reference(study, results)
    entries = {}
    for result in results:
        tests = {}
        for test in result.tests:
            names = dict.fromkeys(n for run in result.runs.values() for n in run.metrics[test.name])
            tests[test.name] = {
                'cfg_options': dict(test.cfg_options),
                'x': test.x,
                'published': result.entry.published_value(test.name),
                'metrics': {
                    name: _fields(spread(_metric(result, test.name, name))) for name in names
                },
            }
            if base is not None and result is not base:
                tests[test.name]['differences'] = {
                    name: _fields(_change(result, base, test.name, name)) for name in names
                }
        entries[result.entry.name] = {
            'config': result.entry.config,
            'cfg_options': dict(result.entry.cfg_options),
            'x': result.entry.x,
            'series': result.entry.series,
            'parameters': result.parameters,
            'runs': {
                str(seed): {
                    'metrics': run.metrics,
                    **asdict(run.training),
                    'seconds_per_step': seconds_per_step(run),
                }
                for seed, run in result.runs.items()
            },
            'tests': tests,
            'seconds_per_step': _fields(spread(_each(result, seconds_per_step))),
            **{when: _losses(result, when) for when in LOSSES},
        }
    return {
        'study': study.name,
        'title': study.title,
        'reference': study.reference,
        'seeds': list(study.seeds),
        'budget': study.budget,
        'seconds': study.seconds,
        'entries': entries,
    }


def study_report(study: Study, results: Sequence[EntryResult]) -> str:
    """Write tables under headings, with a row for every entry and test, and notes.

    Args:
        study: The study.
        results: Results of each entry; rows are in this order.
    """
    metrics = choose_metrics(results, study.metrics)
    with_tests = any(test.name for result in results for test in result.tests)
    published = any(result.entry.published is not None for result in results)
    first = ['entry', *['test'] * with_tests]
    rows = [
        [
            *_first_cells(result, test, with_tests),
            *(_with_range(spread(_metric(result, test, name))) for name in metrics),
            *[_number(result.entry.published_value(test))] * published,
        ]
        for result, test in _rows(results)
    ]
    # Published values are of the first metric.
    shown = f'{metrics[0].split("/")[-1]}, published'
    blocks = [
        f'# {study.title}',
        _table([*first, *metrics, *[shown] * published], rows, len(first)),
    ]
    base = _reference(study, results)
    if not any(result.runs for result in results if result is not base):
        base = None
    if base is not None:
        rows = [
            [
                *_first_cells(result, test, with_tests),
                *(_with_range(_change(result, base, test, name), '+.2f') for name in metrics),
            ]
            for result, test in _rows(results)
            if result is not base and result.runs
        ]
        blocks += [
            f'## Difference to {study.reference}',
            _table([*first, *metrics], rows, len(first)),
        ]
    trained = [result for result in results if result.runs]
    blocks += ['## Cost', _cost(trained)]
    losses = list(dict.fromkeys(n for run in _runs(results) for n in run.training.losses_after))
    if losses:
        rows = [
            [result.entry.name, *(_fall(result, name) for name in losses)] for result in trained
        ]
        titles = ['entry', *losses]
        blocks += ['## Losses on held-out data, before and after training', _table(titles, rows)]
    return '\n\n'.join([*blocks, ' '.join(_notes(study, trained, base is not None))])


def plot_study(path: Path, study: Study, results: Sequence[EntryResult]) -> None:
    """Plot every metric of the table in a panel of a PNG file, written atomically.

    If tests or entries have a position ``x``, there is a curve for each entry or ``series``,
    otherwise a dot. Lines through them reach from the lowest to the highest seed. Published values,
    of the first metric, are separate curves or dashed lines.
    """
    metrics = choose_metrics(results, study.metrics)
    points = [
        (result, test, result.entry.x if test.x is None else test.x)
        for result in results
        for test in result.tests
    ]
    if any(x is not None for _, _, x in points):
        panels: dict[str, dict[str, list[tuple[float, float, tuple[float, float] | None]]]] = {
            metric: {} for metric in metrics
        }
        for result, test, x in points:
            if x is None:
                continue
            series = result.entry.series or result.entry.name
            published = result.entry.published_value(test.name)
            for metric, panel in panels.items():
                value = spread(_metric(result, test.name, metric))
                if value is not None:
                    panel.setdefault(series, []).append((x, value.mean, (value.low, value.high)))
                if metric == metrics[0] and published is not None:
                    panel.setdefault(f'{series}, published', []).append((x, published, None))
        sorted_panels: dict[str, dict[str, Curve]] = {
            metric: {series: sorted(curve) for series, curve in panel.items()}
            for metric, panel in panels.items()
        }
        save_figure(curves(sorted_panels, study.x_label or 'x'), path)
        return
    rows: dict[str, list[tuple[str, float, tuple[float, float]]]] = {}
    marks: dict[str, float] = {}
    for result, name in _rows(results):
        label = f'{result.entry.name}, {name}' if name else result.entry.name
        for metric in metrics:
            value = spread(_metric(result, name, metric))
            if value is not None:
                rows.setdefault(metric, []).append((label, value.mean, (value.low, value.high)))
        published = result.entry.published_value(name)
        if published is not None:
            marks[label] = published
    save_figure(dots(rows, {metrics[0]: marks}), path)


def seconds_per_step(run: RunResult) -> float | None:
    """Compute the mean time of a training step; ``None`` if it was not measured."""
    seconds = run.training.seconds
    return None if seconds is None else seconds / run.training.steps


def _reference(study: Study, results: Sequence[EntryResult]) -> EntryResult | None:
    return next((result for result in results if result.entry.name == study.reference), None)


def _rows(results: Sequence[EntryResult]) -> Iterator[tuple[EntryResult, str]]:
    """Iterate over entries and the names of their tests, including only published ones."""
    for result in results:
        for test in result.tests:
            if result.runs or result.entry.published_value(test.name) is not None:
                yield result, test.name


def _first_cells(result: EntryResult, test: str, with_tests: bool) -> list[str]:
    return [result.entry.name, *[test or '-'] * with_tests]


def _runs(results: Sequence[EntryResult]) -> list[RunResult]:
    return [run for result in results for run in result.runs.values()]


def _each(result: EntryResult, read: Callable[[RunResult], float | None]) -> list[float | None]:
    return [read(run) for run in result.runs.values()]


def _metric(result: EntryResult, test: str, name: str) -> list[float | None]:
    return _each(result, lambda run: _value(run, test, name))


def _value(run: RunResult, test: str, name: str) -> float | None:
    """Read a metric; without given labels, that of all frames has the plain name."""
    metrics = run.metrics.get(test, {})
    return metrics.get(name, metrics.get(name.removesuffix('_all')))


def _change(result: EntryResult, base: EntryResult, test: str, name: str) -> Spread | None:
    values, reference = (
        {seed: _value(run, test, name) for seed, run in entry.runs.items()}
        for entry in (result, base)
    )
    return spread(differences(values, reference))


def _loss(result: EntryResult, name: str, when: str) -> Spread | None:
    """Compute the spread of a held-out loss; ``when`` is a field of ``Training``."""
    return spread(_each(result, lambda run: getattr(run.training, when).get(name)))


def _losses(result: EntryResult, when: str) -> dict[str, Any]:
    names = dict.fromkeys(n for run in result.runs.values() for n in run.training.losses_after)
    return {name: _fields(_loss(result, name, when)) for name in names}


def _fields(value: Spread | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def _cost(results: Sequence[EntryResult]) -> str:
    """Tabulate steps, time, parameters and memory of the training runs."""
    memory = any(run.training.memory_mb is not None for run in _runs(results))
    titles = ['entry', 'parameters', 'steps', 's per step', 's', *['GPU memory, MB'] * memory]
    rows = []
    for result in results:
        steps = sorted({run.training.steps for run in result.runs.values()})
        row = [
            result.entry.name,
            f'{result.parameters:,}',
            ' or '.join(f'{number:,}' for number in steps),
            _mean(spread(_each(result, seconds_per_step)), '.3g'),
            _mean(spread(_each(result, lambda run: run.training.seconds)), '.0f'),
        ]
        if memory:
            peaks = _each(result, lambda run: run.training.memory_mb)
            row.append(_mean(spread(peaks), '.0f'))
        rows.append(row)
    return _table(titles, rows)


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:g}'


def _mean(value: Spread | None, style: str) -> str:
    if value is None:
        return '-'
    deviation = f' ± {value.std:{style.lstrip("+")}}' if value.std is not None else ''
    return f'{value.mean:{style}}{deviation}'


def _with_range(value: Spread | None, style: str = '.2f') -> str:
    if value is None or value.number == 1:
        return _mean(value, style)
    return f'{_mean(value, style)} [{value.low:{style}}, {value.high:{style}}]'


def _fall(result: EntryResult, name: str) -> str:
    before, after = (_loss(result, name, when) for when in LOSSES)
    if before is None and after is None:
        return '-'
    return f'{_mean(before, ".4g")} → {_mean(after, ".4g")}'


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], names: int = 1) -> str:
    """Write a Markdown table whose first ``names`` columns are text."""
    lines = [titles, [*['---'] * names, *['---:'] * (len(titles) - names)], *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def _notes(study: Study, results: Sequence[EntryResult], compared: bool) -> list[str]:
    seeds = list(dict.fromkeys(seed for result in results for seed in result.runs))
    notes = [f'The last checkpoint is tested. Seeds: {", ".join(map(str, seeds))}.']
    if study.seconds is not None:
        notes.append(
            f'Each entry was timed first and took as many steps as fit into {study.seconds:g} s.'
        )
    if len(seeds) > 1:
        notes.append(
            'Mean ± standard deviation (n - 1) over the seeds; in brackets: lowest and highest.'
        )
    if compared:
        notes.append('Differences are between runs of the same seed.')
    notes.append('Seconds depend on the load of the machine, including other runs of --jobs.')
    return notes
