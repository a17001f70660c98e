"""Keypoint accuracy of known people, for any skeleton, as an MMEngine metric."""

from __future__ import annotations

from mmpose.registry import METRICS

from stdpose_mm.evaluation.functional import format_accuracy, keypoint_accuracy
from stdpose_mm.registration import register

from .base_video_metric import BaseVideoMetric


@register(METRICS)
class VideoPCKMetric(BaseVideoMetric):
    """PCK, errors and jitter of people whose identities are known, without head boxes.

    Metrics: ``PCK@0.05``, ``PCK@0.1``, ``PCK@0.2``, ``AUC``, ``error_percent``, ``predicted`` in
    per cent, ``error_px`` in pixels, ``jitter`` in px/frame^2, each the mean over the joints. In
    propagation the second subset of frames has the same names with ``_all``.

    Args: See :class:`BaseVideoMetric`.
    """

    default_prefix = 'video'

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute the metrics of the class on both subsets of frames."""
        predictions = self.predicted_videos(results)
        metrics: dict[str, float] = {}
        tables = [self.title()]
        for subset, suffix in self.suffixes.items():
            frames = [self.evaluated_frames(video, subset) for video in self.truth]
            accuracy = keypoint_accuracy(self.truth, predictions, frames)
            tables.append(format_accuracy(accuracy, self.row_label('Accuracy', subset)))
            metrics.update({f'{name}{suffix}': v for name, v in accuracy.means().items()})
        self.log_table('\n'.join(tables))
        return metrics
