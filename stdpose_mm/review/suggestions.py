"""Which frames of a video to label next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from stdpose_mm.structures import VideoLabels

from .expected_errors import TrackErrors


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
    taken = set(given)
    for frame in sorted(taken):
        for track in tracks:
            track.label(frame)
    suggestions: list[FrameSuggestion] = []
    gains = [track.gains() for track in tracks]
    while len(suggestions) < num:
        total: dict[int, float] = {}
        for of_track in gains:
            for frame, gain in of_track.items():
                if frame not in taken:
                    total[frame] = total.get(frame, 0.0) + gain
        frame = max(total, key=lambda index: (total[index], -index), default=-1)
        if not total or total[frame] < 1e-9:
            break
        suggestions.append(FrameSuggestion(frame, total[frame]))
        taken.add(frame)
        for number, track in enumerate(tracks):
            if track.label(frame):
                gains[number] = track.gains()
    return suggestions
