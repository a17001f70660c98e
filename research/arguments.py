"""Arguments that several commands of research/ have."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.options import PropagatorOptions
from stdpose_mm.errors import InputError
from stdpose_mm.text import counted

Options = TypeVar('Options')


def read_options(options: type[Options], args: argparse.Namespace) -> Options:
    """Read a dataclass of options from the attributes of a command line."""
    return options(**{one.name: getattr(args, one.name) for one in fields(options)})  # type: ignore[arg-type]


def add_training_resources(parser: argparse.ArgumentParser) -> None:
    """Add the number of processes, the device and the seed of a training."""
    parser.add_argument(
        '--workers', type=positive, default=2, help='number of processes (%(default)s)'
    )
    parser.add_argument('--device', default='cpu', help='(%(default)s)')
    parser.add_argument('--seed', type=seed, default=0)


def add_matcher_argument(parser: argparse.ArgumentParser) -> None:
    """Add the joint matcher that evidence is gathered with."""
    parser.add_argument(
        '--matcher',
        type=Path,
        metavar='FILE',
        help='joint matcher to gather the evidence with, a file that train_matcher.py wrote '
        '(default: the one that comes with the package)',
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an optional model and its device."""
    parser.add_argument('--config', help='config of the model')
    parser.add_argument('--checkpoint', help='weights of the model')
    parser.add_argument('--device', default='cpu', help='where the model runs (%(default)s)')


def add_speed_arguments(parser: argparse.ArgumentParser, config: Path, frames: int) -> None:
    """Add the models, the generated clip and the batch size of a benchmark of speed.

    Args:
        parser: Parser to extend.
        config: Default config of the model.
        frames: Default length of the clip in frames.
    """
    parser.add_argument(
        '--config',
        nargs='+',
        default=[str(config)],
        help=f'configs of models; the others are compared with the first (default: {config.name})',
    )
    parser.add_argument(
        '--checkpoint',
        nargs='+',
        help='weights, one file for each config (default: random weights)',
    )
    parser.add_argument(
        '--frames', type=positive, default=frames, help='length of the video (%(default)s)'
    )
    parser.add_argument('--size', type=positive, nargs=2, default=(640, 480), metavar=('W', 'H'))
    parser.add_argument(
        '--people', type=positive, default=2, help='people in every frame (%(default)s)'
    )
    parser.add_argument('--batch-size', type=positive, default=8, help='(%(default)s)')


def paired_models(configs: Sequence[str], checkpoints: Sequence[str]) -> list[tuple[str, str]]:
    """Pair the values of --config and --checkpoint, in their order.

    Raises:
        InputError: If one is given more often than the other.
    """
    if len(configs) != len(checkpoints):
        raise InputError(
            f'--config is given {counted(len(configs), "time")} and --checkpoint '
            f'{counted(len(checkpoints), "time")}, give one checkpoint for each config'
        )
    return list(zip(configs, checkpoints, strict=True))


def propagator_arguments(args: argparse.Namespace) -> dict[str, Any]:
    """Check the options of a propagator on a command line; return the arguments they stand for."""
    options = read_options(PropagatorOptions, args)
    options.validate()
    return options.propagator_arguments
