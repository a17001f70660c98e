"""PoseTrack17."""

from __future__ import annotations

from mmpose.registry import DATASETS

from stdpose_mm.datasets.datasets.base import BaseWindowDataset

from .posetrack_metainfo import posetrack_metainfo


@DATASETS.register_module()
class PoseTrack17WindowDataset(BaseWindowDataset):
    """Windows of PoseTrack17: annolist JSONs as distributed, or converted to PoseTrack18's form.

    Args and samples: see :class:`BaseWindowDataset`.
    """

    METAINFO = posetrack_metainfo('posetrack17')
    DATA_HINT = (
        'get PoseTrack17 from https://posetrack.net and lay it out '
        'as docs/data.md says, or set data_root'
    )
