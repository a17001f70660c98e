"""CLEAR MOT per joint, as in PoseTrack: every joint is tracked as a separate object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .padded_poses import PaddedPoses, known_ratio


@dataclass
class MotCounts:
    """Terms of MOTA and MOTP, each [J], summed over frames and videos."""

    objects: np.ndarray
    detections: np.ndarray
    false_positives: np.ndarray
    switches: np.ndarray
    distance: np.ndarray

    def mota(self) -> np.ndarray:
        """Compute MOTA [J] in per cent; NaN without objects."""
        misses = self.objects - self.detections
        return 100 * (1 - known_ratio(misses + self.switches + self.false_positives, self.objects))

    def motp(self) -> np.ndarray:
        """Compute MOTP [J]: 100 - mean matched distance in per cent of head sizes, or 0."""
        return np.where(
            self.detections > 0, 100 * (1 - known_ratio(self.distance, self.detections)), 0
        )


class MotAccumulator:
    """Collector of the joint pairs that may match over frames and videos; ``result`` tracks them.

    Few pairs of joints are within the threshold, so they are kept as a list. An object is one joint
    of one true track, and a hypothesis is one joint of one predicted track, so one step of the
    matching handles all joints of all videos at once.

    Args:
        num_joints: J.
    """

    def __init__(self, num_joints: int) -> None:
        self._num_joints = num_joints
        self._num_videos = 0
        self._num_objects = 0
        self._num_hypotheses = 0
        self._true = np.zeros(num_joints, dtype=np.int64)
        self._predicted = np.zeros(num_joints, dtype=np.int64)
        self._pairs: list[tuple[np.ndarray, ...]] = []

    def start_video(self, gt: PaddedPoses, pred: PaddedPoses) -> None:
        """Begin a video; no identity is known yet.

        Args:
            gt: Ground truth of the video on the evaluated frames, with track ids.
            pred: Predictions on the same frames, with track ids.

        Raises:
            ValueError: If track ids are unknown.
        """
        if gt.track_ids is None or pred.track_ids is None:
            raise ValueError('tracking needs the track ids of all people')
        # The official evaluator ignores the last frame of a video, and replaces a frame in which
        # one side is empty by one object and one hypothesis that do not match.
        counted = np.arange(gt.num_frames) < gt.num_frames - 1
        self._frames = counted & gt.present.any(axis=1) & pred.present.any(axis=1)
        one_sided = int(counted.sum() - self._frames.sum())
        self._true += gt.exists[self._frames].sum(axis=(0, 1)) + one_sided
        self._predicted += pred.exists[self._frames].sum(axis=(0, 1)) + one_sided

        self._num_videos += 1
        self._object_of, count = _joint_track_numbers(gt.track_ids, self._num_joints)
        self._object_of += self._num_objects
        self._num_objects += count
        self._hypothesis_of, count = _joint_track_numbers(pred.track_ids, self._num_joints)
        self._hypothesis_of += self._num_hypotheses
        self._num_hypotheses += count

    def add(self, start: int, match: np.ndarray, distance: np.ndarray) -> None:
        """Add consecutive frames of the video.

        Args:
            start: Index of the first of these frames.
            match: [F, J, G, P] bool: joint pairs within the threshold.
            distance: [F, J, G, P] in head sizes.
        """
        counted = self._frames[start : start + len(match), None, None, None]
        # Much faster than np.nonzero in four dimensions, since few pairs match.
        flat = np.flatnonzero(match & counted)
        frames, joints, gt_people, pred_people = np.unravel_index(flat, match.shape)
        frames = frames + start
        self._pairs.append(
            (
                frames,
                (self._num_videos - 1) * self._num_joints + joints,
                self._object_of[frames, gt_people] + joints,
                self._hypothesis_of[frames, pred_people] + joints,
                distance.ravel()[flat],
            )
        )

    def result(self) -> MotCounts:
        """Return the counts of all videos added so far."""
        nothing = tuple(np.zeros(0, dtype=np.int64) for _ in range(4)), np.zeros(0)
        columns = zip(*[(*nothing[0], nothing[1]), *self._pairs], strict=True)
        frames, problems, objects, hypotheses, distance = map(np.concatenate, columns)
        order = np.argsort(frames, kind='stable')
        steps = np.split(order, np.flatnonzero(np.diff(frames[order])) + 1)

        matched = np.zeros(len(frames), dtype=bool)
        switched = np.zeros(len(frames), dtype=bool)
        last = np.full(self._num_objects, -1)
        for step in steps:
            previous = last[objects[step]]
            continued = _first_per_value(hypotheses[step], previous == hypotheses[step])
            taken = np.isin(objects[step], objects[step][continued])
            taken |= np.isin(hypotheses[step], hypotheses[step][continued])
            rest = step[~taken]
            newly_matched = rest[
                match_pairs(problems[rest], objects[rest], hypotheses[rest], distance[rest])
            ]
            matched[step[continued]] = matched[newly_matched] = True
            switched[newly_matched] = last[objects[newly_matched]] >= 0
            last[objects[newly_matched]] = hypotheses[newly_matched]

        detections = self._per_joint(problems[matched])
        return MotCounts(
            objects=self._true.copy(),
            detections=detections,
            false_positives=self._predicted - detections,
            switches=self._per_joint(problems[switched]),
            distance=self._per_joint(problems[matched], distance[matched]),
        )

    def _per_joint(self, problems: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(problems % self._num_joints, weights, self._num_joints)


def match_pairs(
    problems: np.ndarray, objects: np.ndarray, hypotheses: np.ndarray, distance: np.ndarray
) -> np.ndarray:
    """Match one to one: the most pairs and, among these, the least total distance.

    Args:
        problems: [N] ascending; pairs of different problems share no object and no hypothesis.
        objects: [N] true side of the pairs that may be matched.
        hypotheses: [N] predicted side of these pairs.
        distance: [N] finite, not negative.

    Returns:
        [N] bool: the pairs to match.
    """
    from scipy.optimize import linear_sum_assignment

    # A pair whose two sides have no other partner is always matched; only the remaining pairs, in
    # crowds, need the assignment solver.
    matched = (_occurrences(objects) == 1) & (_occurrences(hypotheses) == 1)
    contested = np.flatnonzero(~matched)
    bounds = np.flatnonzero(np.diff(problems[contested])) + 1
    for pairs in np.split(contested, bounds):
        rows, row = np.unique(objects[pairs], return_inverse=True)
        columns, column = np.unique(hypotheses[pairs], return_inverse=True)
        # A forbidden pair costs more than all allowed pairs together, so it is used only if
        # necessary.
        forbidden = distance[pairs].sum() + 1.0
        cost = np.full((len(rows), len(columns)), forbidden)
        cost[row, column] = distance[pairs]
        chosen = np.zeros(cost.shape, dtype=bool)
        chosen[linear_sum_assignment(cost)] = True
        matched[pairs] = chosen[row, column]
    return matched


def _joint_track_numbers(track_ids: np.ndarray, num_joints: int) -> tuple[np.ndarray, int]:
    """Number joint 0 of every person's track [F, P], followed by its other joints; count them."""
    tracks, numbers = np.unique(track_ids, return_inverse=True)
    return num_joints * numbers.reshape(track_ids.shape), num_joints * len(tracks)


def _first_per_value(values: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Find the positions of candidates ([N] bool), of equal values only the first."""
    positions = np.flatnonzero(candidates)
    return positions[np.unique(values[positions], return_index=True)[1]]


def _occurrences(values: np.ndarray) -> np.ndarray:
    """Count how often each value occurs: [N]."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return counts[inverse]
