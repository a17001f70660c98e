"""Schedules of trainings of another length."""

from __future__ import annotations

import numpy as np
from mmengine.config import Config

from stdpose_mm.errors import InputError, require_whole


def set_iterations(config: Config, iterations: int) -> None:
    """Change the length of a training that counts steps.

    A linear warm-up keeps its length, but takes at most half of the steps. All later schedules are
    stretched or compressed to the remaining steps.

    Args:
        config: Config with ``train_cfg.max_iters``; it is changed.
        iterations: New number of training steps.

    Raises:
        InputError: If the config counts epochs, or there is less than one step.
    """
    require_whole('the number of training steps', iterations, 1)
    before = (config.get('train_cfg') or {}).get('max_iters')
    schedulers = config.get('param_scheduler') or []
    if before is None or any(scheduler.get('by_epoch', True) for scheduler in schedulers):
        raise InputError(
            'the config counts epochs, expected one that counts steps: train_cfg.max_iters, and '
            'by_epoch=False in every entry of param_scheduler'
        )
    config.train_cfg.max_iters = iterations
    linear = [s for s in schedulers if s.type == 'LinearLR' and s.get('begin', 0) == 0]
    ends = [scheduler.get('end', before) for scheduler in linear]
    warm_up = max((end for end in ends if end < before), default=0)
    new_places = (0, min(warm_up, iterations // 2), iterations)

    def moved(step: int) -> int:
        return round(float(np.interp(step, (0, warm_up, before), new_places)))

    for scheduler in schedulers:
        begin, end = scheduler.get('begin', 0), scheduler.get('end', before)
        scheduler.begin, scheduler.end = moved(begin), moved(end)
        if 'milestones' in scheduler:
            scheduler.milestones = [moved(step) for step in scheduler.milestones]
        if 'T_max' in scheduler:
            length = scheduler.end - scheduler.begin
            scheduler.T_max = round(scheduler.T_max * length / (end - begin))
    if schedulers:
        # With very few steps the warm-up may be empty.
        config.param_scheduler = [each for each in schedulers if each.end > each.begin]
