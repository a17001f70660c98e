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
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stdpose_mm.errors import InputError
from stdpose_mm.io import atomic_path
from stdpose_mm.io.output_guards import Output, Paths, refuse_input_folders
from stdpose_mm.io.outputs import keep_edited, learned_network, report_video
from stdpose_mm.io.video_list import (
    ListedVideo,
    files_of_none,
    is_dataset,
    is_video_list,
    list_videos,
)
from stdpose_mm.processes import is_first_process
from stdpose_mm.text import counted, listed

from .argument_types import minutes, whole
from .command import Command
from .learn import learn_with_progress
from .options import CacheOptions, LabelOptions, PropagatorOptions, folders, refuse_idle
from .parser import argument, option
from .propagation_advice import format_accuracy, list_advice
from .videos import (
    VideoOptions,
    VideoResult,
    choose_file,
    for_one_video,
    require_folder,
    require_result_folders,
    run_several,
)

if TYPE_CHECKING:
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.apis.propagation_state import PropagationState
    from stdpose_mm.detection import PersonDetector
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.review import LabelAccuracy
    from stdpose_mm.structures import VideoLabels

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
        report: Also write a page (.html) that shows what to check; with several videos, a folder.
        check: Print the N frames that are most likely wrong.
        suggest: Print the N frames whose labels would improve the result most.
        measure: Measure how accurate propagation is in this video, and print it: hide the labels of
            N frames one at a time, fill them in from all others and compare. The scores behind
            --check, --suggest and --report take the result into account.
        keep_every: Use only the labels on every T-th frame of the video, to try propagation on
            fully labelled videos.
    """

    box_words = (INTERPOLATE, DETECTOR)

    inputs: list[str] = argument('VIDEO_OR_FRAMES ... LABELS', nargs='+')
    fuser: str | None = option(metavar='FILE')
    flow_weights: str | None = option(metavar='FILE')
    learn: float | None = option(
        None,
        '--learn',
        '--adapt',
        nargs='?',
        const=DEFAULT_LEARN_MINUTES,
        type=minutes,
        metavar='MINUTES',
    )
    boxes: str = option(INTERPOLATE, metavar='{interpolate,detector,FILE}')
    fill_left_out: bool = option(False)
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
    def evidence(self) -> Mapping[str, Sequence[Path]]:
        return self.evidence_files(ListedVideo(self.video).name)

    @property
    def label_folders(self) -> Mapping[str, Paths]:
        return {
            'LABELS': folders(self.labels),
            **{name: folders(*paths) for name, paths in self.result_paths.items()},
        }

    def validate(self) -> None:
        is_auto = self.method == 'auto'
        refuse_idle('--learn', self.learn is not None and not is_auto, '--method auto')
        has_detector = self.det_config is not None or self.det_checkpoint is not None
        refuse_idle('--det-config', has_detector and self.boxes != DETECTOR, f'--boxes {DETECTOR}')
        refuse_idle(
            f'--boxes {DETECTOR}', self.boxes == DETECTOR and not self.det_config, '--det-config'
        )
        super().validate()


def propagate(options: PropagateOptions) -> None:
    """Check the options and propagate the labels.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    videos, options.labels = _split_inputs(options.inputs)
    options.validate()
    if is_video_list(videos):
        _propagate_several(options, list_videos(videos))
        return
    options.require_box_file()
    own = for_one_video(options, videos[0])
    result = propagate_video(own, load_models(own))
    print('\n'.join([*result.summary, *result.advice]))


def _split_inputs(inputs: Sequence[str]) -> tuple[list[str], Path | None]:
    """Split the positional arguments into videos and LABELS; a dataset file names its labels."""
    if len(inputs) > 1:
        return list(inputs[:-1]), Path(inputs[-1])
    if not is_dataset(inputs[0]):
        raise InputError(
            f'LABELS are missing after {inputs[0]}, give a video and then its label file, or a '
            'dataset file (.csv, .jsonl)'
        )
    return list(inputs), None


def _propagate_several(options: PropagateOptions, videos: Sequence[ListedVideo]) -> None:
    options.require_no_labels_video()
    require_folder('--boxes', options.box_file)
    require_folder('--loaded-into-cvat', options.loaded_into_cvat)
    require_result_folders(options.result_paths, videos)
    refuse_input_folders(
        {f'--{name.replace("_", "-")}': path for name, path in options.outputs.items()},
        {
            'the videos': options.inputs,
            'LABELS': options.labels,
            '--boxes': options.box_file,
            '--loaded-into-cvat': options.loaded_into_cvat,
            **options.result_paths,
        },
    )

    def prepare(own: PropagateOptions, video: ListedVideo) -> PropagateOptions:
        labels = choose_file(video, video.labels, options.labels)
        if labels is None:
            raise InputError(
                f'the labels of {video.video} are missing, give a folder of label files as LABELS, '
                'or the field labels in the dataset file'
            )
        # A label file for all videos names the video of each label.
        is_shared = video.labels is None and labels == options.labels
        own = replace(
            own,
            labels=labels,
            labels_video=video.labels_video or (video.name if is_shared else None),
            boxes=str(choose_file(video, video.boxes, options.box_file) or options.boxes),
            loaded_into_cvat=choose_file(video, None, options.loaded_into_cvat),
        )
        own.require_box_file()
        return own

    def load() -> PropagationModels:
        models = load_models(options)
        if is_first_process() and options.labels is not None and options.labels.is_dir():
            unused = [path.name for path in files_of_none(videos, options.labels)]
            if unused:
                names = listed(unused, 5)
                print(f'{options.labels}: no video belongs to {names}', file=sys.stderr)
        return models

    if options.learn is not None:
        options = _learn_from_several(options, videos, prepare)
    run_several(options, videos, prepare, load, partial(propagate_video, several=True))


def _learn_from_several(
    options: PropagateOptions,
    videos: Sequence[ListedVideo],
    prepare: Callable[[PropagateOptions, ListedVideo], PropagateOptions],
) -> PropagateOptions:
    """Train one network on the labels of all videos, and add it to the evidence if it helps."""
    refuse_idle('--launcher', options.launcher != 'none', '--pose-onnx instead of --learn')
    propagator = load_models(options).propagator
    states = []
    for video in videos:
        own = prepare(replace(options, video=video.video), video)
        frames = own.open_video(own.labels)
        states.append(_init_state(own, propagator, frames, _read_labels(own, frames)))
    out = learned_network(options.out, several=True)
    assert options.learn is not None
    outcome = learn_with_progress(propagator, states, out, options.learn, only_if_helpful=True)
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


def propagate_video(
    options: PropagateOptions, models: PropagationModels, several: bool = False
) -> VideoResult:
    """Propagate the labels of one video and write its outputs.

    Args:
        options: The options of this video.
        models: The models of the command.
        several: Whether this is one of several videos. If so, only warnings about its labels are
            printed, and no backup of earlier labels is made, since edited labels were refused
            before.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    from tqdm import tqdm

    from .progress import FrameProgress

    hide_bars = not is_first_process()
    frames = options.open_video(options.labels)
    labels = _read_labels(options, frames)
    propagator = models.propagator
    state = _init_state(options, propagator, frames, labels)
    _print_label_summary(options, state, labels, several)
    if options.learn is not None:
        network = learned_network(options.out)
        learn_with_progress(propagator, [state], network, options.learn, only_if_helpful=True)
    method = f'{options.method} ({propagator.describe(labels.skeleton)})'
    if models.detector is not None:
        detected = propagator.detect_in_video(state, models.detector)
        for _ in tqdm(detected, 'boxes', len(frames), unit=' frames', disable=hide_bars):
            pass
    with FrameProgress(len(frames), propagator.method, not hide_bars) as bar:
        dense = propagator.collect_labels(state, propagator.propagate_in_video(state, bar))
        took = bar.describe_time()
    # The time is taken before the gaps of hidden labels are filled.
    used, warnings = propagator.describe_use(), propagator.describe_use(frames.name)
    judged, measured = _calibrate(options, propagator, state, dense)
    out = Path(options.out)
    with keep_edited(None if several else out, options.cache_folder) as notes:
        _write_outputs(options, frames, dense, judged, method, measured)
    advice = [*measured, *list_advice(judged, options.check, options.suggest)]
    return VideoResult(
        _count(dense),
        summary=[
            f'method: {method}',
            *used,
            _format_written(out, dense),
            *notes,
            *took,
            *(f'{one.path}: the project file of {out}' for one in options.label_files[1:]),
        ],
        # For a single video, the summary names every network.
        advice=[*warnings, *advice] if several else advice,
    )


def _print_label_summary(
    options: PropagateOptions, state: PropagationState, labels: VideoLabels, several: bool
) -> None:
    """Print what is labelled; for one of several videos, only warnings."""
    from stdpose_mm.io.labels import describe_frames
    from stdpose_mm.review import describe_labels, label_warnings

    tracks, skeleton, frames = state.tracks, labels.skeleton, state.frames
    if not any(label.is_located for track in tracks.values() for label in track.values()):
        return
    note, warnings = describe_frames(labels), label_warnings(tracks, skeleton, frames.size)
    if several:
        for sentence in (note, *warnings):
            print(f'{options.video}: {sentence}', file=sys.stderr)
        return
    notes = [*warnings, note]
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
) -> tuple[VideoLabels, list[str]]:
    """Turn scores into probabilities if an output shows them; measure the accuracy if requested.

    Returns:
        The labels with probabilities as scores, and sentences on the measured accuracy.
    """
    # This takes memory for each frame.
    if not (options.report or options.check or options.suggest or options.measure):
        return dense, []
    from tqdm import tqdm

    from stdpose_mm.review import LabelAccuracy, calibrate_scores, recalibrate

    judged = calibrate_scores(dense, options.method)
    if not options.measure:
        return judged, []
    hidden = propagator.labels_to_hide(state, options.measure)
    accuracy: LabelAccuracy | None = LabelAccuracy.join(
        tqdm(
            propagator.measure_in_video(state, options.measure),
            desc='hidden labels',
            total=len(hidden),
            unit=' frames',
            disable=not is_first_process(),
        )
    )
    if accuracy is not None:
        judged = recalibrate(judged, accuracy.calibrator)
    return judged, format_accuracy(accuracy, judged)


def _write_outputs(
    options: PropagateOptions,
    frames: FrameSource,
    dense: VideoLabels,
    judged: VideoLabels,
    method: str,
    measured: Sequence[str],
) -> None:
    """Write the labels, and the overlay video and the report if requested.

    Args:
        options: The options of this video.
        frames: The video.
        dense: The labels to write.
        judged: The same labels with probabilities as scores.
        method: Description of the method.
        measured: Sentences on the measured accuracy.
    """
    from stdpose_mm.io.labels import write_labels
    from stdpose_mm.io.video import clock_of

    # All outputs get their final names after everything is written, the labels last: if a picture
    # cannot be read or a file cannot be written, no output is left. DeepLabCut's labels have a
    # second file, named after the first one; OpenPose's have one file per frame.
    with ExitStack() as outputs:
        out = Path(options.out)
        if [file.is_folder for file in options.label_files] == [False]:
            out = outputs.enter_context(atomic_path(out))
        video = None
        if options.save_video is not None:
            from stdpose_mm.visualization import write_overlay

            video = outputs.enter_context(atomic_path(options.save_video))
            write_overlay(video, frames, dense)
        if options.report is not None:
            from stdpose_mm.review import frames_to_check
            from stdpose_mm.visualization import write_report

            write_report(
                Path(options.report),
                frames,
                dense,
                checks=frames_to_check(judged, FRAMES_IN_REPORT),
                video=video,
                method=method,
                measured=measured,
                video_path=options.save_video,
                outputs=outputs,
            )
        write_labels(dense, out, options.format, clock_of(frames), options.cvat_tolerance)


def _count(dense: VideoLabels) -> dict[str, int]:
    """Return the counts for the summary of several videos."""
    return {
        'frames': len(dense.frames),
        'people': len(dense.track_ids),
        'given': sum(int(person.given.sum()) for person in dense.persons),
        'propagated': sum(int((p.labelled & ~p.given).sum()) for p in dense.persons),
    }


def _format_written(out: Path, dense: VideoLabels) -> str:
    """Describe the label file in one line."""
    from stdpose_mm.structures import count_sources

    count = count_sources(dense.persons)
    return (
        f'{out}: {counted(len(dense.frames), "frame")}, '
        f'{counted(len(dense.track_ids), dense.skeleton.category)}, {count["given"]} given and '
        f'{counted(count["propagated"], "propagated pose")}'
        + (f', {counted(count["absent"], "time")} absent' if count['absent'] else '')
    )


main = Command(
    PropagateOptions,
    propagate,
    __doc__,
    'propagate.py',
    usage='%(prog)s VIDEO_OR_FRAMES [VIDEO_OR_FRAMES ...] LABELS --out OUT [options]',
    interrupted='interrupted, no output was written; the same command reuses what is in the cache',
)
