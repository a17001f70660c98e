"""The names that options of functions and commands take, where parsers find them at no cost."""

from __future__ import annotations

from typing import Literal, get_args

PROPAGATION_METHODS = {
    'auto': 'auto',
    'dcpose': 'window',
    'flow': 'flow',
    'linear': 'interpolation',
    'per-frame': 'window',
    'posewarper': 'window',
    'semantic-motion': 'window',
    'spline': 'interpolation',
    'stdpose': 'window',
}
"""Method -> the folder of ``stdpose_mm/propagation`` that registers its propagator."""

LifeSpan = Literal['video', 'labels']
LIFE_SPANS: tuple[LifeSpan, ...] = get_args(LifeSpan)
"""A person is there in the whole video, or from the first own label to the last."""

READ_FORMATS = ('posetrack17', 'posetrack18', 'posetrack21', 'coco', 'cvat', 'sleap', 'deeplabcut')
"""Formats of label files that are read."""

_JSON = ('.json', '.json.gz')
WRITE_FORMATS: dict[str, tuple[str, ...]] = {
    'posetrack18': _JSON,
    'posetrack18-official': _JSON,
    'posetrack21': _JSON,
    'coco': _JSON,
    'cvat': ('.xml', '.xml.gz'),
    'sleap': ('.slp',),
}
"""Format of label files that are written -> what their names end in; a name stands for the first
format with its ending."""

FORMAT_PACKAGES = {'sleap': 'sleap_io'}
"""Format -> the module without which it cannot be written."""

VIDEO_SUFFIXES = ('.mp4', '.mkv', '.mov', '.avi', '.m4v', '.ts', '.h264')
"""Containers that hold H.264, and the bare stream: videos that are written."""

LAUNCHERS = ('none', 'pytorch', 'slurm')
"""What starts processes that share work."""

PRECISIONS = ('float32', 'bfloat16')
"""Precisions of a checkpoint, which PyTorch runs."""

ONNX_PRECISIONS = ('float32', 'int8')
"""Precisions of an exported network, which onnxruntime runs."""

BACKEND_PRECISIONS = tuple(dict.fromkeys((*PRECISIONS, *ONNX_PRECISIONS)))

CropPolicy = Literal['frame', 'window']
CROP_POLICIES: tuple[CropPolicy, ...] = get_args(CropPolicy)
"""Each frame is cropped at its own box, or all frames of a window at the box of its key frame."""

WHOLE_PICTURE: Literal['whole-picture'] = 'whole-picture'
"""In place of boxes: one person fills the picture."""

TRACKERS = ('bytetrack', 'oks')
"""Identities by boxes, or these corrected by poses."""

SMOOTHERS = ('one-euro', 'savitzky-golay')
"""Filters of joints in time."""
