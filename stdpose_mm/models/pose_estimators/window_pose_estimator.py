from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

import torch
from mmpose.models.heads import HeatmapHead
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    EncodedSamples,
    SpatioTemporalRepresentation,
    key_of,
    split_windows,
)
from stdpose_mm.structures import NUM_FRAMES

_TEST_SETTINGS = (
    *('flip_test', 'flip_mode', 'shift_heatmap', 'use_frame_head'),
    *('output_heatmaps', 'output_keypoint_indices'),
)
"""What this module and MMPose read of ``test_cfg``; a head of the user's may read more."""


class WindowPoseEstimator(TopdownPoseEstimator):
    """Base class of window models, which estimate the pose of the key frame from a window of crops.

    The backbone sees every frame alone. A frame head turns the features F_l, F_t, F_r into heatmaps
    H_l, H_t, H_r. In pose propagation, given labels replace those of the left and right frame; in
    pose estimation there are none. The neck encodes both over time, and the head decodes the final
    heatmaps.

    A window has T frames, the neck's ``num_frames``: three by default. With five or more there are
    further frames without labels between the left or right frame and the key frame.

    Given labels come with the data samples: ``gt_fields.given_heatmaps`` [2K, h, w],
    ``gt_fields.prior_heatmaps`` [K, h, w] and ``gt_instance_labels.given_mask`` [1, 2, K]; samples
    without these fields have no given labels.

    A ViTPose checkpoint (MMPose 1.x or original) loads into the backbone and the frame head.

    Args:
        backbone: Config of the backbone. Its last output is the feature map. If it has further
            outputs before them, like a pruned ViT, its method ``loss`` computes losses of its
            outputs.
        head: Config of the head that decodes the neck's representation.
        neck: Config of the neck, a :class:`WindowNeck`; ``None`` omits everything temporal (the
            backbone then sees only the key frame).
        frame_head: Config of the head that decodes every frame alone; needed by a neck that merges
            heatmaps.
        frame_head_loss_weight: Weight of the frame head's own loss on all frames. The paper has
            none (0); a frame head without pretraining needs it.
        test_cfg: As in MMPose (``flip_test``, ``flip_mode``, ...); ``use_frame_head=True`` decodes
            the key frame with the frame head alone.
        **kwargs: ``train_cfg``, ``data_preprocessor``, ``metainfo`` and ``init_cfg`` of
            :class:`TopdownPoseEstimator`.

    Raises:
        InputError: If parts do not fit each other, or a part of MMPose cannot be used.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        frame_head: dict | None = None,
        frame_head_loss_weight: float = 0.0,
        test_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone=backbone, neck=neck, head=head, test_cfg=test_cfg, **kwargs)
        _refuse_misspelled(self.test_cfg)
        _require_head(self.head)
        _require_windows(self.data_preprocessor, 'WindowDataPreprocessor')
        _require_windows(getattr(self, 'neck', None), 'STDPoseSTRE')
        if neck is None and frame_head:
            raise InputError('a frame_head needs a neck, got neck=None')
        if frame_head is None and (frame_head_loss_weight or self.test_cfg.get('use_frame_head')):
            raise InputError('frame_head_loss_weight and use_frame_head need a frame_head')
        self.frame_head: Any = MODELS.build(frame_head) if frame_head else None
        if _is_of_mmpose(self.frame_head) and not isinstance(self.frame_head, HeatmapHead):
            raise InputError(
                f'the frame_head must decode heatmaps, which {type(self.frame_head).__name__} of '
                'MMPose does not, use STDPoseFrameHead or HeatmapHead'
            )
        self.frame_head_loss_weight = frame_head_loss_weight

    @property
    def num_frames(self) -> int:
        """The number T of frames in a window; ``NUM_FRAMES`` without a neck."""
        return self.neck.num_frames if self.with_neck else NUM_FRAMES

    @property
    def takes_labels(self) -> bool:
        """Whether the model uses labels of the auxiliary frames."""
        return self.with_neck and self.neck.takes_labels

    @property
    def reads_frame_heatmaps(self) -> bool:
        """Whether windows need :meth:`predict_frame_heatmaps` in prediction, too."""
        return self.frame_head is not None and self.neck.reads_heatmaps

    def drop_training_parts(self) -> None:
        """Free the modules that only training needs; the model cannot be trained afterwards."""

    # The steps of a window

    def encode_frames(self, crops: Tensor) -> Tensor:
        """Encode single frames, which windows may share: [M, 3, H, W] -> [M, D, h', w'].

        Raises:
            InputError: If the next part of the model does not accept D channels.
        """
        features: Tensor = self._run_backbone(crops)[-1]
        return features

    def predict_frame_heatmaps(self, features: Tensor) -> Tensor | None:
        """Predict the heatmaps of every frame alone; ``None`` without a frame head.

        Args:
            features: [N, T, D, h', w'].

        Returns:
            [N, T, K, h, w].
        """
        if self.frame_head is None:
            return None
        heatmaps = self.frame_head((features.flatten(0, 1),))
        return heatmaps.unflatten(0, (-1, features.shape[1]))

    def project_frames(self, features: Tensor) -> Tensor | None:
        """Compute :meth:`WindowNeck.project_frames` of single frames, if there is a neck."""
        return self.neck.project_frames(features) if self.with_neck else None

    def fuse(
        self,
        features: Tensor,
        frame_heatmaps: Tensor | None,
        aux_labels: AuxiliaryLabels | None = None,
        projections: Tensor | None = None,
    ) -> SpatioTemporalRepresentation:
        """Replace predictions by given labels and encode the window.

        Args:
            features: F_l, F_t, F_r with shape [N, T, D, h', w'].
            frame_heatmaps: Predicted H_l, H_t, H_r [N, T, K, h, w].
            aux_labels: Labels of the auxiliary frames.
            projections: :meth:`project_frames` of these frames [N, T, ...], if already computed.
        """
        shared = {} if projections is None else {'projections': projections}
        return self.neck(features, show_labels(frame_heatmaps, aux_labels), aux_labels, **shared)

    def extract_feat(
        self, inputs: Tensor, aux_labels: AuxiliaryLabels | None = None
    ) -> SpatioTemporalRepresentation:
        """Encode windows for prediction.

        Args:
            inputs: Normalised crops [N, T, 3, H, W] in order of time, the key frame in the middle;
                or single pictures [N, 1, 3, H, W] or [N, 3, H, W], which fill all frames.
            aux_labels: Labels of the auxiliary frames.

        Raises:
            InputError: If the number of frames in a window differs from the neck's.
        """
        if inputs.ndim == 4 or inputs.shape[1] == 1:
            pictures = inputs.reshape(-1, 1, *inputs.shape[-3:])
            inputs = pictures.expand(-1, self.num_frames, -1, -1, -1)
        return self.encode_samples(inputs, aux_labels, 1, self.fuse, self.reads_frame_heatmaps)[0]

    def encode_samples(
        self,
        inputs: Tensor,
        aux_labels: AuxiliaryLabels | None,
        num_keys: int,
        fuse: Callable[..., SpatioTemporalRepresentation],
        predict_heatmaps: bool = True,
    ) -> EncodedSamples:
        """Encode the windows of samples, every frame once.

        Args:
            inputs: Normalised crops [N, F, 3, H, W] of W = F - T + 1 key frames, see :meth:`loss`.
            aux_labels: Labels of the auxiliary frames of the N * W windows.
            num_keys: Number W of key frames in a sample.
            fuse: :meth:`fuse` or :meth:`fuse_in_training`.
            predict_heatmaps: Whether to run the frame head, if there is one.

        Raises:
            InputError: If the number of frames in a window differs from the neck's.
        """
        if not self.with_neck:
            outputs = self._run_backbone(key_of(gather_windows(inputs, num_keys)))
            return EncodedSamples(SpatioTemporalRepresentation(outputs[-1]), outputs)
        if inputs.shape[1] - num_keys + 1 != self.num_frames:
            raise InputError(
                f'the neck is for windows of {self.num_frames} frames, the data have '
                f'{inputs.shape[1] - num_keys + 1}, set num_frames of the neck and of the datasets '
                'to the same number'
            )
        outputs = self._run_backbone(inputs.flatten(0, 1))
        features = outputs[-1].unflatten(0, inputs.shape[:2])
        heatmaps = self.predict_frame_heatmaps(features) if predict_heatmaps else None
        representation = fuse(
            gather_windows(features, num_keys),
            None if heatmaps is None else gather_windows(heatmaps, num_keys),
            aux_labels,
        )
        return EncodedSamples(representation, outputs, heatmaps)

    # Training

    def loss(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> dict[str, Tensor]:
        """Compute the losses of the final maps, of parts of the model and of a subclass.

        Args:
            inputs: Normalised crops [N, F, 3, H, W]: W = F - T + 1 key frames, with half of the
                auxiliary frames before and half of them after these. Every frame is encoded once,
                for all windows that contain it.
            data_samples: N samples with targets (see the class) and, for the losses of the frame
                head and of some backbones, ``gt_fields.aux_heatmaps`` [(T - 1)K, h, w] and
                ``gt_instance_labels.aux_keypoint_weights`` [W, T - 1, K].

        Raises:
            InputError: If the number of frames in a window differs from the neck's.
        """
        windows = [window for sample in data_samples for window in split_windows(sample)]
        num_keys = len(windows) // len(data_samples)
        aux_labels = AuxiliaryLabels.from_data_samples(windows)
        encoded = self.encode_samples(inputs, aux_labels, num_keys, self.fuse_in_training)
        losses = self.head.loss(encoded.representation, windows, train_cfg=self.train_cfg)
        if self.frame_head_loss_weight and encoded.frame_heatmaps is not None:
            target, weights = window_targets(data_samples)
            loss = self.frame_head.loss_module(
                encoded.frame_heatmaps.flatten(0, 1), target.flatten(0, 1), weights.flatten(0, 1)
            )
            losses['loss_frame_kpt'] = loss * self.frame_head_loss_weight
        if len(encoded.backbone_outputs) > 1 and hasattr(self.backbone, 'loss'):
            if self.with_neck:
                target, weights = (values.flatten(0, 1) for values in window_targets(data_samples))
            else:
                target, weights = key_targets(windows)
            losses.update(self.backbone.loss(encoded.backbone_outputs, target, weights))
        losses.update(self.representation_losses(encoded.representation, windows, num_keys))
        return losses

    def fuse_in_training(
        self, features: Tensor, frame_heatmaps: Tensor | None, aux_labels: AuxiliaryLabels | None
    ) -> SpatioTemporalRepresentation:
        """Encode the window of a training step, by default with :meth:`fuse`."""
        return self.fuse(features, frame_heatmaps, aux_labels)

    def representation_losses(
        self,
        representation: SpatioTemporalRepresentation,
        windows: list[PoseDataSample],
        windows_per_sample: int,
    ) -> dict[str, Tensor]:
        """Compute losses of the neck's output alone; windows of a sample are next to each other."""
        return {}

    # Prediction

    def predict(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> list[PoseDataSample]:
        """Predict the pose of the key frame.

        Args:
            inputs: Normalised crops [N, T, 3, H, W].
            data_samples: N samples, which may contain given labels.

        Returns:
            The samples with ``pred_instances`` (keypoints in image pixels, scores). With
            ``flip_test``, mirrored windows, including given labels, are also seen.
        """
        use_frame_head = self.test_cfg.get('use_frame_head', False)
        head = self.frame_head if use_frame_head else self.head

        def features(crops: Tensor, labels: AuxiliaryLabels | None) -> Any:
            if use_frame_head:
                return (self.encode_frames(key_of(crops)),)
            return self.extract_feat(crops, labels)

        aux_labels = AuxiliaryLabels.from_data_samples(data_samples)
        feats = features(inputs, aux_labels)
        if self.test_cfg.get('flip_test', False):
            if aux_labels is not None:
                aux_labels = aux_labels.flip(data_samples[0].metainfo['flip_indices'])
            feats = [feats, features(inputs.flip(-1), aux_labels)]
        predictions = head.predict(feats, data_samples, test_cfg=self.test_cfg)
        instances, fields = predictions if isinstance(predictions, tuple) else (predictions, None)
        return self.add_pred_to_datasample(instances, fields, data_samples)

    def _run_backbone(self, crops: Tensor) -> tuple[Tensor, ...]:
        outputs: tuple[Tensor, ...] = self.backbone(crops)
        width = outputs[-1].shape[1]
        # The part that reads the features; the output of a neck may have another width.
        reader = self.frame_head or (self.neck if self.with_neck else self.head)
        for name in ('in_channels', 'embed_dims'):
            expected = getattr(reader, name, width)
            if isinstance(expected, int) and expected != width:
                raise InputError(
                    f'the backbone gives features of {width} channels, {name} of '
                    f'{type(reader).__name__} is {expected}, set in_channels and embed_dims of all '
                    f'parts of the model to {width}'
                )
        return outputs

    def _load_state_dict_pre_hook(
        self,
        state_dict: dict[str, Tensor],
        prefix: str,
        local_meta: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Load the head of a per-frame checkpoint into the frame head."""
        super()._load_state_dict_pre_hook(state_dict, prefix, local_meta, *args, **kwargs)
        is_window_model = any(name.startswith(('frame_head.', 'neck.')) for name in state_dict)
        if self.frame_head is None or is_window_model:
            return
        for name in list(state_dict):
            if name.startswith('head.'):
                state_dict[f'frame_{name}'] = state_dict.pop(name)


def _refuse_misspelled(test_cfg: Iterable[str]) -> None:
    for name in test_cfg:
        meant = get_close_matches(name, _TEST_SETTINGS, 1, 0.8)
        if meant and name not in _TEST_SETTINGS:
            raise InputError(f'test_cfg holds {name!r}, which nothing reads, write {meant[0]!r}')


def _require_head(head: nn.Module) -> None:
    """Refuse heads of MMPose, which read a feature map and not the representation of a window."""
    if _is_of_mmpose(head):
        advice = 'with the arguments of HeatmapHead'
        if not isinstance(head, HeatmapHead):
            advice += ' (this package decodes heatmaps only)'
        raise InputError(
            f'the head {type(head).__name__} of MMPose reads a feature map, not the output of a '
            "neck for windows, use STDPoseSingleSourceHead with source='fused_feature', or "
            f"without a neck source='frame_feature', {advice}"
        )


def _require_windows(part: nn.Module | None, replacement: str) -> None:
    """Refuse a part of MMPose that would read the frames of a window as channels or pictures."""
    if _is_of_mmpose(part):
        raise InputError(
            f'{type(part).__name__} of MMPose is for single pictures, not for windows of frames, '
            f'use {replacement}'
        )


def _is_of_mmpose(module: nn.Module | None) -> bool:
    return type(module).__module__.startswith('mmpose.')


def show_labels(frame_heatmaps: Tensor | None, aux_labels: AuxiliaryLabels | None) -> Tensor | None:
    """Replace predicted maps [N, T, K, h, w] by given labels, if there are both."""
    if aux_labels is None or frame_heatmaps is None:
        return frame_heatmaps
    return aux_labels.substitute(frame_heatmaps)


def gather_windows(frames: Tensor, num_keys: int) -> Tensor:
    """Build the windows [N * W, T, ...] of N samples from their frames.

    Args:
        frames: [N, W + T - 1, ...]; T is 3 if W > 1.
        num_keys: Number W of key frames.
    """
    if num_keys == 1:
        return frames
    left, keys, right = frames.split((1, num_keys, 1), dim=1)
    windows = torch.stack((left.expand_as(keys), keys, right.expand_as(keys)), dim=2)
    return windows.flatten(0, 1)


def key_targets(data_samples: list[PoseDataSample]) -> tuple[Tensor, Tensor]:
    """Stack the target heatmaps [N, K, h, w] and joint weights [N, K] of the key frames."""
    target = torch.stack([sample.gt_fields.heatmaps for sample in data_samples])
    weights = torch.cat([sample.gt_instance_labels.keypoint_weights for sample in data_samples])
    return target, weights


def window_targets(data_samples: list[PoseDataSample]) -> tuple[Tensor, Tensor]:
    """Stack the targets [N, F, K, h, w] and joint weights [N, F, K] of all frames, in order."""
    targets, weights = [], []
    for sample in data_samples:
        labels = sample.gt_instance_labels
        keys = sample.gt_fields.heatmaps.unflatten(0, (len(labels), -1))
        before, after = sample.gt_fields.aux_heatmaps.unflatten(0, (-1, keys.shape[1])).chunk(2)
        targets.append(torch.cat((before, keys, after)))
        before_weights, after_weights = labels.aux_keypoint_weights[0].chunk(2)
        weights.append(torch.cat((before_weights, labels.keypoint_weights, after_weights)))
    return torch.stack(targets), torch.stack(weights)
