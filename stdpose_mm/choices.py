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
WRITE_FORMATS = ('posetrack18', 'posetrack18-official', 'posetrack21', 'coco', 'cvat', 'sleap')
"""Formats of label files."""

CVAT_LABELS = 'cvat-labels'
"""What :mod:`stdpose_mm.cli.convert` writes beside: the label of a CVAT task, without poses."""

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

LAUNCHERS = ('none', 'pytorch', 'slurm')
"""What started the processes that share videos: nothing, ``torchrun``, or ``srun``."""
