"""Heatmaps drawn from poses of everybody in a picture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.structures import NOT_LABELLED, PersonLabel
from stdpose_mm.structures.boxes import box_ioa, match_box, person_box
from stdpose_mm.structures.draw_gaussians import draw_gaussians

from .pose_network import DRAWN_SIDE, HeatmapSource, PersonFrames, PoseHeatmaps

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

_SIGMA = 8 / 3
"""Standard deviation in cells: 6 % of the larger side of the box, as estimates are about that far
off on fast clips."""

_LEAST_SIGMA, _MOST_SIGMA = 1, 8
"""Range in cells of the standard deviation that an estimate states itself."""

_HEIGHT = 0.5
"""Height of the peak of a joint with score 1. A position says less than a heatmap, which also shows
how certain the network is; full peaks cost more accuracy than they bring if labels are close
(research/docs/evidence_networks.md, "Poses in place of heatmaps")."""

_LEAST_IOU = 0.2
"""IoU of the boxes below which an estimate is of another person. It is low because the network may
have found only a part of the person."""

_LEAST_INSIDE = 0.8
"""Share of an estimate's box that must lie in the person's box if their IoU is too low: the program
may estimate only the head."""

_LEAST_SCORE = 0.3
"""Joints with a score below this share of the pose's best score do not count for its box: some
programs put joints that they do not see at arbitrary positions."""


@dataclass(frozen=True, eq=False, kw_only=True)
class EstimatedPerson(PersonLabel):
    """An estimated pose.

    Args:
        deviations: [K] standard deviation of each joint's position in pixels; None if unknown.
    """

    deviations: np.ndarray | None = None


class EstimatedPoses(HeatmapSource):
    """Gaussians at estimated joints, half as high as their scores.

    In each frame, the pose is used whose box overlaps most with the person's box; if the poses have
    the same identity at several labels, the pose with this identity if it overlaps enough. Without
    such a pose, and for joints without a position, there is no heatmap.
    """

    @abstractmethod
    def people_in(self, frames: FrameSource, index: int) -> Sequence[PersonLabel]:
        """Return the people in a frame of a video.

        Raises:
            InputError: If there are no poses of this video, or they do not fit its frames.
        """

    def estimate_frames(self, person: PersonFrames) -> PoseHeatmaps:
        """See :meth:`HeatmapSource.estimate_frames`.

        Raises:
            InputError: See :meth:`people_in`.
        """
        identity = self._identity(person)
        people = []
        for index, box in zip(person.indices, person.boxes, strict=True):
            in_picture = self.people_in(person.frames, index)
            same = [pose for pose in in_picture if pose.track_id == identity]
            is_followed = identity is not None and choose_person(same, box) is not None
            people.append(same if is_followed else in_picture)
        return draw_poses(people, person.boxes, self.skeleton.num_keypoints)

    def _identity(self, person: PersonFrames) -> int | None:
        """Find the identity that the poses give the person in all of several labelled frames."""
        identities = set()
        for frame, joints in person.labels.items():
            labelled = joints[np.isfinite(joints).all(axis=1)]
            box = np.concatenate([labelled.min(axis=0), np.ptp(labelled, axis=0)])
            pose = choose_person(self.people_in(person.frames, frame), box)
            identities.add(None if pose is None else pose.track_id)
        return identities.pop() if len(identities) == 1 < len(person.labels) else None


def draw_poses(
    people: Sequence[Sequence[PersonLabel]], boxes: np.ndarray, num_joints: int
) -> PoseHeatmaps:
    """Draw the pose of the person in each of some boxes.

    Args:
        people: The people in each of N pictures.
        boxes: [N, 4] the box in each of them.
        num_joints: K.
    """
    maps = PoseHeatmaps.to_draw_on(boxes, num_joints)
    for row, (in_picture, box) in enumerate(zip(people, boxes, strict=True)):
        pose = choose_person(in_picture, box)
        if pose is None:
            continue
        affine = maps.to_heatmap[row]
        cells = pose.keypoints @ affine[:, :2].T + affine[:, 2]
        heights = np.ones(num_joints) if pose.scores is None else pose.scores.clip(0, 1)
        sigmas = np.full(num_joints, _SIGMA)
        if isinstance(pose, EstimatedPerson) and pose.deviations is not None:
            # A Gaussian is drawn in a whole number of cells.
            deviations = (pose.deviations * affine[0, 0]).clip(_LEAST_SIGMA, _MOST_SIGMA)
            sigmas = np.round(3 * deviations) / 3
        for sigma in np.unique(sigmas):
            drawn, weights = draw_gaussians(
                cells,
                (pose.labelled & (sigmas == sigma)).astype(np.float32),
                (DRAWN_SIDE, DRAWN_SIDE),
                float(sigma),
            )
            maps.heatmaps[row] += drawn * (_HEIGHT * heights)[:, None, None]
            maps.known[row] |= weights > 0
    return maps


def choose_person(people: Sequence[PersonLabel], box: np.ndarray) -> PersonLabel | None:
    """Choose the person in a box [4]; return None if nobody is in it."""
    if not people:
        return None
    boxes = np.stack([_box_of(person) for person in people])
    chosen = match_box(box, boxes, _LEAST_IOU)
    if chosen is None:
        inside = np.flatnonzero(box_ioa(boxes, box) >= _LEAST_INSIDE)
        if len(inside) == 1:
            chosen = int(inside[0])
    return None if chosen is None else people[chosen]


def _box_of(person: PersonLabel) -> np.ndarray:
    """Return the person's own box, or else the box around the joints that have a high score."""
    if person.scores is not None and not (person.bbox is not None and person.has_box):
        best = person.scores[person.labelled].max()
        # If the best score is negative, a share of it is higher than the score itself.
        unsure = person.scores < min(best, _LEAST_SCORE * best)
        person = replace(person, visibility=np.where(unsure, NOT_LABELLED, person.visibility))
    return person_box(person)
