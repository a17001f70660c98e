"""A pose network that sees three joints at known places."""

from __future__ import annotations

import numpy as np

from stdpose_mm.labelling.evidence import PersonCrop, PoseHeatmaps, PoseNetwork
from stdpose_mm.structures import Skeleton

from .moving_pictures import POINTS

NAMES = ('nose', 'left_wrist', 'right_wrist')


class PeakNetwork(PoseNetwork):
    """Find every joint at a place that depends on the frame; a cell is two pixels.

    Args:
        offset: [2] from the labelled to the found position of a joint, in pixels.
        height: Height of the peaks.
        names: The joints.
    """

    def __init__(self, offset=(0.0, 0.0), height=1.0, names=NAMES):
        super().__init__('peaks', Skeleton(names))
        self.offset, self.height = np.array(offset), height
        self.seen = []

    def view(self, picture, box):
        assert box.shape == (4,)
        return PersonCrop(picture, np.eye(2, 3))

    def estimate_crops(self, crops):
        self.seen.append([int(crop.picture[0, 0, 0]) for crop in crops])
        y, x = np.mgrid[:60, :80] * 2.0
        maps = []
        for name in self.skeleton.keypoint_names:
            place = POINTS[NAMES.index(name)] if name in NAMES else np.zeros(2)
            at_x, at_y = place + self.offset
            maps.append(self.height * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * 2.0**2)))
        affine = np.array([[0.5, 0, 0], [0, 0.5, 0]])
        count = len(crops)
        return PoseHeatmaps(
            np.tile(np.array(maps, np.float32), (count, 1, 1, 1)),
            np.tile(affine, (count, 1, 1)),
            np.ones((count, len(maps)), dtype=bool),
        )
