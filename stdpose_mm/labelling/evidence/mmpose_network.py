"""Unmodified top-down models of MMPose: config and checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import DATASETS, MODELS
from torch import Tensor

from stdpose_mm.engine.config_files import config_mistakes
from stdpose_mm.errors import InputError, one_line
from stdpose_mm.inference.window_model import (
    metainfo_of_dataset,
    move_to,
    read_checkpoint,
    read_test_config,
    skeleton_from_metainfo,
)
from stdpose_mm.io.disk.file_names import find_installed_config
from stdpose_mm.models.pretrained import model_weights
from stdpose_mm.structures import to_corners

from .pose_network import (
    PersonCrop,
    PoseHeatmaps,
    PoseNetwork,
    finish_heatmaps,
    scaling,
    simcc_heatmaps,
)

_NOT_FOR_CROPS = ('LoadImage', 'GenerateTarget', 'PackPoseInputs')
"""Transforms of a test pipeline that take no part in cropping."""

_HEADS = ('Heatmap', 'SimCC', 'RTM', 'MSPN', 'CPM')
"""Parts of the class names of heads that output heatmaps or SimCC distributions."""


class MMPoseNetwork(PoseNetwork):
    """Top-down model of MMPose with a head for heatmaps or SimCC.

    Crops and colours follow the config's test pipeline and data preprocessor; the geometry of the
    heatmaps is measured with the codec's own decoder. There is no flip testing.

    ViTPose runs without MMPretrain: this package's own backbone loads the same weights.

    Args:
        config: Config file.
        checkpoint: Its weights.
        device: Device to run on.

    Raises:
        InputError: If a file is missing or cannot be used, or the config is of another model.
    """

    def __init__(self, config: str | Path, checkpoint: str | Path, device: str = 'cpu') -> None:
        cfg, dataset = read_test_config(config, 'give a config of a top-down model of MMPose')
        weights, meta = read_checkpoint(checkpoint)
        metainfo: Mapping[str, Any] = meta.get('dataset_meta') or {}
        if 'keypoint_id2name' not in metainfo:
            metainfo = metainfo_of_dataset(_with_installed_metainfo(dataset))
        super().__init__(Path(config).stem, skeleton_from_metainfo(metainfo))
        self.model: Any = _build(cfg, str(config))
        try:
            missing, _ = self.model.load_state_dict(model_weights(weights), strict=False)
            if missing:
                raise RuntimeError(f'it lacks {len(missing)} weights such as {missing[0]}')
        except RuntimeError as error:
            raise InputError(
                f'checkpoint {checkpoint} does not fit config {config} ({one_line(error)}), give '
                'the config it was trained with'
            ) from error
        move_to(self.model, device).eval()
        with config_mistakes(str(config)):
            transforms = Compose(dataset.pipeline).transforms
        self._crop = Compose([t for t in transforms if type(t).__name__ not in _NOT_FOR_CROPS])
        joints = self.skeleton.num_keypoints
        if self.model.head.out_channels not in (joints, 3 * joints):
            raise InputError(
                f'config {config} makes {self.model.head.out_channels} heatmaps, but its data set '
                f'has {joints} joints, give the config that the checkpoint was trained with'
            )

    def estimate_crops(self, crops: Sequence[PersonCrop]) -> PoseHeatmaps:
        """See :meth:`PoseNetwork.estimate_crops`."""
        inputs = [torch.from_numpy(crop.transpose(2, 0, 1).copy()) for crop, _ in crops]
        with torch.inference_mode():
            data = self.model.data_preprocessor({'inputs': inputs, 'data_samples': []})
            output = self.model.head(self.model.extract_feat(data['inputs']))
        return finish_heatmaps(*self._heatmaps(output), np.stack([crop.to_crop for crop in crops]))

    def view(self, picture: np.ndarray, box: np.ndarray) -> PersonCrop:
        """See :meth:`PoseNetwork.view`."""
        corners = np.array([[[0, 0], [1, 0], [0, 1]]], dtype=np.float64)
        sample = self._crop(
            {
                'img': picture,
                'img_shape': picture.shape[:2],
                'ori_shape': picture.shape[:2],
                'bbox': to_corners(np.asarray(box))[None].astype(np.float32),
                'bbox_score': np.ones(1, np.float32),
                'keypoints': corners,
                'keypoints_visible': np.ones((1, 3), np.float32),
            }
        )
        origin, right, down = sample['transformed_keypoints'][0]
        to_crop = np.stack([right - origin, down - origin, origin], axis=1)
        return PersonCrop(sample['img'], to_crop)

    def _heatmaps(self, output: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Turn a head's output into the arguments of :func:`finish_heatmaps`."""
        decoder = self.model.head.decoder
        parts: Sequence[Tensor] = output if isinstance(output, (list, tuple)) else [output]
        if len(parts) == 2 and all(part.ndim == 3 for part in parts):
            beta = float(getattr(self.model.head.loss_module, 'beta', 1.0))
            x, y = (part.float().cpu().numpy() for part in parts)
            return simcc_heatmaps(x, y, float(decoder.simcc_split_ratio), beta)
        # Heads with several stages return all of them; the last one counts.
        heatmaps = parts[-1].float().cpu().numpy()
        # UDP heads with offset maps have several maps per joint; the first marks a disc around it.
        per_joint = heatmaps.shape[1] // self.skeleton.num_keypoints
        heatmaps = heatmaps[:, ::per_joint]
        return heatmaps, _cell_affine(decoder, heatmaps.shape[2:], per_joint), None


def _with_installed_metainfo(dataset: ConfigDict) -> ConfigDict:
    """Resolve the metainfo file that a data set names, if it comes with MMPose."""
    dataset_class = DATASETS.get(dataset.get('type', ''))
    metainfo = dataset.get('metainfo') or getattr(dataset_class, 'METAINFO', None) or {}
    file = metainfo.get('from_file')
    if 'subset' in dataset:
        # MMPose's DeepFashion data set chooses its joints when it is built.
        file = f'deepfashion_{dataset.subset}.py'
    if file is None or Path(file).is_file():
        return dataset
    # The path is relative to MMPose's repository.
    path = find_installed_config(Path(file).name, [('mmpose', 'configs/_base_/datasets')])
    return dataset if path is None else ConfigDict(dataset, metainfo={'from_file': str(path)})


def _cell_affine(decoder: Any, shape: Sequence[int], per_joint: int) -> np.ndarray:
    """Measure the [2, 3] affine from input pixels to cells by decoding two peaks."""
    height, width = shape
    cells = np.array([[width // 3, height // 3], [width - width // 3, height - height // 3]])
    x, y = np.arange(width), np.arange(height)
    maps = np.zeros((2 * per_joint, height, width), np.float32)
    for number, (at_x, at_y) in enumerate(cells):
        # The peak is symmetric about its cell, so that no refinement moves it.
        maps[number * per_joint] = np.exp(-((x[None] - at_x) ** 2 + (y[:, None] - at_y) ** 2) / 8)
    places = np.asarray(decoder.decode(maps)[0], np.float64).reshape(-1, 2)[:2]
    scale = (cells[1] - cells[0]) / (places[1] - places[0])
    return scaling(scale, cells[0] - places[0] * scale)


def _build(config: Config, name: str) -> Any:
    """Build the model of a config without its initial weights.

    Raises:
        InputError: If it is not a top-down model with a head for heatmaps or SimCC.
    """
    settings = ConfigDict(config.model)
    backbone = settings.get('backbone') or ConfigDict()
    backbone.pop('init_cfg', None)
    if str(backbone.get('type')).endswith('.VisionTransformer'):
        # MMPretrain's (formerly mmcls's) ViT, which MMPose uses only for ViTPose.
        settings.backbone = dict(
            type='STDPoseViT', arch=backbone['arch'], img_size=backbone['img_size']
        )
    with config_mistakes(name):
        model = MODELS.build(settings)
    head = getattr(model, 'head', None)
    kinds = ' '.join(base.__name__ for base in type(head).__mro__)
    decodes = hasattr(getattr(head, 'decoder', None), 'decode')
    is_known = decodes and any(part in kinds for part in _HEADS)
    if not (isinstance(model, TopdownPoseEstimator) and is_known):
        raise InputError(
            f'config {name} builds {type(model).__name__} with {type(head).__name__}, expected a '
            'top-down model with heatmaps or SimCC, such as ViTPose, HRNet or RTMPose'
        )
    return model
