"""Advice that ``stdpose propagate`` prints: accuracy, what to check, what to label next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.text import counted

if TYPE_CHECKING:
    from stdpose_mm.labelling.review import LabelAccuracy, TrackErrors
    from stdpose_mm.structures import VideoLabels

GOOD_ENOUGH = 0.95
"""Share of right joints for which the required number of further labels is printed."""


def format_accuracy(accuracy: LabelAccuracy | None, labels: VideoLabels) -> list[str]:
    """Describe the accuracy on hidden labels, and the expected accuracy between labels.

    Args:
        accuracy: The measured accuracy; None if no label could be hidden.
        labels: The propagated video; its scores are probabilities that agree with the measurement.
    """
    if accuracy is None:
        return [
            'accuracy was not measured: no label lies between two others of the same '
            f'{labels.skeleton.category}, label a third frame'
        ]
    lines = [accuracy.describe()]
    scores = list(_scores_between_labels(labels))
    if sum(map(len, scores)):
        lines.append(
            f'with this taken into account, {np.concatenate(scores).mean():.1%} of the propagated '
            'joints between labels are expected to be right'
        )
    return lines


def _scores_between_labels(dense: VideoLabels) -> Iterator[np.ndarray]:
    """Yield the scores of the propagated joints in each pose between two labels of a person."""
    for track in dense.tracks().values():
        labelled_frames = [frame for frame, person in track.items() if person.is_given]
        for frame, person in track.items():
            if (
                labelled_frames
                and labelled_frames[0] < frame < labelled_frames[-1]
                and person.scores is not None
            ):
                yield person.scores[person.propagated & person.labelled]


def list_advice(
    dense: VideoLabels,
    check: int,
    suggest: int,
    accuracy: LabelAccuracy | None = None,
    known: Collection[int] = (),
) -> list[str]:
    """Name the frames to look at, and those to label next, one per line.

    Args:
        dense: The propagated video; its scores are read as probabilities.
        check: Number of frames to look at.
        suggest: Number of frames to label.
        accuracy: The measured accuracy, which the scores include, if any.
        known: Frames that count as labelled, as other views know them.
    """
    from stdpose_mm.labelling.review import errors_beside_labels, frames_to_check, rank_gains

    lines = []
    who = dense.skeleton.category
    # Ranking takes memory for each frame, so it is skipped if no frames are requested.
    for frame in frames_to_check(dense, check) if check else ():
        joints = ', '.join(
            f'{joint.joint} of {who} {joint.track_id} (score {joint.score:.2f})'
            for joint in frame.joints
        )
        fine = 'probably fine, ' if frame.is_probably_fine else ''
        lines.append(
            f'check frame {frame.frame_index}: {fine}about {frame.expected_wrong:.1f} wrong joints '
            f'are expected, most likely {joints}'
        )
    if suggest:
        tracks = errors_beside_labels(dense, known)
        lines += [
            f'label frame {suggestion.frame_index} next: about {suggestion.gain:.1f} fewer joints '
            'would be wrong'
            for suggestion in rank_gains(tracks, suggest)
        ]
        lines.append(_format_outlook(dense, tracks, accuracy, can_measure=not known))
    return lines


def _format_outlook(
    dense: VideoLabels,
    tracks: Sequence[TrackErrors],
    accuracy: LabelAccuracy | None,
    can_measure: bool,
) -> str:
    """Say how many further labels are needed until enough joints are right.

    If no joint was propagated, all are right, which says nothing about a method.
    """
    from stdpose_mm.labelling.review import Outlook, expect_errors_left

    if not any((person.labelled & ~person.given).any() for person in dense.persons):
        return 'no joint was propagated, so there is no accuracy to estimate'
    num_joints = sum(int(person.labelled.sum()) for person in dense.persons)
    left = expect_errors_left(tracks) / max(num_joints, 1)
    outlook = Outlook(left, accuracy)
    needed = outlook.labels_needed(GOOD_ENOUGH)
    if outlook.right is None or needed is None:
        todo = f'label about {counted(outlook.labels_to_measure, "more frame")}'
        if can_measure and not accuracy:
            todo = 'give --measure'
        return (
            f'{1 - left[0]:.1%} of joints are expected to be right, but too little was measured to '
            f'know whether that is enough: {todo}'
        )
    now = '{1:.1%} [{0:.1%}, {2:.1%}] of joints are expected to be right'.format(*outlook.right)
    if outlook.is_enough(GOOD_ENOUGH):
        return f'{now}: stop here if {GOOD_ENOUGH:.0%} is enough'
    number = 'many' if needed[1] is None else '{} to {}'.format(*needed)
    return f'{now}, {number} more labels would make it {GOOD_ENOUGH:.0%}'
