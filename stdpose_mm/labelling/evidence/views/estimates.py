"""Joints in space from the estimates in several calibrated views.

A joint that two cameras see is known in space, and so in every other view. Every estimate counts by
its score, as a deviation in pixels; an estimate that does not fit those of the other views, such as
one of an exchanged side, does not pull.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.special import gammainc, gammaincinv

from stdpose_mm.evaluation.functional import label_sizes
from stdpose_mm.evaluation.functional.calibration import CORRECT_WITHIN
from stdpose_mm.structures import Skeleton, VideoLabels
from stdpose_mm.structures.camera import Camera, triangulate

LABEL_DEVIATION = 0.01
"""Deviation of a given joint in pose sizes, by which two people who label it differ."""

OUTLIER = 3.0
"""Distance in deviations beyond which an estimate counts as one of something else."""

REFINEMENTS = 3

LEAST_GIVEN = 10
"""Least number of joints given in several views from which the calibration is judged."""

_LEAST_SCORE, _MOST_SCORE = 0.02, 0.999
"""Range of the scores that are told apart."""

_METRES_APART = 50
"""Largest distance of cameras of one scene in metres."""


@dataclass(frozen=True)
class View:
    """The poses in the video of one camera.

    Args:
        camera: The camera.
        labels: Poses with scores that are probabilities, and all frames of the video listed; the
            people need track ids.
        start: Time of its first frame, in frames.
    """

    camera: Camera
    labels: VideoLabels
    start: int = 0

    @property
    def times(self) -> range:
        """The times of its frames."""
        return range(self.start, self.start + max(self.labels, default=-1) + 1)


def guess_unit(views: Sequence[View]) -> str:
    """Guess the unit of a calibration: metres, or millimetres if cameras are far apart in them."""
    centres = np.stack([view.camera.centre for view in views])
    return 'mm' if np.ptp(centres, axis=0).max() > _METRES_APART else 'm'


class Pinholes:
    """V cameras without the distortions of their lenses.

    Args:
        cameras: The cameras.
    """

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self.cameras = [replace(c, distortions=np.zeros(4), fisheye=False) for c in cameras]
        self.focal = np.stack([camera.matrix[[0, 1], [0, 1]] for camera in cameras])
        self._rotation = np.stack([camera.rotation for camera in cameras])
        self._translation = np.stack([camera.translation for camera in cameras])
        self._middle = np.stack([camera.matrix[:2, 2] for camera in cameras])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points [..., 3].

        Returns:
            [V, ..., 2] pixels, NaN behind a camera, and their derivatives [V, ..., 2, 3].
        """
        flat = points.reshape(-1, 3)
        in_camera = np.einsum('vij,mj->vmi', self._rotation, flat) + self._translation[:, None]
        depth = np.where(in_camera[..., 2:] > 0, in_camera[..., 2:], np.nan)
        ratio = in_camera[..., :2] / depth
        rows = self._rotation[:, None, :2] - ratio[..., None] * self._rotation[:, None, 2:]
        jacobian = (self.focal[:, None] / depth)[..., None] * rows
        pixels = ratio * self.focal[:, None] + self._middle[:, None]
        shape = len(self.cameras), *points.shape[:-1], 2
        return pixels.reshape(shape), jacobian.reshape(*shape, 3)

    def undistort(self, number: int, camera: Camera, pixels: np.ndarray) -> np.ndarray:
        """Remove the distortions of a camera, the ``number``-th, from pixels [..., 2]."""
        return camera.undistort(pixels) * self.focal[number] + self._middle[number]


@dataclass(frozen=True)
class Estimates:
    """The estimates of N people's K joints at T times in V views.

    Args:
        skeleton: The joints.
        pinholes: The cameras.
        times: The T times.
        pixels: [V, T, N, K, 2] pixels without distortions; NaN without an estimate.
        deviations: [V, T, N, K] deviation of each coordinate in pixels.
        given: [V, T, N, K] bool: given joints.
        sizes: [V, T, N] sizes of the poses in pixels; NaN without a pose.
    """

    skeleton: Skeleton
    pinholes: Pinholes
    times: range
    pixels: np.ndarray
    deviations: np.ndarray
    given: np.ndarray
    sizes: np.ndarray

    @classmethod
    def collect(cls, views: Sequence[View], people: Sequence[Sequence[int | None]]) -> Estimates:
        """Collect the estimates of people, each with its track id in every view."""
        skeleton, pinholes = views[0].labels.skeleton, Pinholes([view.camera for view in views])
        times = range(min(v.times.start for v in views), max(v.times.stop for v in views))
        shape = len(views), len(times), len(people), skeleton.num_keypoints
        pixels, deviations = np.full((*shape, 2), np.nan), np.full(shape, np.nan)
        given, sizes = np.zeros(shape, dtype=bool), np.full(shape[:3], np.nan)
        for number, view in enumerate(views):
            tracks = view.labels.tracks()
            for column, ids in enumerate(people):
                track_id = ids[number]
                track = [] if track_id is None else tracks[track_id].values()
                track = [person for person in track if person.has_joint]
                if not track:
                    continue
                rows = np.array([p.frame_index for p in track]) + view.start - times.start
                at = number, rows, column
                size = label_sizes(track)
                labelled = np.stack([p.labelled for p in track])
                places = np.stack([p.keypoints for p in track])
                pixels[at] = np.where(labelled[..., None], places, np.nan)
                scores = np.stack([p.labelled if p.scores is None else p.scores for p in track])
                given[at] = np.stack([p.given for p in track])
                sizes[at] = size
                deviations[at] = np.where(
                    given[at], LABEL_DEVIATION * size[:, None], deviations_of(scores, size[:, None])
                )
            pixels[number] = pinholes.undistort(number, view.camera, pixels[number])
        return cls(skeleton, pinholes, times, pixels, deviations, given, sizes)

    @property
    def seen(self) -> np.ndarray:
        """[V, T, N, K] bool: joints with an estimate."""
        return np.isfinite(self.pixels[..., 0])

    def only_given(self) -> Estimates:
        """Leave out the joints that are not given."""
        return replace(self, pixels=np.where(self.given[..., None], self.pixels, np.nan))


def deviations_of(scores: np.ndarray, sizes: np.ndarray | float) -> np.ndarray:
    """Convert probabilities to deviations of each coordinate in pixels.

    A score is the probability that a joint is within a tenth of the pose's size of the truth, whose
    errors follow a planar Laplace distribution.
    """
    within = gammaincinv(2, np.clip(scores, _LEAST_SCORE, _MOST_SCORE))
    return np.sqrt(3) * CORRECT_WITHIN * sizes / within


def scores_of(deviations: np.ndarray, sizes: np.ndarray | float) -> np.ndarray:
    """Convert deviations in pixels to probabilities, see :func:`deviations_of`."""
    return gammainc(2, np.sqrt(3) * CORRECT_WITHIN * sizes / np.maximum(deviations, 1e-9))


def _locate(
    pinholes: Pinholes, pixels: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Locate joints in space: the points of the two views that most others agree with.

    The arguments are those of :func:`locate`.

    Returns:
        Points as from :func:`locate`, and [...] their costs: the sum of squared distances in
        deviations, of which an outlier counts as ``OUTLIER``.
    """
    seen = np.isfinite(pixels).all(axis=-1)
    points, least = np.full((*seen.shape[1:], 3), np.nan), np.full(seen.shape[1:], np.inf)
    for pair in map(list, combinations(range(len(pixels)), 2)):
        both = seen[pair].all(axis=0)
        xy, spread = pixels[:, both], variances[:, both]
        located = triangulate([pinholes.cameras[view] for view in pair], xy[pair], 1 / spread[pair])
        # A point behind a camera is not what it sees.
        squares = np.fmin(squared_distances(pinholes, located, xy, spread), OUTLIER**2)
        cost = np.where(seen[:, both], squares, 0).sum(axis=0)
        better = cost < least[both]
        points[both] = np.where(better[:, None], located, points[both])
        least[both] = np.where(better, cost, least[both])
    return points, least


def locate(
    pinholes: Pinholes, pixels: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Locate joints with all views that agree.

    Args:
        pinholes: The cameras.
        pixels: [V, ..., 2] pixels of these; NaN without an estimate.
        variances: [V, ...] square pixels.

    Returns:
        [..., 3] points, NaN where fewer than two views see a joint; and [V, ...] the trust in each
        estimate, from 0 of an outlier to 1.
    """
    points, _ = _locate(pinholes, pixels, variances)
    trust = np.zeros(variances.shape)
    for _ in range(REFINEMENTS):
        squares = squared_distances(pinholes, points, pixels, variances)
        # Geman and McClure's weights.
        trust = np.nan_to_num(1 / np.square(1 + squares / OUTLIER**2))
        points = refine(pinholes, points, pixels, trust / variances)[0]
    return points, trust


def squared_distances(
    pinholes: Pinholes, points: np.ndarray, pixels: np.ndarray, variances: np.ndarray | float = 1.0
) -> np.ndarray:
    """Compute the squared distances [V, ...] of points from pixels, in deviations."""
    return np.square(pinholes.project(points)[0] - pixels).sum(axis=-1) / variances


def refine(
    pinholes: Pinholes, points: np.ndarray, pixels: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take one step of Gauss and Newton towards the points [..., 3] that fit pixels best.

    Args:
        pinholes: The cameras.
        points: [..., 3] start.
        pixels: [V, ..., 2].
        weights: [V, ...] inverse variances.

    Returns:
        The points, and their covariances [..., 3, 3].
    """
    projected, jacobian = pinholes.project(points)
    counts = np.isfinite(projected - pixels).all(axis=-1) & (weights > 0)
    scale = np.sqrt(np.where(counts, weights, 0))
    rows = np.where(counts[..., None, None], jacobian, 0) * scale[..., None, None]
    misses = np.where(counts[..., None], pixels - projected, 0) * scale[..., None]
    information = np.einsum('v...pi,v...pj->...ij', rows, rows)
    covariance = np.linalg.pinv(information, hermitian=True)
    step = np.einsum('...ij,v...pj,v...p->...i', covariance, rows, misses)
    return points + step, covariance


def calibration_variances(estimates: Estimates) -> np.ndarray:
    """Estimate the error of each camera's calibration, from joints given in several views.

    Returns:
        [V, 1, 1, 1] square pixels. With few such joints they are those of labels.
    """
    num_views = len(estimates.pixels)
    usual = np.square(np.nanmean(estimates.sizes) * LABEL_DEVIATION)
    several = estimates.given.sum(axis=0) > 1
    given = estimates.given[:, several]
    pixels = np.where(given[..., None], estimates.pixels[:, several], np.nan)
    labels = np.square(estimates.deviations[:, several])
    variances = np.full(num_views, usual)
    for _ in range(REFINEMENTS if given.shape[1] >= LEAST_GIVEN else 0):
        points, _ = locate(estimates.pinholes, pixels, labels + variances[:, None])
        squares = squared_distances(estimates.pinholes, points, pixels)
        # A point takes three of the numbers that V pixels have.
        count = given.sum(axis=0)
        squares *= 2 * count / (2 * count - 3)
        for number in np.flatnonzero(given.any(axis=1)):
            of_view = given[number]
            # The median of the squared length of two coordinates with variance 1 is 2 ln 2.
            middle = np.nanmedian(squares[number, of_view]) / (2 * np.log(2))
            variances[number] = max(middle - np.median(labels[number, of_view]), usual / 10)
    return variances.reshape(-1, 1, 1, 1)


def exchange_sides(estimates: Estimates, calibration: np.ndarray) -> tuple[Estimates, np.ndarray]:
    """Exchange left and right of people in one of three or more views that fit others better so.

    Args:
        estimates: The estimates.
        calibration: The errors of the calibration, see :func:`calibration_variances`.

    Returns:
        The estimates, and [V, T, N] bool: where they were exchanged.
    """
    exchanged = np.zeros(estimates.sizes.shape, dtype=bool)
    mirror = list(estimates.skeleton.flip_indices)
    sided = np.array(mirror) != np.arange(len(mirror))
    rows = np.nonzero(np.isfinite(estimates.sizes).sum(axis=0) > 2)
    if not len(rows[0]) or not sided.any():
        return estimates, exchanged

    def costs_of(pixels: np.ndarray, variances: np.ndarray) -> np.ndarray:
        cost = _locate(estimates.pinholes, pixels, variances)[1]
        return np.where(np.isfinite(cost), cost, 0).sum(axis=1)

    variances = np.square(estimates.deviations) + calibration
    pixels, variances = (
        array[:, rows[0], rows[1]][:, :, sided] for array in (estimates.pixels, variances)
    )
    order = np.cumsum(sided)[mirror][sided] - 1
    cost = costs_of(pixels, variances)
    # An exchange makes most joints of a view outliers.
    suspicious = np.flatnonzero(cost > OUTLIER**2 * sided.sum() / 4)
    pixels, variances, cost = pixels[:, suspicious], variances[:, suspicious], cost[suspicious]
    tried = []
    for number in range(len(pixels)):
        turned, spread = pixels.copy(), variances.copy()
        turned[number], spread[number] = turned[number][:, order], spread[number][:, order]
        tried.append(costs_of(turned, spread))
    best = np.argmin(tried, axis=0)
    is_better = np.min(tried, axis=0) < cost / 2
    times, people = (index[suspicious[is_better]] for index in rows)
    exchanged[best[is_better], times, people] = True
    turned = exchanged[..., None]
    return replace(
        estimates,
        pixels=np.where(turned[..., None], estimates.pixels[..., mirror, :], estimates.pixels),
        deviations=np.where(turned, estimates.deviations[..., mirror], estimates.deviations),
    ), exchanged
