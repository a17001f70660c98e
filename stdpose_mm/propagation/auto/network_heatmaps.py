"""Heatmaps of gaps by pose networks that look at single pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import Gap
from stdpose_mm.structures import Skeleton, person_box
from stdpose_mm.structures.joint_mapping import JointMapping

from .fusion_features import GapHeatmaps

if TYPE_CHECKING:
    from stdpose_mm.pose_networks import PoseNetwork


class NetworkHeatmapEstimator:
    """Run a pose network over the frames of gaps and the labels at their ends.

    Args:
        network: The network.
        batch_size: Crops that it sees at once.
    """

    def __init__(self, network: PoseNetwork, batch_size: int = 8) -> None:
        self.network = network
        self.batch_size = batch_size

    def shared_joints(self, skeleton: Skeleton) -> JointMapping | None:
        """Find the joints that mean the same places as those of labels; None without any."""
        return JointMapping.by_meaning(skeleton, self.network.skeleton)

    def explain_unused(self, skeleton: Skeleton) -> str:
        """Say in a sentence that no joint is shared with these labels."""
        return (
            f'{self.network.name} knows none of the labelled joints '
            f'({_listed(skeleton)}) but {_listed(self.network.skeleton)}, it is not used'
        )

    def heatmaps(
        self, frames: FrameSource, gap: Gap, keys: Sequence[int], mapping: JointMapping
    ) -> GapHeatmaps:
        """Estimate the heatmaps of some frames of a gap, and of its labels.

        Args:
            frames: The video.
            gap: The gap.
            keys: Frames of the gap.
            mapping: The joints of the gap's labels among those of the network.
        """
        boxes = {key: gap.bbox_of(key) for key in keys}
        for label in (gap.left, gap.right):
            if label is not None:
                boxes[label.frame_index] = person_box(label)
        chosen = sorted(boxes)
        maps, affines = [], []
        for start in range(0, len(chosen), self.batch_size):
            batch = chosen[start : start + self.batch_size]
            found = self.network.estimate(
                [frames[frame] for frame in batch], np.stack([boxes[frame] for frame in batch])
            )
            shape = (len(batch), mapping.num_labels, *found.heatmaps.shape[2:])
            ordered = np.zeros(shape, np.float32)
            ordered[:, mapping.shared] = found.heatmaps[:, mapping.in_model]
            maps.append(ordered)
            affines.append(found.to_heatmap)
        heatmaps = np.concatenate(maps)
        shown = mapping.to_labels(np.ones(mapping.num_model, dtype=bool))
        return GapHeatmaps(chosen, heatmaps, heatmaps, np.concatenate(affines), shown)


def _listed(skeleton: Skeleton) -> str:
    names = skeleton.keypoint_names
    return ', '.join(names[:5]) + (', ...' if len(names) > 5 else '')
