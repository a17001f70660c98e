"""Measure the processor time and peak memory of several views together, and of each alone.

    python -m research.tools.measure_views
    python -m research.tools.measure_views --frames 141 --size 1280 720

Two people in a generated scene, seen by four cameras, with labels in every 15th frame.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from research.speed.timing import peak_memory
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.demo import write_views
from stdpose_mm.cli.main import main as stdpose
from stdpose_mm.cli.parser import option
from stdpose_mm.datasets.synthetic import ClipSettings, generate_views


@dataclass(kw_only=True)
class MeasureViewsOptions:
    """Options of ``measure_views.py``.

    Args:
        frames: Length of the videos.
        size: Width and height of the pictures.
        cameras: Number of cameras.
        interval: Distance of labelled frames.
        method: Propagation method.
    """

    frames: int = option(141, type=positive)
    size: list[int] = option((640, 480), type=positive, nargs=2, metavar=('W', 'H'))
    cameras: int = option(4, type=positive)
    interval: int = option(15, type=positive)
    method: str = option('auto')


def measure(options: MeasureViewsOptions) -> None:
    """Measure and print a table."""
    width, height = options.size
    settings = ClipSettings(frames=options.frames, width=width, height=height, people=(2, 2))
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_views(
            generate_views(0, options.cameras, settings), folder, options.interval, options.cameras
        )
        videos = sorted(map(str, folder.glob('*.mp4')))
        two = folder / 'two'
        two.mkdir()
        for video in videos[:2]:
            shutil.copy(folder / 'labels' / f'{Path(video).stem}.json', two)
        together = ['--calibration', str(folder / 'calibration.toml'), '--out', str(folder / 'out')]
        print('| | processor seconds | peak MiB |\n|---|--:|--:|')
        total = 0.0
        for video in videos:
            labels = folder / 'labels' / f'{Path(video).stem}.json'
            total += _measure(
                options, f'{labels.stem} alone', video, labels, '--out', folder / 'out.json'
            )
        print(f'| sum of the views | {total:.1f} | |')
        _measure(options, 'together, labels in all', *videos, folder / 'labels', *together)
        _measure(options, 'together, labels in two', *videos, two, *together)


def _measure(options: MeasureViewsOptions, name: str, *line: object) -> float:
    before = os.times()
    given = ['propagate', *map(str, line), '--method', options.method, '--cache', 'off', '--quiet']
    peak = peak_memory(stdpose, given)
    after = os.times()
    seconds = sum(after[2:4]) - sum(before[2:4])
    print(f'| {name} | {seconds:.1f} | {peak / 2**20:.0f} |', flush=True)
    return seconds


main = Command(MeasureViewsOptions, measure, __doc__, 'measure_views.py')

if __name__ == '__main__':
    raise SystemExit(main())
