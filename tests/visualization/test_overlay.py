from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import combinations

import cv2
import numpy as np
import pytest

from stdpose_mm.io.video import open_frames, presentation_times, write_video
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.visualization import draw_people, track_color, write_overlay
from stdpose_mm.visualization import overlay as overlay_module
from stdpose_mm.visualization.colors import DARK_COLOR, DOUBT_COLOR, GIVEN_COLOR, SIDE_COLORS, bgr
from support.video_files import make_talkie

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


def color_at(picture, x, y):
    return tuple(picture[y, x].tolist())


def tags_of(monkeypatch, persons, skeleton=SKELETON, picture=BLACK, frame_index=None):
    """(text, left, top, right, bottom) of everything written."""
    found = []
    write = overlay_module._Tags.write

    def note(self, text, corner, scale, color):
        is_written = write(self, text, corner, scale, color)
        if is_written:
            width, height, _, _ = overlay_module._text_size(text, scale)
            left, top = round(corner[0]), round(corner[1])
            found.append((text, left, top, left + width, top + height))
        return is_written

    monkeypatch.setattr(overlay_module._Tags, 'write', note)
    draw_people(picture, persons, skeleton, frame_index)
    return found


def test_the_picture_that_is_drawn_on_is_not_changed():
    draw_people(BLACK, [person()], SKELETON, 5)
    assert not BLACK.any()


@pytest.mark.parametrize(
    ('keypoints', 'limbs', 'sides'),
    [
        (POSE, SKELETON.limbs, {(50, 60): 'left', (70, 60): 'right'}),
        (POSE[[0, 2, 1]], SKELETON.limbs, {(50, 60): 'right', (70, 60): 'left'}),
        (POSE, ((1, 2),), {(60, 80): 'middle'}),
    ],
    ids=['as labelled', 'swapped', 'from left to right'],
)
def test_limbs_have_the_colour_of_their_side(keypoints, limbs, sides):
    skeleton = Skeleton(SKELETON.keypoint_names, limbs)
    picture = draw_people(BLACK, [person('given', keypoints=keypoints)], skeleton)
    for place, side in sides.items():
        assert color_at(picture, *place) == bgr(SIDE_COLORS[side])


@pytest.mark.parametrize(
    'simulated',
    [
        # Protanopia, deuteranopia and tritanopia, Machado et al. (2009), severity 1.
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ],
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ],
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ],
        [[0.2126, 0.7152, 0.0722]] * 3,
    ],
    ids=['protanopia', 'deuteranopia', 'tritanopia', 'grey'],
)
def test_colours_differ_for_the_colour_blind_too(simulated):
    def seen(color):
        """L*a*b* of a colour."""
        linear = (np.array(bgr(color)[::-1]) / 255) ** 2.2
        rgb = np.clip(np.array(simulated) @ linear, 0, 1) ** (1 / 2.2)
        return cv2.cvtColor(np.float32(rgb)[None, None], cv2.COLOR_RGB2LAB)[0, 0]

    colors = [seen(color) for color in (*SIDE_COLORS.values(), DARK_COLOR)]
    apart = [np.linalg.norm(a - b) for a, b in combinations(colors, 2)]
    assert min(apart) > 15


def test_tags_have_colours_that_differ_between_tracks():
    assert len({track_color(n) for n in range(20)}) == 20


def test_propagated_limbs_are_dashed_where_a_joint_is_in_doubt():
    sure = draw_people(BLACK, [person(score=0.5)], SKELETON)
    doubtful = draw_people(BLACK, [person(score=0.49)], SKELETON)
    along = [(60 - 20 * t, 40 + 40 * t) for t in np.linspace(0.2, 0.8, 40)]
    assert all(brightness(sure, round(x), round(y)) > 150 for x, y in along)
    dark = sum(brightness(doubtful, round(x), round(y)) < 60 for x, y in along)
    assert 5 < dark < 35


LARGE = np.full((480, 640, 3), 100, np.uint8)


def test_given_propagated_and_doubtful_joints_look_different():
    lone = Skeleton(SKELETON.keypoint_names)
    mixed = PersonLabel(
        0,
        POSE * 4,
        np.array([2, 2, 2]),
        scores=np.array([1.0, 0.9, 0.2]),
        keypoint_sources=np.array(['given', 'propagated', 'propagated']),
    )
    picture = draw_people(LARGE, [mixed], lone)
    assert color_at(picture, 240, 160) == bgr(SIDE_COLORS['middle'])
    assert color_at(picture, 160, 320) == bgr(DARK_COLOR)
    assert color_at(picture, 320, 320) == bgr(DOUBT_COLOR)
    blue, _, red = picture[310:330, 150:170].astype(int).reshape(-1, 3).T
    assert (blue - red).max() > 60


def test_a_given_joint_is_not_in_doubt_whatever_its_score():
    lone = Skeleton(SKELETON.keypoint_names)
    picture = draw_people(LARGE, [person('given', score=0.0, keypoints=POSE * 4)], lone)
    assert color_at(picture, 240, 160) == bgr(SIDE_COLORS['middle'])


def test_lines_are_wider_on_larger_people_and_in_larger_pictures():
    def width(picture, keypoints):
        drawn = draw_people(picture, [person(keypoints=keypoints, track_id=None)], SKELETON)
        row = round((keypoints[0, 1] + keypoints[1, 1]) / 2)
        return int((drawn[row, :] != picture[row, :]).any(axis=1).sum()) / 2

    small, large = (np.full((size, size, 3), 100, np.uint8) for size in (640, 2560))
    assert width(small, POSE * 7) > width(small, POSE)
    assert width(large, POSE * 7) >= width(small, POSE * 7)
    assert width(large, POSE) > width(small, POSE)


def test_tags_do_not_cover_each_other_nor_joints(monkeypatch):
    rng = np.random.default_rng(0)
    crowd = [
        person(keypoints=POSE * 0.7 + rng.uniform((-20, -20), (560, 300)), track_id=n)
        for n in range(200)
    ]
    picture = np.zeros((360, 640, 3), np.uint8)
    tags = tags_of(monkeypatch, crowd, picture=picture, frame_index=3)
    assert len(tags) > 40
    for one, other in combinations(tags, 2):
        apart_x = one[3] <= other[1] or other[3] <= one[1]
        apart_y = one[4] <= other[2] or other[4] <= one[2]
        assert apart_x or apart_y
    joints = np.concatenate([p.keypoints for p in crowd])
    for text, left, top, right, bottom in tags:
        inside = (joints > (left, top)) & (joints < (right - 1, bottom - 1))
        assert text in ('frame 3', 'left', 'right') or not inside.all(axis=1).any()


def test_who_fills_the_picture_is_named_in_it(monkeypatch):
    close = person(keypoints=np.array([[80.0, -40], [-60, 140], [220, 140]]))
    assert [tag[0] for tag in tags_of(monkeypatch, [close])] == ['1']


def test_where_there_is_no_room_the_larger_person_is_named(monkeypatch):
    large, small = person(track_id=7), person(track_id=8, keypoints=POSE * 0.25 + 48)
    tags = tags_of(monkeypatch, [small, large], picture=np.zeros((100, 90, 3), np.uint8))
    assert tags[0][0] == '7'


@pytest.mark.parametrize(
    ('skeleton', 'texts'),
    [(SKELETON, ['frame 12', 'left', 'right']), (Skeleton(('head', 'tail')), ['frame 12'])],
)
def test_the_corner_says_which_colour_is_which_side(monkeypatch, skeleton, texts):
    tags = tags_of(monkeypatch, [], skeleton, LARGE, frame_index=12)
    assert [tag[0] for tag in tags] == texts


def test_tags_say_given_only_of_poses_that_are_given_throughout(monkeypatch):
    mixed = PersonLabel(
        0,
        POSE * 4,
        np.array([2, 2, 2]),
        track_id=2,
        keypoint_sources=np.array(['given', 'propagated', 'propagated']),
    )
    whole = person('given', keypoints=POSE * 4 + (240, 0))
    texts = {tag[0] for tag in tags_of(monkeypatch, [mixed, whole], picture=LARGE)}
    assert texts == {'2', '1 given'}


def test_given_frames_have_a_border_and_others_none():
    given = draw_people(BLACK, [person('given')], SKELETON, 5)
    propagated = draw_people(BLACK, [person()], SKELETON, 5)
    assert color_at(given, 80, 119) == bgr(GIVEN_COLOR)
    assert not propagated[119].any()


def test_boxes_are_drawn_if_asked_for_in_the_colour_of_the_track():
    boxed = replace(person(track_id=3), bbox=np.array([30.0, 30, 60, 70]))
    without = draw_people(BLACK, [boxed], SKELETON)
    drawn = draw_people(BLACK, [boxed], SKELETON, boxes=True)
    edges = [(30, 90), (90, 95), (45, 100), (85, 100)]
    assert {color_at(drawn, *edge) for edge in edges} == {bgr(track_color(3))}
    assert {color_at(without, *edge) for edge in edges} == {(0, 0, 0)}
    # The pose lies above it.
    assert color_at(drawn, 50, 60) == color_at(without, 50, 60)


def test_who_has_no_box_gets_none():
    plain = draw_people(BLACK, [person()], SKELETON)
    np.testing.assert_array_equal(draw_people(BLACK, [person()], SKELETON, boxes=True), plain)


def test_joints_without_a_label_and_their_limbs_are_left_out():
    picture = draw_people(BLACK, [person('given', visibility=(2, 0, 2))], SKELETON)
    assert brightness(picture, 50, 60) == 0
    assert color_at(picture, 70, 60) == bgr(SIDE_COLORS['right'])


@pytest.mark.parametrize(
    'unseen',
    [person(keypoints=POSE + 5000), person('absent', visibility=(0, 0, 0))],
    ids=['outside', 'absent'],
)
def test_people_outside_the_picture_and_absent_ones_are_not_drawn(unseen):
    assert not draw_people(BLACK, [unseen], SKELETON).any()


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


def test_the_overlay_keeps_varying_times_and_the_sound(tmp_path):
    times = [0, 40, 60, 140, 150, 300, 700, 720]
    source = open_frames(make_talkie(tmp_path / 'source.mp4', times))
    labels = VideoLabels('clip', SKELETON, tuple(VideoFrame(n) for n in range(8)))
    write_overlay(tmp_path / 'overlay.mp4', source, labels)
    overlay = open_frames(tmp_path / 'overlay.mp4')
    assert presentation_times(overlay) == [Fraction(time, 1000) for time in times]
    assert overlay.audio_path is not None
