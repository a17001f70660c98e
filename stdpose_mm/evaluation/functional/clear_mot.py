"""CLEAR MOT per joint, as PoseTrack counts it: every joint is tracked as an object of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .frame_poses import FramePoses


@dataclass
class MotCounts:
    """What MOTA and MOTP are made of, each [J], summed over frames and videos."""

    objects: np.ndarray
    detections: np.ndarray
    false_positives: np.ndarray
    switches: np.ndarray
    distance: np.ndarray

    @classmethod
    def zeros(cls, num_joints: int) -> MotCounts:
        """Nothing counted yet."""
        objects, detections, false_positives, switches = np.zeros((4, num_joints), dtype=np.int64)
        return cls(objects, detections, false_positives, switches, np.zeros(num_joints))

    def mota(self) -> np.ndarray:
        """[J] per cent; NaN without objects."""
        misses = self.objects - self.detections
        return 100 * (1 - _ratio(misses + self.switches + self.false_positives, self.objects))

    def motp(self) -> np.ndarray:
        """[J] per cent, 100 less the mean matched distance in head sizes; 0 without detections."""
        return np.where(self.detections > 0, 100 * (1 - _ratio(self.distance, self.detections)), 0)

    def precision(self) -> np.ndarray:
        """[J] per cent; 0 without predictions."""
        return 100 * np.nan_to_num(_ratio(self.detections, self.detections + self.false_positives))

    def recall(self) -> np.ndarray:
        """[J] per cent; NaN without objects."""
        return 100 * _ratio(self.detections, self.objects)


class JointTracker:
    """Counts one video frame by frame; remembers the last matched identity without time limit.

    Args:
        gt: Ground truth of the video on the evaluated frames, with track ids.
        pred: Predictions on the same frames, with track ids.
        counts: Where to add.
    """

    def __init__(self, gt: FramePoses, pred: FramePoses, counts: MotCounts) -> None:
        if gt.track_ids is None or pred.track_ids is None:
            raise ValueError('tracking needs the track ids of all people')
        num_joints = gt.exists.shape[2]
        gt_ids, gt_tracks = np.unique(gt.track_ids, return_inverse=True)
        _, pred_tracks = np.unique(pred.track_ids, return_inverse=True)
        self._gt_tracks = gt_tracks.reshape(gt.track_ids.shape)
        self._pred_tracks = pred_tracks.reshape(pred.track_ids.shape)
        self._last = np.full((num_joints, len(gt_ids)), -1)
        self._counts = counts

        # The official evaluator leaves out the last frame of a video, and replaces a frame
        # where one side is empty by one object and one hypothesis that do not match.
        counted = np.arange(gt.num_frames) < gt.num_frames - 1
        both = counted & gt.present.any(axis=1) & pred.present.any(axis=1)
        one_sided = int(counted.sum() - both.sum())
        counts.objects += gt.exists[both].sum(axis=(0, 1)) + one_sided
        # Detections are taken off again as they are found.
        counts.false_positives += pred.exists[both].sum(axis=(0, 1)) + one_sided
        self._frames = both

    def update(self, frame: int, match: np.ndarray, distance: np.ndarray) -> None:
        """Match the joints of one frame; frames must come in order.

        Args:
            frame: Position of the frame.
            match: [J, G, P] bool, pairs within the threshold.
            distance: [J, G, P] in head sizes.
        """
        if not self._frames[frame] or not match.any():
            return
        gt_tracks, pred_tracks = self._gt_tracks[frame], self._pred_tracks[frame]
        previous = self._last[:, gt_tracks]
        kept = match & (previous[:, :, None] == pred_tracks)
        # Several objects may remember the same identity: the first in the list gets it.
        kept &= kept.cumsum(axis=1) == 1
        rest = match & ~kept.any(axis=2)[:, :, None] & ~kept.any(axis=1)[:, None, :]
        found = match_minimum_distance(rest, distance)

        switches = found & (previous >= 0)[:, :, None]
        matched = kept | found
        detections = matched.sum(axis=(1, 2))
        self._counts.detections += detections
        self._counts.false_positives -= detections
        self._counts.switches += switches.sum(axis=(1, 2))
        self._counts.distance += np.where(matched, distance, 0.0).sum(axis=(1, 2))
        joints, objects, hypotheses = np.nonzero(found)
        self._last[joints, gt_tracks[objects]] = pred_tracks[hypotheses]


def match_minimum_distance(allowed: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """One-to-one matching of most pairs and, among these, of least total distance.

    Args:
        allowed: [J, G, P] bool, pairs that may be matched; every joint is a problem of its own.
        distance: [J, G, P]; finite and not negative where allowed.

    Returns:
        [J, G, P] bool.
    """
    # A pair whose two sides have no other partner is matched in any case; what is left over
    # (crowds) needs the assignment solver.
    alone = (allowed.sum(axis=2) == 1)[:, :, None] & (allowed.sum(axis=1) == 1)[:, None, :]
    matched = allowed & alone
    contested = allowed & ~alone
    for joint in np.flatnonzero(contested.any(axis=(1, 2))):
        rows = np.flatnonzero(contested[joint].any(axis=1))
        columns = np.flatnonzero(contested[joint].any(axis=0))
        pairs = np.ix_(rows, columns)
        possible, cost = contested[joint][pairs], distance[joint][pairs]
        # One forbidden pair costs more than all allowed ones together, so none is taken that
        # could be avoided.
        forbidden = cost[possible].max() * min(cost.shape) + 1.0
        taken = linear_sum_assignment(np.where(possible, cost, forbidden))
        allowed_pairs = possible[taken]
        matched[joint, rows[taken[0][allowed_pairs]], columns[taken[1][allowed_pairs]]] = True
    return matched


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient that is NaN where the denominator is 0."""
    return np.divide(
        numerator,
        denominator,
        out=np.full(len(denominator), np.nan),
        where=np.asarray(denominator) > 0,
    )
