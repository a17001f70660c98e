"""Estimate the poses of everyone in every frame of a video.

    stdpose infer clip.mp4 --config C --checkpoint W --det-config D.onnx --out poses.json
    stdpose infer frames/ --config C --checkpoint W --boxes boxes.json --out poses.json

OUT holds every person in every frame with a track id. Memory does not grow with the video. Ctrl-C
ends the run after the frames that are done: OUT then holds these and says that it is incomplete; a
second Ctrl-C ends it at once, and nothing is written. See docs/guide/inference.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from stdpose_mm.choices import (
    BACKEND_PRECISIONS,
    CROP_POLICIES,
    SMOOTHERS,
    TRACKERS,
    WHOLE_PICTURE,
)
from stdpose_mm.cli.arguments import (
    EXIT_INTERRUPTED,
    OneLineParser,
    add_video_arguments,
    check_outputs,
    positive,
    run_command,
)
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import atomic_path

if TYPE_CHECKING:
    import numpy as np

    from stdpose_mm.detection import BoxSource
    from stdpose_mm.inference import FrameEstimate, WindowModel
    from stdpose_mm.io.labels.label_stream import LabelStream
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.structures import PersonLabel


def main(arguments: Sequence[str] | None = None, prog: str = 'infer.py') -> int:
    """Run the command line and return the exit code."""
    incomplete: list[str] = []
    code = run_command(
        make_parser(prog),
        lambda args: incomplete.extend(infer(args)),
        arguments,
        'interrupted, no output was written',
    )
    for sentence in incomplete:
        print(f'{prog}: {sentence}', file=sys.stderr)
    return EXIT_INTERRUPTED if incomplete else code


def make_parser(prog: str) -> argparse.ArgumentParser:
    """Build the parser of the command line."""
    parser = OneLineParser(prog, __doc__)
    add_video_arguments(parser)
    parser.add_argument('--config', required=True, help='config of the model')
    parser.add_argument(
        '--checkpoint', required=True, help='its weights, or a folder of tools/export_onnx.py'
    )
    parser.add_argument('--out', type=Path, required=True, help='label file to write')
    parser.add_argument(
        '--boxes',
        metavar=f'{{FILE,{WHOLE_PICTURE}}}',
        help='person boxes from a file (labels, COCO detections, MOTChallenge), or one person who '
        'fills the picture; instead of a detector',
    )
    parser.add_argument(
        '--det-every',
        type=positive,
        default=1,
        metavar='N',
        help='the detector looks at every N-th frame (%(default)s)',
    )
    parser.add_argument(
        '--tracker',
        choices=TRACKERS,
        default='bytetrack',
        help='identities by boxes, or by boxes corrected by poses (%(default)s)',
    )
    parser.add_argument('--smooth', choices=SMOOTHERS, help='filter of the joints (none)')
    parser.add_argument(
        '--precision',
        choices=BACKEND_PRECISIONS,
        default='float32',
        help='of the model (%(default)s)',
    )
    parser.add_argument(
        '--crops',
        choices=CROP_POLICIES,
        default='frame',
        help='each frame cropped at its own box and looked at once, or all frames of a window at '
        'the box of its key frame, three times slower (%(default)s)',
    )
    parser.add_argument(
        '--batch-size', type=positive, default=8, help='crops the model sees at once (%(default)s)'
    )
    parser.add_argument('--device', default='cpu', help='where the networks run (%(default)s)')
    return parser


def infer(args: argparse.Namespace) -> list[str]:
    """Estimate the poses, write what the command line asks for, and print what was written.

    Returns:
        One sentence if the run was interrupted, else nothing.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    _check(args)
    require_packages('a pose network', 'torch', 'mmpose')
    from tqdm import tqdm

    from stdpose_mm.inference import VideoPoseEstimator, estimate_video, load_backend
    from stdpose_mm.io.labels.label_stream import LabelStream
    from stdpose_mm.io.video import open_frames, require_timing, write_video_like
    from stdpose_mm.tracking.smoothing import build_smoother

    frames = open_frames(args.video)
    if args.save_video is not None:
        require_timing(args.save_video, frames)
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
        if args.save_video is None:
            for _ in results:
                pass
        else:
            # It takes its name after the labels are written: both files are there, or none.
            video = outputs.enter_context(atomic_path(args.save_video))
            write_video_like(video, results.draw(), frames)
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
        f'{args.out}: {labels.num_frames} frames, {len(results.track_ids)} people, '
        f'{labels.num_persons} poses'
    )
    if results.unreadable:
        print(f'{len(results.unreadable)} frames cannot be read, see unreadable_frames in OUT')
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


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot work before anything is computed."""
    check_outputs(args, 'video', 'config', 'checkpoint', 'det_config', 'boxes')
    if args.boxes is not None and args.det_config is not None:
        raise InputError('--boxes and --det-config both say where the people are, give one')
    if args.boxes is None and args.det_config is None:
        raise InputError(
            'nobody says where the people are: give --det-config (an ONNX file, or an MMDetection '
            f'config with --det-checkpoint) or --boxes (a file, or {WHOLE_PICTURE})'
        )
    if args.det_config is None and (args.det_checkpoint is not None or args.det_every > 1):
        raise InputError('--det-checkpoint and --det-every need --det-config, add it')


def _box_source(args: argparse.Namespace, frames: FrameSource) -> BoxSource:
    from stdpose_mm.detection import build_box_source, build_person_detector, read_boxes

    people: Any = args.boxes
    if args.det_config is not None:
        people = build_person_detector(args.det_config, args.det_checkpoint, args.device)
    elif args.boxes != WHOLE_PICTURE:
        people = read_boxes(args.boxes, frames)
    return build_box_source(people, args.det_every, args.tracker)
