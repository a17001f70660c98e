"""Speed of `stdpose infer` and of MMPose with one ONNX network, on one generated video."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmpose.apis.inferencers import Pose2DInferencer
from torch import Tensor, nn
from tqdm import tqdm

from stdpose_mm.detection import PrecomputedBoxes
from stdpose_mm.errors import InputError
from stdpose_mm.inference.estimate_video import estimate_video
from stdpose_mm.inference.frame_pose_estimator import FramePoseEstimator
from stdpose_mm.io.file_names import find_installed_config
from stdpose_mm.io.video import open_frames
from stdpose_mm.pose_networks.described_network import OnnxPoseNetwork
from stdpose_mm.pose_networks.network_description import PRESETS

from .inference_comparison import make_video
from .inference_speed import Video, detect_given_boxes
from .machine import describe_machine
from .timing import take_turns

OUTPUTS = ['simcc_x', 'simcc_y']


def compare_onnx(args: Any) -> None:
    """Measure and print according to the options of ``benchmark_onnx.py``.

    Raises:
        InputError: If MMPose has no such config, or it is not one of RTMPose.
    """
    torch.set_num_threads(args.threads)
    print(describe_machine(), flush=True)
    file = find_installed_config(args.config, [('mmpose', 'configs')])
    if file is None or 'rtmpose' not in file.name:
        raise InputError(f'{args.config} is no config of RTMPose in MMPose, give the name of one')
    config = Config.fromfile(file)
    config.model.backbone.pop('init_cfg', None)
    config.model.test_cfg.flip_test = False
    inferencer = Pose2DInferencer(config, args.checkpoint, device='cpu', det_model='whole_image')
    with tempfile.TemporaryDirectory() as temporary:
        network = export_rtmpose(inferencer.model, Path(temporary) / 'network.onnx')
        video = make_video(args, Path(temporary) / 'clip.mp4')
        ours = partial(run_ours, video, network, args.batch_size)
        ways = {
            'MMPose, inferencer': run_mmpose(video, inferencer, network),
            'bare loop over crops': partial(run_bare, video, network),
            'stdpose infer': ours,
        }
        reference, *others = [work() for work in ways.values()]
        for name, poses in zip(list(ways)[1:], others, strict=True):
            print(f'{name}: at most {np.abs(poses - reference).max():.3f} pixels from MMPose')
        with tqdm(total=args.repeat * len(ways), desc='turns', unit=' runs') as bar:
            works = take_turns(list(ways.values()), bar.update)
            turns = next(islice(works, args.repeat - 1, None))
    print(
        f'{len(video.people)} frames, {args.people} people, {args.threads} threads, the same ONNX'
    )
    rows = zip(ways, turns.median(), turns.speed_ups(), strict=True)
    for name, seconds, speed_up in rows:
        print(
            f'{name:<22} {1000 * seconds.wall / len(video.people):7.1f} ms a frame, '
            f'{1000 * seconds.cpu / len(video.people):7.1f} ms of CPU, '
            f'{speed_up.value:.2f} times as fast as MMPose'
        )


def export_rtmpose(model: Any, path: Path) -> OnnxPoseNetwork:
    """Export a model of MMPose in MMDeploy's form, and load it."""

    class Exported(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, inputs: Tensor) -> Any:
            return self.model.head(self.model.extract_feat(inputs))

    width, height = model.head.decoder.input_size
    torch.onnx.export(
        # In training mode, the model would be left in it.
        Exported().eval(),
        (torch.zeros(1, 3, height, width),),
        str(path),
        input_names=['input'],
        output_names=OUTPUTS,
        dynamic_axes={name: {0: 'batch'} for name in ('input', *OUTPUTS)},
        dynamo=False,
    )
    return OnnxPoseNetwork(path, PRESETS['rtmpose-coco'])


def run_mmpose(video: Video, inferencer: Any, network: OnnxPoseNetwork) -> Any:
    """Let MMPose's inferencer run the network of an ONNX file; return the function that runs it."""
    session = network._session

    def forward(crops: Tensor) -> list[Tensor]:
        return [torch.from_numpy(v) for v in session.run(OUTPUTS, {'input': crops.numpy()})]

    inferencer.model.extract_feat = lambda inputs: inputs
    inferencer.model.head.forward = forward
    set_boxes = detect_given_boxes(inferencer)

    def run() -> np.ndarray:
        set_boxes(iter(video.people))
        results = inferencer(str(video.path), bbox_thr=0, nms_thr=1)
        people = [person for result in results for person in result['predictions'][0]]
        return np.array([person['keypoints'] for person in people])

    return run


def run_ours(video: Video, network: OnnxPoseNetwork, batch_size: int) -> np.ndarray:
    """Estimate all poses as ``stdpose infer`` does."""
    boxes: Mapping[int, Any] = dict(enumerate(video.people))
    estimator = FramePoseEstimator(network, batch_size)
    estimates = estimate_video(open_frames(video.path), PrecomputedBoxes(boxes), estimator)
    with closing(estimates):
        return np.concatenate([estimate.keypoints for estimate in estimates])


def run_bare(video: Video, network: OnnxPoseNetwork) -> np.ndarray:
    """Estimate all poses crop by crop: warp, normalise, run, and take the largest bins."""

    def pictures() -> Iterator[np.ndarray]:
        capture = cv2.VideoCapture(str(video.path))
        while (read := capture.read())[0]:
            yield read[1]

    poses = []
    for picture, people in zip(pictures(), video.people, strict=True):
        for box in people.boxes:
            inputs, to_crop = network._crop([picture], box[None], cv2.BORDER_CONSTANT)
            bins = [part[0].argmax(axis=-1) for part in network._run(inputs)]
            pixels = np.stack(bins, axis=-1) / 2 - to_crop[0, :, 2]
            poses.append(pixels @ np.linalg.inv(to_crop[0, :, :2]).T)
    return np.array(poses)
