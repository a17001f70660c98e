"""Measure the peak memory of propagation in long videos, and of converting large label files.

    python -m research.tools.measure_memory
    python -m research.tools.measure_memory --frames 1000 --annotations 100000

The videos show a square of four labelled joints that moves over noise, labelled in every tenth
frame. The files are in COCO's format, with ten people in each picture, of 4 and of 17 joints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from research.speed.timing import peak_memory
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.main import main as stdpose
from stdpose_mm.cli.parser import option
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

FRAMES = (1000, 5000)
ANNOTATIONS = (20_000, 100_000)
METHODS = ('linear', 'flow')

_SIDE = 40


@dataclass(kw_only=True)
class MeasureMemoryOptions:
    """Options of ``measure_memory.py``.

    Args:
        frames: Lengths of the videos.
        annotations: Numbers of annotations in the files.
        methods: Propagation methods.
    """

    frames: list[int] = option(FRAMES, type=positive, nargs='+')
    annotations: list[int] = option(ANNOTATIONS, type=positive, nargs='+')
    methods: list[str] = option(METHODS, nargs='+')


def _corner(frame: int) -> np.ndarray:
    return np.array([60 + 40 * np.sin(frame / 20), 40.0])


def write_long_video(folder: Path, num_frames: int) -> tuple[str, str]:
    """Write a video and its labels; return their paths."""
    noise = np.random.default_rng(0).integers(0, 255, (150, 200, 3), dtype=np.uint8)

    def pictures() -> Iterator[np.ndarray]:
        for frame in range(num_frames):
            x, y = _corner(frame).astype(int)
            picture = noise.copy()
            picture[y : y + _SIDE, x : x + _SIDE] = 200
            yield picture

    square = _SIDE * np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    persons = [
        PersonLabel(frame, _corner(frame) + square, np.full(4, 2), track_id=1)
        for frame in range(0, num_frames, 10)
    ]
    names = ('top_left', 'top_right', 'bottom_left', 'bottom_right')
    frames = tuple(map(VideoFrame, range(num_frames)))
    labels = VideoLabels('clip', Skeleton(names), frames, tuple(persons))
    video, file = folder / f'{num_frames}.mkv', folder / f'{num_frames}.json'
    write_video(video, pictures(), fps=30)
    write_labels(labels, file)
    return str(video), str(file)


def write_many_annotations(path: Path, number: int, num_joints: int) -> None:
    """Write a COCO file of one video."""
    rng = np.random.default_rng(0)
    joints = np.full((number, num_joints, 3), 2.0)
    joints[..., :2] = rng.uniform(0, 480, (number, num_joints, 2)).round(1)
    data = {
        'images': [
            {'id': n, 'file_name': f'clip/{n:06d}.jpg', 'width': 640, 'height': 480}
            for n in range(-(-number // 10))
        ],
        'annotations': [
            {
                'id': n,
                'image_id': n // 10,
                'category_id': 1,
                'track_id': n % 10,
                'keypoints': joints[n].ravel().tolist(),
                'bbox': [1.5, 2.5, 300.5, 200.5],
            }
            for n in range(number)
        ],
        'categories': [
            {'id': 1, 'name': 'person', 'keypoints': [f'joint_{k}' for k in range(num_joints)]}
        ],
    }
    path.write_text(json.dumps(data))


def measure(options: MeasureMemoryOptions) -> None:
    """Measure and print two tables."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        out = str(folder / 'out.json')
        print('| method | frames | peak MiB |\n|---|--:|--:|')
        for method in options.methods:
            for num_frames in options.frames:
                files = write_long_video(folder, num_frames)
                line = ['propagate', *files, '--out', out, '--method', method, '--cache', 'off']
                peak = peak_memory(stdpose, line) / 2**20
                print(f'| `{method}` | {num_frames} | {peak:.0f} |', flush=True)
        print('\n| joints | annotations | file MiB | peak MiB | growth, of the file |')
        print('|--:|--:|--:|--:|--:|')
        for num_joints in (4, 17):
            base = 0
            for number in (100, *options.annotations):
                file = folder / 'annotations.json'
                write_many_annotations(file, number, num_joints)
                size = file.stat().st_size
                peak = peak_memory(stdpose, ['convert', str(file), out, '--to', 'coco'])
                base = base or peak
                cells = (
                    f'{size / 2**20:.1f}',
                    f'{peak / 2**20:.0f}',
                    f'{(peak - base) / size:.1f}',
                )
                print(f'| {num_joints} | {number} | {" | ".join(cells)} |', flush=True)


main = Command(MeasureMemoryOptions, measure, __doc__, 'measure_memory.py')

if __name__ == '__main__':
    raise SystemExit(main())
