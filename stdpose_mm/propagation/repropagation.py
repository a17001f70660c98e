"""Propagation from a thinned-out copy of dense labels, to be compared with the labels."""

from __future__ import annotations

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import VideoLabels, given_frames

from .base import BasePropagator
from .video_propagation import boxes_of, given_labels, propagate_labels


def subsample_labels(labels: VideoLabels, interval: int) -> VideoLabels:
    """Keep the labels on every ``interval``-th frame of the labelled range only.

    The rule is :func:`~stdpose_mm.structures.given_frames`. People keep or get their track ids
    from all labels, before these are thinned out.

    Raises:
        InputError: If the interval is not positive.
    """
    if interval < 1:
        raise InputError(f'the interval between given frames must be at least 1, got {interval}')
    labels = given_labels(labels)
    return labels.keep_frames(given_frames(labels.labelled_frame_indices, interval))


def propagate_subsampled(
    frames: FrameSource,
    truth: VideoLabels,
    interval: int,
    propagator: BasePropagator,
    use_truth_boxes: bool = False,
) -> VideoLabels:
    """Hide all labels but those of every ``interval``-th frame's, and propagate these.

    Args:
        frames: The video's pictures.
        truth: Dense labels.
        interval: Distance T of the given frames, in frames.
        propagator: How to fill the gaps.
        use_truth_boxes: Crop people at their true boxes, as the published protocol does, instead
            of boxes interpolated between given labels.

    Returns:
        Labels of the people and frames that ``truth`` has, given ones with ``source`` 'given'.
        A person who is labelled in no given frame is missing.
    """
    truth = given_labels(truth)
    dense = propagate_labels(
        frames,
        subsample_labels(truth, interval),
        propagator,
        boxes_of(truth) if use_truth_boxes else None,
    )
    present = {(person.track_id, person.frame_index) for person in truth.persons}
    return dense.with_persons([p for p in dense.persons if (p.track_id, p.frame_index) in present])
