"""Propagate the labels of some frames of a video to all its frames.

    stdpose propagate clip.mp4 labels.json --out dense.json
    stdpose propagate frames/ labels.json --out dense.json --config C --checkpoint W
    stdpose propagate videos/ labels/ --out dense/

LABELS may have any format that ``stdpose_mm.io`` reads, and label people in some frames only. OUT
holds every person in every frame, marked ``given``, ``propagated`` or ``absent``. A run that was
killed or interrupted continues where it stopped when it is started again; a run with corrected
labels recomputes only what the corrections affect. See docs/guide/propagation.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from stdpose_mm.errors import InputError
from stdpose_mm.io.output_guards import Output, Paths, refuse_input_folders
from stdpose_mm.io.outputs import keep_edited, learned_network, report_video
from stdpose_mm.io.video_list import ListedVideo, VideoInputs, read_inputs
from stdpose_mm.text import counted

from .argument_types import fraction, minutes, whole
from .command import Command
from .learn import learn_with_progress
from .options import (
    CacheOptions,
    LabelOptions,
    PropagatorOptions,
    folders,
    note_network_downloads,
    refuse_idle,
)
from .parser import argument, option
from .propagation_advice import format_accuracy, list_advice
from .videos import (
    VideoOptions,
    VideoResult,
    place_outputs,
    require_result_folders,
    run_videos,
    side_output,
)

if TYPE_CHECKING:
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.apis.propagation_state import PropagationState
    from stdpose_mm.detection import PersonDetector
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.review import LabelAccuracy
    from stdpose_mm.structures import VideoLabels

    from .progress import FrameProgress

FRAMES_IN_REPORT = 12
DEFAULT_LEARN_MINUTES = 5.0
INTERPOLATE, DETECTOR = 'interpolate', 'detector'
REPORT_SUFFIXES = ('.html', '.htm')


@dataclass(kw_only=True)
class PropagateOptions(CacheOptions, VideoOptions, LabelOptions, PropagatorOptions):
    """Options of ``stdpose propagate``.

    Args:
        inputs: A video file or folder of pictures and a file with labels of some of its frames; or
            several videos or folders of videos and the folder of their label files; or a dataset
            file (.csv, .jsonl) that names both.
        fuser: Weights of the fuser of auto (default: those that come with the package).
        flow_weights: Weights of torchvision's raft_small: compute optical flow by RAFT instead of
            OpenCV's DIS.
        learn: First train a small network on these labels (of all videos) for MINUTES (5); auto
            uses it if that makes more joints right on labels that were hidden from it. It is saved
            beside OUT, so that --pose-onnx can use it in other videos.
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

    inputs: list[str] = argument('VIDEO_OR_FRAMES ... LABELS', nargs='+')
    fuser: str | None = option(metavar='FILE')
    flow_weights: str | None = option(metavar='FILE')
    learn: float | None = option(
        None,
        '--adapt',
        '--learn',
        nargs='?',
        const=DEFAULT_LEARN_MINUTES,
        type=minutes,
        metavar='MINUTES',
    )
    boxes: str = option(INTERPOLATE, metavar='{interpolate,detector,FILE}')
    fill_left_out: bool = option(False)
    min_score: float = option(0.0, type=fraction, metavar='S')
    report: str | None = option(writes=True, is_folder=None, metavar='FILE')
    check: int = option(0, type=whole, metavar='N')
    suggest: int = option(0, type=whole, metavar='N')
    measure: int = option(0, type=whole, metavar='N')
    keep_every: int | None = option(metavar='T')
    labels: Path | None = field(default=None)

    @property
    def uses_device(self) -> bool:
        return super().uses_device or bool(self.flow_weights) or self.det_config is not None

    @property
    def file_outputs(self) -> list[Output]:
        outputs = super().file_outputs
        if self.report is not None:
            outputs.append(Output('--report', self.report, 'a report', REPORT_SUFFIXES))
            outputs.append(Output('the video of --report', report_video(self.report)))
        if self.learn is not None:
            outputs.append(Output('the learned network of --out', learned_network(self.out)))
        return outputs

    @property
    def side_outputs(self) -> dict[str, str]:
        report = {} if self.report is None else {self.report: 'the report, a page for the browser'}
        return {**super().side_outputs, **report}

    @property
    def evidence(self) -> Mapping[str, Sequence[Path]]:
        return {**super().evidence, **self.evidence_files(ListedVideo(self.video).name)}

    @property
    def label_folders(self) -> Mapping[str, Paths]:
        return {
            'LABELS': folders(self.labels),
            **{name: folders(*paths) for name, paths in self.result_paths.items()},
        }

    @property
    def shared_folders(self) -> Mapping[str, Paths]:
        return {**super().shared_folders, '--loaded-into-cvat': self.loaded_into_cvat}

    def check_inputs(self, inputs: VideoInputs) -> None:
        super().check_inputs(inputs)
        if not inputs.several:
            self.require_box_file()
            return
        self.require_no_labels_video()
        if self.learn is not None:
            refuse_idle('--launcher', self.launcher != 'none', '--pose-onnx instead of --learn')
            refuse_idle('--shard', self.shard is not None, '--pose-onnx instead of --learn')
        require_result_folders(self.result_paths, inputs.videos)
        refuse_input_folders(
            {f'--{name.replace("_", "-")}': path for name, path in self.outputs.items()},
            {
                'the videos': self.inputs,
                'LABELS': inputs.labels,
                **self.shared_folders,
                **self.result_paths,
            },
        )

    def complete(self, video: ListedVideo) -> PropagateOptions:
        labels, labels_video = video.find_labels(self.labels)
        if labels is None:
            raise InputError(
                f'the labels of {video.video} are missing, give a folder of label files as LABELS, '
                'or the field labels in the dataset file'
            )
        options = replace(
            self,
            labels=labels,
            labels_video=labels_video,
            boxes=str(video.find_file(self.box_file, video.boxes) or self.boxes),
            loaded_into_cvat=video.find_file(self.loaded_into_cvat),
        )
        options.require_box_file()
        return options

    def validate(self) -> None:
        is_auto = self.method == 'auto'
        refuse_idle('--learn', self.learn is not None and not is_auto, '--method auto')
        has_detector = self.det_config is not None or self.det_checkpoint is not None
        refuse_idle('--detector', has_detector and self.boxes != DETECTOR, f'--boxes {DETECTOR}')
        refuse_idle(
            f'--boxes {DETECTOR}', self.boxes == DETECTOR and not self.det_config, '--detector'
        )
        super().validate()


def propagate(options: PropagateOptions) -> None:
    """Check the options and propagate the labels.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    inputs = read_inputs(options.inputs, with_labels=True)
    options.labels = inputs.labels
    options.validate()
    options.check_inputs(inputs)
    note_network_downloads(options.pose_networks, options.detector_file)
    if inputs.several and options.learn is not None and not options.dry_run:
        options = _learn_from_several(options, inputs.videos)
    run_videos(options, inputs, load_models, propagate_video)


def _learn_from_several(
    options: PropagateOptions, videos: Sequence[ListedVideo]
) -> PropagateOptions:
    """Train one network on the labels of all videos, and add it to the evidence if it helps."""
    propagator = load_models(options).propagator
    states = []
    for video in videos:
        of_video = place_outputs(options, video, is_listed=True).complete(video)
        of_video.check_outputs()
        frames = of_video.open_video(of_video.labels)
        states.append(_init_state(of_video, propagator, frames, _read_labels(of_video, frames)))
    out = learned_network(options.out, several=True)
    assert options.learn is not None
    outcome = learn_with_progress(
        propagator, states, out, options.learn, only_if_helpful=True, quiet=options.quiet
    )
    networks = [str(out)] if outcome.helped else []
    return replace(options, learn=None, pose_onnx=[*options.pose_onnx, *networks])


class PropagationModels(NamedTuple):
    """The networks of a command, used for all its videos.

    Attributes:
        propagator: The propagator.
        detector: The person detector; None without one.
    """

    propagator: VideoPosePropagator
    detector: PersonDetector | None


def load_models(options: PropagateOptions) -> PropagationModels:
    """Load the networks of a command."""
    from stdpose_mm.apis import VideoPosePropagator

    propagator = VideoPosePropagator(
        options.config,
        options.checkpoint,
        fuser=options.fuser,
        flow_weights=options.flow_weights,
        **options.propagator_arguments,
    )
    return PropagationModels(propagator, options.build_detector())


def propagate_video(options: PropagateOptions, models: PropagationModels) -> VideoResult:
    """Propagate the labels of one video and write its outputs.

    For one of several videos, only warnings about its labels are printed, and no backup of earlier
    labels is made, since edited labels were refused before.

    Args:
        options: The options of this video.
        models: The models of the command.

    Raises:
        InputError: If something that was given cannot be used; no label file is written then.
    """
    from stdpose_mm.review import describe_poses
    from stdpose_mm.structures.propagated_labels import keep_certain

    from .progress import FrameProgress

    frames = options.open_video(options.labels)
    labels = _read_labels(options, frames)
    propagator = models.propagator
    state = _init_state(options, propagator, frames, labels)
    _print_label_summary(options, state, labels)
    if options.learn is not None:
        network = learned_network(options.out)
        learn_with_progress(
            propagator,
            [state],
            network,
            options.learn,
            only_if_helpful=True,
            quiet=options.quiet,
        )
    method = f'{options.method} ({propagator.describe(labels.skeleton)})'
    out = Path(options.out)
    parts = (True, models.detector, options.measure, options.save_video, options.report)
    with FrameProgress(len(frames), sum(map(bool, parts)), options.quiet) as bar:
        if models.detector is not None:
            with bar.part('boxes'):
                for number, _ in enumerate(propagator.detect_in_video(state, models.detector)):
                    bar.advance(number + 1)
        with bar.part(propagator.method):
            dense = propagator.collect_labels(state, propagator.propagate_in_video(state, bar))
            took = bar.describe_time()
        # The gaps of hidden labels, which are filled later, are no part of it.
        used, warnings = propagator.describe_use(), propagator.describe_use(frames.name)
        counts = _count(dense)
        if options.min_score:
            certain = keep_certain(dense, options.min_score)
            left_out = _count_propagated_joints(dense) - _count_propagated_joints(certain)
            dense, counts = certain, {**_count(certain), 'joints left out': left_out}
            joints = counted(left_out, 'joint')
            took.append(f'{joints} below {options.min_score:g} left unlabelled')
        calibrated, accuracy, measured = _calibrate(options, propagator, state, dense, bar)
        with keep_edited(options.cache_folder, *options.replaced_outputs):
            linked, problems = _write_outputs(
                options, frames, dense, calibrated, method, measured, bar
            )
    advice = [*measured, *list_advice(calibrated, options.check, options.suggest, accuracy)]
    return VideoResult(
        counts,
        summary=[
            f'method: {method}',
            *used,
            f'{out}: {describe_poses(dense)}',
            *took,
            *(f'{file.path}: the project file of {out}' for file in options.label_files[1:]),
            *options.describe_side_outputs(problems),
            *([] if linked is None else [f'{linked}: the video of the report']),
        ],
        # For a single video, the summary names every network.
        advice=[*warnings, *advice] if options.is_listed or options.quiet else advice,
        problems=[*problems.values()],
    )


def _print_label_summary(
    options: PropagateOptions, state: PropagationState, labels: VideoLabels
) -> None:
    """Print what is labelled; for one of several videos, and with --quiet, only warnings."""
    from stdpose_mm.io.labels import describe_frames
    from stdpose_mm.review import describe_labels, label_warnings

    tracks, skeleton, frames = state.tracks, labels.skeleton, state.frames
    if not any(label.is_located for track in tracks.values() for label in track.values()):
        return
    note, warnings = describe_frames(labels), label_warnings(tracks, skeleton, frames.size)
    if options.is_listed or options.quiet:
        for sentence in warnings if options.quiet else (note, *warnings):
            print(f'{options.video}: {sentence}', file=sys.stderr)
        return
    notes = [*map(str, warnings), note]
    text = describe_labels(tracks, skeleton, len(frames), frames.size, state.life_span, notes)
    print(text, flush=True)


def _read_labels(options: PropagateOptions, frames: FrameSource) -> VideoLabels:
    """Read the labels to propagate, on the frames of the video."""
    from stdpose_mm.propagation import subsample_labels
    from stdpose_mm.structures.propagated_labels import require_start

    assert options.labels is not None
    labels = options.read_labels(options.labels, frames, options.labels_video)
    require_start(labels, str(options.labels))
    return labels if options.keep_every is None else subsample_labels(labels, options.keep_every)


def _init_state(
    options: PropagateOptions,
    propagator: VideoPosePropagator,
    frames: FrameSource,
    labels: VideoLabels,
) -> PropagationState:
    """Give the video, its labels and boxes to the propagator."""
    from stdpose_mm.detection import read_tracks

    file = options.box_file
    return propagator.init_state(
        frames,
        labels,
        boxes=None if file is None else read_tracks(file, frames, options.box_frames),
        life_span=options.life_span,
        fill_left_out=options.fill_left_out,
        folder=options.cache_folder,
    )


def _calibrate(
    options: PropagateOptions,
    propagator: VideoPosePropagator,
    state: PropagationState,
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
    from stdpose_mm.review import LabelAccuracy, calibrate_scores, recalibrate

    calibrated = calibrate_scores(dense, options.method)
    if not options.measure:
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
    options: PropagateOptions,
    frames: FrameSource,
    dense: VideoLabels,
    calibrated: VideoLabels,
    method: str,
    measured: Sequence[str],
    bar: FrameProgress,
) -> tuple[Path | None, dict[str, str]]:
    """Write the labels, then the overlay video and the report if requested.

    Args:
        options: The options of this video.
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

    write_labels(dense, options.out, options.format, clock_of(frames), options.cvat_tolerance)
    video, linked = options.save_video, None
    problems: dict[str, str] = {}
    try:
        if video is not None:
            from stdpose_mm.visualization import write_overlay

            with side_output(options.out, video, problems), bar.part('overlay'):
                write_overlay(video, bar.watch(frames), dense)
        if options.report is not None:
            from stdpose_mm.review import frames_to_check
            from stdpose_mm.visualization import write_report

            with side_output(options.out, options.report, problems), bar.part('report'):
                linked = write_report(
                    options.report,
                    bar.watch(frames),
                    dense,
                    checks=frames_to_check(calibrated, FRAMES_IN_REPORT),
                    video=None if video in problems else video,
                    method=method,
                    measured=measured,
                )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f'interrupted, {options.out} is written, but not everything beside it'
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


main = Command(
    PropagateOptions,
    propagate,
    __doc__,
    'propagate.py',
    usage='%(prog)s VIDEO_OR_FRAMES [VIDEO_OR_FRAMES ...] LABELS --out OUT [options]',
    interrupted='interrupted, no output was written; the same command reuses what is in the cache',
    keeps_edited=False,
)
