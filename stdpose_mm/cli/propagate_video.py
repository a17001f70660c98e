"""The work of ``stdpose propagate`` on one video."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.errors import InputError, require_packages
from stdpose_mm.io import atomic_path
from stdpose_mm.io.file_kinds import require_video
from stdpose_mm.wording import counted

if TYPE_CHECKING:
    from stdpose_mm.apis.video_pose_propagator import PropagationState
    from stdpose_mm.detection import PersonDetector
    from stdpose_mm.structures import VideoLabels

FRAMES_IN_REPORT = 12

INTERPOLATE, DETECTOR = 'interpolate', 'detector'


def propagate_video(args: argparse.Namespace) -> None:
    """Propagate the labels of one video, write its outputs, and print what was written.

    Args:
        args: The parsed command line.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    require_video(args.video, args.labels)
    from tqdm import tqdm

    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.cli.progress import FrameProgress
    from stdpose_mm.io.labels import read_labels, write_labels
    from stdpose_mm.io.result_cache import remove_unfinished, unfinished_folder
    from stdpose_mm.io.video import open_frames
    from stdpose_mm.propagation import subsample_labels

    labels = read_labels(args.labels, video=args.labels_video)
    if args.keep_every is not None:
        labels = subsample_labels(labels, args.keep_every)
    frames = open_frames(args.video)
    config, checkpoint = args.config, args.checkpoint
    build = partial(
        VideoPosePropagator,
        device=args.device,
        method=args.method,
        batch_size=args.batch_size,
        fuser=args.fuser,
        flow_weights=args.flow_weights,
        precision=args.precision,
    )
    if args.adapt:
        if checkpoint is not None:
            # A model that does not suit the method is refused before it is trained.
            build(config, checkpoint)
        require_packages('--adapt', 'torch', 'mmpose')
        from stdpose_mm.training import adapt

        adapted = adapt(
            config,
            checkpoint,
            frames,
            labels,
            out=args.out,
            device=args.device,
            max_minutes=args.adapt_minutes,
        )
        print(adapted)
        config, checkpoint = adapted.config, adapted.checkpoint
    propagator = build(config, checkpoint)
    how = f'{args.method} ({propagator.describe(labels.skeleton)})'
    detector = _detector(args)
    state = propagator.init_state(
        frames,
        labels,
        boxes=None if args.boxes in (INTERPOLATE, DETECTOR) else read_labels(Path(args.boxes)),
        life_span=args.life_span,
        folder=unfinished_folder(args.out),
    )
    print_summary(state)
    if detector is not None:
        detected = propagator.detect_in_video(state, detector)
        for _ in tqdm(detected, total=len(state.frames), desc='boxes', unit=' frames'):
            pass
    with FrameProgress(len(state.frames), propagator.method) as progress:
        results = propagator.propagate_in_video(state, progress)
        dense = propagator.collect_labels(state, results)
        took = progress.describe_time()
    # The video takes its name after the labels are written: both files are there, or none.
    with ExitStack() as outputs:
        if args.save_video is not None:
            from stdpose_mm.visualization import write_overlay

            video = outputs.enter_context(atomic_path(args.save_video))
            write_overlay(video, frames, dense)
        write_labels(dense, args.out, args.format)
    if args.report is not None:
        from stdpose_mm.review import frames_to_check
        from stdpose_mm.visualization import write_report

        write_report(
            args.report,
            frames,
            dense,
            checks=frames_to_check(dense, FRAMES_IN_REPORT),
            video=args.save_video,
            method=how,
        )
    remove_unfinished(args.out)
    count = Counter(person.source for person in dense.persons)
    print(f'method: {how}')
    print(
        f'{args.out}: {counted(len(dense.frames), "frame")}, '
        f'{counted(len(dense.track_ids), dense.skeleton.category)}, {count["given"]} given and '
        f'{counted(count["propagated"], "propagated pose")}'
        + (f', {counted(count["absent"], "time")} absent' if count['absent'] else '')
    )
    if took:
        print(took)
    print_advice(dense, args.check, args.suggest)


def print_summary(state: PropagationState, notes: Sequence[str] = ()) -> None:
    """Say what is labelled in a video before poses are computed.

    Args:
        state: The video with its labels.
        notes: What else was noticed about them, a sentence each.
    """
    from stdpose_mm.review import summarize_labels, word_summary

    if state.skeleton is None:
        return
    summary = summarize_labels(
        state.tracks, state.skeleton, len(state.frames), state.frames.size, state.life_span
    )
    if any(track.given for track in summary.tracks):
        print(word_summary(summary, notes), flush=True)


def print_advice(dense: VideoLabels, check: int, suggest: int) -> None:
    """Name the frames to look at, and those to label next."""
    from stdpose_mm.review import frames_to_check, rank_suggestions

    who = dense.skeleton.category
    for frame in frames_to_check(dense, check):
        joints = ', '.join(
            f'{joint.joint} of {who} {joint.track_id} ({joint.score:.2f})' for joint in frame.joints
        )
        print(
            f'check frame {frame.frame_index}: {frame.expected_wrong:.1f} joints are probably '
            f'wrong, above all {joints}'
        )
    given = {person.frame_index for person in dense.persons if person.source == 'given'}
    for suggestion in rank_suggestions(dense, given, suggest):
        print(
            f'label frame {suggestion.frame_index} next: {suggestion.gain:.1f} fewer joints would '
            'be wrong'
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
