"""Backend of a window model in PyTorch, and the loading of backends from files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmpose.models.utils.tta import flip_heatmaps
from torch import Tensor

from stdpose_mm.engine.config_files import read_stored_config
from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import AuxiliaryLabels, SpatioTemporalRepresentation
from stdpose_mm.structures import key_index

from .onnx_window_backend import OnnxWindowBackend, read_description, stored_metainfo
from .window_backend import FrameFeatures, WindowBackend, WindowLabels, equal_slices
from .window_model import WindowModel, read_checkpoint


class TorchWindowBackend(WindowBackend):
    """Backend that runs a window model in PyTorch.

    A model without a neck, or with ``test_cfg.use_frame_head``, sees single frames only.

    Args:
        window_model: The model, with its precision.
        batch_size: Number of crops, and of windows, in one pass of the network.
    """

    def __init__(self, window_model: WindowModel, batch_size: int = 8) -> None:
        self.codec = self.window_model = window_model
        self.batch_size = batch_size
        self.skeleton = window_model.skeleton
        self.trained_joints = window_model.trained_joints
        self.num_frames = window_model.num_frames
        self._model = model = window_model.model
        self.takes_labels = model.takes_labels
        self.trained_with_labels = window_model.trained_with_labels
        self.sees_windows = model.with_neck and not model.test_cfg.get('use_frame_head', False)

    def encode(self, crops: np.ndarray, maps_of: np.ndarray | None = None) -> FrameFeatures:
        """See :class:`WindowBackend`; with ``flip_test`` mirrored crops are encoded, too."""
        read = np.ones(len(crops), bool) if maps_of is None else maps_of
        flips = (False, True) if self._model.test_cfg.get('flip_test') else (False,)
        batches = []
        with self.window_model.inference():
            for chunk in equal_slices(len(crops), self.batch_size):
                inputs = self.window_model.normalise(crops[chunk])
                views = [self._view(inputs.flip(-1) if f else inputs, read[chunk]) for f in flips]
                batches.append(FrameFeatures(tuple(views)))
            return FrameFeatures.concatenate(batches)

    def frame_heatmaps(self, features: FrameFeatures) -> np.ndarray:
        """See :class:`WindowBackend`."""
        if self._model.with_neck and self._model.frame_head is None:
            return np.zeros(self._maps_shape(len(features)), dtype=np.float32)
        with self.window_model.inference():
            batches = [
                self._average([self._single(view, chunk) for view in features.views])
                for chunk in equal_slices(len(features), self.batch_size)
            ]
        return np.concatenate(batches)

    def fuse(
        self, features: FrameFeatures, rows: np.ndarray, window_labels: WindowLabels | None = None
    ) -> np.ndarray:
        """See :class:`WindowBackend`."""
        if not self.sees_windows:
            return self.frame_heatmaps(features.take(rows[:, key_index(rows.shape[1])].tolist()))
        batches = []
        with self.window_model.inference():
            for chunk in equal_slices(len(rows), self.batch_size):
                labels = None if window_labels is None else self._on_device(window_labels, chunk)
                windows = features.take(torch.from_numpy(rows[chunk])).views
                maps = [self._fused(windows[0], labels)]
                if len(windows) > 1:
                    mirrored = labels and labels.flip(self.window_model.flip_indices)
                    maps.append(self._fused(windows[1], mirrored))
                batches.append(self._average(maps))
        return np.concatenate(batches)

    def _view(self, inputs: Tensor, read: np.ndarray) -> dict[str, Tensor]:
        model = self._model
        features = model.encode_frames(inputs)
        view = {'features': features, 'projections': model.project_frames(features)}
        if not model.with_neck:
            representation = SpatioTemporalRepresentation(features)
            view = {'features': features, 'frame_heatmaps': model.head.forward(representation)}
        elif model.reads_frame_heatmaps and read.all():
            view['frame_heatmaps'] = model.predict_frame_heatmaps(features[None])[0]
        elif model.reads_frame_heatmaps:
            chosen = torch.from_numpy(read)
            maps = torch.zeros(self._maps_shape(len(features)), device=features.device)
            if read.any():
                estimated = model.predict_frame_heatmaps(features[None, chosen])
                maps[chosen] = estimated[0].to(maps.dtype)
            view['frame_heatmaps'] = maps
        return {name: values for name, values in view.items() if values is not None}

    def _maps_shape(self, number: int) -> tuple[int, int, int, int]:
        width, height = self.window_model.heatmap_size
        return number, self.skeleton.num_keypoints, height, width

    def _single(self, view: Any, chunk: slice) -> Tensor:
        """Estimate some frames alone."""
        if 'frame_heatmaps' in view:
            return view['frame_heatmaps'][chunk]
        heatmaps: Tensor = self._model.predict_frame_heatmaps(view['features'][None, chunk])
        return heatmaps[0]

    def _fused(self, window: Any, labels: AuxiliaryLabels | None) -> Tensor:
        inputs = (window['features'], window.get('frame_heatmaps'), labels)
        return self._model.head.forward(self._model.fuse(*inputs, window.get('projections')))

    def _on_device(self, labels: WindowLabels, chunk: slice) -> AuxiliaryLabels:
        device = next(self._model.parameters()).device
        return AuxiliaryLabels(*(torch.from_numpy(field[chunk]).to(device) for field in labels))

    def _average(self, heatmaps: Sequence[Tensor]) -> np.ndarray:
        """Average heatmaps [N, K, h, w] of the plain and the mirrored view, if there is one."""
        test_cfg = self._model.test_cfg
        mean, *mirrored = heatmaps
        for maps in mirrored:
            flipped_back = flip_heatmaps(
                maps,
                flip_indices=self.window_model.flip_indices,
                flip_mode=test_cfg.get('flip_mode', 'heatmap'),
                shift_heatmap=test_cfg.get('shift_heatmap', False),
            )
            mean = (mean + flipped_back) * 0.5
        return mean.float().cpu().numpy()


def stored_config(weights: str | Path) -> Config:
    """Read the config that a checkpoint or a folder of ``stdpose export`` holds.

    Raises:
        InputError: If it holds none, or one that cannot be read.
    """
    path = Path(weights)
    stored = read_description(path) if path.is_dir() else read_checkpoint(path)[1]
    if not stored.get('cfg'):
        raise InputError(f'{weights} holds no config, give the one that it was trained with')
    return read_stored_config(str(stored['cfg']), weights)


def load_backend(
    config: str | Path | Config | None,
    weights: str | Path,
    device: str = 'cpu',
    precision: str = 'float32',
    batch_size: int = 8,
    runtime: str | None = None,
) -> WindowBackend:
    """Load a window model into a backend, whose codec is a :class:`WindowModel`.

    Args:
        config: Config file, name or loaded config; None for the one that the weights hold.
        weights: A checkpoint, which PyTorch runs; or a folder that ``stdpose export`` wrote, which
            runs on the CPU.
        device: Where PyTorch runs.
        precision: 'float32'; 'bfloat16' for a checkpoint, or a folder in OpenVINO; 'int8' for a
            folder in onnxruntime.
        batch_size: Number of crops, and of windows, in one pass of the network.
        runtime: Runtime for a folder, one of ``ONNX_RUNTIMES``; by default onnxruntime.

    Raises:
        InputError: If a file is missing or cannot be used, or cannot run in this way.
    """
    config = stored_config(weights) if config is None else config
    if Path(weights).is_dir():
        description = read_description(Path(weights))
        model = WindowModel.without_weights(
            config, stored_metainfo(description), description['test_cfg']
        )
        return OnnxWindowBackend.from_export(
            weights, model, precision, batch_size, runtime or 'onnxruntime'
        )
    if runtime is not None:
        raise InputError(
            f'{runtime} runs exported networks but {weights} is not a folder, give a folder '
            'written by `stdpose export` or leave the runtime out'
        )
    model = WindowModel.from_config(config, weights, device, precision=precision)
    model.optimize_for_cpu()
    return TorchWindowBackend(model, batch_size)
