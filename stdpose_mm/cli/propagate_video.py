"""The work of ``stdpose propagate`` on one video."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.cli.arguments import frame_options, pose_network_files, propagation_options
from stdpose_mm.cli.propagation_advice import (
    list_advice,
    list_doubts,
    print_summary,
    word_accuracy,
)
from stdpose_mm.cli.video_records import VideoResult
from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import atomic_path
from stdpose_mm.io.file_kinds import require_video
from stdpose_mm.io.outputs import choose_format, keep_edited, label_outputs
from stdpose_mm.text import counted

if TYPE_CHECKING:
    from mmengine.config import Config

    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.apis.propagation_state import PropagationState
    from stdpose_mm.detection import PersonDetector
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.review import LabelAccuracy
    from stdpose_mm.structures import VideoLabels

FRAMES_IN_REPORT = 12

DEFAULT_ADAPT_MINUTES = 5.0
"""Longest training time of ``--adapt``."""

INTERPOLATE, DETECTOR = 'interpolate', 'detector'


class PropagationModels:
    """Build the propagator and the detector once, for all videos of a command.

    Args:
        args: The parsed command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args

    @cached_property
    def propagator(self) -> VideoPosePropagator:
        """Return the propagator of the command line."""
        return self.build_propagator(self._args.config, self._args.checkpoint)

    @cached_property
    def detector(self) -> PersonDetector | None:
        """Return the detector of the command line; None without one."""
        return _detector(self._args)

    def build(self) -> None:
        """Build both now, so that an error that affects all videos appears before the first one."""
        # Without a checkpoint there is no model before it is adapted.
        if not self._args.adapt or self._args.checkpoint is not None:
            _ = self.propagator
        _ = self.detector

    def build_propagator(
        self, config: str | Config | None, checkpoint: str | Path | None
    ) -> VideoPosePropagator:
        """Build a propagator with this model and the options of the command line."""
        from stdpose_mm.apis import VideoPosePropagator

        args = self._args
        return VideoPosePropagator(
            config,
            checkpoint,
            fuser=args.fuser,
            flow_weights=args.flow_weights,
            **propagation_options(args),
        )


def propagate_video(
    args: argparse.Namespace,
    models: PropagationModels,
    progress: bool = True,
    brief: bool = False,
    keep_former: bool = True,
) -> VideoResult:
    """Propagate the labels of one video, and write its outputs.

    Args:
        args: The command line of this video.
        models: The models of the command line.
        progress: Show progress bars.
        brief: Summarize the labels in one line, for one of several videos.
        keep_former: Keep a former version of the labels that somebody may have edited; of several
            videos, such files were refused before.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    from stdpose_mm.io.cache_folder import choose_cache_folder

    require_video(args.video, args.labels)
    frames = _open_video(args)
    labels = _read_labels(args, frames)
    propagator = _adapt(args, models, frames, labels, progress) if args.adapt else models.propagator
    how = f'{args.method} ({propagator.describe(labels.skeleton)})'
    detector = models.detector
    state = _init_state(args, propagator, frames, labels)
    _tell_labels(args, state, labels, brief)
    if detector is not None:
        _detect_boxes(propagator, state, detector, progress)
    dense, took = _fill_gaps(propagator, state, progress)
    # Before gaps with hidden labels are filled, too.
    used, doubted = propagator.describe_use(), propagator.describe_use(frames.name)
    accuracy = _measure(args, propagator, state, progress)
    judged = _judge(args, dense, accuracy)
    measured = word_accuracy(accuracy, judged) if args.measure else []
    kept = args.out if keep_former else None
    with keep_edited(kept, choose_cache_folder(args.cache)) as former:
        _write_outputs(args, frames, dense, judged, how, measured)
    return VideoResult(
        _count(dense),
        summary=[
            f'method: {how}',
            *used,
            _word_written(args.out, dense),
            *former.describe(args.out),
            *filter(None, [took]),
        ],
        advice=[
            # A summary, which says it of every network, is printed for a single video.
            *(doubted if brief else ()),
            *measured,
            *list_advice(judged, args.check, args.suggest),
        ],
    )


def _open_video(args: argparse.Namespace) -> FrameSource:
    """Open the video, and refuse outputs that need times that it does not have."""
    from stdpose_mm.io.labels import require_times
    from stdpose_mm.io.video import clock_of, open_frames, require_timing

    frames = open_frames(args.video)
    require_times(choose_format(args.out, args.format), clock_of(frames))
    if args.save_video is not None:
        require_timing(args.save_video, frames)
    return frames


def _read_labels(args: argparse.Namespace, frames: FrameSource) -> VideoLabels:
    """Read the labels to propagate, on the frames of the video."""
    from stdpose_mm.io.labels import read_labels
    from stdpose_mm.propagation import match_labels, subsample_labels
    from stdpose_mm.structures.propagated_labels import require_some_given, require_some_joint

    labels = read_labels(
        args.labels,
        video=args.labels_video,
        size=frames.size,
        loaded_into_cvat=args.loaded_into_cvat,
    )
    require_some_given(labels, str(args.labels))
    require_some_joint(labels, str(args.labels))
    # Before, the numbers of frames may be those of a list of pictures.
    labels = match_labels(labels, frames, frame_options(args), args.labels_size)
    return labels if args.keep_every is None else subsample_labels(labels, args.keep_every)


def _adapt(
    args: argparse.Namespace,
    models: PropagationModels,
    frames: FrameSource,
    labels: VideoLabels,
    progress: bool,
) -> VideoPosePropagator:
    """Fine-tune the model on the labels, and build the propagator that uses it."""
    # A model that does not suit the method is refused before it is trained.
    models.build()
    require_packages('--adapt', 'torch', 'mmpose')
    from stdpose_mm.training import adapt

    adapted = adapt(
        args.config,
        args.checkpoint,
        frames,
        labels,
        out=args.out,
        device=args.device,
        max_minutes=DEFAULT_ADAPT_MINUTES if args.adapt_minutes is None else args.adapt_minutes,
        method=args.method,
        options={
            'pose_networks': pose_network_files(args),
            'batch_size': args.batch_size,
            'fuser': args.fuser,
            'flow_weights': args.flow_weights,
            'precision': args.precision,
            'use_stdpose': args.use_stdpose,
        },
        progress=progress,
        announce=print,
    )
    print(adapted)
    return models.build_propagator(*adapted.files)


def _init_state(
    args: argparse.Namespace,
    propagator: VideoPosePropagator,
    frames: FrameSource,
    labels: VideoLabels,
) -> PropagationState:
    """Hand video, labels and boxes to the propagator."""
    from stdpose_mm.io.cache_folder import choose_cache_folder
    from stdpose_mm.io.labels import read_labels

    return propagator.init_state(
        frames,
        labels,
        boxes=None
        if args.boxes in (INTERPOLATE, DETECTOR)
        else read_labels(Path(args.boxes), size=frames.size),
        life_span=args.life_span,
        fill_left_out=args.fill_left_out,
        folder=choose_cache_folder(args.cache),
        box_frame_options=frame_options(args, 'boxes'),
    )


def _tell_labels(
    args: argparse.Namespace, state: PropagationState, labels: VideoLabels, brief: bool
) -> None:
    """Say what is labelled, and what may be wrong with it."""
    from stdpose_mm.io.labels import describe_frames

    if brief:
        for note in (describe_frames(labels), *list_doubts(state)):
            print(f'{args.video}: {note}', file=sys.stderr)
    else:
        print_summary(state, [describe_frames(labels)])


def _detect_boxes(
    propagator: VideoPosePropagator,
    state: PropagationState,
    detector: PersonDetector,
    progress: bool,
) -> None:
    """Find the people of all frames that are not labelled."""
    from tqdm import tqdm

    detected = propagator.detect_in_video(state, detector)
    for _ in tqdm(
        detected, total=len(state.frames), desc='boxes', unit=' frames', disable=not progress
    ):
        pass


def _fill_gaps(
    propagator: VideoPosePropagator, state: PropagationState, progress: bool
) -> tuple[VideoLabels, str]:
    """Propagate the labels; also say how long it took, '' if nothing was computed."""
    from stdpose_mm.cli.progress import FrameProgress

    with FrameProgress(len(state.frames), propagator.method, show=progress) as bar:
        dense = propagator.collect_labels(state, propagator.propagate_in_video(state, bar))
        return dense, bar.describe_time()


def _measure(
    args: argparse.Namespace,
    propagator: VideoPosePropagator,
    state: PropagationState,
    progress: bool,
) -> LabelAccuracy | None:
    """Measure the accuracy on the labels; None if that is not asked for, or none can be hidden."""
    if not args.measure:
        return None
    from tqdm import tqdm

    from stdpose_mm.review import LabelAccuracy, choose_hidden_labels

    hidden = choose_hidden_labels(state.tracks, len(state.frames), state.life_span, args.measure)
    measured = propagator.measure_in_video(state, args.measure)
    return LabelAccuracy.join(
        tqdm(
            measured,
            total=len(hidden),
            desc='hidden labels',
            unit=' frames',
            disable=not progress,
        )
    )


def _judge(
    args: argparse.Namespace, dense: VideoLabels, accuracy: LabelAccuracy | None
) -> VideoLabels:
    """Turn scores into probabilities, where an output shows them."""
    # Takes memory for each frame.
    if args.report is None and not args.check and not args.suggest and not args.measure:
        return dense
    from stdpose_mm.review import calibrate_scores, recalibrate

    judged = calibrate_scores(dense, args.method)
    return judged if accuracy is None else recalibrate(judged, accuracy.calibrator)


def _write_outputs(
    args: argparse.Namespace,
    frames: FrameSource,
    dense: VideoLabels,
    judged: VideoLabels,
    how: str,
    measured: Sequence[str],
) -> None:
    """Write the labels, and the overlay video and the report if they are asked for.

    Args:
        args: The command line of this video.
        frames: The video.
        dense: The labels to write.
        judged: The same with probabilities as scores.
        how: The method, in words.
        measured: What was measured on the labels, in sentences.
    """
    from stdpose_mm.io.labels import write_labels
    from stdpose_mm.io.video import clock_of

    # All outputs get their final names when everything is written, the labels last: if a picture
    # cannot be read, or a file cannot be written, no output is left. DeepLabCut's labels have a
    # second file, which is named after the first one.
    with ExitStack() as outputs:
        out = args.out
        files = label_outputs('--out', out, choose_format(out, args.format))
        if len(files) == 1:
            out = outputs.enter_context(atomic_path(out))
        video = None
        if args.save_video is not None:
            from stdpose_mm.visualization import write_overlay

            video = outputs.enter_context(atomic_path(args.save_video))
            write_overlay(video, frames, dense)
        if args.report is not None:
            from stdpose_mm.review import frames_to_check
            from stdpose_mm.visualization import write_report

            write_report(
                args.report,
                frames,
                dense,
                checks=frames_to_check(judged, FRAMES_IN_REPORT),
                video=video,
                method=how,
                measured=measured,
                video_path=args.save_video,
                outputs=outputs,
            )
        write_labels(dense, out, args.format, clock_of(frames), args.cvat_tolerance)


def _count(dense: VideoLabels) -> dict[str, int]:
    """Count what the summary of several videos adds up."""
    return {
        'frames': len(dense.frames),
        'people': len(dense.track_ids),
        'given': sum(int(person.given.sum()) for person in dense.persons),
        'propagated': sum(int((p.labelled & ~p.given).sum()) for p in dense.persons),
    }


def _word_written(out: Path, dense: VideoLabels) -> str:
    """Say in a line what the label file holds."""
    from stdpose_mm.structures import count_sources

    count = count_sources(dense.persons)
    return (
        f'{out}: {counted(len(dense.frames), "frame")}, '
        f'{counted(len(dense.track_ids), dense.skeleton.category)}, {count["given"]} given and '
        f'{counted(count["propagated"], "propagated pose")}'
        + (f', {counted(count["absent"], "time")} absent' if count['absent'] else '')
    )


def _detector(args: argparse.Namespace) -> PersonDetector | None:
    if args.boxes != DETECTOR:
        if args.det_config is not None or args.det_checkpoint is not None:
            raise InputError('--det-config and --det-checkpoint need --boxes detector, add it')
        return None
    if args.det_config is None:
        raise InputError(
            '--boxes detector needs --det-config, give an MMDetection config (with '
            '--det-checkpoint) or an ONNX file'
        )
    from stdpose_mm.detection import build_person_detector

    return build_person_detector(args.det_config, args.det_checkpoint, args.device)
