from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from stdpose_mm.datasets.windows import Window
from stdpose_mm.structures import NOT_LABELLED, PersonLabel, Skeleton

from .base import BasePropagator, Frames, PropagatedPose
from .gaps import Gap, visibility_of_estimates
from .joint_mapping import JointMapping
from .window_model import WindowModel


class WindowPropagator(BasePropagator):
    """Runs a window model on every unlabelled frame of every person.

    Windows are batched across people and frames, key frames ascending. The score of a joint is
    the peak of its heatmap. A joint without a label in the whole track gets the model's estimate
    like every other; a joint that the model was not trained on stays not labelled.

    Args:
        window_model: The model with its pipeline.
        batch_size: Windows a batch.
    """

    def __init__(self, window_model: WindowModel, batch_size: int = 8) -> None:
        if batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {batch_size}')
        self.window_model = window_model
        self.batch_size = batch_size
        self.skeleton = window_model.skeleton

    @abstractmethod
    def window_of(self, gap: Gap, frame_index: int, num_frames: int) -> Window:
        """The window around one frame of a gap, with the labels that the model may see."""

    def propagate(
        self, frames: Frames, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        """See :meth:`BasePropagator.propagate`; frames ascending.

        Raises:
            InputError: If the model does not know a joint that is labelled.
        """
        if not gaps:
            return
        labelled = np.any([gap.known for gap in gaps], axis=0)
        model = self.window_model
        mapping = JointMapping.by_name(skeleton, model.skeleton, labelled, model.trained_joints)
        keys = iter(
            sorted(
                ((frame_index, gap) for gap in gaps for frame_index in gap.frames),
                key=lambda key: (key[0], key[1].track_id),
            )
        )
        while batch := list(islice(keys, self.batch_size)):
            samples = [self._sample(frames, gap, key, mapping) for key, gap in batch]
            for (frame_index, gap), (keypoints, scores) in zip(
                batch, self.window_model.predict(samples), strict=True
            ):
                visibility = np.full(mapping.num_labels, NOT_LABELLED, dtype=np.int8)
                visibility[mapping.shared] = visibility_of_estimates(gap, frame_index)[
                    mapping.shared
                ]
                yield PropagatedPose(
                    track_id=gap.track_id,
                    frame_index=frame_index,
                    keypoints=mapping.to_labels(keypoints),
                    visibility=visibility,
                    scores=mapping.to_labels(scores),
                )

    def _sample(self, frames: Frames, gap: Gap, key: int, mapping: JointMapping) -> dict[str, Any]:
        """The window as a sample dict, see ``datasets.transforms`` for its fields."""
        window = self.window_of(gap, key, len(frames))
        num_joints = mapping.num_model
        aux_keypoints = np.zeros((2, num_joints, 2), dtype=np.float32)
        aux_visible = np.zeros((2, num_joints), dtype=np.float32)
        ends = (gap.left if window.left_given else None, gap.right if window.right_given else None)
        for side, label in enumerate(ends):
            if label is not None:
                aux_keypoints[side], aux_visible[side] = _label_for_model(label, mapping)
        x, y, width, height = gap.bbox_of(key)
        frame_indices = (window.left, window.key, window.right)
        return {
            'img': [frames[index] for index in frame_indices],
            'frames': [('', index) for index in frame_indices],
            'bbox': np.array([[x, y, x + width, y + height]], dtype=np.float32),
            'bbox_score': np.ones(1, dtype=np.float32),
            'keypoints': np.zeros((1, num_joints, 2), dtype=np.float32),
            'keypoints_visible': np.zeros((1, num_joints), dtype=np.float32),
            'aux_keypoints': aux_keypoints,
            'aux_keypoints_visible': aux_visible,
            'aux_given': np.array([window.left_given, window.right_given]),
            'window_position': window.position,
            'video_name': '',
            'frame_index': key,
            'frame_indices': frame_indices,
            'track_id': gap.track_id,
            'id': 0,
            'img_id': key,
            'img_path': '',
            'category_id': 1,
        }


def _label_for_model(label: PersonLabel, mapping: JointMapping) -> tuple[np.ndarray, np.ndarray]:
    keypoints = mapping.to_model(label.keypoints)
    return keypoints, mapping.to_model(label.labelled.astype(np.float32))
