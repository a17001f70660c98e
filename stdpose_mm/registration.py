"""Registration of classes in MMPose's registries under names that say whose they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mmengine.registry import Registry

T = TypeVar('T')

DISTINCT = ('STDPose', 'SemanticMotion', 'Window', 'BoundedUDPHeatmap')
"""Parts of the names of classes that no other package is expected to have."""


def registered_name(name: str) -> str:
    """Return the name in configs of a class or function, with a prefix unless it is distinct."""
    if any(part in name for part in DISTINCT):
        return name
    return f'STDPose{name}' if name[0].isupper() else f'stdpose_{name}'


def register(registry: Registry) -> Callable[[T], T]:
    """Register the decorated class or function under :func:`registered_name`.

    Configs and checkpoints of earlier versions name classes without the prefix. Such a name is
    registered in MMEngine's root registry, where MMPose's looks last. So a user's class of the same
    name in MMPose's registry is no error and is the one that is found.

    Args:
        registry: A registry of MMPose, or a root registry of MMEngine.
    """

    def decorate(registered: T) -> T:
        earlier_name = registered.__name__  # type: ignore[attr-defined]
        name = registered_name(earlier_name)
        registry.register_module(name=name, module=registered)
        # An empty registry is false.
        root = registry if registry.parent is None else registry.parent
        if name != earlier_name and earlier_name not in root.module_dict:
            root.register_module(name=earlier_name, module=registered)
        return registered

    return decorate
