"""Video windows: their frames, the datasets that list them and the transforms that prepare them."""

from .windows import (
    Window,
    estimation_window,
    given_frames,
    leave_one_out_window,
    propagation_window,
)

__all__ = [
    'Window',
    'estimation_window',
    'given_frames',
    'leave_one_out_window',
    'propagation_window',
]
