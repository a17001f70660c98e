"""What is said of labels before poses are computed."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.review import format_summary, summarize_labels
from stdpose_mm.structures import PersonLabel, Skeleton

NAMES = ('head', 'left_hand', 'right_hand')
HERE = [[10, 10], [20, 20], [30, 30]]
SIZE = (100, 80)


def give(frame, track_id=0, points=HERE, visibility=(2, 2, 2), **fields):
    return PersonLabel(
        frame, np.array(points, float), np.array(visibility), track_id=track_id, **fields
    )


def summarize(*labels, num_frames=30, category='person', life_span='video'):
    tracks = {}
    for label in labels:
        tracks.setdefault(label.track_id, {})[label.frame_index] = label
    return summarize_labels(tracks, Skeleton(NAMES, (), category), num_frames, SIZE, life_span)


def test_frames_and_gaps_of_everyone():
    summary = summarize(give(0), give(7), give(8), give(14), give(3, track_id=5))
    first, second = summary.tracks
    assert (first.track_id, first.given) == (0, (0, 7, 8, 14))
    assert first.gaps == (range(1, 7), range(9, 14), range(15, 30))
    assert second.gaps == (range(3), range(4, 30))
    said = 'gaps: 5, the longest of 26 frames (person 5, frames 4-29); 55 poses to compute'
    assert said in format_summary(summary)


def test_who_is_gone_has_no_gap():
    gone = give(10, visibility=(0, 0, 0))
    (track,) = summarize(give(0), gone, give(20)).tracks
    assert track.given == (0, 20)
    # Nobody is there in frames 10 to 19.
    assert track.gaps == (range(1, 10), range(21, 30))
    (track,) = summarize(give(5), give(20), life_span='labels').tracks
    assert track.gaps == (range(6, 20),)


@pytest.mark.parametrize(
    ('point', 'is_outside'),
    [
        ((-0.5, 0), False),
        ((-0.6, 0), True),
        ((99.5, 79.5), False),
        ((99.6, 0), True),
        ((0, 79.6), True),
    ],
)
def test_the_picture_ends_at_the_outer_edge_of_its_pixels(point, is_outside):
    summary = summarize(give(3, points=[point, *HERE[1:]]))
    said = ['1 joint outside of the picture: head of person 0 in frame 3']
    assert summary.warnings == (said if is_outside else [])


def test_words():
    beside = np.add(HERE, [40, 0])
    labels = [give(frame) for frame in range(0, 29, 7)]
    labels += [give(frame, 2, beside) for frame in range(0, 29, 7)]
    outside = give(29, 2, points=[[-4, 0], [1, 1], [200, 1]])
    text = format_summary(summarize(*labels, outside), ['they seem to be one frame late'])
    assert text.splitlines() == [
        'labels of 2 people in a video of 30 frames, 100x80 pixels',
        '  person 0: frames 0-28 every 7 (5 frames)',
        '  person 2: frames 0-28 every 7, 29 (6 frames)',
        'gaps: 9, the longest of 6 frames (person 0, frames 1-6); 49 poses to compute',
        'note: 2 joints outside of the picture: head of person 2 in frame 29, '
        'right_hand of person 2 in frame 29',
        'note: they seem to be one frame late',
    ]


def test_one_of_each_is_singular():
    text = format_summary(summarize(give(0), num_frames=2, category='rat'))
    assert text.splitlines() == [
        'labels of 1 rat in a video of 2 frames, 100x80 pixels',
        '  rat 0: frame 0',
        'gaps: 1, the longest of 1 frame (rat 0, frame 1); 1 pose to compute',
    ]
    assert 'gaps: none' in format_summary(summarize(give(0), num_frames=1))


def test_a_propagated_joint_outside_of_the_picture_is_no_mistake_of_the_labels():
    sources = np.array(['propagated', 'given', 'given'])
    outside = give(3, points=[[-9, 0], *HERE[1:]], keypoint_sources=sources)
    assert summarize(outside).warnings == []


ABSENT, LEFT_OUT = (0, 0, 0), (2, 2, 0)
FIRST_ALONE = {
    'visibility': (2, 0, 0),
    'keypoint_sources': np.array(['given', 'propagated', 'propagated']),
}
FIRST_LEFT_OUT = {
    'visibility': ABSENT,
    'keypoint_sources': np.array(['absent', 'propagated', 'propagated']),
}
SQUARES = [(n + 1) ** 2 for n in range(9)]


@pytest.mark.parametrize(
    ('labels', 'line'),
    [
        ([give(0), give(4, **FIRST_ALONE)], 'frames 0, 4; of single joints only in frame 4'),
        # As in CVAT, where a joint is moved outside and no other joint is placed.
        ([give(0), give(4, **FIRST_LEFT_OUT)], 'frame 0; of single joints only in frame 4'),
        (
            [give(0), give(7, visibility=ABSENT), give(14), give(21, visibility=ABSENT)],
            'frames 0, 14; absent from frames 7, 21 on',
        ),
        (
            [give(0, visibility=LEFT_OUT), give(7, visibility=(2, 0, 0)), give(14)],
            'frames 0, 7, 14; joints are left out in frames 0, 7',
        ),
        # A joint that nobody ever labels is not left out.
        ([give(0, visibility=LEFT_OUT), give(7, visibility=LEFT_OUT)], 'frames 0, 7'),
        ([give(n) for n in SQUARES[:8]], 'frames 1, 4, 9, 16, 25, 36, 49, 64'),
        (
            [give(n) for n in SQUARES],
            'frames 1, 4, 9, 16, 25, 36, 49, 64 and 1 more (9 frames)',
        ),
    ],
)
def test_frames_of_each_kind_are_said(labels, line):
    text = format_summary(summarize(*labels, num_frames=90))
    assert f'  person 0: {line}' in text.splitlines()
    assert ('unless --fill-left-out is given' in text) == ('left out' in line)


@pytest.mark.parametrize(
    ('number', 'last'),
    [
        (10, '  mouse 9: frame 0'),
        (11, '  and 1 more mouse'),
        (200, '  and 190 more mice'),
    ],
)
def test_ten_are_listed_and_the_others_counted(number, last):
    # Too few joints to tell whether one mouse is labelled twice.
    labels = [give(0, track_id, visibility=(2, 2, 0)) for track_id in range(number)]
    lines = format_summary(summarize(*labels, category='mouse')).splitlines()
    assert lines[0].startswith(f'labels of {number} mice ')
    assert lines[-2] == last
