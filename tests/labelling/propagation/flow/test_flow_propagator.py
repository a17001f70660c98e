from __future__ import annotations

from threading import current_thread, main_thread

import numpy as np
import pytest

from stdpose_mm.labelling.propagation import find_gaps, propagate_labels
from stdpose_mm.labelling.propagation.flow import FlowPropagator
from stdpose_mm.labelling.propagation.flow.flow_tracks import FlowTracks, follow_joints
from stdpose_mm.labelling.propagation.gaps import split_into_chunks
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.tracking.optical_flow import DISFlow, sample_bilinear
from support.frame_sources import CountingFrames
from support.moving_pictures import ARC, POINTS, moving_texture

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('given', [[0, 6], [0], [6], [3]], ids=['both', 'left', 'right', 'middle'])
def test_joints_follow_a_moving_texture_within_half_a_pixel(label, video, given):
    frames = moving_texture(ARC)
    sparse = video([label(n, POINTS + ARC[n]) for n in given], len(frames))
    dense = propagate_labels(frames, sparse, FlowPropagator())
    for person in dense.persons:
        error = np.abs(person.keypoints - (POINTS + ARC[person.frame_index])).max()
        assert error < 0.5, f'frame {person.frame_index}'


def test_flow_on_reduced_pictures_is_scaled_back(label, video):
    frames = moving_texture(ARC, size=(160, 120))
    sparse = video([label(0, POINTS)], len(frames))
    dense = propagate_labels(frames, sparse, FlowPropagator(DISFlow(max_side=80)))
    np.testing.assert_allclose(dense.persons[3].keypoints, POINTS + ARC[3], atol=1)


def test_a_joint_labelled_at_one_end_follows_that_end(label, video):
    frames = moving_texture(ARC)
    sparse = video([label(0, POINTS), label(6, POINTS, [2, 2, 0])], len(frames))
    dense = propagate_labels(frames, sparse, FlowPropagator())
    np.testing.assert_allclose(dense.persons[3].keypoints, POINTS + ARC[3], atol=0.5)


def test_a_joint_labelled_at_neither_end_is_interpolated(label, video):
    frames = moving_texture(ARC)
    flags = [2, 2, 0]
    persons = [label(0, POINTS), label(2, POINTS, flags), label(4, POINTS, flags)]
    sparse = video([*persons, label(6, POINTS + 6)], len(frames))
    flow = propagate_labels(frames, sparse, FlowPropagator()).persons[3]
    linear = propagate_labels(frames, sparse, LinearPropagator()).persons[3]
    np.testing.assert_array_equal(flow.keypoints[2], linear.keypoints[2])
    assert flow.scores[2] == linear.scores[2]


def test_tracks_that_disagree_score_lower(label, video):
    frames = moving_texture(np.zeros((5, 2)))
    agreeing = video([label(0, POINTS), label(4, POINTS)], 5)
    disagreeing = video([label(0, POINTS), label(4, POINTS + 20)], 5)
    propagator = FlowPropagator()
    good = propagate_labels(frames, agreeing, propagator).persons[2].scores
    bad = propagate_labels(frames, disagreeing, propagator).persons[2].scores
    assert (bad < 0.5 * good).all()


def test_tracks_that_arrive_are_blended_by_the_distance_to_their_labels(label):
    gap, tracks = straight_tracks(label, forward_miss=0, backward_miss=0)
    forward, backward = np.moveaxis(tracks.weights(gap)[:, 0], -1, 0)
    np.testing.assert_allclose(forward, [1, 0.75, 0.5, 0.25, 0])
    np.testing.assert_allclose(backward, [0, 0.25, 0.5, 0.75, 1])


def test_a_track_that_misses_the_other_label_counts_less(label):
    # The pose is 30 pixels large: a miss of 3 pixels makes 1 / e at the other label, and
    # exp(-1 / 2) half way.
    gap, tracks = straight_tracks(label, forward_miss=3, backward_miss=0)
    half_way = np.exp(-0.5) / (np.exp(-0.5) + 1)
    np.testing.assert_allclose(tracks.weights(gap)[2, 0], [half_way, 1 - half_way])


def test_tracks_that_are_entirely_lost_still_have_weights(label):
    gap, tracks = straight_tracks(label, forward_miss=1e6, backward_miss=1e6)
    weights = tracks.weights(gap)[:, 0]
    np.testing.assert_allclose(weights.sum(axis=-1), 1)
    np.testing.assert_allclose(weights[2], [0.5, 0.5])


def straight_tracks(label, forward_miss: float, backward_miss: float):
    """A person who stands still over a gap of three frames, and tracks that end off the label."""
    labels = {0: label(0, POINTS), 4: label(4, POINTS)}
    boxes = dict.fromkeys(range(5), np.zeros(4))
    (gap,) = find_gaps(0, labels, boxes, range(5))
    forward, backward = np.tile(POINTS, (5, 1, 1)), np.tile(POINTS, (5, 1, 1))
    forward[-1, :, 0] += forward_miss
    backward[0, :, 0] += backward_miss
    return gap, FlowTracks(range(5), forward, backward)


@pytest.mark.parametrize('given', [[0], [9], [0, 9]], ids=['left', 'right', 'both'])
def test_long_gaps_are_read_in_batches_with_the_same_result(label, video, monkeypatch, given):
    shifts = np.stack([np.linspace(0, 15, 10), np.zeros(10)], axis=-1)
    frames = moving_texture(shifts)
    sparse = video([label(n, POINTS + shifts[n]) for n in given], 10)
    whole = propagate_labels(frames, sparse, FlowPropagator()).persons
    monkeypatch.setattr('stdpose_mm.labelling.propagation.flow.flow_tracks._KEPT_PICTURES', 4)
    batches = propagate_labels(frames, sparse, FlowPropagator()).persons
    for one, other in zip(whole, batches, strict=True):
        np.testing.assert_array_equal(one.keypoints, other.keypoints)


@pytest.mark.parametrize('given', [[0], [9], [0, 9]], ids=['left', 'right', 'both'])
@pytest.mark.parametrize('kept_fields', [2**26, 0], ids=['kept', 'computed again'])
def test_one_way_flow_carries_joints_both_ways(label, monkeypatch, given, kept_fields):
    shifts = np.stack([np.linspace(0, 15, 10), np.zeros(10)], axis=-1)
    pairs = []

    class Watched(DISFlow):
        def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
            pairs.append((hash(source.tobytes()), hash(target.tobytes())))
            return super().__call__(source, target)

    module = 'stdpose_mm.labelling.propagation.flow.flow_tracks'
    monkeypatch.setattr(f'{module}._KEPT_FIELDS', kept_fields)
    monkeypatch.setattr(f'{module}._KEPT_PICTURES', 4)
    labels = {n: label(n, POINTS + shifts[n]) for n in given}
    (gap,) = find_gaps(0, labels, dict.fromkeys(range(10), np.zeros(4)), range(10))
    ((_, tracks),) = follow_joints(moving_texture(shifts), [gap], Watched(), one_way=True)
    for n, track in ((0, tracks.forward), (9, tracks.backward)):
        if n in given:
            np.testing.assert_allclose(track, POINTS + shifts[:, None], atol=0.5)
    # No pair is computed in the other direction too.
    assert {pair[::-1] for pair in pairs}.isdisjoint(pairs)
    assert len(pairs) == 9 * (1 + (len(given) == 2 and not kept_fields))


@pytest.mark.parametrize('single_threaded', [True, False])
def test_flow_that_shares_its_work_by_itself_is_computed_one_by_one(
    label, video, monkeypatch, single_threaded
):
    monkeypatch.setattr('stdpose_mm.inference.threads.allowed_threads', lambda: 3)
    callers = set()

    class Watched(DISFlow):
        def __call__(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
            callers.add(current_thread())
            return super().__call__(source, target)

    flow = Watched()
    flow.single_threaded = single_threaded
    propagate_labels(moving_texture(ARC), video([label(0, POINTS)], 7), FlowPropagator(flow))
    assert (callers == {main_thread()}) == (not single_threaded)


def test_every_frame_is_read_once_whoever_is_in_it(label, video):
    frames = CountingFrames(list(moving_texture(ARC)))
    persons = [label(n, POINTS, track_id=1) for n in (0, 3, 6)]
    persons += [label(n, POINTS, track_id=2) for n in (1, 5)]
    propagate_labels(frames, video(persons, 7), FlowPropagator())
    assert sorted(frames.reads) == list(range(7))


def test_blocks_are_split_where_no_gap_crosses(label):
    def gaps(track_id, given):
        labels = {n: label(n, POINTS, track_id=track_id) for n in given}
        return find_gaps(track_id, labels, dict.fromkeys(range(20), np.zeros(4)), range(20))

    chunks = split_into_chunks(gaps(1, [0, 5, 10, 19]) + gaps(2, [0, 5, 14, 19]))
    ends = [[(gap.first, gap.last) for gap in chunk] for chunk in chunks]
    assert ends == [[(0, 5), (0, 5)], [(5, 10), (5, 14), (10, 19), (14, 19)]]


def test_bilinear_sampling_is_exact_on_a_plane_and_clamped_outside():
    y, x = np.mgrid[0:4, 0:5]
    field = np.stack([2.0 * x + y, 3.0 * y], axis=-1)
    points = np.array([[1.25, 2.5], [-3, 0], [9, 9]])
    np.testing.assert_allclose(sample_bilinear(field, points), [[5, 7.5], [0, 0], [11, 9]])
