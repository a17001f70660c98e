"""Summary of the labels of a video in a few lines, before poses are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from stdpose_mm.constants import LifeSpan
from stdpose_mm.propagation.gaps import find_presence_intervals
from stdpose_mm.structures import PersonLabel, Skeleton
from stdpose_mm.text import counted, listed, ranges

from .suspicious_labels import label_warnings

MAX_TRACKS = 10
"""Maximum number of people with a line of their own; the others are counted."""


@dataclass(frozen=True)
class TrackSummary:
    """Which frames of one subject are labelled.

    Args:
        track_id: The subject.
        given: Frames with a label that has a place, ascending.
        absent: Frames with a label that says that the subject is not in the picture, ascending.
        partial: Frames with a label that leaves some joints to propagation, ascending.
        left_out: Frames of ``given`` in which joints are left out that other frames have.
        gaps: Runs of frames without a label while the subject is there.
    """

    track_id: int
    given: tuple[int, ...]
    absent: tuple[int, ...]
    partial: tuple[int, ...]
    left_out: tuple[int, ...]
    gaps: tuple[range, ...]


@dataclass(frozen=True)
class LabelSummary:
    """Which frames of a video are labelled, and labels that may be wrong.

    Args:
        num_frames: Length of the video.
        size: (width, height) of its frames in pixels.
        category: Name of the subjects' category.
        tracks: The subjects by track id.
        warnings: Sentences that say which labels may be wrong, see :func:`label_warnings`.
    """

    num_frames: int
    size: tuple[int, int]
    category: str
    tracks: tuple[TrackSummary, ...]
    warnings: list[str]


def summarize_labels(
    tracks: Mapping[int, Mapping[int, PersonLabel]],
    skeleton: Skeleton,
    num_frames: int,
    size: tuple[int, int],
    life_span: LifeSpan = 'video',
) -> LabelSummary:
    """Summarize the given labels of a video.

    Args:
        tracks: Track id -> {frame index: given label}.
        skeleton: The joints.
        num_frames: Length of the video.
        size: (width, height) of its frames in pixels.
        life_span: Where a track begins and ends, see :func:`~.gaps.find_presence_intervals`.
    """
    return LabelSummary(
        num_frames,
        size,
        skeleton.category,
        tuple(
            _summarize_track(track_id, tracks[track_id], num_frames, life_span)
            for track_id in sorted(tracks)
        ),
        label_warnings(tracks, skeleton, size),
    )


def _summarize_track(
    track_id: int, labels: Mapping[int, PersonLabel], num_frames: int, life_span: LifeSpan
) -> TrackSummary:
    given = [frame for frame in sorted(labels) if labels[frame].is_located]
    used = np.any([labels[frame].labelled for frame in given], axis=0) if given else False
    gaps = []
    for interval in find_presence_intervals(labels, num_frames, life_span):
        edges = [interval.frames.start - 1, *sorted(interval.labels), interval.frames.stop]
        between = (range(a + 1, b) for a, b in pairwise(edges))
        gaps += [frames for frames in between if frames]
    return TrackSummary(
        track_id,
        tuple(given),
        tuple(frame for frame in sorted(labels) if labels[frame].is_absent),
        tuple(frame for frame in sorted(labels) if labels[frame].propagated.any()),
        tuple(
            frame for frame in given if (used & (labels[frame].keypoint_sources == 'absent')).any()
        ),
        tuple(gaps),
    )


def format_summary(summary: LabelSummary, notes: Sequence[str] = ()) -> str:
    """Write a summary as lines of text.

    Args:
        summary: The summary.
        notes: Further sentences about these labels, for example that they seem to be one frame
            late; each becomes a line that begins with ``note:``.
    """
    width, height = summary.size
    who = summary.category
    lines = [
        f'labels of {counted(len(summary.tracks), who)} in a video of '
        f'{counted(summary.num_frames, "frame")}, {width}x{height} pixels'
    ]
    for track in summary.tracks[:MAX_TRACKS]:
        line = f'  {who} {track.track_id}: {_frames(track.given)}'
        if track.absent:
            line += f'; absent from {_frames(track.absent)} on'
        if track.partial:
            line += f'; of single joints only in {_frames(track.partial)}'
        if track.left_out:
            line += f'; joints are left out in {_frames(track.left_out)}'
        lines.append(line)
    others = len(summary.tracks) - MAX_TRACKS
    if others > 0:
        lines.append(f'  and {counted(others, f"more {who}")}')
    gaps = [(track, gap) for track in summary.tracks for gap in track.gaps]
    if gaps:
        track, longest = max(gaps, key=lambda item: len(item[1]))
        lines.append(
            f'gaps: {len(gaps)}, the longest of {counted(len(longest), "frame")} '
            f'({who} {track.track_id}, {_frames(longest)}); '
            f'{counted(sum(len(gap) for _, gap in gaps), "pose")} to compute'
        )
    else:
        lines.append('gaps: none')
    if any(track.left_out for track in summary.tracks):
        lines.append(
            'note: joints that a labelled frame leaves out get no place there, unless '
            '--fill-left-out is given'
        )
    lines += [f'note: {note}' for note in (*summary.warnings, *notes)]
    return '\n'.join(lines)


def _frames(frames: Sequence[int]) -> str:
    """Name frames: ``frame 3``, ``frames 0-280 every 7 (41 frames)``."""
    if not frames:
        return 'no frame'
    if len(frames) == 1:
        return f'frame {frames[0]}'
    parts = ranges(frames).split(', ')
    text = listed(parts, 8)
    # The number of frames in a short list is obvious.
    return (
        f'frames {text} ({len(frames)} frames)'
        if len(parts) > 8 or 'every' in text
        else (f'frames {text}')
    )
