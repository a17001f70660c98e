"""Plans of the work on the tracks of a video: gaps and boxes of each track."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from stdpose_mm.constants import LifeSpan
from stdpose_mm.structures import FrameBoxes, PersonLabel, TrackBoxes, label_boxes, person_box
from stdpose_mm.structures.boxes import box_ioa, enclose

from .gaps import Gap, find_gaps, find_presence_intervals, shared_frames

Tracks = Mapping[int, Mapping[int, PersonLabel]]
"""Track id -> {frame index: given label}."""

Boxes = Mapping[int, Mapping[int, np.ndarray]]
"""Track id -> {frame index: [4] person box}."""

DetectedPeople = Mapping[int, FrameBoxes]
"""Frame index -> the people that a detector found there."""

MOST_COVERED = 0.8
"""Share of a person's box that another person's box may cover. Beyond it, a pose network that sees
one person at a time may find the joints of whoever is in front."""


@dataclass(frozen=True)
class TrackPlan:
    """The labels of one track, and its ``gaps`` in order of time."""

    labels: Mapping[int, PersonLabel]
    gaps: Sequence[Gap]

    @cached_property
    def gaps_at(self) -> Mapping[int, Sequence[Gap]]:
        """Map each frame index to the gaps, of some joints each, that contain it."""
        gaps_at: dict[int, tuple[Gap, ...]] = {}
        for gap in self.gaps:
            alone = (gap,)
            for frame in gap.frames:
                gaps_at[frame] = gaps_at[frame] + alone if frame in gaps_at else alone
        return gaps_at

    def boxes_in(self, frames: range) -> np.ndarray:
        """Return the person's boxes [F, 4] in some frames; of size 0 where there is none."""
        boxes = np.zeros((len(frames), 4))
        for gap in self.gaps:
            inside = shared_frames(gap.frames, frames)
            if inside:
                rows = slice(inside.start - frames.start, inside.stop - frames.start)
                start = inside.start - gap.frames[0]
                boxes[rows] = gap.bboxes[start : start + len(inside)]
        for frame, label in self.labels.items():
            if frame in frames and (label.has_box or label.has_joint):
                boxes[frame - frames.start] = person_box(label)
        return boxes


@dataclass(frozen=True)
class TrackPlanner:
    """Planner of the work on the tracks of a video.

    Args:
        num_frames: Length of the video.
        life_span: Where a track begins and ends, see
            :func:`~.video_propagation.propagate_frames`.
        boxes: Person boxes of unlabelled frames.
        detections: People that a detector found.
    """

    num_frames: int
    life_span: LifeSpan = 'video'
    boxes: Boxes = field(default_factory=dict)
    detections: DetectedPeople = field(default_factory=dict)

    def plan(
        self,
        tracks: Tracks,
        track_ids: Collection[int] | None = None,
        within: range | None = None,
        with_others: bool = False,
    ) -> dict[int, TrackPlan]:
        """Plan some tracks.

        Args:
            tracks: The given labels of everyone.
            track_ids: The tracks to plan; by default all.
            within: Only gaps with one of these frames are returned; by default all.
            with_others: Whether to compute where other people cover the person of a gap
                (:attr:`Gap.crowded`).

        Returns:
            Track id -> plan, sorted by id.
        """
        within = range(self.num_frames) if within is None else within
        plans = {
            track_id: self._plan_track(track_id, labels, within)
            for track_id, labels in sorted(tracks.items())
            if track_ids is None or track_id in track_ids
        }
        frames = _hull([gap.frames for plan in plans.values() for gap in plan.gaps])
        if with_others and frames and len(tracks) > 1:
            is_whole = within.start <= frames.start and frames.stop <= within.stop
            whole_plans = plans if is_whole else {}
            boxes = {
                track_id: (
                    whole_plans.get(track_id) or self._plan_track(track_id, labels, frames)
                ).boxes_in(frames)
                for track_id, labels in tracks.items()
            }
            for track_id, plan in plans.items():
                others = [boxes[other] for other in boxes if other != track_id]
                crowded = find_crowded_frames(boxes[track_id], np.stack(others))
                plans[track_id] = replace(
                    plan, gaps=[_with_crowded(gap, frames, crowded) for gap in plan.gaps]
                )
        return plans

    def find_affected(
        self, earlier: Tracks, later: Tracks, with_second_labels: bool, with_others: bool
    ) -> dict[int, range]:
        """Find the frames whose poses may differ after a change of labels.

        Args:
            earlier: Everyone's labels before the change.
            later: Everyone's labels after it.
            with_second_labels: :attr:`BasePropagator.reads_second_labels` of the method.
            with_others: :attr:`BasePropagator.reads_other_people` of the method.

        Returns:
            Track id -> the range from the first to the last frame of the labels and gaps that
            differ; tracks without differences are left out.
        """
        parts = [
            (track_id, range(frame, frame + 1))
            for track_id in earlier.keys() | later.keys()
            for frame in _changed_labels(earlier.get(track_id, {}), later.get(track_id, {}))
        ]
        changed = {track_id for track_id, _ in parts}

        def add_differences(track_ids: Collection[int] | None, within: range | None) -> None:
            plans = [
                self.plan(tracks, track_ids, within, with_others) for tracks in (earlier, later)
            ]
            old, new = (
                {
                    gap.fingerprint(with_second_labels): (gap.track_id, gap.frames)
                    for plan in planned.values()
                    for gap in plan.gaps
                }
                for planned in plans
            )
            parts.extend((old | new)[key] for key in old.keys() ^ new.keys())
            parts.extend(
                (track_id, range(frame, frame + 1))
                for track_id in plans[0].keys() & plans[1].keys()
                for frame in _changed_boxes(*(planned[track_id].labels for planned in plans))
            )

        if parts:
            add_differences(changed, None)
        if parts and with_others:
            add_differences(None, _hull([frames for _, frames in parts]))
        return {
            track_id: _hull([frames for owner, frames in parts if owner == track_id])
            for track_id in sorted({owner for owner, _ in parts})
        }

    def _plan_track(
        self, track_id: int, labels: Mapping[int, PersonLabel], within: range
    ) -> TrackPlan:
        """Plan one track, with the gaps that have a frame in ``within``."""
        labels = dict(labels)
        boxes = self.boxes.get(track_id, {})
        gaps: list[Gap] = []
        for interval in find_presence_intervals(labels, self.num_frames, self.life_span):
            partial = {frame for frame, label in interval.labels.items() if label.propagated.any()}
            # A few joints do not tell the extent of the body.
            whole = [p for frame, p in interval.labels.items() if frame not in partial or p.has_box]
            anchors = {frame: box for frame, box in boxes.items() if frame in interval.frames}
            anchors.update(label_boxes(whole) or label_boxes(interval.labels.values()))
            if not anchors:
                # A head box alone cannot start a pose.
                continue
            bboxes = _FoundBoxes(TrackBoxes(anchors, self.detections))
            for frame in partial:
                label = labels[frame]
                if not label.has_box:
                    bboxes[frame] = enclose(bboxes[frame], label.keypoints[label.given])
                labels[frame] = replace(label, bbox=bboxes[frame])
            present = {frame: labels[frame] for frame in interval.labels}
            gaps += find_gaps(track_id, present, bboxes, interval.frames, within)
        return TrackPlan(labels, gaps)


def _hull(parts: Sequence[range]) -> range:
    """Return the frames from the first to the last one of all ranges; empty without any."""
    if not parts:
        return range(0)
    return range(min(part.start for part in parts), max(part.stop for part in parts))


def _changed_labels(
    earlier: Mapping[int, PersonLabel], later: Mapping[int, PersonLabel]
) -> list[int]:
    """List the frames whose labels are not the same object."""
    frames = earlier.keys() | later.keys()
    return [frame for frame in frames if earlier.get(frame) is not later.get(frame)]


def _changed_boxes(
    earlier: Mapping[int, PersonLabel], later: Mapping[int, PersonLabel]
) -> list[int]:
    """List the frames whose planned boxes differ, which other labels may determine."""
    pairs = [(frame, earlier[frame], later[frame]) for frame in earlier.keys() & later.keys()]
    return [
        frame
        for frame, old, new in pairs
        if old is not new and not np.array_equal(np.asarray(old.bbox), np.asarray(new.bbox))
    ]


def find_crowded_frames(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Find the frames in which another person's box covers much of a person's box.

    Args:
        boxes: [F, 4] boxes of the person; zero width and height where there is none.
        others: [N, F, 4] boxes of N other people, likewise.

    Returns:
        [F] bool.
    """
    crowded: np.ndarray = (box_ioa(boxes, others) > MOST_COVERED).any(axis=0)
    return crowded


def _with_crowded(gap: Gap, frames: range, crowded: np.ndarray) -> Gap:
    """Return the gap with its crowded frames; ``crowded`` [F] bool is given for ``frames``."""
    start = frames.index(gap.frames[0])
    return replace(gap, crowded=crowded[start : start + len(gap.frames)])


class _FoundBoxes(dict[int, np.ndarray]):
    """The boxes of a track by frame, each computed when it is first read."""

    def __init__(self, track: TrackBoxes) -> None:
        super().__init__()
        self._track = track

    def __missing__(self, frame: int) -> np.ndarray:
        box = self[frame] = self._track.find(frame)[0]
        return box
