from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import onnx
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.labelling.propagation import propagate_labels
from stdpose_mm.labelling.propagation.auto import AutoPropagator
from stdpose_mm.labelling.propagation.auto.auto_propagator import auto_flow
from stdpose_mm.labelling.propagation.auto.fusion_features import NETWORK_HEATMAPS
from stdpose_mm.labelling.propagation.auto.trained_fuser import (
    ONNX_RECORD,
    SHIPPED_FUSER,
    TrainedFuser,
    probability_within,
)
from stdpose_mm.labelling.propagation.flow import FlowPropagator
from stdpose_mm.labelling.propagation.gap_heatmaps import split_gap
from stdpose_mm.labelling.propagation.interpolation import LinearPropagator
from stdpose_mm.structures import Skeleton
from support.frame_sources import CountingFrames
from support.moving_pictures import ARC, POINTS, moving_texture
from support.peak_network import NAMES, PeakNetwork
from support.planned_gaps import gaps_of_labels

pytestmark = pytest.mark.slow


SCALE = 0.035
"""Of the errors that the network below expects, in pose sizes."""


class PushingNetwork:
    """Move every joint by the same offset in pose sizes, further with heatmaps of a network."""

    def __init__(self, offset: float = 0.0) -> None:
        self.offset = offset

    def fuse_gap(self, inputs):
        has_network = inputs['scalars'][..., NETWORK_HEATMAPS.flag, None]
        offsets = self.offset + 0.01 * has_network * np.ones(2)
        return offsets, np.full(has_network.shape[:2], math.log(SCALE))


@pytest.fixture(scope='module')
def weights():
    """A fuser that has learned nothing, with a calibrator that halves the odds."""
    return TrainedFuser(PushingNetwork(), ScoreCalibrator(offset=math.log(0.5)), 'nothing')


def test_doubt_is_the_distance_at_which_the_network_gets_half_of_what_it_wants(
    label, video, weights
):
    frames = moving_texture(ARC)
    sparse = video([label(0, POINTS), label(6, POINTS + 2)], 7)
    flow = propagate_labels(frames, sparse, FlowPropagator(auto_flow())).persons[3].keypoints

    def offset(shrinkage: float) -> np.ndarray:
        fuser = replace(weights, network=PushingNetwork(0.02), shrinkage=shrinkage)
        pose = propagate_labels(frames, sparse, AutoPropagator(weights=fuser)).persons[3]
        return pose.keypoints - flow

    wanted = offset(0.0)
    distance = float(np.linalg.norm(wanted[0]))
    assert distance > 0.01
    half = offset(distance / 30)  # the larger side of the pose
    # Positions of some tens of pixels are single precision.
    np.testing.assert_allclose(half[0], wanted[0] / 2, atol=1e-5)


@pytest.mark.parametrize('given', [[0, 6], [0], [6], [3]], ids=['both', 'left', 'right', 'middle'])
def test_without_training_joints_follow_the_picture_as_flow_does(label, video, weights, given):
    frames = moving_texture(ARC)
    sparse = video([label(n, POINTS + ARC[n]) for n in given], len(frames))
    dense = propagate_labels(frames, sparse, AutoPropagator(weights=weights))
    flow = propagate_labels(frames, sparse, FlowPropagator())
    assert len(dense.persons) == len(frames)
    for person, other in zip(dense.persons, flow.persons, strict=True):
        assert np.abs(person.keypoints - other.keypoints).max() < 1.5
        assert ((person.scores > 0) & (person.scores <= 1)).all()


def test_a_joint_labelled_at_neither_end_is_interpolated(label, video):
    # With the shipped fuser: what is no number of that joint would reach the others.
    frames = moving_texture(ARC)
    flags = [2, 2, 0]
    persons = [label(0, POINTS), label(2, POINTS, flags), label(4, POINTS, flags)]
    sparse = video([*persons, label(6, POINTS + 6)], len(frames))
    auto = propagate_labels(frames, sparse, AutoPropagator()).persons[3]
    linear = propagate_labels(frames, sparse, LinearPropagator()).persons[3]
    np.testing.assert_array_equal(auto.keypoints[2], linear.keypoints[2])
    assert auto.scores[2] == linear.scores[2]


def test_a_joint_that_nobody_labelled_stays_unlabelled(label, video, weights):
    frames = moving_texture(ARC)
    sparse = video([label(0, POINTS, [2, 2, 0]), label(6, POINTS, [2, 2, 0])], len(frames))
    person = propagate_labels(frames, sparse, AutoPropagator(weights=weights)).persons[3]
    assert person.visibility.tolist() == [2, 2, 0]
    assert person.scores[2] == 0


def test_long_gaps_are_fused_in_chunks(label, video, weights, monkeypatch):
    shifts = np.stack([np.linspace(0, 20, 15), np.zeros(15)], axis=-1)
    frames = moving_texture(shifts)
    sparse = video([label(0, POINTS), label(14, POINTS + shifts[14])], 15)
    whole = propagate_labels(frames, sparse, AutoPropagator(weights=weights))
    monkeypatch.setattr('stdpose_mm.labelling.propagation.gap_heatmaps.MAX_KEYS', 5)
    chunks = propagate_labels(frames, sparse, AutoPropagator(weights=weights))
    assert len(chunks.persons) == 15
    for one, other in zip(whole.persons, chunks.persons, strict=True):
        # An untrained network reads the same in chunks but for the velocities at their ends.
        assert np.abs(one.keypoints - other.keypoints).max() < 0.5


def crowd(label, people: int, num_frames: int):
    """People side by side, some of whom are labelled in other frames than the rest."""
    return [
        label(n, POINTS / 2 + (7 * track, 20), track_id=track)
        for track in range(people)
        for n in (track % 3, num_frames - 1 - track % 2)
    ]


@pytest.mark.parametrize('batch_crops', [1, 20])
def test_people_get_the_poses_that_each_gets_alone(label, video, weights, monkeypatch, batch_crops):
    monkeypatch.setattr('stdpose_mm.labelling.propagation.gap_heatmaps.MAX_KEYS', 3)
    frames = moving_texture(ARC)
    people = crowd(label, 3, len(frames))
    alone = {
        track: propagate_labels(
            frames,
            video([p for p in people if p.track_id == track], len(frames)),
            AutoPropagator(weights=weights),
        ).persons
        for track in range(3)
    }
    monkeypatch.setattr(
        'stdpose_mm.labelling.propagation.auto.auto_propagator._BATCH_CROPS', batch_crops
    )
    together = propagate_labels(frames, video(people, len(frames)), AutoPropagator(weights=weights))
    assert len(together.persons) == 3 * len(frames)
    for person in together.persons:
        np.testing.assert_array_equal(
            person.keypoints, alone[person.track_id][person.frame_index].keypoints
        )


def test_networks_are_left_out_where_somebody_covers_much_of_a_person(label, video, weights):
    frames = moving_texture(ARC)
    network = PeakNetwork(offset=(2.0, 0.0))
    with_network = AutoPropagator(weights=weights, pose_networks=[network])
    first = [label(0, POINTS), label(6, POINTS)]

    def poses_of(propagator, people):
        sparse = replace(video(people, 7), skeleton=Skeleton(NAMES))
        dense = propagate_labels(frames, sparse, propagator)
        return np.stack([p.keypoints for p in dense.persons if p.track_id == 0])

    nobody_near = [label(n, POINTS / 4, track_id=1) for n in (0, 6)]
    near = [label(n, POINTS + 2, track_id=1) for n in (0, 6)]
    assert with_network.reads_other_people
    poses_of(with_network, first + near)
    assert network.seen == []
    poses_of(with_network, first + nobody_near)
    assert len(network.seen) > 0
    without = AutoPropagator(weights=weights)
    assert not without.reads_other_people
    alone = poses_of(without, first)
    np.testing.assert_array_equal(poses_of(with_network, first + near), alone)
    assert (poses_of(with_network, first + nobody_near) != alone).any()


def test_what_a_network_was_used_for_is_told_and_changes_no_key_of_the_cache(label, video, weights):
    def propagate(network, *people):
        propagator = AutoPropagator(weights=weights, pose_networks=[network])
        before = fingerprint(propagator)
        assert propagator.describe_use() == []
        sparse = replace(video(people, 7), skeleton=Skeleton(NAMES))
        propagate_labels(moving_texture(ARC), sparse, propagator)
        network.seen.clear()
        assert fingerprint(propagator) == before
        return propagator.describe_use()

    one = [label(n, POINTS) for n in (0, 3, 6)]
    beside = [label(n, POINTS + 2, track_id=1) for n in (0, 1)]
    assert propagate(PeakNetwork(), *one) == ['peaks: used in 2 of 2 gaps']
    missing = 'in 2 it misses the labels (are its preset and its joints right?)'
    found = propagate(PeakNetwork(offset=(9.0, 0.0)), *one)
    assert found == [f'peaks: used in 0 of 2 gaps; {missing}']
    # Person 1 has one gap, from frame 2 on.
    assert propagate(PeakNetwork(), *one, *beside) == [
        'peaks: used in 0 of 3 gaps; in 3 somebody else covers the person'
    ]


def test_pictures_are_read_no_more_often_for_many_people_and_networks(label, video, weights):
    pictures = list(moving_texture(ARC))
    networks = PeakNetwork(), PeakNetwork()

    def reads(people: int, pose_networks: Sequence[PeakNetwork] = ()) -> int:
        frames = CountingFrames(pictures)
        labels = video(crowd(label, people, len(frames)), len(frames))
        labels = replace(labels, skeleton=Skeleton(NAMES))
        gaps = gaps_of_labels(labels, len(frames))
        propagator = AutoPropagator(weights=weights, pose_networks=pose_networks)
        filled = propagator.propagate(frames, gaps, labels.skeleton)
        assert sum(len(poses.frames) for poses in filled) == sum(len(gap.frames) for gap in gaps)
        return len(frames.reads)

    assert reads(8) == reads(4) == reads(4, networks)
    assert all(network.seen for network in networks)


def test_the_number_of_threads_changes_no_pose(label, video, weights, monkeypatch):
    sparse = video(crowd(label, people=3, num_frames=7), 7)
    poses = []
    for threads in (1, 4):
        monkeypatch.setattr(
            'stdpose_mm.inference.threads.allowed_threads', lambda count=threads: count
        )
        frames = CountingFrames(moving_texture(ARC))
        dense = propagate_labels(frames, sparse, AutoPropagator(weights=weights))
        poses.append(np.stack([person.keypoints for person in dense.persons]))
    np.testing.assert_array_equal(*poses)


def test_scores_are_the_calibrated_probability_of_a_small_error(label, video, weights):
    frames = moving_texture(np.zeros((5, 2)))
    sparse = video([label(0, POINTS), label(4, POINTS)], 5)
    person = propagate_labels(frames, sparse, AutoPropagator(weights=weights)).persons[2]
    ratio = 0.1 / SCALE
    within = 1 - (1 + ratio) * math.exp(-ratio)
    odds = within / (1 - within) / 2
    np.testing.assert_allclose(person.scores, odds / (1 + odds), rtol=1e-3)


def test_the_probability_of_a_small_error_by_hand():
    # The distance of a planar Laplace error is gamma distributed with shape 2.
    assert probability_within(np.log(0.1), 0.1) == pytest.approx(1 - 2 / math.e)
    rng = np.random.default_rng(0)
    distance = rng.gamma(2, 0.05, 200_000)
    assert probability_within(np.log(0.05), 0.1) == pytest.approx((distance < 0.1).mean(), abs=5e-3)


@pytest.mark.parametrize('content', [b'', b'no weights', None], ids=['empty', 'text', 'missing'])
def test_bad_weights_are_refused_in_one_sentence(tmp_path, content):
    path = tmp_path / 'fuser.onnx'
    if content is not None:
        path.write_bytes(content)
    words = r'fuser(\.onnx (is not a network|cannot be read)| weights .* cannot be used)'
    with pytest.raises(InputError, match=words) as error:
        AutoPropagator(weights=path)
    assert '\n' not in str(error.value)


RECORD = TrainedFuser(PushingNetwork(), ScoreCalibrator(), 'nothing').record()


@pytest.mark.parametrize(
    ('record', 'words'),
    [
        ('{broken', r'fuser weights .* cannot be used'),
        (json.dumps({**RECORD, 'evidence': 'of before'}), 'it was trained on other evidence'),
    ],
)
def test_files_of_another_record_are_refused_in_one_sentence(tmp_path, record, words):
    network = onnx.load(SHIPPED_FUSER)
    onnx.helper.set_model_props(network, {ONNX_RECORD: record})
    onnx.save(network, tmp_path / 'fuser.onnx')
    with pytest.raises(InputError, match=words):
        TrainedFuser.load(tmp_path / 'fuser.onnx')


def test_a_gap_that_is_a_little_too_long_is_divided_in_halves(label, video):
    (gap,) = gaps_of_labels(video([label(n, POINTS) for n in (0, 66)], 67), 67)
    parts = [keys for _, keys in split_gap(gap)]
    assert parts == [range(1, 33), range(33, 66)]
