"""Video windows: their frames, the datasets that list them and the transforms that prepare them."""

from . import datasets, transforms
from .windows import (
    Window,
    estimation_window,
    given_frames,
    person_window,
    propagation_window,
    snap_window,
)

__all__ = [
    'Window',
    'datasets',
    'estimation_window',
    'given_frames',
    'person_window',
    'propagation_window',
    'snap_window',
    'transforms',
]
