"""MMPose's CocoMetric on the COCO file that label files become, and on samples of our datasets."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mmpose.evaluation.metrics import CocoMetric

from stdpose_mm.cli import convert
from stdpose_mm.datasets.body import PoseTrack18WindowDataset
from stdpose_mm.io.labels import write_posetrack18
from stdpose_mm.structures import POSETRACK_SKELETON, PersonLabel, VideoFrame, VideoLabels

NUM_FRAMES, VIDEOS = 3, ('a', 'b')
BOX_SIZE = np.array([60.0, 90.0])
EARS = [POSETRACK_SKELETON.index_of(name) for name in ('left_ear', 'right_ear')]
THRESHOLDS = np.arange(0.5, 1.0, 0.05)

Change = Callable[[np.ndarray], np.ndarray]


def _video(name: str, first_image_id: int) -> VideoLabels:
    """Two people side by side in every frame, one joint occluded, no ears."""
    rng = np.random.default_rng(first_image_id)
    visibility = np.full(POSETRACK_SKELETON.num_keypoints, 2)
    visibility[0] = 1
    visibility[EARS] = 0
    people = []
    for frame in range(NUM_FRAMES):
        for track in range(2):
            corner = np.array([10.0 + 150 * track, 10.0])
            keypoints = corner + rng.uniform(0, 1, (len(visibility), 2)) * BOX_SIZE
            keypoints[EARS] = 0
            box = np.concatenate([corner, BOX_SIZE])
            people.append(PersonLabel(frame, keypoints, visibility, track, bbox=box))
    frames = tuple(
        VideoFrame(i, f'images/{name}/{i:06d}.jpg', first_image_id + i) for i in range(NUM_FRAMES)
    )
    return VideoLabels(name, POSETRACK_SKELETON, frames, tuple(people))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder: two videos with label files, and one COCO file of both, by the command."""
    (tmp_path / 'annotations').mkdir()
    for i, name in enumerate(VIDEOS):
        labels = _video(name, 1000 * (i + 1))
        write_posetrack18(labels, tmp_path / 'annotations' / f'{name}.json')
        (tmp_path / 'images' / name).mkdir(parents=True)
        for frame in labels.frames:
            # Only looked for, never read.
            (tmp_path / frame.file_name).touch()
    arguments = [tmp_path / 'annotations', tmp_path / 'coco.json', '--to', 'coco']
    monkeypatch.setattr(sys, 'argv', ['convert_labels.py', *map(str, arguments)])
    assert convert.main() == 0
    return tmp_path


def _evaluate(data: Path, change: Change, frames: range = range(NUM_FRAMES)) -> dict[str, float]:
    """The figures of a model that predicts the changed truth for the samples of the dataset."""
    dataset = PoseTrack18WindowDataset(
        'annotations', str(data), task='estimation', boxes='gt', test_mode=True
    )
    items = [item for item in dataset if item['frame_index'] in frames]
    predictions = [
        dict(
            **{name: item[name] for name in ('id', 'img_id', 'category_id')},
            pred_instances=dict(
                keypoints=change(item['keypoints']),
                keypoint_scores=np.full(item['keypoints'].shape[:2], 0.9),
                bboxes=item['bbox'],
                bbox_scores=item['bbox_score'],
            ),
            gt_instances=dict(bbox_scales=item['bbox'][:, 2:] - item['bbox'][:, :2]),
        )
        for item in items
    ]
    metric = CocoMetric(str(data / 'coco.json'))
    metric.dataset_meta = dataset.metainfo
    metric.process({}, predictions)
    return metric.evaluate(len(predictions))


def test_joints_without_a_label_do_not_count(data):
    def with_ears_elsewhere(keypoints: np.ndarray) -> np.ndarray:
        changed = keypoints.copy()
        changed[:, EARS] += 30
        return changed

    assert _evaluate(data, with_ears_elsewhere)['coco/AP'] == pytest.approx(1)


@pytest.mark.parametrize('shift', [3.0, 6.0, 60.0])
def test_shifted_predictions_have_the_ap_of_their_similarity(data, shift):
    # Object keypoint similarity as cocodataset.org defines it, the same for every person here.
    sigmas = np.delete(PoseTrack18WindowDataset.METAINFO['sigmas'], EARS)
    similarity = np.exp(-(shift**2) / (2 * BOX_SIZE.prod() * (2 * sigmas) ** 2)).mean()
    expected = (similarity >= THRESHOLDS).mean()
    assert expected < 1

    results = _evaluate(data, lambda keypoints: keypoints + np.array([shift, 0.0]))
    assert results['coco/AP'] == pytest.approx(expected)
