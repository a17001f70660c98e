"""The work of ``stdpose infer`` on one video."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

from stdpose_mm.choices import WHOLE_PICTURE
from stdpose_mm.errors import require_packages
from stdpose_mm.io import atomic_path
from stdpose_mm.io.file_kinds import require_config, require_video
from stdpose_mm.wording import counted

if TYPE_CHECKING:
    import numpy as np

    from stdpose_mm.detection import BoxSource
    from stdpose_mm.inference import FrameEstimate, WindowModel
    from stdpose_mm.io.labels.label_stream import LabelStream
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.structures import PersonLabel


def infer_video(args: argparse.Namespace) -> list[str]:
    """Estimate the poses of one video, write its outputs, and print what was written.

    Args:
        args: The parsed command line.

    Returns:
        One sentence if the run was interrupted, else nothing.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    require_packages('a pose network', 'torch', 'mmpose')
    require_video(args.video)
    require_config(args.config)
    from tqdm import tqdm

    from stdpose_mm.cli.progress import describe_time
    from stdpose_mm.inference import VideoPoseEstimator, estimate_video, load_backend
    from stdpose_mm.io.labels.label_stream import LabelStream
    from stdpose_mm.io.video import open_frames, write_video
    from stdpose_mm.tracking.smoothing import build_smoother

    frames = open_frames(args.video)
    box_source = _box_source(args, frames)
    model, backend = load_backend(
        args.config, args.checkpoint, args.device, args.precision, args.batch_size
    )
    estimator = VideoPoseEstimator(model, backend, args.crops, args.batch_size)
    smoother = None if args.smooth is None else build_smoother(args.smooth, frames.fps)
    with ExitStack() as outputs:
        interrupt = outputs.enter_context(_Interrupt())
        folder = args.out.resolve().parent
        labels = outputs.enter_context(LabelStream(frames.name, model.skeleton, folder))
        estimates = estimate_video(
            frames,
            box_source,
            estimator,
            args.tracker,
            smoother,
            keep_pictures=args.save_video is not None,
        )
        outputs.enter_context(closing(estimates))
        shown = tqdm(estimates, total=len(frames), unit=' frames')
        results = _Results(frames, model, labels, interrupt.take_until(shown))
        began = time.monotonic()
        if args.save_video is None:
            for _ in results:
                pass
        else:
            # It takes its name after the labels are written: both files are there, or none.
            video = outputs.enter_context(atomic_path(args.save_video))
            write_video(video, results.draw(), fps=frames.fps or 25)
        seconds = time.monotonic() - began
        is_complete = labels.num_frames == len(frames)
        extra = {
            'complete': is_complete,
            'frames': len(frames),
            'unreadable_frames': results.unreadable,
            'crops': args.crops,
            'precision': args.precision,
            'smoothing': None if smoother is None else str(smoother),
        }
        labels.write(args.out, args.format, {'inference': extra})
    print(
        f'{args.out}: {counted(labels.num_frames, "frame")}, '
        f'{counted(len(results.track_ids), model.skeleton.category)}, '
        f'{counted(labels.num_persons, "pose")}'
    )
    print(describe_time(seconds, labels.num_frames, labels.num_persons))
    if results.unreadable:
        print(
            f'{counted(len(results.unreadable), "frame")} cannot be read, see unreadable_frames in '
            'OUT'
        )
    if is_complete:
        return []
    return [
        f'interrupted: {args.out} holds the first {labels.num_frames} of {len(frames)} frames and '
        'says that it is not complete'
    ]


@dataclass
class _Results:
    """Iterate over the estimates of a video and their labels, which are added to a stream.

    Args:
        frames: The video.
        model: The model that made the estimates.
        labels: The stream.
        estimates: Ascending by index.
        track_ids: Filled while iterating.
        unreadable: Filled with the frames that cannot be read.
    """

    frames: FrameSource
    model: WindowModel
    labels: LabelStream
    estimates: Iterable[FrameEstimate]
    track_ids: set[int] = field(default_factory=set)
    unreadable: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[tuple[FrameEstimate, list[PersonLabel]]]:
        from stdpose_mm.inference.pose_labels import frame_of, labels_of

        for estimate in self.estimates:
            persons = labels_of(estimate, self.model.trained_joints)
            self.labels.add(frame_of(estimate, self.frames), persons)
            self.track_ids.update(estimate.people.track_ids.tolist())
            if estimate.origin != 'seen':
                self.unreadable.append(estimate.frame_index)
            yield estimate, persons

    def draw(self) -> Iterator[np.ndarray]:
        """Yield the pictures with the people drawn."""
        from stdpose_mm.visualization import draw_people

        for estimate, persons in self:
            assert estimate.picture is not None
            yield draw_people(estimate.picture, persons, self.model.skeleton, estimate.frame_index)


class _Interrupt:
    """Note the first Ctrl-C, and raise ``KeyboardInterrupt`` at the second."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> _Interrupt:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def take_until(self, estimates: Iterable[FrameEstimate]) -> Iterator[FrameEstimate]:
        """Yield the estimates up to the one that comes after Ctrl-C."""
        for estimate in estimates:
            yield estimate
            if self.asked:
                return

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def _box_source(args: argparse.Namespace, frames: FrameSource) -> BoxSource:
    from stdpose_mm.detection import build_box_source, build_person_detector, read_boxes

    people: Any = args.boxes
    if args.det_config is not None:
        people = build_person_detector(args.det_config, args.det_checkpoint, args.device)
    elif args.boxes != WHOLE_PICTURE:
        people = read_boxes(args.boxes, frames)
    return build_box_source(people, args.det_every, args.tracker)
