"""Heatmaps drawn from the tracks of a point tracker."""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.labels.label_files import find_file_of
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.draw_gaussians import draw_gaussians

from .load_pose_network import PoseNetworkFiles
from .point_tracks import PointTracks, TrackQueries
from .pose_network import DRAWN_SIDE, HeatmapSource, PersonFrames, PoseHeatmaps
from .pose_results import files_behind

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

_SIGMA = 5 / 3
"""Standard deviation in cells: 4 % of the larger side of the box."""

_HEIGHT = 0.8
"""Height of the peak of a track that is visible and has not drifted."""

_UNSEEN = 0.3
"""Factor on the height where the tracker says that the point is hidden."""

_DRIFT = 0.04
"""Expected drift, as a share of the box, at which the height of a track is halved."""

_LIKE_FLOW = 0.03
"""Distance from optical flow, as a share of the box, that a novel track exceeds somewhere."""

_LEAST_NOVELTY = 0.13
"""Factor on the height of a track that repeats optical flow; such a track exceeds ``_LEAST_TRUST``
only if it also comes close to the other label."""

_LEAST_TRUST = 0.1
"""Share of the height below which a track is not used as evidence."""


class TrackResults(HeatmapSource):
    """Gaussians at the tracks from the two nearest labels of each joint.

    A track is trusted more the closer it comes to the other label: the distance there is its drift,
    which is assumed to have accumulated evenly on the way. A track that repeats optical flow adds
    little, as flow is evidence already. At a label, only the track from the other label is drawn,
    because its own track says nothing there. A joint with a single label has no heatmap.

    Args:
        path: File with the tracks of one video, which are used for any video; or a folder with a
            file named after each video.
        queries: File or folder with their queries; by default, the files of the tracks hold them.

    Raises:
        InputError: If the queries cannot be read.
    """

    question = 'are they tracks of this video, from these labels?'
    follows_labels = True

    def __init__(self, path: Path, queries: Path | None = None) -> None:
        self.path, self.queries = path, queries or path
        first = self.queries
        if first.is_dir():
            first = min(first.glob('*.npz'), default=first)
        names = TrackQueries.read(first).joint_names
        super().__init__(path.name, Skeleton(tuple(map(str, names))))

    def files_of(self, video: str) -> dict[str, Path]:
        """See :meth:`HeatmapSource.files_of`."""
        return _find_track_files(self.path, self.queries, video)

    def require_video(self, frames: FrameSource) -> None:
        """See :meth:`HeatmapSource.require_video`."""
        self._tracks(frames)

    def estimate_frames(self, person: PersonFrames) -> PoseHeatmaps:
        """See :meth:`HeatmapSource.estimate_frames`."""
        frames, indices, boxes, labels, flow, _ = person
        tracks = self._tracks(frames)
        sides = boxes[:, 2:].max(axis=1)[:, None]
        rows, size = np.array(indices), (DRAWN_SIDE, DRAWN_SIDE)
        maps = PoseHeatmaps.to_draw_on(boxes, self.skeleton.num_keypoints)
        for (start, places), (end, others) in permutations(labels.items(), 2):
            number = tracks.starting_at(start, places)
            points, visible = tracks.points[rows][:, number], tracks.visible[rows][:, number]
            miss = np.linalg.norm(tracks.points[end, number] - others, axis=-1)
            progress = np.abs(rows - start)[:, None] / abs(end - start)
            trust = _trust(miss / sides, progress)
            if start in flow:
                times, path = flow[start]
                apart = np.linalg.norm(tracks.points[times][:, number] - path, axis=-1)
                trust = trust * _novelty(np.fmax.reduce(apart) / sides)
            trust = trust * (_UNSEEN + (1 - _UNSEEN) * visible)
            used = np.isfinite(points).all(axis=-1) & (trust > _LEAST_TRUST)
            used &= (number >= 0) & (rows != start)[:, None]
            for row, (affine, on) in enumerate(zip(maps.to_heatmap, used, strict=True)):
                cells = np.where(on[:, None], points[row], 0) @ affine[:, :2].T + affine[:, 2]
                drawn, inside = draw_gaussians(cells, on.astype(np.float32), size, _SIGMA)
                height = np.where(on, _HEIGHT * trust[row], 0)[:, None, None]
                drawn *= height.astype(np.float32)
                maps.heatmaps[row] = np.maximum(maps.heatmaps[row], drawn)
                maps.known[row] |= inside > 0
        return maps

    def _tracks(self, frames: FrameSource) -> PointTracks:
        """Return the tracks of a video.

        Raises:
            InputError: If they cannot be read, or do not fit its frames.
        """
        files = self.files_of(frames.name)
        tracks = _read(files['tracks'], files['queries'], fingerprint(files))
        queries = tracks.queries
        of_queries = int(queries.frames), tuple(queries.size.tolist())
        if of_queries != (len(frames), frames.size):
            raise InputError(
                f'the queries in {self.queries} are of {of_queries[0]} frames of {of_queries[1]} '
                f'pixels, but {frames.name} has {len(frames)} of {frames.size}, give the queries '
                'of this video'
            )
        if queries.joint_names.tolist() != [*self.skeleton.keypoint_names]:
            raise InputError(
                f'the queries of {frames.name} in {self.queries} have other joints than those of '
                'other videos there, give the queries of one set of labels'
            )
        return tracks


def _trust(miss: np.ndarray, progress: np.ndarray) -> np.ndarray:
    """Compute the trust in tracks from their distance to the other label.

    Args:
        miss: Distance to the other label, as a share of the box.
        progress: 0 at their own label, 1 at the other one. Drift is a random walk, which grows with
            the square root of its steps.

    Returns:
        Share of the height of the peaks.
    """
    trust: np.ndarray = 1 / (1 + np.square(np.square(miss / _DRIFT) * progress))
    return trust


def _novelty(apart: np.ndarray) -> np.ndarray:
    """Compute the factor on the height of tracks that may repeat optical flow.

    Args:
        apart: Largest distances from flow, as shares of the box; NaN, where there is no flow or no
            track, counts as far apart.
    """
    ratio = np.nan_to_num(apart / _LIKE_FLOW, nan=np.inf)
    novelty: np.ndarray = 1 - (1 - _LEAST_NOVELTY) / (1 + np.power(ratio, 4))
    return novelty


@lru_cache(maxsize=1)
def _read(path: Path, queries: Path, digest: str) -> PointTracks:
    """Read tracks, once unless their files change."""
    return PointTracks.read(path, queries)


def load_tracks(files: PoseNetworkFiles, device: str) -> TrackResults:
    """Load tracks."""
    return TrackResults(files.path, Path(files.companion) if files.companion else None)


def track_files(files: PoseNetworkFiles, video: str | None) -> dict[str, Path]:
    """List the files of tracks and queries, see :meth:`PoseNetworkFiles.read_files`."""
    path, queries = files.path, Path(files.companion or files.file)
    if video is not None:
        return _find_track_files(path, queries, video)
    read = enumerate(map(files_behind, dict.fromkeys((path, queries))))
    return {f'{at}/{name}': file for at, listed in read for name, file in listed.items()}


def _find_track_files(path: Path, queries: Path, video: str) -> dict[str, Path]:
    """Find the files of the tracks and of the queries of a video.

    Raises:
        InputError: If there are none.
    """
    return {
        name: find_file_of(video, place) if place.is_dir() else place
        for name, place in (('tracks', path), ('queries', queries))
    }
