"""Heatmaps of gaps by a window model of the user's."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import Gap
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping

from .gap_heatmaps import GapHeatmaps

if TYPE_CHECKING:
    from stdpose_mm.inference import WindowModel


class ModelHeatmapEstimator:
    """Run a window model in PyTorch over the frames of gaps.

    Args:
        window_model: The model with its pipeline.
        batch_size: Crops, and windows, that the network sees at once.
    """

    def __init__(self, window_model: WindowModel, batch_size: int = 8) -> None:
        # PyTorch takes seconds to import, and 'auto' works without it.
        from stdpose_mm.propagation.window.gap_heatmap_estimator import GapHeatmapEstimator

        self.window_model = window_model
        self._estimator = GapHeatmapEstimator(window_model, batch_size)

    def shared_joints(self, skeleton: Skeleton) -> JointMapping | None:
        """Find the trained joints that labels have by the same name; None without any."""
        model = self.window_model
        names = np.array(model.skeleton.keypoint_names)
        if set(names[model.trained_joints]).isdisjoint(skeleton.keypoint_names):
            return None
        none_needed = np.zeros(skeleton.num_keypoints, dtype=bool)
        return JointMapping.by_name(skeleton, model.skeleton, none_needed, model.trained_joints)

    def gap_heatmaps(
        self, frames: FrameSource, gaps: Sequence[Gap], mapping: JointMapping
    ) -> Generator[tuple[Gap, GapHeatmaps], None, None]:
        """Estimate the heatmaps of gaps, and of the labels at their ends.

        Args:
            frames: The video.
            gaps: Gaps of one or several tracks.
            mapping: The joints of the gaps' labels among those of the model.

        Yields:
            Every gap with its maps, or a long gap's chunks with theirs, see
            :meth:`~stdpose_mm.propagation.window.gap_heatmap_estimator.GapHeatmapEstimator.heatmaps`.
        """

        def ordered(values: np.ndarray) -> np.ndarray:
            return mapping.to_labels(values.swapaxes(0, 1)).swapaxes(0, 1)

        shown = mapping.to_labels(np.ones(mapping.num_model, dtype=bool))
        with closing(self._estimator.heatmaps(frames, gaps, mapping)) as estimated:
            for gap, maps in estimated:
                single, final = ordered(maps.frame_heatmaps), ordered(maps.final_heatmaps)
                known = np.tile(shown, (len(maps.frames), 1))
                yield gap, GapHeatmaps(maps.frames, single, final, maps.to_heatmap, known)
