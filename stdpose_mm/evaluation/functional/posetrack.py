"""PoseTrack's evaluation: AP per joint, MOTA and MOTP, exactly as in the official evaluator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.structures import POSETRACK_SKELETON, VideoLabels
from stdpose_mm.structures.propagated_labels import require_given

from .average_precision import ApAccumulator
from .clear_mot import MotAccumulator
from .padded_poses import PaddedPoses, pair_frames

EVALUATED_JOINTS = tuple(
    name for name in POSETRACK_SKELETON.keypoint_names if not name.endswith('_ear')
)
"""The 15 evaluated joints: PoseTrack's channels without the ears."""

JOINT_GROUPS = {
    'Head': ('head_top', 'head_bottom', 'nose'),
    'Shoulder': ('right_shoulder', 'left_shoulder'),
    'Elbow': ('right_elbow', 'left_elbow'),
    'Wrist': ('right_wrist', 'left_wrist'),
    'Hip': ('right_hip', 'left_hip'),
    'Knee': ('right_knee', 'left_knee'),
    'Ankle': ('right_ankle', 'left_ankle'),
}
"""Columns of the paper's tables, in their order."""

MATCH_THRESHOLD = 0.5
"""A joint matches within this many head sizes (PCKh@0.5)."""

_MAX_CHUNK = 2_000_000


@dataclass(frozen=True)
class PoseTrackScores:
    """PoseTrack's metrics, each [15] in per cent, in the order of ``EVALUATED_JOINTS``.

    Args:
        ap: Average precision; NaN for a joint that is predicted but never annotated.
        precision, recall: At the end of the precision-recall curve.
        mota: Multiple object tracking accuracy; NaN for a joint without annotations, and all NaN if
            a person has no track id.
        motp: 100 - mean distance of matched joints in head sizes (CLEAR MOT's definition).
    """

    ap: np.ndarray
    precision: np.ndarray
    recall: np.ndarray
    mota: np.ndarray
    motp: np.ndarray

    def to_dict(self) -> dict[str, dict[str, float]]:
        """Convert to ``{'AP': {'nose': ..., ..., 'mean': ...}, 'MOTA': {...}, ...}``.

        The keys are ``AP``, ``MOTA``, ``MOTP`` (its mean only), ``precision`` and ``recall``.
        """
        return {
            'AP': _by_joint(self.ap),
            'MOTA': _by_joint(self.mota),
            'MOTP': {'mean': mean_of_known(self.motp)},
            'precision': _by_joint(self.precision),
            'recall': _by_joint(self.recall),
        }


def evaluate_posetrack(
    truth: Sequence[VideoLabels], predictions: Sequence[VideoLabels]
) -> PoseTrackScores:
    """Evaluate predicted poses and tracks by the rules of PoseTrack.

    AP pools the joints of all videos; tracking starts anew in every video. To evaluate only some
    frames, pass a ground truth with people in these frames only (``VideoLabels.keep_frames``),
    since frames without people are not evaluated.

    Args:
        truth: The annotated videos, with head boxes.
        predictions: The predicted videos in the same order, each with the frames of its truth in
            the same order. A person without scores gets the lowest score.

    Raises:
        InputError: If the videos or their frames do not match, a joint is missing in a skeleton, an
            annotated person has no head box, or the truth contains propagated labels.
    """
    if len(truth) != len(predictions):
        raise InputError(
            f'{len(predictions)} predicted videos were given, expected one for each of the '
            f'{len(truth)} videos of the ground truth'
        )
    require_given(truth, "PoseTrack's evaluation")
    accumulator = ApAccumulator(len(EVALUATED_JOINTS))
    tracking = MotAccumulator(len(EVALUATED_JOINTS))
    tracked = True
    for gt_labels, pred_labels in zip(truth, predictions, strict=True):
        gt, pred = pair_frames(gt_labels, pred_labels, EVALUATED_JOINTS)
        tracked = tracked and gt.track_ids is not None and pred.track_ids is not None
        _add_video(gt, pred, accumulator, tracking if tracked else None)

    precision, counts = accumulator.result(), tracking.result()
    unknown = np.full(len(EVALUATED_JOINTS), np.nan)
    return PoseTrackScores(
        ap=precision.ap,
        precision=precision.precision,
        recall=precision.recall,
        mota=counts.mota() if tracked else unknown,
        motp=counts.motp() if tracked else unknown,
    )


def accumulate_ap(truth: VideoLabels, prediction: VideoLabels) -> ApAccumulator:
    """Accumulate the AP terms of one video, for videos that do not fit into memory together.

    ``ApAccumulator.update`` combines several videos; ``result`` then gives their AP.

    Raises:
        InputError: See :func:`evaluate_posetrack`.
    """
    accumulator = ApAccumulator(len(EVALUATED_JOINTS))
    gt, pred = pair_frames(truth, prediction, EVALUATED_JOINTS)
    _add_video(gt, pred, accumulator, None)
    return accumulator


def group_means(values: np.ndarray) -> dict[str, float]:
    """Average [15] values to ``{'Head': ..., ..., 'Ankle': ..., 'Mean': ...}``, ignoring NaN.

    ``Mean`` is the mean over the 15 joints, not over the groups.
    """
    means = {
        group: mean_of_known(values[[EVALUATED_JOINTS.index(name) for name in names]])
        for group, names in JOINT_GROUPS.items()
    }
    return {**means, 'Mean': mean_of_known(values)}


def mean_of_known(values: np.ndarray) -> float:
    """Average the values that are not NaN; NaN if there are none."""
    known_values = values[~np.isnan(values)]
    return float(known_values.mean()) if len(known_values) else float('nan')


def format_table(rows: dict[str, np.ndarray], title: str = '') -> str:
    """Format the paper's table: Head Shoulder Elbow Wrist Hip Knee Ankle Mean.

    Args:
        rows: Row label -> [15] values in per cent; NaN is printed as a dash.
        title: A line above the table.
    """
    columns = (*JOINT_GROUPS, 'Mean')
    width = max([len(label) for label in rows], default=0)
    lines = [' '.join([' ' * width, *(f'{column:>8}' for column in columns)])]
    for label, values in rows.items():
        means = group_means(values).values()
        cells = ['-' if np.isnan(mean) else f'{mean:.1f}' for mean in means]
        lines.append(' '.join([f'{label:<{width}}', *(f'{cell:>8}' for cell in cells)]))
    return '\n'.join([title, *lines] if title else lines)


def _add_video(
    gt: PaddedPoses, pred: PaddedPoses, accumulator: ApAccumulator, tracking: MotAccumulator | None
) -> None:
    if tracking is not None:
        tracking.start_video(gt, pred)
    # Chunks of frames limit the memory for long or crowded videos.
    pairs = gt.exists[:1].size * pred.exists.shape[1]
    chunk = max(1, _MAX_CHUNK // max(1, pairs))
    for start in range(0, gt.num_frames, chunk):
        frames = slice(start, start + chunk)
        gt_chunk, pred_chunk = gt.select(frames), pred.select(frames)
        distance = _head_normalised_distance(gt_chunk, pred_chunk)
        match = distance <= MATCH_THRESHOLD
        accumulator.add(gt_chunk, pred_chunk, match)
        if tracking is not None:
            tracking.add(start, match, distance)


def _head_normalised_distance(gt: PaddedPoses, pred: PaddedPoses) -> np.ndarray:
    """Compute distances [F, J, G, P] in head sizes, NaN where a joint is missing on either side."""
    # NaN propagates. A head box without extent has no unit to measure in.
    sizes = np.where(gt.head_sizes > 0, gt.head_sizes, np.nan)
    gt_points = np.where(gt.exists[..., None], gt.keypoints, np.nan).transpose(3, 0, 2, 1)
    pred_points = np.where(pred.exists[..., None], pred.keypoints, np.nan).transpose(3, 0, 2, 1)
    x, y = gt_points[..., :, None] - pred_points[..., None, :]
    return np.sqrt(x * x + y * y) / sizes[:, None, :, None]


def _by_joint(values: np.ndarray) -> dict[str, float]:
    by_joint = dict(zip(EVALUATED_JOINTS, values.tolist(), strict=True))
    return {**by_joint, 'mean': mean_of_known(values)}
