"""Correction of track ids by poses, which tell people apart even if their boxes overlap."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stdpose_mm.structures import FrameBoxes, box_iou

from .association import keypoint_similarities
from .person_tracker import KEPT_FRAMES as TRACKED_FRAMES
from .smoothing import SURE_JOINT

KERNEL = 0.1
"""Width of the similarity's Gaussian in person sizes, for poses one frame apart. The kernels of
COCO's keypoints (0.03 to 0.1) cover only annotation noise; here the person has also moved."""

MIN_SIMILARITY = 0.3
"""Minimum similarity of two poses of the same person."""

LOYALTY = 0.3
"""Similarity that is added if the box tracker proposes the same track id."""

KEPT_FRAMES = 15
"""Number of frames for which a lost person can be recognised by the pose. After that, only the box
tracker can bring the person back, as long as it keeps lost tracks."""


@dataclass
class _Known:
    """The last known state of a person."""

    frame: int
    box: np.ndarray
    keypoints: np.ndarray
    sure: np.ndarray
    velocity: np.ndarray  # [2] pixels a frame


class PoseIdentities:
    """Assigner of track ids by the similarity of poses, frame by frame.

    The poses of a frame are compared by object keypoint similarity with the last known poses, moved
    on at their mean velocity, and assigned by the Hungarian method. An equal track id of the box
    tracker adds a bonus. Clear poses overrule the box tracker, for example if crossing boxes have
    swapped their track ids, or a person comes back with a new track id.

    The memory depends on the number of people, not on the length of the video.
    """

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        self._own_id: dict[int, tuple[int, int]] = {}
        self._next_id = 0

    def update(
        self, frame_index: int, people: FrameBoxes, keypoints: np.ndarray, scores: np.ndarray
    ) -> FrameBoxes:
        """Correct the track ids of a frame; they are renumbered from 0.

        Args:
            frame_index: Must increase from call to call.
            people: The N people of the frame with the track ids of a box tracker.
            keypoints: [N, K, 2] pixels.
            scores: [N, K] in 0..1; joints below ``SURE_JOINT`` are not compared.

        Returns:
            The same N people with corrected track ids.
        """
        from scipy.optimize import linear_sum_assignment

        self._forget(frame_index)
        sure = scores >= SURE_JOINT
        known_ids = np.array([*self._known], dtype=np.int64)
        similarity = self._similarity(frame_index, people.boxes, keypoints, sure)
        proposed = np.array([self._own_id.get(t, (-1, -1))[0] for t in people.track_ids.tolist()])
        gain = np.where(similarity >= MIN_SIMILARITY, similarity, 0.0)
        gain += LOYALTY * (proposed[:, None] == known_ids)
        ids = np.full(len(people), -1)
        rows, columns = linear_sum_assignment(gain, maximize=True)
        matched = gain[rows, columns] > 0
        ids[rows[matched]] = known_ids[columns[matched]]
        for row in np.flatnonzero(ids < 0):
            if proposed[row] not in ids:
                ids[row] = proposed[row]
        unknown = ids < 0
        ids[unknown] = self._next_id + np.arange(unknown.sum())
        self._next_id += int(unknown.sum())
        for row, number in enumerate(ids.tolist()):
            self._own_id[int(people.track_ids[row])] = (number, frame_index)
            self._remember(frame_index, number, people.boxes[row], keypoints[row], sure[row])
        return replace(people, track_ids=ids)

    def _similarity(
        self, frame_index: int, boxes: np.ndarray, keypoints: np.ndarray, sure: np.ndarray
    ) -> np.ndarray:
        """Compute the similarity [N, M] of the frame's people with the M known ones."""
        people = list(self._known.values())
        if not people or not len(boxes):
            return np.zeros((len(boxes), len(people)))
        elapsed = np.array([frame_index - person.frame for person in people], dtype=np.float64)
        shift = elapsed[:, None] * np.stack([person.velocity for person in people])
        expected = np.stack([person.keypoints for person in people]) + shift[:, None]
        known_boxes = np.stack([person.box for person in people])
        size = np.sqrt((boxes[:, None, 2:].prod(-1) + known_boxes[None, :, 2:].prod(-1)) / 2)
        known_sure = np.stack([person.sure for person in people])
        # The uncertainty of a motion grows with the elapsed time.
        widths = KERNEL * size * np.sqrt(elapsed)
        oks, joints = keypoint_similarities(keypoints, sure, expected, known_sure, widths)
        moved = known_boxes + np.pad(shift, ((0, 0), (0, 2)))
        overlap = box_iou(boxes[:, None], moved)
        return np.where(joints > 0, oks, overlap)

    def _remember(
        self, frame: int, number: int, box: np.ndarray, keypoints: np.ndarray, sure: np.ndarray
    ) -> None:
        before = self._known.get(number)
        velocity = np.zeros(2)
        if before is not None and (both := before.sure & sure).any():
            motion = (keypoints[both] - before.keypoints[both]).mean(axis=0)
            velocity = motion / (frame - before.frame)
        self._known[number] = _Known(frame, box, keypoints, sure, velocity)

    def _forget(self, frame_index: int) -> None:
        self._known = {
            number: state
            for number, state in self._known.items()
            if state.frame >= frame_index - KEPT_FRAMES
        }
        # The track of a person who was lost for n frames continues n + 1 frames later.
        oldest = frame_index - TRACKED_FRAMES - 1
        self._own_id = {
            t: identity for t, identity in self._own_id.items() if identity[1] >= oldest
        }
