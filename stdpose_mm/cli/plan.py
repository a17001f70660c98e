"""Choose which frames of unlabelled videos to label first.

    stdpose plan clip.mp4
    stdpose plan videos/ --boxes boxes/ --target 0.9
    stdpose plan videos/ --max-labels 200 --out frames.csv

No labels are needed: frames are chosen by the motion in the pictures or, which is more informative,
by the boxes of a person tracker. Several videos share one budget. The last line says how many
labels it takes to reach several shares of right joints. See docs/guide/confidence.md.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.io import write_text
from stdpose_mm.text import counted, ranges

from .argument_types import fraction, positive
from .command import Command
from .options import BoxOptions, refuse_idle
from .parser import argument, option

if TYPE_CHECKING:
    from stdpose_mm.labelling.review import UnlabelledVideo

SHARES = (0.9, 0.95, 0.98)
"""Shares of right joints for which the required number of labels is printed."""


@dataclass(frozen=True, kw_only=True)
class PlanOptions(BoxOptions):
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
    videos = [options.files_of(video) for video in listed.videos]
    opened = []
    for files in videos:
        frames, boxes = open_frames(files.video), files.boxes
        opened.append((frames, None if boxes is None else read_tracks(boxes, frames, box_frames)))
    planned = []
    bar = tqdm(opened, desc='motion', unit=' videos', leave=False, delay=1, disable=None)
    for frames, tracks in bar:
        motions = measure_motion(frames, tracks)
        planned.append(UnlabelledVideo(motions, len(frames), options.method))
    choice = choose_first_labels(planned, options.target, options.max_labels)
    if options.out is not None:
        table = io.StringIO()
        rows = csv.writer(table, lineterminator='\n')
        rows.writerow(['video', 'frame'])
        for video, chosen in zip(videos, choice.frames, strict=True):
            rows.writerows([video.video, frame] for frame in chosen)
        write_text(options.out, table.getvalue())
    for video, chosen in zip(videos, choice.frames, strict=True):
        noun = 'frame' if len(chosen) == 1 else 'frames'
        frames_named = f'{noun} {ranges(chosen)}' if chosen else 'no frame'
        print(f'{video.video}: label {frames_named}')
    print(
        f'{counted(choice.number, "label")}: {choice.expected_right:.1%} of joints are expected to '
        f'be right with {options.method}'
    )
    print('; '.join(_format_ratio(planned, share) for share in SHARES))
    if options.out is not None:
        print(f'{options.out}: the frames to label')


def _format_ratio(planned: Sequence[UnlabelledVideo], share: float) -> str:
    from stdpose_mm.labelling.review import choose_first_labels

    choice = choose_first_labels(planned, share)
    return f'{share:.0%} would take {counted(choice.number, "label")}'


main = Command(PlanOptions, plan, __doc__, 'plan.py')
