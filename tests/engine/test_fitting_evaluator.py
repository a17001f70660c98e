"""Evaluators that would fail after all predictions are refused before the first one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from stdpose_mm.engine.config_files import (
    read_config,
    require_label_files,
    require_schedule,
)
from stdpose_mm.engine.fitting_evaluator import require_fitting_evaluator
from stdpose_mm.errors import InputError
from support.paths import ROOT
from support.tiny_set import TinySet, video_json

pytestmark = pytest.mark.slow


@pytest.fixture
def tiny_set(tmp_path: Path) -> TinySet:
    """The labels of two videos without head boxes; their pictures are not looked at."""
    (tmp_path / 'annotations').mkdir()
    tiny_set = TinySet(tmp_path)
    for number, name in enumerate('ab', start=1):
        tiny_set.label_file(name).write_text(json.dumps(video_json(name, number)))
    return tiny_set


@pytest.fixture
def labels(tiny_set: TinySet) -> TinySet:
    """The same with head boxes."""

    def add_head_boxes(data: dict) -> None:
        for person in data['annotations']:
            person['bbox_head'] = [1, 1, 10, 10]

    for name in 'ab':
        tiny_set.change(add_head_boxes, name)
    return tiny_set


def config(tiny_set: TinySet, save_best: Any = 'auto', **metric: Any) -> Config:
    dataset = dict(
        type='PoseTrack18WindowDataset', **tiny_set.args, interval=4, held_out_share=0.25,
        held_out='only', test_mode=True,
    )  # fmt: skip
    evaluator = dict(
        type='PoseTrackMetric', ann_file=str(tiny_set.root / 'annotations'), given_interval=4,
        held_out_share=0.25, held_out='only',
    )  # fmt: skip
    return Config(
        dict(
            val_dataloader=dict(dataset=dataset),
            val_evaluator={**evaluator, **metric},
            default_hooks=dict(checkpoint=dict(save_best=save_best)),
        )
    )


@pytest.mark.parametrize('save_best', ['auto', 'posetrack/AP', 'posetrack/PCK@0.1_all', None])
def test_a_fitting_evaluator_passes(labels: TinySet, save_best: str | None) -> None:
    require_fitting_evaluator(config(labels, save_best), 'val')


def test_a_misspelt_best_metric_is_refused_with_names_like_it(labels: TinySet) -> None:
    with pytest.raises(InputError, match=r"'posetrack/APP', which no metric .*posetrack/AP"):
        require_fitting_evaluator(config(labels, 'posetrack/APP'), 'val')


@pytest.mark.parametrize('given', [7, None])
def test_another_interval_than_the_datasets_is_refused(labels: TinySet, given: int | None) -> None:
    with pytest.raises(InputError, match=f'given_interval is {given}, .*set given_interval=4'):
        require_fitting_evaluator(config(labels, given_interval=given), 'val')


@pytest.mark.parametrize('held_out', [dict(held_out_share=0.0, held_out='exclude'),
                                      dict(held_out='exclude')])  # fmt: skip
def test_other_videos_than_the_datasets_are_refused(labels: TinySet, held_out: dict) -> None:
    with pytest.raises(InputError, match="video 'a' is read by val_evaluator, but not by val_data"):
        require_fitting_evaluator(config(labels, **held_out), 'val')


def test_videos_that_only_the_dataset_reads_are_refused(labels: TinySet) -> None:
    cfg = config(labels)
    cfg.val_dataloader.dataset.held_out_share = 0.0
    cfg.val_dataloader.dataset.held_out = 'exclude'
    with pytest.raises(InputError, match=r"video 'a' is read by val_dataloader.dataset, but not"):
        require_fitting_evaluator(cfg, 'val')


def test_labels_without_head_boxes_are_refused(tiny_set: TinySet) -> None:
    with pytest.raises(InputError, match='no head box'):
        require_fitting_evaluator(config(tiny_set), 'val')


def test_a_learning_rate_that_is_no_number_is_refused() -> None:
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(type='AdamW', lr='abc'))))
    with pytest.raises(InputError, match="lr must be a number, got 'abc'"):
        require_schedule(cfg)


def test_an_option_for_a_step_beyond_the_pipeline_is_a_short_sentence() -> None:
    with pytest.raises(InputError, match='Index 99 exceeds') as error:
        read_config(
            ROOT / 'configs' / 'stdpose_tiny_estimation_synthetic.py',
            {'train_dataloader.dataset.pipeline.99.prob': 1},
        )
    assert len(str(error.value)) < 450


def test_missing_detections_are_found_at_the_start_and_say_who_writes_them(
    labels: TinySet,
) -> None:
    cfg = config(labels)
    cfg.val_dataloader.dataset.update(boxes='detected', bbox_file='detections/val.json')
    with pytest.raises(InputError, match=r'val\.json does not exist, .*detect_people\.py'):
        require_label_files(cfg, 'val')
