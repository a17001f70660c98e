"""Keypoint accuracy of known people, for any skeleton: PCK, errors and jitter.

Predictions are matched to the truth by frame and track id, so these metrics suit propagation and
other tasks in which the people are given. Every metric is per joint. The unit of size is the pose
itself: the larger side of the tight box around the labelled joints of the truth.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.structures import PersonLabel, VideoLabels, pose_extent
from stdpose_mm.structures.boxes import MIN_BOX_SIDE
from stdpose_mm.structures.propagated_labels import require_given

from .padded_poses import known_ratio
from .posetrack import mean_of_known

PCK_THRESHOLDS = (0.05, 0.1, 0.2)

POINT_SIZE = 50.0
"""Size in pixels of a single joint if nothing else tells one: it is right within 5 pixels."""

AUC_LIMIT = 0.2
"""The PCK curve is integrated from 0 to this share of the pose size."""


@dataclass(frozen=True)
class KeypointAccuracy:
    """Accuracy of K joints.

    Args:
        keypoint_names: The K joints.
        metrics: Metric of :func:`metric_values` -> mean [K] of each joint's values, NaN for a joint
            without values.
        counts: Metric -> number [K] of values in each joint's mean.
    """

    keypoint_names: tuple[str, ...]
    metrics: dict[str, np.ndarray]
    counts: dict[str, np.ndarray]

    def means(self) -> dict[str, float]:
        """Average over the K joints: ``{'PCK@0.05': ..., 'AUC': ..., 'error_px': ..., ...}``.

        Joints without a value are ignored.
        """
        return {name: mean_of_known(values) for name, values in self.metrics.items()}


def keypoint_accuracy(
    truth: Sequence[VideoLabels],
    predictions: Sequence[VideoLabels],
    frames: Sequence[Collection[int]] | None = None,
) -> KeypointAccuracy:
    """Compare predicted with true tracks.

    A pose without extent (one labelled joint) has no size to measure by and counts only for
    ``error_px``, ``jitter`` and ``predicted``. People without a counterpart in the truth are
    ignored.

    Args:
        truth: The annotated videos; people have track ids.
        predictions: The predicted videos in the same order, with the same joints and track ids.
        frames: For each video the frame indices to measure on, all by default. Jitter is measured
            on triples of consecutive frames whose middle frame is one of them.

    Raises:
        InputError: If the videos do not match, their joints differ, someone has no track id, or the
            truth contains propagated labels.
    """
    require_given(truth, 'keypoint accuracy')
    pairs = pair_videos(truth, predictions, frames)
    scored = np.concatenate([pair.scored for pair in pairs])[:, None]
    means: dict[str, np.ndarray] = {}
    counts: dict[str, np.ndarray] = {}
    of_videos = [metric_values(joint_errors(pair)) for pair in pairs]
    for name in of_videos[0]:
        values = np.concatenate([of_video[name][0] for of_video in of_videos])
        where = np.concatenate([of_video[name][1] for of_video in of_videos]) & scored
        means[name] = _mean_where(values, where)
        counts[name] = where.sum(axis=0)
    return KeypointAccuracy(truth[0].skeleton.keypoint_names, means, counts)


@dataclass(frozen=True)
class JointErrors:
    """Errors of single joints; all arrays have the same shape, such as [M, K].

    Args:
        labelled: bool: whether the truth has the joint; otherwise no other value counts.
        sized: bool: whether the joint is labelled in a pose with an extent to measure by.
        pixels: Distance in pixels, NaN without a prediction.
        relative: The same in sizes of the pose, infinite without a prediction or size.
        jitter: Distance in px/frame^2 between the second differences of the predicted and of the
            true track, NaN if one of the three frames lacks the joint.
    """

    labelled: np.ndarray
    sized: np.ndarray
    pixels: np.ndarray
    relative: np.ndarray
    jitter: np.ndarray


def joint_errors(pairs: TrackPairs) -> JointErrors:
    """Compute the errors of the M x K joints of a video."""
    both = pairs.labelled & pairs.has_prediction
    offset = np.where(both[..., None], pairs.predicted - pairs.truth, 0.0)
    distance = np.hypot(offset[..., 0], offset[..., 1])
    sizes = pose_sizes(pairs.truth, pairs.labelled)
    sized = pairs.labelled & (sizes > 0)[:, None]
    triple = both & _shifted(both, -1) & _shifted(both, 1) & pairs.centre[:, None]
    acceleration = _shifted(offset, -1) - 2 * offset + _shifted(offset, 1)
    return JointErrors(
        labelled=pairs.labelled,
        sized=sized,
        pixels=np.where(both, distance, np.nan),
        relative=relative_distances(distance, sizes, both & sized),
        jitter=np.where(triple, np.hypot(acceleration[..., 0], acceleration[..., 1]), np.nan),
    )


def metric_values(errors: JointErrors) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Map each metric to (values, where they count), both in the shape of the errors.

    - ``PCK@0.05``, ``PCK@0.1``, ``PCK@0.2``: 100 if the joint lies within that share of the pose
      size, otherwise (also without a prediction) 0.
    - ``AUC``: area under the PCK curve over thresholds 0 to ``AUC_LIMIT``, in per cent.
    - ``error_px``: distance in pixels of joints that are both labelled and predicted.
    - ``error_percent``: the same in per cent of the pose size.
    - ``jitter``: distance in px/frame^2 between the second differences of the predicted and of the
      true track, over three consecutive frames.
    - ``predicted``: 100 if the labelled joint has any prediction, otherwise 0.
    """
    predicted = ~np.isnan(errors.pixels)
    # The area under the step from 0 to 1 at the relative distance.
    area = np.maximum(0.0, 1.0 - errors.relative / AUC_LIMIT)
    return {
        **{
            f'PCK@{share:g}': (100.0 * (errors.relative <= share), errors.sized)
            for share in PCK_THRESHOLDS
        },
        'AUC': (100 * area, errors.sized),
        'error_px': (errors.pixels, predicted),
        'error_percent': (100 * errors.relative, errors.sized & predicted),
        'jitter': (errors.jitter, ~np.isnan(errors.jitter)),
        'predicted': (100.0 * predicted, errors.labelled),
    }


def format_accuracy(accuracy: KeypointAccuracy, title: str = '') -> str:
    """Format all metrics, one line per joint and one for the mean; NaN is printed as a dash.

    Args:
        accuracy: The metrics to format.
        title: A line above the table.
    """
    rows = accuracy.metrics
    labels = (*accuracy.keypoint_names, 'Mean')
    width = max(map(len, labels))
    lines = [' '.join([' ' * width, *(f'{name:>13}' for name in rows)])]
    columns = [[*values, mean_of_known(values)] for values in rows.values()]
    for label, cells in zip(labels, zip(*columns, strict=True), strict=True):
        texts = ['-' if np.isnan(cell) else f'{cell:.2f}' for cell in cells]
        lines.append(' '.join([f'{label:<{width}}', *(f'{cell:>13}' for cell in texts)]))
    return '\n'.join([title, *lines] if title else lines)


def pose_sizes(keypoints: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Measure poses: [M] pixels, the larger side of the tight box around the joints, 0 without.

    Args:
        keypoints: [M, K, 2] pixels.
        labelled: [M, K] bool.
    """
    return pose_extent(keypoints, labelled)[..., 2:].max(axis=-1)


def label_sizes(labels: Sequence[PersonLabel]) -> np.ndarray:
    """Measure the labels of a subject, also those of a single joint, which has no extent.

    The size of a pose without extent is the larger side of its box. Without a box, it is the median
    of the other labels, or ``POINT_SIZE`` if they have no size either. A box of up to
    ``MIN_BOX_SIDE`` only stands in for one in the outputs of this package.

    Args:
        labels: N labels, at least one.

    Returns:
        [N] pixels, all above 0.
    """
    keypoints, labelled = zip(*((p.keypoints, p.labelled) for p in labels), strict=True)
    extents = pose_sizes(np.stack(keypoints), np.stack(labelled))
    boxes = np.array([0.0 if p.bbox is None else p.bbox[2:].max() for p in labels])
    sizes = np.where(extents > 0, extents, np.where(boxes > MIN_BOX_SIDE, boxes, 0.0))
    known_sizes = sizes[sizes > 0]
    return np.where(sizes > 0, sizes, np.median(known_sizes) if len(known_sizes) else POINT_SIZE)


def relative_distances(distance: np.ndarray, sizes: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Divide distances by pose sizes: [M, K]; infinite where ``where`` is False.

    Args:
        distance: [M, K] pixels.
        sizes: [M] pixels, positive wherever ``where`` is True.
        where: [M, K] bool.
    """
    return np.divide(distance, sizes[:, None], out=np.full(distance.shape, np.inf), where=where)


@dataclass(frozen=True)
class TrackPairs:
    """M labelled poses, track by track in frame order, with their predictions.

    Args:
        truth, predicted: [M, K, 2].
        labelled, has_prediction: [M, K] bool.
        scores: [M, K] of the predictions, NaN where there is no prediction or score.
        given: [M, K] bool: whether a given label determines the joint.
        scored: [M] bool: whether the frame is measured on.
        centre: [M] bool: whether the rows before and after are the same person's previous and next
            frame.
    """

    truth: np.ndarray
    labelled: np.ndarray
    predicted: np.ndarray
    has_prediction: np.ndarray
    scores: np.ndarray
    given: np.ndarray
    scored: np.ndarray
    centre: np.ndarray


def pair_videos(
    truth: Sequence[VideoLabels],
    predictions: Sequence[VideoLabels],
    frames: Sequence[Collection[int]] | None,
) -> list[TrackPairs]:
    """Match the people of several videos by :func:`pair_tracks`.

    Args:
        truth: The annotated videos.
        predictions: The predicted videos in the same order, with the joints of the first video.
        frames: For each video the frame indices to measure on, all by default.

    Raises:
        InputError: If the videos do not match, or see :func:`pair_tracks`.
    """
    if len(truth) != len(predictions) or not truth:
        raise InputError(
            f'{len(predictions)} predicted videos were given, expected one for each of the '
            f'{len(truth)} videos of the ground truth, and at least one'
        )
    true_names, predicted_names = ([v.name for v in videos] for videos in (truth, predictions))
    # Names may differ, since formats name videos differently, but they must not be swapped.
    if predicted_names != true_names and sorted(predicted_names) == sorted(true_names):
        wrong = next(a for a, b in zip(true_names, predicted_names, strict=True) if a != b)
        raise InputError(
            f'from {wrong!r} on, the predicted videos are not in the order of the ground truth, '
            'give them in the same order'
        )
    names = truth[0].skeleton.keypoint_names
    return [
        pair_tracks(gt, prediction, names, None if frames is None else frames[number])
        for number, (gt, prediction) in enumerate(zip(truth, predictions, strict=True))
    ]


def pair_tracks(
    truth: VideoLabels,
    prediction: VideoLabels,
    keypoint_names: tuple[str, ...],
    frames: Collection[int] | None,
) -> TrackPairs:
    """Match the people of the truth with the predictions of the same frame and track id.

    Raises:
        InputError: If the joints differ from ``keypoint_names``, or someone has no track id.
    """
    for labels in (truth, prediction):
        if labels.skeleton.keypoint_names != keypoint_names:
            raise InputError(
                f'video {labels.name!r} has keypoints {list(labels.skeleton.keypoint_names)}, '
                f'expected {list(keypoint_names)} as in the first video'
            )
    people = sorted(truth.persons, key=lambda p: (_track_id(truth, p), p.frame_index))
    predicted = {(_track_id(prediction, p), p.frame_index): p for p in prediction.persons}
    num_joints = len(keypoint_names)
    nobody = PersonLabel(0, np.zeros((num_joints, 2)), np.zeros(num_joints), source='absent')
    counterparts = [predicted.get((_track_id(truth, p), p.frame_index), nobody) for p in people]
    scores = [
        np.where(p.labelled, np.nan if p.scores is None else p.scores, np.nan) for p in counterparts
    ]
    is_given = [(p.is_given) & ~p.propagated for p in counterparts]
    tracks = np.array([p.track_id for p in people], dtype=np.int64)
    indices = np.array([p.frame_index for p in people], dtype=np.int64)
    follows = (np.diff(tracks) == 0) & (np.diff(indices) == 1)
    centre = np.zeros(len(people), dtype=bool)
    centre[1:-1] = follows[:-1] & follows[1:]
    scored = np.ones(len(people), dtype=bool) if frames is None else np.isin(indices, [*frames])
    shape = (-1, num_joints)
    return TrackPairs(
        truth=np.array([p.keypoints for p in people]).reshape(*shape, 2),
        labelled=np.array([p.labelled for p in people], dtype=bool).reshape(shape),
        predicted=np.array([p.keypoints for p in counterparts]).reshape(*shape, 2),
        has_prediction=np.array([p.labelled for p in counterparts], dtype=bool).reshape(shape),
        scores=np.array(scores).reshape(shape),
        given=np.array(is_given, dtype=bool).reshape(shape),
        scored=scored,
        centre=centre,
    )


def _track_id(labels: VideoLabels, person: PersonLabel) -> int:
    if person.track_id is None:
        raise InputError(
            f'video {labels.name!r}, frame {person.frame_index}: a person has no track id, which '
            'is needed to match predictions with the ground truth'
        )
    return person.track_id


def _shifted(rows: np.ndarray, by: int) -> np.ndarray:
    """Shift the rows cyclically: row i of the result is row i + ``by``."""
    return np.roll(rows, -by, axis=0)


def _mean_where(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Average columns over the chosen entries: [K]; NaN for a column without entries."""
    return known_ratio(np.where(where, values, 0.0).sum(axis=0), where.sum(axis=0))
