"""Rules for labels that come from a propagator."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stdpose_mm.errors import InputError

from .video_labels import NOT_LABELLED, PersonLabel, VideoLabels


def keep_certain(labels: VideoLabels, min_score: float) -> VideoLabels:
    """Remove the propagated joints that score less than ``min_score``.

    A propagated joint below this score becomes unlabelled; its score stays, to show the reason. A
    propagated person without any remaining joint is removed, as is a person whose label is
    'absent'. Given joints stay unchanged, whatever their scores.

    Args:
        labels: Given and propagated labels. A propagated joint without a score counts as score 0.
        min_score: In 0..1; 0 keeps every joint.
    """
    persons = [_certain(person, min_score) for person in labels.persons]
    return labels.with_persons([p for p in persons if p.source == 'given' or p.labelled.any()])


def accept_predictions(labels: VideoLabels, min_score: float) -> VideoLabels:
    """Turn estimates into given labels: every joint that scores at least ``min_score`` is given.

    Any other joint loses its place and has to be propagated. People without any remaining joint,
    and people who are absent because nobody gave a label for them, are removed.

    Args:
        labels: Estimates of a network, or propagated labels.
        min_score: In 0..1; joints without a score have 1 beside others that have one.

    Raises:
        InputError: If joints were estimated, but none of them has a score to judge it by.
    """
    if _has_estimates(labels) and not _has_scores(labels):
        raise InputError(
            f'the estimated poses of video {labels.name!r} have no scores, by which those that '
            f'score at least {min_score:g} could be taken as given; label some frames by hand'
        )
    persons = []
    for person in labels.persons:
        scores = np.ones(len(person.visibility)) if person.scores is None else person.scores
        certain = person.labelled & (person.given | (scores >= min_score))
        assert person.keypoint_sources is not None
        left = np.where(person.labelled, 'propagated', person.keypoint_sources)
        if certain.any():
            person = replace(
                person,
                visibility=np.where(certain, person.visibility, NOT_LABELLED),
                source='given',
                keypoint_sources=np.where(certain, 'given', left),
            )
        if person.source == 'given':
            persons.append(person)
    return labels.with_persons(persons)


def require_some_given(labels: VideoLabels, file: str) -> None:
    """Refuse start labels that are all estimates of a network or propagated.

    Args:
        labels: The labels.
        file: The file, for the message.

    Raises:
        InputError: If there are people, but none is given.
    """
    count = len(labels.persons)
    if count and not any(person.source == 'given' for person in labels.persons):
        advice = (
            ', or make labels of those that are certain with '
            f'`stdpose convert {shlex.quote(file)} labels.json --as-given 0.8`'
        )
        raise InputError(
            f'{file} holds {count} {"pose" if count == 1 else "poses"} that a network or this '
            'package estimated, and none that a person gave, label some frames'
            f'{advice if _has_scores(labels) else ""}'
        )


def require_some_joint(labels: VideoLabels, file: str) -> None:
    """Refuse start labels that give no joint: a joint that no label gives is never propagated.

    Args:
        labels: The labels.
        file: The file, for the message.

    Raises:
        InputError: If people are given, but none of their joints is labelled.
    """
    count = sum(person.source == 'given' for person in labels.persons)
    if count and not any(person.given.any() for person in labels.persons):
        what = 'the only given label' if count == 1 else f'none of the {count} given labels'
        raise InputError(
            f'{what} of {file} has {"no" if count == 1 else "a"} labelled joint, expected at least '
            'one joint with a place and visibility 1 or 2, label the joints of a person in a frame'
        )


def require_given(truth: Sequence[VideoLabels], user: str) -> None:
    """Refuse propagated labels where ground truth is needed.

    Args:
        truth: The ground-truth labels of some videos.
        user: The part of the program that needs ground truth, as the subject of the error message.

    Raises:
        InputError: If a labelled joint is marked 'propagated'.
    """
    for labels in truth:
        number = sum((p.labelled & p.propagated).any() for p in labels.persons)
        if number:
            raise InputError(
                f'{user} needs labels made by hand as the truth, but {number} of the '
                f'{len(labels.persons)} poses of video {labels.name!r} were filled in by a '
                'propagator, wholly or in some joints; take the original label file, or mark the '
                "joints that were checked with the source 'given'"
            )


def _has_estimates(labels: VideoLabels) -> bool:
    return any((person.labelled & person.propagated).any() for person in labels.persons)


def _has_scores(labels: VideoLabels) -> bool:
    """Tell whether a pose with estimated joints has scores."""
    return any(
        person.scores is not None and (person.labelled & person.propagated).any()
        for person in labels.persons
    )


def _certain(person: PersonLabel, min_score: float) -> PersonLabel:
    if not person.propagated.any():
        return person
    scores = np.zeros(len(person.visibility)) if person.scores is None else person.scores
    kept = ~person.propagated | (scores >= min_score)
    return replace(person, visibility=np.where(kept, person.visibility, NOT_LABELLED))
