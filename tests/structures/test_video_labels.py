"""What ``VideoLabels`` and ``Skeleton`` accept, keep and refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.structures import (
    PersonLabel,
    Skeleton,
    VideoFrame,
    VideoLabels,
    correct_label,
    open_left_out,
    pose_extent,
)

ARM = Skeleton(('left_elbow', 'right_elbow', 'nose'), limbs=((0, 2), (1, 2)))


def person(frame: int, track: int | None = 0, num_keypoints: int = 3) -> PersonLabel:
    keypoints = np.arange(2 * num_keypoints, dtype=float).reshape(-1, 2) + 1
    return PersonLabel(frame, keypoints, np.full(num_keypoints, 2), track_id=track)


def video(*persons: PersonLabel, frames: tuple[int, ...] = (0, 1, 2, 3)) -> VideoLabels:
    return VideoLabels('clip', ARM, tuple(map(VideoFrame, frames)), persons)


def test_only_given_labels_keep_their_frames_and_their_given_joints():
    half = replace(person(2), keypoint_sources=np.array(['given', 'propagated', 'given']))
    propagated = replace(
        person(1), source='propagated', keypoint_sources=np.array(3 * ['propagated'])
    )
    given = video(person(0), propagated, half).only_given()
    assert [frame.index for frame in given.frames] == [0, 2]
    assert [label.visibility.tolist() for label in given.persons] == [[2, 2, 2], [2, 0, 2]]


SIDES = [
    *(('left', 'right'), ('links', 'rechts'), ('linke', 'rechte'), ('linker', 'rechter')),
    *(('gauche', 'droite'), ('gauche', 'droit'), ('izquierda', 'derecha'), ('izq', 'der')),
    *(('izquierdo', 'derecho'), ('esquerda', 'direita'), ('esquerdo', 'direito'), ('esq', 'dir')),
    *(('sinistra', 'destra'), ('sinistro', 'destro'), ('sx', 'dx'), ('左', '右'), ('l', 'r')),
    *(('esquerra', 'dreta'), ('vänster', 'höger'), ('venstre', 'højre'), ('lewa', 'prawa')),
    *(('levý', 'pravý'), ('левая', 'правая'), ('sol', 'sağ'), ('왼', '오른')),
]
"""Left and right in English, German, French, Spanish, Portuguese, Italian and further languages."""

PARTS = ['hand', 'knie', 'genou', 'mano', 'joelho 2', 'occhio', 'hind paw 10', 'rib']


@given(
    sides=st.sampled_from(SIDES) | st.just(('l', 'r')),
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=3, unique=True),
    form=st.sampled_from(['{side}_{part}', '{part} {side}', '{part}-{side}', '{part} ({side})']),
    case=st.sampled_from([str.lower, str.title, str.upper]),
    is_joined=st.booleans(),
    order=st.permutations(range(9)),
)
def test_sides_are_known_by_names_as_other_tools_write_them(
    sides: tuple[str, str],
    parts: list[str],
    form: str,
    case: Callable[[str], str],
    is_joined: bool,
    order: list[int],
):
    """As left_hand, HAND LEFT, Hand (Left), LeftHand, handL; two joints have no partner."""
    pairs = []
    for part in parts:
        pair = [case(form.format(side=side, part=part)) for side in sides]
        if is_joined and '(' not in form and case is not str.upper:
            pair = [re.sub('[-_ ]', '', name.title()) for name in pair]
        pairs.append(pair)
    names = ['nose', 'left_horn', *(name for pair in pairs for name in pair)]
    mirrors = dict(pairs) | {right: left for left, right in pairs}
    names = [names[i] for i in order if i < len(names)]
    skeleton = Skeleton((*names,))

    assert [names[i] for i in skeleton.flip_indices] == [mirrors.get(n, n) for n in names]
    lefts, rights = zip(*pairs, strict=True)
    expected = ['left' if n in lefts else 'right' if n in rights else 'middle' for n in names]
    assert [*skeleton.sides] == expected


@pytest.mark.parametrize(
    ('left', 'right'),
    [
        *(('forelegL1', 'forelegR1'), ('FL_paw', 'FR_paw'), ('LStiletto', 'RStiletto')),
        *(('lwrist', 'rwrist'), ('earl', 'earr'), ('fl_paw', 'fr_paw'), ('wristL', 'wristR')),
    ],
)
def test_a_letter_in_a_word_may_be_a_side(left: str, right: str):
    assert Skeleton(('nose', right, left)).sides == ('middle', 'right', 'left')


@pytest.mark.parametrize(
    'names',
    [
        ('tail', 'ulna', 'flank'),
        ('l_ear', 'nose', 'bright_spot'),
        ('leg', 'reg', 'lip'),
        ('lip', 'rip', 'tail'),
        ('tail', 'tair', 'left_right'),
        ('right_light', 'left_right', 'blight'),
        ('point_d', 'point_e', 'point_g'),
    ],
)
def test_letters_in_words_are_no_sides(names):
    assert Skeleton(names).sides == ('middle', 'middle', 'middle')


@pytest.mark.parametrize(
    ('names', 'limbs', 'message'),
    [
        ((), (), 'at least one keypoint name, got none'),
        (('a', 'a'), (), "'a' appears twice"),
        (('a', ''), (), 'non-empty'),
        (('a', 'b'), ((0, 2),), r'limb \(0, 2\)'),
    ],
)
def test_skeleton_refuses(names, limbs, message):
    with pytest.raises(ValueError, match=message):
        Skeleton(names, limbs)


def test_coordinates_of_unlabelled_joints_are_cleared():
    label = PersonLabel(0, np.array([[3.0, 4.0], [5.0, 6.0]]), np.array([0, 1]))
    assert label.keypoints.tolist() == [[0, 0], [5, 6]]
    assert label.labelled.tolist() == [False, True]


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(keypoints=np.zeros((3, 3))), r'\[K, 2\]'),
        (dict(visibility=np.zeros(2)), r'shape \[3\]'),
        (dict(visibility=np.array([0, 1, 3])), 'got 3'),
        (dict(keypoints=np.array([[np.nan, 0], [0, 0], [0, 0]])), 'finite'),
        (dict(scores=np.zeros(2)), '3 finite numbers'),
        (dict(bbox=np.array([0, 0, -1, 2])), 'negative size'),
        (dict(head_box=np.array([0, 0, 1])), '4 finite numbers'),
        (dict(source='guessed'), "one of .'given', 'propagated', 'absent'., got 'guessed'"),
    ],
)
def test_person_label_refuses(change, message):
    fields = dict(frame_index=0, keypoints=np.zeros((3, 2)), visibility=np.full(3, 2))
    with pytest.raises(ValueError, match=message):
        PersonLabel(**{**fields, **change})


@pytest.mark.parametrize(
    ('persons', 'frames', 'message'),
    [
        ([person(9)], (0, 1), 'frame 9, which is not'),
        ([person(1)] * 2, (0, 1), 'track id 0 appears twice in frame 1, give each person'),
        ([person(1, num_keypoints=2)], (0, 1), '2 keypoints, the skeleton has 3'),
        ([], (1, 1), 'frame 1 appears twice'),
    ],
)
def test_video_labels_refuse(persons, frames, message):
    with pytest.raises(ValueError, match=message):
        video(*persons, frames=frames)


def test_tracks_are_sorted_by_frame():
    tracks = video(person(3), person(1), person(2, 5), person(0, None)).tracks()
    assert {track: list(labels) for track, labels in tracks.items()} == {0: [1, 3], 5: [2]}


def test_keep_frames_keeps_all_frames_listed():
    sparse = video(person(0), person(1), person(2)).keep_frames([0, 2])
    assert sparse.labelled_frame_indices == (0, 2)
    assert [frame.index for frame in sparse.frames] == [0, 1, 2, 3]


def test_pose_extent_looks_at_labelled_joints_only():
    keypoints = np.array([[[1.0, 2.0], [4.0, 8.0], [100.0, 100.0]]])
    labelled = np.array([[True, True, False]])
    assert pose_extent(keypoints, labelled).tolist() == [[1, 2, 3, 6]]
    assert pose_extent(keypoints, np.zeros((1, 3), bool)).tolist() == [[0, 0, 0, 0]]


def test_labels_are_a_mapping_of_frames_to_people_in_file_order():
    labels = video(person(2, 1), person(0, 0), person(2, 0), person(3, None), person(3, None))
    assert [p.track_id for p in labels[2]] == [1, 0]
    assert labels[1] == ()
    # Two people without an identity may share a frame.
    assert len(labels[3]) == 2
    assert list(labels) == [0, 1, 2, 3]
    with pytest.raises(KeyError):
        labels[4]


def test_array_holds_tracks_by_frame_with_nan_where_nothing_is_labelled():
    points = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    partly = PersonLabel(0, points, np.array([2, 0, 1]), track_id=7)
    whole = PersonLabel(3, points + 10, np.array([2, 2, 2]), track_id=4)
    frames = (VideoFrame(3), VideoFrame(0))
    labels = VideoLabels('clip', ARM, frames, (partly, whole, person(3, None)))
    nothing = np.full((3, 2), np.nan)
    expected = [[points + 10, nothing], [nothing, [[1, 2], [np.nan, np.nan], [5, 6]]]]
    np.testing.assert_array_equal(labels.to_array(), expected)
    assert video().to_array().shape == (4, 0, 3, 2)


# Sources of joints


def mixed(**fields) -> PersonLabel:
    """Nose given, left hand to be propagated, right hand left out."""
    plain = {
        'frame_index': 3,
        'keypoints': np.array([[1.0, 2], [0, 0], [0, 0]]),
        'visibility': np.array([2, 0, 0]),
        'keypoint_sources': ['given', 'propagated', 'absent'],
    }
    return PersonLabel(**{**plain, **fields})


ABSENT = PersonLabel(3, np.zeros((3, 2)), np.zeros(3))


@pytest.mark.parametrize('source', ['given', 'propagated'])
def test_without_a_word_on_joints_the_labelled_ones_are_as_the_label(source):
    label = PersonLabel(0, np.ones((3, 2)), np.array([2, 1, 0]), source=source)
    assert label.keypoint_sources.tolist() == [source, source, 'absent']


@pytest.mark.parametrize(
    ('fields', 'expected'),
    [
        ({}, (True, True, True, False)),
        ({'source': 'propagated'}, (False, True, False, True)),
        ({'visibility': [0, 0]}, (True, False, False, False)),
        ({'keypoint_sources': ['given', 'propagated']}, (True, True, True, True)),
        # A joint that is yet to be propagated has no label.
        (
            {'visibility': [2, 0], 'keypoint_sources': ['given', 'propagated']},
            (True,) * 3 + (False,),
        ),
    ],
)
def test_what_a_label_has(fields, expected):
    label = PersonLabel(3, **{'keypoints': np.ones((2, 2)), 'visibility': [2, 2], **fields})
    has = label.is_given, label.has_joint, label.has_given_joint, label.has_propagated_joint
    assert has == expected
    labels = VideoLabels('clip', Skeleton(('a', 'b')), (VideoFrame(3),), (label,))
    assert labels.given_frame_indices == ((3,) if expected[0] else ())


def test_a_given_joint_that_loses_its_label_is_left_out():
    label = replace(person(0), visibility=np.array([2, 0, 2]))
    assert label.keypoint_sources.tolist() == ['given', 'absent', 'given']


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'keypoint_sources': ['given']}, 'keypoint_sources must be 3 of'),
        ({'keypoint_sources': ['given', 'absent', 'me']}, 'keypoint_sources must be 3 of'),
        ({'visibility': np.array([2, 0, 2])}, "labelled joint must be 'given' or 'propagated'"),
        ({'source': 'propagated'}, "label with a given joint must be given, got 'propagated'"),
        ({'keypoint_sources': ['propagated', 'absent', 'absent']}, 'must have a given joint'),
    ],
)
def test_contradicting_sources_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        mixed(**fields)


def test_places_of_propagated_joints_can_be_taken_away():
    label = mixed(visibility=np.array([2, 1, 0]), keypoints=np.ones((3, 2))).only_given()
    assert label.visibility.tolist() == [2, 0, 0]
    assert label.keypoint_sources.tolist() == ['given', 'propagated', 'absent']


@pytest.mark.parametrize(
    ('sources', 'says'), [(['absent'] * 3, True), (['absent', 'propagated', 'absent'], False)]
)
def test_a_label_without_a_place_means_absence_unless_a_joint_is_to_come(sources, says):
    label = PersonLabel(0, np.zeros((3, 2)), np.zeros(3), keypoint_sources=sources)
    assert label.is_absent == says


def test_a_correction_changes_its_joints_only():
    earlier = mixed(track_id=4, scores=np.array([0.5, 0.25, 0]), extra={'id': 7})
    wrist = PersonLabel(
        3,
        np.array([[0, 0], [5, 6], [0, 0]]),
        np.array([0, 1, 0]),
        keypoint_sources=['propagated', 'given', 'propagated'],
    )
    label = correct_label(earlier, wrist)
    assert label.keypoints.tolist() == [[1, 2], [5, 6], [0, 0]]
    assert label.visibility.tolist() == [2, 1, 0]
    assert label.keypoint_sources.tolist() == ['given', 'given', 'absent']
    assert label.scores.tolist() == [0.5, 1, 0]
    assert (label.track_id, label.extra) == (4, {'id': 7})


@pytest.mark.parametrize(
    ('place', 'box'),
    [
        ([19, 19], [0, 0, 20, 20]),
        # Boxes that are drawn by hand are not exact.
        ([22.5, -2.5], [0, 0, 20, 20]),
        ([24, 10], None),
        ([10, -40], None),
    ],
)
def test_a_box_stays_unless_a_joint_is_moved_out_of_it(place, box):
    points = np.array([[5, 5], [50, 50], [15, 15]])
    earlier = PersonLabel(3, points, [2, 2, 0], bbox=[0, 0, 20, 20])
    # The second joint was outside before, and is not moved.
    moved = PersonLabel(3, np.array([place, [50, 50], [0, 0]]), [2, 2, 0])
    found = correct_label(earlier, moved).bbox
    assert (None if found is None else found.tolist()) == box


def test_a_correction_of_an_absent_person_brings_it_back():
    sources = correct_label(ABSENT, mixed()).keypoint_sources
    assert sources.tolist() == ['given', 'propagated', 'absent']


def test_joints_that_are_left_out_can_be_opened_but_not_absent_people():
    assert open_left_out(mixed()).keypoint_sources.tolist() == ['given', 'propagated', 'propagated']
    assert open_left_out(ABSENT).is_absent
