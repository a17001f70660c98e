"""How well propagators fill in the frames whose labels were hidden."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import (
    evaluate_posetrack,
    keypoint_accuracy,
    mean_of_known,
)
from stdpose_mm.io import FrameSource
from stdpose_mm.propagation import BasePropagator, keep_every, repropagate
from stdpose_mm.structures import POSETRACK_SKELETON, VideoLabels

COLUMNS = ('AP', 'PCK@0.05', 'PCK@0.1', 'PCK@0.2', 'error %', 'error px', 'jitter')


@dataclass(frozen=True)
class Comparison:
    """Figures of several propagators on the same videos.

    Args:
        interval: T, every T-th frame was given.
        num_videos: How many videos were measured on.
        unlabelled: Method -> figure -> value on the frames that were not given.
        all_frames: The same on all frames, given ones included (the published protocol).
    """

    interval: int
    num_videos: int
    unlabelled: dict[str, dict[str, float]]
    all_frames: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, object]:
        """For a JSON file."""
        return {
            'interval': self.interval,
            'videos': self.num_videos,
            'unlabelled_frames': self.unlabelled,
            'all_frames': self.all_frames,
        }

    def table(self, names: Mapping[str, str] | None = None) -> str:
        """A Markdown table of the unlabelled frames.

        Args:
            names: Method -> what to call it in the table; by default its own name.
        """
        names = names or {}
        columns = [c for c in COLUMNS if all(c in row for row in self.unlabelled.values())]
        lines = [
            f'| T = {self.interval}, unlabelled frames of {self.num_videos} videos | '
            + ' | '.join(columns)
            + ' |',
            '|---|' + '---:|' * len(columns),
        ]
        for method, row in self.unlabelled.items():
            cells = [
                f'{row[c]:.2f}' if c in ('error px', 'jitter') else f'{row[c]:.1f}' for c in columns
            ]
            lines.append(f'| {names.get(method, method)} | ' + ' | '.join(cells) + ' |')
        return '\n'.join(lines)


def compare_propagators(
    videos: Sequence[tuple[FrameSource, VideoLabels]],
    propagators: Mapping[str, BasePropagator],
    interval: int,
    progress: Callable[[str, str], None] | None = None,
) -> Comparison:
    """Hide all labels but every ``interval``-th frame's, propagate, and compare.

    People are cropped at boxes interpolated between the given labels. PoseTrack's AP is measured
    where the labels have PoseTrack's joints and head boxes.

    Args:
        videos: Frames and dense labels; people carry track ids.
        propagators: Method name -> propagator.
        interval: T.
        progress: Called with (method, video name) after each video of each method.

    Raises:
        InputError: If there is no video, or a propagator cannot take the labels.
    """
    if not videos:
        raise InputError('there is no video to compare propagators on, expected at least one')
    truth = [labels for _, labels in videos]
    given = [set(keep_every(labels, interval).labelled_frame_indices) for labels in truth]
    hidden = [
        [frame for frame in labels.labelled_frame_indices if frame not in frames]
        for labels, frames in zip(truth, given, strict=True)
    ]
    unlabelled: dict[str, dict[str, float]] = {}
    all_frames: dict[str, dict[str, float]] = {}
    for method, propagator in propagators.items():
        predictions = []
        for frames, labels in videos:
            predictions.append(repropagate(frames, labels, interval, propagator))
            if progress:
                progress(method, labels.name)
        unlabelled[method] = _figures(truth, predictions, hidden)
        all_frames[method] = _figures(truth, predictions, None)
    return Comparison(interval, len(videos), unlabelled, all_frames)


def _figures(
    truth: Sequence[VideoLabels],
    predictions: Sequence[VideoLabels],
    frames: Sequence[Sequence[int]] | None,
) -> dict[str, float]:
    accuracy = keypoint_accuracy(truth, predictions, frames)
    means = accuracy.means()
    figures = {
        **{f'PCK@{t:g}': means[f'PCK@{t:g}'] for t in accuracy.pck},
        'error %': means['error_percent'],
        'error px': means['error_px'],
        'jitter': means['jitter'],
    }
    if _has_head_boxes(truth):
        if frames is not None:
            truth = [video.keep_frames(kept) for video, kept in zip(truth, frames, strict=True)]
        figures['AP'] = mean_of_known(evaluate_posetrack(truth, predictions).ap)
    return {name: float(np.round(value, 4)) for name, value in figures.items()}


def _has_head_boxes(videos: Sequence[VideoLabels]) -> bool:
    return all(
        video.skeleton.keypoint_names == POSETRACK_SKELETON.keypoint_names
        and all(person.head_box is not None for person in video.persons)
        for video in videos
    )
