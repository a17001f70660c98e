"""A trained window model with everything around it: config, weights, test pipeline, skeleton."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import CheckpointLoader
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS, MODELS
from torch import nn

from stdpose_mm.datasets.metainfo import sample_metainfo
from stdpose_mm.engine.config_files import config_mistakes, one_line, read_config
from stdpose_mm.errors import InputError
from stdpose_mm.structures import Skeleton

_METAINFO_TYPES: list[Any] = [np.dtypes.UInt8DType, np.dtypes.Float32DType, np.dtypes.Int64DType]
"""What the stored metainfo consists of; with these PyTorch loads a checkpoint without running
code from it."""


class WindowModel:
    """Estimates the key frame's pose in windows of three frames.

    Args:
        model: A pose estimator in evaluation mode with a ``test_step``.
        pipeline: Config of the transforms between a sample and ``test_step``.
        metainfo: The parsed metainfo (``parse_pose_metainfo``) of its joints. Joints with weight 0
            are those it was not trained on.
    """

    def __init__(
        self, model: nn.Module, pipeline: Sequence[Any], metainfo: Mapping[str, Any]
    ) -> None:
        self.model: Any = model
        self.metainfo = sample_metainfo(metainfo)
        self.skeleton = skeleton_from_metainfo(metainfo)
        self.trained_joints = np.asarray(metainfo['dataset_keypoint_weights']) > 0
        self._pipeline = Compose(pipeline)

    @classmethod
    def from_config(
        cls,
        config: str | Path | Config,
        checkpoint: str | Path,
        device: str | torch.device = 'cpu',
        test_cfg: Mapping[str, Any] | None = None,
    ) -> WindowModel:
        """Build the model of a config and load its weights.

        The joints are those stored in the checkpoint, else those of the config's test set.

        Args:
            config: Config file or loaded config.
            checkpoint: Weights written by a training run with this config.
            device: Where to run.
            test_cfg: Entries that replace those of the config's ``model.test_cfg``.

        Raises:
            InputError: If a file is missing or cannot be read, the config has no test pipeline,
                the weights do not fit, or the device does not exist.
        """
        if not isinstance(config, Config):
            config = read_config(config)
        init_default_scope(config.get('default_scope', 'mmpose'))
        dataset = config.get('test_dataloader', {}).get('dataset', {})
        if 'model' not in config or 'pipeline' not in dataset:
            raise InputError(
                f'config {config.filename or "(in memory)"} has no model or no '
                'test_dataloader.dataset.pipeline, use a config that this package can test'
            )
        model_config = deepcopy(config.model)
        if 'init_cfg' in model_config.get('backbone', {}):
            model_config.backbone.init_cfg = None
        model_config.test_cfg = {**model_config.get('test_cfg', {}), **(test_cfg or {})}
        with config_mistakes(config.filename or '(in memory)'):
            model = MODELS.build(model_config)
        metainfo = _load_weights(model, Path(checkpoint)) or _metainfo_of_dataset(dataset)
        try:
            model.to(torch.device(device))
        except (RuntimeError, AssertionError) as error:
            raise InputError(
                f'device {str(device)!r} cannot be used ({one_line(error)}), '
                "choose one that exists, such as 'cpu'"
            ) from error
        model.eval()
        return cls(model, dataset.pipeline, metainfo)

    def predict(self, samples: Sequence[dict[str, Any]]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Run the model on one batch.

        Args:
            samples: Sample dicts without metainfo; ``img`` holds the three BGR pictures.

        Returns:
            Per sample keypoints [K, 2] in pixels of the picture, and heatmap peaks [K] cut to
            0..1.
        """
        packed = [
            self._pipeline({**sample_metainfo(self.metainfo), **sample}) for sample in samples
        ]
        with torch.inference_mode():
            results = self.model.test_step(pseudo_collate(packed))
        return [
            (
                np.asarray(result.pred_instances.keypoints[0], dtype=np.float64),
                np.clip(np.asarray(result.pred_instances.keypoint_scores[0], np.float64), 0, 1),
            )
            for result in results
        ]


def skeleton_from_metainfo(metainfo: Mapping[str, Any]) -> Skeleton:
    """The joints and limbs of a parsed MMPose metainfo."""
    names = metainfo['keypoint_id2name']
    return Skeleton(
        keypoint_names=tuple(names[index] for index in range(len(names))),
        limbs=tuple((int(a), int(b)) for a, b in metainfo.get('skeleton_links', ())),
    )


def _load_weights(model: nn.Module, checkpoint: Path) -> dict[str, Any] | None:
    """Load the weights, all of them; returns the stored metainfo if there is any."""
    if not checkpoint.is_file():
        raise InputError(f'checkpoint {checkpoint} does not exist, give the path of a .pth file')
    try:
        with torch.serialization.safe_globals(_METAINFO_TYPES):
            content = CheckpointLoader.load_checkpoint(str(checkpoint), 'cpu', logger='silent')
        state_dict = content.get('state_dict', content)
    except (OSError, EOFError, RuntimeError, ValueError, LookupError, UnpicklingError) as error:
        raise InputError(
            f'checkpoint {checkpoint} cannot be read ({one_line(error)}), '
            'give a file written by a training run'
        ) from error
    try:
        model.load_state_dict(
            {name.removeprefix('module.'): value for name, value in state_dict.items()}
        )
    except RuntimeError as error:
        raise InputError(
            f'checkpoint {checkpoint} does not fit the model of the config '
            f'({one_line(error)}), give the config it was trained with'
        ) from error
    metainfo = content.get('meta', {}).get('dataset_meta')
    return metainfo if metainfo and 'keypoint_id2name' in metainfo else None


def _metainfo_of_dataset(dataset: Mapping[str, Any]) -> dict[str, Any]:
    metainfo = dataset.get('metainfo') or getattr(DATASETS.get(dataset['type']), 'METAINFO', None)
    if not metainfo:
        raise InputError(
            'neither the checkpoint nor test_dataloader.dataset of the config names the joints, '
            'add metainfo to the dataset of the config'
        )
    return parse_pose_metainfo(dict(metainfo))
