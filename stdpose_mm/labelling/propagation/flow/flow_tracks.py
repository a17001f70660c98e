"""Joints that optical flow carries through the video from both labels of a gap."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stdpose_mm.inference.threads import thread_map
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import Gap
from stdpose_mm.labelling.propagation.gaps import split_into_chunks
from stdpose_mm.structures import PersonLabel, person_box, pose_extent
from stdpose_mm.structures.boxes import POSE_MARGIN, to_corners
from stdpose_mm.tracking.optical_flow import (
    MOST_ENLARGED,
    FlowEstimator,
    blend_weights,
    move_points,
    move_points_back,
    region_around,
)

_MIN_SIZE = 8.0
"""Pixels; minimum size of a pose, which is the unit of offsets."""

_WANTED_SIZE = 150.0
"""Pixels of a pose in the pictures that flow is computed on. A person who would be smaller there is
tracked in an enlarged part of the picture, because flow loses the limbs of small people."""

_LEAST_GAIN = 1.25
"""Minimum ratio of a person's size in the part to the size in the whole picture. Below it the flow
of the whole picture is used, which people share."""

_MARGIN = 0.6
"""Margin of the part around a person's boxes in pose sizes, for motion between the labels."""

_KEPT_PICTURES = 64
"""Pictures kept for the backward sweep; longer chunks are read a second time, in batches."""

_KEPT_FIELDS = 2**26
"""Bytes of flow that are kept for a backward sweep against it: 36 fields of 640x360."""


@dataclass(frozen=True)
class FlowTracks:
    """Positions of the joints of a gap's labels, tracked by flow.

    Args:
        frames: First to last frame of the gap, labelled ends included.
        forward: [F, K, 2] pixels, from the left label on; meaningless for joints that it lacks.
        backward: [F, K, 2] pixels, from the right label back, likewise.
    """

    frames: range
    forward: np.ndarray
    backward: np.ndarray

    def weights(self, gap: Gap) -> np.ndarray:
        """Return [F, K, 2] weights of the forward and the backward track; they sum to 1.

        The weight of a track falls with the distance from its label, and with the distance by which
        it misses the other label: flow that loses a limb on the way does not arrive there. Weights
        are zero for joints that are labelled at neither end.
        """
        left, right = labelled_ends(gap)
        weights = blend_weights(self.forward, self.backward, pose_size(gap))
        alone = np.stack([left, right], axis=-1).astype(float)
        return np.where((left & right)[:, None], weights, alone)

    def largest_miss(self, gap: Gap) -> float:
        """Return by how many pose sizes a track misses the other label at most.

        It is infinite if a joint is labelled at one end only.
        """
        left, right = labelled_ends(gap)
        if not left.any() or (left != right).any():
            return np.inf
        missed = (self.forward - self.backward)[[0, -1]][:, left]
        return float(np.linalg.norm(missed, axis=-1).max() / pose_size(gap))


def labelled_ends(gap: Gap) -> tuple[np.ndarray, np.ndarray]:
    """Return the joints that the left and the right label of a gap have, [K] bool each."""
    nothing = np.zeros(len(gap.before.frames), bool)
    left = nothing if gap.left is None else gap.left.labelled
    right = nothing if gap.right is None else gap.right.labelled
    return left, right


def pose_size(gap: Gap) -> float:
    """Return the mean larger side of the labelled poses at the ends of a gap, in pixels.

    The person box is used instead for a pose of a single joint, which has no extent, and for a
    label that gives only some joints.
    """
    labels = [label for label in (gap.left, gap.right) if label and label.has_joint]
    sizes = [
        pose_extent(label.keypoints, label.labelled)[2:].max()
        for label in labels
        if label.labelled.sum() > 1 and not label.propagated.any()
    ]
    sizes = sizes or [_box_size(label) for label in labels]
    return max(float(np.mean(sizes)), _MIN_SIZE) if sizes else _MIN_SIZE


def _box_size(label: PersonLabel) -> float:
    size = float(person_box(label)[2:].max())
    return size / (1 + 2 * POSE_MARGIN) if label.propagated.any() else size


def follow_joints(
    frames: FrameSource, gaps: Iterable[Gap], estimator: FlowEstimator, one_way: bool = False
) -> Iterator[tuple[Gap, FlowTracks]]:
    """Track the joints of every gap by optical flow.

    Flow is computed once per pair of neighbouring frames and direction, whatever the number of
    people: gaps that overlap in time form a chunk, with one sweep forward and one backward. The
    memory for pictures is bounded.

    Args:
        frames: The video.
        gaps: Gaps of one or several tracks.
        estimator: Computes the flow.
        one_way: Whether the backward sweep goes against the flow of the forward sweep, which takes
            half the time, in place of having a flow of its own.

    Yields:
        Chunks in order of time; the gaps of a chunk are sorted by their first and last frame.
    """
    for chunk in split_into_chunks(gaps):
        yield from zip(chunk, _follow_chunk(frames, chunk, estimator, one_way), strict=True)


@dataclass(frozen=True)
class _PictureRegion:
    """The part of the pictures in which a person is tracked.

    Args:
        left, top, right, bottom: Pixels; ``right`` and ``bottom`` are exclusive.
        most: Largest scale factor of the part.
    """

    left: int
    top: int
    right: int
    bottom: int
    most: float = MOST_ENLARGED

    @property
    def corner(self) -> np.ndarray:
        """Return the top left corner [2] in pixels of the picture."""
        return np.array([self.left, self.top], float)

    def of(self, picture: np.ndarray) -> np.ndarray:
        """Return the part of a picture."""
        return picture[self.top : self.bottom, self.left : self.right]


class _Path(NamedTuple):
    """The path of a person's joints.

    Args:
        frames: Frames, ascending.
        positions: [F, K, 2] pixels in these frames, filled by the tracking.
        labels: Labels on the way.
        view: The part of the pictures in which the person is tracked.
    """

    frames: range
    positions: np.ndarray
    labels: Mapping[int, PersonLabel]
    view: _PictureRegion


class _Prepared(NamedTuple):
    """A picture that is prepared for flow.

    Args:
        pixels: In the format of the estimator.
        scale: [2] prepared pixels per pixel of the picture, along x and y.
    """

    pixels: np.ndarray
    scale: np.ndarray


class _Field(NamedTuple):
    """The flow between two neighbouring pictures.

    Args:
        flow: [h, w, 2] in prepared pixels.
        scale: [2] prepared pixels per pixel of the picture, along x and y.
    """

    flow: np.ndarray
    scale: np.ndarray


class _Step(NamedTuple):
    """Paths that continue from a frame in one view, and its flow, or the pictures for it."""

    frame: int
    paths: Sequence[_Path]
    pictures: Sequence[_Prepared] | None
    field: _Field | None


_PathsByStart = dict[int, list[_Path]]
"""Start frame -> paths that start there."""


def _follow_chunk(
    frames: FrameSource, gaps: Sequence[Gap], estimator: FlowEstimator, one_way: bool
) -> list[FlowTracks]:
    first = min(gap.first for gap in gaps)
    last = max(gap.last for gap in gaps)
    tracks = []
    forward: _PathsByStart = {}
    backward: _PathsByStart = {}
    views: dict[int, set[_PictureRegion]] = {}
    for gap in gaps:
        shape = (gap.last - gap.first + 1, len(gap.before.frames), 2)
        track = FlowTracks(range(gap.first, gap.last + 1), np.zeros(shape), np.zeros(shape))
        inner = {label.frame_index: label for label in gap.inner}
        view = _view_of(gap, frames.size, estimator.max_side)
        if gap.left is not None:
            track.forward[0] = gap.left.keypoints
            path = _Path(track.frames, track.forward, inner, view)
            forward.setdefault(gap.first, []).append(path)
        if gap.right is not None:
            track.backward[-1] = gap.right.keypoints
            path = _Path(track.frames, track.backward, inner, view)
            backward.setdefault(gap.last, []).append(path)
        for frame in track.frames:
            views.setdefault(frame, set()).add(view)
        tracks.append(track)

    pictures = _PreparedPictures(frames, views, estimator.prepare, first)
    fields: dict[tuple[int, _PictureRegion], _Field] = {}
    sweeps = ((1, range(first, last), forward), (-1, range(last, first, -1), backward))
    for step, sweep, starting in sweeps:
        is_against = one_way and step < 0
        move = move_points_back if is_against else move_points
        stored = fields if is_against else None
        with closing(_flow_of_sweep(estimator, pictures, step, sweep, starting, stored)) as flows:
            for frame, paths, field in flows:
                view = paths[0].view
                points = np.stack([path.positions[frame - path.frames[0]] for path in paths])
                moved = view.corner + move(points - view.corner, field.flow, field.scale)
                if one_way and step > 0:
                    fields[frame, view] = field
                    while sum(field.flow.nbytes for field in fields.values()) > _KEPT_FIELDS:
                        del fields[next(iter(fields))]
                for path, pose in zip(paths, moved, strict=True):
                    row, label = frame + step - path.frames[0], path.labels.get(frame + step)
                    path.positions[row] = pose
                    if label is not None:
                        path.positions[row, label.given] = label.keypoints[label.given]
    return tracks


def _view_of(gap: Gap, size: tuple[int, int], max_side: int) -> _PictureRegion:
    """Choose the view in which the person of a gap is tracked, independently of other people.

    A person with a label on one side only is tracked in the whole picture, since the path is
    unknown.
    """
    whole = _PictureRegion(0, 0, *size)
    # Missing pictures have no size; reading one raises the error.
    in_whole = min(MOST_ENLARGED, max_side / max(*size, 1))
    wanted = min(MOST_ENLARGED, _WANTED_SIZE / pose_size(gap))
    if gap.left is None or gap.right is None or wanted < _LEAST_GAIN * in_whole:
        return whole
    joints = [label.keypoints[label.labelled] for label in (gap.left, *gap.inner, gap.right)]
    places = np.concatenate([to_corners(gap.bboxes).reshape(-1, 2), *joints])
    rows, columns = region_around(
        places.min(axis=0), places.max(axis=0), _MARGIN * pose_size(gap), size
    )
    part = _PictureRegion(columns.start, rows.start, columns.stop, rows.stop, wanted)
    in_part = max_side / max(part.right - part.left, part.bottom - part.top)
    return whole if in_part < _LEAST_GAIN * in_whole else part


def _flow_of_sweep(
    estimator: FlowEstimator,
    pictures: _PreparedPictures,
    step: int,
    sweep: range,
    starting: _PathsByStart,
    known: dict[tuple[int, _PictureRegion], _Field] | None,
) -> Generator[tuple[int, Sequence[_Path], _Field], None, None]:
    """Yield each frame and the paths that continue from it in one view, with the flow there.

    Args:
        estimator: Computes the flow.
        pictures: The pictures.
        step: 1 or -1.
        sweep: The frames.
        starting: The paths.
        known: If given, the flow is that to the frame from the one after it, ``step`` being -1:
            what is known of it, by the earlier frame.
    """

    def steps() -> Iterator[_Step]:
        moving: list[_Path] = []
        for frame in sweep:
            # Only paths that continue, because a chunk may be a whole video with thousands of gaps.
            moving = [path for path in moving if frame + step in path.frames]
            moving += starting.get(frame, [])
            by_view: dict[_PictureRegion, list[_Path]] = {}
            for path in moving:
                by_view.setdefault(path.view, []).append(path)
            for view, paths in by_view.items():
                field = None if known is None else known.pop((frame + step, view), None)
                ends = (frame, frame + step) if known is None else (frame + step, frame)
                pair = None if field else tuple(pictures[end][view] for end in ends)
                yield _Step(frame, paths, pair, field)
            if not moving and step > 0:
                pictures.skip(frame + step)

    def follow(step: _Step) -> tuple[int, Sequence[_Path], _Field]:
        field = step.field
        if step.pictures is not None:
            source, target = step.pictures
            field = _Field(estimator(source.pixels, target.pixels), source.scale)
        assert field is not None
        return step.frame, step.paths, field

    if estimator.single_threaded:
        yield from thread_map(follow, steps())
    else:
        yield from map(follow, steps())


class _PreparedPictures:
    """Prepared pictures of a chunk, read forward, then backward; only a few are kept.

    Args:
        frames: The video.
        views: Frame -> its views.
        prepare: Prepares the picture of a view, see :class:`FlowEstimator`.
        first: First frame of the chunk.
    """

    def __init__(
        self,
        frames: FrameSource,
        views: Mapping[int, Collection[_PictureRegion]],
        prepare: Callable[[np.ndarray, float], np.ndarray],
        first: int,
    ) -> None:
        self._frames = frames
        self._views = views
        self._prepare = prepare
        self._first = first
        self._kept: dict[int, dict[_PictureRegion, _Prepared]] = {}

    def skip(self, frame: int) -> None:
        """Skip a frame that no flow starts from."""
        self._kept.pop(frame - _KEPT_PICTURES, None)

    def __getitem__(self, frame: int) -> Mapping[_PictureRegion, _Prepared]:
        if frame not in self._kept:
            if self._kept and frame < min(self._kept):
                self._read_back(frame)
            else:
                self._read(frame)
                self._kept.pop(frame - _KEPT_PICTURES, None)
        return self._kept[frame]

    def _read_back(self, frame: int) -> None:
        """Read the pictures up to ``frame`` in ascending order, as videos are decoded."""
        following = self._kept.get(frame + 1)
        self._kept.clear()
        if following is not None:
            self._kept[frame + 1] = following
        for index in range(max(self._first, frame - _KEPT_PICTURES + 2), frame + 1):
            self._read(index)

    def _read(self, frame: int) -> None:
        picture = self._frames[frame]
        self._kept[frame] = {}
        for view in self._views.get(frame, ()):
            part = view.of(picture)
            pixels = self._prepare(part, view.most)
            scale = np.divide(pixels.shape[1::-1], part.shape[1::-1])
            self._kept[frame][view] = _Prepared(pixels, scale)
