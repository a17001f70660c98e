"""Rules for labels that a propagator filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stdpose_mm.errors import InputError

from .video_labels import NOT_LABELLED, PersonLabel, VideoLabels


def keep_certain(labels: VideoLabels, min_score: float) -> VideoLabels:
    """Remove the propagated joints that score less than ``min_score``.

    A propagated joint below becomes unlabelled; its score stays, so that it can be told why. A
    propagated person without any joint left is left out, as is one whose label says that it is
    absent. Given joints stay as they are, whatever their scores.

    Args:
        labels: Given and propagated labels. A propagated joint without a score counts as score 0.
        min_score: In 0..1; 0 keeps every joint.
    """
    persons = [_certain(person, min_score) for person in labels.persons]
    return labels.with_persons([p for p in persons if p.source == 'given' or p.labelled.any()])


def require_given(truth: Sequence[VideoLabels], user: str) -> None:
    """Refuse labels that a propagator filled in where the truth is needed.

    Args:
        truth: The ground-truth labels of some videos.
        user: What needs them, as the subject of the error message.

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


def _certain(person: PersonLabel, min_score: float) -> PersonLabel:
    if not person.propagated.any():
        return person
    scores = np.zeros(len(person.visibility)) if person.scores is None else person.scores
    kept = ~person.propagated | (scores >= min_score)
    return replace(person, visibility=np.where(kept, person.visibility, NOT_LABELLED))
