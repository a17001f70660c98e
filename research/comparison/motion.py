"""Speed of labelled people, in sizes of their pose."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from stdpose_mm.evaluation.functional import pose_sizes
from stdpose_mm.labelling.propagation import given_labels
from stdpose_mm.structures import PersonLabel, VideoLabels


def mean_motion(labels: VideoLabels) -> float:
    """Compute the mean displacement of the joints per frame, in sizes of the pose.

    A track's motion is the mean displacement of its joints between one labelled frame and the
    next, per frame, divided by its mean pose size (larger side of the tight box around the
    labelled joints). The mean over the tracks is weighted by their joint displacements.

    Returns:
        0 if nobody is labelled on two frames.
    """
    steps = [_relative_steps(track).ravel() for track in given_labels(labels).tracks().values()]
    known = np.concatenate([np.zeros(0), *steps])
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else 0.0


def _relative_steps(track: Mapping[int, PersonLabel]) -> np.ndarray:
    """Compute displacements [F - 1, K] from each label to the next, per frame and mean pose size.

    The result is NaN where one of the two lacks the joint, and everywhere if no pose has an extent.
    """
    points = np.stack([label.keypoints for label in track.values()])
    labelled = np.stack([label.labelled for label in track.values()])
    frames = np.array(list(track))
    sizes = pose_sizes(points, labelled)
    size = sizes[sizes > 0].mean() if sizes.any() else np.nan
    distance = np.linalg.norm(np.diff(points, axis=0), axis=-1) / np.diff(frames)[:, None]
    return np.where(labelled[:-1] & labelled[1:], distance, np.nan) / size
