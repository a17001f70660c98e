"""Base class of metrics over whole videos; it reads the truth and collects predictions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log

from stdpose_mm.errors import InputError, require_choice, require_ratio, require_whole
from stdpose_mm.evaluation.functional.keypoint_accuracy import pair_videos
from stdpose_mm.io.labels import (
    files_by_video,
    find_label_files,
    read_posetrack,
    read_selected_videos,
)
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, PersonLabel, VideoLabels, given_frames
from stdpose_mm.structures.propagated_labels import require_given
from stdpose_mm.tracking import assign_track_ids

BOXES = {
    'gt': 'ground-truth boxes',
    'interpolated': 'boxes interpolated between labels',
    'detected': 'detected boxes',
}
UNLABELLED, ALL = 'unlabelled', 'all'


class BaseVideoMetric(BaseMetric):
    """Base class of metrics that collect predicted poses into videos and compare them with labels.

    In propagation (``given_interval``) two results are reported: over all frames, where the given
    labels count as predictions with score 1 (the paper's protocol), and over the unlabelled frames
    alone. The latter have the plain names (``AP``), the former end in ``_all`` (``AP_all``).

    Every data sample needs ``video_name``, ``frame_index``, ``track_id`` (-1 if unknown) and
    ``pred_instances`` of one person: ``keypoints`` [1, K, 2] in pixels of the picture,
    ``keypoint_scores`` [1, K], and for detections ``bboxes`` [1, 4] and ``bbox_scores`` [1]. The
    score of a joint is multiplied by the score of its box. ``gt_instance_labels.given_mask``
    [1, 2, K] with ``frame_indices``, if present, tells which labels the model was shown, and
    ``aux_given`` [2] which ones the dataset gave.

    Args:
        ann_file: Folder of label files, one label file, or a list of these: PoseTrack18 JSON (any
            skeleton), PoseTrack17's annolist, or COCO JSON of several videos.
        given_interval: T of the propagation protocol, which determines the given frames; None in
            estimation, without given frames.
        boxes: Boxes that the model was shown, for the title of the table: ``'gt'``,
            ``'interpolated'`` or ``'detected'``.
        keypoint_threshold: Predicted joints with a lower score are ignored; None keeps all.
        held_out_share, held_out: Videos to evaluate, with the same meaning as in
            :class:`~stdpose_mm.datasets.base.BaseWindowDataset`.
        **kwargs: As in MMEngine's BaseMetric: ``collect_device``, ``prefix``, ``collect_dir``.

    Raises:
        InputError: If there are no label files, two of them hold the same video, or see
            :meth:`check_truth`.
        ValueError: If an argument is not as described.
    """

    def __init__(
        self,
        ann_file: str | Sequence[str],
        given_interval: int | None = None,
        boxes: str = 'gt',
        keypoint_threshold: float | None = None,
        held_out_share: float = 0.0,
        held_out: str = 'exclude',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_choice('boxes', boxes, BOXES)
        if given_interval is not None:
            require_whole('given_interval', given_interval, 1)
        if keypoint_threshold is not None:
            require_ratio(keypoint_threshold=keypoint_threshold)
        owner = type(self).__name__
        files = find_label_files(ann_file, owner=owner)
        videos = [*read_selected_videos(files, read_posetrack, held_out_share, held_out, owner)]
        # Predictions only contain the name of their video.
        files_by_video((labels.name, file) for file, labels in videos)
        # As in datasets.
        self.truth = [assign_track_ids(labels) for _, labels in videos]
        # Now, since the first predictions may be hours of training away.
        self.check_truth()
        self.given_interval = given_interval
        self.boxes = boxes
        # The main subset of frames comes first.
        self.suffixes = {ALL: ''} if given_interval is None else {UNLABELLED: '', ALL: '_all'}
        self.keypoint_threshold = keypoint_threshold

    def check_truth(self) -> None:
        """Refuse labels that predictions cannot be compared with, before there are predictions.

        Raises:
            InputError: If the truth contains propagated labels, or videos with different joints.
        """
        require_given(self.truth, type(self).__name__)
        pair_videos(self.truth, self.truth, None)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep one result per data sample, with the fields that evaluation needs.

        Raises:
            InputError: If a sample is of a picture, not of a video.
        """
        for sample in data_samples:
            if 'video_name' not in sample:
                raise InputError(
                    f'{type(self).__name__} evaluates videos, and a sample of a picture was '
                    "predicted, use a window dataset in test_dataloader, or MMPose's CocoMetric or "
                    'PCKAccuracy'
                )
            instances = sample['pred_instances']
            keypoints = _to_numpy(instances['keypoints'])
            scores = _to_numpy(instances['keypoint_scores'])
            if len(keypoints) != 1 or scores.shape != keypoints.shape[:2]:
                raise ValueError(
                    f'{type(self).__name__} needs keypoints [1, K, 2] and keypoint_scores [1, K] '
                    f'per sample, got {list(keypoints.shape)} and {list(scores.shape)}'
                )
            result = dict(
                video_name=sample['video_name'],
                frame_index=int(sample['frame_index']),
                track_id=int(sample['track_id']),
                keypoints=keypoints[0, :, :2],
                scores=scores[0],
                bbox=None,
                shown=_frames_with_labels(sample),
                hidden=_hidden_frames(sample),
            )
            if 'bboxes' in instances:
                left, top, right, bottom = _to_numpy(instances['bboxes'])[0]
                result['bbox'] = np.array([left, top, right - left, bottom - top])
            if 'bbox_scores' in instances:
                result['scores'] = scores[0] * _to_numpy(instances['bbox_scores'])[0]
            self.results.append(result)

    def select_people(self, people: list[PersonLabel]) -> list[PersonLabel]:
        """Select the predicted people of one frame that are evaluated."""
        return people

    def predicted_videos(self, results: list[dict]) -> list[VideoLabels]:
        """Assemble the results into videos that match ``self.truth``, given labels included.

        Raises:
            InputError: If a result belongs to a video without labels, ``given_interval`` differs
                from the data, or a given label was not shown to the model.
        """
        by_frame: dict[str, dict[int, list[PersonLabel]]] = {
            video.name: {frame.index: [] for frame in video.frames} for video in self.truth
        }
        shown_frames: dict[str, set[int]] = {name: set() for name in by_frame}
        for result in results:
            name, index = result['video_name'], result['frame_index']
            if name not in by_frame or index not in by_frame[name]:
                raise InputError(
                    f'frame {index} of video {name!r} was predicted, which is not in the labels '
                    f'of {type(self).__name__} ({len(self.truth)} videos); '
                    'set ann_file to the labels of the dataset'
                )
            if self.given_interval is not None and result['hidden']:
                raise InputError(
                    f'the label of frame {result["hidden"][0]} of video {name!r} was not shown to '
                    f'the model, which given_interval={self.given_interval} counts as given, end '
                    'the test pipeline with GenerateWindowTarget(test_mode=True) and '
                    'PackWindowInputs, or set given_interval=None and the task of the dataset to '
                    "'estimation'"
                )
            by_frame[name][index].append(self._person(result))
            shown_frames[name].update(result['shown'])
        for video in self.truth:
            not_given = sorted(shown_frames[video.name] - set(self.given(video)))
            if not_given:
                raise InputError(
                    f'the label of frame {not_given[0]} of video {video.name!r} was shown to the '
                    f'model, which given_interval={self.given_interval} does not count as given, '
                    'set it to the interval of the dataset'
                )
        unseen = [name for name, frames in by_frame.items() if not any(frames.values())]
        if unseen:
            print_log(
                f'{type(self).__name__}: {len(unseen)} of {len(self.truth)} videos have no '
                f'prediction and count as missed, the first of them {unseen[0]!r}',
                logger='current',
                level=logging.WARNING,
            )
        return [self._predicted_video(video, by_frame[video.name]) for video in self.truth]

    def given(self, video: VideoLabels) -> list[int]:
        """List the frames of a video whose labels were given."""
        if self.given_interval is None:
            return []
        # As in datasets and in evaluation, people marked as absent are not labels of a frame.
        labelled = {person.frame_index for person in video.persons if person.source != 'absent'}
        return given_frames(sorted(labelled), self.given_interval)

    def evaluated_frames(self, video: VideoLabels, subset: str) -> list[int]:
        """List the indices of ``'all'`` or ``'unlabelled'`` frames."""
        left_out = set(self.given(video)) if subset == UNLABELLED else set()
        return [frame.index for frame in video.frames if frame.index not in left_out]

    def title(self) -> str:
        """Describe the evaluated data in one line."""
        dataset = (self.dataset_meta or {}).get('dataset_name', 'data')
        task = (
            'no labels given'
            if self.given_interval is None
            else f'labels given every {self.given_interval} frames'
        )
        return f'{dataset}, {len(self.truth)} videos, {BOXES[self.boxes]}, {task}'

    def row_label(self, metric: str, subset: str) -> str:
        """Name ``metric`` together with its subset of frames."""
        if self.given_interval is None:
            return metric
        frames = 'unlabelled frames' if subset == UNLABELLED else 'all frames, given ones included'
        return f'{metric} ({frames})'

    def log_table(self, table: str) -> None:
        """Log a table that starts on a new line."""
        MMLogger.get_current_instance().info(f'{type(self).__name__}\n{table}')

    def _person(self, result: dict) -> PersonLabel:
        scores = result['scores']
        threshold = -np.inf if self.keypoint_threshold is None else self.keypoint_threshold
        track_id = result['track_id']
        return PersonLabel(
            frame_index=result['frame_index'],
            keypoints=result['keypoints'],
            visibility=np.where(scores >= threshold, VISIBLE, NOT_LABELLED),
            track_id=track_id if track_id >= 0 else None,
            scores=scores,
            bbox=result['bbox'],
            source='propagated',
        )

    def _predicted_video(
        self, video: VideoLabels, by_frame: dict[int, list[PersonLabel]]
    ) -> VideoLabels:
        given_frames = set(self.given(video))
        num_on_given = sum(len(by_frame[index]) for index in given_frames)
        if num_on_given:
            raise InputError(
                f'{num_on_given} predictions of video {video.name!r} are on frames that were given '
                f'by given_interval={self.given_interval}, set it to the interval of the dataset'
            )
        people = [
            replace(person, scores=np.ones(len(person.keypoints)))
            for person in video.persons
            if person.frame_index in given_frames
        ]
        for predicted in by_frame.values():
            people += self.select_people(predicted)
        return video.with_persons(people)


def _frames_with_labels(sample: dict) -> list[int]:
    """List the frames of a data sample whose labels the model was shown."""
    labels = sample.get('gt_instance_labels') or {}
    if 'given_mask' not in labels:
        return []
    outermost = sample['frame_indices'][0], sample['frame_indices'][-1]
    mask = _to_numpy(labels['given_mask'])[0].any(axis=-1)
    return [frame for frame, is_given in zip(outermost, mask, strict=True) if is_given]


def _hidden_frames(sample: dict) -> list[int]:
    """List the frames of a data sample whose labels were given but not shown to the model."""
    if 'aux_given' not in sample:
        return []
    outermost = sample['frame_indices'][0], sample['frame_indices'][-1]
    given_frames = [
        f for f, is_given in zip(outermost, sample['aux_given'], strict=True) if is_given
    ]
    return sorted({*given_frames} - {*_frames_with_labels(sample)})


def _to_numpy(array: Any) -> np.ndarray:
    return array.cpu().numpy() if hasattr(array, 'cpu') else np.asarray(array)
