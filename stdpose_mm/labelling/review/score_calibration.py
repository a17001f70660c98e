"""Calibration of scores to the probability that a joint is right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np

from stdpose_mm.evaluation.functional import ScoreCalibrator, label_sizes
from stdpose_mm.labelling.propagation import PROPAGATORS, method_reads_pictures
from stdpose_mm.structures import PersonLabel, VideoLabels

from .expected_errors import TrackErrors

FLOW_CALIBRATOR = ScoreCalibrator(slope=0.78, offset=3.63)
"""Calibrator of the scores of flow between two labels.

It was fitted on the training groups of the JHMDB clips, with gaps of 4 to 30 frames.
"""

ScoreMeaning = Literal['distance', 'agreement', 'probability']


def score_meaning(method: str) -> ScoreMeaning:
    """Return what the scores of a propagation method mean, as its class says.

    Returns:
        'distance' in time from the labels, 'agreement' of two flow tracks, or the 'probability'
        that a joint is right.
    """
    if not method_reads_pictures(method):
        return 'distance'
    return 'agreement' if PROPAGATORS[method].scores_by_agreement else 'probability'


def calibrate_scores(labels: VideoLabels, method: str) -> VideoLabels:
    """Bring the scores of a propagated video closer to probabilities.

    The scores of methods that read no pictures depend on the distance in time only; the estimate of
    their errors from the given labels (:func:`~.expected_errors.interpolation_errors`) replaces
    them. Scores of flow, which rank well but are no probabilities, are calibrated. All other scores
    stay.

    Args:
        labels: A propagated video.
        method: Name of the propagation method.
    """
    meaning = score_meaning(method)
    if meaning == 'distance':
        errors: dict[tuple[int | None, int], np.ndarray] = {
            (track_id, frame): of_frame
            for track_id, track in TrackErrors.of_interpolation(labels)
            for frame, of_frame in zip(track.times.tolist(), track.errors, strict=True)
        }
        return _with_scores(
            labels, lambda p: np.where(p.labelled, 1 - errors[p.track_id, p.frame_index], 0.0)
        )
    if meaning == 'probability':
        return labels
    beyond = _flow_scores_beyond_labels(labels)
    return _with_scores(
        labels,
        lambda p: (
            beyond.get((p.track_id, p.frame_index), FLOW_CALIBRATOR(p.scores)) * p.labelled
            if p.scores is not None
            else None
        ),
    )


def recalibrate(labels: VideoLabels, calibrator: ScoreCalibrator) -> VideoLabels:
    """Recalibrate the scores of propagated joints with a calibrator fitted on this video.

    Args:
        labels: A propagated video whose scores are probabilities, see :func:`calibrate_scores`.
        calibrator: For example :attr:`~.label_accuracy.LabelAccuracy.calibrator`.
    """
    return _with_scores(
        labels, lambda p: None if p.scores is None else calibrator(p.scores) * p.labelled
    )


def _flow_scores_beyond_labels(labels: VideoLabels) -> dict[tuple[int | None, int], np.ndarray]:
    """Score joints [K] by (track id, frame) before a person's first label and after the last one.

    There is no second track there to compare with, so the score comes from a logistic model of the
    length and duration of the joint's path, fitted on the training groups of the JHMDB clips.
    """
    from scipy.special import expit

    scores: dict[tuple[int | None, int], np.ndarray] = {}
    for track in labels.tracks().values():
        people = list(track.values())
        labelled_people = [
            n for n, p in enumerate(people) if p.has_given_joint and not p.propagated.any()
        ]
        if not labelled_people:
            continue
        for side in (people[labelled_people[0] :: -1], people[labelled_people[-1] :]):
            label = side[0]
            size = label_sizes([label])[0]
            path = np.zeros(len(label.visibility))
            for before, person in pairwise(side):
                if person.source == 'absent':
                    break
                path = path + np.linalg.norm(person.keypoints - before.keypoints, axis=-1) / size
                distance = abs(person.frame_index - label.frame_index)
                odds = 0.21 * np.log(distance) + 0.98 * np.log(path + 0.03) + 0.1
                scores[person.track_id, person.frame_index] = expit(-odds)
    return scores


def _with_scores(
    labels: VideoLabels, scores_of: Callable[[PersonLabel], np.ndarray | None]
) -> VideoLabels:
    """Replace the scores of propagated joints."""
    persons = []
    for person in labels.persons:
        if person.propagated.any():
            scores = scores_of(person)
            if scores is not None and person.scores is not None:
                scores = np.where(person.propagated, scores, person.scores)
            person = replace(person, scores=scores)
        persons.append(person)
    return labels.with_persons(persons)
