"""Joints carried from both labels of a gap through the video by optical flow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import Gap
from stdpose_mm.propagation.ordered_map import map_in_threads
from stdpose_mm.structures import PersonLabel, person_box, pose_extent
from stdpose_mm.structures.boxes import POSE_MARGIN

from .optical_flow import FlowEstimator, sample_bilinear

MISS_SCALE = 0.1
"""In pose sizes; a track that misses the other label by it counts 1/e there."""

_MIN_SIZE = 8.0
"""Pixels; offsets relative to a pose need a unit."""

_KEPT_PICTURES = 64
"""Pictures kept for the backward sweep; longer chunks are read a second time, in batches."""


@dataclass(frozen=True)
class FlowTracks:
    """Positions of the joints of a gap's labels, tracked by flow.

    Args:
        frames: First to last frame of the gap, labelled ends included.
        forward: [F, K, 2] pixels, from the left label on; without one, or where it lacks the
            joint, meaningless.
        backward: [F, K, 2] pixels, from the right label back.
    """

    frames: range
    forward: np.ndarray
    backward: np.ndarray

    def weights(self, gap: Gap) -> np.ndarray:
        """Return [F, K, 2] weights of the forward and the backward track; they sum to 1.

        A track is trusted less with the distance from its label, and the more it misses the
        label at the other end: flow that lost a limb on the way does not arrive. Zeros for joints
        that neither end labels.
        """
        left, right = labelled_ends(gap)
        weights = blend_weights(self.forward, self.backward, pose_size(gap))
        alone = np.stack([left, right], axis=-1).astype(float)
        return np.where((left & right)[:, None], weights, alone)


def blend_weights(forward: np.ndarray, backward: np.ndarray, size: float) -> np.ndarray:
    """Weigh tracks by the distance from where they start, and by how well they arrive.

    Args:
        forward: [F, K, 2] pixels, from the first frame on.
        backward: [F, K, 2] pixels, from the last frame back.
        size: Larger side of the pose in pixels.

    Returns:
        [F, K, 2] weights of the forward and the backward track, which sum to 1.
    """
    elapsed = np.linspace(0, 1, len(forward))[:, None]
    scale = MISS_SCALE * size
    forward_missed = np.linalg.norm(forward[-1] - backward[-1], axis=-1) / scale
    backward_missed = np.linalg.norm(backward[0] - forward[0], axis=-1) / scale
    with np.errstate(divide='ignore'):
        forward_log = np.log(1 - elapsed) - forward_missed * elapsed
        backward_log = np.log(elapsed) - backward_missed * (1 - elapsed)
    weights: np.ndarray = softmax(np.stack([forward_log, backward_log], axis=-1), axis=-1)
    return weights


def labelled_ends(gap: Gap) -> tuple[np.ndarray, np.ndarray]:
    """Return [K] bool twice: the joints of the left, and of the right, label of a gap."""
    nothing = np.zeros(len(gap.before.frames), bool)
    left = nothing if gap.left is None else gap.left.labelled
    right = nothing if gap.right is None else gap.right.labelled
    return left, right


def pose_size(gap: Gap) -> float:
    """Return the mean larger side of the labelled poses at the ends of a gap, in pixels.

    A pose of a single joint has no extent; its person box stands in. So it does for a label that
    speaks of some joints only.
    """
    labels = [label for label in (gap.left, gap.right) if label and label.labelled.any()]
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
    frames: FrameSource, gaps: Iterable[Gap], estimator: FlowEstimator
) -> Iterator[tuple[Gap, FlowTracks]]:
    """Track the joints of every gap by optical flow.

    Flow is computed once per pair of neighbouring frames and direction, whatever the number of
    people: gaps that overlap in time make a chunk, with one sweep forward and one backward. The
    memory for pictures is bounded.

    Args:
        frames: The video.
        gaps: Gaps of one or several tracks.
        estimator: Which flow.

    Yields:
        Chunks in time order, the gaps of a chunk sorted by their first and last frame.
    """
    for chunk in split_into_chunks(gaps):
        yield from zip(chunk, _follow_chunk(frames, chunk, estimator), strict=True)


def split_into_chunks(gaps: Iterable[Gap]) -> list[list[Gap]]:
    """Group gaps so that chunks share no pair of neighbouring frames; in time order."""
    chunks: list[list[Gap]] = []
    end = -1
    for gap in sorted(gaps, key=lambda gap: (gap.first, gap.last)):
        if not chunks or gap.first >= end:
            chunks.append([])
        chunks[-1].append(gap)
        end = max(end, gap.last)
    return chunks


_Path = tuple[range, np.ndarray, Mapping[int, PersonLabel]]
"""Frames, positions [F, K, 2] in them, and labels on the way."""

_PathsByStart = dict[int, list[_Path]]
"""Frame that they start from -> paths."""


def _follow_chunk(
    frames: FrameSource, gaps: Sequence[Gap], estimator: FlowEstimator
) -> list[FlowTracks]:
    first = min(gap.first for gap in gaps)
    last = max(gap.last for gap in gaps)
    tracks = []
    forward: _PathsByStart = {}
    backward: _PathsByStart = {}
    for gap in gaps:
        shape = (gap.last - gap.first + 1, len(gap.before.frames), 2)
        track = FlowTracks(range(gap.first, gap.last + 1), np.zeros(shape), np.zeros(shape))
        inner = {label.frame_index: label for label in gap.inner}
        if gap.left is not None:
            track.forward[0] = gap.left.keypoints
            forward.setdefault(gap.first, []).append((track.frames, track.forward, inner))
        if gap.right is not None:
            track.backward[-1] = gap.right.keypoints
            backward.setdefault(gap.last, []).append((track.frames, track.backward, inner))
        tracks.append(track)

    pictures = _PreparedPictures(frames, estimator.prepare, first, last)
    sweeps = ((1, range(first, last), forward), (-1, range(last, first, -1), backward))
    for step, sweep, starting in sweeps:
        with closing(_flow_of_sweep(estimator, pictures, step, sweep, starting)) as fields:
            for frame, moving, field in fields:
                points = np.stack([path[frame - times[0]] for times, path, _ in moving])
                moved = move_points(points, field, pictures.scale)
                for (times, path, labels), pose in zip(moving, moved, strict=True):
                    row, label = frame + step - times[0], labels.get(frame + step)
                    path[row] = pose
                    if label is not None:
                        path[row, label.given] = label.keypoints[label.given]
    return tracks


def _flow_of_sweep(
    estimator: FlowEstimator,
    pictures: _PreparedPictures,
    step: int,
    sweep: range,
    starting: _PathsByStart,
) -> Generator[tuple[int, Sequence[_Path], np.ndarray], None, None]:
    """Yield each frame that paths go on from, these paths, and the flow to the next frame."""

    def starts() -> Iterator[tuple[int, Sequence[_Path], np.ndarray, np.ndarray]]:
        moving: list[_Path] = []
        for frame in sweep:
            # Those that go on only: a chunk may be a whole video with thousands of gaps.
            moving = [path for path in moving if frame + step in path[0]]
            moving += starting.get(frame, [])
            if moving:
                yield frame, moving, pictures[frame], pictures[frame + step]
            elif step > 0:
                pictures.skip(frame + step)

    def follow(
        start: tuple[int, Sequence[_Path], np.ndarray, np.ndarray],
    ) -> tuple[int, Sequence[_Path], np.ndarray]:
        frame, moving, source, target = start
        return frame, moving, estimator(source, target)

    if estimator.single_threaded:
        yield from map_in_threads(follow, starts())
    else:
        yield from map(follow, starts())


def move_points(points: np.ndarray, field: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Move points along a flow; the border's flow applies outside.

    Args:
        points: [..., 2] x, y in full pixels.
        field: [h, w, 2] flow in reduced pixels.
        scale: Reduced pixels in a full one, along x and y.
    """
    reduced = ((points + 0.5) * scale - 0.5).reshape(-1, 2)
    return points + (sample_bilinear(field, reduced) / scale).reshape(points.shape)


class _PreparedPictures:
    """Prepared pictures of a chunk, read forward, then backward; few are kept at a time."""

    def __init__(
        self,
        frames: FrameSource,
        prepare: Callable[[np.ndarray], np.ndarray],
        first: int,
        last: int,
    ) -> None:
        self._frames = frames
        self._prepare = prepare
        self._first = first
        self._kept: dict[int, np.ndarray] = {}
        self.scale = np.ones(2)

    def skip(self, frame: int) -> None:
        """Pass over a frame that no flow starts from."""
        self._kept.pop(frame - _KEPT_PICTURES, None)

    def __getitem__(self, frame: int) -> np.ndarray:
        if frame not in self._kept:
            if self._kept and frame < min(self._kept):
                self._read_back(frame)
            else:
                self._read(frame)
                self._kept.pop(frame - _KEPT_PICTURES, None)
        return self._kept[frame]

    def _read_back(self, frame: int) -> None:
        """Read the pictures up to ``frame``, in the order in which videos are decoded."""
        following = self._kept.get(frame + 1)
        self._kept.clear()
        if following is not None:
            self._kept[frame + 1] = following
        for index in range(max(self._first, frame - _KEPT_PICTURES + 2), frame + 1):
            self._read(index)

    def _read(self, frame: int) -> None:
        picture = self._frames[frame]
        prepared = self._prepare(picture)
        height, width = picture.shape[:2]
        self.scale = np.array([prepared.shape[1] / width, prepared.shape[0] / height])
        self._kept[frame] = prepared
