r"""Compare the speed of `stdpose infer` and of MMPose with one ONNX network and the same boxes.

    python -m research.tools.benchmark_onnx
    python -m research.tools.benchmark_onnx --config rtmpose-m_8xb256-420e_coco-256x192 --threads 2

A clip is generated, and a model of RTMPose in MMPose is exported. MMPose's inferencer runs frame by
frame, with the ONNX network in place of its own; so does a bare loop that only warps, normalises,
runs and takes the largest bins. Without a checkpoint the weights are random, which takes the same
time. Pipelines take turns; times are medians over the turns.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmpose.apis.inferencers import Pose2DInferencer

from research.arguments import SpeedOptions
from research.speed.inference_comparison import make_video
from research.speed.inference_speed import Video, detect_given_boxes
from research.speed.machine import describe_machine
from research.speed.timing import take_turns
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import option
from stdpose_mm.detection import PrecomputedBoxes
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.inference.estimate_video import estimate_video
from stdpose_mm.inference.frame_pose_estimator import FramePoseEstimator
from stdpose_mm.io.file_names import find_installed_config
from stdpose_mm.io.video import open_frames
from stdpose_mm.pose_networks.described_network import OnnxPoseNetwork
from stdpose_mm.pose_networks.network_description import PRESETS

OUTPUTS = ['simcc_x', 'simcc_y']


@dataclass(kw_only=True)
class BenchmarkOnnxOptions(SpeedOptions):
    """Options of ``benchmark_onnx.py``.

    Args:
        config: Name of a config of RTMPose for COCO's joints that comes with MMPose.
        frames: Length of the video.
        threads: Threads of PyTorch and onnxruntime.
        repeat: Number of turns.
    """

    config: str = option('rtmpose-s_8xb256-420e_coco-256x192')
    frames: int = option(48, type=positive)
    threads: int = option(1, type=positive)
    repeat: int = option(7, type=positive)


def compare_onnx(options: BenchmarkOnnxOptions) -> None:
    """Measure and print.

    Raises:
        InputError: If MMPose has no such config.
    """
    torch.set_num_threads(options.threads)
    print(describe_machine(), flush=True)
    file = find_installed_config(options.config, [('mmpose', 'configs')])
    if file is None:
        raise InputError(f'{options.config} does not come with MMPose, give the name of a config')
    config = read_config(file)
    config.model.backbone.init_cfg = None
    config.model.test_cfg.flip_test = False
    inferencer = Pose2DInferencer(config, options.checkpoint, device='cpu', det_model='whole_image')
    with tempfile.TemporaryDirectory() as temporary:
        network = export_rtmpose(inferencer.model, Path(temporary) / 'network.onnx')
        video = make_video(options, Path(temporary) / 'clip.mp4')
        pipelines = {
            'MMPose': mmpose(video, inferencer, network),
            'bare loop': partial(run_bare, video, network),
            'stdpose infer': partial(run_ours, video, network, options.batch_size),
        }
        poses = [run() for run in pipelines.values()]
        turns = next(islice(take_turns([*pipelines.values()]), options.repeat - 1, None))
    print(f'{options.frames} frames, {options.people} people, {options.threads} threads:')
    rows = zip(pipelines, poses, turns.median(), turns.speed_ups(), strict=True)
    for name, keypoints, seconds, speed_up in rows:
        wall, cpu = (1000 * time / options.frames for time in (seconds.wall, seconds.cpu))
        print(
            f'{name:<14} {wall:7.1f} ms a frame, {cpu:7.1f} ms of CPU, {speed_up.value:.2f} times '
            f"as fast as MMPose, joints {np.abs(keypoints - poses[0]).max():.2f} px from MMPose's"
        )


def export_rtmpose(model: Any, path: Path) -> OnnxPoseNetwork:
    """Export a model of MMPose in MMDeploy's form, and load it."""
    # A module in training mode would leave the model in it.
    exported = torch.nn.Module().eval()
    exported.model = model
    exported.forward = lambda inputs: model.head(model.extract_feat(inputs))
    width, height = model.head.decoder.input_size
    torch.onnx.export(
        exported,
        (torch.zeros(1, 3, height, width),),
        str(path),
        input_names=['input'],
        output_names=OUTPUTS,
        dynamic_axes={name: {0: 'batch'} for name in ('input', *OUTPUTS)},
        dynamo=False,
    )
    return OnnxPoseNetwork(path, PRESETS['rtmpose-coco'])


def mmpose(video: Video, inferencer: Any, network: OnnxPoseNetwork) -> Any:
    """Let MMPose's inferencer run an ONNX network; return the function that estimates all poses."""
    inferencer.model.extract_feat = lambda crops: crops.numpy()
    inferencer.model.head.forward = lambda crops: [*map(torch.from_numpy, network._run(crops))]
    set_boxes = detect_given_boxes(inferencer)

    def run() -> np.ndarray:
        set_boxes(iter(video.people))
        results = inferencer(str(video.path), bbox_thr=0, nms_thr=1)
        people = [person for result in results for person in result['predictions'][0]]
        return np.array([person['keypoints'] for person in people])

    return run


def run_ours(video: Video, network: OnnxPoseNetwork, batch_size: int) -> np.ndarray:
    """Estimate all poses as ``stdpose infer`` does."""
    boxes = PrecomputedBoxes(dict(enumerate(video.people)))
    estimator = FramePoseEstimator(network, batch_size)
    with closing(estimate_video(open_frames(video.path), boxes, estimator)) as estimates:
        return np.concatenate([estimate.keypoints for estimate in estimates])


def run_bare(video: Video, network: OnnxPoseNetwork) -> np.ndarray:
    """Estimate all poses crop by crop."""
    capture, poses = cv2.VideoCapture(str(video.path)), []
    for people in video.people:
        _, picture = capture.read()
        for box in people.boxes:
            inputs, to_crop = network._crop([picture], box[None], cv2.BORDER_CONSTANT)
            bins = [part[0].argmax(axis=-1) for part in network._run(inputs)]
            pixels = np.stack(bins, axis=-1) / 2 - to_crop[0, :, 2]
            poses.append(pixels @ np.linalg.inv(to_crop[0, :, :2]).T)
    return np.array(poses)


main = Command(BenchmarkOnnxOptions, compare_onnx, __doc__, 'benchmark_onnx.py')

if __name__ == '__main__':
    raise SystemExit(main())
