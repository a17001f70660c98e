"""Timing and peak memory for benchmarks of speed."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import torch
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from torch import nn

from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.wording import counted

Parameters = ParamSpec('Parameters')
Item = TypeVar('Item')
Result = TypeVar('Result')


@dataclass(frozen=True)
class Seconds:
    """Hold a duration.

    Args:
        wall: Wall-clock time in seconds.
        cpu: CPU time of all threads in seconds, which other processes hardly change.
    """

    wall: float
    cpu: float


def least_seconds(repeats: int, *works: Callable[[], object]) -> list[Seconds]:
    """Return the least times of functions that take turns, so that other load hits all alike."""
    walls: list[list[float]] = [[] for _ in works]
    cpus: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for n, work in enumerate(works):
            wall, cpu = time.perf_counter(), time.process_time()
            work()
            walls[n].append(time.perf_counter() - wall)
            cpus[n].append(time.process_time() - cpu)
    return [Seconds(min(wall), min(cpu)) for wall, cpu in zip(walls, cpus, strict=True)]


def peak_memory(
    work: Callable[Parameters, object], *args: Parameters.args, **kwargs: Parameters.kwargs
) -> int:
    """Measure the peak memory in bytes of a new process that does some work.

    Args:
        work: A function of a module that another process can import.
        *args: Its arguments, which can be pickled.
        **kwargs: Its keyword arguments.
    """
    with multiprocessing.get_context('spawn').Pool(1) as pool:
        return pool.apply(_own_peak, (work, args, kwargs))


def _own_peak(work: Callable[..., object], args: Sequence[Any], kwargs: dict[str, Any]) -> int:
    work(*args, **kwargs)
    # Not ru_maxrss: on Linux that of a new process starts at the size of its parent.
    status = Path('/proc/self/status').read_text().split()
    return int(status[status.index('VmHWM:') + 1]) * 1024


def random_weights(config: str, path: Path) -> str:
    """Write a checkpoint of the config's model with random weights, and return its path.

    Layers initialised with zeros are drawn at random, too, so that no work can be skipped.
    """
    loaded = read_config(config)
    init_default_scope(loaded.get('default_scope', 'mmpose'))
    model_config = deepcopy(loaded.model)
    model_config.backbone.init_cfg = None
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        model = MODELS.build(model_config)
    for weight in model.parameters():
        if weight.ndim > 1 and not weight.any():
            nn.init.trunc_normal_(weight, std=0.02)
    torch.save({'state_dict': model.state_dict()}, path)
    return str(path)


def model_files(
    configs: Sequence[str], checkpoints: Sequence[str] | None, folder: Path
) -> list[tuple[str, str]]:
    """Pair the configs of models with their weights.

    Args:
        configs: Configs.
        checkpoints: Weights, one for each config; ``None`` to write random ones.
        folder: Folder of the random weights.

    Raises:
        InputError: If there are not as many checkpoints as configs.
    """
    if checkpoints is None:
        return [
            (config, random_weights(config, folder / f'random{number}.pth'))
            for number, config in enumerate(configs)
        ]
    if len(checkpoints) != len(configs):
        raise InputError(
            f'{counted(len(configs), "config")} but {counted(len(checkpoints), "checkpoint")} are '
            'given, give one for each'
        )
    return list(zip(configs, checkpoints, strict=True))


class Stages:
    """Measure wall time by stage; a nested stage does not count for the outer one.

    Times of several threads are kept apart while they run and added up in the end.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner: dict[int, list[float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time the body of the ``with`` statement."""
        inner = self._inner.setdefault(threading.get_ident(), [])
        inner.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            passed = time.perf_counter() - start
            self.seconds[name] += passed - inner.pop()
            if inner:
                inner[-1] += passed

    def timed(self, name: str, work: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Wrap a function, so that its calls count for a stage."""

        def timed(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with self.stage(name):
                return work(*args, **kwargs)

        return timed

    def iterated(self, name: str, items: Iterable[Item]) -> Iterator[Item]:
        """Iterate over items; producing them counts for a stage."""
        iterator = iter(items)
        while True:
            with self.stage(name):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
