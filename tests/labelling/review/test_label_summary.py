"""What is said of labels before poses are computed."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.labelling.review import describe_labels, describe_poses, label_warnings
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

NAMES = ('head', 'left_hand', 'right_hand')
HERE = [[10, 10], [20, 20], [30, 30]]
SIZE = (100, 80)


def give(frame, track_id=0, points=HERE, visibility=(2, 2, 2), **fields):
    return PersonLabel(
        frame, np.array(points, float), np.array(visibility), track_id=track_id, **fields
    )


def tracks_of(*labels):
    tracks = {}
    for label in labels:
        tracks.setdefault(label.track_id, {})[label.frame_index] = label
    return tracks


def describe(*labels, num_frames=30, category='person', life_span='video', notes=()):
    skeleton = Skeleton(NAMES, (), category)
    text = describe_labels(tracks_of(*labels), skeleton, num_frames, SIZE, life_span, notes)
    return text.splitlines()


def test_frames_and_gaps_of_everyone():
    lines = describe(give(0), give(7), give(8), give(14), give(3, track_id=5))
    # Frames 1-6, 9-13 and 15-29 of the first, 0-2 and 4-29 of the second.
    assert lines[1:] == [
        '  person 0: frames 0, 7-8, 14',
        '  person 5: frame 3',
        'gaps: 5, the longest of 26 frames (person 5, frames 4-29); 55 poses to compute',
    ]


def test_who_is_gone_has_no_gap():
    gone = give(10, visibility=(0, 0, 0))
    # Nobody is there in frames 10 to 19.
    said = 'gaps: 2, the longest of 9 frames (person 0, frames 1-9); 18 poses to compute'
    assert describe(give(0), gone, give(20))[-1] == said
    said = 'gaps: 1, the longest of 14 frames (person 0, frames 6-19); 14 poses to compute'
    assert describe(give(5), give(20), life_span='labels')[-1] == said


def test_frames_far_beyond_the_labels_are_noted():
    labels = [give(0), give(7), give(59), give(40, 1), give(59, 1), give(20, 2)]
    (note,) = (line for line in describe(*labels, num_frames=60) if line.startswith('note'))
    assert note.startswith(
        'note: frames 0-39 lie beyond the labels of person 1 (and others beyond those of 1 more), '
        'where poses are extrapolated'
    )


@pytest.mark.parametrize(
    ('labels', 'life_span'),
    [
        ([give(0), give(59)], 'video'),
        ([give(29)], 'video'),
        ([give(0)], 'labels'),
        ([give(0), give(1, visibility=(0, 0, 0))], 'video'),
    ],
)
def test_frames_between_labels_near_them_or_without_the_person_are_not(labels, life_span):
    lines = describe(*labels, num_frames=60, life_span=life_span)
    assert [line for line in lines if line.startswith('note')] == []


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
    tracks = tracks_of(give(3, points=[point, *HERE[1:]]))
    said = ['1 joint outside the picture: head of person 0 in frame 3']
    warnings = label_warnings(tracks, Skeleton(NAMES), SIZE)
    assert [warning.text for warning in warnings] == (said if is_outside else [])


def test_words():
    beside = np.add(HERE, [40, 0])
    labels = [give(frame) for frame in range(0, 29, 7)]
    labels += [give(frame, 2, beside) for frame in range(0, 29, 7)]
    labels.append(give(29, 2, points=[[-4, 0], [1, 1], [200, 1]]))
    warnings = label_warnings(tracks_of(*labels), Skeleton(NAMES), SIZE)
    notes = [*map(str, warnings), 'they may be late']
    assert describe(*labels, notes=notes) == [
        'labels of 2 people in a video of 30 frames, 100x80 pixels',
        '  person 0: frames 0-28 every 7 (5 frames)',
        '  person 2: frames 0-28 every 7, 29 (6 frames)',
        'gaps: 9, the longest of 6 frames (person 0, frames 1-6); 49 poses to compute',
        'note: 2 joints outside the picture: head of person 2 in frame 29, '
        'right_hand of person 2 in frame 29',
        'note: they may be late',
    ]


def test_one_of_each_is_singular():
    assert describe(give(0), num_frames=2, category='rat') == [
        'labels of 1 rat in a video of 2 frames, 100x80 pixels',
        '  rat 0: frame 0',
        'gaps: 1, the longest of 1 frame (rat 0, frame 1); 1 pose to compute',
    ]
    assert describe(give(0), num_frames=1)[-1] == 'gaps: none'


def test_a_propagated_joint_outside_of_the_picture_is_no_mistake_of_the_labels():
    sources = np.array(['propagated', 'given', 'given'])
    outside = give(3, points=[[-9, 0], *HERE[1:]], keypoint_sources=sources)
    assert label_warnings(tracks_of(outside), Skeleton(NAMES), SIZE) == []


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
        ([give(0), give(4, **FIRST_ALONE)], 'frames 0, 4; single joints only in frame 4'),
        # As in CVAT, where a joint is moved outside and no other joint is placed.
        ([give(0), give(4, **FIRST_LEFT_OUT)], 'frame 0; single joints only in frame 4'),
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
    lines = describe(*labels, num_frames=90)
    assert f'  person 0: {line}' in lines
    assert ('unless --fill-left-out is given' in lines[-1]) == ('left out' in line)


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
    lines = describe(*labels, category='mouse')
    assert lines[0].startswith(f'labels of {number} mice ')
    assert lines[-2] == last


@pytest.mark.parametrize(
    ('ids', 'text'),
    [
        ((0, 4), '2 frames, 2 people, 2 given poses'),
        ((4, 4), '2 frames, 1 person, 2 given poses'),
        ((None, None), '2 frames, 2 given poses'),
        ((), '2 frames, 0 people, 0 given poses'),
    ],
)
def test_people_are_counted_by_their_identities(ids, text):
    labels = [give(frame, track_id) for frame, track_id in enumerate(ids)]
    frames = (VideoFrame(0), VideoFrame(1))
    assert describe_poses(VideoLabels('clip', Skeleton(NAMES, ()), frames, tuple(labels))) == text
