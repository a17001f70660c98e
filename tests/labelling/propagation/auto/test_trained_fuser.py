from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit, logit

from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.labelling.propagation.auto.evidence_maps import MAP_SIDE, MAP_STEPS
from stdpose_mm.labelling.propagation.auto.fusion_features import (
    MAPS,
    NETWORK_HEATMAPS,
    SCALARS,
    VECTORS,
    WINDOW_HEATMAPS,
    FusionFeatures,
)
from stdpose_mm.labelling.propagation.auto.trained_fuser import (
    SHIPPED_FUSER,
    TrainedFuser,
    log_joint_speed,
    probability_within,
    shipped_fuser,
)

FRAMES, JOINTS = 3, 2
SURE, UNSURE = 0.03, 0.06
"""Errors that the network below expects, in pose sizes."""


def evidence_with(kinds) -> FusionFeatures:
    """Evidence that is zero, but for the heatmaps of some kinds."""
    shape = (FRAMES, JOINTS)
    maps = np.zeros((*shape, len(MAP_STEPS), len(MAPS), MAP_SIDE, MAP_SIDE), np.float32)
    scalars = np.zeros((*shape, len(SCALARS)), np.float32)
    for kind in kinds:
        maps[..., kind.maps, :, :] = 0.5
        scalars[..., kind.flag] = 1
    return FusionFeatures(
        centre=np.zeros((*shape, 2)),
        size=50.0,
        vectors=np.zeros((*shape, len(VECTORS), 2), np.float32),
        scalars=scalars,
        maps=maps,
        base_weights=np.ones((*shape, 3), np.float32),
        known=np.ones(JOINTS, bool),
        interior=np.ones(FRAMES, bool),
    )


class NetworkThatTrustsWindows:
    """Moves joints with heatmaps of a window by 0.2, and is sure of them."""

    passes = 0

    def fuse_gap(self, inputs):
        self.passes += 1
        trusted = inputs['scalars'][..., WINDOW_HEATMAPS.flag] > 0
        seen = inputs['maps'][..., WINDOW_HEATMAPS.maps, :, :].any(axis=(2, 3, 4, 5))
        np.testing.assert_array_equal(seen, trusted)
        offsets = 0.2 * trusted[..., None] * np.ones(2)
        return offsets, np.log(np.where(trusted, SURE, UNSURE))


@pytest.mark.parametrize(
    ('kinds', 'offset', 'expected_errors'),
    [
        ((), 0.0, [UNSURE]),
        ((WINDOW_HEATMAPS,), 0.2, [SURE, UNSURE]),
        ((NETWORK_HEATMAPS,), 0.0, [UNSURE, UNSURE]),
        ((WINDOW_HEATMAPS, NETWORK_HEATMAPS), 0.2, [SURE, UNSURE]),
    ],
    ids=['no heatmaps', 'of windows', 'of single frames', 'of both'],
)
def test_scores_pool_what_the_fuser_says_with_and_without_heatmaps(kinds, offset, expected_errors):
    evidence = evidence_with(kinds)
    calibrator = ScoreCalibrator(slope=0.5, offset=0.3)
    network = NetworkThatTrustsWindows()
    offsets, scores = TrainedFuser(network, calibrator, 'nothing').judge(evidence)
    assert network.passes == len(expected_errors)
    np.testing.assert_allclose(offsets, np.full((FRAMES, JOINTS, 2), offset))
    opinions = [probability_within(np.log(error), 0.1) for error in expected_errors]
    expected = expit(0.5 * np.mean(logit(opinions)) + 0.3)
    np.testing.assert_allclose(scores, np.full((FRAMES, JOINTS), expected))


def moving(velocities) -> FusionFeatures:
    """Evidence of joints that move in every frame by [K, 2] pose sizes."""
    evidence = evidence_with(())
    vectors = evidence.vectors.copy()
    # Velocities of the evidence are displacements in five frames.
    vectors[:, :, VECTORS.index('velocity')] = 5 * np.asarray(velocities)
    return replace(evidence, vectors=vectors)


def test_the_speed_of_joints_within_the_pose_counts_up_to_a_limit():
    # Both joints move away from their middle by half of the difference.
    assert log_joint_speed(moving([[0.03, 0], [-0.03, 0]])) == pytest.approx(np.zeros(2), abs=1e-6)
    slow = log_joint_speed(moving([[0.004, 0], [-0.004, 0]]))
    assert slow == pytest.approx(np.full(2, np.log(0.005 / 0.016)), abs=1e-6)


def test_a_camera_that_pans_makes_no_joint_faster():
    standing = log_joint_speed(moving(np.zeros((2, 2))))
    assert log_joint_speed(moving(np.full((2, 2), 0.05))) == pytest.approx(standing, abs=1e-6)
    assert standing == pytest.approx(np.full(2, np.log(0.001 / 0.016)))


def test_without_known_joints_all_count_as_fast():
    unknown = replace(moving([[0.03, 0], [0, 0]]), known=np.zeros(JOINTS, bool))
    assert log_joint_speed(unknown).tolist() == [0, 0]


def test_scores_of_slow_joints_are_higher_by_the_weight_of_the_calibrator():
    evidence = moving([[0.004, 0], [-0.004, 0]])
    plain, weighted = (
        TrainedFuser(NetworkThatTrustsWindows(), ScoreCalibrator(1, 0, weight), '').judge(evidence)
        for weight in (0.0, -2.0)
    )
    np.testing.assert_array_equal(plain[0], weighted[0])
    added = logit(weighted[1]) - logit(plain[1])
    np.testing.assert_allclose(added, -2 * np.log(0.005 / 0.016), atol=1e-5)


def test_heatmaps_of_one_kind_or_of_all_are_left_out() -> None:
    both = evidence_with((WINDOW_HEATMAPS, NETWORK_HEATMAPS))
    windows = both.without_heatmaps([NETWORK_HEATMAPS])
    expected = evidence_with((WINDOW_HEATMAPS,))
    np.testing.assert_array_equal(windows.maps, expected.maps)
    np.testing.assert_array_equal(windows.scalars, expected.scalars)
    none = both.without_heatmaps()
    assert not none.maps.any()
    assert not none.scalars.any()
    assert [each.has_heatmaps() for each in (both, windows, none)] == [True, True, False]
    assert both.scalars.any()


def test_a_shipped_fuser_is_loaded_once() -> None:
    assert shipped_fuser(SHIPPED_FUSER) is shipped_fuser(SHIPPED_FUSER)
