"""Predictions with and without the parts of a window model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stdpose_mm.evaluation.functional.keypoint_accuracy import pose_sizes, relative_distances
from stdpose_mm.models.pose_estimators.window_pose_estimator import WindowPoseEstimator

from .model_parts import Neutralisation, changed_output

MOVED_PX = 0.5
"""Shift in heatmap pixels above which a joint counts as moved."""

PCK_THRESHOLDS = (0.05, 0.1)


@dataclass(frozen=True)
class Accuracy:
    """Accuracy of predicted joints that are labelled, with equal weights.

    Args:
        pck: Threshold -> per cent of the joints with an error of at most that share of the pose's
            size.
        error_px: Mean distance in pixels of the picture.
    """

    pck: dict[float, float]
    error_px: float


@dataclass(frozen=True)
class Effect:
    """Effect on predictions of neutralising a part.

    Args:
        neutralisation: How it was neutralised.
        heatmap_change: L2 norm of the change of the final heatmaps, divided by their L2 norm.
        shift_px: Mean shift of the decoded joints in heatmap pixels.
        moved: Share of the joints that move by more than half a heatmap pixel.
        accuracy: Accuracy without the part.
    """

    neutralisation: str
    heatmap_change: float
    shift_px: float
    moved: float
    accuracy: Accuracy


@dataclass(frozen=True)
class Predictions:
    """Predictions of M windows.

    Args:
        heatmaps: Final heatmaps [M, K, h, w].
        keypoints: Decoded joints in pixels of the picture [M, K, 2].
        heatmap_px: Pixels of the picture per heatmap pixel [M, 1, 2].
        truth: True joints in pixels of the picture [M, K, 2].
        labelled: Joints that are labelled, bool [M, K].
    """

    heatmaps: Tensor
    keypoints: np.ndarray
    heatmap_px: np.ndarray
    truth: np.ndarray
    labelled: np.ndarray

    def accuracy(self) -> Accuracy:
        """Compare with the truth; the result is NaN without a labelled joint."""
        distance = np.linalg.norm(self.keypoints - self.truth, axis=-1)
        sizes = pose_sizes(self.truth, self.labelled)
        sized = self.labelled & (sizes > 0)[:, None]
        relative = relative_distances(distance, sizes, sized)[sized]
        return Accuracy(
            {
                threshold: 100 * float((relative <= threshold).mean()) if sized.any() else np.nan
                for threshold in PCK_THRESHOLDS
            },
            float(distance[self.labelled].mean()) if self.labelled.any() else np.nan,
        )

    def effect_of(self, neutralisation: str, without: Predictions) -> Effect:
        """Compare with the predictions without a part."""
        change = (without.heatmaps - self.heatmaps).double().norm()
        shift = np.linalg.norm((without.keypoints - self.keypoints) / self.heatmap_px, axis=-1)
        return Effect(
            neutralisation,
            float(change / self.heatmaps.double().norm().clamp(min=torch.finfo().tiny)),
            float(shift.mean()),
            float((shift > MOVED_PX).mean()),
            without.accuracy(),
        )


@torch.no_grad()
def predict_without(
    model: WindowPoseEstimator,
    batches: Sequence[Mapping[str, Any]],
    neutralisation: Neutralisation | None = None,
) -> Predictions | None:
    """Predict windows with a part neutralised.

    Args:
        model: A window model; it is set to evaluation mode. Mirrored crops are not used.
        batches: Batches from a loader.
        neutralisation: How the part is neutralised; ``None`` for the whole model.

    Returns:
        The predictions, or ``None`` if they do not run the module to be neutralised.
    """
    model.eval()
    results: list[Any] = []
    heatmaps: list[Tensor] = []
    runs = 0

    def keep(output: Any, _: Sequence[Any]) -> Any:
        heatmaps.append(output)
        return output

    def count(output: Any, _: Sequence[Any]) -> Any:
        nonlocal runs
        runs += 1
        return output

    way = neutralisation or Neutralisation('nothing')
    context = way.context() if way.context else nullcontext()
    module = model.get_submodule(way.module) if way.module else None
    counted = changed_output(module, count) if module is not None else nullcontext()
    with context, counted, changed_output(model.head, keep):
        for batch in batches:
            data = model.data_preprocessor(batch, training=False)
            inputs, samples = data['inputs'], data['data_samples']
            if way.inputs is not None:
                inputs, samples = way.inputs(inputs, samples)
            results += model.predict(inputs, samples)
    if module is not None and not runs:
        return None
    return _collect(torch.cat(heatmaps), results)


def _collect(heatmaps: Tensor, samples: Sequence[Any]) -> Predictions:
    height, width = heatmaps.shape[-2:]
    weights = torch.cat([sample.gt_instance_labels.keypoint_weights for sample in samples])
    return Predictions(
        heatmaps=heatmaps,
        keypoints=np.concatenate([sample.pred_instances.keypoints for sample in samples]),
        heatmap_px=np.stack(
            [sample.metainfo['input_scale'] / (width - 1, height - 1) for sample in samples]
        )[:, None],
        truth=np.concatenate([sample.gt_instances.keypoints for sample in samples]),
        labelled=weights.cpu().numpy() > 0,
    )
