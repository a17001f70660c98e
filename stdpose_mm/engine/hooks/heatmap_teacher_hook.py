from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner, load_checkpoint
from mmpose.registry import HOOKS, MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.checkpoint_files import safe_mmengine_reader
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError, require_ratio
from stdpose_mm.models.structures import AuxiliaryLabels, split_windows
from stdpose_mm.registration import register


@register(HOOKS)
class HeatmapTeacherHook(Hook):
    """Hook for knowledge distillation: the model also learns from the heatmaps of a trained one.

    The targets become the weighted mean of the labels' maps and the teacher's. For the squared
    error (Eq. 4) this is equivalent to a loss on each: their weighted sum differs from the error to
    the mean by a term that does not depend on the prediction. The weights of the joints stay, so
    nothing is learned about joints without a label.

    Args:
        config: Config of the teacher; its crops and heatmaps have the same size as the
            student's.
        checkpoint: Path or address of the teacher's weights.
        share: Weight of the teacher's maps, in 0..1; the labels' maps have the rest.

    Raises:
        InputError: If the share is outside 0..1; at the start of the training, if the config has no
            window model or the weights do not fit it.
    """

    def __init__(self, config: str, checkpoint: str, share: float = 0.5) -> None:
        require_ratio(**{'share of the teacher': share})
        self.config = config
        self.checkpoint = checkpoint
        self.share = share
        self.model: Any = None

    def before_train(self, runner: Runner) -> None:
        """Read the teacher from its files."""
        cfg = read_config(self.config)
        model: Any = MODELS.build(cfg.model) if 'model' in cfg else None
        if not hasattr(model, 'encode_samples'):
            raise InputError(
                f'the teacher {self.config} has no window model, give a config such as those in '
                'configs/'
            )
        try:
            with safe_mmengine_reader():
                load_checkpoint(model, self.checkpoint, map_location='cpu', strict=True)
        except RuntimeError as error:
            raise InputError(
                f'checkpoint {self.checkpoint} does not fit the teacher {self.config}, give the '
                'config that it was trained with'
            ) from error
        device = next(runner.model.parameters()).device
        self.model = model.requires_grad_(False).eval().to(device)

    @torch.no_grad()
    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Blend the teacher's heatmaps into the targets of a training batch."""
        data = self.model.data_preprocessor(data_batch, training=True)
        self.blend_targets(data['inputs'], data['data_samples'])
        data_batch['data_samples'] = data['data_samples']

    def blend_targets(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> None:
        """Blend the teacher's heatmaps into the targets of training samples, in place.

        Args:
            inputs: Normalised crops [N, F, 3, H, W] as in :meth:`WindowPoseEstimator.loss`.
            data_samples: N samples. ``gt_fields.heatmaps`` [W * K, h, w] are blended with the
                teacher's final heatmaps and, if the teacher has a frame head, ``aux_heatmaps``
                [(T - 1) * K, h, w] with the heatmaps of that head.

        Raises:
            InputError: If the teacher's heatmaps have another shape than the targets.
        """
        model = self.model
        windows = [window for sample in data_samples for window in split_windows(sample)]
        num_keys = len(windows) // len(data_samples)
        aux_labels = AuxiliaryLabels.from_data_samples(windows)
        encoded = model.encode_samples(inputs, aux_labels, num_keys, model.fuse)
        final = model.head.forward(encoded.representation).unflatten(0, (-1, num_keys))
        for index, sample in enumerate(data_samples):
            fields = sample.gt_fields
            fields.heatmaps = self._blend(fields.heatmaps, final[index])
            if encoded.frame_heatmaps is not None and 'aux_heatmaps' in fields:
                of_frames = encoded.frame_heatmaps[index]
                side = (len(of_frames) - num_keys) // 2
                auxiliary = torch.cat((of_frames[:side], of_frames[side + num_keys :]))
                fields.aux_heatmaps = self._blend(fields.aux_heatmaps, auxiliary)

    def _blend(self, target: Tensor, predicted: Tensor) -> Tensor:
        """Blend targets [M * K, h, w] with the teacher's maps [M, K, h, w]."""
        predicted = predicted.flatten(0, 1)
        if predicted.shape != target.shape:
            raise InputError(
                f'the heatmaps of the teacher have the shape {tuple(predicted.shape)}, the targets '
                f'{tuple(target.shape)}, give a teacher with the same joints and heatmap size'
            )
        return target.float().lerp(predicted.float().clamp(min=0), self.share)
