"""Heatmaps of gaps by the STDPose that comes with the package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import cv2
import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.pose_networks.pose_network import crop_affine
from stdpose_mm.propagation import Gap
from stdpose_mm.propagation.gap_windows import (
    boxes_with_ends,
    gap_window,
    labels_of_window,
    poses_at_ends,
)
from stdpose_mm.propagation.ordered_map import map_in_threads
from stdpose_mm.structures import Skeleton, Window
from stdpose_mm.structures.draw_gaussians import draw_gaussians
from stdpose_mm.structures.joint_mapping import JointMapping

from .gap_heatmaps import GapHeatmaps
from .trained_stdpose import EncodedFrames, GivenLabels, TrainedSTDPose

_MAX_CROPS = 8
"""Crops in one pass of the encoder."""

_LEAST_SHARED = 7
"""Joints that labels must share to be taken for a person's: the upper body has seven."""

_LIMB_ENDS = ('left_wrist', 'right_wrist', 'left_ankle', 'right_ankle')
"""Joints of people that labels of animals with paws, such as AP-10K's, do not have."""


class STDPoseHeatmapEstimator:
    """Run the STDPose that comes with the package over the frames of gaps.

    Every frame is cropped at the person's box in it. ``ModelHeatmapEstimator``, which runs a model
    in PyTorch, gives the same maps.

    Args:
        network: The network.
    """

    def __init__(self, network: TrainedSTDPose) -> None:
        self.network = network
        record = network.record
        # Pixels of a UDP crop and of its heatmaps have the same corners.
        sizes = np.array([record.heatmap_size, record.input_size], dtype=np.float64) - 1
        self._crop_to_heatmap = (sizes[0] / sizes[1])[:, None]

    def shared_joints(self, skeleton: Skeleton) -> JointMapping | None:
        """Find the joints that mean the same places as those of a person's labels.

        Args:
            skeleton: Joints of the labels.

        Returns:
            None if the labels are not of a person: they share few joints, or no wrist and ankle.
        """
        mapping = JointMapping.by_meaning(skeleton, self.network.skeleton, self.network.trained)
        if mapping is None or len(mapping.shared) < _LEAST_SHARED:
            return None
        names = self.network.record.joints
        found = {names[index] for index in mapping.in_model}
        return None if found.isdisjoint(_LIMB_ENDS) else mapping

    def gap_heatmaps(
        self, frames: FrameSource, gaps: Sequence[Gap], mapping: JointMapping
    ) -> Iterator[tuple[Gap, GapHeatmaps]]:
        """Yield every gap with its heatmaps, those of the labels at its ends among them."""
        parts = [(gap, gap.frames) for gap in gaps]
        for number, maps in self.heatmaps(frames, parts, mapping):
            yield gaps[number], maps

    def heatmaps(
        self, frames: FrameSource, parts: Sequence[tuple[Gap, Sequence[int]]], mapping: JointMapping
    ) -> Iterator[tuple[int, GapHeatmaps]]:
        """Estimate the heatmaps of some frames of gaps, and of the labels at their ends.

        Every picture is read once for all gaps, in the order of time.

        Args:
            frames: The video.
            parts: Gaps, each with consecutive frames of it.
            mapping: The joints of the gaps' labels among those of the network.

        Yields:
            The number of each part and its heatmaps, roughly in the order in which the parts end.
        """
        cropped = [self._crops_of(gap, keys) for gap, keys in parts]

        def estimate(number: int) -> tuple[int, GapHeatmaps]:
            return number, self._estimate(*parts[number], cropped[number], mapping)

        yield from map_in_threads(estimate, self._crop(frames, cropped))

    def _crops_of(self, gap: Gap, keys: Sequence[int]) -> _Crops:
        boxes = boxes_with_ends(gap, keys)
        record = self.network.record
        affines = [
            crop_affine(box, record.input_size, record.padding, 'udp') for box in boxes.values()
        ]
        return _Crops([*boxes], np.stack(affines))

    def _crop(self, frames: FrameSource, cropped: Sequence[_Crops]) -> Iterator[int]:
        """Fill in the pictures; yield the number of each part when it has all of them."""
        wanted = [
            (frame, number, row)
            for number, crops in enumerate(cropped)
            for row, frame in enumerate(crops.frames)
        ]
        size = self.network.record.input_size
        for frame, of_frame in groupby(sorted(wanted), key=itemgetter(0)):
            picture = frames[frame]
            for _, number, row in of_frame:
                crops = cropped[number]
                warp = crops.to_crop[row]
                crops.pictures.append(cv2.warpAffine(picture, warp, size, flags=cv2.INTER_LINEAR))
                if len(crops.pictures) == len(crops.frames):
                    yield number

    def _estimate(
        self, gap: Gap, keys: Sequence[int], crops: _Crops, mapping: JointMapping
    ) -> GapHeatmaps:
        """Estimate the heatmaps of a part whose pictures are there; drops them."""
        batches = [
            self.network.encode(np.stack(crops.pictures[start : start + _MAX_CROPS]))
            for start in range(0, len(crops.pictures), _MAX_CROPS)
        ]
        crops.pictures.clear()
        encoded = EncodedFrames(*map(np.concatenate, zip(*batches, strict=True)))
        to_heatmap = crops.to_crop * self._crop_to_heatmap
        row_of = {frame: row for row, frame in enumerate(crops.frames)}
        affine_of = dict(zip(crops.frames, to_heatmap, strict=True))
        windows = [gap_window(key, gap, keys) for key in keys]
        rows = np.array([[row_of[frame] for frame in window.frames] for window in windows])
        given = self._given(gap, windows, mapping, affine_of)
        final = np.zeros_like(encoded.heatmaps)
        final[rows[:, 1]] = self.network.fuse(encoded, rows, given)
        single, final = (
            mapping.to_labels(maps.swapaxes(0, 1)).swapaxes(0, 1)
            for maps in (encoded.heatmaps, final)
        )
        known = mapping.to_labels(np.ones(mapping.num_model, dtype=bool))
        shown = np.tile(known, (len(crops.frames), 1))
        return GapHeatmaps(crops.frames, single, final, to_heatmap, shown)

    def _given(
        self,
        gap: Gap,
        windows: Sequence[Window],
        mapping: JointMapping,
        affine_of: Mapping[int, np.ndarray],
    ) -> GivenLabels:
        """Draw the labels at both ends of a gap, and the poses between them, for its windows.

        Args:
            gap: The gap.
            windows: N windows of its frames.
            mapping: The joints of the labels among those of the network.
            affine_of: Frame index -> affine from pixels of the picture to those of its heatmaps.
        """
        width, height = self.network.record.heatmap_size
        poses, shown = poses_at_ends(gap, mapping)
        drawn = np.zeros((*shown.shape, height, width), np.float32)
        for side, label in enumerate((gap.left, gap.right)):
            if label is not None:
                drawn[side] = self._draw(poses[side], shown[side], affine_of[label.frame_index])
        masks, priors = [], []
        for window in windows:
            mask, pose, known = labels_of_window(poses, shown, window)
            masks.append(mask)
            priors.append(self._draw(pose, known, affine_of[window.key]))
        return GivenLabels(
            heatmaps=np.broadcast_to(drawn, (len(windows), *drawn.shape)),
            mask=np.stack(masks),
            prior=np.stack(priors),
            position=np.array([window.position for window in windows], np.float32),
        )

    def _draw(self, pose: np.ndarray, shown: np.ndarray, to_heatmap: np.ndarray) -> np.ndarray:
        """Draw the maps [K, h, w] of a pose [K, 2] in pixels of its picture."""
        points = pose @ to_heatmap[:, :2].T + to_heatmap[:, 2]
        record = self.network.record
        visible = shown.astype(np.float32)
        return draw_gaussians(points, visible, record.heatmap_size, record.sigma)[0]


@dataclass(frozen=True, eq=False)
class _Crops:
    """Hold the crops of a person in some frames.

    Args:
        frames: The F frames, ascending.
        to_crop: [F, 2, 3] affine from pixels of each picture to pixels of its crop.
        pictures: Crops uint8 [H, W, 3], filled as frames are read.
    """

    frames: Sequence[int]
    to_crop: np.ndarray
    pictures: list[np.ndarray] = field(default_factory=list)
