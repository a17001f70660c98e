"""Changes of the length of training schedules."""

from __future__ import annotations

from mmengine.config import Config

from stdpose_mm.errors import InputError


def set_iterations(config: Config, iterations: int) -> None:
    """Change the length of a training that counts steps.

    A linear warm-up keeps its length, or takes half of the steps if there are fewer; everything
    after it is stretched or compressed to the remaining steps.

    Args:
        config: Config with ``train_cfg.max_iters``; it is changed.
        iterations: New number of training steps.

    Raises:
        InputError: If the config counts epochs, or there is less than one step.
    """
    before = (config.get('train_cfg') or {}).get('max_iters')
    if iterations < 1:
        raise InputError(f'the number of training steps must be at least 1, got {iterations}')
    schedulers = config.get('param_scheduler') or []
    schedulers = schedulers if isinstance(schedulers, list) else [schedulers]
    if before is None or any(scheduler.get('by_epoch', True) for scheduler in schedulers):
        raise InputError(
            'the config counts epochs, expected one that counts steps: train_cfg.max_iters, and '
            'by_epoch=False in every entry of param_scheduler'
        )
    warm_up = max(
        (
            scheduler.end
            for scheduler in schedulers
            if scheduler.type == 'LinearLR'
            and scheduler.get('begin', 0) == 0
            and scheduler.get('end', before) < before
        ),
        default=0,
    )
    kept = min(warm_up, iterations // 2)

    def moved(step: int) -> int:
        if step <= warm_up:
            return round(step * kept / warm_up) if warm_up else step
        return kept + round((step - warm_up) * (iterations - kept) / (before - warm_up))

    config.train_cfg.max_iters = iterations
    for scheduler in schedulers:
        period = scheduler.get('end', before) - scheduler.get('begin', 0)
        for key in ('begin', 'end'):
            if key in scheduler:
                scheduler[key] = moved(scheduler[key])
        if 'milestones' in scheduler:
            scheduler.milestones = [moved(step) for step in scheduler.milestones]
        if 'T_max' in scheduler:
            length = scheduler.get('end', iterations) - scheduler.get('begin', 0)
            scheduler.T_max = round(scheduler.T_max * length / period)
    # With very few steps the warm-up may be empty.
    if schedulers:
        config.param_scheduler = [
            scheduler
            for scheduler in schedulers
            if scheduler.get('end', iterations) > scheduler.get('begin', 0)
        ]
