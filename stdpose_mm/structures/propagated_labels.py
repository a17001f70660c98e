"""Rules for labels that come from a propagator."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.text import counted

from .video_labels import NOT_LABELLED, PersonLabel, VideoLabels


def keep_certain(labels: VideoLabels, min_score: float) -> VideoLabels:
    """Remove the propagated joints that score less than ``min_score``.

    Such a joint becomes unlabelled but keeps its score, which shows the reason. A propagated person
    without any remaining joint is removed, as is a person whose label is 'absent'. Given joints
    stay unchanged, whatever their scores.

    Args:
        labels: Given and propagated labels. A propagated joint without a score counts as score 0.
        min_score: In 0..1; 0 keeps every joint.
    """
    persons = [_certain(person, min_score) for person in labels.persons]
    return labels.with_persons([p for p in persons if p.is_given or p.has_joint])


def accept_predictions(labels: VideoLabels, min_score: float) -> VideoLabels:
    """Turn estimates into given labels: every joint that scores at least ``min_score`` is given.

    Any other joint becomes unlabelled and has to be propagated. People without any given joint are
    removed, unless their label was given before.

    Args:
        labels: Estimates of a network, or propagated labels.
        min_score: In 0..1. A person without scores counts as scoring 1, if others have scores.

    Raises:
        InputError: If joints were estimated, but none of them has a score to judge it by.
    """
    predicted = any(person.has_propagated_joint for person in labels.persons)
    if predicted and not _has_scores(labels):
        raise InputError(
            f'the estimated poses of video {labels.name!r} have no scores, so none can be accepted '
            f'for a score of at least {min_score:g}; label some frames by hand'
        )
    persons = []
    for person in labels.persons:
        scores = np.ones(len(person.visibility)) if person.scores is None else person.scores
        certain = person.labelled & (person.given | (scores >= min_score))
        left = np.where(person.labelled, 'propagated', person.keypoint_sources)
        if certain.any():
            person = replace(
                person,
                visibility=np.where(certain, person.visibility, NOT_LABELLED),
                source='given',
                keypoint_sources=np.where(certain, 'given', left),
            )
        if person.is_given:
            persons.append(person)
    return labels.with_persons(persons)


def require_start(labels: VideoLabels, file: str) -> None:
    """Refuse start labels that are all predictions, or that give no joint.

    A joint that no label gives is never propagated.

    Args:
        labels: The labels.
        file: The file, for the message.

    Raises:
        InputError: If there are people, but no label is given, or no given label has a joint.
    """
    given_persons = [person for person in labels.persons if person.is_given]
    if labels.persons and not given_persons:
        advice = (
            ', or accept the certain ones with '
            f'`stdpose convert {shlex.quote(file)} labels.json --as-given 0.8`'
        )
        raise InputError(
            f'{file} holds {counted(len(labels.persons), "pose")} estimated by a network or by '
            'this package, but none given by a person, label some frames'
            f'{advice if _has_scores(labels) else ""}'
        )
    if given_persons and not any(person.has_given_joint for person in given_persons):
        raise InputError(
            f'none of the {counted(len(given_persons), "given label")} of {file} has a labelled '
            'joint, expected at least one joint with coordinates and visibility 1 or 2, label the '
            'joints of a person in a frame'
        )


def require_given(truth: Sequence[VideoLabels], user: str) -> None:
    """Refuse propagated labels where ground truth is needed.

    Args:
        truth: The ground-truth labels of some videos.
        user: The part of the program that needs ground truth, as subject of the error message.

    Raises:
        InputError: If a labelled joint is marked 'propagated'.
    """
    for labels in truth:
        number = sum(p.has_propagated_joint for p in labels.persons)
        if number:
            raise InputError(
                f'{user} needs ground truth labelled by hand, but {number} of the '
                f'{len(labels.persons)} poses of video {labels.name!r} have propagated joints; '
                "use the original label file, or mark checked joints with the source 'given'"
            )


def _has_scores(labels: VideoLabels) -> bool:
    """Tell whether a pose with estimated joints has scores."""
    return any(
        person.scores is not None and person.has_propagated_joint for person in labels.persons
    )


def _certain(person: PersonLabel, min_score: float) -> PersonLabel:
    if not person.propagated.any():
        return person
    scores = np.zeros(len(person.visibility)) if person.scores is None else person.scores
    certain = ~person.propagated | (scores >= min_score)
    return replace(person, visibility=np.where(certain, person.visibility, NOT_LABELLED))
