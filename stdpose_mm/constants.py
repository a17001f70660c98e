"""Values of options of functions and commands, in a module that is cheap to import."""

from __future__ import annotations

from itertools import chain
from typing import Literal, NamedTuple, get_args

PROPAGATION_METHODS = {
    'auto': 'auto',
    'flow': 'flow',
    'linear': 'interpolation',
    'per-frame': 'window',
    'semantic-motion': 'window',
    'spline': 'interpolation',
    'stdpose': 'window',
}
"""Method -> the folder of ``stdpose_mm/propagation`` that registers its propagator."""

LifeSpan = Literal['video', 'labels']
LIFE_SPANS: tuple[LifeSpan, ...] = get_args(LifeSpan)
"""Frames in which a person is present: the whole video, or from its first label to its last."""


FrameSubject = Literal['labels', 'boxes', 'estimates']
FRAME_OPTIONS: dict[FrameSubject, tuple[str, str]] = {
    'labels': ('--first-frame-number', '--frame-of'),
    'boxes': ('--boxes-first-frame-number', '--boxes-frame-of'),
    'estimates': ('stdpose convert --first-frame-number', 'stdpose convert --frame-of'),
}
"""Content of a file -> its options for the number of the first frame and for a list of frames. Box
files have their own options, since they often come from another program than the labels; estimated
poses are converted first."""


class LabelFormat(NamedTuple):
    """A format of label files.

    Args:
        suffixes: Suffixes of a written file, the usual one first, or the end of a folder's name.
        reads, writes: Whether this package reads, or writes, the format.
        folder: Whether a folder with one file per picture is read as one set of labels.
        times: Whether a written file holds the time of every frame.
        to_folder: Whether a video is written to a folder, with one file per frame.
    """

    suffixes: tuple[str, ...]
    reads: bool = True
    writes: bool = True
    folder: bool = False
    times: bool = False
    to_folder: bool = False


JSON_SUFFIXES = ('.json', '.json.gz')

LABEL_FORMATS = {
    'posetrack17': LabelFormat(JSON_SUFFIXES, writes=False),
    'posetrack18': LabelFormat(JSON_SUFFIXES),
    'posetrack18-official': LabelFormat(JSON_SUFFIXES, reads=False),
    'posetrack21': LabelFormat(JSON_SUFFIXES),
    'coco': LabelFormat(JSON_SUFFIXES),
    'coco-results': LabelFormat(JSON_SUFFIXES),
    'cvat': LabelFormat(('.xml', '.xml.gz')),
    'sleap': LabelFormat(('.slp',)),
    'tidy-csv': LabelFormat(('.csv', '.csv.gz'), reads=False, times=True),
    'deeplabcut': LabelFormat(('.csv',)),
    'deeplabcut-h5': LabelFormat(('.h5',)),
    'lightning-pose': LabelFormat(('.csv',)),
    'yolo-pose': LabelFormat(('_yolo',), folder=True, to_folder=True),
    'labelme': LabelFormat(('_labelme',), folder=True, to_folder=True),
    'label-studio': LabelFormat(JSON_SUFFIXES),
    'mmpose': LabelFormat(JSON_SUFFIXES, folder=True),
    'openpose': LabelFormat(('_json',), folder=True, to_folder=True),
    'movement': LabelFormat(('.nc',), reads=False, times=True),
    'trc': LabelFormat(('.trc',), reads=False, times=True),
}
"""Formats of label files by name; docs/guide/label_formats.md lists what each can hold. A file is
written in the first format that has its suffix."""

READ_FORMATS = tuple(name for name, form in LABEL_FORMATS.items() if form.reads)
WRITE_FORMATS = {name: form.suffixes for name, form in LABEL_FORMATS.items() if form.writes}
FOLDER_FORMATS = tuple(name for name, form in LABEL_FORMATS.items() if form.to_folder)
FORMATS_WITH_TIMES = tuple(name for name, form in LABEL_FORMATS.items() if form.times)

CVAT_LABELS = 'cvat-labels'
"""Another output of :mod:`stdpose_mm.cli.convert`: the label definition of a CVAT task."""

CVAT_TOLERANCE = 1.0
"""Default largest distance between CVAT's interpolation and a propagated joint, in pixels."""

FRACTION_FORMATS = ('yolo-pose', 'label-studio')
"""Formats whose coordinates are fractions of the picture, so that its size must be known."""

PROJECT_FILES = {
    'deeplabcut': '_config.yaml',
    'deeplabcut-h5': '_config.yaml',
    'label-studio': '_config.xml',
}
"""Format -> suffix of the project file that is written beside the labels for the tool."""

FORMAT_PACKAGES = {'sleap': 'sleap_io', 'deeplabcut-h5': 'h5py'}
"""Format -> module that is needed to write it."""

VIDEO_SUFFIXES = ('.mp4', '.mkv', '.mov', '.avi', '.m4v', '.ts', '.h264')
"""Suffixes of videos that can be written: containers for H.264, and the raw stream."""

PRECISIONS = ('float32', 'bfloat16')
"""Precisions in which PyTorch runs a checkpoint."""

ONNX_RUNTIMES = {'onnxruntime': ('float32', 'int8'), 'openvino': ('float32', 'bfloat16')}
"""Runtime of an exported network -> its precisions; the default runtime is first. The 8-bit graphs
use onnxruntime's operators; OpenVINO accepts them, but computes different heatmaps."""

BACKEND_PRECISIONS = tuple(dict.fromkeys((*PRECISIONS, *chain(*ONNX_RUNTIMES.values()))))

POSE_FORM = 'FILE[=PRESET]'
"""Form of an option that names a pose network in one file."""

POSES_FORM = 'FILE_OR_FOLDER'
"""Form of an option that names poses estimated by another program."""

TRACKS_FORM = 'FILE_OR_FOLDER[=QUERIES]'
"""Form of an option that names tracks of a point tracker."""

POSE_NETWORK_SUFFIXES = {
    'onnx': ('.onnx',),
    'tflite': ('.tflite', '.task'),
}
"""Kind of network file, as in the names of options -> its suffixes."""

CropPolicy = Literal['frame', 'window']
CROP_POLICIES: tuple[CropPolicy, ...] = get_args(CropPolicy)
"""Each frame is cropped at its own box, or all frames of a window at the box of its key frame."""

ON_ERROR = ('stop', 'skip')
"""What a dataset does with a sample that it cannot read: raise an error, or leave it out."""

FootageKind = Literal['plain', 'wild', 'mixed']
FOOTAGE_KINDS: tuple[FootageKind, ...] = get_args(FootageKind)
"""How generated clips are filmed and encoded: with as few defects as possible, as in real videos of
people, or each clip in one of the two ways."""

WHOLE_PICTURE: Literal['whole-picture'] = 'whole-picture'
"""Value in place of boxes: one person fills the picture."""

TRACKERS = ('bytetrack', 'oks')
"""Trackers: identities by boxes, or by boxes and then corrected by poses."""

SMOOTHERS = ('one-euro', 'savitzky-golay')
"""Filters that smooth joints over time."""

LAUNCHERS = ('none', 'pytorch', 'slurm')
"""Launchers of processes that share videos: none, ``torchrun``, or ``srun``."""
