"""Datasets within the config of a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any


def nested_datasets(dataset: Any) -> Iterator[dict[str, Any]]:
    """List the config of a dataset and of those that it is made of, the outer ones first.

    ``RepeatDataset`` and others hold one ``dataset``; ``ConcatDataset`` and ``CombinedDataset``
    hold several ``datasets``. Datasets that are built already are left out.
    """
    if isinstance(dataset, list | tuple):
        for part in dataset:
            yield from nested_datasets(part)
    elif isinstance(dataset, dict):
        yield dataset
        for name in ('dataset', 'datasets'):
            yield from nested_datasets(dataset.get(name))


def show_labels(dataset: Any) -> Any:
    """Copy the config of a dataset, with ``test_mode`` switched off in all of its parts.

    Test mode hides the labels of frames that are not given, which some losses compare with.
    """
    shown = deepcopy(dataset)
    for part in nested_datasets(shown):
        if 'test_mode' in part:
            part['test_mode'] = False
    return shown
