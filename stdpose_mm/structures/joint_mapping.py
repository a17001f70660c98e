"""Matching of the joints of labels with the joints of a model by their names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stdpose_mm.errors import InputError

from .joint_names import name_distance
from .skeleton import Skeleton


@dataclass(frozen=True)
class JointMapping:
    """Mapping between the joints of labels and those of a model.

    Args:
        shared: [S] indices among the labels' joints, ascending.
        in_model: [S] indices of the same joints in the model.
        num_labels, num_model: Numbers of joints.
    """

    shared: np.ndarray
    in_model: np.ndarray
    num_labels: int
    num_model: int

    @classmethod
    def by_name(
        cls, labels: Skeleton, model: Skeleton, needed: np.ndarray, trained: np.ndarray
    ) -> JointMapping:
        """Match two skeletons.

        Args:
            labels: Joints of the labels.
            model: Joints of the model's heatmaps.
            needed: [K_labels] bool, joints that are labelled in some frame.
            trained: [K_model] bool, joints that the model was trained on.

        Raises:
            InputError: If a labelled joint is unknown to the model, or nothing is shared.
        """
        position = {
            name: index for index, name in enumerate(model.keypoint_names) if trained[index]
        }
        shared = [n for n, name in enumerate(labels.keypoint_names) if name in position]
        unknown = [
            name
            for name, is_needed in zip(labels.keypoint_names, needed, strict=True)
            if is_needed and name not in position
        ]
        if unknown or not shared:
            raise InputError(
                f'the labels use {", ".join(unknown or labels.keypoint_names)}, which the model '
                f'does not know (its joints: {", ".join(position)}), rename the '
                'joints or give a model trained on these'
            )
        in_model = [position[labels.keypoint_names[n]] for n in shared]
        sizes = labels.num_keypoints, model.num_keypoints
        return cls(np.array(shared), np.array(in_model), *sizes)

    @classmethod
    def by_meaning(
        cls, labels: Skeleton, model: Skeleton, trained: np.ndarray | None = None
    ) -> JointMapping | None:
        """Match two skeletons whose joints come from different data sets.

        Joints with the same name are matched first, then those whose names mean the same point of
        the body (:func:`~.joint_names.name_distance`), the closest first. No joint is used twice.

        Args:
            labels: Joints of the labels.
            model: Joints of a model.
            trained: [K_model] bool, joints that the model was trained on; all by default.

        Returns:
            The mapping; None if nothing is shared.
        """
        pairs = [
            (distance, joint, other)
            for joint, name in enumerate(labels.keypoint_names)
            for other, model_name in enumerate(model.keypoint_names)
            if (trained is None or trained[other])
            and (distance := name_distance(name, model_name)) is not None
        ]
        matches: dict[int, int] = {}
        for _, joint, other in sorted(pairs):
            if joint not in matches and other not in matches.values():
                matches[joint] = other
        if not matches:
            return None
        shared, in_model = zip(*sorted(matches.items()), strict=True)
        sizes = labels.num_keypoints, model.num_keypoints
        return cls(np.array(shared), np.array(in_model), *sizes)

    def to_model(self, values: np.ndarray) -> np.ndarray:
        """Reorder values [K_labels, ...] to the model's joints; others are zeros."""
        result = np.zeros((self.num_model, *values.shape[1:]), dtype=values.dtype)
        result[self.in_model] = values[self.shared]
        return result

    def to_labels(self, values: np.ndarray, axis: int = 0) -> np.ndarray:
        """Reorder values, with K_model joints along ``axis``, to the labels' joints; else zeros."""
        values = np.moveaxis(values, axis, 0)
        result = np.zeros((self.num_labels, *values.shape[1:]), dtype=values.dtype)
        result[self.shared] = values[self.in_model]
        return np.moveaxis(result, 0, axis)
