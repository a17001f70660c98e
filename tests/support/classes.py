"""The classes that configs name."""

from __future__ import annotations

import inspect


def arguments_of(kind: str) -> set[str]:
    """Return the arguments of a class that a config may name."""
    from mmpose.registry import DATASETS, HOOKS, METRICS, MODELS, TRANSFORMS

    from stdpose_mm.datasets.base import BaseWindowDataset
    from stdpose_mm.datasets.base.label_selection import LabelSelection

    registries = (METRICS, HOOKS, TRANSFORMS, DATASETS, MODELS)
    found = next(filter(None, (registry.get(kind) for registry in registries)), None)
    assert found is not None, f'no {kind}'
    kinds = found.__mro__ if any_keywords(found) else (found,)
    if issubclass(found, BaseWindowDataset):
        # Its further keywords.
        kinds += (LabelSelection,)
    return {name for one in kinds for name in inspect.signature(one.__init__).parameters}


def any_keywords(found: type) -> bool:
    """Return whether a class hands arguments on to the one that it extends."""
    parameters = inspect.signature(found).parameters.values()
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
