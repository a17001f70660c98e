from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.evidence import PersonCrop, PoseHeatmaps, PoseNetwork
from stdpose_mm.labelling.propagation import find_gaps, propagate_labels
from stdpose_mm.labelling.propagation.auto import AutoPropagator
from stdpose_mm.labelling.propagation.auto.network_heatmaps import (
    SHIPPED_STDPOSES,
    WindowHeatmapEstimator,
    shipped_stdposes,
)
from stdpose_mm.labelling.propagation.auto.trained_fuser import PEOPLE_FUSER, SHIPPED_FUSER
from stdpose_mm.structures import POSETRACK_SKELETON, Skeleton, VideoFrame, VideoLabels
from support.drifting_person import NAMES, NUM_FRAMES, box_at, pose_at
from support.frame_sources import CountingFrames
from support.tiny_models import moving_pictures, window_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def model():
    return window_model(Skeleton(NAMES))


def test_pictures_are_read_once_for_all_people(label):
    estimator = WindowHeatmapEstimator(shipped_stdposes()[0], is_of_people=True)
    gaps = []
    for track_id in range(3):
        labels = {
            frame: label(frame, pose_at(frame), None, track_id, bbox=box_at(frame))
            for frame in (0, 11)
        }
        boxes = {frame: box_at(frame) for frame in range(1, 11)}
        gaps += find_gaps(track_id, labels, boxes, range(NUM_FRAMES))
    frames = CountingFrames(moving_pictures(NUM_FRAMES))
    mapping = estimator.shared_joints(Skeleton(NAMES))
    maps = dict(estimator.estimator.heatmaps(frames, [(gap, gap.frames) for gap in gaps], mapping))
    assert frames.reads == list(range(NUM_FRAMES))
    assert sorted(maps) == [0, 1, 2]
    for other in (1, 2):
        np.testing.assert_array_equal(maps[other].final_heatmaps, maps[0].final_heatmaps)


def test_joints_that_it_was_not_trained_on_are_not_shared():
    untrained = {NAMES.index('left_ear'), NAMES.index('right_ear')}
    for backend in shipped_stdposes():
        estimator = WindowHeatmapEstimator(backend, is_of_people=True)
        mapping = estimator.shared_joints(POSETRACK_SKELETON)
        assert mapping is not None
        assert set(mapping.shared) == set(range(len(NAMES))) - untrained


@pytest.fixture
def sparse(label) -> VideoLabels:
    labels = tuple(label(frame, pose_at(frame), bbox=box_at(frame)) for frame in (0, 11))
    frames = tuple(VideoFrame(n) for n in range(NUM_FRAMES))
    return VideoLabels('clip', Skeleton(NAMES), frames, labels)


def poses(sparse, **options) -> np.ndarray:
    frames = ArrayFrames(moving_pictures(NUM_FRAMES))
    dense = propagate_labels(frames, sparse, AutoPropagator(**options))
    return np.stack([person.keypoints for person in dense.persons])


def test_auto_and_a_fuser_of_ones_own_use_it_unless_it_is_left_out(sparse):
    by_default = poses(sparse)
    assert np.abs(by_default - poses(sparse, use_stdpose=False)).max() > 1e-2
    np.testing.assert_array_equal(poses(sparse, weights=PEOPLE_FUSER), by_default)


class BlindBackend(OnnxWindowBackend):
    """A network that sees nothing."""

    def frame_heatmaps(self, features):
        return np.zeros_like(super().frame_heatmaps(features))

    def fuse(self, features, rows, labels=None):
        return np.zeros_like(super().fuse(features, rows, labels))


@pytest.mark.parametrize('sighted', [0, 1], ids=['generated people', 'real people'])
def test_the_network_that_finds_the_labels_is_used(sparse, sighted):
    backends = [*shipped_stdposes()]
    alone = poses(sparse, stdposes=backends[sighted : sighted + 1])
    assert np.abs(alone - poses(sparse, use_stdpose=False)).max() > 1e-2
    blind = 1 - sighted
    backends[blind] = BlindBackend.from_stdpose(SHIPPED_STDPOSES[blind])
    np.testing.assert_array_equal(poses(sparse, stdposes=backends), alone)


def test_results_of_other_networks_are_not_taken_from_the_cache():
    first, second = shipped_stdposes()
    pairs = ([first], [second], [first, second])
    assert len({fingerprint(AutoPropagator(stdposes=backends)) for backends in pairs}) == 3


def test_a_model_of_ones_own_takes_its_place(sparse, model):
    own = poses(sparse, window_model=model)
    np.testing.assert_array_equal(own, poses(sparse, window_model=model, use_stdpose=False))


class PersonNetwork(PoseNetwork):
    """Find the joints of ``pose_at`` at the same places in every frame; a cell is a pixel.

    Args:
        names: The joints that it knows.
        offset: Distance of what it finds from the joints, in pixels.
    """

    def __init__(self, names: tuple[str, ...], offset: float = 0.0) -> None:
        super().__init__('person', Skeleton(names))
        places = pose_at(0)[[NAMES.index(name) for name in names]] + offset
        y, x = np.mgrid[:80, :96]
        distances = (x - places[:, 0, None, None]) ** 2 + (y - places[:, 1, None, None]) ** 2
        self.maps = np.exp(-distances / 8).astype(np.float32)

    def view(self, picture, box):
        return PersonCrop(picture, np.eye(2, 3))

    def estimate_crops(self, crops):
        count = len(crops)
        affines = np.tile(np.eye(3)[:2], (count, 1, 1))
        known = np.ones((count, len(self.maps)), dtype=bool)
        return PoseHeatmaps(np.tile(self.maps, (count, 1, 1, 1)), affines, known)


@pytest.fixture
def propagate(label) -> Callable[..., np.ndarray]:
    """Propagate between two labels in pictures that stand still."""

    def propagate(moved: float, **options: Any) -> np.ndarray:
        labels = (
            label(0, pose_at(0), bbox=box_at(0)),
            label(6, pose_at(0) - [moved, 0], bbox=box_at(0)),
        )
        video = VideoLabels('clip', Skeleton(NAMES), tuple(map(VideoFrame, range(7))), labels)
        frames = ArrayFrames(np.tile(moving_pictures(1), (7, 1, 1, 1)))
        dense = propagate_labels(frames, video, AutoPropagator(**options))
        return np.stack([person.keypoints for person in dense.persons])

    return propagate


@pytest.mark.parametrize(('moved', 'is_used'), [(5.0, False), (7.0, True)])
def test_it_is_left_out_where_flow_arrives_at_the_labels(propagate, moved, is_used):
    """The pose is 40 pixels high: flow misses the other label by 0.125 and 0.175 of it."""
    by_default, without = propagate(moved), propagate(moved, use_stdpose=False)
    assert np.array_equal(by_default, without) == (not is_used)


@pytest.mark.parametrize(
    ('offset', 'is_used'), [(0.0, True), (15.0, False)], ids=['it finds the labels', 'it does not']
)
def test_it_is_used_beside_a_network_of_single_frames(propagate, offset, is_used):
    network = {'pose_networks': [PersonNetwork(NAMES, offset)]}
    both, network_alone = (propagate(7.0, **network, use_stdpose=used) for used in (True, False))
    alone = propagate(7.0)
    assert np.abs(both - network_alone).max() > 1e-2
    assert np.array_equal(both, alone) == (not is_used)


ANIMAL = Skeleton(tuple(f'L_{name}' for name in ('Paw', 'Tail', *'abcdefghijklmno')))


def test_labels_of_an_animal_get_the_fuser_of_generated_clips_and_no_stdpose(sparse):
    of_animal = replace(sparse, skeleton=ANIMAL)
    expected = poses(of_animal, use_stdpose=False, weights=SHIPPED_FUSER)
    np.testing.assert_array_equal(poses(of_animal), expected)


def test_without_its_stdposes_labels_of_people_have_their_fuser_all_the_same(sparse):
    expected = poses(sparse, use_stdpose=False, weights=PEOPLE_FUSER)
    np.testing.assert_array_equal(poses(sparse, use_stdpose=False), expected)
    assert np.abs(expected - poses(sparse, use_stdpose=False, weights=SHIPPED_FUSER)).max() > 1e-3


@pytest.mark.parametrize(
    ('skeleton', 'options', 'words'),
    [
        (ANIMAL, {}, 'weighed by the fuser for any subject, without a pose network'),
        (POSETRACK_SKELETON, {'use_stdpose': False}, 'the fuser for people, without a pose'),
        (POSETRACK_SKELETON, {}, "the fuser for people, and heatmaps of the package's STDPose"),
        (POSETRACK_SKELETON, {}, 'for 15 of 17 joints'),
        (ANIMAL, {'weights': SHIPPED_FUSER}, 'weighed by your fuser'),
    ],
)
def test_it_is_said_which_networks_are_used(skeleton, options, words):
    assert words in AutoPropagator(**options).describe(skeleton)


def test_labels_of_an_animal_do_not_wait_for_networks_of_people(sparse, monkeypatch):
    monkeypatch.setattr(
        'stdpose_mm.labelling.propagation.auto.auto_propagator.shipped_stdposes',
        lambda: pytest.fail('they were loaded'),
    )
    assert len(poses(replace(sparse, skeleton=ANIMAL))) == NUM_FRAMES
