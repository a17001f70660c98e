"""Which frames of a video to label next."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.structures import VideoLabels

from .expected_errors import TrackErrors, sum_by_frame


@dataclass(frozen=True)
class FrameSuggestion:
    """A frame worth labelling.

    Args:
        frame_index: 0-based frame.
        gain: Reduction of the expected number of wrong joints of the whole video.
    """

    frame_index: int
    gain: float


def suggest_frames(labels: VideoLabels, given: Collection[int], num: int) -> list[int]:
    """Suggest the frames of :func:`rank_suggestions`, without their gains."""
    return [suggestion.frame_index for suggestion in rank_suggestions(labels, given, num)]


def rank_suggestions(
    labels: VideoLabels, given: Collection[int], num: int
) -> list[FrameSuggestion]:
    """Suggest the frames whose labels would help most, best first, with the gain of each.

    A label at ``t`` removes the mistakes at ``t`` and makes those around it rarer. A mistake is
    an error beyond a limit, and the chance of it falls with the variance of the error as
    ``exp(-c / variance)``; so an expected error ``e`` becomes ``e ** (1 / v)``, v being the share
    of the variance that the label leaves (see :mod:`~.expected_errors`). The gain of a frame is
    the sum of ``e - e ** (1 / v)`` over the frames around it, people and joints. The best frame is
    taken, the expected errors are updated for its label, and the next one is sought.

    Args:
        labels: A propagated video with scores (see :func:`calibrate_scores`), or given labels
            only. Without any propagated joint the expected errors are those of linear
            interpolation, estimated from the labels; only frames that are listed are suggested.
        given: Frames that count as labelled for everyone: a person without a label there is taken
            to be out of the picture, or known. Never suggested.
        num: Maximal number of frames; fewer if there is nothing to gain.
    """
    propagated = any((p.labelled & p.propagated).any() for p in labels.persons)
    if propagated:
        tracks = TrackErrors.from_scores(labels)
    else:
        tracks = [track for _, track in TrackErrors.of_interpolation(labels)]
    for frame in sorted(given):
        for track in tracks:
            track.label(frame)
    return rank_gains(tracks, num, given)


def rank_gains(
    tracks: Sequence[TrackErrors], num: int, taken: Collection[int] = ()
) -> list[FrameSuggestion]:
    """Suggest frames as :func:`rank_suggestions` does, from the expected errors of everyone.

    Args:
        tracks: The expected errors; those of suggested frames are updated.
        num: See there.
        taken: Frames that are never suggested.
    """
    suggestions: list[FrameSuggestion] = []
    gains = [track.gains() for track in tracks]
    out = np.array(sorted(taken), dtype=np.int64)
    while len(suggestions) < num:
        total = sum_by_frame(tracks, gains)
        total[out[out < len(total)]] = np.nan
        if np.isnan(total).all():
            break
        # The first of the best.
        frame = int(np.nanargmax(total))
        if total[frame] < 1e-9:
            break
        suggestions.append(FrameSuggestion(frame, float(total[frame])))
        out = np.append(out, frame)
        for number, track in enumerate(tracks):
            if track.label(frame):
                gains[number] = track.gains()
    return suggestions
