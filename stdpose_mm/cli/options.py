"""Options that several commands share; the options of each command extend these dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from stdpose_mm.constants import (
    CVAT_TOLERANCE,
    EVIDENCE_KINDS,
    FRAME_OPTIONS,
    LIFE_SPANS,
    PRECISIONS,
    PROPAGATION_METHODS,
    FrameSubject,
    LifeSpan,
)
from stdpose_mm.errors import InputError
from stdpose_mm.text import counted

from .argument_types import picture_size, pixel_tolerance, positive, whole
from .parser import argument, option

if TYPE_CHECKING:
    from stdpose_mm.detection import PersonDetector
    from stdpose_mm.detection.detector_files import DetectorFile
    from stdpose_mm.io.labels import FrameOptions
    from stdpose_mm.io.video import FrameSource
    from stdpose_mm.pose_networks import PoseNetworkFiles
    from stdpose_mm.structures import VideoLabels


@dataclass(kw_only=True)
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


@dataclass(kw_only=True)
class RootOptions:
    """Folders of the pictures and videos that labels name.

    Args:
        image_root: Folder that picture names in LABELS are relative to.
        video_root: Folder that video names in LABELS are relative to.
    """

    help_title: ClassVar = 'folders of pictures'

    image_root: Path | None = option()
    video_root: Path | None = option()


@dataclass(kw_only=True)
class LabelledVideoOptions(RootOptions):
    """A set of labelled videos.

    Args:
        labels: Folder of label files, one label file, or a text file with one path per line.
    """

    labels: Path = argument('LABELS', reads_folder=True)


@dataclass(kw_only=True)
class CvatTolerance:
    """The density of key frames in files for CVAT.

    Args:
        cvat_tolerance: For CVAT: write only as many key frames as are needed to keep CVAT's
            interpolation within PX pixels of the propagated joints; "all" makes every frame a key
            frame.
    """

    help_title: ClassVar = 'labels for CVAT'

    cvat_tolerance: float | None = option(CVAT_TOLERANCE, type=pixel_tolerance, metavar='PX')

    def require_cvat_output(self, writes_cvat: bool) -> None:
        """Refuse the option if nothing is written for CVAT."""
        is_given = self.cvat_tolerance != CVAT_TOLERANCE
        refuse_idle('--cvat-tolerance', is_given and not writes_cvat, 'an OUT in the format cvat')


@dataclass(kw_only=True)
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
    def label_frames(self) -> FrameOptions:
        """The options that map labels to frames."""
        return _frame_options('labels', self.first_frame_number, self.frame_of)

    def read_labels(self, path: Path, frames: FrameSource, video: str | None) -> VideoLabels:
        """Read the labels of a video.

        Args:
            path: Their file.
            frames: The video.
            video: Its name in the file, if the file holds several videos.

        Raises:
            InputError: If they cannot be read, or do not fit these frames.
        """
        from stdpose_mm.io.labels import match_labels, read_labels

        labels = read_labels(
            path,
            video=video,
            size=frames.size,
            loaded_into_cvat=self.loaded_into_cvat,
            visible_as_1=self.visible_as_1,
            category=self.labels_category,
        )
        return match_labels(labels, frames, self.label_frames, self.labels_size)


@dataclass(kw_only=True)
class LabelOptions(LabelFileOptions):
    """The labels of one video, and the frames in which people are present.

    Args:
        labels_video: Video whose labels to use, if LABELS hold several videos.
        life_span: Frames in which a person is present: the whole video, or from the person's first
            label to the last.
    """

    help_title: ClassVar = 'reading labels'

    labels_video: str | None = option(metavar='NAME')
    life_span: LifeSpan = option('video', choices=LIFE_SPANS)

    def require_no_labels_video(self) -> None:
        """Refuse --labels-video if there are several videos."""
        is_given = self.labels_video is not None
        refuse_idle('--labels-video', is_given, 'one video (a dataset file names those of several)')


@dataclass(kw_only=True)
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

    det_config: str | None = option(None, '--det-config', '--detector', metavar='{NAME,FILE}')
    det_checkpoint: str | None = option(metavar='FILE')
    device: str = option('cpu')

    @property
    def detector_file(self) -> DetectorFile | None:
        """The file or name of the person detector; None without one."""
        if self.det_config is None:
            return None
        from stdpose_mm.detection.detector_files import DetectorFile

        return DetectorFile.parse(self.det_config)

    def build_detector(self) -> PersonDetector | None:
        """Build the person detector; None without one."""
        is_idle = self.det_checkpoint is not None and not self.det_config
        refuse_idle('--det-checkpoint', is_idle, '--detector')
        if self.det_config is None:
            return None
        from stdpose_mm.detection import build_person_detector

        return build_person_detector(self.det_config, self.det_checkpoint, self.device)


@dataclass(kw_only=True)
class BoxOptions:
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
    boxes_first_frame_number: int | None = option(type=whole, metavar='N')
    boxes_frame_of: Path | None = option(metavar='FILE')

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

    def require_box_file(self, is_listed: bool = False) -> None:
        """Refuse options about the frames of a box file if there is no such file.

        Args:
            is_listed: Whether a dataset file names one.
        """
        is_given = self.boxes_first_frame_number is not None or self.boxes_frame_of is not None
        names = ' and '.join(FRAME_OPTIONS['boxes'])
        refuse_idle(names, is_given and not (self.box_file or is_listed), '--boxes FILE')


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
            setattr(options, name, option([], metavar=kind.form, help=kind.help))
        return options

    return declare


@dataclass(kw_only=True)
@_with_evidence(of_videos=False)
class PoseNetworkOptions:
    """Pose networks of other projects, with an option for each kind in ``EVIDENCE_KINDS``.

    Args:
        pose_checkpoint: Weights of --pose-config.
    """

    help_title: ClassVar = 'pose networks'

    pose_checkpoint: list[str] = option([], metavar='FILE')
    if TYPE_CHECKING:
        # The option to which --learn adds its network.
        pose_onnx: list[str]

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
        from stdpose_mm.pose_networks import PoseNetworkFiles

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

    def evidence_files(self, name: str) -> dict[str, list[Path]]:
        """List the files of pose networks, and of finished poses and tracks of a video, by name.

        Raises:
            InputError: If the results lack poses or tracks of this video.
        """
        return {
            f'{EVIDENCE_KINDS[files.kind].what} {files.file}': [*files.read_files(name).values()]
            for files in self.pose_networks
        }


@dataclass(kw_only=True)
@_with_evidence(of_videos=True)
class EvidenceOptions(PoseNetworkOptions):
    """The evidence for auto that the user gives: pose networks, finished poses and tracks."""

    help_title: ClassVar = 'poses and tracks of other programs'

    @property
    def result_paths(self) -> dict[str, list[str]]:
        """Files and folders of finished poses and tracks, by the option that names them."""
        evidence = self.pose_networks
        return {
            f'--{kind.option.replace("_", "-")}': [f.file for f in evidence if f.kind == name]
            for name, kind in EVIDENCE_KINDS.items()
            if kind.of_videos
        }


@dataclass(kw_only=True)
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

    config: str | None = option()
    checkpoint: str | None = option()
    device: str = option('cpu')
    method: str = option('auto', choices=PROPAGATION_METHODS)
    use_stdpose: bool = option(True, '--no-stdpose')
    precision: str = option('float32', choices=PRECISIONS)
    batch_size: int = option(8, type=positive, metavar='N')

    @property
    def uses_model(self) -> bool:
        """Whether the method uses a model."""
        return PROPAGATION_METHODS[self.method] in ('auto', 'window')

    @property
    def uses_device(self) -> bool:
        """Whether PyTorch may run anything."""
        return self.uses_model

    def validate(self) -> None:
        """Check, before anything is downloaded, that the options work together.

        Raises:
            InputError: If not, or if a package of the method is not installed.
        """
        has_model = self.config is not None or self.checkpoint is not None
        refuse_idle(
            '--config and --checkpoint',
            has_model and not self.uses_model,
            '--method auto or stdpose',
        )
        refuse_idle('--precision', self.precision != 'float32' and not self.config, 'a --config')
        has_evidence = bool(self.pose_networks) or not self.use_stdpose
        refuse_idle(
            '--no-stdpose or a pose network',
            has_evidence and self.method != 'auto',
            '--method auto',
        )
        refuse_idle(
            '--device', self.device != 'cpu' and not self.uses_device, '--method auto or stdpose'
        )
        from stdpose_mm.propagation.base import require_method_packages

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
    from stdpose_mm.pose_networks.model_zoo import find_network

    named: list[Any] = [find_network(files.file) for files in networks if files.kind == 'zoo']
    if detector is not None and detector.is_published:
        named.append(PUBLISHED_DETECTORS[detector.name])
    # A file that was fetched before may lie unpacked beside the place of its archive.
    note_downloads(network.download for network in named if not network.path.is_file())


def folders(*paths: str | Path | None) -> list[str | Path]:
    """Return the paths that are folders; all label files in them are read."""
    return [path for path in paths if path is not None and Path(path).is_dir()]


def refuse_idle(name: str, is_idle: bool, needed: str) -> None:
    """Refuse options that have no effect.

    Args:
        name: Their names.
        is_idle: Whether they are given and have no effect.
        needed: What they need in order to have one.

    Raises:
        InputError: If ``is_idle``.
    """
    if is_idle:
        raise InputError(f'{name} would have no effect: give {needed}, or leave it out')
