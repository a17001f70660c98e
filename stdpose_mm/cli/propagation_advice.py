"""What ``stdpose propagate`` says of poses: accuracy, what to check, what to label next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.text import counted

if TYPE_CHECKING:
    from stdpose_mm.review import LabelAccuracy, TrackErrors
    from stdpose_mm.structures import VideoLabels

GOOD_ENOUGH = 0.95
"""Share of right joints for which the required number of further labels is printed."""


def format_accuracy(accuracy: LabelAccuracy | None, judged: VideoLabels) -> list[str]:
    """Say what was measured on hidden labels, and what follows for the frames between labels.

    Args:
        accuracy: What was measured; None if no label could be hidden.
        judged: The propagated video, with probabilities that suit what was measured as scores.
    """
    if accuracy is None:
        return [
            'accuracy was not measured: no label lies between two others of the same '
            f'{judged.skeleton.category}, label a third frame'
        ]
    lines = [accuracy.describe()]
    scores = list(_scores_between_labels(judged))
    if sum(map(len, scores)):
        lines.append(
            f'between the labels {np.concatenate(scores).mean():.1%} of the propagated joints are '
            'expected right, by scores that take this into account'
        )
    return lines


def _scores_between_labels(dense: VideoLabels) -> Iterator[np.ndarray]:
    """Yield the scores of propagated joints in each pose between two labels of its person."""
    for track in dense.tracks().values():
        given = [frame for frame, person in track.items() if person.source == 'given']
        for frame, person in track.items():
            if given and given[0] < frame < given[-1] and person.scores is not None:
                yield person.scores[person.propagated & person.labelled]


def list_advice(dense: VideoLabels, check: int, suggest: int) -> list[str]:
    """Name the frames to look at, and those to label next, one per line.

    Args:
        dense: The propagated video; its scores are taken for probabilities.
        check: Number of frames to look at.
        suggest: Number of frames to label.
    """
    from stdpose_mm.review import errors_beside_labels, frames_to_check, rank_gains

    lines = []
    who = dense.skeleton.category
    # Ranking takes memory for each frame; without a requested number it is not needed.
    for frame in frames_to_check(dense, check) if check else ():
        joints = ', '.join(
            f'{joint.joint} of {who} {joint.track_id} (score {joint.score:.2f})'
            for joint in frame.joints
        )
        lines.append(
            f'check frame {frame.frame_index}: about {frame.expected_wrong:.1f} wrong joints '
            f'are expected, above all {joints}'
        )
    if suggest:
        tracks = errors_beside_labels(dense)
        lines += [
            f'label frame {suggestion.frame_index} next: {suggestion.gain:.1f} fewer joints would '
            'be wrong'
            for suggestion in rank_gains(tracks, suggest)
        ]
        lines.append(_format_outlook(dense, tracks))
    return lines


def _format_outlook(dense: VideoLabels, tracks: Sequence[TrackErrors]) -> str:
    """Say how many further labels are needed until enough joints are right, if any is propagated.

    Given joints alone would make all of them right, which says nothing of a method.
    """
    from stdpose_mm.review import expect_errors_left

    if not any((person.labelled & ~person.given).any() for person in dense.persons):
        return 'no joint was propagated, so that there is no accuracy to estimate'
    num_joints = sum(int(person.labelled.sum()) for person in dense.persons)
    left = expect_errors_left(tracks) / max(num_joints, 1)
    enough = np.flatnonzero(left <= 1 - GOOD_ENOUGH)
    now = f'{1 - left[0]:.1%} of joints are expected right'
    if not len(enough):
        return f'{now}, and no further labels are expected to make that {GOOD_ENOUGH:.0%}'
    if enough[0] == 0:
        return f'{now}: stop here if {GOOD_ENOUGH:.0%} will do'
    return f'{now}, about {counted(int(enough[0]), "more label")} would make that {GOOD_ENOUGH:.0%}'
