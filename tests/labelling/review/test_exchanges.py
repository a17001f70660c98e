"""Sides and people that are exchanged for a stretch of frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.labelling.review import exchanges, mend_people, mend_sides
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(('head', 'left_hip', 'right_hip', 'left_foot', 'right_foot'))
STANDING = np.array([[50, 10], [60, 50], [40, 50], [62, 90], [38, 90]], float)
FLIP = SKELETON.flip_indices
NUM_FRAMES = 40


def walk(track_id: int, speed: tuple[float, float], sway: float = 0.0) -> list[PersonLabel]:
    """Somebody who walks with constant speed and sways sideways, estimated in every frame."""
    labels = []
    for frame in range(NUM_FRAMES):
        place = frame * np.array(speed) + [sway * np.sin(frame / 5) + 90 * track_id, 0]
        labels.append(
            PersonLabel(
                frame,
                STANDING + place,
                [2] * 5,
                track_id=track_id,
                scores=np.arange(5) / 10 + 0.5,
                source='propagated',
            )
        )
    return labels


def video(*persons: PersonLabel) -> VideoLabels:
    return VideoLabels('clip', SKELETON, tuple(map(VideoFrame, range(NUM_FRAMES))), persons)


def same(first: VideoLabels, second: VideoLabels) -> bool:
    """Whether places, scores and identities are equal to the last digit."""
    return all(
        (a.frame_index, a.track_id) == (b.frame_index, b.track_id)
        and np.array_equal(a.keypoints, b.keypoints)
        and np.array_equal(a.scores, b.scores)
        for a, b in zip(first.persons, second.persons, strict=True)
    )


@st.composite
def stretches(draw: st.DrawFn) -> set[int]:
    """Frames of up to three stretches, in a minority of the frames and with right ones between."""
    frames: set[int] = set()
    for third in range(draw(st.integers(1, 3))):
        begin = 2 + 12 * third + draw(st.integers(0, 3))
        frames |= set(range(begin, begin + draw(st.integers(1, 5))))
    return frames


speeds = st.tuples(st.floats(-3, 3), st.floats(-3, 3))


@given(stretches(), speeds, st.floats(0, 3))
def test_exchanged_sides_are_mended_and_right_ones_stay(frames, speed, sway):
    right = video(*walk(0, speed, sway))
    wrong = video(*(p.reordered(FLIP) if p.frame_index in frames else p for p in right.persons))
    mended, doubts = mend_sides(wrong)
    assert same(mended, right)
    assert {frame for doubt in doubts for frame in doubt.frames} == frames
    assert mend_sides(right) == (right, [])


@given(stretches(), speeds, speeds)
def test_exchanged_people_are_mended_and_right_ones_stay(frames, first, second):
    # Vertical speeds only: they never meet.
    people = walk(0, (0, first[1])), walk(1, (0, second[1]))
    right = video(*people[0], *people[1])
    other = {0: people[1], 1: people[0]}
    wrong = video(
        *(
            replace(other[p.track_id][p.frame_index], track_id=p.track_id)
            if p.frame_index in frames
            else p
            for p in right.persons
        )
    )
    mended, doubts = mend_people(wrong)
    assert same(mended, right)
    assert {frame for doubt in doubts for frame in doubt.frames} == frames
    assert mend_people(right) == (right, [])


@pytest.mark.parametrize('frames', [range(30, NUM_FRAMES), range(6), [0], [NUM_FRAMES - 1]])
def test_people_exchanged_at_the_end_of_a_track_are_mended(frames):
    people = walk(0, (0, 1)), walk(1, (0, -1))
    wrong = video(
        *(
            replace(p, track_id=1 - p.track_id) if p.frame_index in frames else p
            for of_frame in zip(*people, strict=True)
            for p in of_frame
        )
    )
    mended, doubts = mend_people(wrong)
    assert [doubt.frames for doubt in doubts] == [tuple(frames)]
    for label in mended.persons:
        right = people[label.track_id][label.frame_index]
        assert label.keypoints.tolist() == right.keypoints.tolist()


def test_distances_from_the_line_with_and_without_an_exchange():
    """Two joints that stand still, 10 pixels apart, on a person of 20 pixels."""
    joints = np.zeros((2, 3, 1, 2))
    joints[1, ..., 0] = 10
    costs = exchanges._line_distances(joints, np.arange(3), np.full(3, 20.0))
    # From their middle it is 5 pixels, from the other joint 10.
    assert costs.tolist() == [[[0, 0], [0, 0]], [[0, 0.25], [0.25, 0.5]], [[0, 0], [0, 0]]]


def doubts_of(first: np.ndarray, second: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Find where two sets of five joints at x, [T] each, are exchanged on people of 100 pixels."""
    joints = np.zeros((2, len(frames), 5, 2))
    joints[..., 0] = np.stack([first, second])[..., None]
    right = np.zeros(len(frames), bool)
    poses = exchanges.TrackPoses(frames, joints[0], np.full(len(frames), 100.0), right)
    return exchanges.exchanged_frames(poses, *joints, exchanges.MIN_JOINTS)


def test_frames_may_be_unevenly_spaced():
    # Constant speeds: on the right path every joint lies on its line, so nothing else would fit.
    frames = np.array([0, 1, 2, 10, 11, 20, 21, 22, 30])
    walkers = np.stack([2.0 * frames, 300 - 3.0 * frames])
    is_exchanged = np.isin(frames, [10, 11, 20])
    first, second = np.where(is_exchanged, walkers[::-1], walkers)
    assert doubts_of(first, second, frames) == pytest.approx(is_exchanged.astype(float))


@pytest.mark.parametrize(('apart', 'is_found'), [(3.5, False), (9, True)])
def test_an_exchange_must_be_clearer_than_how_both_usually_move(apart, is_found):
    """Both jump by 10 pixels in most frames; in a calmer while they may be exchanged once."""
    frames = np.arange(21)
    jumps = np.where(abs(frames - 10) > 3, 5.0 * (-1.0) ** frames, 0)
    first, second = jumps + apart * (frames == 10), jumps + apart * (frames != 10)
    assert (doubts_of(first, second, frames)[10] > 0) == is_found


def test_joints_that_pass_each_other_go_on():
    # The feet change places every ten frames, as of somebody who is seen from the side.
    persons = []
    for person in walk(0, (2, 0)):
        stride = 12 * np.cos(person.frame_index * np.pi / 10)
        keypoints = person.keypoints.copy()
        keypoints[3:, 0] = keypoints[0, 0] + [stride, -stride]
        persons.append(replace(person, keypoints=keypoints))
    assert mend_sides(video(*persons))[1] == []


@pytest.mark.parametrize(('frames', 'joints'), [(range(12, 17), (3, 4)), (range(20, 21), (1, 2))])
def test_a_single_pair_is_mended(frames, joints):
    order = np.arange(5)
    order[[*joints]] = joints[::-1]
    right = video(*walk(0, (2, 0)))
    wrong = video(*(p.reordered(order) if p.frame_index in frames else p for p in right.persons))
    mended, (doubt,) = mend_sides(wrong)
    assert same(mended, right)
    assert (doubt.frames, doubt.joints) == (tuple(frames), joints)


def test_a_pair_that_is_right_among_exchanged_ones_stays():
    six = Skeleton(
        ('head', *(f'{s}_{j}' for j in ('hip', 'knee', 'foot') for s in ('left', 'right')))
    )
    feet_stay = [0, 2, 1, 4, 3, 5, 6]
    standing = np.array([[50, 5], *([50 + side * 12, y] for y in (40, 65, 90) for side in (1, -1))])
    persons = [
        PersonLabel(
            frame, standing + np.array([2 * frame, 0]), [2] * 7, track_id=0, source='propagated'
        )
        for frame in range(NUM_FRAMES)
    ]
    wrong = [p.reordered(feet_stay) if 12 <= p.frame_index < 17 else p for p in persons]
    labels = VideoLabels('clip', six, tuple(map(VideoFrame, range(NUM_FRAMES))), tuple(wrong))
    mended, (doubt,) = mend_sides(labels)
    assert doubt.joints == (1, 2, 3, 4)
    for label, right in zip(mended.persons, persons, strict=True):
        assert label.keypoints.tolist() == right.keypoints.tolist()


@pytest.mark.parametrize(('apart', 'is_mended'), [(1, False), (12, True)])
def test_joints_that_nearly_coincide_are_left_alone(apart, is_mended):
    """An exchange of feet that are a pixel apart, on a person of 80 pixels, changes nothing."""
    persons = []
    for person in walk(0, (2, 0)):
        keypoints = person.keypoints.copy()
        keypoints[3:, 0] = keypoints[0, 0] + [apart, 0]
        exchanged = [0, 1, 2, 4, 3] if 12 <= person.frame_index < 17 else [*range(5)]
        persons.append(replace(person, keypoints=keypoints).reordered(exchanged))
    assert bool(mend_sides(video(*persons))[1]) is is_mended


def test_who_turns_stays_turned():
    turned = (p if p.frame_index < 25 else p.reordered(FLIP) for p in walk(0, (2, 0)))
    assert mend_sides(video(*turned))[1] == []


def test_given_labels_among_propagated_ones_decide():
    persons = [p if 10 <= p.frame_index < 14 else p.reordered(FLIP) for p in walk(0, (2, 0))]
    longer = video(*persons)
    assert {f for d in mend_sides(longer)[1] for f in d.frames} == {10, 11, 12, 13}
    persons[11] = persons[11].with_source('given')
    mended, doubts = mend_sides(video(*persons))
    assert [frame for doubt in doubts for frame in doubt.frames] == [*range(10), *range(14, 40)]
    assert mended.persons[11] is persons[11]
