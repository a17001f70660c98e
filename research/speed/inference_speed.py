"""Pipelines of MMPose and of this package that estimate poses in a video with known boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmpose.apis.inferencers import Pose2DInferencer

from stdpose_mm.detection import BoxedFrame
from stdpose_mm.inference.video_pose_estimator import VideoPoseEstimator
from stdpose_mm.inference.window_backend import WindowBackend
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io.video import open_frames
from stdpose_mm.structures import FrameBoxes, to_corners

BACKBONE = 'backbone alone'

BATCH_SIZE = 8
"""Number of crops, and of windows, in one pass of this package's networks."""


@dataclass(frozen=True)
class Video:
    """Input of all pipelines.

    Args:
        path: The video file.
        people: The people of every frame.
    """

    path: Path
    people: Sequence[FrameBoxes]


@dataclass(frozen=True)
class Pipeline:
    """One pipeline.

    Args:
        name: Its name in the results.
        precision: The precision of its network.
        run: Estimates all poses of the video; returns their keypoints [P, K, 2], frame by frame.
        passes: Passes of its backbone per person and frame, including mirrored crops.
    """

    name: str
    precision: str
    run: Callable[[], np.ndarray]
    passes: int


def ours(
    video: Video, model: WindowModel, backend: WindowBackend, name: str, precision: str
) -> Pipeline:
    """Set up this package's estimator, which encodes each crop once.

    Args:
        video: The video.
        model: The model, with its precision.
        backend: Runs the network.
        name: See :class:`Pipeline`.
        precision: See :class:`Pipeline`.
    """
    estimator = VideoPoseEstimator(backend, 'frame', BATCH_SIZE)

    def run() -> np.ndarray:
        frames = zip(range(len(video.people)), open_frames(video.path), video.people, strict=True)
        with closing(estimator.estimate(starmap(BoxedFrame, frames))) as estimates:
            return np.concatenate([estimate.keypoints for estimate in estimates])

    return Pipeline(name, precision, run, _views(model.model.test_cfg))


def mmpose(video: Video, config: Config, weights: WindowModel, bfloat16: bool = False) -> Pipeline:
    """Set up MMPose's ``Pose2DInferencer``, which runs on the people of one frame at a time.

    The model is MMPose's ``TopdownPoseEstimator`` and ``HeatmapHead`` on our backbone, with the
    weights of our backbone and, if it has the same decoder, of our frame head. A stub replaces the
    detector and returns the boxes. In bfloat16 the head is ours, since MMPose's head cannot convert
    its heatmaps to NumPy.

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
    has_own_decoder = 'shuffle_channels' not in config.model.frame_head
    shared = ('backbone.', 'frame_head.') if has_own_decoder else ('backbone.',)
    state = {
        name.removeprefix('frame_'): value
        for name, value in weights.model.state_dict().items()
        if name.startswith(shared) and not name.startswith('backbone.pruning.')
    }
    inferencer.model.load_state_dict(state, strict=has_own_decoder)
    set_boxes = detect_given_boxes(inferencer)

    def run() -> np.ndarray:
        set_boxes(iter(video.people))
        with torch.autocast('cpu', torch.bfloat16, enabled=bfloat16):
            # These thresholds keep all boxes, even those of people who overlap.
            results = inferencer(str(video.path), bbox_thr=0, nms_thr=1)
            people = [person for result in results for person in result['predictions'][0]]
        return np.array([person['keypoints'] for person in people])

    return Pipeline(
        'MMPose, per frame',
        'bfloat16' if bfloat16 else 'float32',
        run,
        _views(inferencer.model.test_cfg),
    )


def detect_given_boxes(inferencer: Pose2DInferencer) -> Callable[[Iterator[FrameBoxes]], None]:
    """Replace the detector of MMPose's inferencer by one that returns given boxes.

    Returns:
        Function that sets the boxes of the next frames.
    """
    boxes: Iterator[FrameBoxes] = iter(())

    def set_boxes(given: Iterator[FrameBoxes]) -> None:
        nonlocal boxes
        boxes = given

    def detect(picture: Any, return_datasamples: bool) -> dict[str, list[Any]]:
        people = next(boxes)
        instances = InstanceData(
            bboxes=torch.from_numpy(to_corners(people.boxes)),
            # In decreasing order, MMPose's suppression leaves them in their places.
            scores=torch.linspace(1, 0.5, len(people)),
            labels=torch.zeros(len(people), dtype=torch.long),
        )
        return {'predictions': [SimpleNamespace(pred_instances=instances)]}

    inferencer.detector, inferencer.det_cat_ids = detect, [0]
    return set_boxes


def bare_backbone(video: Video, model: WindowModel) -> Pipeline:
    """Set up the backbone alone on a crop of each person in each frame, including mirrored ones.

    It computes all tokens of a crop, like MMPose's backbone.

    Args:
        video: The video.
        model: The model, with its precision.
    """
    views = _views(model.model.test_cfg)
    number = views * sum(len(people) for people in video.people)
    width, height = model.input_size
    model.model.backbone.pruning = None

    def run() -> np.ndarray:
        with model.inference():
            for start in range(0, number, BATCH_SIZE):
                size = min(BATCH_SIZE, number - start)
                model.model.encode_frames(torch.zeros(size, 3, height, width))
        return np.zeros((0, model.skeleton.num_keypoints, 2))

    return Pipeline(BACKBONE, model.precision, run, views)


def _views(test_cfg: Any) -> int:
    """Return the passes of the network per crop: 2 with ``flip_test``."""
    return 2 if test_cfg.get('flip_test', False) else 1


def per_frame_model(model: Mapping[str, Any]) -> dict[str, Any]:
    """Make the config of MMPose's estimator with our backbone and our frame head's decoder.

    Its backbone computes all tokens. ViTPose's classic decoder replaces the sub-pixel decoder,
    which MMPose does not have.

    Args:
        model: Config of our model.
    """
    head = deepcopy(dict(model['frame_head']))
    upsample, shuffle_channels = head.pop('upsample', None), head.pop('shuffle_channels', None)
    neck = None
    if upsample is not None and shuffle_channels is not None:
        head.update(deconv_out_channels=(256, 256), deconv_kernel_sizes=(4, 4))
    elif upsample is not None:
        neck = dict(type='FeatureMapProcessor', scale_factor=float(upsample), apply_relu=True)
        head.setdefault('final_layer', dict(kernel_size=3, padding=1))
    head.update(type='HeatmapHead', loss=dict(type='KeypointMSELoss'), decoder=None)
    return dict(
        type='TopdownPoseEstimator',
        data_preprocessor={**model['data_preprocessor'], 'type': 'PoseDataPreprocessor'},
        backbone={**deepcopy(dict(model['backbone'])), 'pruning': None, 'init_cfg': None},
        **({} if neck is None else {'neck': neck}),
        head=head,
    )


def per_frame_config(config: Config, model: WindowModel, head_type: str) -> Config:
    """Build a config of MMPose's classes with our backbone and the shape of our frame head."""
    per_frame = per_frame_model(config.model)
    sigma = config.model.frame_head.decoder.get('sigma', 2)
    (width, height), heatmap_size = model.input_size, model.heatmap_size
    per_frame['head'].update(
        type=head_type,
        out_channels=model.skeleton.num_keypoints,
        decoder=dict(
            type='UDPHeatmap', input_size=(width, height), heatmap_size=heatmap_size, sigma=sigma
        ),
    )
    per_frame['test_cfg'] = {k: v for k, v in model.model.test_cfg.items() if k != 'use_frame_head'}
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
            model=per_frame,
            train_dataloader=dict(dataset=dataset),
            test_dataloader=dict(dataset=dataset),
            visualizer=dict(type='PoseLocalVisualizer'),
        )
    )
