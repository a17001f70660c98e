"""Errors of a propagation in a video in which the labels of every T-th frame are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.evaluation.functional import (
    CORRECT_WITHIN,
    ApAccumulator,
    accumulate_ap,
    joint_errors,
    keypoint_accuracy,
    pair_tracks,
)
from stdpose_mm.labelling.comparison.compare_propagators import FrameGroup, has_head_boxes
from stdpose_mm.structures import VideoLabels


@dataclass(frozen=True)
class ClipErrors:
    """Errors of one propagation of a video.

    Args:
        totals: Group of frames -> metric -> sum and number of its values.
        precision: Group of frames -> contribution to PoseTrack's AP; empty without head boxes.
        scores: Scores [N] of propagated joints in unlabelled frames.
        right: Whether these joints are within a tenth of the pose's size, bool [N].
    """

    totals: dict[FrameGroup, dict[str, tuple[float, int]]]
    precision: dict[FrameGroup, ApAccumulator]
    scores: np.ndarray
    right: np.ndarray


def measure(truth: VideoLabels, hidden: Sequence[int], prediction: VideoLabels) -> ClipErrors:
    """Compare a propagation with the truth.

    Args:
        truth: True labels, with track ids.
        hidden: Labelled frames whose labels were not given.
        prediction: Predicted labels with the same frames in the same order; people are paired by
            frame and track id, and missing people count as wrong.
    """
    frames_of: dict[FrameGroup, Sequence[int]] = {
        'unlabelled': hidden,
        'all': truth.labelled_frame_indices,
    }
    totals: dict[FrameGroup, dict[str, tuple[float, int]]] = {}
    precision: dict[FrameGroup, ApAccumulator] = {}
    for group, frames in frames_of.items():
        accuracy = keypoint_accuracy([truth], [prediction], [frames])
        totals[group] = {
            name: (float(np.nansum(accuracy.metrics[name] * counts)), int(counts.sum()))
            for name, counts in accuracy.counts.items()
        }
        if has_head_boxes(truth):
            precision[group] = accumulate_ap(truth.keep_frames(frames), prediction)
    pairs = pair_tracks(truth, prediction, truth.skeleton.keypoint_names, hidden)
    errors = joint_errors(pairs)
    scored = errors.sized & pairs.scored[:, None] & ~pairs.given & ~np.isnan(pairs.scores)
    right = errors.relative[scored] <= CORRECT_WITHIN
    return ClipErrors(totals, precision, pairs.scores[scored], right)
