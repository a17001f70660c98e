"""Crops that a network learns from."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from stdpose_mm.labelling.evidence.network_description import NetworkDescription
from stdpose_mm.labelling.learning.pose_crops import (
    CropSampler,
    choose_input_size,
    cut_patch,
    interpolate_labels,
    subjects_turn,
)
from stdpose_mm.structures import PersonLabel
from support.coloured_dots import COLOURS, NAMES, SKELETON, dots_label, dots_video, pose_at

NO_PRIOR = np.full((3, 2), np.nan)
DESCRIPTION = NetworkDescription(
    NAMES,
    input_size=(64, 48),
    mean=(128.0,) * 3,
    std=(64.0,) * 3,
    colours='bgr',
    padding=1.1,
    geometry='centre',
)


def colour_at(crop: np.ndarray, place: np.ndarray) -> int:
    """Name the dot at a place of a crop [3, h, w] by its number, from its strongest channel."""
    x, y = place.round().astype(int)
    return [int(np.argmax(colour)) for colour in COLOURS].index(int(crop[:, y, x].argmax()))


def test_joints_lie_on_their_dots_whatever_is_changed() -> None:
    """Turned, scaled, moved and mirrored: the picture and the joints go together."""
    patch = cut_patch(dots_video(1)[0], dots_label(0), pose_at(0), DESCRIPTION, 0)
    sampler = CropSampler([patch], DESCRIPTION, SKELETON, turns=True, seed=0)
    crops, keypoints, _ = sampler.draw(64)
    assert crops.shape == (64, 3, 48, 64)
    mirrored = []
    for crop, places in zip(crops, keypoints, strict=True):
        shown = ((places > 1) & (places < (62, 46))).all(axis=1)
        found = [colour_at(crop, place) for place in places[shown]]
        expected = np.flatnonzero(shown).tolist()
        swapped = [(0, 2, 1)[joint] for joint in expected]
        assert found in (expected, swapped)
        if expected != swapped:
            mirrored.append(found == swapped)
    assert 10 < sum(mirrored) < len(mirrored) - 10


def test_a_skeleton_without_sides_is_not_mirrored() -> None:
    from stdpose_mm.structures import Skeleton

    patch = cut_patch(dots_video(1)[0], dots_label(0), pose_at(0), DESCRIPTION, 0)
    sampler = CropSampler([patch], DESCRIPTION, Skeleton(('a', 'b', 'c')), turns=False, seed=0)
    _, keypoints, _ = sampler.draw(32)
    edges = keypoints[:, 1:] - keypoints[:, :1]
    # Mirroring alone changes the sense of rotation from one edge to the other.
    assert len({*np.sign(np.cross(edges[:, 0], edges[:, 1])).tolist()}) == 1


def test_a_patch_shows_the_label_at_the_scale_of_the_crops() -> None:
    """By hand: the box is the pose with 15 % around it, times 1.1, in 64x48 pixels."""
    pose = pose_at(0)
    patch = cut_patch(dots_video(1)[0], dots_label(0), pose_at(0), DESCRIPTION, 0)
    assert patch.picture.shape == (72, 96, 3)
    width, height = np.ptp(pose, axis=0) * 1.3
    scale = 64 / (1.1 * max(width, height * 64 / 48))
    sides = np.linalg.norm(np.diff(patch.keypoints, axis=0), axis=1)
    np.testing.assert_allclose(sides, scale * np.linalg.norm(np.diff(pose, axis=0), axis=1))


def test_few_joints_are_not_seen_larger_than_a_pose() -> None:
    label = dots_label(0)
    one = label.__class__(0, label.keypoints, [2, 0, 0], 0)
    patch = cut_patch(dots_video(1)[0], one, NO_PRIOR, DESCRIPTION, least_side=40)
    np.testing.assert_allclose(patch.keypoints[0], (47.5, 35.5))
    assert np.isnan(patch.keypoints[1:]).all()


def test_the_prior_goes_with_the_joints_and_lies_between_them_and_the_interpolated_ones() -> None:
    """It is the pose 10 pixels to the right, or a pose nearer to the label, or missing."""
    label = dots_label(0)
    patch = cut_patch(dots_video(1)[0], label, pose_at(0) + np.array([10, 0]), DESCRIPTION, 0)
    sampler = CropSampler([patch], DESCRIPTION, SKELETON, turns=True, seed=0)
    _, keypoints, prior = sampler.draw(200)
    assert 40 < np.isnan(prior).all(axis=(1, 2)).sum() < 100
    known = ~np.isnan(prior[:, 0, 0])
    # The size of the pose in the crop measures how far 10 pixels are there.
    scale = np.linalg.norm(keypoints[:, 1] - keypoints[:, 0], axis=-1)
    scale /= np.linalg.norm(pose_at(0)[1] - pose_at(0)[0])
    lengths = {
        joint: np.linalg.norm(prior - keypoints, axis=-1)[known, joint] / scale[known]
        for joint in (1, 2)
    }
    directions = (prior - keypoints)[known]
    for joint, length in lengths.items():
        assert (length < 20).all(), joint
        assert np.ptp(length) > 8
    unit = directions / np.linalg.norm(directions, axis=-1, keepdims=True)
    np.testing.assert_allclose(unit[:, 1], unit[:, 2], atol=1e-3)


def test_the_labels_of_a_track_are_interpolated_between_the_others_by_hand() -> None:
    """The hand is labelled in frames 0 and 8 only, the head in all but 8, the tail in one."""
    visible = {0: (2, 2, 0), 2: (2, 0, 0), 6: (2, 0, 2), 8: (0, 2, 0)}
    places = {0: 0, 2: 10, 6: 50, 8: 80}
    labels = [
        PersonLabel(frame, np.full((3, 2), places[frame]), np.array(visible[frame]), 0)
        for frame in places
    ]
    expected = [[10, 80, 50], [50 / 3, 20, 50], [10, 60, np.nan], [50, 0, 50]]
    np.testing.assert_allclose(interpolate_labels(labels)[..., 0], expected)


def poses_in_directions(number: int, spread: float) -> np.ndarray:
    """Place one shape of seven joints, with noise, at angles of -spread to spread degrees."""
    random = np.random.default_rng(0)
    shape = random.normal(size=(7, 2)) * 20
    angles = np.deg2rad(random.uniform(-spread, spread, number))
    turn = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]])
    noise, shift = random.normal(size=(number, 7, 2)), random.uniform(0, 500, (number, 1, 2))
    return np.einsum('nkc,dcn->nkd', shape + noise, turn) + shift


@pytest.mark.parametrize(('spread', 'turns'), [(20, False), (180, True)])
def test_whether_subjects_turn_is_told_by_the_labels(spread: float, turns: bool) -> None:
    poses = poses_in_directions(40, spread)
    poses[3][2] = np.nan
    assert subjects_turn(poses) is turns


def test_the_labels_that_tell_whether_subjects_turn_may_be_many() -> None:
    """All pairs of 20,000 poses would take 6.4 GB; ten copies of the labels are 22 MB."""
    poses = poses_in_directions(20_000, 20)
    tracemalloc.start()
    try:
        assert subjects_turn(poses) is False
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * poses.nbytes


@pytest.mark.parametrize(
    ('extent', 'turns', 'size'),
    [
        ((60, 90), False, (96, 144)),  # 60 * 1.3 * 1.1 = 85.8 -> 96; 90 * 1.43 = 128.7 -> 144
        ((60, 90), True, (144, 144)),
        ((300, 600), False, (96, 192)),  # reduced to the longest side
        ((5, 8), False, (48, 48)),
        ((10, 100), False, (80, 144)),  # not narrower than half of its height
    ],
)
def test_the_size_of_crops(extent: tuple[float, float], turns: bool, size: tuple[int, int]) -> None:
    assert choose_input_size(np.array([extent, extent], float), turns) == size
