from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from research.training.fuser_training import (
    TrainingGapDataset,
    as_annotated,
    calibrate,
    collate_gaps,
    collect_training_gaps,
    judged_joints,
    train_network,
)
from research.training.gap_fuser import GapFuser, build_fuser
from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation.auto.evidence_maps import MAP_STEPS
from stdpose_mm.labelling.propagation.auto.fusion_features import MAPS, WINDOW_HEATMAPS
from stdpose_mm.labelling.propagation.auto.trained_fuser import TrainedFuser
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from stdpose_mm.tracking.optical_flow import DISFlow

pytestmark = pytest.mark.slow

POINTS = np.array([[60, 50], [90, 50], [75, 80]], float)
LENGTH = 12


def labels_of(points: np.ndarray) -> VideoLabels:
    """One person at ``points`` [F, K, 2]."""
    return VideoLabels(
        'clip',
        Skeleton(tuple(f'joint_{n}' for n in range(points.shape[1]))),
        tuple(VideoFrame(n) for n in range(len(points))),
        tuple(
            PersonLabel(n, pose, np.full(len(pose), 2), track_id=0) for n, pose in enumerate(points)
        ),
    )


@pytest.fixture(scope='module')
def clip():
    """A texture that swings to and fro, and joints that move with it."""
    shifts = np.stack([15 * np.sin(np.arange(LENGTH)), np.zeros(LENGTH)], axis=-1)
    noise = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (160, 220, 3)), (0, 0), 3)
    noise = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    frames = [
        cv2.warpAffine(noise, np.float32([[1, 0, x - 30], [0, 1, -20]]), (160, 120))
        for x, _ in shifts
    ]
    return ArrayFrames(frames), labels_of(POINTS + shifts[:, None])


@pytest.fixture(scope='module')
def segments(clip):
    frames, truth = clip
    rng = np.random.default_rng(0)
    return list(collect_training_gaps(frames, truth, [3, 4, 5], DISFlow(), rng))


@pytest.fixture(scope='module')
def broken(segments):
    """The same with every second segment's truth too far away for anybody to be right."""
    return [
        replace(segment, targets=segment.targets + np.float32(0.5 * (n % 2)))
        for n, segment in enumerate(segments)
    ]


def test_targets_lead_to_the_truth_in_frames_whose_label_was_hidden(segments, clip):
    truth = np.stack([person.keypoints for person in clip[1].persons])
    assert len(segments) > 5
    for segment in segments:
        evidence = segment.evidence
        assert (segment.weights == evidence.interior[:, None]).all()
        positions = evidence.centre + segment.targets * evidence.size
        for row in np.flatnonzero(evidence.interior):
            errors = np.abs(truth - positions[row]).max(axis=(1, 2))
            assert errors.min() < 1e-3
        np.testing.assert_allclose(segment.relative_size[evidence.interior], 1, rtol=1e-6)


def test_annotators_leave_a_label_until_the_joint_has_moved_and_click_beside_it():
    rng = np.random.default_rng(1)  # of middling care
    path = POINTS + np.linspace(0, 30, 200)[:, None, None] * [1, 0]
    annotated = as_annotated(labels_of(path), rng)
    clicked = np.stack([person.keypoints for person in annotated.persons])
    moved = np.any(np.diff(clicked, axis=0) != 0, axis=-1)
    assert 0 < moved.mean() < 0.5
    distance = np.linalg.norm(clicked - path, axis=-1) / 30
    assert 0.001 < distance.mean() < 0.05
    assert distance.max() < 0.05 + 4.5 * 0.02
    assert [person.track_id for person in annotated.persons] == [0] * 200


def test_a_turned_segment_is_the_same_segment_turned(segments):
    """The peak of a map stays where the target is, however the segment is turned."""
    segment = segments[0]
    place = np.array([2, -1])
    maps = np.zeros_like(segment.evidence.maps)
    maps[:, :, 0, MAPS.index('final_heatmap'), 4 + place[1], 4 + place[0]] = 1
    targets = np.broadcast_to(place * MAP_STEPS[0], segment.targets.shape).astype(np.float32)
    marked = replace(segment, evidence=replace(segment.evidence, maps=maps), targets=targets)
    dataset = TrainingGapDataset(
        [marked], heatmap_dropout=0, simulated=0, joint_dropout=0, max_rotation=180
    )
    dataset._distort_heatmaps = lambda item, kind: None
    steps = (torch.arange(9) - 4) * MAP_STEPS[0]
    turned = 0
    for _ in range(20):
        item = dataset[0]
        values = item['maps'][1, 0, 0, MAPS.index('final_heatmap')]
        mean = torch.stack([(values.sum(0) * steps).sum(), (values.sum(1) * steps).sum()])
        torch.testing.assert_close(mean / values.sum(), item['targets'][1, 0], atol=4e-3, rtol=0)
        torch.testing.assert_close(
            item['targets'].norm(dim=-1), torch.from_numpy(targets).norm(dim=-1)
        )
        turned += not np.allclose(item['targets'], targets)
    assert turned > 10


def test_maps_of_one_kind_are_moved_and_weakened_at_all_reaches(segments):
    evidence = segments[0].evidence
    maps = np.zeros_like(evidence.maps, dtype=np.float32)
    maps[..., 4, 4] = 1
    dataset = TrainingGapDataset(segments)
    item = {'maps': torch.from_numpy(maps)}
    for _ in range(5):
        dataset._distort_heatmaps(item, WINDOW_HEATMAPS)
    distorted = item['maps'].numpy()
    assert (distorted[..., WINDOW_HEATMAPS.maps, 4, 4] < 0.999).mean() > 0.9
    assert distorted[..., WINDOW_HEATMAPS.maps, :, :].max() <= 1
    left = np.delete(np.arange(len(MAPS)), WINDOW_HEATMAPS.maps)
    np.testing.assert_array_equal(distorted[:, :, :, left], maps[:, :, :, left])


def test_a_batch_is_padded_at_the_end(segments):
    items = [TrainingGapDataset(segments, heatmap_dropout=1, simulated=0)[n] for n in (0, 1)]
    items[1] = {
        name: value if name == 'present' else value[:2] if name == 'known' else value[:, :2]
        for name, value in items[1].items()
    }
    batch = collate_gaps(items)
    frames = [len(item['present']) for item in items]
    assert batch['vectors'].shape[:3] == (2, max(frames), 3)
    assert batch['known'][1].tolist()[2:] == [False]
    assert batch['present'].sum(1).tolist() == frames
    torch.testing.assert_close(batch['targets'][1, : frames[1], :2], items[1]['targets'])
    assert not batch['weights'][1, :, 2].any()


@pytest.mark.parametrize('steps', [30, 20], ids=['usual', 'no step in which the rate could rise'])
def test_training_lowers_the_error(segments, tmp_path, steps):
    def error(network: GapFuser) -> float:
        fuser, rng = TrainedFuser(network, ScoreCalibrator(), ''), np.random.default_rng(0)
        pairs = [pair for segment in segments for pair in judged_joints(fuser, segment, rng)]
        return float(np.concatenate([errors for _, errors in pairs]).mean())

    dataset = TrainingGapDataset(segments)
    network = train_network(dataset, tmp_path, max_iters=steps, learning_rate=1.5e-3)
    torch.manual_seed(0)
    assert error(network) < 0.5 * error(build_fuser().eval())


def test_calibrated_scores_are_as_high_as_the_share_of_right_joints(broken):
    torch.manual_seed(0)
    fresh = TrainedFuser(build_fuser().eval(), ScoreCalibrator(), '')
    fuser = calibrate(fresh, broken)
    fitted = fuser.calibrator
    careful = ScoreCalibrator(fitted.slope, fitted.offset - 0.7, fitted.weight)
    assert calibrate(fresh, broken, margin=0.7).calibrator == careful
    rng = np.random.default_rng(0)
    pairs = [pair for segment in broken for pair in judged_joints(fuser, segment, rng)]
    scores = np.concatenate([scores for scores, _ in pairs])
    errors = np.concatenate([errors for _, errors in pairs])
    assert scores.mean() == pytest.approx((errors <= 0.1).mean(), abs=0.05)
