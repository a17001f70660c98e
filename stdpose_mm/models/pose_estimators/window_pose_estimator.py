from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    EncodedSamples,
    SpatioTemporalRepresentation,
    key_of,
    split_windows,
)
from stdpose_mm.structures import NUM_FRAMES

from .heatmap_teacher import HeatmapTeacher


class WindowPoseEstimator(TopdownPoseEstimator):
    """Pose of the key frame from a window of crops; the base of all window models.

    The backbone sees every frame by itself; a frame head turns the features F_l, F_t, F_r into
    heatmaps H_l, H_t, H_r, of which those of the left and right frame are replaced by given
    labels where there are any (pose propagation; without labels: pose estimation). The neck
    encodes both over time, the head decodes the final heatmaps.

    A window has T frames, the neck's ``num_frames``: by default three; with five and more there are
    further frames, which have no labels, between the left or right frame and the key frame.

    Which labels are given comes with the data samples: ``gt_fields.given_heatmaps`` [2K, h, w],
    ``gt_fields.prior_heatmaps`` [K, h, w] and ``gt_instance_labels.given_mask`` [1, 2, K];
    samples without them give nothing.

    A ViTPose checkpoint (MMPose 1.x or original) loads into the backbone and the frame head.

    Args:
        backbone: Config of the backbone.
        head: Config of the head that decodes the neck's representation.
        neck: Config of the neck; ``None`` leaves out everything temporal (the backbone then sees
            the key frame only).
        frame_head: Config of the head that decodes every frame by itself; needed by a neck that
            merges heatmaps.
        frame_head_loss_weight: Weight of the frame head's own loss on all frames. The paper has
            none (0); a frame head without pretraining needs it.
        teacher: Arguments of :class:`HeatmapTeacher`, a trained model that this one learns from,
            beside the labels. :meth:`init_weights` reads it, when a training starts; a model that
            is loaded to predict, or to be adapted to a video, needs no teacher.
        test_cfg: As in MMPose (``flip_test``, ``flip_mode``, ...); ``use_frame_head=True``
            decodes the key frame by the frame head alone.
        **kwargs: ``train_cfg``, ``data_preprocessor``, ``metainfo`` and ``init_cfg`` of
            :class:`TopdownPoseEstimator`.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        frame_head: dict | None = None,
        frame_head_loss_weight: float = 0.0,
        teacher: dict | None = None,
        test_cfg: dict | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(backbone=backbone, neck=neck, head=head, test_cfg=test_cfg, **kwargs)
        if neck is None and frame_head:
            raise InputError('a frame_head needs a neck, got neck=None')
        if frame_head is None and (frame_head_loss_weight or self.test_cfg.get('use_frame_head')):
            raise InputError('frame_head_loss_weight and use_frame_head need a frame_head')
        self.frame_head: Any = MODELS.build(frame_head) if frame_head else None
        self.frame_head_loss_weight = frame_head_loss_weight
        # Not a module: its weights belong to neither the checkpoints nor the optimizer.
        self._teacher = HeatmapTeacher(**teacher) if teacher else None

    def init_weights(self) -> None:
        """Initialise the weights, and read the teacher's."""
        super().init_weights()
        if self._teacher is not None:
            self._teacher.load()

    @property
    def reads_frame_heatmaps(self) -> bool:
        """Whether windows need :meth:`predict_frame_heatmaps` in prediction as well."""
        return self.frame_head is not None and getattr(self.neck, 'reads_heatmaps', True)

    @property
    def num_frames(self) -> int:
        """The number T of frames of a window; ``NUM_FRAMES`` without a neck."""
        return getattr(self.neck, 'num_frames', NUM_FRAMES) if self.with_neck else NUM_FRAMES

    @property
    def takes_labels(self) -> bool:
        """Whether the model uses labels of the auxiliary frames."""
        return self.with_neck and getattr(self.neck, 'takes_labels', True)

    def drop_training_parts(self) -> None:
        """Free the modules that only training needs; the model cannot be trained any more."""

    def encode_frames(self, crops: Tensor) -> Tensor:
        """Encode single frames, which windows may share: [M, 3, H, W] -> [M, D, h', w'].

        Raises:
            InputError: If D is not what the next part of the model reads.
        """
        features: Tensor = self.backbone(crops)[-1]
        self._require_width(features.shape[1])
        return features

    def predict_frame_heatmaps(self, features: Tensor) -> Tensor | None:
        """Predict the heatmaps of every frame by itself; ``None`` without a frame head.

        Args:
            features: [N, T, D, h', w'].

        Returns:
            [N, T, K, h, w].
        """
        if self.frame_head is None:
            return None
        heatmaps = self.frame_head.forward((features.flatten(0, 1),))
        return heatmaps.unflatten(0, (-1, features.shape[1]))

    def project_frames(self, features: Tensor) -> Tensor | None:
        """Compute the neck's projections of single frames: [M, D, h', w'] -> [M, ...].

        Returns:
            ``None`` if the neck reads nothing but features and heatmaps.
        """
        project = getattr(self.neck, 'project_frames', None) if self.with_neck else None
        return None if project is None else project(features)

    def fuse(
        self,
        features: Tensor,
        frame_heatmaps: Tensor | None,
        given: AuxiliaryLabels | None = None,
        projections: Tensor | None = None,
    ) -> SpatioTemporalRepresentation:
        """Put given labels in place of predictions and encode the window.

        Args:
            features: F_l, F_t, F_r with shape [N, T, D, h', w'].
            frame_heatmaps: H_l, H_t, H_r as predicted [N, T, K, h, w].
            given: Labels of the auxiliary frames.
            projections: :meth:`project_frames` of these frames [N, T, ...], if already computed.
        """
        shared = {} if projections is None else {'projections': projections}
        return self.neck(features, show_labels(frame_heatmaps, given), given, **shared)

    def extract_feat(
        self, inputs: Tensor, given: AuxiliaryLabels | None = None
    ) -> SpatioTemporalRepresentation:
        """Encode windows.

        Args:
            inputs: Normalised crops [N, T, 3, H, W] in time order, the key frame in the middle.
            given: Labels of the auxiliary frames.

        Raises:
            InputError: If the windows have another number of frames than the neck takes.
        """
        if not self.with_neck:
            return SpatioTemporalRepresentation(self.encode_frames(key_of(inputs)))
        self._require_frames(inputs.shape[1])
        features = self.encode_frames(inputs.flatten(0, 1)).unflatten(0, (-1, inputs.shape[1]))
        heatmaps = self.predict_frame_heatmaps(features) if self.reads_frame_heatmaps else None
        return self.fuse(features, heatmaps, given)

    def loss(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> dict[str, Tensor]:
        """Compute the losses of the final maps, of the frame head, of pruning and of a subclass.

        Args:
            inputs: Normalised crops [N, F, 3, H, W]: W = F - T + 1 key frames, half of the
                auxiliary frames before and half of them after these. Every frame is encoded once,
                for all windows that it is in.
            data_samples: N samples with targets (see the class) and, for the frame head's loss,
                ``gt_fields.aux_heatmaps`` [(T - 1)K, h, w] and
                ``gt_instance_labels.aux_keypoint_weights`` [W, T - 1, K]; these also where the
                backbone prunes tokens.

        Raises:
            InputError: If the windows have another number of frames than the neck takes.
        """
        if self._teacher is not None and self._teacher.model is not None:
            self._teacher.blend_targets(inputs, data_samples)
        windows = [window for sample in data_samples for window in split_windows(sample)]
        encoded = self.encode_samples(inputs, windows, self._fuse_to_train)
        losses = self.head.loss(encoded.representation, windows, train_cfg=self.train_cfg)
        if self.frame_head_loss_weight and encoded.frame_heatmaps is not None:
            losses['loss_frame_kpt'] = self._frame_head_loss(encoded.frame_heatmaps, data_samples)
        if encoded.token_scores is not None:
            losses.update(self._token_losses(encoded.token_scores, data_samples, windows))
        per_sample = len(windows) // len(data_samples)
        losses.update(self._representation_losses(encoded.representation, windows, per_sample))
        return losses

    def encode_samples(
        self, inputs: Tensor, windows: list[PoseDataSample], fuse: Callable[..., Any]
    ) -> EncodedSamples:
        """Encode the windows of training samples, every frame once.

        Args:
            inputs: Normalised crops [N, F, 3, H, W], see :meth:`loss`.
            windows: The N * W windows, whose given labels are read.
            fuse: :meth:`fuse`, or what a subclass does in its place in training.

        Raises:
            InputError: If the windows have another number of frames than the neck takes.
        """
        num_keys = len(windows) // len(inputs)
        if not self.with_neck:
            scores, features = self._score_and_encode(key_of(gather_windows(inputs, num_keys)))
            return EncodedSamples(SpatioTemporalRepresentation(features), token_scores=scores)
        self._require_frames(inputs.shape[1] - num_keys + 1)
        scores, features = self._score_and_encode(inputs.flatten(0, 1))
        features = features.unflatten(0, (len(inputs), -1))
        frame_heatmaps = self.predict_frame_heatmaps(features)
        representation = fuse(
            gather_windows(features, num_keys),
            None if frame_heatmaps is None else gather_windows(frame_heatmaps, num_keys),
            AuxiliaryLabels.from_data_samples(windows),
        )
        return EncodedSamples(representation, frame_heatmaps, scores)

    def predict(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> list[PoseDataSample]:
        """Predict the pose of the key frame.

        Args:
            inputs: Normalised crops [N, T, 3, H, W].
            data_samples: N samples; given labels are read from them.

        Returns:
            The samples with ``pred_instances`` (keypoints in image pixels, scores). With
            ``flip_test`` the windows are seen mirrored too, given labels included.
        """
        use_frame_head = self.test_cfg.get('use_frame_head', False)
        head = self.frame_head if use_frame_head else self.head

        def features(crops: Tensor, labels: AuxiliaryLabels | None) -> Any:
            if use_frame_head:
                return (self.encode_frames(key_of(crops)),)
            return self.extract_feat(crops, labels)

        given = AuxiliaryLabels.from_data_samples(data_samples)
        feats = features(inputs, given)
        if self.test_cfg.get('flip_test', False):
            if given is not None:
                given = given.flip(data_samples[0].metainfo['flip_indices'])
            feats = [feats, features(inputs.flip(-1), given)]
        predictions = head.predict(feats, data_samples, test_cfg=self.test_cfg)
        instances, fields = predictions if isinstance(predictions, tuple) else (predictions, None)
        return self.add_pred_to_datasample(instances, fields, data_samples)

    def _require_frames(self, number: int) -> None:
        if number != self.num_frames:
            raise InputError(
                f'the neck is for windows of {self.num_frames} frames, the data have {number}, set '
                'num_frames of the neck and of the datasets to the same number'
            )

    def _require_width(self, width: int) -> None:
        # The part that reads the features; what a neck gives to the head may have another width.
        reader = self.frame_head or (self.neck if self.with_neck else self.head)
        for name in ('in_channels', 'embed_dims'):
            expected = getattr(reader, name, width)
            if isinstance(expected, int) and expected != width:
                raise InputError(
                    f'the backbone gives features of {width} channels, {name} of '
                    f'{type(reader).__name__} is {expected}, set in_channels and embed_dims of all '
                    f'parts of the model to {width}'
                )

    def _score_and_encode(self, crops: Tensor) -> tuple[Tensor | None, Tensor]:
        """Encode frames as :meth:`encode_frames` does, and return the scores of their tokens too.

        The scores [M, L] are ``None`` unless the backbone prunes tokens.
        """
        outputs = self.backbone(crops)
        self._require_width(outputs[-1].shape[1])
        is_pruned = getattr(self.backbone, 'pruning', None) is not None
        return outputs[0] if is_pruned else None, outputs[-1]

    def _fuse_to_train(
        self, features: Tensor, frame_heatmaps: Tensor | None, given: AuxiliaryLabels | None
    ) -> SpatioTemporalRepresentation:
        """Encode the window of a training step, as :meth:`fuse` does."""
        return self.fuse(features, frame_heatmaps, given)

    def _representation_losses(
        self,
        representation: SpatioTemporalRepresentation,
        windows: list[PoseDataSample],
        windows_per_sample: int,
    ) -> dict[str, Tensor]:
        """Compute losses of the neck's output by itself; windows of a sample are side by side."""
        return {}

    def _frame_head_loss(
        self, frame_heatmaps: Tensor, data_samples: list[PoseDataSample]
    ) -> Tensor:
        target, weights = window_targets(data_samples)
        loss = self.frame_head.loss_module(
            frame_heatmaps.flatten(0, 1), target.flatten(0, 1), weights.flatten(0, 1)
        )
        return loss * self.frame_head_loss_weight

    def _token_losses(
        self, scores: Tensor, data_samples: list[PoseDataSample], windows: list[PoseDataSample]
    ) -> dict[str, Tensor]:
        """Compute the loss of the backbone's pruning, on all frames that were encoded.

        ``kept_joints``, which is logged but no loss, is the share of joints whose token is kept.
        """
        if self.with_neck:
            target, weights = (values.flatten(0, 1) for values in window_targets(data_samples))
        else:
            target, weights = key_targets(windows)
        pruning = self.backbone.pruning
        return {
            'loss_tokens': pruning.loss(scores, target, weights),
            'kept_joints': pruning.kept_joints(scores, target, weights),
        }

    def _load_state_dict_pre_hook(
        self,
        state_dict: dict[str, Tensor],
        prefix: str,
        local_meta: dict[str, Any],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Send the head of a per-frame checkpoint to the frame head."""
        super()._load_state_dict_pre_hook(state_dict, prefix, local_meta, *args, **kwargs)
        is_window_model = any(name.startswith(('frame_head.', 'neck.')) for name in state_dict)
        if self.frame_head is None or is_window_model:
            return
        for name in list(state_dict):
            if name.startswith('head.'):
                state_dict[f'frame_{name}'] = state_dict.pop(name)


def show_labels(frame_heatmaps: Tensor | None, given: AuxiliaryLabels | None) -> Tensor | None:
    """Put given labels in place of predicted maps [N, T, K, h, w], if there are both."""
    if given is None or frame_heatmaps is None:
        return frame_heatmaps
    return given.substitute(frame_heatmaps)


def gather_windows(frames: Tensor, num_keys: int) -> Tensor:
    """Make the windows [N * W, T, ...] of N samples from their frames.

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
