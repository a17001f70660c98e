"""Backends of a window model: frames are encoded once, and windows share their features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from mmpose.models.utils.tta import flip_heatmaps
from torch import Tensor

from stdpose_mm.errors import require_whole
from stdpose_mm.models.structures import AuxiliaryLabels, SpatioTemporalRepresentation
from stdpose_mm.structures import key_place
from stdpose_mm.structures.slices import equal_slices

from .window_model import WindowModel


class FrameView(NamedTuple):
    """Hold what a network computes from single frames.

    Attributes:
        features: [M, D, h', w'].
        heatmaps: [M, K, h, w] of each frame by itself; ``None`` if windows do not need them.
        projections: [M, ...], further inputs of windows; ``None`` if there are none.
    """

    features: Tensor
    heatmaps: Tensor | None = None
    projections: Tensor | None = None

    def take(self, rows: Sequence[int] | Tensor) -> FrameView:
        """Copy some frames; the rows [...] become the first axes of all fields."""
        heatmaps = None if self.heatmaps is None else self.heatmaps[rows]
        projections = None if self.projections is None else self.projections[rows]
        return FrameView(self.features[rows], heatmaps, projections)

    @staticmethod
    def concatenate(views: Sequence[FrameView]) -> FrameView:
        """Concatenate the frames of several views."""
        return FrameView(
            torch.cat([view.features for view in views]),
            _concatenated([view.heatmaps for view in views]),
            _concatenated([view.projections for view in views]),
        )


def _concatenated(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.cat(present) if present else None


@dataclass(frozen=True)
class FrameFeatures:
    """Hold the features of M frames for the windows that they are in.

    Only the backend that computed them can use them.

    Args:
        views: The frames as they are and, with ``flip_test``, mirrored.
    """

    views: tuple[FrameView, ...]

    def __len__(self) -> int:
        return len(self.views[0].features)

    def take(self, rows: Sequence[int]) -> FrameFeatures:
        """Copy some rows, so that the memory of the others can be freed."""
        return FrameFeatures(tuple(view.take(list(rows)) for view in self.views))

    @staticmethod
    def concatenate(batches: Sequence[FrameFeatures]) -> FrameFeatures:
        """Concatenate the frames of several batches."""
        if len(batches) == 1:
            return batches[0]
        columns = zip(*(batch.views for batch in batches), strict=True)
        return FrameFeatures(tuple(map(FrameView.concatenate, columns)))


class WindowBackend(Protocol):
    """Run a network in two halves: an encoder of frames and a fusion of windows.

    The window model that it belongs to decodes the heatmaps.
    """

    @property
    def sees_windows(self) -> bool:
        """Tell whether auxiliary frames are used; if not, any frames may stand in for them."""

    def encode(self, crops: np.ndarray) -> FrameFeatures:
        """Encode M frames, crops BGR uint8 [M, H', W', 3]."""

    def fuse(
        self, features: FrameFeatures, rows: np.ndarray, given: AuxiliaryLabels | None = None
    ) -> np.ndarray:
        """Estimate the heatmaps of the key frames of N windows.

        Args:
            features: Features of M frames.
            rows: [N, T] int: which of the M are the frames of each window, in time order.
            given: Labels of the auxiliary frames of the N windows.

        Returns:
            [N, K, h, w] float32.
        """


class TorchWindowBackend:
    """Run the PyTorch model of a window model.

    A model without a neck, or with ``test_cfg.use_frame_head``, sees single frames only.

    Args:
        window_model: The model, with its precision.
        batch_size: Crops, and windows, in one pass of the network.

    Raises:
        InputError: If the batch size is not positive.
    """

    def __init__(self, window_model: WindowModel, batch_size: int = 8) -> None:
        require_whole('batch_size', batch_size, 1)
        self.window_model = window_model
        self.batch_size = batch_size
        model = window_model.model
        self._sees_windows: bool = model.with_neck and not model.test_cfg.get(
            'use_frame_head', False
        )

    @property
    def sees_windows(self) -> bool:
        """See :class:`WindowBackend`."""
        return self._sees_windows

    def encode(self, crops: np.ndarray, maps_of: np.ndarray | None = None) -> FrameFeatures:
        """See :class:`WindowBackend`; with ``flip_test`` mirrored crops are encoded, too.

        Args:
            crops: See :class:`WindowBackend`.
            maps_of: [M] bool: of which frames the heatmaps are read; those of the others are zeros.
                ``None`` for all.
        """
        read = np.ones(len(crops), bool) if maps_of is None else maps_of
        flips = (False, True) if self.window_model.model.test_cfg.get('flip_test') else (False,)
        batches = []
        with self.window_model.inference():
            for chunk in equal_slices(len(crops), self.batch_size):
                inputs = self.window_model.normalise(crops[chunk])
                views = [
                    self._view(inputs.flip(-1) if flip else inputs, read[chunk]) for flip in flips
                ]
                batches.append(FrameFeatures(tuple(views)))
            return FrameFeatures.concatenate(batches)

    def frame_heatmaps(self, features: FrameFeatures) -> np.ndarray:
        """Estimate each frame by itself: [M, K, h, w] float32, zeros without a frame head."""
        model = self.window_model.model
        if model.with_neck and model.frame_head is None:
            width, height = self.window_model.heatmap_size
            num_joints = self.window_model.skeleton.num_keypoints
            return np.zeros((len(features), num_joints, height, width), dtype=np.float32)
        with self.window_model.inference():
            batches = [
                self._average([self._single(view, chunk) for view in features.views])
                for chunk in equal_slices(len(features), self.batch_size)
            ]
        return np.concatenate(batches)

    def fuse(
        self, features: FrameFeatures, rows: np.ndarray, given: AuxiliaryLabels | None = None
    ) -> np.ndarray:
        """See :class:`WindowBackend`."""
        if not self._sees_windows:
            keys = rows[:, key_place(rows.shape[1])]
            return self.frame_heatmaps(features.take(keys.tolist()))
        batches = []
        with self.window_model.inference():
            for chunk in equal_slices(len(rows), self.batch_size):
                labels = None if given is None else self._on_device(given, chunk)
                frames = torch.from_numpy(rows[chunk])
                batches.append(
                    self._average(
                        [
                            self._fused(view, frames, labels if n == 0 else self._mirrored(labels))
                            for n, view in enumerate(features.views)
                        ]
                    )
                )
        return np.concatenate(batches)

    def _view(self, inputs: Tensor, read: np.ndarray) -> FrameView:
        model = self.window_model.model
        features = model.encode_frames(inputs)
        if not model.with_neck:
            return FrameView(features, model.head.forward(SpatioTemporalRepresentation(features)))
        heatmaps = None
        if model.reads_frame_heatmaps and read.all():
            heatmaps = model.predict_frame_heatmaps(features[None])[0]
        elif model.reads_frame_heatmaps:
            heatmaps = self._some_heatmaps(features, torch.from_numpy(read))
        return FrameView(features, heatmaps, model.project_frames(features))

    def _some_heatmaps(self, features: Tensor, read: Tensor) -> Tensor:
        """Estimate some frames by themselves; the maps [M, K, h, w] of the others are zeros."""
        width, height = self.window_model.heatmap_size
        num_joints = self.window_model.skeleton.num_keypoints
        heatmaps = torch.zeros((len(features), num_joints, height, width), device=features.device)
        if read.any():
            found = self.window_model.model.predict_frame_heatmaps(features[None, read])
            heatmaps[read] = found[0].to(heatmaps.dtype)
        return heatmaps

    def _single(self, view: FrameView, chunk: slice) -> Tensor:
        """Estimate some frames by themselves."""
        if view.heatmaps is not None:
            return view.heatmaps[chunk]
        heatmaps: Tensor = self.window_model.model.predict_frame_heatmaps(
            view.features[None, chunk]
        )
        return heatmaps[0]

    def _fused(self, view: FrameView, rows: Tensor, given: AuxiliaryLabels | None) -> Tensor:
        model = self.window_model.model
        window = view.take(rows)
        return model.head.forward(
            model.fuse(window.features, window.heatmaps, given, window.projections)
        )

    def _on_device(self, given: AuxiliaryLabels, chunk: slice) -> AuxiliaryLabels:
        device = next(self.window_model.model.parameters()).device
        return AuxiliaryLabels(*(field[chunk].to(device) for field in given))

    def _mirrored(self, given: AuxiliaryLabels | None) -> AuxiliaryLabels | None:
        return None if given is None else given.flip(self.window_model.flip_indices)

    def _average(self, heatmaps: Sequence[Tensor]) -> np.ndarray:
        """Average the heatmaps [N, K, h, w] of the plain and the mirrored view, if there is one."""
        test_cfg = self.window_model.model.test_cfg
        return average_views(heatmaps, self.window_model.flip_indices, test_cfg)


def average_views(
    heatmaps: Sequence[Tensor], flip_indices: Sequence[int], test_cfg: Mapping[str, Any]
) -> np.ndarray:
    """Average the heatmaps of the plain and the mirrored view, if there is one.

    Args:
        heatmaps: [N, K, h, w] of each view.
        flip_indices: For each joint the index of its mirror image.
        test_cfg: MMPose's ``flip_mode`` and ``shift_heatmap``.

    Returns:
        [N, K, h, w] float32.
    """
    mean, *mirrored = heatmaps
    for maps in mirrored:
        flipped_back = flip_heatmaps(
            maps,
            flip_indices=flip_indices,
            flip_mode=test_cfg.get('flip_mode', 'heatmap'),
            shift_heatmap=test_cfg.get('shift_heatmap', False),
        )
        mean = (mean + flipped_back) * 0.5
    return mean.float().cpu().numpy()
