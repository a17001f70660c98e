"""STDPose for MMPose 1.x: pose propagation from sparse labels, and video pose estimation."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from .version import __version__

__all__ = ['__version__']

REGISTERING_SUBPACKAGES: tuple[str, ...] = ()

# `custom_imports = dict(imports=['stdpose_mm'])` in a config must register every class, so the
# package imports the subpackages that register. It does so only where MMPose is installed: `io`,
# `structures` and the evaluation functions need neither torch nor MMPose, and stay usable on a
# machine that only converts or scores label files. A *broken* MMPose is not hidden: it raises.
if find_spec('mmpose') is not None:
    for _name in REGISTERING_SUBPACKAGES:
        import_module(f'{__name__}.{_name}')
