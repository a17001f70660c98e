"""Ways to estimate poses in a video with known boxes, side by side: MMPose's own and ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmpose.apis.inferencers import Pose2DInferencer

from stdpose_mm.choices import CropPolicy
from stdpose_mm.errors import InputError
from stdpose_mm.inference import (
    OnnxWindowBackend,
    VideoPoseEstimator,
    WindowBackend,
    WindowModel,
)
from stdpose_mm.io.video import open_frames
from stdpose_mm.structures import TrackedBoxes, to_corners

from .timing import Stages

BACKBONE = 'backbone alone'

STAGES = ('decode video', 'crop', 'backbone', 'neck and heads', 'decode heatmaps')
"""What the time goes to; onnxruntime does not tell the backbone from the frame head behind it."""


@dataclass(frozen=True)
class Video:
    """What every way gets.

    Args:
        path: The video file.
        people: The people of every frame.
    """

    path: Path
    people: Sequence[TrackedBoxes]


@dataclass(frozen=True)
class Pipeline:
    """One way to estimate poses.

    Args:
        name: How it is called.
        precision: Of its network.
        run: Estimates all poses of the video; returns their keypoints [P, K, 2], frame by frame.
        passes: Crops that its backbone sees for a person in a frame, mirrored ones included.
    """

    name: str
    precision: str
    run: Callable[[Stages], np.ndarray]
    passes: int


def ours(
    video: Video,
    model: WindowModel,
    crops: CropPolicy,
    network: WindowBackend,
    batch_size: int,
    name: str,
    precision: str,
) -> Pipeline:
    """This package's estimator.

    Args:
        video: The video.
        model: The model, with its precision.
        crops: See :class:`VideoPoseEstimator`.
        network: What runs the network.
        batch_size: Crops, and windows, that the network sees at once.
        name: How to call it.
        precision: What to call its precision.
    """
    estimator = VideoPoseEstimator(model, network, crops, batch_size)
    encoder = 'backbone' if isinstance(network, OnnxWindowBackend) else 'neck and heads'
    parts = [
        (model, 'crop_at', 'crop'),
        (model, 'cut', 'crop'),
        (model, 'decode', 'decode heatmaps'),
        (network, 'encode', encoder),
        (network, 'fuse', 'neck and heads'),
        (model.model.backbone, 'forward', 'backbone'),
    ]

    def run(stages: Stages) -> np.ndarray:
        pictures = stages.iterated('decode video', open_frames(video.path))
        boxed = zip(range(len(video.people)), pictures, video.people, strict=True)
        with _timed(stages, parts), closing(estimator.estimate(boxed)) as frames:
            return np.concatenate([frame.keypoints for frame in frames])

    passes = _views(model.model.test_cfg) * (3 if crops == 'window' else 1)
    return Pipeline(name, precision, run, passes)


def mmpose(video: Video, config: Config, weights: WindowModel, bfloat16: bool = False) -> Pipeline:
    """MMPose's ``Pose2DInferencer``: frame by frame, a batch being the people of a frame.

    The model is MMPose's ``TopdownPoseEstimator`` and ``HeatmapHead`` on the backbone of ours,
    with the weights of our backbone and frame head. A stand-in for a detector gives the boxes. In
    bfloat16 the head is ours, since MMPose's own fails to hand its heatmaps to NumPy.

    Args:
        video: The video.
        config: The config of our model.
        weights: Our model, not packed.
        bfloat16: Whether it runs under autocast.
    """
    inferencer = Pose2DInferencer(
        per_frame_config(config, weights, 'FrameHead' if bfloat16 else 'HeatmapHead'),
        device='cpu',
        det_model='whole_image',
    )
    state = {
        name.removeprefix('frame_'): value
        for name, value in weights.model.state_dict().items()
        if name.startswith(('backbone.', 'frame_head.'))
    }
    inferencer.model.load_state_dict(state)
    inferencer.det_cat_ids = [0]
    boxes: Iterator[TrackedBoxes] = iter(())

    def detect(picture: Any, return_datasamples: bool) -> dict[str, list[Any]]:
        people = next(boxes)
        found = InstanceData(
            bboxes=torch.from_numpy(to_corners(people.boxes)),
            scores=torch.ones(len(people)),
            labels=torch.zeros(len(people), dtype=torch.long),
        )
        return {'predictions': [SimpleNamespace(pred_instances=found)]}

    inferencer.detector = detect
    parts = [
        (inferencer, 'preprocess_single', 'crop'),
        (inferencer.model.backbone, 'forward', 'backbone'),
        (inferencer.model.head, 'forward', 'neck and heads'),
        (inferencer.model.head, 'decode', 'decode heatmaps'),
    ]

    def run(stages: Stages) -> np.ndarray:
        nonlocal boxes
        boxes = iter(video.people)
        list_inputs = inferencer._inputs_to_list
        inferencer._inputs_to_list = lambda inputs: stages.iterated(
            'decode video', list_inputs(inputs)
        )
        precision = torch.autocast('cpu', torch.bfloat16, enabled=bfloat16)
        poses: list[Any] = []
        try:
            with precision, _timed(stages, parts):
                # The thresholds let all boxes pass, those of people that overlap too.
                for result in inferencer(str(video.path), bbox_thr=0, nms_thr=1):
                    poses.extend(person['keypoints'] for person in result['predictions'][0])
        finally:
            del inferencer._inputs_to_list
        return np.array(poses)

    return Pipeline(
        'MMPose, per frame',
        'bfloat16' if bfloat16 else 'float32',
        run,
        _views(inferencer.model.test_cfg),
    )


def bare_backbone(video: Video, model: WindowModel, batch_size: int = 8) -> Pipeline:
    """The backbone on as many crops as the people of all frames, mirrored ones too.

    Args:
        video: The video.
        model: The model, with its precision.
        batch_size: Crops at once.
    """
    views = _views(model.model.test_cfg)
    number = views * sum(len(people) for people in video.people)
    width, height = model.input_size

    def run(stages: Stages) -> np.ndarray:
        with model.inference(), stages.stage('backbone'):
            for start in range(0, number, batch_size):
                size = min(batch_size, number - start)
                model.model.encode_frames(torch.zeros(size, 3, height, width))
        return np.zeros((0, model.skeleton.num_keypoints, 2))

    return Pipeline(BACKBONE, model.precision, run, views)


def _views(test_cfg: Any) -> int:
    """How often the network sees a crop."""
    return 2 if test_cfg.get('flip_test', False) else 1


@contextmanager
def _timed(stages: Stages, parts: Sequence[tuple[Any, str, str]]) -> Iterator[None]:
    """Within it calls of methods count for stages: parts are objects, their methods, stages."""
    for owner, method, stage in parts:
        setattr(owner, method, stages.timed(stage, getattr(owner, method)))
    try:
        yield
    finally:
        for owner, method, _ in parts:
            delattr(owner, method)


def per_frame_config(config: Config, model: WindowModel, head_type: str) -> Config:
    """A config of MMPose's own classes with the backbone and the frame head's shape of ours.

    Raises:
        InputError: If ours has no frame head.
    """
    ours = config.model
    if not ours.get('frame_head'):
        raise InputError(
            'the model of the config has no frame_head, give one that MMPose can run frame by frame'
        )
    head = deepcopy(ours.frame_head)
    sigma = head.decoder.get('sigma', 2)
    (width, height), heatmap_size = model.input_size, model.heatmap_size
    codec = dict(
        type='UDPHeatmap', input_size=(width, height), heatmap_size=heatmap_size, sigma=sigma
    )
    head.update(
        type=head_type,
        out_channels=model.skeleton.num_keypoints,
        loss=dict(type='KeypointMSELoss'),
        decoder=codec,
    )
    test_cfg = {k: v for k, v in model.model.test_cfg.items() if k != 'use_frame_head'}
    backbone = {**deepcopy(ours.backbone), 'init_cfg': None}
    pipeline = [
        dict(type='LoadImage'),
        dict(type='GetBBoxCenterScale'),
        dict(type='TopdownAffine', input_size=(width, height), use_udp=True),
        dict(type='PackPoseInputs'),
    ]
    dataset = dict(
        type='CocoDataset',
        data_mode='topdown',
        metainfo=model.skeleton.to_metainfo('benchmark'),
        pipeline=pipeline,
    )
    return Config(
        dict(
            default_scope='mmpose',
            dataset_type='CocoDataset',
            data_mode='topdown',
            model=dict(
                type='TopdownPoseEstimator',
                data_preprocessor={**ours.data_preprocessor, 'type': 'PoseDataPreprocessor'},
                backbone=backbone,
                head=head,
                test_cfg=test_cfg,
            ),
            train_dataloader=dict(dataset=dataset),
            test_dataloader=dict(dataset=dataset),
            visualizer=dict(type='PoseLocalVisualizer'),
        )
    )
