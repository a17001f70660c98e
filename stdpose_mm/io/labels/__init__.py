"""Label files of every format, read into and written from ``VideoLabels``."""

from .coco import read_coco, write_coco
from .cvat import read_cvat, write_cvat
from .deeplabcut import read_deeplabcut
from .fields import read_json
from .formats import read_all_labels, read_labels, read_posetrack, sniff_format, write_labels
from .frame_numbers import (
    NO_FRAME_OPTIONS,
    FrameOptions,
    describe_frames,
    frame_indices,
    list_frames,
    read_frame_list,
)
from .label_files import find_label_files, write_label_list
from .label_size import describe_outside, fit_size, rescale_labels
from .labelled_frames import frame_sources
from .matching import match_frames
from .posetrack17 import read_posetrack17
from .posetrack18 import read_posetrack18, write_posetrack18
from .sleap import read_sleap, write_sleap

__all__ = [
    'NO_FRAME_OPTIONS',
    'FrameOptions',
    'describe_frames',
    'describe_outside',
    'find_label_files',
    'fit_size',
    'frame_indices',
    'frame_sources',
    'list_frames',
    'match_frames',
    'read_all_labels',
    'read_coco',
    'read_cvat',
    'read_deeplabcut',
    'read_frame_list',
    'read_json',
    'read_labels',
    'read_posetrack',
    'read_posetrack17',
    'read_posetrack18',
    'read_sleap',
    'rescale_labels',
    'sniff_format',
    'write_coco',
    'write_cvat',
    'write_label_list',
    'write_labels',
    'write_posetrack18',
    'write_sleap',
]
