"""Options that several commands share; the options of each command extend these dataclasses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from stdpose_mm.constants import (
    CVAT_TOLERANCE,
    EVIDENCE_KINDS,
    FRAME_OPTIONS,
    LABEL_SUFFIXES,
    LIFE_SPANS,
    PRECISIONS,
    PROPAGATION_METHODS,
    VIDEO_OUTPUT_SUFFIXES,
    FrameSubject,
    LifeSpan,
)
from stdpose_mm.errors import InputError
from stdpose_mm.io.video_list import InputVideo, VideoFiles, VideoInputs, read_inputs
from stdpose_mm.text import counted

from .argument_types import picture_size, pixel_tolerance, positive, whole
from .parser import Need, argument, option, option_names

if TYPE_CHECKING:
    from stdpose_mm.detection import PersonDetector
    from stdpose_mm.detection.detector_files import DetectorFile
    from stdpose_mm.io.calibration import CameraVideo
    from stdpose_mm.io.labels import FrameOptions
    from stdpose_mm.io.labels.label_reading import LabelReading
    from stdpose_mm.labelling.evidence import PoseNetworkFiles

_FILE_SUFFIXES = (*LABEL_SUFFIXES, *VIDEO_OUTPUT_SUFFIXES, '.html', '.htm', '.pdf')
"""Suffixes that show that a name is meant as a file, where a folder is expected."""

CVAT_OUTPUT = Need('an OUT in the format cvat', lambda options: options.writes_cvat)
ONE_VIDEO = Need(
    'one video (a dataset file names those of several)', lambda options: not options.listed.several
)
CALIBRATION = Need('--calibration', lambda options: options.calibration is not None)
SEVERAL_CAMERAS = Need('the videos of several cameras', lambda options: options.listed.several)
NO_PROOFREADING = Need(
    'labels without --proofread', lambda options: not getattr(options, 'proofread', False)
)
DETECTOR = Need('--detector', lambda options: options.detector is not None)
DETECTION = Need('--boxes detector', lambda options: options.detects_people)
BOX_FILE = Need('--boxes FILE', lambda options: options.has_box_file)
TORCH = Need('a PyTorch network', lambda options: options.uses_device)
# A command without methods uses all that auto uses.
AUTO = Need('--method auto', lambda options: getattr(options, 'method', 'auto') == 'auto')
MODEL_METHOD = Need('--method auto or stdpose', lambda options: options.uses_model)
MODEL_CONFIG = Need('a --config', lambda options: options.config is not None)


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """The videos of a command, and LABELS if it reads any.

    Attributes:
        reads_labels: Whether LABELS follow the videos.
    """

    reads_labels: ClassVar = False

    inputs: list[str] = field(default_factory=list)

    @cached_property
    def listed(self) -> VideoInputs:
        """The videos and LABELS that ``inputs`` name.

        Raises:
            InputError: See :func:`~stdpose_mm.io.video_list.read_inputs`.
        """
        return read_inputs(self.inputs, self.reads_labels)

    @property
    def named_files(self) -> dict[str, Any]:
        """The files that options name, as arguments of :meth:`VideoInputs.files_of`."""
        return {}

    def files_of(self, video: InputVideo) -> VideoFiles:
        """Find the files of one of the videos; see :meth:`VideoInputs.files_of`."""
        return self.listed.files_of(video, **self.named_files)

    @property
    def shared_folders(self) -> dict[str, Path]:
        """Folders with a file for each of several videos, by their names on the command line."""
        files = self.named_files.items()
        return {f'--{n.replace("_", "-")}': file for n, file in files if isinstance(file, Path)}

    def require_folders(self) -> None:
        """Refuse an option that names a file where several videos need a folder.

        Raises:
            InputError: If there are several videos and an option names one file for all of them.
        """
        for name, path in self.shared_folders.items() if self.listed.several else ():
            require_folder(name, path)


@dataclass(frozen=True, kw_only=True)
class CameraOptions(InputOptions):
    """Calibrated cameras of several videos of one scene.

    Args:
        calibration: Calibration (.toml of anipose, Lightning Pose, Caliscope or Pose2Sim) of the
            cameras of several videos of one scene, whose names hold the cameras' names.
        offset: Number of frames by which a camera started later than the others; may be repeated.
    """

    help_title: ClassVar = 'several cameras'

    calibration: Path | None = option(metavar='FILE', needs=(NO_PROOFREADING, SEVERAL_CAMERAS))
    offset: list[str] = option([], metavar='CAMERA=FRAMES', needs=CALIBRATION)

    @cached_property
    def cameras(self) -> dict[Path, CameraVideo]:
        """The camera of each video, with ``--calibration``.

        Raises:
            InputError: If the calibration cannot be read, or videos and cameras do not fit.
        """
        if self.calibration is None or not super().listed.several:
            return {}
        from stdpose_mm.io.calibration import pair_videos, read_calibration

        videos = [video.video for video in super().listed.videos]
        pairs = pair_videos(read_calibration(self.calibration), videos)
        return dict(zip(videos, pairs, strict=True))

    @property
    def sessions(self) -> dict[str, list[int]]:
        """The positions of the videos of each session in the list, by its name."""
        sessions: dict[str, list[int]] = {}
        for number, pair in enumerate(self.cameras.values()):
            sessions.setdefault(pair.session, []).append(number)
        return sessions

    @property
    def starts(self) -> dict[str, int]:
        """How many frames later each camera started, by its name.

        Raises:
            InputError: If an offset is no whole number, or of no camera.
        """
        starts = {pair.camera.name: 0 for pair in self.cameras.values()}
        for text in self.offset:
            name, _, frames = text.rpartition('=')
            if name not in starts or not frames.removeprefix('-').isdecimal():
                raise InputError(
                    f'--offset {text} is not a camera and a whole number of frames, give one such '
                    f'as {next(iter(starts))}=12'
                )
            starts[name] = int(frames)
        return starts


@dataclass(frozen=True, kw_only=True)
class CacheOptions:
    """The cache of finished work.

    Args:
        cache: Folder that keeps finished work for the next run, or off for no cache (default:
            environment variable STDPOSE_CACHE, or the user's cache folder).
    """

    help_title: ClassVar = 'cache'

    cache: str | None = option(metavar='{FOLDER,off}')

    @property
    def cache_folder(self) -> Path | None:
        """The folder of the cache; None if it is off."""
        from stdpose_mm.io.cache_folder import choose_cache_folder

        return choose_cache_folder(self.cache)


@dataclass(frozen=True, kw_only=True)
class RootOptions:
    """Folders of the pictures and videos that labels name.

    Args:
        image_root: Folder that picture names in LABELS are relative to.
        video_root: Folder that video names in LABELS are relative to.
    """

    help_title: ClassVar = 'folders of pictures'

    image_root: Path | None = option()
    video_root: Path | None = option()


@dataclass(frozen=True, kw_only=True)
class LabelledVideoOptions(RootOptions):
    """A set of labelled videos.

    Args:
        labels: Folder of label files, one label file, or a text file with one path per line.
    """

    labels: Path = argument('LABELS', reads_folder=True)


@dataclass(frozen=True, kw_only=True)
class CvatTolerance:
    """The density of key frames in files for CVAT.

    Args:
        cvat_tolerance: For CVAT: write only as many key frames as are needed to keep CVAT's
            interpolation within PX pixels of the propagated joints; "all" makes every frame a key
            frame.
    """

    help_title: ClassVar = 'labels for CVAT'

    cvat_tolerance: float | None = option(
        CVAT_TOLERANCE, type=pixel_tolerance, metavar='PX', needs=CVAT_OUTPUT
    )


@dataclass(frozen=True, kw_only=True)
class LabelFileOptions:
    """How a file of labels is read.

    Args:
        loaded_into_cvat: File written by stdpose that was imported into CVAT and corrected there;
            needed if the task lacks the attribute "source", which marks corrected joints.
        first_frame_number: Number that the labels give to the first frame of the video, if it is
            unclear: 0 for CVAT and OpenCV, 1 for FFmpeg.
        frame_of: CSV file that maps labelled pictures to frames, if the picture names do not: lines
            picture,frame (counted from 0), or picture,seconds under a header such as name,time.
        labels_size: Size of the labelled pictures, if the video has another size; LABELS are
            rescaled.
        visible_as_1: In COCO files in which v is only 0 or 1, read 1 as visible instead of
            occluded.
        labels_category: Category whose labels to read, if LABELS have several with different
            joints: a category of COCO, a label of CVAT, a class of YOLO, a skeleton of SLEAP.
    """

    help_title: ClassVar = 'reading labels'

    loaded_into_cvat: Path | None = option(metavar='FILE')
    first_frame_number: int | None = option(type=whole, metavar='N')
    frame_of: Path | None = option(metavar='FILE')
    labels_size: tuple[int, int] | None = option(type=picture_size, metavar='WxH')
    visible_as_1: bool = option(False)
    labels_category: str | None = option(metavar='NAME')

    @property
    def label_reading(self) -> LabelReading:
        """How label files are read.

        Raises:
            InputError: If the list of frames cannot be read, or is given beside the first number.
        """
        from stdpose_mm.io.labels.label_reading import LabelReading

        return LabelReading(
            _frame_options('labels', self.first_frame_number, self.frame_of),
            self.labels_size,
            self.visible_as_1,
            self.labels_category,
        )


@dataclass(frozen=True, kw_only=True)
class LabelOptions(LabelFileOptions, InputOptions):
    """The labels of one video, and the frames in which people are present.

    Args:
        labels_video: Video whose labels to use, if LABELS hold several videos.
        life_span: Frames in which a person is present: the whole video, or from the person's first
            label to the last.
    """

    help_title: ClassVar = 'reading labels'

    labels_video: str | None = option(metavar='NAME', needs=ONE_VIDEO)
    life_span: LifeSpan = option('video', choices=LIFE_SPANS)

    @property
    def named_files(self) -> dict[str, Any]:
        labels = {'labels_video': self.labels_video, 'loaded_into_cvat': self.loaded_into_cvat}
        return {**super().named_files, **labels}


@dataclass(frozen=True, kw_only=True)
class DetectorOptions:
    """A person detector.

    Args:
        det_config: Person detector: a published one by name (person, or person-nano to person-x),
            which is fetched once; an ONNX file of RTMDet or YOLOX (FILE=yolox if MMDeploy exported
            YOLOX); or an MMDetection config.
        det_checkpoint: Weights of the detector.
        device: Device that runs the networks.
    """

    help_title: ClassVar = 'person detector'

    det_config: str | None = option(
        None, '--det-config', '--detector', metavar='{NAME,FILE}', needs=DETECTION
    )
    det_checkpoint: str | None = option(metavar='FILE', needs=DETECTOR)
    device: str = option('cpu', needs=TORCH)

    @property
    def detects_people(self) -> bool:
        """Whether a detector has something to do."""
        return True

    @property
    def uses_device(self) -> bool:
        """Whether PyTorch may run anything."""
        return self.detector_file is not None and not self.detector_file.is_onnx

    @property
    def detector(self) -> str | None:
        """The name or file of the person detector; None without one."""
        return self.det_config

    @property
    def detector_file(self) -> DetectorFile | None:
        """The file or name of the person detector; None without one."""
        if self.detector is None:
            return None
        from stdpose_mm.detection.detector_files import DetectorFile

        return DetectorFile.parse(self.detector)

    def build_detector(self) -> PersonDetector | None:
        """Build the person detector; None without one."""
        if self.detector is None:
            return None
        from stdpose_mm.detection import build_person_detector

        return build_person_detector(self.detector, self.det_checkpoint, self.device)


@dataclass(frozen=True, kw_only=True)
class BoxOptions(InputOptions):
    """Person boxes.

    Args:
        boxes: File of boxes.
        boxes_first_frame_number: Number that the FILE of --boxes gives to the first frame of the
            video, if it is unclear: 0 for CVAT and OpenCV, 1 for FFmpeg.
        boxes_frame_of: CSV file that maps the pictures in the FILE of --boxes to frames, see
            --frame-of.
    """

    help_title: ClassVar = 'person boxes'

    box_words: ClassVar[tuple[str, ...]] = ()
    """Values of ``boxes`` that are not file names."""

    boxes: str | None = option(metavar='FILE')
    boxes_first_frame_number: int | None = option(type=whole, metavar='N', needs=BOX_FILE)
    boxes_frame_of: Path | None = option(metavar='FILE', needs=BOX_FILE)

    @property
    def box_file(self) -> Path | None:
        """The file or folder of boxes; None without one."""
        if self.boxes is None or self.boxes in self.box_words:
            return None
        return Path(self.boxes)

    @property
    def box_frames(self) -> FrameOptions:
        """The options that map boxes to frames."""
        return _frame_options('boxes', self.boxes_first_frame_number, self.boxes_frame_of)

    @property
    def named_files(self) -> dict[str, Any]:
        return {**super().named_files, 'boxes': self.box_file}

    @property
    def has_box_file(self) -> bool:
        """Whether a video has a file of boxes."""
        return self.box_file is not None or any(video.boxes for video in self.listed.videos)


def _frame_options(
    subject: FrameSubject, first_number: int | None, list_file: Path | None
) -> FrameOptions:
    from stdpose_mm.io.labels import FrameOptions, read_frame_list

    if list_file is None:
        return FrameOptions(first_number, subject=subject)
    if first_number is not None:
        names = ' and '.join(FRAME_OPTIONS[subject])
        raise InputError(f'{names} say the same thing, give one of them')
    return read_frame_list(list_file, subject)


Options = TypeVar('Options', bound=type)


def _with_evidence(of_videos: bool) -> Callable[[Options], Options]:
    """Declare options in the body of a dataclass: one for each kind of evidence.

    Args:
        of_videos: Whether those for files of one video are declared, or those for networks.
    """

    def declare(options: Options) -> Options:
        kinds = {k.option: k for k in EVIDENCE_KINDS.values() if k.of_videos is of_videos}
        options.__annotations__ = dict.fromkeys(kinds, list[str]) | options.__annotations__
        for name, kind in kinds.items():
            setattr(options, name, option([], metavar=kind.form, help=kind.help, needs=AUTO))
        return options

    return declare


@dataclass(frozen=True, kw_only=True)
@_with_evidence(of_videos=False)
class PoseNetworkOptions:
    """Pose networks of other projects, with an option for each kind in ``EVIDENCE_KINDS``.

    Args:
        pose_checkpoint: Weights of --pose-config.
    """

    help_title: ClassVar = 'pose networks'

    pose_checkpoint: list[str] = option([], metavar='FILE')

    @property
    def evidence_texts(self) -> list[tuple[str, str]]:
        """The values of the options, each after its kind."""
        return [
            (name, text)
            for name, kind in EVIDENCE_KINDS.items()
            for text in getattr(self, kind.option, ())
        ]

    @property
    def pose_networks(self) -> list[PoseNetworkFiles]:
        """The pose networks, and the finished poses and tracks of :class:`EvidenceOptions`.

        Raises:
            InputError: If the configs lack or exceed the checkpoints, or a suffix is unknown.
        """
        from stdpose_mm.labelling.evidence import PoseNetworkFiles

        evidence = [PoseNetworkFiles.parse(text, name) for name, text in self.evidence_texts]
        configs = [number for number, files in enumerate(evidence) if files.kind == 'config']
        if len(configs) != len(self.pose_checkpoint):
            raise InputError(
                f'--pose-config is given {counted(len(configs), "time")} and '
                f'--pose-checkpoint {counted(len(self.pose_checkpoint), "time")}, give one '
                'checkpoint for each config'
            )
        for number, weights in zip(configs, self.pose_checkpoint, strict=True):
            evidence[number] = replace(evidence[number], companion=weights)
        return evidence

    @property
    def result_paths(self) -> dict[str, list[str]]:
        """Files and folders of finished poses and tracks, by the option that names them."""
        evidence = self.pose_networks
        return {
            f'--{kind.option.replace("_", "-")}': [f.file for f in evidence if f.kind == name]
            for name, kind in EVIDENCE_KINDS.items()
            if kind.of_videos
        }

    def evidence_files(self, name: str) -> dict[str, list[Path]]:
        """List the files of pose networks, and of finished poses and tracks of a video, by name.

        Raises:
            InputError: If the results lack poses or tracks of this video.
        """
        return {
            f'{EVIDENCE_KINDS[files.kind].what} {files.file}': [*files.read_files(name).values()]
            for files in self.pose_networks
        }


@dataclass(frozen=True, kw_only=True)
@_with_evidence(of_videos=True)
class EvidenceOptions(PoseNetworkOptions):
    """The evidence for auto that the user gives: pose networks, finished poses and tracks."""

    help_title: ClassVar = 'poses and tracks of other programs'


@dataclass(frozen=True, kw_only=True)
class PropagatorOptions(EvidenceOptions):
    """A propagator: its method, and the networks that it uses.

    Args:
        config: Config of the model: a file, or the name of one of this package.
        checkpoint: Weights of the model.
        device: Device that runs the networks.
        method: How to fill the frames between labels; auto combines straight lines, optical flow
            and the heatmaps of the model and of all pose networks, poses and tracks that are given;
            their options may be repeated.
        use_stdpose: Do not let auto use the STDPose model that comes with the package: faster, but
            less accurate for people.
        precision: Number format of the model.
        batch_size: Windows that the model processes at once.
    """

    help_title: ClassVar = 'method and model'

    config: str | None = option(needs=MODEL_METHOD)
    checkpoint: str | None = option(needs=MODEL_METHOD)
    device: str = option('cpu', needs=TORCH)
    method: str = option('auto', choices=PROPAGATION_METHODS)
    use_stdpose: bool = option(True, '--no-stdpose', needs=AUTO)
    precision: str = option('float32', choices=PRECISIONS, needs=MODEL_CONFIG)
    batch_size: int = option(8, type=positive, metavar='N')

    @property
    def uses_model(self) -> bool:
        """Whether the method uses a model."""
        return PROPAGATION_METHODS[self.method] in ('auto', 'window')

    @property
    def uses_device(self) -> bool:
        return self.uses_model

    def validate(self) -> None:
        """Check, before anything is downloaded, that the options work together.

        Raises:
            InputError: If not, or if a package of the method is not installed.
        """
        refuse_idle(self)
        from stdpose_mm.labelling.propagation.base import require_method_packages

        require_method_packages(self.method)

    @property
    def propagator_arguments(self) -> dict[str, Any]:
        """Arguments of :class:`~stdpose_mm.apis.VideoPosePropagator` except its model."""
        return {
            'device': self.device,
            'method': self.method,
            'precision': self.precision,
            'batch_size': self.batch_size,
            'pose_networks': self.pose_networks,
            'use_stdpose': self.use_stdpose,
        }


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(DetectorOptions, PoseNetworkOptions, InputOptions):
    """The videos of a command, the networks that look at them, and the files that it writes."""

    @property
    def outputs(self) -> dict[str, str]:
        """The requested outputs by field name."""
        written = (item.name for item in fields(self) if item.metadata.get('writes'))
        return {name: value for name in written if (value := getattr(self, name)) is not None}

    def require_folders(self) -> None:
        super().require_folders()
        if not self.listed.several:
            return
        require_result_folders(self.result_paths, self.listed.videos)
        for name, folder in self.outputs.items():
            is_named_as_file = folder.lower().endswith(_FILE_SUFFIXES) and not os.path.isdir(folder)
            if os.path.isfile(folder) or is_named_as_file:
                raise InputError(
                    f'--{name.replace("_", "-")} {folder} is a file, but several videos need a '
                    f'folder, give one such as {Path(folder).with_suffix("")}'
                )


def note_network_downloads(
    networks: Iterable[PoseNetworkFiles], detector: DetectorFile | None
) -> None:
    """Name all files of networks that are still to be fetched, before the first one is.

    Args:
        networks: The pose networks.
        detector: The person detector; None without one.

    Raises:
        InputError: If a pose network has an unknown name.
    """
    from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS
    from stdpose_mm.io.downloads import note_downloads
    from stdpose_mm.labelling.evidence.model_zoo import find_network

    named: list[Any] = [find_network(files.file) for files in networks if files.kind == 'zoo']
    if detector is not None and detector.is_published:
        named.append(PUBLISHED_DETECTORS[detector.name])
    # A file that was fetched before may lie unpacked beside the place of its archive.
    note_downloads(network.download for network in named if not network.path.is_file())


def require_folder(name: str, path: str | Path) -> None:
    """Refuse a file where several videos need a folder with one file each.

    Raises:
        InputError: If the path is not a folder.
    """
    if not os.path.isdir(path):
        raise InputError(
            f'{name} {path} is not a folder, but there are several videos, give a folder with one '
            'file for each'
        )


def require_result_folders(
    results: Mapping[str, Sequence[str]], videos: Sequence[InputVideo]
) -> None:
    """Refuse results of pose networks or trackers that do not tell the videos apart.

    Args:
        results: Option -> the paths that it names.
        videos: The videos.

    Raises:
        InputError: If a path is a single file, or two videos have the same name.
    """
    for name, path in ((name, path) for name, paths in results.items() for path in paths):
        require_folder(name, path)
        named: dict[str, InputVideo] = {}
        for video in videos:
            other = named.setdefault(video.name, video)
            if other is not video:
                raise InputError(
                    f'{other.video} and {video.video} have the same name, but {name} {path} tells '
                    'videos apart by name: rename one, or run one video at a time'
                )


def folders(*paths: str | Path | None) -> list[str | Path]:
    """Return the paths that are folders; all label files in them are read."""
    return [path for path in paths if path is not None and Path(path).is_dir()]


def refuse_idle(options: Any) -> None:
    """Refuse options that are given but have no effect: what one needs is declared beside it.

    Raises:
        InputError: If an option lacks something that it needs.
    """
    for item in fields(options):
        default = item.default if item.default_factory is MISSING else item.default_factory()
        if getattr(options, item.name) == default:
            continue
        for need in item.metadata.get('needs', ()):
            if not need.is_met(options):
                name = option_names(item)[-1]
                raise InputError(f'{name} would have no effect: give {need.what}, or leave it out')
