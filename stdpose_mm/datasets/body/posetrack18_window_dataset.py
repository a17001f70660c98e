"""PoseTrack18."""

from __future__ import annotations

from mmpose.registry import DATASETS

from stdpose_mm.datasets.base import BaseWindowDataset

from .posetrack_metainfo import posetrack_metainfo


@DATASETS.register_module()
class PoseTrack18WindowDataset(BaseWindowDataset):
    """Windows of PoseTrack18: one COCO-like JSON per video, pictures by ``file_name``.

    Args and samples: see :class:`BaseWindowDataset`.
    """

    METAINFO = posetrack_metainfo('posetrack18')
    DATA_HINT = (
        'get PoseTrack18 from https://posetrack.net, or generate videos of its form with '
        'tools/dataset_converters/make_synthetic_posetrack.py, and lay them out as '
        'docs/guide/data.md says, or set data_root'
    )
