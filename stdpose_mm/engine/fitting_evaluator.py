"""Whether an evaluator fits the data that it is to evaluate, before anything is predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels.coco_records import video_name
from stdpose_mm.text import listed

from .dataset_configs import nested_datasets


def require_fitting_evaluator(cfg: Config, split: str) -> None:
    """Refuse an evaluator of this package that would fail, or count misses, after all predictions.

    Its videos and its given labels must be those of the dataset, the labels must allow its metrics,
    and in training its metrics must include the one that chooses the best checkpoint. Metrics and
    datasets of other projects are not looked at. Reads the labels of the evaluator.

    Args:
        cfg: The config.
        split: 'val' or 'test'.

    Raises:
        InputError: If something does not fit.
    """
    metrics = _video_metrics(cfg, split)
    datasets = _window_datasets(cfg, split)
    for metric in metrics:
        for dataset in datasets or ():
            _require_same_interval(metric, dataset, split)
        if datasets:
            _require_same_videos(metric, datasets, split)
        metric.require_measurable()
    if split == 'val':
        _require_known_best_metric(cfg, metrics)


def _video_metrics(cfg: Config, split: str) -> list[Any]:
    from mmpose.registry import METRICS

    from stdpose_mm.evaluation.metrics import BaseVideoMetric

    built = []
    for metric in _entries(cfg.get(f'{split}_evaluator')):
        kind = METRICS.get(metric['type']) if isinstance(metric.get('type'), str) else None
        if isinstance(kind, type) and issubclass(kind, BaseVideoMetric):
            built.append(METRICS.build(dict(metric)))
    return built


def _window_datasets(cfg: Config, split: str) -> list[Any] | None:
    """Build the datasets without their data; None if one is of another project."""
    from mmpose.registry import DATASETS

    from stdpose_mm.datasets.base import BaseWindowDataset

    built = []
    for dataset in nested_datasets((cfg.get(f'{split}_dataloader') or {}).get('dataset')):
        if 'dataset' in dataset or 'datasets' in dataset:
            continue
        kind = DATASETS.get(dataset['type']) if isinstance(dataset.get('type'), str) else None
        if not (isinstance(kind, type) and issubclass(kind, BaseWindowDataset)):
            return None
        built.append(DATASETS.build({**dataset, 'lazy_init': True, 'pipeline': []}))
    return built


def _require_same_interval(metric: Any, dataset: Any, split: str) -> None:
    selection = dataset.selection
    expected = selection.intervals[0] if selection.task == 'propagation' else None
    if dataset.test_mode and metric.given_interval != expected:
        raise InputError(
            f'{split}_evaluator.given_interval is {metric.given_interval}, but {split}_dataloader.'
            f'dataset has task={selection.task!r} and interval={selection.intervals[0]}, set '
            f'given_interval={expected}'
        )


def _require_same_videos(metric: Any, datasets: Sequence[Any], split: str) -> None:
    predicted = {video_name(file) for dataset in datasets for file in dataset.label_files()}
    evaluated = {video_name(file) for file in metric.label_files}
    other = sorted(predicted ^ evaluated)
    if other:
        readers = [f'{split}_evaluator', f'{split}_dataloader.dataset']
        if other[0] in predicted:
            readers.reverse()
        raise InputError(
            f'video {other[0]!r} is read by {readers[0]}, but not by {readers[1]}, expected the '
            'same videos in both, set ann_file, held_out_share and held_out to the same values'
        )


def _require_known_best_metric(cfg: Config, metrics: Sequence[Any]) -> None:
    checkpoint = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    chosen = checkpoint.get('save_best')
    # Metrics of other projects do not say what they compute.
    if not metrics or len(metrics) != len(_entries(cfg.get('val_evaluator'))):
        return
    names = [f'{metric.prefix}/{name}' for metric in metrics for name in metric.metric_names()]
    for one in [chosen] if isinstance(chosen, str) else chosen or ():
        if one != 'auto' and one not in names:
            alike = get_close_matches(one, names, 3, 0.6)
            raise InputError(
                f'default_hooks.checkpoint.save_best is {one!r}, which no metric of val_evaluator '
                f'computes, set it to one of these, such as {listed(alike or names, 3)}'
            )


def _entries(evaluator: Any) -> list[Mapping[str, Any]]:
    entries = evaluator if isinstance(evaluator, list | tuple) else [evaluator]
    return [entry for entry in entries if isinstance(entry, Mapping)]
