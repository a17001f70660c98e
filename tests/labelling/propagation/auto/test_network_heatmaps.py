"""Pose networks of other projects over a gap, alone and several at once."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation import find_gaps
from stdpose_mm.labelling.propagation.auto.candidates import find_candidates
from stdpose_mm.labelling.propagation.auto.fusion_features import MAPS, SCALARS
from stdpose_mm.labelling.propagation.auto.network_heatmaps import (
    NetworkChunk,
    NetworkHeatmapEstimator,
    NetworkUse,
    best_heatmaps,
)
from stdpose_mm.labelling.propagation.flow.flow_tracks import FlowTracks
from stdpose_mm.structures import Skeleton
from support.gap_features import features_of_gap
from support.moving_pictures import POINTS
from support.peak_network import NAMES, PeakNetwork
from support.plain_matcher import PlainMatcher

LABELS = Skeleton(NAMES)
FRAMES = ArrayFrames([np.full((120, 160, 3), n, np.uint8) for n in range(5)])
SIZE = 30.0


@pytest.fixture
def gap(label):
    labels = {frame: label(frame, POINTS) for frame in (0, 4)}
    (gap,) = find_gaps(0, labels, dict.fromkeys(range(5), np.array([40, 30, 70, 70])), range(5))
    return gap


STANDING = np.tile(POINTS, (5, 1, 1))


def features_of_network(estimator, gap, frames=FRAMES):
    tracks = FlowTracks(range(5), STANDING, STANDING.copy())
    used = [(estimator, estimator.shared_joints(LABELS))]
    return features_of_gap(frames, gap, tracks, PlainMatcher(), networks=used)


def evidence_of(gap, *networks, forward=STANDING):
    estimators = [NetworkHeatmapEstimator(network, batch_size=2) for network in networks]
    used = [(estimator, estimator.shared_joints(LABELS)) for estimator in estimators]
    tracks = FlowTracks(range(5), forward, STANDING.copy())
    return features_of_gap(FRAMES, gap, tracks, PlainMatcher(), networks=used)


def near(evidence, joint):
    return evidence.maps[2, joint, 0, MAPS.index('network_heatmap')]


def test_every_frame_and_both_labels_are_seen_once_in_batches(gap):
    network = PeakNetwork()
    evidence = evidence_of(gap, network)
    assert network.seen == [[0, 1], [2, 3], [4]]
    assert evidence.scalars[..., SCALARS.index('has_network_heatmap')].all()


def test_it_runs_as_soon_as_a_batch_is_complete(gap):
    """So that the work ends soon if the pictures are no longer wanted."""
    network = PeakNetwork()
    estimator = NetworkHeatmapEstimator(network, batch_size=2)
    tracks = FlowTracks(range(5), STANDING, STANDING.copy())
    candidates = find_candidates(gap, tracks, np.arange(5))
    chunk = NetworkChunk(estimator, estimator.shared_joints(LABELS), FRAMES, gap, candidates)
    for frame in (4, 0, 1):
        chunk.add(frame, FRAMES[frame])
    assert network.seen == [[4], [0, 1]]


def test_maps_are_read_around_the_joint(gap):
    # A place is 0.9 pixels.
    found = near(evidence_of(gap, PeakNetwork(offset=(2.0, -2.0))), 1)
    assert np.unravel_index(found.argmax(), (9, 9)) == (2, 6)


def test_joints_come_in_the_order_of_the_labels(gap):
    names = ('right_wrist', 'left_ankle', 'nose')
    evidence = evidence_of(gap, PeakNetwork(names=names))
    shown = evidence.scalars[2, :, SCALARS.index('has_network_heatmap')]
    assert shown.tolist() == [1, 0, 1]
    assert near(evidence, 0)[4, 4] == pytest.approx(1, abs=0.05)
    assert not near(evidence, 1).any()


class FlowReader(PeakNetwork):
    """Keep the flow that it is given."""

    def estimate_frames(self, person):
        self.flow = person.flow
        return super().estimate_frames(person)


def test_flow_comes_in_the_order_of_the_networks_joints(gap, label):
    without_nose = label(4, POINTS, visibility=[0, 2, 2])
    network = FlowReader(names=('right_wrist', 'left_ankle', 'nose'))
    forward = STANDING + np.arange(5)[:, None, None]
    evidence_of(replace(gap, right=without_nose), network, forward=forward)
    assert network.flow.keys() == {0, 4}
    for times, path in network.flow.values():
        assert times.tolist() == [0, 1, 2, 3, 4]
        assert np.isnan(path[:, 1]).all()
    np.testing.assert_array_equal(network.flow[0][1][:, [0, 2]], forward[:, [2, 0]])
    np.testing.assert_array_equal(network.flow[4][1][:, 0], STANDING[:, 2])
    assert np.isnan(network.flow[4][1][:, 2]).all()


def test_equal_networks_are_the_same_as_one(gap):
    one = evidence_of(gap, PeakNetwork(height=0.7))
    two = evidence_of(gap, PeakNetwork(height=0.7), PeakNetwork(height=0.7))
    np.testing.assert_allclose(two.maps, one.maps, atol=1e-6)
    np.testing.assert_array_equal(two.scalars, one.scalars)


def test_a_network_that_misses_the_labels_hardly_counts(gap):
    good = evidence_of(gap, PeakNetwork())
    both = evidence_of(gap, PeakNetwork(), PeakNetwork(offset=(9.0, 0)))
    np.testing.assert_allclose(near(both, 0), near(good, 0), atol=1e-3)


def test_a_joint_that_one_network_knows_is_seen_as_that_one_sees_it(gap):
    part = evidence_of(gap, PeakNetwork(names=('nose',)))
    both = evidence_of(gap, PeakNetwork(names=('nose',)), PeakNetwork(names=('left_wrist',)))
    np.testing.assert_allclose(near(both, 0), near(part, 0), atol=1e-6)
    assert near(both, 1)[4, 4] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize('useless', [{'offset': (8.0, 0)}, {'height': 0}], ids=['wrong', 'empty'])
def test_a_network_that_misses_all_labels_is_as_none(gap, useless):
    nothing = evidence_of(gap)
    found = evidence_of(gap, PeakNetwork(**useless), PeakNetwork(**useless))
    np.testing.assert_array_equal(found.maps, nothing.maps)
    np.testing.assert_array_equal(found.scalars, nothing.scalars)


def test_a_gap_in_chunks_counts_once_as_used_if_the_network_was_used_in_one():
    use = NetworkUse()
    for chunk in ('crowded', 'used', 'misses labels'):
        use.note('clip', 'gap', chunk)
    assert use.describe('peaks', 'right?') == 'peaks: used in 1 of 1 gap'


def test_a_gap_in_chunks_without_the_network_counts_for_the_reason_of_the_first():
    use = NetworkUse()
    for chunk in ('crowded', 'misses labels'):
        use.note('clip', 'gap', chunk)
    assert use.describe('peaks', 'right?') == (
        'peaks: used in 0 of 1 gap; in 1 somebody else covers the person'
    )


def test_gaps_between_labels_that_were_corrected_do_not_count():
    use = NetworkUse()
    use.note('clip', 'before', 'misses labels')
    use.note('clip', 'after', 'used')
    now = 'peaks: used in 0 of 1 gap; in 1 it misses the labels (right?)'
    assert use.describe('peaks', 'right?', 'clip', {'before'}) == now
    assert use.describe('peaks', 'right?', 'clip', {'after'}) == ''


class AmongAll(set):
    """Hold every gap; at each look a further one is noted, as by another thread."""

    def __init__(self, use):
        super().__init__()
        self.use = use

    def __contains__(self, gap):
        self.use.note('clip', f'gap {len(self.use.gaps)}', 'misses labels')
        return True


def test_gaps_may_be_filled_while_their_use_is_described():
    use = NetworkUse()
    use.note('clip', 'gap', 'misses labels')
    message = use.describe('peaks', 'right?', 'clip', AmongAll(use))
    assert message == 'peaks: used in 0 of 1 gap; in 1 it misses the labels (right?)'


def test_gaps_that_are_filled_differently_and_videos_count_for_themselves(gap):
    estimator = NetworkHeatmapEstimator(PeakNetwork())
    others = [
        replace(gap, track_id=1),
        replace(gap, bboxes=gap.bboxes + 1),
        replace(gap, second_before=replace(gap.second_before, frames=np.array([7, 7, 7]))),
    ]
    for each in (gap, *others):
        features_of_network(estimator, each)
    features_of_network(estimator, gap, ArrayFrames(list(FRAMES), 'another'))
    # The second labels count for evidence that reads them only.
    assert estimator.use.describe('peaks', 'right?') == 'peaks: used in 4 of 4 gaps'


class BetweenLabels(PeakNetwork):
    """Know nothing of the first and the last frame."""

    def estimate_crops(self, crops):
        found = super().estimate_crops(crops)
        between = [0 < int(crop.picture[0, 0, 0]) < 4 for crop in crops]
        return replace(found, known=np.repeat(np.array(between)[:, None], len(NAMES), axis=1))


def test_a_network_that_has_nothing_at_the_labels_is_used_and_doubted(gap):
    estimator = NetworkHeatmapEstimator(BetweenLabels())
    evidence = features_of_network(estimator, gap)
    shown = evidence.scalars[..., SCALARS.index('has_network_heatmap')]
    assert shown[1:-1].all()
    assert estimator.use.describe('peaks', 'right?') == (
        'peaks: used in 1 of 1 gap; in 1 of these it finds nothing at the labels (right?)'
    )


def test_one_chunk_that_could_be_compared_is_enough():
    for order in (('used', 'not compared'), ('not compared', 'used')):
        use = NetworkUse()
        for chunk in ('crowded', *order):
            use.note('clip', 'gap', chunk)
        assert use.describe('peaks', 'right?') == 'peaks: used in 1 of 1 gap'


class ChunkOfAgreement(NamedTuple):
    """What a network with this agreement with the labels sees; its heatmaps are its name."""

    name: str
    value: float

    def agreement(self):
        return self.value

    def around(self):
        return self.name


@pytest.mark.parametrize(
    ('first', 'second', 'best'),
    [(0.8, 0.9, ['real']), (0.8, 0.82, ['generated']), (0.9, 0.8, ['generated'])],
    ids=['the second is clearly better', 'both are alike', 'the first is better'],
)
def test_another_network_than_the_first_is_used_where_it_is_clearly_better(first, second, best):
    chunks = [ChunkOfAgreement('generated', first), ChunkOfAgreement('real', second)]
    assert best_heatmaps(chunks) == best


def test_a_single_network_is_used_whatever_it_finds():
    assert best_heatmaps([ChunkOfAgreement('own', 0.0)]) == ['own']
    assert best_heatmaps([]) == []
