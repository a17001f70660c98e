"""Description of the labels of a video in a few lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from stdpose_mm.constants import LifeSpan
from stdpose_mm.labelling.propagation import Tracks, find_presence_intervals
from stdpose_mm.structures import PersonLabel, Skeleton, VideoLabels, count_sources
from stdpose_mm.text import counted, listed, ranges

FAR_BEYOND = 30
"""Number of frames before the first or after the last label up to which poses may be of use."""

MAX_TRACKS = 10
"""Maximum number of people with their own line; the others are counted."""


def describe_poses(labels: VideoLabels) -> str:
    """Count the frames, people and poses of a video: ``30 frames, 2 people, 10 given and ...``."""
    count = count_sources(labels.persons)
    poses = counted(count['given'], 'given pose')
    if count['propagated']:
        poses = f'{count["given"]} given and {counted(count["propagated"], "propagated pose")}'
    # Poses without identities are of an unknown number of people.
    people = counted(len(labels.track_ids), labels.skeleton.category) + ', '
    return (
        f'{counted(len(labels.frames), "frame")}, '
        f'{people if labels.track_ids or not labels.persons else ""}{poses}'
        + (f', {counted(count["absent"], "time")} absent' if count['absent'] else '')
    )


def describe_labels(
    tracks: Tracks,
    skeleton: Skeleton,
    num_frames: int,
    size: tuple[int, int],
    life_span: LifeSpan = 'video',
    notes: Sequence[str] = (),
) -> str:
    """Describe which frames of a video are labelled, in lines of text.

    Args:
        tracks: Track id -> {frame index: given label}.
        skeleton: The joints.
        num_frames: Length of the video.
        size: (width, height) of its frames in pixels.
        life_span: Where a track begins and ends, see :func:`~.gaps.find_presence_intervals`.
        notes: Further sentences about these labels, for example that they seem to be one frame
            late; each becomes a line that begins with ``note:``.
    """
    who, (width, height) = skeleton.category, size
    lines = [
        f'labels of {counted(len(tracks), who)} in a video of '
        f'{counted(num_frames, "frame")}, {width}x{height} pixels'
    ]
    for track_id in sorted(tracks)[:MAX_TRACKS]:
        lines.append(f'  {who} {track_id}: {_describe_track(tracks[track_id])}')
    others = len(tracks) - MAX_TRACKS
    if others > 0:
        lines.append(f'  and {counted(others, f"more {who}")}')
    gaps = [
        (track_id, gap)
        for track_id in sorted(tracks)
        for gap in _gaps(tracks[track_id], num_frames, life_span)
    ]
    if gaps:
        track_id, longest = max(gaps, key=lambda item: len(item[1]))
        lines.append(
            f'gaps: {len(gaps)}, the longest of {counted(len(longest), "frame")} '
            f'({who} {track_id}, {_frames(longest)}); '
            f'{counted(sum(len(gap) for _, gap in gaps), "pose")} to compute'
        )
    else:
        lines.append('gaps: none')
    beyond = [(i, g) for i, g in gaps if len(g) > FAR_BEYOND and (0 in g or num_frames - 1 in g)]
    if beyond:
        track_id, longest = max(beyond, key=lambda item: len(item[1]))
        others = len({i for i, _ in beyond} - {track_id})
        lines.append(
            f'note: {_frames(longest)} lie beyond the labels of {who} {track_id}'
            f'{f" (and others beyond those of {others} more)" if others else ""}, where poses are '
            'extrapolated and soon wrong: label a frame there, or leave these frames out with '
            '--life-span labels'
        )
    if any(_frames_with_joints_left_out(track) for track in tracks.values()):
        lines.append(
            'note: joints left out of a labelled frame are not filled in there, unless '
            '--fill-left-out is given'
        )
    return '\n'.join([*lines, *(f'note: {note}' for note in notes)])


def _describe_track(labels: Mapping[int, PersonLabel]) -> str:
    """Name the labelled frames of a track, and how they are labelled."""
    frames = sorted(labels)
    line = _frames([frame for frame in frames if labels[frame].is_located])
    for how, kind in (
        ('absent from {} on', [frame for frame in frames if labels[frame].is_absent]),
        (
            'single joints only in {}',
            [frame for frame in frames if labels[frame].propagated.any()],
        ),
        ('joints are left out in {}', _frames_with_joints_left_out(labels)),
    ):
        if kind:
            line += f'; {how.format(_frames(kind))}'
    return line


def _frames_with_joints_left_out(labels: Mapping[int, PersonLabel]) -> list[int]:
    """List the labelled frames that leave out joints which other frames have."""
    located_frames = [frame for frame in sorted(labels) if labels[frame].is_located]
    used = np.any([labels[frame].labelled for frame in located_frames], axis=0)
    return [
        frame
        for frame in located_frames
        if (used & (labels[frame].keypoint_sources == 'absent')).any()
    ]


def _gaps(
    labels: Mapping[int, PersonLabel], num_frames: int, life_span: LifeSpan
) -> Iterator[range]:
    """Yield the runs of unlabelled frames in which the person of a track is present."""
    for interval in find_presence_intervals(labels, num_frames, life_span):
        edges = [interval.frames.start - 1, *interval.labels, interval.frames.stop]
        yield from filter(None, (range(a + 1, b) for a, b in pairwise(edges)))


def _frames(frames: Sequence[int]) -> str:
    """Name frames: ``frame 3``, ``frames 0-280 every 7 (41 frames)``."""
    if not frames:
        return 'no frame'
    if len(frames) == 1:
        return f'frame {frames[0]}'
    parts = ranges(frames).split(', ')
    text = f'frames {listed(parts, 8)}'
    # The number of frames in a short list is obvious.
    return f'{text} ({len(frames)} frames)' if len(parts) > 8 or 'every' in text else text
