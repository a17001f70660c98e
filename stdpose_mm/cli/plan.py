"""Choose which frames of unlabelled videos to label first.

    stdpose plan clip.mp4
    stdpose plan videos/ --boxes boxes/ --target 0.9
    stdpose plan videos/ --max-labels 200 --out frames.csv
    stdpose plan session/ --calibration cameras.toml

No labels are needed: frames are chosen by the motion in the pictures or, which is more informative,
by the boxes of a person tracker. Several videos share one budget. Of several calibrated cameras,
two are to be labelled, in the same frames: the others follow from them. The last line says how many
labels it takes to reach several shares of right joints. See docs/guide/confidence.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.io import write_text
from stdpose_mm.text import counted, ranges

from .argument_types import fraction, positive
from .command import Command
from .options import BoxOptions, CameraOptions, refuse_idle
from .parser import argument, option

if TYPE_CHECKING:
    from stdpose_mm.labelling.review import UnlabelledVideo

SHARES = (0.9, 0.95, 0.98)
"""Shares of right joints for which the required number of labels is printed."""


@dataclass(frozen=True, kw_only=True)
class PlanOptions(CameraOptions, BoxOptions):
    """Options of ``stdpose plan``.

    Args:
        inputs: Video file or folder of pictures; or several of them, folders of videos, or a
            dataset file (.csv, .jsonl).
        boxes: Boxes of tracked people (labels, output of infer, MOTChallenge); with several videos,
            a folder (default: choose frames by the motion in the pictures).
        method: Method that will fill the other frames.
        target: Share of correct joints to reach, over all frames.
        max_labels: Largest number of frames to label, over all videos.
        out: Also write the chosen frames as a table (.csv) with the columns video and frame.
    """

    inputs: list[str] = argument('VIDEO_OR_FRAMES', nargs='+')
    method: str = option('auto', choices=PROPAGATION_METHODS)
    target: float = option(0.95, type=fraction, metavar='SHARE')
    max_labels: int | None = option(type=positive, metavar='N')
    out: Path | None = option(writes=True, what='frames', suffixes=('.csv',), metavar='FILE')


def plan(options: PlanOptions) -> None:
    """Choose frames and print them.

    Raises:
        InputError: If something that was given cannot be used.
    """
    from tqdm import tqdm

    from stdpose_mm.detection import read_tracks
    from stdpose_mm.io.video import open_frames
    from stdpose_mm.labelling.review import UnlabelledVideo, choose_first_labels, measure_motion

    listed, box_frames = options.listed, options.box_frames
    options.require_folders()
    refuse_idle(options)
    scenes = _find_scenes(options)
    videos = [options.files_of(video) for video in listed.videos]
    opened = []
    for files in videos:
        frames, boxes = open_frames(files.video), files.boxes
        opened.append((frames, None if boxes is None else read_tracks(boxes, frames, box_frames)))
    measured = []
    bar = tqdm(opened, desc='motion', unit=' videos', leave=False, delay=1, disable=None)
    for frames, tracks in bar:
        measured.append(measure_motion(frames, tracks))
    planned = []
    for starts, _ in scenes:
        # A frame that is labelled in two views is known in all.
        motions = [m.later(start) for n, start in starts.items() for m in measured[n]]
        length = max(len(opened[number][0]) + start for number, start in starts.items())
        planned.append(UnlabelledVideo(motions, length, options.method))
    views = len(scenes[0].labelled)
    limit = None if options.max_labels is None else options.max_labels // views
    choice = choose_first_labels(planned, options.target, limit)
    chosen: list[list[int]] = [[] for _ in videos]
    for scene, times in zip(scenes, choice.frames, strict=True):
        for number in scene.labelled:
            of_video = (time - scene.starts[number] for time in times)
            chosen[number] = [frame for frame in of_video if 0 <= frame < len(opened[number][0])]
    if options.out is not None:
        table = io.StringIO()
        rows = csv.writer(table, lineterminator='\n')
        rows.writerow(['video', 'frame'])
        for video, frames_of_video in zip(videos, chosen, strict=True):
            rows.writerows([video.video, frame] for frame in frames_of_video)
        write_text(options.out, table.getvalue())
    for video, frames_of_video in zip(videos, chosen, strict=True):
        noun = 'frame' if len(frames_of_video) == 1 else 'frames'
        frames_named = f'{noun} {ranges(frames_of_video)}' if frames_of_video else 'no frame'
        print(f'{video.video}: label {frames_named}')
    print(
        f'{counted(sum(map(len, chosen)), "label")}: {choice.expected_right:.1%} of joints are '
        f'expected to be right with {options.method}'
    )
    print('; '.join(_format_ratio(planned, share, views) for share in SHARES))
    if options.out is not None:
        print(f'{options.out}: the frames to label')


class _Scene(NamedTuple):
    """Videos that are planned together: several views of a scene, or a single video.

    Args:
        starts: Number of each video -> the frame of the first one at which it starts.
        labelled: The videos to label.
    """

    starts: dict[int, int]
    labelled: Sequence[int]


def _find_scenes(options: PlanOptions) -> list[_Scene]:
    """Group the views of a scene, of which the two nearest to a right angle are to be labelled."""
    if not options.cameras:
        return [_Scene({number: 0}, [number]) for number in range(len(options.listed.videos))]
    cameras, start_of = [pair.camera for pair in options.cameras.values()], options.starts
    scenes = []
    for numbers in options.sessions.values():
        starts = {number: start_of[cameras[number].name] for number in numbers}
        first = min(starts.values())
        axes = {number: cameras[number].rotation[2] for number in numbers}
        pair = min(combinations(starts, 2), key=lambda pair: abs(axes[pair[0]] @ axes[pair[1]]))
        scenes.append(_Scene({n: start - first for n, start in starts.items()}, pair))
    return scenes


def _format_ratio(planned: Sequence[UnlabelledVideo], share: float, views: int) -> str:
    from stdpose_mm.labelling.review import choose_first_labels

    choice = choose_first_labels(planned, share)
    return f'{share:.0%} would take {counted(views * choice.number, "label")}'


main = Command(PlanOptions, plan, __doc__, 'plan.py')
