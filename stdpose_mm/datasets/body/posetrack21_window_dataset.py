"""PoseTrack21."""

from __future__ import annotations

from mmpose.registry import DATASETS

from stdpose_mm.datasets.base import BaseWindowDataset

from .posetrack_metainfo import posetrack_metainfo


@DATASETS.register_module()
class PoseTrack21WindowDataset(BaseWindowDataset):
    """Windows of PoseTrack21: one COCO-like JSON per video, pictures by ``file_name``.

    Args and samples: see :class:`BaseWindowDataset`.
    """

    METAINFO = posetrack_metainfo('posetrack21')
    DATA_HINT = (
        'get the annotations from https://github.com/anDoer/PoseTrack21 and the pictures '
        '(those of PoseTrack18) from https://posetrack.net, and lay them out as '
        'docs/guide/data.md says, or set data_root'
    )
