"""Label files of every format, read into and written from ``VideoLabels``."""

from .coco import read_coco, write_coco
from .coco_results import read_coco_results, write_coco_results
from .cvat import read_cvat
from .cvat_writer import write_cvat, write_cvat_labels
from .deeplabcut import read_deeplabcut, write_deeplabcut
from .fields import read_json
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
    frame_indices,
    list_frames,
    read_frame_list,
)
from .held_out import select_held_out
from .label_files import files_by_video, find_label_files, frame_sources, write_label_list
from .label_studio import read_label_studio
from .labelme import read_labelme
from .matching import fit_size, match_frames, numbers_with_gaps, rescale_labels
from .mmpose_json import read_mmpose, write_mmpose
from .openpose import read_openpose
from .posetrack17 import read_posetrack17
from .posetrack18 import read_posetrack18, write_posetrack18
from .sleap import read_sleap, write_sleap
from .tidy_csv import write_tidy_csv
from .trc import write_trc
from .yolo_pose import read_yolo_pose

__all__ = [
    'NO_BOX_FRAME_OPTIONS',
    'NO_FRAME_OPTIONS',
    'FrameOptions',
    'describe_frames',
    'files_by_video',
    'find_label_files',
    'fit_size',
    'frame_indices',
    'frame_sources',
    'list_frames',
    'match_frames',
    'numbers_with_gaps',
    'read_all_labels',
    'read_coco',
    'read_coco_results',
    'read_cvat',
    'read_deeplabcut',
    'read_frame_list',
    'read_json',
    'read_label_studio',
    'read_labelme',
    'read_labels',
    'read_mmpose',
    'read_openpose',
    'read_posetrack',
    'read_posetrack17',
    'read_posetrack18',
    'read_sleap',
    'read_yolo_pose',
    'require_times',
    'rescale_labels',
    'select_held_out',
    'sniff_format',
    'stands_for_many',
    'write_coco',
    'write_coco_results',
    'write_cvat',
    'write_cvat_labels',
    'write_deeplabcut',
    'write_label_list',
    'write_labels',
    'write_mmpose',
    'write_posetrack18',
    'write_sleap',
    'write_tidy_csv',
    'write_trc',
]
