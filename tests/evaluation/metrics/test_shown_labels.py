"""The protocol of a table holds: what counts as given was shown to the model, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.metrics import VideoPCKMetric
from support.tiny_models import PIPELINE
from support.tiny_set import HEIGHT, NUM_FRAMES, WIDTH, video_json


@pytest.fixture
def root(tmp_path: Path) -> Path:
    init_default_scope('mmpose')
    (tmp_path / 'images' / 'a').mkdir(parents=True)
    (tmp_path / 'a.json').write_text(json.dumps(video_json('a', 1)))
    for frame in range(NUM_FRAMES):
        picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        cv2.imwrite(str(tmp_path / 'images' / 'a' / f'{frame:06d}.jpg'), picture)
    return tmp_path


def samples_of(root: Path, interval: int, **target: Any) -> list[dict]:
    """What a metric gets from a model that is always right."""
    *load, targets, pack = PIPELINE
    dataset = DATASETS.build(
        dict(
            type='PoseTrack18WindowDataset',
            data_root=str(root),
            ann_file='a.json',
            interval=interval,
            test_mode=True,
            pipeline=[*load, {**targets, **target}, pack],
        )
    )
    samples = []
    for number in range(len(dataset)):
        sample = dataset[number]['data_samples']
        truth = sample.gt_instances
        sample.pred_instances = InstanceData(
            keypoints=truth.keypoints, keypoint_scores=truth.keypoints_visible
        )
        samples.append(sample.to_dict())
    return samples


def metric_of(root: Path, samples: list[dict], given_interval: int | None) -> dict[str, float]:
    metric = VideoPCKMetric(str(root / 'a.json'), given_interval)
    metric.process(None, samples)
    return metric.compute_metrics(metric.results)


def test_given_labels_that_are_shown_count_as_given(root):
    metrics = metric_of(root, samples_of(root, 3), 3)
    assert metrics['PCK@0.1'] == metrics['PCK@0.1_all'] == 100


def test_given_labels_that_are_not_shown_are_refused(root):
    samples = samples_of(root, 3, test_mode=False, label_dropout=1.0)
    with pytest.raises(InputError) as error:
        metric_of(root, samples, 3)
    assert str(error.value).startswith(
        "the label of frame 0 of video 'a' was not shown to the model, which given_interval=3 "
        'counts as given, end the test pipeline with GenerateWindowTarget(test_mode=True)'
    )


def test_one_label_that_is_not_shown_is_enough(root):
    samples = samples_of(root, 3)
    samples[-1]['gt_instance_labels']['given_mask'][0, 1] = 0
    with pytest.raises(InputError, match="the label of frame 9 of video 'a' was not shown"):
        metric_of(root, samples, 3)


def test_shown_labels_that_are_not_given_are_refused(root):
    with pytest.raises(InputError, match='which given_interval=6 does not count as given'):
        metric_of(root, samples_of(root, 3), 6)
