"""A propagation method that counts gaps, and processes that are killed while they propagate."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.io import labels
from stdpose_mm.io.cache_folder import ResultCache
from stdpose_mm.labelling.propagation import PROPAGATORS
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator

STORED_BEFORE = 8
"""Number of gaps that are stored, or being stored, at the kill."""


PROPAGATION_METHODS['slow'] = 'interpolation'


@PROPAGATORS.register_module(name='slow')
class Slow(LinearPropagator):
    """Interpolate linearly and shift poses by the mean of each picture."""

    reads_pictures = True
    asked: Path

    def propagate(self, frames, gaps, skeleton):
        Slow.asked.write_text(str(len(gaps)))
        for poses in super().propagate(frames, gaps, skeleton):
            time.sleep(0.002 * len(poses.frames))
            means = np.array([frames[frame].mean() for frame in poses.frames])
            yield replace(poses, keypoints=poses.keypoints + means[:, None, None])


def kill_me(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at_half(suffix: str) -> None:
    """Let this process be killed when half of a file with this suffix is written."""
    replace = os.replace

    def half(temporary: Any, path: Any) -> None:
        if str(path).endswith(suffix):
            os.truncate(temporary, os.path.getsize(temporary) // 2)
            kill_me()
        replace(temporary, path)

    os.replace = half


def arrange(moment: str, asked: str) -> None:
    """Let this process be killed at ``moment``, and write the number of gaps to a file."""
    Slow.asked = Path(asked)
    set_item, count = ResultCache.__setitem__, [0]

    def counting(self: ResultCache, key: str, poses: Any) -> None:
        count[0] += 1
        if count[0] == STORED_BEFORE and moment == 'a gap is half written':
            kill_at_half('.npz')
        set_item(self, key, poses)
        if count[0] == STORED_BEFORE and moment == 'a gap is stored':
            kill_me()

    ResultCache.__setitem__ = counting  # type: ignore[method-assign]
    if moment == 'before OUT is written':
        labels.write_labels = kill_me
    if moment == 'OUT is half written':
        kill_at_half('dense.json')
    if moment == 'OUT is written':
        replace_file = os.replace

        def replace_then_kill(temporary: Any, path: Any) -> None:
            replace_file(temporary, path)
            if Path(path).name == 'dense.json':
                kill_me()

        os.replace = replace_then_kill
