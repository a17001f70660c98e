"""Results of an ablation as JSON fields and as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.visualization.plots import VALIDATION_METRICS

from .ablation import RunResult, VariantResult

LOSSES = ('losses_before', 'losses_after')


@dataclass(frozen=True)
class Spread:
    """Mean and spread of a metric over several runs.

    Args:
        mean: Mean over the runs.
        std: Standard deviation of the sample (n - 1); ``None`` for a single run.
        low, high: Lowest and highest value.
        number: Number of runs in which the metric is defined.
    """

    mean: float
    std: float | None
    low: float
    high: float
    number: int


def spread(values: Sequence[float | None]) -> Spread | None:
    """Compute mean and spread of the values that are defined; ``None`` if there is none."""
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
    results: Sequence[VariantResult], metrics: Sequence[str] | None = None
) -> list[str]:
    """Choose the metrics to tabulate.

    Args:
        results: Results of each config.
        metrics: Names; by default AP and PCK@0.1 with any prefix, or all where neither exists.

    Raises:
        InputError: If a name is not among the metrics of any run.
    """
    known = list(dict.fromkeys(name for run in _runs(results) for name in run.metrics))
    unknown = [name for name in metrics or () if name not in known]
    if unknown:
        raise InputError(f'no run has the metric {unknown[0]}, choose from {", ".join(known)}')
    if metrics:
        return list(dict.fromkeys(metrics))
    return [name for name in known if name.split('/')[-1] in VALIDATION_METRICS] or known


def require_reference(names: Sequence[str], reference: str | None) -> None:
    """Raise :class:`InputError` unless the reference is None or one of the configs' names."""
    if reference is not None and reference not in names:
        raise InputError(f'--reference {reference} is no config here, choose {", ".join(names)}')


def ablation_fields(
    results: Sequence[VariantResult], reference: str | None = None
) -> dict[str, Any]:
    """Make JSON fields of everything that was measured.

    Args:
        results: Results of each config.
        reference: Name of the config that the others are compared with.

    Raises:
        InputError: If there is no such config.
    """
    require_reference([result.name for result in results], reference)
    base = next((result for result in results if result.name == reference), None)
    configs = {}
    for result in results:
        names = dict.fromkeys(name for run in result.runs.values() for name in run.metrics)
        fields: dict[str, Any] = {
            'config': result.config,
            'parameters': result.parameters,
            'runs': {
                str(seed): {
                    'metrics': run.metrics,
                    **asdict(run.training),
                    'seconds_per_step': seconds_per_step(run),
                }
                for seed, run in result.runs.items()
            },
            'metrics': {name: _fields(spread(_metric(result, name))) for name in names},
            'seconds_per_step': _fields(spread(_each(result, seconds_per_step))),
            **{when: _losses(result, when) for when in LOSSES},
        }
        if base is not None and result is not base:
            fields['differences'] = {name: _fields(_change(result, base, name)) for name in names}
        configs[result.name] = fields
    return {'reference': reference, 'configs': configs}


def ablation_report(
    results: Sequence[VariantResult], metrics: Sequence[str], reference: str | None = None
) -> str:
    """Write tables with headings between them, and notes; a row for every config.

    Args:
        results: Results of each config; rows are in this order.
        metrics: Names of the metrics to tabulate.
        reference: Name of the config that the others are compared with.

    Raises:
        InputError: If there is no such config.
    """
    require_reference([result.name for result in results], reference)
    memory = [run.training.memory_mb for run in _runs(results)]
    with_memory = any(value is not None for value in memory)
    titles = ['config', *metrics, 'parameters', 's per step', *['GPU memory, MB'] * with_memory]
    rows = []
    for result in results:
        row = [result.name]
        row += [_with_range(spread(_metric(result, name))) for name in metrics]
        row += [f'{result.parameters:,}', _mean(spread(_each(result, seconds_per_step)), '.3g')]
        if with_memory:
            peaks = _each(result, lambda run: run.training.memory_mb)
            row.append(_mean(spread(peaks), '.0f'))
        rows.append(row)
    blocks = [_table(titles, rows)]
    base = next((result for result in results if result.name == reference), None)
    if base is not None:
        rows = [
            [result.name, *(_with_range(_change(result, base, m), '+.2f') for m in metrics)]
            for result in results
            if result is not base
        ]
        blocks += [f'## Difference to {reference}', _table(['config', *metrics], rows)]
    losses = list(dict.fromkeys(n for run in _runs(results) for n in run.training.losses_after))
    if losses:
        rows = [[result.name, *(_fall(result, name) for name in losses)] for result in results]
        titles = ['config', *losses]
        blocks += ['## Losses on held-out data, before and after training', _table(titles, rows)]
    return '\n\n'.join([*blocks, ' '.join(_notes(results, base is not None))])


def seconds_per_step(run: RunResult) -> float | None:
    """Compute the mean time of a training step; ``None`` if it was not measured."""
    seconds = run.training.seconds
    return None if seconds is None else seconds / run.training.steps


def _runs(results: Sequence[VariantResult]) -> list[RunResult]:
    return [run for result in results for run in result.runs.values()]


def _each(result: VariantResult, read: Callable[[RunResult], float | None]) -> list[float | None]:
    return [read(run) for run in result.runs.values()]


def _metric(result: VariantResult, name: str) -> list[float | None]:
    return _each(result, lambda run: run.metrics.get(name))


def _change(result: VariantResult, base: VariantResult, name: str) -> Spread | None:
    values, reference = (
        {seed: run.metrics.get(name) for seed, run in variant.runs.items()}
        for variant in (result, base)
    )
    return spread(differences(values, reference))


def _loss(result: VariantResult, name: str, when: str) -> Spread | None:
    """Compute the spread of a held-out loss; ``when`` is a field of :class:`Training`."""
    return spread(_each(result, lambda run: getattr(run.training, when).get(name)))


def _losses(result: VariantResult, when: str) -> dict[str, Any]:
    names = dict.fromkeys(n for run in result.runs.values() for n in run.training.losses_after)
    return {name: _fields(_loss(result, name, when)) for name in names}


def _fields(value: Spread | None) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def _mean(value: Spread | None, style: str) -> str:
    if value is None:
        return '-'
    deviation = f' ± {value.std:{style.lstrip("+")}}' if value.std is not None else ''
    return f'{value.mean:{style}}{deviation}'


def _with_range(value: Spread | None, style: str = '.2f') -> str:
    if value is None or value.number == 1:
        return _mean(value, style)
    return f'{_mean(value, style)} [{value.low:{style}}, {value.high:{style}}]'


def _fall(result: VariantResult, name: str) -> str:
    before, after = (_loss(result, name, when) for when in LOSSES)
    if before is None and after is None:
        return '-'
    return f'{_mean(before, ".4g")} → {_mean(after, ".4g")}'


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ['---', *['---:'] * (len(titles) - 1)], *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def _notes(results: Sequence[VariantResult], compared: bool) -> list[str]:
    seeds = list(dict.fromkeys(seed for result in results for seed in result.runs))
    steps = sorted({run.training.steps for run in _runs(results)})
    notes = [
        f'{" or ".join(f"{number:,}" for number in steps)} training steps, the last checkpoint '
        f'tested. Seeds: {", ".join(map(str, seeds))}.'
    ]
    if len(seeds) > 1:
        notes.append(
            'Mean ± standard deviation (n - 1) over the seeds, in brackets the lowest and highest.'
        )
    if compared:
        notes.append('Differences are between runs of the same seed.')
    notes.append('Seconds depend on what else the machine did, other runs of --jobs included.')
    return notes
