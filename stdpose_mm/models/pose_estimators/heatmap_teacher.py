from __future__ import annotations

from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor

from stdpose_mm.errors import InputError, require_share
from stdpose_mm.models.structures import split_windows


class HeatmapTeacher:
    """A trained window model whose heatmaps another one learns from (knowledge distillation).

    The other model's targets become the weighted mean of the labels' maps and of the teacher's. For
    the squared error (Eq. 4) that is the same as a loss on each: their sum differs from the error
    to the mean by what does not depend on the prediction.

    Args:
        config: Config file of the teacher; crops and heatmaps have the size of the other model's.
        checkpoint: Path or address of its weights.
        share: Weight of the teacher's maps, in 0..1; the labels' have the rest.

    Attributes:
        model: The teacher, in evaluation; ``None`` before :meth:`load`.

    Raises:
        InputError: If the share is outside 0..1.
    """

    def __init__(self, config: str, checkpoint: str, share: float = 0.5) -> None:
        require_share(**{'share of the teacher': share})
        self.config = config
        self.checkpoint = checkpoint
        self.share = share
        self.model: Any = None

    def load(self) -> None:
        """Read the model from its files.

        Raises:
            InputError: If the config has no window model, or the weights are not this model's.
        """
        cfg = Config.fromfile(self.config)
        if 'model' not in cfg:
            raise InputError(
                f'the teacher {self.config} has no model, give a config such as those in configs/'
            )
        model: Any = MODELS.build(cfg.model)
        if not hasattr(model, 'encode_samples'):
            raise InputError(
                f'the teacher {self.config} is a {type(model).__name__}, give the config of a '
                'model of windows, such as those in configs/'
            )
        try:
            load_checkpoint(model, self.checkpoint, map_location='cpu', strict=True)
        except RuntimeError as error:
            raise InputError(
                f'checkpoint {self.checkpoint} does not fit the teacher {self.config}, give the '
                'config that it was trained with'
            ) from error
        self.model = model.requires_grad_(False).eval()

    @torch.no_grad()
    def blend_targets(self, inputs: Tensor, data_samples: list[PoseDataSample]) -> None:
        """Blend the teacher's heatmaps into the targets of training samples, in place.

        Args:
            inputs: Normalised crops [N, F, 3, H, W] as in :meth:`WindowPoseEstimator.loss`.
            data_samples: N samples, of which ``gt_fields.heatmaps`` [W * K, h, w] are blended with
                the teacher's final heatmaps and, where it has a frame head, ``aux_heatmaps``
                [(T - 1) * K, h, w] with that head's. The weights of the joints stay, so that
                nothing is learnt of joints without a label.

        Raises:
            InputError: If the teacher's heatmaps have another shape than the targets.
        """
        model = self.model.to(inputs.device)
        windows = [window for sample in data_samples for window in split_windows(sample)]
        representation, frame_heatmaps, _ = model.encode_samples(inputs, windows, model.fuse)
        of_samples = model.head.forward(representation).unflatten(0, (len(data_samples), -1))
        for index, sample in enumerate(data_samples):
            fields = sample.gt_fields
            fields.heatmaps = self._blend(fields.heatmaps, of_samples[index].flatten(0, 1))
            if frame_heatmaps is None or 'aux_heatmaps' not in fields:
                continue
            num_keys = len(of_samples[index])
            left = (len(frame_heatmaps[index]) - num_keys) // 2
            before, _, after = frame_heatmaps[index].split((left, num_keys, left))
            auxiliary = torch.cat((before, after)).flatten(0, 1)
            fields.aux_heatmaps = self._blend(fields.aux_heatmaps, auxiliary)

    def _blend(self, target: Tensor, predicted: Tensor) -> Tensor:
        if predicted.shape != target.shape:
            raise InputError(
                f'the heatmaps of the teacher have the shape {tuple(predicted.shape)}, the targets '
                f'{tuple(target.shape)}, give a teacher with the same joints and heatmap size'
            )
        return target.float().lerp(predicted.float().clamp(min=0), self.share)
