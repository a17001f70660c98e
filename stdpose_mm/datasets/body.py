"""Datasets of windows of people, and of any other subject.

MMPose's inferencers choose a detector by the name of this module.
"""

from __future__ import annotations

from typing import Any

from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from stdpose_mm.io.disk.file_names import find_installed_config
from stdpose_mm.registration import register

from .base import BaseWindowDataset


def posetrack_metainfo(dataset_name: str) -> dict[str, Any]:
    """Read MMPose's metainfo of PoseTrack18, whose joints are those of all years of PoseTrack.

    Args:
        dataset_name: Name of the dataset in the metainfo.
    """
    # By its whole path: parse_pose_metainfo would warn about MMPose's relative one.
    file = find_installed_config('posetrack18.py', [('mmpose', 'configs/_base_/datasets')])
    return {**Config.fromfile(file).dataset_info, 'dataset_name': dataset_name}


@register(DATASETS)
class PoseTrack17WindowDataset(BaseWindowDataset):
    """Windows of PoseTrack17: annolist JSONs as distributed, or converted to PoseTrack18's form.

    Args and samples: See :class:`BaseWindowDataset`.
    """

    METAINFO = posetrack_metainfo('posetrack17')
    DATA_HINT = f'get PoseTrack17 from https://posetrack.net, then {BaseWindowDataset.DATA_HINT}'


@register(DATASETS)
class PoseTrack18WindowDataset(BaseWindowDataset):
    """Windows of PoseTrack18, with one COCO-like JSON per video and pictures by ``file_name``.

    Args and samples: See :class:`BaseWindowDataset`.
    """

    METAINFO = posetrack_metainfo('posetrack18')
    DATA_HINT = (
        'get PoseTrack18 from https://posetrack.net, or generate videos of its form with '
        f'tools/dataset_converters/make_synthetic_posetrack.py, then {BaseWindowDataset.DATA_HINT}'
    )


@register(DATASETS)
class PoseTrack21WindowDataset(BaseWindowDataset):
    """Windows of PoseTrack21, with one COCO-like JSON per video and pictures by ``file_name``.

    Args and samples: See :class:`BaseWindowDataset`.
    """

    METAINFO = posetrack_metainfo('posetrack21')
    DATA_HINT = (
        'get the annotations from https://github.com/anDoer/PoseTrack21 and the pictures '
        f'(those of PoseTrack18) from https://posetrack.net, then {BaseWindowDataset.DATA_HINT}'
    )


@register(DATASETS)
class GenericWindowDataset(BaseWindowDataset):
    """Windows of videos with any skeleton: people, hands, animals.

    By default ``metainfo`` comes from the skeleton in the first label file's ``categories``; left
    and right are recognised by the joints' names.

    Args and samples: See :class:`BaseWindowDataset`.

    Raises:
        InputError: If a label file has other keypoints than the metainfo.
    """

    def _join_prefix(self) -> None:
        # The first step of BaseDataset's construction after which the label files are known.
        super()._join_prefix()
        if not self._metainfo:
            skeleton = self.read_labels(self.label_files()[0])[0].skeleton
            self._metainfo = parse_pose_metainfo(skeleton.to_metainfo('generic'))
