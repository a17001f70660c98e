"""Label files of every format, read into and written from ``VideoLabels``."""

from .coco import write_coco
from .cvat_writer import write_cvat_labels
from .formats import (
    read_all_labels,
    read_labels,
    read_posetrack,
    require_times,
    sniff_format,
    stands_for_many,
    write_labels,
)
from .frame_numbers import (
    NO_BOX_FRAME_OPTIONS,
    NO_FRAME_OPTIONS,
    FrameOptions,
    describe_frames,
    follow_names,
    frame_indices,
    read_frame_list,
)
from .label_files import (
    files_by_video,
    find_label_files,
    frame_sources,
    read_selected_videos,
    write_label_list,
)
from .label_source import read_json
from .matching import (
    fit_size,
    list_all_frames,
    match_frames,
    match_labels,
    numbers_with_gaps,
    rescale_labels,
)
from .posetrack18 import read_posetrack18, write_posetrack18

__all__ = [
    'NO_BOX_FRAME_OPTIONS',
    'NO_FRAME_OPTIONS',
    'FrameOptions',
    'describe_frames',
    'files_by_video',
    'find_label_files',
    'fit_size',
    'follow_names',
    'frame_indices',
    'frame_sources',
    'list_all_frames',
    'match_frames',
    'match_labels',
    'numbers_with_gaps',
    'read_all_labels',
    'read_frame_list',
    'read_json',
    'read_labels',
    'read_posetrack',
    'read_posetrack18',
    'read_selected_videos',
    'require_times',
    'rescale_labels',
    'sniff_format',
    'stands_for_many',
    'write_coco',
    'write_cvat_labels',
    'write_label_list',
    'write_labels',
    'write_posetrack18',
]
