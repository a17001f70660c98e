"""Peak memory of whole runs of the commands on videos of several lengths."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import write_labels
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels, person_box

STATUS = Path('/proc/self/status')
"""File in which Linux gives the peak memory of a process."""

SKELETON = Skeleton(
    ('head', 'left_hand', 'right_hand', 'left_foot', 'right_foot'),
    limbs=((0, 1), (0, 2), (0, 3), (0, 4)),
)
_POSE = np.array([[0, -1], [-0.6, 0], [0.6, 0], [-0.4, 1], [0.4, 1]])
_FPS = 30

_RUN = """
import re, sys, time
from pathlib import Path
from stdpose_mm.__main__ import main

code = main(sys.argv[3:])
peak = re.search(r'VmHWM:\\s*(\\d+)', Path(sys.argv[2]).read_text())[1]
Path(sys.argv[1]).write_text(f'{peak} {time.process_time()}')
sys.exit(code)
"""


@dataclass(frozen=True)
class SoakClip:
    """Generate a video of people who walk in circles, drawn frame by frame.

    Args:
        num_frames: Its length in frames.
        size: Width and height in pixels.
        num_people: Number of people.
    """

    num_frames: int
    size: tuple[int, int]
    num_people: int

    def poses(self, frame: int) -> np.ndarray:
        """Compute the poses [N, K, 2] of a frame in pixels."""
        width, height = self.size
        columns = int(np.ceil(np.sqrt(self.num_people * width / height)))
        rows = -(-self.num_people // columns)
        cell = np.array([width / columns, height / rows])
        number = np.arange(self.num_people)
        centres = (np.stack([number % columns, number // columns], axis=1) + 0.5) * cell
        angle = 2 * np.pi * (frame / 60 + number / 7)
        reach = cell.min() / 5
        centres += reach * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return np.asarray(centres[:, None] + reach * _POSE)

    def pictures(self) -> Iterator[np.ndarray]:
        """Draw the frames, BGR uint8 [H, W, 3]."""
        width, height = self.size
        coarse = np.random.default_rng(0).uniform(40, 200, (height // 8 + 1, width // 8 + 1, 3))
        background = cv2.resize(coarse.astype(np.uint8), self.size)
        for frame in range(self.num_frames):
            picture = background.copy()
            for person, pose in enumerate(self.poses(frame)):
                color = (0, 80 + 40 * (person % 4), 255 - 50 * (person % 5))
                head, *others = np.rint(pose).astype(int).tolist()
                for joint in others:
                    cv2.line(picture, head, joint, color, 3)
            yield picture

    def labels(self, interval: int) -> VideoLabels:
        """Label every ``interval``-th frame and the last one."""
        labelled = sorted({*range(0, self.num_frames, interval), self.num_frames - 1})
        visible = np.full(SKELETON.num_keypoints, 2)
        persons = [
            PersonLabel(frame, pose, visible, track_id=person)
            for frame in labelled
            for person, pose in enumerate(self.poses(frame))
        ]
        frames = tuple(VideoFrame(frame) for frame in range(self.num_frames))
        return VideoLabels('clip', SKELETON, frames, tuple(persons))

    def boxes(self) -> Iterator[str]:
        """Write the boxes of all frames as lines of MOTChallenge text, without identities."""
        visible = np.full(SKELETON.num_keypoints, 2)
        for frame in range(self.num_frames):
            for pose in self.poses(frame):
                box = person_box(PersonLabel(frame, pose, visible))
                yield f'{frame + 1},-1,{",".join(f"{value:.2f}" for value in box)},1\n'


@dataclass(frozen=True)
class SoakRun:
    """Hold the measurements of a run of a command.

    Args:
        peak: Its peak memory in bytes.
        seconds: Its duration.
        processor_seconds: Processor time of all its threads, the start included; it hardly depends
            on other load of the machine.
    """

    peak: int
    seconds: float
    processor_seconds: float


def soak(command: str, clip: SoakClip, folder: Path, interval: int, model: list[str]) -> SoakRun:
    """Run a command on a clip in a process of its own.

    Args:
        command: 'propagate' or 'infer'.
        clip: Its video, which is generated.
        folder: Where its files go.
        interval: Every n-th frame is labelled for 'propagate'.
        model: Further arguments, such as the model of 'infer'.

    Raises:
        InputError: If the run fails, or this system does not give the memory of a process.
    """
    if not STATUS.is_file():
        raise InputError(f'peak memory is read from {STATUS}, which only Linux has, run it there')
    video, given = folder / 'clip.mp4', folder / 'given.json'
    write_video(video, clip.pictures(), _FPS)
    arguments = [command, str(video)]
    if command == 'propagate':
        write_labels(clip.labels(interval), given)
        arguments += [str(given), '--cache', 'off']
    else:
        given = folder / 'boxes.txt'
        with open(given, 'w') as file:
            file.writelines(clip.boxes())
        arguments += ['--boxes', str(given)]
    arguments += ['--out', str(folder / 'out.json'), *model]
    used = folder / 'used.txt'
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, '-c', _RUN, str(used), str(STATUS), *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise InputError(
            f'{command} of {clip.num_frames} frames ended with {done.returncode}: '
            f'{done.stderr.strip().splitlines()[-1:]}'
        )
    peak, processor_seconds = used.read_text().split()
    return SoakRun(1024 * int(peak), time.monotonic() - began, float(processor_seconds))
