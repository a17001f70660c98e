"""Poses of other frames than the labels, or with left and right exchanged."""

from __future__ import annotations

import numpy as np
import pytest

from stdpose_mm.pose_networks.misplaced_results import (
    MAX_SHIFT,
    Misplacement,
    PosesAtLabels,
    find_misplacement,
)
from support.walking_pose import MIRRORED, STANDING, shift_poses, walk

SIZE = 100.0
LABELLED = np.arange(MAX_SHIFT, 300, 7)


def at_labels(found: np.ndarray, labels: np.ndarray, labelled: np.ndarray = LABELLED):
    """Compare poses [F, K, 2] with the labels of some frames."""
    around = np.arange(-MAX_SHIFT, MAX_SHIFT + 1)[:, None] + labelled
    inside = (around >= 0) & (around < len(found))
    shape = *around.shape, found.shape[1]
    return PosesAtLabels(
        labels[labelled],
        np.ones(shape[1:], dtype=bool),
        np.full(len(labelled), SIZE),
        found[around.clip(0, len(found) - 1)],
        np.broadcast_to(inside[..., None], shape).copy(),
    )


def noisy(poses: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Move joints at random in every frame, and by a constant of their own in all."""
    rng = np.random.default_rng(seed)
    constant = rng.normal(scale=0.03 * SIZE, size=poses.shape[1:])
    return poses + constant + rng.normal(scale=share * SIZE, size=poses.shape)


@pytest.mark.parametrize('shift', [-5, -2, 2, 3, 5])
def test_poses_that_are_late_or_early_are_found(shift):
    poses = walk()
    found = find_misplacement(at_labels(noisy(shift_poses(poses, shift), 0.02), poses), MIRRORED)
    assert found is not None
    assert found.shift == shift
    assert found.compared <= len(LABELLED)
    assert found.won >= 0.9 * found.compared


@pytest.mark.parametrize('share', [0.0, 0.02, 0.06])
def test_exchanged_sides_are_found(share):
    poses = walk()
    found = find_misplacement(at_labels(noisy(poses[:, MIRRORED], share), poses), MIRRORED)
    assert found is not None
    assert found.shift == 0
    assert found.won >= 0.9 * found.compared


def test_exchanged_sides_of_somebody_who_stands_still_are_found():
    standing = np.repeat(STANDING[None], 310, axis=0)
    poses = at_labels(standing[:, MIRRORED], standing)
    assert find_misplacement(poses, MIRRORED) == Misplacement(0, len(LABELLED), len(LABELLED))


@pytest.mark.parametrize('speed', [0.0, 0.2, 1.0], ids=['still', 'slow', 'fast'])
@pytest.mark.parametrize('share', [0.0, 0.01, 0.03, 0.06, 0.1])
def test_errors_of_a_program_are_not_taken_for_other_frames(speed, share):
    poses = walk(speed)
    for seed in range(60):
        compared = at_labels(noisy(poses, share, seed), poses, LABELLED[: 16 + seed % 28])
        assert find_misplacement(compared, MIRRORED) is None


def test_errors_that_go_on_for_some_frames_are_not_taken_for_other_frames():
    poses = walk(0.2)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        errors = rng.normal(scale=0.1 * SIZE, size=poses.shape)
        lasting = np.stack([errors[n : n + 300].T for n in range(10)]).mean(axis=0).T
        compared = at_labels(poses[:300] + 3 * lasting, poses, LABELLED[:-2])
        assert find_misplacement(compared, MIRRORED) is None


def test_single_joints_that_are_astray_are_not_taken_for_other_frames():
    poses = walk(0.2)
    for seed in range(60):
        rng = np.random.default_rng(seed)
        found = noisy(poses, 0.02, seed)
        astray = rng.random(poses.shape[:2]) < 0.1
        found[astray] += rng.normal(scale=SIZE, size=(astray.sum(), 2))
        assert find_misplacement(at_labels(found, poses), MIRRORED) is None


@pytest.mark.parametrize(('num_labels', 'is_found'), [(15, False), (16, True)])
def test_few_labels_are_no_reason(num_labels, is_found):
    poses = walk()
    late = at_labels(shift_poses(poses, 3), poses, LABELLED[:num_labels])
    assert (find_misplacement(late, MIRRORED) is not None) == is_found


def test_of_somebody_who_hardly_moves_nothing_is_said():
    poses = walk(0.01)
    assert find_misplacement(at_labels(shift_poses(poses, 5), poses), MIRRORED) is None


@pytest.mark.parametrize(('num_joints', 'is_found'), [(3, False), (4, True)])
def test_a_few_joints_of_a_pose_are_no_reason(num_joints, is_found):
    poses = walk()
    late = at_labels(shift_poses(poses, 3), poses)
    late.given[:, num_joints:] = False
    assert (find_misplacement(late, MIRRORED) is not None) == is_found


def test_poses_of_a_part_of_the_labels_do_not_count_as_far_away():
    poses = walk()
    compared = at_labels(poses, poses)
    compared.known[MAX_SHIFT, ::2] = False
    compared.known[:, ::3, 1:] = False
    assert find_misplacement(compared, MIRRORED) is None


def test_frames_without_any_pose_are_not_where_poses_fit_best():
    poses = walk()
    late = at_labels(shift_poses(poses, 3), poses)
    late.known[0] = False
    assert find_misplacement(late, MIRRORED).shift == 3


def test_labels_themselves_are_of_their_frames():
    poses = walk()
    assert find_misplacement(at_labels(poses, poses), MIRRORED) is None


def test_without_any_pose_nothing_is_said():
    poses = walk()
    compared = at_labels(poses, poses)
    compared.known[:] = False
    assert find_misplacement(compared, MIRRORED) is None


def test_constant_differences_of_a_program_do_not_hide_that_it_is_late():
    poses = walk()
    constant = np.random.default_rng(0).normal(scale=0.1 * SIZE, size=poses.shape[1:])
    found = find_misplacement(at_labels(shift_poses(poses, 3) + constant, poses), MIRRORED)
    assert found is not None
    assert found.shift == 3


def test_pauses_do_not_hide_that_poses_are_late():
    """There the errors decide, and half of the time in favour of the labelled frame."""
    poses = walk()
    poses[80:210] = poses[80]
    found = find_misplacement(at_labels(noisy(shift_poses(poses, 5), 0.03), poses), MIRRORED)
    assert found is not None
    assert found.shift == 5


def test_single_joints_far_away_do_not_hide_that_poses_are_late():
    poses = walk()
    late = shift_poses(poses, 5)
    late[::9, 2] += 30 * SIZE
    found = find_misplacement(at_labels(late, poses), MIRRORED)
    assert found is not None
    assert found.shift == 5


@pytest.mark.parametrize(('left', 'is_found'), [(0.8, False), (0.7, True)])
def test_poses_that_fit_a_little_better_are_not_clear(left, is_found):
    poses = walk()
    compared = at_labels(poses, poses)
    compared.known[:MAX_SHIFT] = compared.known[MAX_SHIFT + 2 :] = False
    away = np.random.default_rng(0).normal(scale=0.05 * SIZE, size=compared.labels.shape)
    away -= np.median(away, axis=0)
    compared.found[MAX_SHIFT] = compared.labels + away
    compared.found[MAX_SHIFT + 1] = compared.labels - left * away
    assert (find_misplacement(compared, MIRRORED) is not None) == is_found
