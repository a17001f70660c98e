from __future__ import annotations

import cv2
import numpy as np
import pytest

from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation import find_gaps
from stdpose_mm.labelling.propagation.auto.candidates import find_candidates
from stdpose_mm.labelling.propagation.auto.evidence_maps import near_and_wide
from stdpose_mm.labelling.propagation.auto.fusion_features import MAPS, SCALARS, VECTORS
from stdpose_mm.labelling.propagation.flow.flow_tracks import FlowTracks
from stdpose_mm.labelling.propagation.gap_heatmaps import GapHeatmaps
from support.gap_features import features_of_gap, match_joints
from support.plain_matcher import PlainMatcher

POINTS = np.array([[60, 50], [90, 50], [75, 80]], float)
MATCHER = PlainMatcher()
SIZE = 30.0
"""Larger side of the pose above."""


def texture(seed: int = 0) -> np.ndarray:
    noise = cv2.GaussianBlur(np.random.default_rng(seed).uniform(0, 255, (140, 180, 3)), (0, 0), 2)
    return cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


STILL = ArrayFrames([texture()] * 5)


def make_gap(label, left=(2, 2, 2), right=(2, 2, 2), last: int = 4, moved: float = 0.0):
    """A gap between labels on frames 0 and ``last``; the right one is moved along x."""
    labels = {}
    boxes = dict.fromkeys(range(last + 1), np.zeros(4))
    if any(left):
        labels[0] = label(0, POINTS, left)
    if any(right):
        labels[last] = label(last, POINTS + np.array([moved, 0]), right)
    gaps = find_gaps(0, labels, boxes, range(last + 1))
    return next(gap for gap in gaps if len(gap.frames) > 1)


def standing(num_frames: int = 5) -> FlowTracks:
    tracks = np.tile(POINTS, (num_frames, 1, 1))
    return FlowTracks(range(num_frames), tracks, tracks.copy())


def vector(evidence, name: str) -> np.ndarray:
    return evidence.vectors[:, :, VECTORS.index(name)]


def scalar(evidence, name: str) -> np.ndarray:
    return evidence.scalars[:, :, SCALARS.index(name)]


def test_offsets_are_relative_to_the_blend_in_pose_sizes(label):
    tracks = standing()
    tracks.forward[:, :, 0] += np.array([0, 1, 2, 3, 3])[:, None]
    gap = make_gap(label)
    evidence = features_of_gap(STILL, gap, tracks, MATCHER)
    assert evidence.size == SIZE
    forward, backward = np.moveaxis(tracks.weights(gap), -1, 0)
    centre = POINTS[:, 0] + forward[2] * 2
    np.testing.assert_allclose(evidence.centre[2, :, 0], centre)
    np.testing.assert_allclose(
        vector(evidence, 'forward')[2, :, 0], (POINTS[:, 0] + 2 - centre) / SIZE, atol=1e-6
    )
    np.testing.assert_allclose(
        vector(evidence, 'linear')[2, :, 0], (POINTS[:, 0] - centre) / SIZE, atol=1e-6
    )
    np.testing.assert_allclose(vector(evidence, 'forward_error')[:, :, 0], 3 / SIZE, atol=1e-6)
    np.testing.assert_allclose(vector(evidence, 'backward_error'), 0, atol=1e-6)
    np.testing.assert_allclose(scalar(evidence, 'disagreement')[1], 1 / SIZE, atol=1e-6)
    np.testing.assert_allclose(evidence.base_weights[..., 1], forward)
    np.testing.assert_allclose(evidence.base_weights[..., 2], backward)


def test_time_is_told_by_position_and_distances(label):
    evidence = features_of_gap(STILL, make_gap(label), standing(), MATCHER)
    np.testing.assert_allclose(scalar(evidence, 'position')[:, 0], [0, 0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(scalar(evidence, 'from_left')[:, 0] * 15, [0, 1, 2, 3, 4], rtol=1e-6)
    np.testing.assert_allclose(scalar(evidence, 'to_right')[:, 0] * 15, [4, 3, 2, 1, 0], rtol=1e-6)
    assert evidence.interior.tolist() == [False, True, True, True, False]
    assert scalar(evidence, 'is_left_end')[:, 0].tolist() == [1, 0, 0, 0, 0]
    assert scalar(evidence, 'is_right_end')[:, 0].tolist() == [0, 0, 0, 0, 1]


def test_labels_further_away_than_in_training_count_as_at_the_largest_distance_there(label):
    gap, frames = make_gap(label, last=30), ArrayFrames([texture()] * 31)
    evidence = features_of_gap(frames, gap, standing(31), MATCHER)
    ahead = np.minimum(np.arange(31), 20)
    np.testing.assert_allclose(scalar(evidence, 'from_left')[:, 0] * 15, ahead, rtol=1e-6)
    np.testing.assert_allclose(scalar(evidence, 'to_right')[:, 0] * 15, ahead[::-1], rtol=1e-6)
    np.testing.assert_allclose(scalar(evidence, 'length') * 15, 20, rtol=1e-6)
    np.testing.assert_allclose(
        scalar(evidence, 'position')[:, 0], np.arange(31) / 30, rtol=1e-6, atol=1e-7
    )


def test_a_joint_labelled_at_one_end_follows_that_end(label):
    tracks = standing()
    tracks.backward[:] += 50
    evidence = features_of_gap(STILL, make_gap(label, right=(2, 1, 0)), tracks, MATCHER)
    np.testing.assert_array_equal(evidence.centre[:, 2], np.tile(POINTS[2], (5, 1)))
    np.testing.assert_array_equal(evidence.base_weights[:, 2], np.tile([0, 1, 0], (5, 1)))
    assert (vector(evidence, 'backward')[:, 2] == 0).all()
    assert scalar(evidence, 'has_right')[0].tolist() == [1, 1, 0]
    assert scalar(evidence, 'occluded_right')[0].tolist() == [0, 1, 0]
    assert evidence.known.all()


@pytest.mark.parametrize('side', ['left', 'right'])
def test_a_gap_with_one_label(label, side):
    gap = make_gap(label, **{'right' if side == 'left' else 'left': (0, 0, 0)})
    frames = len(range(gap.first, gap.last + 1))
    evidence = features_of_gap(STILL, gap, standing(frames), MATCHER)
    assert np.isfinite(evidence.vectors).all()
    np.testing.assert_array_equal(evidence.centre, np.tile(POINTS, (frames, 1, 1)))
    there, missing = (0, 1) if side == 'left' else (1, 0)
    assert (evidence.maps[:, :, :, missing] == 0).all()
    assert evidence.maps[:, :, :, there].any()
    assert scalar(evidence, 'ends_match').tolist() == [[0, 0, 0]] * frames


def test_looks_match_where_the_joint_has_gone(label):
    # The picture moves by 0.06 pose sizes, two places of the map; the tracks stand still.
    shift = 0.06 * SIZE
    moved = cv2.warpAffine(texture(), np.float32([[1, 0, shift], [0, 1, 0]]), (180, 140))
    frames = ArrayFrames([texture(), moved, moved, texture(), texture()])
    evidence = features_of_gap(frames, make_gap(label), standing(), MATCHER)
    for joint in range(3):
        for side in ('left_match', 'right_match'):
            scores = evidence.maps[1, joint, 0, MAPS.index(side)]
            assert np.unravel_index(scores.argmax(), scores.shape) == (4, 6)
            assert scores.max() > 0.9
    np.testing.assert_allclose(scalar(evidence, 'forward_match')[3], 1, atol=0.03)
    assert (scalar(evidence, 'forward_match')[1] < 0.9).all()
    np.testing.assert_allclose(scalar(evidence, 'ends_match'), 1, atol=1e-5)


def test_each_label_looks_as_its_own_frame_does(label):
    frames = ArrayFrames([texture(0)] * 3 + [texture(1)] * 2)
    evidence = features_of_gap(frames, make_gap(label), standing(), MATCHER)
    left, right = (
        evidence.maps[:, :, 0, MAPS.index(f'{side}_match'), 4, 4] for side in ('left', 'right')
    )
    np.testing.assert_allclose(left[:3], 1, atol=0.03)
    np.testing.assert_allclose(right[3:], 1, atol=0.03)
    assert max(left[3:].max(), right[:3].max(), scalar(evidence, 'ends_match').max()) < 0.8


def test_every_frame_of_a_gap_is_described_once(label):
    described = []

    class Counting(PlainMatcher):
        def describe(self, crops: np.ndarray) -> np.ndarray:
            described.append(len(crops))
            return super().describe(crops)

    match_joints(STILL, find_candidates(make_gap(label), standing(), np.arange(5)), Counting())
    assert sum(described) == 5


def test_looks_that_went_far_are_found_in_the_wide_maps(label):
    shift = 0.18 * SIZE
    moved = cv2.warpAffine(texture(), np.float32([[1, 0, shift], [0, 1, 0]]), (180, 140))
    frames = ArrayFrames([texture(), moved, moved, texture(), texture()])
    evidence = features_of_gap(frames, make_gap(label), standing(), MATCHER)
    for joint in range(3):
        near, wide = evidence.maps[1, joint, :, MAPS.index('left_match')]
        assert near.max() < 0.9
        assert np.unravel_index(wide.argmax(), wide.shape) == (4, 6)
        assert wide.max() > 0.9


def test_a_place_of_a_wide_map_is_the_largest_of_nine_near_ones():
    # All values differ, and the largest of a square lies anywhere in it.
    dense = np.random.default_rng(0).permutation(27 * 27).reshape(1, 27, 27)
    near, wide = near_and_wide(dense)[:, 0]
    np.testing.assert_array_equal(near, dense[0, 9:18, 9:18])
    for row in range(9):
        for column in range(9):
            square = dense[0, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            assert wide[row, column] == square.max()


def test_a_larger_picture_of_the_same_gives_the_same_evidence(label):
    enlarged = cv2.resize(texture(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    large = ArrayFrames([enlarged] * 5)

    def scaled(points: np.ndarray) -> np.ndarray:
        return (points + 0.5) * 4 - 0.5

    labels = {n: label(n, scaled(POINTS)) for n in (0, 4)}
    (gap,) = find_gaps(0, labels, dict.fromkeys(range(5), np.zeros(4)), range(5))
    tracks = standing()
    large_tracks = FlowTracks(range(5), scaled(tracks.forward), scaled(tracks.backward))
    one = features_of_gap(STILL, make_gap(label), tracks, MATCHER)
    other = features_of_gap(large, gap, large_tracks, MATCHER)
    np.testing.assert_allclose(other.vectors, one.vectors, atol=1e-5)
    np.testing.assert_allclose(other.maps[:, :, 0, :2], one.maps[:, :, 0, :2], atol=0.1)


def test_heatmaps_are_read_around_the_centre(label):
    # Values of the map are its columns; a quarter of a heatmap pixel for each picture pixel.
    ramp = np.tile(np.arange(40, dtype=np.float32), (40, 1))
    maps = np.broadcast_to(ramp, (5, 3, 40, 40)).copy()
    heatmaps = GapHeatmaps(
        frames=range(5),
        frame_heatmaps=maps,
        final_heatmaps=2 * maps,
        to_heatmap=np.array([[[0.25, 0, 1 + n], [0, 0.25, 2]] for n in range(5)]),
        has_heatmap=np.tile([True, True, False], (5, 1)),
    )
    evidence = features_of_gap(STILL, make_gap(label), standing(), MATCHER, heatmaps=(heatmaps,))
    around = evidence.maps[2, 0, 0, MAPS.index('frame_heatmap')]
    places = POINTS[0, 0] + (np.arange(9) - 4) * 0.03 * SIZE
    # The maps of frame 2 start two heatmap pixels further to the left than those of frame 0.
    np.testing.assert_allclose(around, np.tile(places * 0.25 + 3, (9, 1)), atol=0.05)
    np.testing.assert_allclose(evidence.maps[2, 0, 0, MAPS.index('final_heatmap')], 2 * around)
    assert scalar(evidence, 'has_window_heatmap')[2].tolist() == [1, 1, 0]
    assert not scalar(evidence, 'has_network_heatmap').any()
    assert not evidence.maps[:, :, :, MAPS.index('network_heatmap')].any()


def test_networks_of_single_frames_have_a_map_of_their_own(label):
    def heatmaps_of(value: float, *, sees_windows: bool) -> GapHeatmaps:
        maps = np.full((5, 3, 40, 40), value, np.float32)
        final = maps / 2 if sees_windows else None
        affine = np.tile([[0.25, 0, 1], [0, 0.25, 2]], (5, 1, 1))
        return GapHeatmaps(range(5), maps, final, affine, np.ones((5, 3), dtype=bool))

    shown = (heatmaps_of(0.8, sees_windows=True), heatmaps_of(0.3, sees_windows=False))
    evidence = features_of_gap(STILL, make_gap(label), standing(), MATCHER, heatmaps=shown)
    middle = dict(zip(MAPS, evidence.maps[2, 0, 0, :, 4, 4], strict=True))
    heights = [middle[name] for name in ('frame_heatmap', 'final_heatmap', 'network_heatmap')]
    np.testing.assert_allclose(heights, [0.8, 0.4, 0.3], atol=1e-6)
    assert scalar(evidence, 'has_window_heatmap').all()
    assert scalar(evidence, 'has_network_heatmap').all()


def test_some_frames_of_a_gap_have_the_evidence_of_the_whole(label):
    tracks = standing()
    tracks.forward[:, :, 0] += np.arange(5)[:, None]
    gap, frames = make_gap(label), ArrayFrames([texture(n) for n in range(5)])
    whole = features_of_gap(frames, gap, tracks, MATCHER)
    part = features_of_gap(frames, gap, tracks, MATCHER, [0, 2, 3, 4])
    np.testing.assert_array_equal(part.centre, whole.centre[[0, 2, 3, 4]])
    np.testing.assert_allclose(part.maps, whole.maps[[0, 2, 3, 4]])
    not_velocity = [n for n, name in enumerate(VECTORS) if 'velocity' not in name]
    np.testing.assert_allclose(
        part.vectors[:, :, not_velocity], whole.vectors[[0, 2, 3, 4]][:, :, not_velocity]
    )


def test_looks_are_those_of_the_labelled_frames_where_the_joints_were_there(label):
    """The picture and the joints go 3 pixels a frame: it looks the same wherever the joint is."""
    views = [
        cv2.warpAffine(texture(), np.float32([[1, 0, 3 * t], [0, 1, 0]]), (180, 140))
        for t in range(5)
    ]
    tracks = standing()
    for track in (tracks.forward, tracks.backward):
        track[:, :, 0] += 3 * np.arange(5)[:, None]
    evidence = features_of_gap(ArrayFrames(views), make_gap(label, moved=12), tracks, MATCHER)

    np.testing.assert_allclose(scalar(evidence, 'ends_match'), 1, atol=0.03)
    np.testing.assert_allclose(scalar(evidence, 'forward_match'), 1, atol=0.03)
    np.testing.assert_allclose(scalar(evidence, 'backward_match'), 1, atol=0.03)
    near = evidence.maps[:, :, 0, :2]
    np.testing.assert_allclose(near[..., 4, 4], 1, atol=0.03)
