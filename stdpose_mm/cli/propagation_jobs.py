"""Propagation of the labels of one video: its options, its job, and the writing of its outputs."""

from __future__ import annotations

import math
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from stdpose_mm.constants import WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.output_guards import Output, refuse_input_folders
from stdpose_mm.io.disk.outputs import keep_edited, learned_network, report_video
from stdpose_mm.io.video_list import VideoInputs
from stdpose_mm.text import counted

from .argument_types import fraction, minutes, whole
from .jobs import DenseJob, VideoOptions
from .learn import learn_with_progress
from .options import AUTO, CALIBRATION, CacheOptions, CameraOptions, LabelOptions, PropagatorOptions
from .parser import Need, argument, option
from .propagation_advice import format_accuracy, list_advice
from .videos import CommandModels, VideoResult, side_output

if TYPE_CHECKING:
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.apis.propagation_state import PropagationState
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.labelling.review import LabelAccuracy
    from stdpose_mm.structures import VideoLabels

    from .progress import FrameProgress

FRAMES_IN_REPORT = 12
INTERPOLATE, DETECTOR = 'interpolate', 'detector'
REPORT_SUFFIXES = ('.html', '.htm')

_ONE_CAMERA = Need('one camera at a time', lambda options: options.calibration is None)
_FLOW_METHOD = Need('--method auto or flow', lambda options: options.method in ('auto', 'flow'))


@dataclass(frozen=True, kw_only=True)
class PropagateOptions(CameraOptions, CacheOptions, VideoOptions, LabelOptions, PropagatorOptions):
    """Options of ``stdpose propagate``.

    Args:
        inputs: A video file or folder of pictures and a file with labels of some of its frames; or
            several videos or folders of videos and the folder of their label files; or a dataset
            file (.csv, .jsonl) that names both.
        fuser: Weights of the fuser of auto (default: those that come with the package).
        flow_weights: Weights of torchvision's raft_small: compute optical flow by RAFT instead of
            OpenCV's DIS.
        learn: First train a small network on these labels (of all videos), as long as their
            number needs (five to twelve minutes for 40 poses on two idle cores) or for MINUTES;
            auto uses it if that makes more joints right on labels that were hidden from it. It is
            saved beside OUT, so that --pose-onnx can use it in other videos.
        boxes: Person boxes in unlabelled frames: interpolated between the boxes of the labels,
            found near the interpolated boxes by a detector, or read from a file (labels,
            MOTChallenge) with the same track ids.
        fill_left_out: In labelled frames, also propagate the joints that the label leaves out.
        min_score: Leave propagated joints that score less than S unlabelled, and people without any
            other joint out, for a training set.
        report: Also write a page (.html) that shows what to check; with several videos, a folder.
        check: Print the N frames that are most likely wrong.
        suggest: Print the N frames whose labels would improve the result most.
        measure: Measure how accurate propagation is in this video, and print it: hide the labels of
            N frames one at a time, fill them in from all others and compare. The scores behind
            --check, --suggest and --report take the result into account.
        keep_every: Use only the labels on every T-th frame of the video, to try propagation on
            fully labelled videos.
        format_3d: Format of the joints in space, which are written beside OUT.
    """

    help_title: ClassVar = 'propagation'

    common: ClassVar = (
        'out',
        'save_video',
        'report',
        'format',
        'method',
        'pose',
        'learn',
        'measure',
        'check',
        'suggest',
        'quiet',
    )

    box_words = (INTERPOLATE, DETECTOR)

    reads_labels = True

    inputs: list[str] = argument('VIDEO_OR_FRAMES ... LABELS', nargs='+')
    fuser: str | None = option(metavar='FILE', needs=AUTO)
    flow_weights: str | None = option(metavar='FILE', needs=_FLOW_METHOD)
    learn: float | None = option(
        None,
        '--adapt',
        '--learn',
        nargs='?',
        const=math.inf,
        type=minutes,
        metavar='MINUTES',
        needs=AUTO,
    )
    boxes: str = option(INTERPOLATE, metavar='{interpolate,detector,FILE}')
    fill_left_out: bool = option(False)
    min_score: float = option(0.0, type=fraction, metavar='S')
    report: str | None = option(writes=True, is_folder=None, metavar='FILE')
    check: int = option(0, type=whole, metavar='N')
    suggest: int = option(0, type=whole, metavar='N')
    measure: int = option(0, type=whole, metavar='N', needs=_ONE_CAMERA)
    keep_every: int | None = option(metavar='T')
    format_3d: str = option('trc', choices=('trc', 'csv', 'nc'), needs=CALIBRATION)

    @property
    def job_noun(self) -> str:
        return 'session' if self.cameras else super().job_noun

    @property
    def several_jobs(self) -> bool:
        return len(self.sessions) > 1 if self.cameras else super().several_jobs

    @cached_property
    def listed(self) -> VideoInputs:
        """See :attr:`InputOptions.listed`; a view of a scene needs no labels."""
        listed = super().listed
        if len(self.sessions) < 2:
            return replace(listed, needs_labels=listed.needs_labels and not self.cameras)
        # The videos of all sessions have the same names.
        named = []
        for video in listed.videos:
            suffix = WRITE_FORMATS[self.format][0] if self.format else '.json'
            out = PurePosixPath(self.cameras[video.video].session, f'{video.name}{suffix}')
            named.append(replace(video, out=video.out or out))
        return replace(listed, videos=named, needs_labels=False)

    @property
    def uses_device(self) -> bool:
        return self.uses_model or bool(self.flow_weights) or super().uses_device

    @property
    def detects_people(self) -> bool:
        return self.boxes == DETECTOR

    def validate(self) -> None:
        super().validate()
        if self.boxes == DETECTOR and self.detector is None:
            raise InputError(
                f'--boxes {DETECTOR} would have no effect: give --detector, or leave it out'
            )
        self.require_folders()
        if not self.listed.several:
            return
        refuse_input_folders(
            {f'--{name.replace("_", "-")}': path for name, path in self.outputs.items()},
            {
                'the videos': self.inputs,
                'LABELS': self.listed.labels,
                **self.shared_folders,
                **self.result_paths,
            },
        )


class PropagateJob(DenseJob[PropagateOptions]):
    """The propagation of the labels of one video."""

    @property
    def report(self) -> str | None:
        """The report that is written."""
        return self.outputs.get('report')

    @property
    def file_outputs(self) -> list[Output]:
        outputs = super().file_outputs
        if self.report is not None:
            outputs.append(Output('--report', self.report, 'a report', REPORT_SUFFIXES))
            outputs.append(Output('the video of --report', report_video(self.report)))
        if self.options.learn is not None and not self.is_listed:
            outputs.append(Output('the learned network of --out', learned_network(self.out)))
        return outputs

    @property
    def side_outputs(self) -> dict[str, str]:
        report = {} if self.report is None else {self.report: 'the report, a page for the browser'}
        return {**super().side_outputs, **report}

    def open_labels(self, frames: FrameSource) -> VideoLabels:
        """Read the labels to propagate, on the frames of the video.

        Raises:
            InputError: If they cannot be read or do not fit, or nothing is labelled.
        """
        from stdpose_mm.labelling.propagation import subsample_labels
        from stdpose_mm.structures.propagated_labels import require_start

        labels = self.options.label_reading.read(self.files, frames)
        require_start(labels, str(self.files.labels))
        interval = self.options.keep_every
        return labels if interval is None else subsample_labels(labels, interval)

    def init_state(
        self, propagator: VideoPosePropagator, frames: FrameSource, labels: VideoLabels
    ) -> PropagationState:
        """Give the video, its labels and boxes to a propagator.

        Raises:
            InputError: If they do not fit together.
        """
        from stdpose_mm.detection import read_tracks

        options, boxes = self.options, self.files.boxes
        return propagator.init_state(
            frames,
            labels,
            boxes=None if boxes is None else read_tracks(boxes, frames, options.box_frames),
            life_span=options.life_span,
            fill_left_out=options.fill_left_out,
            folder=options.cache_folder,
        )


@dataclass(frozen=True, kw_only=True)
class PropagationModels(CommandModels):
    """The networks of the command.

    Args:
        propagator: The propagator.
    """

    propagator: VideoPosePropagator


def load_models(options: PropagateOptions, videos: Sequence[PropagateJob]) -> PropagationModels:
    """Load the networks of the command; with ``--learn``, train one on the labels of all videos.

    Raises:
        InputError: If something that was given cannot be used.
    """
    from stdpose_mm.apis import VideoPosePropagator

    propagator = VideoPosePropagator(
        options.config,
        options.checkpoint,
        fuser=options.fuser,
        flow_weights=options.flow_weights,
        **options.propagator_arguments,
    )
    detector = options.build_detector()
    # The labels of a single video are described before a network learns from them.
    if options.learn is None or not options.listed.several:
        return PropagationModels(propagator=propagator, detector=detector)
    states = []
    for job in videos:
        job.check()
        if job.files.labels is not None:
            frames = job.open_video()
            states.append(job.init_state(propagator, frames, job.open_labels(frames)))
    out = learned_network(options.out, several=True)
    outcome = learn_with_progress(
        propagator, states, out, options.learn, only_if_helpful=True, quiet=options.quiet
    )
    learned = [out] if outcome.helped else []
    return PropagationModels(propagator=propagator, detector=detector, learned=learned)


@dataclass(frozen=True)
class FilledVideo:
    """The poses of one video before its outputs are written.

    Args:
        job: The video.
        frames: The video.
        state: The video with its given labels; None if it has none.
        dense: The poses.
        took: Lines on how they were made.
        used: Lines on the evidence.
        warnings: Sentences on evidence that was of no use.
        known: Frames that count as labelled, as other views know them.
    """

    job: PropagateJob
    frames: FrameSource
    state: PropagationState | None
    dense: VideoLabels
    took: list[str] = field(default_factory=list)
    used: Sequence[str] = ()
    warnings: Sequence[str] = ()
    known: Collection[int] = ()


def propagate_video(job: PropagateJob, models: PropagationModels) -> VideoResult:
    """Propagate the labels of one video and write its outputs.

    For one of several videos, only warnings about its labels are printed, and no backup of earlier
    labels is made, since edited labels were refused before.

    Args:
        job: The video.
        models: The networks of the command.

    Raises:
        InputError: If something that was given cannot be used; no label file is written then.
    """
    from .progress import FrameProgress

    options, propagator = job.options, models.propagator
    frames = job.open_video()
    labels = job.open_labels(frames)
    state = job.init_state(propagator, frames, labels)
    print_label_summary(job, state, labels)
    if options.learn is not None and not job.is_listed:
        learn_with_progress(
            propagator,
            [state],
            learned_network(job.out),
            options.learn,
            only_if_helpful=True,
            quiet=options.quiet,
        )
    parts = (True, models.detector, options.measure, job.save_video, job.report)
    with FrameProgress(len(frames), sum(map(bool, parts)), options.quiet) as bar:
        return write_video_outputs(fill_video(job, models, state, bar), models, bar)


def fill_video(
    job: PropagateJob, models: PropagationModels, state: PropagationState, bar: FrameProgress
) -> FilledVideo:
    """Propagate the labels of one video."""
    options, propagator = job.options, models.propagator
    if models.detector is not None:
        with bar.part('boxes'):
            for number, _ in enumerate(propagator.detect_in_video(state, models.detector)):
                bar.advance(number + 1)
    with bar.part(propagator.method):
        dense = propagator.collect_labels(state, propagator.propagate_in_video(state, bar))
        took = bar.describe_time()
    if options.fix_sides:
        dense = job.fix_sides(dense, took)
    # The gaps of hidden labels, which are filled later, are no part of it.
    used, warnings = propagator.describe_use(), propagator.evidence_warnings(state)
    return FilledVideo(job, state.frames, state, dense, took, used, warnings)


def write_video_outputs(
    filled: FilledVideo, models: PropagationModels, bar: FrameProgress
) -> VideoResult:
    """Judge the poses of a video as the options ask, and write its outputs."""
    from stdpose_mm.labelling.review import describe_poses
    from stdpose_mm.structures.propagated_labels import keep_certain

    job, dense, took, propagator = filled.job, filled.dense, filled.took, models.propagator
    options, out = job.options, Path(job.out)
    method = f'{options.method} ({propagator.describe(dense.skeleton)})'
    counts = _count(dense)
    if options.min_score:
        certain = keep_certain(dense, options.min_score)
        left_out = _count_propagated_joints(dense) - _count_propagated_joints(certain)
        dense, counts = certain, {**_count(certain), 'joints left out': left_out}
        joints = counted(left_out, 'joint')
        took.append(f'{joints} below {options.min_score:g} left unlabelled')
    calibrated, accuracy, measured = _calibrate(options, propagator, filled.state, dense, bar)
    with keep_edited(options.cache_folder, *job.replaced_outputs):
        linked, problems = _write_outputs(
            job, filled.frames, dense, calibrated, method, measured, bar
        )
    suggested = list_advice(calibrated, options.check, options.suggest, accuracy, filled.known)
    advice = [*measured, *suggested]
    if job.is_listed or options.quiet:
        # For a single video, the summary names every network.
        advice = [*filled.warnings, *advice]
    if options.calibration is not None:
        advice = [f'{job.files.video.name}: {line}' for line in advice]
    return VideoResult(
        counts,
        summary=[
            f'method: {method}',
            *filled.used,
            f'{out}: {describe_poses(dense)}',
            *took,
            *(f'{file.path}: the project file of {out}' for file in job.label_files[1:]),
            *job.describe_side_outputs(problems),
            *([] if linked is None else [f'{linked}: the video of the report']),
            *advice,
        ],
        advice=advice,
        problems=[*problems.values()],
    )


def print_label_summary(job: PropagateJob, state: PropagationState, labels: VideoLabels) -> None:
    """Print what is labelled; for one of several videos, and with --quiet, only warnings."""
    from stdpose_mm.io.labels import describe_frames
    from stdpose_mm.labelling.review import describe_labels, label_warnings

    tracks, skeleton, frames = state.tracks, labels.skeleton, state.frames
    if not any(label.is_located for track in tracks.values() for label in track.values()):
        return
    note, warnings = describe_frames(labels), label_warnings(tracks, skeleton, frames.size)
    if job.is_listed or job.options.quiet:
        for sentence in warnings if job.options.quiet else (note, *warnings):
            print(f'{job.files.video}: {sentence}', file=sys.stderr)
        return
    notes = [*map(str, warnings), note]
    text = describe_labels(tracks, skeleton, len(frames), frames.size, state.life_span, notes)
    print(text, flush=True)


def _calibrate(
    options: PropagateOptions,
    propagator: VideoPosePropagator,
    state: PropagationState | None,
    dense: VideoLabels,
    bar: FrameProgress,
) -> tuple[VideoLabels, LabelAccuracy | None, list[str]]:
    """Turn scores into probabilities if an output shows them; measure the accuracy if requested.

    Returns:
        The labels with probabilities as scores, the measured accuracy, and sentences on it.
    """
    # This takes memory for each frame.
    if not (options.report or options.check or options.suggest or options.measure):
        return dense, None, []
    from stdpose_mm.labelling.review import LabelAccuracy, calibrate_scores, recalibrate

    # Several views have calibrated them together.
    calibrated = dense if options.calibration else calibrate_scores(dense, options.method)
    if not options.measure or state is None:
        return calibrated, None, []
    hidden = propagator.labels_to_hide(state, options.measure)
    filled_in = []
    with bar.part('hidden labels'):
        for errors in propagator.measure_in_video(state, options.measure):
            filled_in.append(errors)
            bar.advance(len(state.frames) * len(filled_in) / len(hidden))
    accuracy = LabelAccuracy.join(filled_in)
    if accuracy is not None:
        calibrated = recalibrate(calibrated, accuracy.calibrator)
    return calibrated, accuracy, format_accuracy(accuracy, calibrated)


def _write_outputs(
    job: PropagateJob,
    frames: FrameSource,
    dense: VideoLabels,
    calibrated: VideoLabels,
    method: str,
    measured: Sequence[str],
    bar: FrameProgress,
) -> tuple[Path | None, dict[str, str]]:
    """Write the labels, then the overlay video and the report if requested.

    Args:
        job: The video.
        frames: The video.
        dense: The labels to write.
        calibrated: The same labels with probabilities as scores.
        method: Description of the method.
        measured: Sentences on the measured accuracy.
        bar: The progress.

    Returns:
        The video that the report links, or None; and of the overlay video and the report, those
        that could not be written, with a sentence.

    Raises:
        InputError: If the labels cannot be written; there are no other outputs then.
        KeyboardInterrupt: If interrupted after the labels are written, with a message.
    """
    from stdpose_mm.io.labels import write_labels
    from stdpose_mm.io.video import clock_of

    options = job.options
    write_labels(dense, job.out, options.format, clock_of(frames), options.cvat_tolerance)
    video, linked = job.save_video, None
    problems: dict[str, str] = {}
    try:
        if video is not None:
            from stdpose_mm.visualization import write_overlay

            with side_output(job.out, video, problems), bar.part('overlay'):
                write_overlay(video, bar.watch(frames), dense)
        if job.report is not None:
            from stdpose_mm.labelling.report import write_report
            from stdpose_mm.labelling.review import frames_to_check

            with side_output(job.out, job.report, problems), bar.part('report'):
                linked = write_report(
                    job.report,
                    bar.watch(frames),
                    dense,
                    checks=frames_to_check(calibrated, FRAMES_IN_REPORT),
                    video=None if video in problems else video,
                    method=method,
                    measured=measured,
                )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f'interrupted, {job.out} is written, but not everything beside it'
        ) from None
    return linked, problems


def _count(dense: VideoLabels) -> dict[str, int]:
    """Return the counts for the summary of several videos."""
    from stdpose_mm.structures import count_sources

    count = count_sources(dense.persons)
    return {
        'frames': len(dense.frames),
        'people': len(dense.track_ids),
        'given poses': count['given'],
        'propagated poses': count['propagated'],
    }


def _count_propagated_joints(dense: VideoLabels) -> int:
    return sum(int((person.labelled & ~person.given).sum()) for person in dense.persons)
