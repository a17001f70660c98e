"""Options that several commands of research/ share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stdpose_mm.cli.argument_types import positive, seed
from stdpose_mm.cli.parser import option
from stdpose_mm.constants import EVIDENCE_KINDS
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_all_labels, stands_for_many
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.text import counted


@dataclass(frozen=True, kw_only=True)
class TrainingResources:
    """Resources of a training run.

    Args:
        workers: Number of processes.
        device: Device on which networks are trained.
        seed: Seed of all random numbers.
    """

    workers: int = option(2, type=positive)
    device: str = option('cpu')
    seed: int = option(0, type=seed)


def paired_models(configs: Sequence[str], checkpoints: Sequence[str]) -> list[tuple[str, str]]:
    """Pair the configs of models with their weights, in their order.

    Raises:
        InputError: If there are not as many checkpoints as configs.
    """
    if len(configs) != len(checkpoints):
        raise InputError(
            f'{counted(len(configs), "config")} but {counted(len(checkpoints), "checkpoint")} are '
            'given, give one for each'
        )
    return list(zip(configs, checkpoints, strict=True))


def require_every_video(networks: Sequence[PoseNetworkFiles], num_videos: int) -> None:
    """Refuse results of one video if there are several: they would be used for all of them.

    Raises:
        InputError: If there are such results, or they cannot be read.
    """
    for files in networks:
        is_of_one = (files.kind == 'tracks' and files.path.is_file()) or (
            files.kind == 'results' and _holds_one_video(files.path)
        )
        if num_videos > 1 and is_of_one:
            raise InputError(
                f'{EVIDENCE_KINDS[files.kind].what} {files.file} are of one video, but there are '
                f'{num_videos}, give a folder that holds a file for each'
            )


def _holds_one_video(results: Path) -> bool:
    """Tell whether results are of a single video, whose name they then need not have."""
    return not stands_for_many(results) and len(read_all_labels(results, size=(1, 1))) == 1
