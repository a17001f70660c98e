"""A trained window model with its config, weights, test pipeline and skeleton."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.datasets.transforms import GetBBoxCenterScale
from mmpose.registry import DATASETS, MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from stdpose_mm.bfloat16 import bfloat16_is_slower, is_bfloat16_faster
from stdpose_mm.checkpoint_files import read_checkpoint_file
from stdpose_mm.constants import CROP_POLICIES, PRECISIONS, CropPolicy
from stdpose_mm.datasets.metainfo import sample_metainfo
from stdpose_mm.datasets.transforms import (
    GenerateWindowTarget,
    LoadWindow,
    WindowTopdownAffine,
)
from stdpose_mm.engine.config_files import config_mistakes, read_config
from stdpose_mm.errors import (
    InputError,
    one_line,
    require_choice,
    require_device,
)
from stdpose_mm.evaluation.functional import EVALUATED_JOINTS
from stdpose_mm.models.joint_channels import with_num_joints
from stdpose_mm.models.layers.mkldnn_layers import optimize_for_cpu
from stdpose_mm.structures import Skeleton, to_corners

from .window_backend import Crop

_INPUT_KEYS = ('input_size', 'input_center', 'input_scale')


class WindowModel:
    """A pose estimator that sees windows, with its crops and the codec of its heatmaps.

    Crops and heatmaps follow the test pipeline, whose transforms are applied unchanged.

    Args:
        model: An estimator in evaluation mode that encodes single frames and fuses windows of them,
            like :class:`~stdpose_mm.models.pose_estimators.WindowPoseEstimator`.
        pipeline: Config of its test pipeline, with a ``GenerateWindowTarget``.
        metainfo: The parsed metainfo (``parse_pose_metainfo``) of its joints. Joints with weight 0
            and PoseTrack's ears were not trained.
        precision: 'float32', or 'bfloat16' for autocast.
        crops: How the frames of its windows are cropped, see
            :class:`~stdpose_mm.datasets.base.BaseWindowDataset`.
        config: The config that it was built from, which an export stores.

    Attributes:
        input_size, heatmap_size: Width and height of the crops, and of the heatmaps.

    Raises:
        InputError: If the pipeline does not encode heatmaps of given labels, or there is no such
            precision.
    """

    def __init__(
        self,
        model: nn.Module,
        pipeline: Sequence[Any],
        metainfo: Mapping[str, Any],
        precision: str = 'float32',
        crops: CropPolicy = 'frame',
        config: Config | None = None,
    ) -> None:
        require_choice('precision', precision, PRECISIONS)
        require_choice('crops', crops, CROP_POLICIES)
        self.config = config
        self.model: Any = model
        self.precision = precision
        self.crops = crops
        self.metainfo = metainfo
        self.flip_indices: Sequence[int] = sample_metainfo(metainfo)['flip_indices']
        self.skeleton = skeleton_from_metainfo(metainfo)
        self.trained_joints = np.asarray(metainfo['dataset_keypoint_weights']) > 0
        # The ears are never annotated, but have a weight in MMPose's metainfo.
        if str(metainfo['dataset_name']).startswith('posetrack'):
            self.trained_joints &= np.isin(self.skeleton.keypoint_names, EVALUATED_JOINTS)
        transforms = Compose(pipeline).transforms
        targets = [n for n, t in enumerate(transforms) if isinstance(t, GenerateWindowTarget)]
        if not targets:
            raise InputError(
                'the test pipeline of the config has no GenerateWindowTarget, '
                'use a config that this package can test'
            )
        self._encoder: Any = transforms[targets[0]].encoder
        self.input_size: tuple[int, int] = tuple(self._encoder.input_size)
        self.heatmap_size: tuple[int, int] = tuple(self._encoder.heatmap_size)
        # Pictures are in memory already, and only the crop of a sample is needed.
        self._crop = Compose([t for t in transforms[: targets[0]] if not isinstance(t, LoadWindow)])

    @classmethod
    def from_config(
        cls,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | torch.device = 'cpu',
        test_cfg: Mapping[str, Any] | None = None,
        precision: str = 'float32',
    ) -> WindowModel:
        """Build the model of a config and load its weights.

        The joints are those stored in the checkpoint, even if their number differs from the config;
        otherwise those of the config's test set. Frames are cropped as in the test set.

        Args:
            config: Config file or loaded config.
            checkpoint: Weights written by a training run with this config.
            device: Where to run.
            test_cfg: Entries that override the config's ``model.test_cfg``.
            precision: 'float32', or 'bfloat16' for autocast.

        Raises:
            InputError: If a file is missing or cannot be read, the config has no test pipeline,
                the weights do not fit, the device does not exist, or it is slower in bfloat16.
        """
        config, dataset = read_test_config(config)
        state_dict, meta = read_checkpoint(checkpoint)
        metainfo = meta.get('dataset_meta') or {}
        if 'keypoint_id2name' not in metainfo:
            metainfo = metainfo_of_dataset(dataset)
        model = _build(config, metainfo, test_cfg)
        _load_weights(model, state_dict, checkpoint)
        move_to(model, device).eval()
        device_type = next(model.parameters()).device.type
        if precision == 'bfloat16' and not is_bfloat16_faster(device_type):
            raise bfloat16_is_slower('PyTorch')
        crops = dataset.get('crops', 'window')
        return cls(model, dataset.pipeline, metainfo, precision, crops, config)

    @classmethod
    def without_weights(
        cls, config: str | Path | Config, metainfo: Mapping[str, Any], test_cfg: Mapping[str, Any]
    ) -> WindowModel:
        """Build the crops and the codec of a config's model for a network that runs elsewhere.

        Args:
            config: Config file or loaded config.
            metainfo: The parsed metainfo of the network's joints.
            test_cfg: Entries that override the config's ``model.test_cfg``.

        Raises:
            InputError: If the file is missing or cannot be read, or the config has no test
                pipeline.
        """
        config, dataset = read_test_config(config)
        with torch.device('meta'):
            model = _build(config, metainfo, test_cfg)
        return cls(model.eval(), dataset.pipeline, metainfo, crops=dataset.get('crops', 'window'))

    @property
    def num_frames(self) -> int:
        """Return the number T of frames in a window."""
        return int(self.model.num_frames)

    @property
    def trained_with_labels(self) -> bool:
        """Whether the config trains for propagation, with labels given in every window."""
        return bool(self.model.takes_labels) and _always_gives_labels(self.config or Config())

    @property
    def crop_padding(self) -> float:
        """Return the factor by which crops are larger than the person's box."""
        (scale,) = (t for t in self._crop.transforms if isinstance(t, GetBBoxCenterScale))
        return float(scale.padding)

    @property
    def has_udp_crops(self) -> bool:
        """Return whether pictures are cut out at the person's box alone, by MMPose's UDP crop."""
        kinds = (GetBBoxCenterScale, WindowTopdownAffine)
        return all(
            type(step) in kinds and getattr(step, 'use_udp', True) for step in self._crop.transforms
        )

    @property
    def codec(self) -> dict[str, Any]:
        """Return the class and the settings of the codec that decodes heatmaps, as plain values."""
        decoder = self.model.head.decoder
        # A head may have no decoder.
        values = getattr(decoder, '__dict__', {})
        plain = {
            name: value for name, value in values.items() if isinstance(value, str | float | int)
        }
        return {'type': type(decoder).__name__, **plain}

    @property
    def config_text(self) -> str | None:
        """Return what inference needs of the config, as text; None without a config."""
        if self.config is None:
            return None
        pipeline = self.config.test_dataloader.dataset.pipeline
        dataset = {'pipeline': pipeline, 'crops': self.crops}
        parts = {'model': self.config.model, 'test_dataloader': {'dataset': dataset}}
        return str(Config(parts).pretty_text)

    def optimize_for_cpu(self) -> None:
        """Make a model smaller and, on a CPU, faster; do not train, move or save it afterwards."""
        self.model.drop_training_parts()
        if next(self.model.parameters()).device.type == 'cpu':
            optimize_for_cpu(self.model, getattr(torch, self.precision))

    @contextmanager
    def inference(self) -> Iterator[None]:
        """Run the network in its precision and without gradients in this context."""
        device = next(self.model.parameters()).device.type
        with (
            torch.inference_mode(),
            torch.autocast(device, torch.bfloat16, enabled=self.precision == 'bfloat16'),
        ):
            yield

    def crop_at(self, box: np.ndarray) -> Crop:
        """Compute the crop around a person box [4] ``[x, y, w, h]`` in pixels, by the pipeline."""
        corners = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float64)
        sample = self._cropped(None, box, corners)
        origin, right, down = sample['transformed_keypoints'][0]
        return Crop(
            box=np.asarray(box, dtype=np.float64),
            to_crop=np.stack([right - origin, down - origin, origin], axis=1),
            metainfo={name: sample[name] for name in _INPUT_KEYS},
        )

    def crop_image(self, picture: np.ndarray, crop: Crop) -> np.ndarray:
        """Warp a picture BGR uint8 [H, W, 3] to the network's input size: uint8 [H', W', 3]."""
        return self._cropped(picture, crop.box, np.zeros((1, 2)))['img'][0]

    def normalise(self, crops: np.ndarray) -> Tensor:
        """Normalise crops uint8 [M, H', W', 3] to the network's input, float32 [M, 3, H', W']."""
        # The preprocessor treats a crop as a window of one frame.
        inputs = torch.from_numpy(crops).permute(0, 3, 1, 2)[:, None]
        data = self.model.data_preprocessor({'inputs': inputs, 'data_samples': []})
        return data['inputs'][:, 0]

    def to_heatmap(self, crop: Crop) -> np.ndarray:
        """Return the [2, 3] affine from pixels of the picture to pixels of the crop's heatmaps."""
        return crop.to_crop / self._encoder.scale_factor[:, None]

    def encode_heatmaps(self, crop: Crop, pose: np.ndarray, has_joint: np.ndarray) -> np.ndarray:
        """Encode a pose as heatmaps with the codec of the pipeline.

        Args:
            crop: Region of the heatmaps in the picture.
            pose: [K, 2] pixels of the picture.
            has_joint: [K] bool; the maps of other joints are empty.

        Returns:
            [K, h, w] float32.
        """
        points = pose @ crop.to_crop[:, :2].T + crop.to_crop[:, 2]
        encoded = self._encoder.encode(points[None], has_joint[None].astype(np.float32))
        heatmaps: np.ndarray = encoded['heatmaps']
        return heatmaps

    def decode(self, heatmaps: np.ndarray, crops: Sequence[Crop]) -> tuple[np.ndarray, np.ndarray]:
        """Decode heatmaps to poses in the picture with the codec of the model.

        Args:
            heatmaps: [N, K, h, w].
            crops: Regions of the N heatmaps in their pictures.

        Returns:
            Keypoints [N, K, 2] in pixels of the pictures, and heatmap peaks [N, K] clipped to 0..1.
        """
        boxes = InstanceData(bboxes=np.zeros((1, 4)), bbox_scores=np.ones(1))
        samples = [PoseDataSample(metainfo=crop.metainfo, gt_instances=boxes) for crop in crops]
        predictions = self.model.head.decode(torch.from_numpy(heatmaps))
        self.model.add_pred_to_datasample(predictions, None, samples)
        keypoints = np.stack([prediction.keypoints[0] for prediction in predictions])
        scores = np.stack([prediction.keypoint_scores[0] for prediction in predictions])
        return keypoints.astype(np.float64), np.clip(scores.astype(np.float64), 0, 1)

    def _cropped(
        self, picture: np.ndarray | None, box: np.ndarray, points: np.ndarray
    ) -> dict[str, Any]:
        """Apply the transforms that crop to a sample with ``points`` [P, 2]."""
        num_points = len(points)
        sample: dict[str, Any] = {
            'img': [] if picture is None else [picture],
            'bbox': to_corners(np.asarray(box))[None].astype(np.float32),
            'bbox_score': np.ones(1, dtype=np.float32),
            'keypoints': points[None],
            'keypoints_visible': np.ones((1, num_points), dtype=np.float32),
            'aux_keypoints': np.zeros((2, num_points, 2)),
            'aux_keypoints_visible': np.zeros((2, num_points), dtype=np.float32),
        }
        return self._crop(sample)


def _always_gives_labels(config: Config) -> bool:
    """Return whether the datasets of a config give the labels of the auxiliary frames."""
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    if dataset.get('task', 'propagation' if 'type' in dataset else None) != 'propagation':
        return False
    training = (config.get('train_dataloader') or {}).get('dataset') or {}
    return all(step.get('aux_label_prob', 1) == 1 for step in training.get('pipeline', ()))


def skeleton_from_metainfo(metainfo: Mapping[str, Any]) -> Skeleton:
    """Build the skeleton (joints and limbs) of a parsed MMPose metainfo."""
    names = metainfo['keypoint_id2name']
    return Skeleton(
        keypoint_names=tuple(names[index] for index in range(len(names))),
        limbs=tuple((int(a), int(b)) for a, b in metainfo.get('skeleton_links', ())),
    )


def move_to(model: nn.Module, device: str | torch.device) -> nn.Module:
    """Move a model to a device.

    Raises:
        InputError: If the device does not exist.
    """
    require_device(device)
    return model.to(device)


def read_checkpoint(checkpoint: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read the weights and the ``meta`` entry of a checkpoint.

    Raises:
        InputError: See :func:`~stdpose_mm.checkpoint_files.read_checkpoint_file`.
    """
    content = read_checkpoint_file(checkpoint)
    state_dict, meta = content.get('state_dict', content), content.get('meta') or {}
    if not (isinstance(state_dict, Mapping) and isinstance(meta, Mapping)):
        raise InputError(f'{checkpoint} is not an MMEngine checkpoint, give one')
    return dict(state_dict), dict(meta)


def read_test_config(
    config: str | Path | Config, advice: str = 'use a config that this package can test'
) -> tuple[Config, ConfigDict]:
    """Return a config, read from its file if necessary, and its test dataset.

    Args:
        config: Config file or loaded config.
        advice: What to do if it cannot be tested; part of the error message.

    Raises:
        InputError: If the file is missing or cannot be read, or the config has no model or no test
            pipeline.
    """
    if not isinstance(config, Config):
        config = read_config(config)
    init_default_scope(config.get('default_scope', 'mmpose'))
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    if 'model' not in config or 'pipeline' not in dataset:
        raise InputError(
            f'config {config.filename or "(in memory)"} has no model or no '
            f'test_dataloader.dataset.pipeline, {advice}'
        )
    return config, dataset


def _build(
    config: Config, metainfo: Mapping[str, Any], test_cfg: Mapping[str, Any] | None
) -> nn.Module:
    """Build the model of a config, for these joints, without its initial weights."""
    model_config = with_num_joints(config.model, len(metainfo['keypoint_id2name']))
    if 'init_cfg' in model_config.get('backbone', {}):
        model_config.backbone.init_cfg = None
    model_config.test_cfg = {**model_config.get('test_cfg', {}), **(test_cfg or {})}
    with config_mistakes(config.filename or '(in memory)'):
        return MODELS.build(model_config)


def _load_weights(model: nn.Module, weights: Mapping[str, Any], checkpoint: str | Path) -> None:
    """Load all weights; refuse a checkpoint whose names or shapes differ."""
    try:
        model.load_state_dict(
            {name.removeprefix('module.'): value for name, value in weights.items()}
        )
    except RuntimeError as error:
        raise InputError(
            f'checkpoint {checkpoint} does not fit the model of the config '
            f'({one_line(error)}), give the config it was trained with'
        ) from error


def metainfo_of_dataset(dataset: Mapping[str, Any]) -> dict[str, Any]:
    """Parse the joints of a config's dataset.

    Raises:
        InputError: If the dataset names no joints.
    """
    metainfo = dataset.get('metainfo') or getattr(DATASETS.get(dataset['type']), 'METAINFO', None)
    if not metainfo:
        raise InputError(
            'neither the checkpoint nor test_dataloader.dataset of the config names the joints, '
            'add metainfo to the dataset of the config'
        )
    return parse_pose_metainfo(dict(metainfo))
