"""PoseTrack17."""

from __future__ import annotations

from mmpose.registry import DATASETS

from stdpose_mm.datasets.base import BaseWindowDataset
from stdpose_mm.io.labels import read_posetrack
from stdpose_mm.structures import VideoLabels

from .posetrack_metainfo import posetrack_metainfo


@DATASETS.register_module()
class PoseTrack17WindowDataset(BaseWindowDataset):
    """Windows of PoseTrack17: annolist JSONs as distributed, or converted to PoseTrack18's form.

    Args and samples: see :class:`BaseWindowDataset`.
    """

    METAINFO = posetrack_metainfo('posetrack17')
    DATA_HINT = (
        'get PoseTrack17 from https://posetrack.net and lay it out '
        'as docs/guide/data.md says, or set data_root'
    )

    def read_labels(self, path: str) -> VideoLabels:
        """Read the labels of one file of either form."""
        return read_posetrack(path)
