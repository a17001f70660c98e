"""Crops that a network learns from."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.pose_networks.network_description import NetworkDescription
from stdpose_mm.training.pose_crops import (
    CropSampler,
    choose_input_size,
    cut_patch,
    interpolate,
    subjects_turn,
)
from support.coloured_dots import COLOURS, NAMES, SKELETON, dots_label, dots_video, pose_at

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
    patch = cut_patch(dots_video(1)[0], dots_label(0), DESCRIPTION, 0)
    sampler = CropSampler([patch], DESCRIPTION, SKELETON, turns=True, seed=0)
    batch = sampler.draw(64)
    crops, keypoints = batch.crops, batch.keypoints
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

    patch = cut_patch(dots_video(1)[0], dots_label(0), DESCRIPTION, 0)
    sampler = CropSampler([patch], DESCRIPTION, Skeleton(('a', 'b', 'c')), turns=False, seed=0)
    keypoints = sampler.draw(32).keypoints
    edges = keypoints[:, 1:] - keypoints[:, :1]
    # Mirroring alone changes the sense of rotation from one edge to the other.
    assert len({*np.sign(np.cross(edges[:, 0], edges[:, 1])).tolist()}) == 1


def test_a_patch_shows_the_label_at_the_scale_of_the_crops() -> None:
    """By hand: the box is the pose with 15 % around it, times 1.1, in 64x48 pixels."""
    pose = pose_at(0)
    patch = cut_patch(dots_video(1)[0], dots_label(0), DESCRIPTION, 0)
    assert patch.picture.shape == (72, 96, 3)
    width, height = np.ptp(pose, axis=0) * 1.3
    scale = 64 / (1.1 * max(width, height * 64 / 48))
    sides = np.linalg.norm(np.diff(patch.keypoints, axis=0), axis=1)
    np.testing.assert_allclose(sides, scale * np.linalg.norm(np.diff(pose, axis=0), axis=1))


def test_few_joints_are_not_seen_larger_than_a_pose() -> None:
    label = dots_label(0)
    one = label.__class__(0, label.keypoints, [2, 0, 0], 0)
    patch = cut_patch(dots_video(1)[0], one, DESCRIPTION, least_side=40)
    np.testing.assert_allclose(patch.keypoints[0], (47.5, 35.5))
    assert np.isnan(patch.keypoints[1:]).all()


def test_crops_are_drawn_with_the_labels_before_and_after_them_on_their_track() -> None:
    """The head tells the frame of a crop: its shade is the frame, and that of the other track 9."""
    patches = []
    for track, frames in ((0, (8, 0, 4)), (1, (9,))):
        for frame in frames:
            picture = np.full((120, 160, 3), 20 * frame, np.uint8)
            label = replace(dots_label(frame), track_id=track)
            patches.append(cut_patch(picture, label, DESCRIPTION, 0))
    bright = replace(DESCRIPTION, mean=(0.0,) * 3, std=(20.0,) * 3)
    sampler = CropSampler(patches, bright, SKELETON, turns=False, seed=0)
    pairs = set()
    for _ in range(20):
        batch = sampler.draw(16)
        assert ((batch.weights.sum(axis=1) < 1e-6) | (batch.weights.sum(axis=1) > 0.999)).all()
        shades = np.median(batch.crops, axis=(1, 2, 3))
        for row, (before, after) in enumerate(batch.neighbours):
            for side, other in ((-1, before), (1, after)):
                if batch.weights[row, (side + 1) // 2]:
                    assert other != row
                    assert side * (shades[other] - shades[row]) > 0
                    pairs.add(abs(int(other) - row))
    assert pairs == {1}


def test_joints_are_interpolated_between_the_neighbours_that_have_them() -> None:
    keypoints = np.full((3, 2, 2), np.nan)
    keypoints[0, 0], keypoints[1], keypoints[2, 0] = 0, 8, 99
    neighbours, weights = (
        np.array([[1, 2], [0, 2], [0, 1]]),
        np.array([[0, 0], [1, 0], [0.75, 0.25]]),
    )
    prior = interpolate(keypoints, neighbours, weights)[..., 0]
    np.testing.assert_array_equal(prior, [[np.nan, np.nan], [0, np.nan], [2, 8]])


def test_the_prior_lies_between_the_label_and_the_interpolated_joint() -> None:
    label = [dots_label(frame) for frame in (0, 4, 8)]
    patches = [cut_patch(dots_video(9)[p.frame_index], p, DESCRIPTION, 0) for p in label]
    batch = CropSampler(patches, DESCRIPTION, SKELETON, turns=False, seed=0).draw(64)
    ends = interpolate(batch.keypoints, batch.neighbours, batch.weights)
    known = ~np.isnan(ends[..., 0])
    np.testing.assert_array_equal(known, ~np.isnan(batch.prior[..., 0]))
    way, whole = batch.prior - batch.keypoints, ends - batch.keypoints
    share = ((way * whole).sum(-1) / (whole * whole).sum(-1))[known]
    np.testing.assert_allclose(way[known], share[:, None] * whole[known], atol=1e-3)
    assert 0 < share.min() < 0.1
    assert 0.9 < share.max() < 1


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
