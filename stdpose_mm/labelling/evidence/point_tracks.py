"""Queries for point trackers, made from labels, and the tracks that answer them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import pairwise, product
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from scipy.special import expit

from stdpose_mm.checkpoint_files import read_torch_file
from stdpose_mm.errors import InputError, note, one_line, require_packages
from stdpose_mm.io import atomic_path
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import VideoLabels

_NAMES = {
    'tracks': ('tracks', 'pred_tracks'),
    'visibility': ('visibility', 'pred_visibility', 'visibles', 'visible'),
}
"""Names of the arrays in the trackers' output."""

_MAX_OFFSET_RATIO = 0.02
"""Tolerated distance between a track and its own query, as a share of the labels' extent. TAPIR
works at 256 x 256 pixels and also refines the query points."""

_MIN_TOLERANCE = 2.0
"""Pixels; smallest tolerated distance, for labels that lie close together."""

_FAILED_BEYOND = 1e6
"""Pixels; larger coordinates are treated as failures of the tracker."""

_MIN_FITTING = 0.9
"""Share of the tracks that must pass through their queries."""


@dataclass(frozen=True, eq=False)
class TrackQueries:
    """Queries for a point tracker, one for each labelled joint.

    Args:
        queries: [N, 3] float32 frame, x and y in pixels, to be tracked in both directions.
        person: [N] track ids of the labels.
        joint: [N] indices in ``joint_names``.
        joint_names: [K] names.
        frames: Number of frames T of the video.
        size: [2] width and height of the video.
    """

    queries: np.ndarray
    person: np.ndarray
    joint: np.ndarray
    joint_names: np.ndarray
    frames: np.ndarray
    size: np.ndarray

    @classmethod
    def from_labels(cls, labels: VideoLabels, frames: FrameSource) -> TrackQueries:
        """Make a query of each labelled joint in a video whose people have track ids."""
        rows = [
            (person.frame_index, *person.keypoints[joint], person.track_id, joint)
            for person in labels.persons
            for joint in np.flatnonzero(person.labelled)
        ]
        table = np.array(rows, np.float64).reshape(-1, 5)
        names = np.array(labels.skeleton.keypoint_names)
        number, size = np.array(len(frames)), np.array(frames.size)
        person, joint = table[:, 3:].astype(np.int64).T
        return cls(table[:, :3].astype(np.float32), person, joint, names, number, size)

    def write(self, path: Path) -> None:
        """Write the arrays under their names to an ``.npz`` file."""
        # Built in memory: on a full disk, NumPy's zip file raises again when it is deleted.
        data = io.BytesIO()
        np.savez(data, **vars(self))
        with atomic_path(path) as temporary:
            temporary.write_bytes(data.getbuffer())

    @classmethod
    def read(cls, path: Path) -> TrackQueries:
        """Read the queries from a file, which may also hold tracks.

        Raises:
            InputError: If it holds no queries.
        """
        arrays = _read_arrays(path)
        try:
            queries = cls(*(arrays[field.name] for field in fields(cls)))
            time, joint = queries.queries[:, 0], queries.joint
            fits = queries.queries.shape == (len(joint), 3) and queries.size.shape == (2,)
            for values, count in ((time, queries.frames), (joint, len(queries.joint_names))):
                fits = fits and bool(values.min() >= 0 and values.max() < count)
        except (KeyError, IndexError, TypeError, ValueError):
            fits = False
        if not fits:
            raise InputError(
                f'{path} does not hold the arrays that `stdpose queries` writes, which name the '
                'joint of each track: save them into the same file, or give TRACKS=QUERIES'
            )
        return queries


class PointTracks(NamedTuple):
    """The tracks of all queries of a video.

    Attributes:
        queries: The N queries.
        points: [T, N, 2] pixels, NaN where the tracker gives nothing.
        visible: [T, N] probability that the point is visible.
    """

    queries: TrackQueries
    points: np.ndarray
    visible: np.ndarray

    @classmethod
    def read(cls, path: Path, queries_path: Path) -> PointTracks:
        """Read tracks, and convert them to the axes and the scale of their queries.

        Raises:
            InputError: If a file cannot be read, or the tracks do not pass through the queries.
        """
        queries = TrackQueries.read(queries_path)
        shape = int(queries.frames), len(queries.queries)
        if path.suffix.lower() == '.csv':
            arrays = _read_table(path, queries)
        else:
            arrays = {name: _without_batch(values) for name, values in _read_arrays(path).items()}
        points = _named(arrays, 'tracks')
        if points is None or points.shape not in ((*shape, 2), (*shape[::-1], 2)):
            shape_text = 'none' if points is None else f'an array {list(points.shape)}'
            raise InputError(
                f'the tracks in {path} should be an array [{shape[0]} frames, {shape[1]} queries, '
                f'2], got {shape_text}: give the tracks of all queries of {queries_path} in the '
                'whole video'
            )
        visible = _visibility(arrays, points.shape[:2])
        if visible.shape not in (shape, shape[::-1]):
            raise InputError(
                f'the visibility in {path} is an array {list(visible.shape)}, expected the shape '
                f'of the tracks {list(points.shape)}, save one value for each point'
            )
        if visible.shape != points.shape[:2]:
            visible = visible.T
        turned, points = _to_pixels(path, queries, points, is_tapir='occlusion' in arrays)
        visible = visible.T if turned else visible
        points[~(np.abs(points) < _FAILED_BEYOND)] = np.nan
        return cls(queries, points, np.nan_to_num(visible).clip(0, 1))

    def starting_at(self, frame: int, places: np.ndarray) -> np.ndarray:
        """Find the tracks that start at labelled joints.

        Args:
            frame: Frame of the labels.
            places: [K, 2] pixels of the joints, NaN for those without a label.

        Returns:
            [K] indices of their tracks, -1 where there is no query at this position.
        """
        numbers = np.full(len(places), -1)
        of_frame = np.flatnonzero(self.queries.queries[:, 0] == frame)
        joint = self.queries.joint[of_frame]
        off = np.abs(self.queries.queries[of_frame, 1:] - places[joint]).max(axis=1)
        # A label that has been moved since has no track.
        is_near = off < 1
        numbers[joint[is_near]] = of_frame[is_near]
        return numbers


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read the named arrays of a NumPy or PyTorch file.

    Raises:
        InputError: If it cannot be read.
    """
    content: Any
    try:
        if path.suffix.lower() in ('.pt', '.pth'):
            require_packages(f'reading {path.name}', 'torch')
            content = read_torch_file(path)
        else:
            content = np.load(path)
        if isinstance(content, (tuple, list)):
            content = dict(zip(_NAMES, content, strict=False))
        arrays = content if isinstance(content, Mapping) else {'tracks': content}
        return {str(name): np.asarray(arrays[name]) for name in arrays}
    except InputError:
        raise
    # A damaged header may claim an array of any size.
    except (OSError, EOFError, BadZipFile, TypeError, ValueError, MemoryError) as error:
        raise InputError(
            f'{path} cannot be read as arrays of tracks ({one_line(error)}), expected an existing '
            '.npz, .npy or .pt file'
        ) from error


def _named(arrays: Mapping[str, np.ndarray], kind: str) -> np.ndarray | None:
    return next((arrays[name] for name in _NAMES[kind] if name in arrays), None)


def _without_batch(values: np.ndarray) -> np.ndarray:
    """Remove the batch axis, as there is one video."""
    return values[0] if values.ndim > 2 and len(values) == 1 else values


def _visibility(arrays: Mapping[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Return the probability that points are visible; TAPIR gives two logits."""
    if 'occlusion' not in arrays:
        visibility = _named(arrays, 'visibility')
        return np.ones(shape) if visibility is None else visibility.astype(np.float64)
    distance = arrays.get('expected_dist', np.array(-np.inf))
    visible: np.ndarray = expit(-arrays['occlusion'].astype(np.float64)) * expit(-distance)
    return visible


def _to_pixels(
    path: Path, queries: TrackQueries, points: np.ndarray, is_tapir: bool
) -> tuple[bool, np.ndarray]:
    """Exchange axes and scale tracks so that they pass through their queries; warn about it.

    Args:
        path: Their file.
        queries: The N queries.
        points: [T, N, 2] or [N, T, 2].
        is_tapir: Whether the tracker is TAPIR, which returns [N, T, 2].

    Returns:
        Whether the first two axes were exchanged, and [T, N, 2] pixels.

    Raises:
        InputError: If no change makes the tracks fit their queries, or several do.
    """
    time, wanted = queries.queries[:, 0].astype(int), queries.queries[:, 1:].astype(np.float64)
    shape = int(queries.frames), len(time)
    tolerance = max(_MIN_TOLERANCE, _MAX_OFFSET_RATIO * float(np.ptp(wanted, axis=0).max()))
    layouts: list[tuple[bool, np.ndarray, str]] = []
    nearest = np.inf
    for is_scaled, turned, flipped in product((False, True), repeat=3):
        if layouts and is_scaled and not (turned or flipped):
            # They fit without scaling.
            break
        placed = points.swapaxes(0, 1) if turned else points
        if placed.shape[:2] != shape:
            continue
        placed = (placed[..., ::-1] if flipped else placed).astype(np.float64)
        at = placed[time, np.arange(shape[1])]
        seen = np.isfinite(at).all(axis=1)
        scale = np.ones(2)
        if is_scaled:
            square = np.square(at[seen]).sum(axis=0)
            scale = (at * wanted)[seen].sum(axis=0) / np.maximum(square, 1e-9)
        off = np.where(seen, np.linalg.norm(at * scale - wanted, axis=1), np.inf)
        largest = float(np.quantile(off, _MIN_FITTING, method='higher'))
        nearest = min(nearest, largest)
        if largest > tolerance:
            continue
        changes = (
            ('with their first two axes exchanged', turned != is_tapir),
            ('with x and y exchanged', flipped),
            (f'multiplied by {scale[0]:.4g} and {scale[1]:.4g}', is_scaled),
        )
        made = ', '.join(change for change, is_made in changes if is_made)
        if not made:
            return turned, placed
        layouts.append((turned, placed * scale, made))
    if len(layouts) != 1:
        fault = 'fit their queries in several ways' if layouts else f'are {nearest:.0f} pixels off'
        raise InputError(
            f'the tracks in {path} {fault}, expected [frames, queries, (x, y)] in pixels of the '
            f'video, at most {tolerance:.0f} off at their queries: give the tracks of this video, '
            'in the order of the queries'
        )
    turned, placed, made = layouts[0]
    note(f'the tracks in {path} are used {made}, so that they fit their queries')
    return turned, placed


def _read_table(path: Path, queries: TrackQueries) -> dict[str, np.ndarray]:
    """Read the CSV of napari-cotrack, which holds the track of the nearest query of each joint.

    Halfway between two queries, the joint jumps from one track to the other by their drift. Beyond
    the jump, each track is continued parallel to the other one, so that it misses the next query
    by this drift.

    Raises:
        InputError: If it cannot be read, or is not of one person with these joints.
    """
    if len(np.unique(queries.person)) > 1:
        raise InputError(
            f'{path} does not say whose joints it holds, but the queries are of several people, '
            'give tracks as arrays'
        )
    names = queries.joint_names.tolist()
    values = np.full((int(queries.frames), len(names), 3), np.nan)
    try:
        with path.open(newline='', encoding='utf-8-sig') as file:
            for row in csv.DictReader(file):
                if row['bodypart'] in names:
                    place = int(float(row['frame'])), names.index(row['bodypart'])
                    values[place] = [float(row[name] or 'nan') for name in ('x', 'y', 'vis')]
    except (OSError, LookupError, ValueError, TypeError, OverflowError, csv.Error) as error:
        raise InputError(
            f'{path} cannot be read as tracks ({error}), expected the columns frame, bodypart, x, '
            f'y and vis, and {len(values)} frames'
        ) from error
    tracks = np.full((len(values), len(queries.joint), 2), np.nan)
    for joint in np.unique(queries.joint):
        rows = np.flatnonzero(queries.joint == joint)
        rows = rows[queries.queries[rows, 0].argsort()]
        points, times = values[:, joint, :2], queries.queries[rows, 0].astype(int)
        tracks[times, rows] = points[times]
        for (left, first), (right, last) in pairwise(zip(rows, times, strict=True)):
            change = (first + last) // 2
            around = points[[max(change - 1, first), change, change + 1, min(change + 2, last)]]
            steps = np.diff(around, axis=0)
            apart = steps[1] - (steps[0] + steps[2]) / 2
            forward = np.arange(first, last + 1) <= change
            tracks[first : last + 1, left] = points[first : last + 1] - apart * ~forward[:, None]
            tracks[first : last + 1, right] = points[first : last + 1] + apart * forward[:, None]
    return {'tracks': tracks, 'visibility': values[:, queries.joint, 2]}
