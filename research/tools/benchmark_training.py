r"""Measure the samples per second of a config's data loader and of its training step, separately.

    python -m research.tools.benchmark_training configs/stdpose_tiny_synthetic.py
    python -m research.tools.benchmark_training configs/stdpose_vit_posetrack17.py \
        --device cuda --cfg-options train_dataloader.num_workers=8

The loader runs with the config's workers. The training step, including the optimizer, runs on one
batch in memory, from random weights. A ratio below 1 means that training waits for the loader: give
it more workers if there are free processors.
"""

from __future__ import annotations

from dataclasses import dataclass

from research.speed.training_speed import measure_training
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.cli.runner_options import ConfigOptions, parse_config_options
from stdpose_mm.engine.config_files import config_mistakes, read_config


@dataclass(frozen=True, kw_only=True)
class BenchmarkTrainingOptions(ConfigOptions):
    """Options of ``benchmark_training.py``.

    Args:
        config: Config file.
        batches: Number of batches to measure.
        device: Device of the model.
    """

    config: str = argument('CONFIG')
    batches: int = option(20, type=positive)
    device: str = option('cpu')


def run(args: BenchmarkTrainingOptions) -> None:
    """Measure and print.

    Raises:
        InputError: If an option or a file cannot be used.
    """
    cfg = read_config(args.config, parse_config_options(args.cfg_options))
    with config_mistakes(args.config):
        speed = measure_training(cfg, args.batches, args.device)
    print(speed.summary())


main = Command(BenchmarkTrainingOptions, run, __doc__, 'benchmark_training.py')

if __name__ == '__main__':
    raise SystemExit(main())
