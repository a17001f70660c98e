from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.io.video import open_frames, write_video
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.visualization import draw_people, track_color, write_overlay
from stdpose_mm.visualization.overlay import GIVEN_COLOR

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))
POSE = np.array([[60, 40], [40, 80], [80, 80]], float)
BLACK = np.zeros((120, 160, 3), np.uint8)


def person(source='propagated', score=1.0, visibility=(2, 2, 2), keypoints=POSE, track_id=1):
    return PersonLabel(
        5,
        keypoints,
        np.array(visibility),
        track_id=track_id,
        scores=np.full(3, score),
        source=source,
    )


def brightness(picture, x, y):
    return int(picture[y, x].max())


def test_the_picture_that_is_drawn_on_is_not_changed():
    draw_people(BLACK, [person()], SKELETON, 5)
    assert not BLACK.any()


def test_limbs_have_the_colour_of_the_track():
    picture = draw_people(BLACK, [person('given')], SKELETON)
    assert tuple(picture[60, 50].tolist()) == track_color(1)


def test_colours_differ_between_tracks():
    assert len({track_color(n) for n in range(20)}) == 20


def test_propagated_limbs_fade_with_their_score_and_never_vanish():
    shown = [
        brightness(draw_people(BLACK, [person(score=score)], SKELETON), 50, 60)
        for score in (1.0, 0.5, 0.0)
    ]
    assert shown[0] == 255
    assert shown[1] == pytest.approx(128, abs=2)
    assert 0 < shown[2] < shown[1]


def test_given_joints_are_filled_and_propagated_ones_are_rings():
    lone = Skeleton(SKELETON.keypoint_names)
    large = np.zeros((480, 640, 3), np.uint8)
    pose = POSE * 4
    given = draw_people(large, [person('given', keypoints=pose)], lone)
    propagated = draw_people(large, [person(keypoints=pose)], lone)
    assert brightness(given, 160, 320) == 255
    assert brightness(propagated, 160, 320) == 0
    assert brightness(propagated, 164, 320) > 0


def test_given_frames_have_a_border_and_others_none():
    given = draw_people(BLACK, [person('given')], SKELETON, 5)
    propagated = draw_people(BLACK, [person()], SKELETON, 5)
    assert tuple(given[119, 80].tolist()) == GIVEN_COLOR
    assert not propagated[119].any()


def test_joints_without_a_label_and_their_limbs_are_left_out():
    picture = draw_people(BLACK, [person('given', visibility=(2, 0, 2))], SKELETON)
    assert brightness(picture, 50, 60) == 0
    assert brightness(picture, 70, 60) == 255


def test_people_outside_the_picture_do_no_harm():
    far = person(keypoints=POSE + 5000)
    assert not draw_people(BLACK, [far], SKELETON).any()


def test_the_overlay_video_has_every_frame_also_those_without_people(tmp_path):
    source = tmp_path / 'source.mp4'
    write_video(source, [BLACK] * 8, fps=10)
    labels = VideoLabels(
        'clip', SKELETON, tuple(VideoFrame(n) for n in range(8)), (person('given'),)
    )
    out = tmp_path / 'overlay.mp4'
    write_overlay(out, open_frames(source), labels)
    frames = open_frames(out)
    assert len(frames) == 8
    assert frames.fps == 10
    people = [bool(frames[n][40:80, 40:80].max() > 100) for n in range(8)]
    assert people == [n == 5 for n in range(8)]


def test_absent_people_are_not_drawn():
    gone = person('absent', visibility=(0, 0, 0))
    assert not draw_people(BLACK, [gone], SKELETON).any()
