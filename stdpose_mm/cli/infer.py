"""Estimate the poses of everyone in every frame of a video.

    stdpose infer clip.mp4 --config C --checkpoint W --detector D.onnx --out poses.json
    stdpose infer frames/ --config C --checkpoint W --boxes boxes.json --out poses.json
    stdpose infer videos/ --config C --checkpoint W --detector D.onnx --out poses/
    stdpose infer clip.mp4 --checkpoint network.onnx --boxes boxes.json --out poses.json
    stdpose infer clip.mp4 --pose human --out poses.json

The last two commands use a network that `stdpose learn` wrote, and a published network with a
published person detector; they need no PyTorch. OUT holds every person in every frame with a track
id. Memory use does not grow with the length of the video. After Ctrl-C, OUT holds the frames
finished so far and is marked as incomplete; a second Ctrl-C ends the run at once, and nothing is
written. See docs/guide/inference.md.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from stdpose_mm.constants import (
    BACKEND_PRECISIONS,
    CROP_POLICIES,
    DEFAULT_DETECTOR,
    ONNX_RUNTIMES,
    SMOOTHERS,
    TRACKERS,
    WHOLE_PICTURE,
    CropPolicy,
)
from stdpose_mm.errors import InputError, note, require_packages
from stdpose_mm.io import atomic_path
from stdpose_mm.io.disk.outputs import keep_edited
from stdpose_mm.text import counted
from stdpose_mm.tracking.track_confirmation import MIN_TRACK_FRAMES

from .argument_types import positive
from .command import Command
from .jobs import DenseJob, VideoOptions, make_jobs
from .options import PoseNetworkOptions, note_network_downloads, refuse_idle
from .parser import Need, argument, option
from .videos import CommandModels, VideoResult, run_videos, side_output

if TYPE_CHECKING:
    import numpy as np

    from stdpose_mm.detection import BoxSource, PersonDetector
    from stdpose_mm.inference.estimate_video import PoseEstimator
    from stdpose_mm.inference.frame_estimate import FrameEstimate
    from stdpose_mm.inference.window_backend import WindowBackend
    from stdpose_mm.io.labels.label_stream import LabelStream
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.labelling.evidence import PoseNetwork
    from stdpose_mm.structures import PersonLabel, Skeleton

_BODY = {'left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'}
"""Joints that all networks of human bodies know, and those of hands, faces and animals do not."""


_WINDOW_MODEL = Need(
    'a .pth file as --checkpoint, or for an exported network its folder',
    lambda options: not options.sees_frames,
)
_DETECTOR = Need('--detector', lambda options: options.has_detector)
_OVERLAY = Need('--save-video', lambda options: options.save_video is not None)


@dataclass(frozen=True, kw_only=True)
class InferOptions(VideoOptions, PoseNetworkOptions):
    """Options of ``stdpose infer``.

    Args:
        inputs: Video file or folder of pictures; or several of them, folders of videos, or a
            dataset file (.csv, .jsonl).
        config: Config of the model: a file, or the name of one of this package; by default the one
            that was stored with it.
        checkpoint: Weights of the model, a folder written by `stdpose export`, or a network written
            by `stdpose learn` (.onnx); give this or one of the options --pose....
        boxes: Person boxes, instead of a detector: a file (labels, COCO detections, MOTChallenge),
            or whole-picture for one person who fills the picture. Without them and --detector,
            the options --pose... use --detector person, unless the network finds people itself.
        det_every: Run the detector on every N-th frame.
        pose_every: Run the model on every N-th frame, and carry its poses to the frames between by
            optical flow; where the flow is unreliable, the model runs on every frame.
        tracker: Assign identities by boxes (bytetrack), or by boxes and poses (oks).
        min_track_frames: Leave out people that the detector finds in fewer than N frames (10).
        hide_boxes: Draw no boxes in the video of --save-video.
        smooth: Filter that smooths joints with scores of at least 0.2 over time.
        precision: Number format of the model.
        runtime: Library that runs a folder written by `stdpose export` (onnxruntime).
        crops: Crop each frame at its own box and encode it once, or crop all frames of a window at
            the box of its key frame, which is three times slower (default: as the config says).
        batch_size: Crops that the model processes at once.
    """

    help_title: ClassVar = 'estimation'

    common: ClassVar = (
        'out',
        'save_video',
        'format',
        'pose',
        'checkpoint',
        'boxes',
        'det_config',
        'quiet',
    )

    box_words = (WHOLE_PICTURE,)

    inputs: list[str] = argument('VIDEO_OR_FRAMES', nargs='+')
    config: str | None = option(needs=_WINDOW_MODEL)
    checkpoint: str | None = option()
    boxes: str | None = option(metavar=f'{{FILE,{WHOLE_PICTURE}}}')
    det_every: int = option(1, type=positive, metavar='N', needs=_DETECTOR)
    pose_every: int = option(1, type=positive, metavar='N')
    tracker: str = option('bytetrack', choices=TRACKERS)
    min_track_frames: int | None = option(type=positive, metavar='N', needs=_DETECTOR)
    hide_boxes: bool = option(False, needs=_OVERLAY)
    smooth: str | None = option(choices=SMOOTHERS)
    precision: str = option('float32', choices=BACKEND_PRECISIONS, needs=_WINDOW_MODEL)
    runtime: str | None = option(choices=ONNX_RUNTIMES, needs=_WINDOW_MODEL)
    crops: CropPolicy | None = option(choices=CROP_POLICIES, needs=_WINDOW_MODEL)
    batch_size: int = option(8, type=positive, metavar='N')

    @property
    def sees_frames(self) -> bool:
        """Whether the network is one of single frames, such as `stdpose learn` writes."""
        return self.checkpoint is None or Path(self.checkpoint).suffix == '.onnx'

    @property
    def runs_torch(self) -> bool:
        """Whether PyTorch runs the pose network."""
        if self.checkpoint is not None:
            return not (self.sees_frames or Path(self.checkpoint).is_dir())
        (files,) = self.pose_networks
        if files.kind != 'zoo':
            return files.kind == 'config'
        from stdpose_mm.labelling.evidence.model_zoo import ZooModel, find_network

        return isinstance(find_network(files.file), ZooModel)

    @property
    def uses_device(self) -> bool:
        return self.runs_torch or super().uses_device

    @property
    def lacks_people(self) -> bool:
        """Whether it is not given where the people are, nor what finds them."""
        has_boxes = self.boxes is not None or self.has_box_file
        return self.checkpoint is None and not has_boxes and self.det_config is None

    @cached_property
    def is_one_stage(self) -> bool:
        """Whether the pose network finds the people."""
        if not (self.lacks_people and len(self.evidence_texts) == 1):
            return False
        from stdpose_mm.labelling.evidence.onnx_networks import finds_people

        return finds_people(*self.pose_networks)

    @property
    def finds_people(self) -> bool:
        """Whether the published person detector is used, because nothing else is given."""
        return self.lacks_people and not self.is_one_stage

    @property
    def detector(self) -> str | None:
        return DEFAULT_DETECTOR if self.finds_people else self.det_config

    @property
    def has_detector(self) -> bool:
        """Whether a network detects the people."""
        return self.detector is not None or self.is_one_stage

    def validate(self) -> None:
        """Refuse options that cannot work together.

        Raises:
            InputError: If options cannot work together.
        """
        if len(self.evidence_texts) + (self.checkpoint is not None) != 1:
            raise InputError(
                'infer uses one pose network: give --checkpoint, or one of --pose NAME, '
                '--pose-onnx FILE, --pose-tflite FILE and --pose-config with --pose-checkpoint'
            )
        refuse_idle(self)
        # An unknown network is refused here, before anything is said.
        _ = self.runs_torch
        if not any(video.boxes for video in self.listed.videos):
            self.require_people(self.boxes is not None)
        self.require_folders()

    def require_people(self, has_boxes: bool) -> None:
        """Refuse a video without a source of person boxes, or with two.

        Args:
            has_boxes: Whether boxes are given for it.

        Raises:
            InputError: If it has none, or two.
        """
        if has_boxes and self.detector is not None:
            raise InputError('--boxes and --detector both say where the people are, give one')
        if not has_boxes and not self.has_detector:
            raise InputError(
                'the positions of the people are unknown: give --detector (person, an ONNX file, '
                'or an MMDetection config with --det-checkpoint) or --boxes (a file, or '
                f'{WHOLE_PICTURE})'
            )


class InferJob(DenseJob[InferOptions]):
    """The estimation of the poses of one video."""

    def check(self, fetches: bool = True) -> None:
        """See :meth:`DenseJob.check`; a video also needs one source of person boxes."""
        self.options.require_people(self.files.boxes is not None or self.options.boxes is not None)
        super().check(fetches)


def infer(options: InferOptions) -> None:
    """Check the options and estimate the poses.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
        KeyboardInterrupt: If the run was interrupted and OUT is incomplete.
    """
    options.validate()
    if options.finds_people:
        note(f'people are found by --detector {DEFAULT_DETECTOR}, give another one, or --boxes')
    note_network_downloads(options.pose_networks, options.detector_file)
    run_videos(options, make_jobs(options, InferJob), load_models, infer_video)


@dataclass(frozen=True, kw_only=True)
class InferenceModels(CommandModels):
    """The networks of the command.

    Args:
        estimator: The pose estimator.
        skeleton: Its K joints.
        trained_joints: [K] bool: whether it was trained on each joint.
    """

    estimator: PoseEstimator
    skeleton: Skeleton
    trained_joints: np.ndarray


def load_models(options: InferOptions, jobs: Sequence[InferJob]) -> InferenceModels:
    """Load the networks of the command.

    Raises:
        InputError: If something that was given cannot be used.
    """
    if options.sees_frames:
        import numpy as np

        from stdpose_mm.detection import PersonDetector
        from stdpose_mm.inference.frame_pose_estimator import FramePoseEstimator
        from stdpose_mm.io.labels.known_skeletons import with_limbs

        frame_network = load_frame_network(options)
        if options.finds_people and not _BODY.issubset(frame_network.skeleton.keypoint_names):
            raise InputError(
                f'{frame_network.name} finds no joints of a human body, but only for people a '
                f'detector is used by default: give --boxes (a file, or {WHOLE_PICTURE}), or '
                '--detector'
            )
        detector = options.build_detector()
        if options.is_one_stage and isinstance(frame_network, PersonDetector):
            detector = frame_network
        skeleton = with_limbs(frame_network.skeleton)
        return InferenceModels(
            estimator=FramePoseEstimator(frame_network, options.batch_size),
            skeleton=skeleton,
            trained_joints=np.ones(skeleton.num_keypoints, bool),
            detector=detector,
        )
    assert options.checkpoint is not None
    detector = options.build_detector()
    from stdpose_mm.inference.video_pose_estimator import VideoPoseEstimator

    network = load_window_network(options, options.checkpoint)
    return InferenceModels(
        estimator=VideoPoseEstimator(network, options.crops, options.batch_size),
        skeleton=network.skeleton,
        trained_joints=network.trained_joints,
        detector=detector,
    )


def load_window_network(options: InferOptions, checkpoint: str) -> WindowBackend:
    """Load a network that sees windows, an exported one without PyTorch and OpenMMLab if possible.

    Raises:
        InputError: If its files cannot be used.
    """
    if options.config is None and Path(checkpoint).is_dir():
        from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend, read_description

        is_light = read_description(Path(checkpoint)).get('light') is not None
        if is_light or find_spec('mmpose') is None:
            return OnnxWindowBackend.from_export(
                checkpoint,
                precision=options.precision,
                batch_size=options.batch_size,
                runtime=options.runtime or 'onnxruntime',
            )
    require_packages('a pose network', 'torch', 'mmpose')
    from stdpose_mm.inference.torch_window_backend import load_backend

    return load_backend(
        options.config,
        checkpoint,
        options.device,
        options.precision,
        options.batch_size,
        options.runtime,
    )


def load_frame_network(options: InferOptions) -> PoseNetwork:
    """Load a network that sees single frames.

    Raises:
        InputError: If its files cannot be fetched or used.
    """
    from stdpose_mm.labelling.evidence import PoseNetwork, load_pose_network
    from stdpose_mm.labelling.evidence.learned_network import LearnedNetwork

    if options.checkpoint is not None:
        return LearnedNetwork(Path(options.checkpoint))
    (files,) = options.pose_networks
    network = load_pose_network(files, options.device)
    if not isinstance(network, PoseNetwork):
        raise InputError(f'{files.file} does not look at pictures, give a pose network')
    return network


def infer_video(job: InferJob, models: InferenceModels) -> VideoResult:
    """Estimate the poses of one video and write its outputs.

    For one of several videos, Ctrl-C raises ``KeyboardInterrupt`` at once instead of keeping the
    frames that are done, and no backup of earlier labels is made, since edited labels were refused
    before.

    Args:
        job: The video.
        models: The networks of the command.

    Raises:
        InputError: If something that was given cannot be used; no output file is written then.
    """
    from tqdm import tqdm

    from stdpose_mm.inference.estimate_video import estimate_video
    from stdpose_mm.io.cache_folder import choose_cache_folder
    from stdpose_mm.io.labels.label_stream import LabelStream
    from stdpose_mm.io.video import clock_of, write_video
    from stdpose_mm.tracking.smoothing import build_smoother

    from .progress import describe_time, hide_bars

    options, frames = job.options, job.open_video()
    time_of, out = clock_of(frames), Path(job.out)
    box_source = _box_source(job, frames, models.detector)
    estimator = models.estimator
    if options.pose_every > 1:
        from stdpose_mm.inference.sparse_estimator import SparseEstimator

        estimator = SparseEstimator(estimator, options.pose_every)
    smoother = (
        None if options.smooth is None else build_smoother(options.smooth, frames.fps, time_of)
    )
    min_track_frames = options.min_track_frames or MIN_TRACK_FRAMES
    with ExitStack() as outputs:
        labels = outputs.enter_context(
            LabelStream(frames.name, models.skeleton, out.resolve().parent)
        )
        estimates = estimate_video(
            frames,
            box_source,
            estimator,
            options.tracker,
            smoother,
            keep_pictures=job.save_video is not None,
            min_track_frames=min_track_frames,
        )
        outputs.enter_context(closing(estimates))
        bar = tqdm(estimates, total=len(frames), unit=' frames', disable=hide_bars(options.quiet))
        outputs.callback(bar.close)
        estimates_with_bar: Iterable[FrameEstimate] = bar
        if not job.is_listed:
            estimates_with_bar = outputs.enter_context(_until_interrupted(estimates_with_bar))
        results = _Results(frames, models, labels, estimates_with_bar)
        began = time.monotonic()
        problems: dict[str, str] = {}
        # The video gets its final name after the labels are written.
        video_file = outputs.enter_context(ExitStack())
        if job.save_video is not None:
            with side_output(job.out, job.save_video, problems), ExitStack() as attempt:
                video = attempt.enter_context(atomic_path(job.save_video))
                write_video(video, results.draw(not options.hide_boxes), like=frames)
                video_file.enter_context(attempt.pop_all())
        # All frames that were not drawn.
        for _ in results:
            pass
        if results.error is not None:
            raise results.error
        seconds = time.monotonic() - began
        is_complete = labels.num_frames == len(frames)
        extra = {
            'complete': is_complete,
            'frames': len(frames),
            'unreadable_frames': results.unreadable,
            'pose_every': options.pose_every,
            'frames_predicted': results.predicted,
            # A network of single frames has no windows.
            'crops': getattr(models.estimator, 'crops', 'frame'),
            'precision': options.precision,
            'smoothing': None if smoother is None else str(smoother),
            'min_track_frames': min_track_frames if options.has_detector else None,
            'frames_per_second': round(labels.num_frames / seconds, 3),
        }
        mended: list[str] = []
        with keep_edited(choose_cache_folder(), *job.replaced_outputs), video_file:
            labels.write(
                out,
                options.format,
                {'inference': extra},
                time_of,
                options.cvat_tolerance,
                partial(job.fix_sides, summary=mended) if options.fix_sides else None,
            )
    num_people = len(results.track_ids)
    summary = [
        f'{out}: {counted(labels.num_frames, "frame")}, '
        f'{counted(num_people, models.skeleton.category)}, {counted(labels.num_persons, "pose")}'
    ]
    if results.unreadable:
        summary.append(
            f'{counted(len(results.unreadable), "frame")} cannot be read, see unreadable_frames in '
            'OUT'
        )
    summary += [*mended, describe_time(seconds, labels.num_frames, labels.num_persons)]
    summary += job.describe_side_outputs(problems)
    incomplete = (
        f'interrupted: {out} holds the first {labels.num_frames} of {len(frames)} frames and '
        'says that it is not complete'
    )
    counts = {'frames': labels.num_frames, 'people': num_people, 'poses': labels.num_persons}
    return VideoResult(
        counts,
        summary,
        incomplete=None if is_complete else incomplete,
        problems=[*problems.values()],
    )


@dataclass
class _Results:
    """Iterable of a video's estimates and their labels, which it also adds to a label stream.

    Args:
        frames: The video.
        models: The networks that made the estimates.
        labels: The stream that the labels are added to.
        estimates: Ascending by index.
        track_ids: Track ids found so far.
        unreadable: Frames so far that cannot be read.
        predicted: Number of frames that the model has processed.
        error: Why the estimates ended early, if they did.
    """

    frames: FrameSource
    models: InferenceModels
    labels: LabelStream
    estimates: Iterable[FrameEstimate]
    track_ids: set[int] = field(default_factory=set)
    unreadable: list[int] = field(default_factory=list)
    predicted: int = 0
    error: Exception | None = None

    def __iter__(self) -> Iterator[tuple[FrameEstimate, list[PersonLabel]]]:
        try:
            yield from self._read()
        except Exception as error:
            self.error = error
            raise

    def _read(self) -> Iterator[tuple[FrameEstimate, list[PersonLabel]]]:
        for estimate in self.estimates:
            persons = estimate.to_labels(self.models.trained_joints)
            self.labels.add(estimate.to_frame(self.frames), persons)
            self.track_ids.update(estimate.people.track_ids.tolist())
            self.predicted += estimate.origin == 'predicted'
            if not estimate.is_readable:
                self.unreadable.append(estimate.frame_index)
            yield estimate, persons

    def draw(self, boxes: bool) -> Iterator[np.ndarray]:
        """Yield the pictures with the people drawn, and with their boxes if ``boxes``."""
        from stdpose_mm.visualization import draw_people

        for estimate, persons in self:
            assert estimate.picture is not None
            yield draw_people(
                estimate.picture, persons, self.models.skeleton, estimate.frame_index, boxes
            )


@contextmanager
def _until_interrupted(estimates: Iterable[FrameEstimate]) -> Iterator[Iterator[FrameEstimate]]:
    """Yield the estimates up to the one in progress at the first Ctrl-C.

    A second Ctrl-C raises ``KeyboardInterrupt``.
    """
    interrupted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True

    def take() -> Iterator[FrameEstimate]:
        for estimate in estimates:
            yield estimate
            if interrupted:
                return

    before = signal.signal(signal.SIGINT, note)
    try:
        yield take()
    finally:
        signal.signal(signal.SIGINT, before)


def _box_source(job: InferJob, frames: FrameSource, detector: PersonDetector | None) -> BoxSource:
    from stdpose_mm.detection import build_box_source, read_boxes

    options, boxes = job.options, job.files.boxes
    people: Any = options.boxes if detector is None else detector
    if boxes is not None:
        people = read_boxes(boxes, frames, options=options.box_frames)
        covered = sum(len(of_frame) > 0 for of_frame in people.values())
        if 2 * covered <= len(frames):
            note(
                f'{boxes} has boxes on {covered} of the {len(frames)} frames, so nobody is '
                'estimated on the others: give boxes of every frame, or a --detector'
            )
    return build_box_source(people, options.det_every, options.tracker)


main = Command(
    InferOptions,
    infer,
    __doc__,
    'infer.py',
    interrupted='interrupted, no output was written',
    keeps_edited=False,
)
