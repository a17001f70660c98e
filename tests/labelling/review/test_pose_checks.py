"""What may be wrong in the poses of a video."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.review import CarriedPoses, Doubt, apply_proposals, check_poses
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

SKELETON = Skeleton(('head', 'neck', 'hip', 'knee', 'foot'), ((0, 1), (1, 2), (2, 3), (3, 4)))
STANDING = np.array([[50, 10], [50, 30], [50, 50], [54, 70], [50, 90]], float)
"""80 pixels high."""


def walk(track_id: int = 0, num_frames: int = 30) -> list[PersonLabel]:
    """Somebody who goes to the right by a pixel a frame, estimated in every frame."""
    places = ([frame, 0] for frame in range(num_frames))
    return [
        PersonLabel(
            f, np.add(STANDING, at), [2] * 5, track_id, np.full(5, 0.9), source='propagated'
        )
        for f, at in enumerate(places)
    ]


def video(*persons: PersonLabel) -> VideoLabels:
    indices = range(max(person.frame_index for person in persons) + 1)
    return VideoLabels('clip', SKELETON, tuple(map(VideoFrame, indices)), persons)


def check(*persons: PersonLabel, **options) -> list[Doubt]:
    return check_poses(video(*persons), **options)


def carry(labels: list[PersonLabel], pictures: list[np.ndarray]) -> CarriedPoses:
    carried = CarriedPoses(ArrayFrames(pictures))
    for _ in carried.carry(video(*labels).tracks()):
        pass
    return carried


def move(labels: list[PersonLabel], frames, joints, way) -> list[PersonLabel]:
    """Move joints in some frames."""
    labels = list(labels)
    for frame in frames:
        keypoints = labels[frame].keypoints.copy()
        keypoints[joints] += way
        labels[frame] = replace(labels[frame], keypoints=keypoints)
    return labels


def test_right_poses_are_not_doubted():
    assert check(*walk(), size=(200, 100)) == []


@pytest.mark.parametrize(
    # Detours of about 2 * (11 - 1.5) / 80 and 2 * (7 - 1.5) / 80: more and less than 0.15.
    ('frames', 'way', 'found'),
    [
        ([12], (8, 8), True),
        ([12], (5, 5), False),
        ([12, 13, 14], (0, 30), True),
        ([*range(10, 18)], (0, 80), True),
        ([*range(10, 19)], (0, 80), False),
    ],
)
def test_a_joint_that_jumps_there_and_back(frames, way, found):
    doubts = [d for d in check(*move(walk(), frames, [4], way)) if d.reason == 'jump']
    assert [(d.frames, d.joints) for d in doubts] == ([(tuple(frames), (4,))] if found else [])
    for doubt in doubts:
        assert 0.5 < doubt.size < 1
        # The proposal is the line between the frames on both sides; all else stays.
        right = walk()
        for proposal in doubt.proposals:
            expected = right[proposal.frame_index]
            np.testing.assert_allclose(proposal.keypoints, expected.keypoints)
            assert proposal.keypoint_sources.tolist() == expected.keypoint_sources.tolist()


def test_a_fast_straight_way_is_no_jump():
    # From frame 10 on, the foot goes 15 pixels a frame for four frames, and stays there.
    persons = walk()
    for frame in range(10, 30):
        persons = move(persons, [frame], [4], (15 * min(frame - 9, 4), 0))
    assert [d for d in check(*persons) if d.reason == 'jump'] == []


def test_a_pose_of_another_place_is_one_jump():
    (doubt,) = check(*move(walk(), [7], slice(None), (30, 0)))
    assert (doubt.reason, doubt.frames, doubt.joints) == ('jump', (7,), ())
    assert np.allclose(doubt.proposals[0].keypoints, walk()[7].keypoints)


def test_a_limb_that_grows_slowly_is_too_long():
    # The lower leg of 20.4 pixels grows to 28.3, 32.2 and back; 1.4 times as much is 28.6.
    persons = walk(num_frames=120)
    for frame, way in enumerate([4, 8, 12, 8, 4], 50):
        persons = move(persons, [frame], [4], (0, way))
    (doubt,) = check(*persons)
    assert (doubt.reason, doubt.frames, doubt.joints) == ('long limb', (52,), (3, 4))
    # Lengths are shares of the size, which is smoothed over nine frames: 80 pixels, here 84.
    ratio = np.hypot(4, 32) / 84 / (1.4 * np.hypot(4, 20) / 80)
    assert doubt.size == pytest.approx(1 - 0.5 / ratio)


def test_a_joint_that_others_have_is_missing():
    persons = walk()
    for frame in (5, 6):
        persons[frame] = replace(persons[frame], visibility=[2, 2, 2, 0, 2])
    (doubt,) = check(*persons)
    assert (doubt.reason, doubt.frames, doubt.joints) == ('missing', (5, 6), (3,))
    assert doubt.proposals[0].visibility.tolist() == [2] * 5
    np.testing.assert_allclose(doubt.proposals[0].keypoints[3], STANDING[3] + [5, 0])


def test_joints_at_the_ends_of_a_track_or_rare_ones_are_not_missing():
    persons = walk()
    for frame in (0, 1, 28, 29):
        persons[frame] = replace(persons[frame], visibility=[2, 2, 2, 0, 2])
    for frame in range(3, 27, 2):
        persons[frame] = replace(persons[frame], visibility=[2, 2, 0, 2, 2])
    assert check(*persons) == []


def test_one_person_twice_outside_and_unsure():
    persons = walk()
    persons[3] = replace(persons[3], scores=np.array([0.9, 0.1, 0.9, 0.9, 0.9]))
    doubts = check(*persons, *walk(4)[10:12], size=(78, 100))
    described = {(d.reason, d.track_id, d.other_id, d.joints, d.frames) for d in doubts}
    assert ('doubled', 4, 0, (), (10, 11)) in described
    assert ('low score', 0, None, (1,), (3,)) in described
    # The knee is at x = 54 + frame, the last column of pixels at 77.
    outside = sorted(d.frames[0] for d in doubts if d.reason == 'outside' and d.joints == (3,))
    assert outside == [24, 25, 26, 27, 28, 29]
    assert [d.size for d in doubts] == sorted((d.size for d in doubts), reverse=True)


def test_given_labels_have_no_low_scores():
    given = replace(walk()[3], scores=np.zeros(5)).with_source('given')
    persons = walk()
    persons[3] = given
    assert check(*persons) == []


def test_a_joint_that_moves_unlike_the_picture():
    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 255, (30, 80), np.uint8), (320, 120))
    pictures = [cv2.cvtColor(np.roll(texture, f, axis=1), cv2.COLOR_GRAY2BGR) for f in range(12)]
    # The knee swings by 24 pixels where the picture goes on, too smoothly for a jump.
    persons = walk()[:12]
    for frame in range(12):
        persons = move(persons, [frame], [3], (14 * frame % 56, 0))
    doubts = check(*persons, carried=carry(persons, pictures))
    unlike = {frame for d in doubts if d.reason == 'unlike flow' for frame in d.frames}
    assert {d.joints for d in doubts if d.reason == 'unlike flow'} == {(3,)}
    # One of these, as a label from which the others are propagated, is right.
    given = min(unlike)
    persons[given] = persons[given].with_source('given')
    doubts = check(*persons, carried=carry(persons, pictures))
    remaining = {frame for d in doubts if d.reason == 'unlike flow' for frame in d.frames}
    assert remaining == unlike - {given}


def test_accepted_proposals_change_nothing_else():
    persons = move(walk(), [12], [4], (0, 40))
    labels = video(*persons)
    mended = apply_proposals(labels, check_poses(labels))
    changed = [n for n, p in enumerate(mended.persons) if p is not labels.persons[n]]
    assert changed == [12]
    assert mended.persons[12].keypoints[:4].tolist() == persons[12].keypoints[:4].tolist()
    assert mended.persons[12].scores.tolist() == persons[12].scores.tolist()
