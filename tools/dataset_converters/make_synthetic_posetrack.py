"""Generate a PoseTrack18-format data set of synthetic videos of people.

    python tools/dataset_converters/make_synthetic_posetrack.py OUT

writes ``OUT/images/{train,val}/<video>/%06d.jpg`` and ``OUT/annotations/{train,val}/<video>.json``.
The same seed gives the same files. The same command continues a run that was stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.constants import FOOTAGE_KINDS


@dataclass(frozen=True, kw_only=True)
class SyntheticOptions:
    """Options of ``make_synthetic_posetrack.py``.

    Args:
        out: Folder to write to; the same command completes a stopped run.
        train_videos: Number of training videos.
        val_videos: Number of validation videos.
        frames: Frames per video.
        seed: Seed of all videos.
        width: Width of the frames in pixels.
        height: Height of the frames in pixels.
        people: Smallest and largest number of people in a video.
        footage: wild adds the defects of real footage and of its encoding, mixed has clips of both
            kinds (default: plain).
        workers: Number of processes (default: number of cores).
    """

    out: str = argument('OUT', writes=True, is_folder=True)
    train_videos: int = option(160, metavar='N')
    val_videos: int = option(15, metavar='M')
    frames: int | None = option()
    seed: int = option(0)
    width: int | None = option()
    height: int | None = option()
    people: list[int] | None = option(type=int, nargs=2, metavar=('MIN', 'MAX'))
    footage: str | None = option(choices=FOOTAGE_KINDS)
    workers: int | None = option()


def generate(options: SyntheticOptions) -> None:
    """Write the videos."""
    from tqdm import tqdm

    from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset

    given: dict[str, Any] = {
        name: getattr(options, name) for name in ('frames', 'width', 'height', 'footage')
    }
    given['people'] = options.people and tuple(options.people)
    write_dataset(
        options.out,
        options.train_videos,
        options.val_videos,
        ClipSettings(**{name: value for name, value in given.items() if value is not None}),
        options.seed,
        options.workers,
        progress=lambda names, total: tqdm(names, total=total, unit='video', disable=None),
    )
    counts = f'{options.train_videos} training and {options.val_videos} validation videos'
    print(f'{counts} in {options.out}')


main = Command(SyntheticOptions, generate, __doc__, 'make_synthetic_posetrack.py')

if __name__ == '__main__':
    raise SystemExit(main())
