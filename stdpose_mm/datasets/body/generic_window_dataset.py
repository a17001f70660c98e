"""Labelled videos of any subject."""

from __future__ import annotations

from typing import Any

from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from stdpose_mm.datasets.base import BaseWindowDataset


@DATASETS.register_module()
class GenericWindowDataset(BaseWindowDataset):
    """Windows of videos with any skeleton: people, hands, animals.

    Args:
        dataset_name: Name of the data set in the metainfo.
        *args: See :class:`BaseWindowDataset`, also for the samples.
        **kwargs: See there; ``metainfo`` by default is that of the skeleton in the first label
            file's ``categories``, left and right told apart by the joints' names.

    Raises:
        InputError: If a label file has other keypoints than the metainfo.
    """

    def __init__(self, *args: Any, dataset_name: str = 'generic', **kwargs: Any) -> None:
        self._dataset_name = dataset_name
        super().__init__(*args, **kwargs)

    def _join_prefix(self) -> None:
        # The first step of BaseDataset's construction after which the label files are known.
        super()._join_prefix()
        if not self._metainfo:
            skeleton = self.read_labels(self.label_files()[0]).skeleton
            self._metainfo = parse_pose_metainfo(skeleton.to_metainfo(self._dataset_name))
