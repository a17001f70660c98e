"""PoseTrack's evaluation as an MMEngine metric."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmpose.registry import METRICS

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    EVALUATED_JOINTS,
    evaluate_posetrack,
    format_table,
    group_means,
    keypoint_accuracy,
    mean_of_known,
)
from stdpose_mm.evaluation.functional.padded_poses import pair_frames
from stdpose_mm.registration import register
from stdpose_mm.structures import PersonLabel, pose_extent

from .base_video_metric import BaseVideoMetric


@register(METRICS)
class PoseTrackMetric(BaseVideoMetric):
    """AP per joint, MOTA and MOTP by PoseTrack's rules, and PCK, errors and jitter.

    Metrics, in per cent: ``AP``, ``Head AP`` ... ``Ankle AP``, ``precision``, ``recall``,
    ``MOTA``, ``MOTP``, ``PCK@0.05``, ``PCK@0.1``, ``PCK@0.2``, ``AUC``, ``error_percent``,
    ``predicted``; ``error_px`` in pixels and ``jitter`` in px/frame^2. MOTA and all later ones need
    the identity of every person and are omitted if one is unknown. In propagation the second subset
    of frames has the same names with ``_all``.

    Args:
        oks_nms: For detected boxes: of people in a frame whose similarity (OKS) exceeds this value,
            only the one with the highest mean score is evaluated; None keeps all.
        kwargs: As in :class:`BaseVideoMetric`.
    """

    default_prefix = 'posetrack'

    def __init__(self, *args: Any, oks_nms: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if oks_nms is not None and not 0 < oks_nms <= 1:
            raise InputError(f'oks_nms must be None or in 0..1, got {oks_nms}')
        self.oks_nms = oks_nms

    def check_truth(self) -> None:
        """Also refuse a skeleton without an evaluated joint, and people without a head box."""
        super().check_truth()
        for video in self.truth:
            pair_frames(video, video, EVALUATED_JOINTS)

    def select_people(self, people: list[PersonLabel]) -> list[PersonLabel]:
        """Select the people that OKS-NMS keeps, in their order."""
        if self.oks_nms is None or len(people) < 2:
            return people
        # Imported on use, since it imports all of MMPose's evaluation and xtcocotools.
        from mmpose.evaluation.functional.nms import oks_nms

        candidates = []
        for person in people:
            box = person.bbox
            if box is None:
                box = pose_extent(person.keypoints, person.labelled)
            assert person.scores is not None
            score = person.scores.mean()
            joints = np.column_stack([person.keypoints, person.scores])
            candidates.append(dict(keypoints=joints, score=score, area=box[2] * box[3]))
        sigmas = np.asarray((self.dataset_meta or {})['sigmas'])
        selection = oks_nms(candidates, self.oks_nms, sigmas=sigmas)
        return [people[i] for i in sorted(selection)]

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute the metrics of the class on both subsets of frames."""
        predictions = self.predicted_videos(results)
        metrics: dict[str, float] = {}
        rows: dict[str, np.ndarray] = {}
        everyone = [person for video in (*self.truth, *predictions) for person in video.persons]
        tracked = all(person.track_id is not None for person in everyone)
        for subset, suffix in self.suffixes.items():
            frames = [self.evaluated_frames(video, subset) for video in self.truth]
            # PoseTrack does not evaluate frames without people in the truth.
            truth = [
                video.keep_frames(indices)
                for video, indices in zip(self.truth, frames, strict=True)
            ]
            scores = evaluate_posetrack(truth, predictions)
            values = {
                'AP': mean_of_known(scores.ap),
                'precision': mean_of_known(scores.precision),
                'recall': mean_of_known(scores.recall),
            }
            rows[self.row_label('AP', subset)] = scores.ap
            if tracked:
                rows[self.row_label('MOTA', subset)] = scores.mota
                values['MOTA'] = mean_of_known(scores.mota)
                values['MOTP'] = mean_of_known(scores.motp)
                values.update(keypoint_accuracy(self.truth, predictions, frames).means())
            if not suffix:
                by_group = group_means(scores.ap)
                del by_group['Mean']
                values.update({f'{group} AP': value for group, value in by_group.items()})
            metrics.update({f'{name}{suffix}': value for name, value in values.items()})
        self.log_table(format_table(rows, self.title()))
        return metrics
