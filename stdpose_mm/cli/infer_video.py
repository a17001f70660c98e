"""The work of ``stdpose infer`` on one video."""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cached_property
from types import FrameType
from typing import TYPE_CHECKING, Any

from stdpose_mm.cli.arguments import frame_options
from stdpose_mm.cli.video_records import VideoResult
from stdpose_mm.constants import WHOLE_PICTURE
from stdpose_mm.errors import require_packages
from stdpose_mm.io import atomic_path
from stdpose_mm.io.file_kinds import require_config, require_video
from stdpose_mm.io.outputs import choose_format, keep_edited
from stdpose_mm.text import counted

if TYPE_CHECKING:
    import numpy as np

    from stdpose_mm.detection import BoxSource, PersonDetector
    from stdpose_mm.inference import FrameEstimate, WindowBackend, WindowModel
    from stdpose_mm.io.labels.label_stream import LabelStream
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.structures import PersonLabel


class InferenceModels:
    """Build the network and the detector once, for all videos of a command.

    Args:
        args: The parsed command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args

    @cached_property
    def network(self) -> tuple[WindowModel, WindowBackend]:
        """Return the model and the backend that runs it."""
        from stdpose_mm.inference import load_backend

        args = self._args
        return load_backend(
            args.config,
            args.checkpoint,
            args.device,
            args.precision,
            args.batch_size,
            args.runtime,
        )

    @cached_property
    def detector(self) -> PersonDetector | None:
        """Return the detector of the command line; None without one."""
        if self._args.det_config is None:
            return None
        from stdpose_mm.detection import build_person_detector

        args = self._args
        return build_person_detector(args.det_config, args.det_checkpoint, args.device)

    def build(self) -> None:
        """Build both now, so that an error that affects all videos appears before the first one."""
        _ = self.detector, self.network


def infer_video(
    args: argparse.Namespace,
    models: InferenceModels,
    progress: bool = True,
    keep_incomplete: bool = True,
    keep_former: bool = True,
) -> VideoResult:
    """Estimate the poses of one video, and write its outputs.

    Args:
        args: The command line of this video.
        models: The models of the command line.
        progress: Show a progress bar.
        keep_incomplete: Whether Ctrl-C ends the work with the frames that are done, which are
            written; otherwise it raises ``KeyboardInterrupt`` at once.
        keep_former: Keep a former version of the labels that somebody may have edited; of several
            videos, such files were refused before.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    require_packages('a pose network', 'torch', 'mmpose')
    require_video(args.video)
    require_config(args.config)
    from tqdm import tqdm

    from stdpose_mm.cli.progress import describe_time
    from stdpose_mm.inference import VideoPoseEstimator, estimate_video
    from stdpose_mm.io.cache_folder import choose_cache_folder
    from stdpose_mm.io.labels import require_times
    from stdpose_mm.io.labels.label_stream import LabelStream
    from stdpose_mm.io.video import clock_of, open_frames, require_timing, write_video_like
    from stdpose_mm.propagation.window import see_every
    from stdpose_mm.tracking.smoothing import build_smoother

    frames = open_frames(args.video)
    time_of = clock_of(frames)
    require_times(choose_format(args.out, args.format), time_of)
    if args.save_video is not None:
        require_timing(args.save_video, frames)
    box_source = _box_source(args, frames, models.detector)
    model, backend = models.network
    estimator = see_every(
        VideoPoseEstimator(model, backend, args.crops, args.batch_size), args.pose_every
    )
    smoother = None if args.smooth is None else build_smoother(args.smooth, frames.fps, time_of)
    with ExitStack() as outputs:
        interrupt = outputs.enter_context(_Interrupt()) if keep_incomplete else None
        folder = args.out.resolve().parent
        labels = outputs.enter_context(LabelStream(frames.name, model.skeleton, folder))
        estimates = estimate_video(
            frames,
            box_source,
            estimator,
            args.tracker,
            smoother,
            keep_pictures=args.save_video is not None,
            min_track_frames=args.min_track_frames,
        )
        outputs.enter_context(closing(estimates))
        shown = tqdm(estimates, total=len(frames), unit=' frames', disable=not progress)
        taken = shown if interrupt is None else interrupt.take_until(shown)
        results = _Results(frames, model, labels, taken)
        began = time.monotonic()
        if args.save_video is None:
            for _ in results:
                pass
        else:
            # The video gets its final name after the labels are written: both files exist, or none.
            video = outputs.enter_context(atomic_path(args.save_video))
            write_video_like(video, results.draw(not args.hide_boxes), frames)
        seconds = time.monotonic() - began
        is_complete = labels.num_frames == len(frames)
        extra = {
            'complete': is_complete,
            'frames': len(frames),
            'unreadable_frames': results.unreadable,
            'pose_every': args.pose_every,
            'frames_seen': results.seen,
            'crops': args.crops,
            'precision': args.precision,
            'smoothing': None if smoother is None else str(smoother),
            'min_track_frames': args.min_track_frames if args.det_config is not None else None,
            'frames_per_second': round(labels.num_frames / seconds, 3),
        }
        with keep_edited(args.out if keep_former else None, choose_cache_folder()) as former:
            labels.write(args.out, args.format, {'inference': extra}, time_of, args.cvat_tolerance)
    counts = {
        'frames': labels.num_frames,
        'people': len(results.track_ids),
        'poses': labels.num_persons,
    }
    summary = [
        f'{args.out}: {counted(labels.num_frames, "frame")}, '
        f'{counted(len(results.track_ids), model.skeleton.category)}, '
        f'{counted(labels.num_persons, "pose")}',
        *former.describe(args.out),
    ]
    if results.unreadable:
        summary.append(
            f'{counted(len(results.unreadable), "frame")} cannot be read, see unreadable_frames in '
            'OUT'
        )
    summary.append(describe_time(seconds, labels.num_frames, labels.num_persons))
    incomplete = (
        f'interrupted: {args.out} holds the first {labels.num_frames} of {len(frames)} frames and '
        'says that it is not complete'
    )
    return VideoResult(counts, summary, incomplete=None if is_complete else incomplete)


@dataclass
class _Results:
    """Iterate over the estimates of a video and their labels, which are added to a stream.

    Args:
        frames: The video.
        model: The model that made the estimates.
        labels: The stream that the labels are added to.
        estimates: Ascending by index.
        track_ids: Filled while iterating.
        unreadable: Filled with the frames that cannot be read.
        seen: Counts the frames that the model has seen.
    """

    frames: FrameSource
    model: WindowModel
    labels: LabelStream
    estimates: Iterable[FrameEstimate]
    track_ids: set[int] = field(default_factory=set)
    unreadable: list[int] = field(default_factory=list)
    seen: int = 0

    def __iter__(self) -> Iterator[tuple[FrameEstimate, list[PersonLabel]]]:
        from stdpose_mm.inference.pose_labels import frame_of, labels_of

        for estimate in self.estimates:
            persons = labels_of(estimate, self.model.trained_joints)
            self.labels.add(frame_of(estimate, self.frames), persons)
            self.track_ids.update(estimate.people.track_ids.tolist())
            self.seen += estimate.origin == 'seen'
            if not estimate.is_readable:
                self.unreadable.append(estimate.frame_index)
            yield estimate, persons

    def draw(self, boxes: bool) -> Iterator[np.ndarray]:
        """Yield the pictures with the people drawn, and with their boxes if ``boxes``."""
        from stdpose_mm.visualization import draw_people

        for estimate, persons in self:
            assert estimate.picture is not None
            yield draw_people(
                estimate.picture, persons, self.model.skeleton, estimate.frame_index, boxes
            )


class _Interrupt:
    """Record the first Ctrl-C, and raise ``KeyboardInterrupt`` at the second."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None

    def __enter__(self) -> _Interrupt:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def take_until(self, estimates: Iterable[FrameEstimate]) -> Iterator[FrameEstimate]:
        """Yield the estimates until Ctrl-C, including the one in progress at that time."""
        for estimate in estimates:
            yield estimate
            if self.asked:
                return

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def _box_source(
    args: argparse.Namespace, frames: FrameSource, detector: PersonDetector | None
) -> BoxSource:
    from stdpose_mm.detection import build_box_source, read_boxes

    people: Any = args.boxes
    if detector is not None:
        people = detector
    elif args.boxes != WHOLE_PICTURE:
        people = read_boxes(args.boxes, frames, options=frame_options(args, 'boxes'))
    return build_box_source(people, args.det_every, args.tracker)
