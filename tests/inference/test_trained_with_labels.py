"""Networks that were always given labels say so where they get none."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from mmengine.config import Config

from stdpose_mm.errors import InputWarning
from stdpose_mm.inference.onnx_window_backend import network_description
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend
from stdpose_mm.inference.video_pose_estimator import VideoPoseEstimator
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.structures import Skeleton
from support.tiny_models import semantic_motion, window_model

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'))
DATASET = dict(type='GenericWindowDataset', task='propagation')


def model_of(
    test: dict[str, Any] = DATASET, prob: float = 1.0, **changes: dict[str, Any]
) -> WindowModel:
    model = window_model(SKELETON, **changes)
    steps = [dict(type='LoadWindow'), dict(type='GenerateWindowTarget', aux_label_prob=prob)]
    model.config = Config(
        dict(
            model={},
            train_dataloader=dict(dataset=dict(**DATASET, pipeline=steps)),
            test_dataloader=dict(dataset=dict(test, pipeline=[])),
        )
    )
    return model


def test_a_network_trained_for_propagation_warns_as_an_estimator() -> None:
    backend = TorchWindowBackend(model_of())
    with pytest.warns(InputWarning) as notes:
        VideoPoseEstimator(backend)
    assert [str(note.message) for note in notes] == [
        'the network was trained for propagation, always with labels of other frames, and is less '
        "accurate without them, use a network that was trained with task='estimation' (such as the "
        'config stdpose-estimation), or stdpose propagate'
    ]


# The dataset's default is propagation.
def test_the_task_that_a_dataset_has_by_default_counts() -> None:
    assert model_of(dict(type='GenericWindowDataset')).trained_with_labels


@pytest.mark.parametrize(
    'model',
    [
        lambda: model_of(dict(DATASET, task='estimation')),
        lambda: model_of(prob=0.5),
        lambda: model_of(**semantic_motion(3)),
    ],
    ids=['estimation', 'half of the windows', 'no input for labels'],
)
def test_other_networks_do_not_warn(model: Any) -> None:
    backend = TorchWindowBackend(model())
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        VideoPoseEstimator(backend)


@pytest.mark.parametrize('task', ['propagation', 'estimation'])
def test_an_exported_network_knows_it_too(task: str) -> None:
    description = network_description(model_of(dict(DATASET, task=task)), [], {})
    assert description['trained_with_labels'] == (task == 'propagation')
