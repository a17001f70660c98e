"""Data samples as MMEngine hands them to a metric."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from stdpose_mm.structures import PersonLabel, VideoLabels


def sample(video_name: str, person: PersonLabel, bbox_score: float | None = None, **fields) -> dict:
    """Return one prediction; a person without scores gets 1 for existing joints, else 0."""
    scores = person.labelled.astype(float) if person.scores is None else person.scores
    instances = dict(keypoints=person.keypoints[None], keypoint_scores=scores[None])
    if bbox_score is not None:
        instances['bbox_scores'] = np.array([bbox_score])
    return dict(
        video_name=video_name,
        frame_index=person.frame_index,
        track_id=-1 if person.track_id is None else person.track_id,
        pred_instances={**instances, **fields},
    )


def samples(videos: Iterable[VideoLabels]) -> list[dict]:
    """Return all people of some videos."""
    return [sample(labels.name, person) for labels in videos for person in labels.persons]
