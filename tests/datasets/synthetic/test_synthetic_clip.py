"""Clips: the same seed gives the same clip; labels say what the pictures show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.datasets.synthetic import ClipSettings, SyntheticClip, generate_clip
from stdpose_mm.datasets.synthetic.appearance import Appearance, sample_appearance
from stdpose_mm.datasets.synthetic.body import (
    ANGLE_INDEX,
    ANGLES,
    POINT_INDEX,
    BodyShape,
    limit_angles,
    pose_body,
)
from stdpose_mm.datasets.synthetic.render import (
    JOINTS,
    Layer,
    PersonGeometry,
    build_geometry,
    draw_object_layer,
    draw_person,
    hidden_by_own_body,
)
from stdpose_mm.structures import POSETRACK_SKELETON

pytestmark = pytest.mark.slow

SMALL = ClipSettings(frames=4, width=96, height=72)
SIZE = 320


@pytest.fixture(scope='module')
def clips() -> list[SyntheticClip]:
    return [generate_clip([3, i], SMALL) for i in range(8)]


def person(angles: np.ndarray, looks: Appearance | None = None) -> PersonGeometry:
    """An average person in the middle of the picture, 100 px per metre, no tilt."""
    shape = BodyShape.sample(np.random.default_rng(0))
    looks = looks or sample_appearance(np.random.default_rng(1), np.ones(3, np.float32))
    body = pose_body(shape, angles)
    points = np.stack(
        [SIZE / 2 + 100 * body.points[..., 0], 260 - 100 * body.points[..., 1]], axis=-1
    )
    scale = np.full(len(angles), 100.0)
    return build_geometry(shape, looks, points, -body.points[..., 2], scale, body.trunk, body.head)


def turned(**degrees: float) -> PersonGeometry:
    angles = np.zeros((1, len(ANGLES)))
    for name, value in degrees.items():
        angles[0, ANGLE_INDEX[name]] = np.radians(value)
    return person(angles)


def drawn(geometry: PersonGeometry, sample: int = 0) -> Layer:
    layer = draw_person(geometry, [sample], SIZE, SIZE)
    assert layer is not None
    return layer


def hidden(geometry: PersonGeometry) -> set[str]:
    flags = hidden_by_own_body(geometry, 0, drawn(geometry))
    return {joint for joint, flag in zip(JOINTS, flags, strict=True) if flag}


def test_same_seed_gives_the_same_clip_byte_for_byte():
    first, second = generate_clip([1, 2], SMALL), generate_clip([1, 2], SMALL)
    np.testing.assert_array_equal(first.frames, second.frames)
    for a, b in zip(first.labels.persons, second.labels.persons, strict=True):
        np.testing.assert_array_equal(a.keypoints, b.keypoints)
        np.testing.assert_array_equal(a.visibility, b.visibility)


def test_generating_leaves_the_global_random_state_alone():
    np.random.seed(0)
    before = np.random.random()
    np.random.seed(0)
    generate_clip(0, SMALL)
    assert np.random.random() == before


def test_number_of_people_is_as_asked_for():
    settings = replace(SMALL, people=(2, 3))
    counts = {len(generate_clip(i, settings).labels.track_ids) for i in range(6)}
    assert counts == {2, 3}


def test_ears_are_never_labelled(clips):
    ears = [POSETRACK_SKELETON.index_of(f'{side}_ear') for side in ('left', 'right')]
    for clip in clips:
        for label in clip.labels.persons:
            assert not label.visibility[ears].any()


def test_labelled_joints_lie_inside_the_picture(clips):
    for clip in clips:
        for label in clip.labels.persons:
            places = label.keypoints[label.labelled]
            assert len(places)
            assert (places >= 0).all()
            assert (places <= (95, 71)).all()


def test_person_box_holds_the_labelled_joints_and_stays_in_the_picture(clips):
    for clip in clips:
        for label in clip.labels.persons:
            x, y, w, h = label.bbox
            places = label.keypoints[label.labelled]
            assert (places >= (x, y)).all()
            assert (places <= (x + w + 0.01, y + h + 0.01)).all()
            assert min(x, y) >= 0
            assert x + w <= 95.01
            assert y + h <= 71.01


def test_head_box_surrounds_the_head():
    for label in generate_clip(4, ClipSettings(frames=4)).labels.persons:
        x, y, w, h = label.head_box
        nose, head_top = label.keypoints[0], label.keypoints[2]
        for place, exists in ((nose, label.visibility[0]), (head_top, label.visibility[2])):
            if exists:
                assert x - 0.2 * w <= place[0] <= x + 1.2 * w
                assert y - 0.2 * h <= place[1] <= y + 1.2 * h


def test_nose_shows_from_the_front_and_not_from_behind():
    assert 'nose' not in hidden(turned(turn=0))
    assert 'nose' in hidden(turned(turn=180))


def test_nothing_is_hidden_with_arms_spread_in_front_view():
    assert hidden(turned(left_shoulder_abduct=30, right_shoulder_abduct=30)) == set()


@pytest.mark.parametrize(('turn', 'near', 'far'), [(90, 'right', 'left'), (-90, 'left', 'right')])
def test_trunk_hides_the_far_shoulder_from_the_side(turn, near, far):
    found = hidden(turned(turn=turn))
    assert f'{far}_shoulder' in found
    assert f'{near}_shoulder' not in found


def test_hand_behind_the_back_is_hidden_from_the_front_only():
    pose = dict(right_shoulder_flex=-45, right_elbow=90, right_shoulder_rotate=-80)
    assert 'right_wrist' in hidden(turned(**pose))
    assert 'right_wrist' not in hidden(turned(turn=180, **pose))


def test_visible_wrists_show_the_arms_colour():
    """The flag agrees with the colour of the pixel: the arm's own, or that of the rest."""
    rng = np.random.default_rng(7)
    angles = limit_angles(rng.uniform(-1.0, 1.7, (75, len(ANGLES))))
    angles[:, ANGLE_INDEX['turn']] = rng.uniform(-np.pi, np.pi, len(angles))
    looks = sample_appearance(rng, np.ones(3, np.float32))
    blue, red = np.array((255, 0, 0, 255), np.uint8), np.array((0, 0, 255, 255), np.uint8)
    arm = ('left_forearm', 'left_hand')
    looks = replace(
        looks,
        limbs={
            name: np.broadcast_to(red if name in arm else blue, texture.shape).copy()
            for name, texture in looks.limbs.items()
        },
        trunk=np.broadcast_to(blue, looks.trunk.shape).copy(),
        head=np.broadcast_to(blue, looks.head.shape).copy(),
    )
    geometry = person(angles, looks)
    wrist = POINT_INDEX['left_wrist']
    agree, seen = [], []
    for sample in range(len(angles)):
        layer = drawn(geometry, sample)
        x, y = np.rint(geometry.points[sample, wrist]).astype(int)
        pixel = layer.image[y - layer.origin[1], x - layer.origin[0]]
        shows = pixel[2] > pixel[0]
        flag = not hidden_by_own_body(geometry, sample, layer)[JOINTS.index('left_wrist')]
        agree.append(flag == shows)
        seen.append(shows)
    assert 0.1 < np.mean(seen) < 0.98
    assert np.mean(agree) > 0.93


def test_object_covers_exactly_its_place():
    texture = np.zeros((10, 20, 4), np.float32)
    texture[:, :, 3] = 1
    matrix = np.array([[[1.0, 0, 30], [0, 1, 40]]])
    layer = draw_object_layer(texture, matrix, 100, 100)
    assert layer is not None
    assert layer.cover_at(30, 40) > 0
    assert layer.cover_at(49, 49) > 0
    assert layer.cover_at(29, 45) == 0
    assert layer.cover_at(40, 50) == 0


def test_painting_blends_by_alpha():
    image = np.full((2, 2, 4), (50, 25, 0, 0.5), np.float32)
    frame = np.full((4, 4, 3), 100, np.float32)
    Layer((1, 1), image, np.ones((2, 2), np.uint8)).paint(frame)
    assert frame[1, 1].tolist() == [100, 75, 50]
    assert frame[0, 0].tolist() == [100, 100, 100]


def test_motion_blur_softens_outlines_and_keeps_the_cover_of_mid_exposure():
    geometry = person(np.zeros((3, len(ANGLES))))
    move = np.array([-8.0, 0, 8])[:, None, None] * (1, 0)
    moving = replace(
        geometry,
        outlines=geometry.outlines + move[:, None],
        trunk_circles=geometry.trunk_circles + move,
        head_outline=geometry.head_outline + move,
        bounds=geometry.bounds + move[:, 0] @ np.array([(1, 0, 1, 0), (0, 0, 0, 0)]),
    )
    blurred = draw_person(moving, [0, 1, 2], SIZE, SIZE)
    still = drawn(geometry)
    assert blurred is not None
    for joint in ('left_ankle', 'head', 'right_wrist'):
        place = geometry.points[1, POINT_INDEX[joint]]
        assert blurred.cover_at(*place) == still.cover_at(*place)

    def partly_covered(layer: Layer) -> int:
        alpha = layer.image[..., 3]
        return int(((alpha > 0.2) & (alpha < 0.8)).sum())

    assert partly_covered(blurred) > 3 * partly_covered(still)
