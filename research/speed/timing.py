"""Measurement of time and peak memory for benchmarks of speed.

Processes whose memory is measured import this module, so it imports large packages where it needs
them.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

import numpy as np

Parameters = ParamSpec('Parameters')


class Seconds(NamedTuple):
    """A duration.

    Attributes:
        wall: Wall-clock time in seconds.
        cpu: CPU time of all threads in seconds, which other processes hardly change.
    """

    wall: float
    cpu: float


class SpeedUp(NamedTuple):
    """Ratio of another function's time to a function's own time.

    Attributes:
        value: Median of this ratio over the turns.
        spread: Width of the 95 % interval of the median, divided by the median; NaN for fewer than
            six turns, which do not determine it. The interval follows from order statistics, so it
            holds for any distribution of the times.
    """

    value: float
    spread: float


@dataclass(frozen=True)
class Turns:
    """Times of N functions that took T turns.

    Args:
        wall: [T, N] wall-clock time in seconds.
        cpu: [T, N] CPU time of all threads in seconds.
    """

    wall: np.ndarray
    cpu: np.ndarray

    def least(self) -> list[Seconds]:
        """Return the shortest time of each function."""
        return [Seconds(*times) for times in zip(self.wall.min(0), self.cpu.min(0), strict=True)]

    def speed_ups(self) -> list[SpeedUp]:
        """Compare the wall-clock time of each function with that of the first, turn by turn."""
        return [_speed_up(self.wall[:, 0] / seconds) for seconds in self.wall.T]


def _speed_up(ratios: np.ndarray) -> SpeedUp:
    import scipy.stats

    value = float(np.median(ratios))
    interval = scipy.stats.quantile_test(ratios, q=value, p=0.5).confidence_interval(0.95)
    return SpeedUp(value, float(interval.high - interval.low) / value)


def take_turns(
    works: Sequence[Callable[[], object]],
    number: int,
    after_each: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
    cpu_clock: Callable[[], float] = time.process_time,
) -> Turns:
    """Time functions that take turns, so that other load affects all of them equally.

    Args:
        works: The functions.
        number: Number of turns.
        after_each: Function that is called after each run; its time does not count.
        clock: The wall clock in seconds.
        cpu_clock: The CPU time of this process in seconds.
    """
    times = np.zeros((2, number, len(works)))
    for turn in range(number):
        for row, work in enumerate(works):
            wall, cpu = clock(), cpu_clock()
            work()
            times[:, turn, row] = clock() - wall, cpu_clock() - cpu
            after_each()
    return Turns(*times)


def peak_memory(
    work: Callable[Parameters, object], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> int:
    """Measure the peak memory in bytes of a new process that does some work.

    Args:
        work: A function of a module that another process can import.
        *args: Its arguments, which can be pickled.
        **kwargs: Its keyword arguments.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context('spawn')) as pool:
        return pool.submit(_own_peak, work, args, kwargs).result()


def _own_peak(work: Callable[..., object], args: Sequence[Any], kwargs: dict[str, Any]) -> int:
    work(*args, **kwargs)
    # ru_maxrss is of no use: on Linux, it starts at the parent's size in a new process.
    status = Path('/proc/self/status').read_text().split()
    return int(status[status.index('VmHWM:') + 1]) * 1024


def random_weights(config: str, path: Path) -> str:
    """Write a checkpoint of the config's model with random weights, and return its path.

    Layers that start at zero also get random weights, so that no work can be skipped.
    """
    import torch
    from mmengine.registry import init_default_scope
    from mmpose.registry import MODELS

    from stdpose_mm.engine.config_files import read_config

    loaded = read_config(config)
    init_default_scope(loaded.get('default_scope', 'mmpose'))
    model_config = deepcopy(loaded.model)
    model_config.backbone.init_cfg = None
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        model = MODELS.build(model_config)
    for weight in model.parameters():
        if weight.ndim > 1 and not weight.any():
            torch.nn.init.trunc_normal_(weight, std=0.02)
    torch.save({'state_dict': model.state_dict()}, path)
    return str(path)
