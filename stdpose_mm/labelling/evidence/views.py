"""Poses in several calibrated views of a scene: joints in space, and what they say in each view.

A joint that two cameras see is known in space, and so in every other view. Every estimate counts by
its score, as a deviation in pixels; an estimate that does not fit those of the other views, such as
one of an exchanged side, does not pull.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import gammainc, gammaincinv, huber

from stdpose_mm.evaluation.functional import label_sizes
from stdpose_mm.evaluation.functional.calibration import CORRECT_WITHIN
from stdpose_mm.evaluation.functional.posetrack import mean_of_known
from stdpose_mm.structures import (
    NOT_LABELLED,
    VISIBLE,
    PersonLabel,
    Skeleton,
    VideoLabels,
    unused_track_ids,
)
from stdpose_mm.structures.boxes import person_box
from stdpose_mm.structures.camera import Camera, triangulate
from stdpose_mm.structures.scene_poses import ScenePoses
from stdpose_mm.text import counted, listed

LABEL_DEVIATION = 0.01
"""Deviation of a given joint in pose sizes, by which two people who label it differ."""

_OUTLIER = 3.0
"""Distance in deviations beyond which an estimate counts as one of something else."""

_REFINEMENTS = 3

_COUNTED = 0.25
"""Least trust of an estimate that counts: it is at most ``_OUTLIER`` deviations off."""

_LEAST_GIVEN = 10
"""Least number of joints given in several views from which the calibration is judged."""

_OTHER_PERSON = 0.25
"""Distance in pose sizes from which people in two views are not the same."""

_SHIFT = 0.01
"""Least shift of the picture of a camera, in pose sizes, that a wrong calibration is told from."""

_TURN_DEVIATION = np.radians(0.5)
"""Deviation of the turn of a camera whose calibration is wrong."""

_TURN_STEP = 1e-4
"""Turn in radians by which derivatives are taken."""

_CERTAIN = 12.0
"""Least length of a turn, in deviations and squared, from which a calibration is wrong."""

_JOINTS_COMPARED = 400
"""Joints from which the turns of cameras are found."""

_APART, _LEFT = 0.005, 0.8
"""Distance of views in pose sizes from which videos may be exchanged or late, and the largest share
of it that is left once this is put right."""

_MOST_LATE = 15
"""Largest number of frames by which a camera is found to be late."""

_CONTRADICTION = 5.0
"""Distance in deviations from which a given joint contradicts other views."""

_EXCHANGED_FROM, _EXCHANGED_GAIN = 0.05, 0.4
"""Distance of two views in pose sizes from which sides may be exchanged, and the largest share of
it that is left once they are exchanged back."""

_SURE = 0.9
"""Least score of a joint that a view borrows from the others as if it were given."""

_MAX_NAMED = 5

_METRES_APART = 50
"""Largest distance of cameras of one scene in metres."""

_TIMES_COMPARED = 200
"""Times at which people in two views are compared."""

_TIMES_TRIED = 30
"""Times at which they are compared for each mistake that is tried."""

_LEAST_SCORE, _MOST_SCORE = 0.02, 0.999
"""Range of the scores that are told apart."""


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


class _Pinholes:
    """V cameras without the distortions of their lenses.

    Args:
        cameras: The cameras.
    """

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self.cameras = [replace(c, distortions=np.zeros(4), fisheye=False) for c in cameras]
        self._rotation = np.stack([camera.rotation for camera in cameras])
        self._translation = np.stack([camera.translation for camera in cameras])
        self.focal = np.stack([camera.matrix[[0, 1], [0, 1]] for camera in cameras])
        self._middle = np.stack([camera.matrix[:2, 2] for camera in cameras])

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Project points [M, 3].

        Returns:
            [V, M, 2] pixels, NaN behind a camera, and their derivatives [V, M, 2, 3].
        """
        in_camera = np.einsum('vij,mj->vmi', self._rotation, points) + self._translation[:, None]
        depth = np.where(in_camera[..., 2:] > 0, in_camera[..., 2:], np.nan)
        ratio = in_camera[..., :2] / depth
        rows = self._rotation[:, None, :2] - ratio[..., None] * self._rotation[:, None, 2:]
        jacobian = (self.focal[:, None] / depth)[..., None] * rows
        return ratio * self.focal[:, None] + self._middle[:, None], jacobian

    def undistorted(self, cameras: Sequence[Camera], pixels: np.ndarray) -> np.ndarray:
        """Remove the distortions of the cameras from pixels [V, M, 2]."""
        normalised = np.stack([c.undistort(xy) for c, xy in zip(cameras, pixels, strict=True)])
        return normalised * self.focal[:, None] + self._middle[:, None]


def _locate(
    pinholes: _Pinholes, pixels: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Locate M joints in space: the points of the two views that most others agree with.

    Args:
        pinholes: The cameras.
        pixels: [V, M, 2] pixels of these; NaN without an estimate.
        variances: [V, M] square pixels.

    Returns:
        [M, 3] points, NaN where fewer than two views see a joint; and [M] their costs: the sum of
        squared distances in deviations, of which an outlier counts as ``_OUTLIER``.
    """
    seen = np.isfinite(pixels).all(axis=2)
    points = np.full((pixels.shape[1], 3), np.nan)
    least = np.full(len(points), np.inf)
    for pair in map(list, combinations(range(len(pixels)), 2)):
        rows = np.flatnonzero(seen[pair].all(axis=0))
        cameras = [pinholes.cameras[view] for view in pair]
        weights = 1 / variances[pair][:, rows]
        located = triangulate(cameras, pixels[pair][:, rows], weights)
        squares = _squares(pinholes.project(located)[0], pixels[:, rows], variances[:, rows])
        # A point behind a camera is not what it sees.
        squares = np.fmin(squares, _OUTLIER**2)
        cost = np.where(seen[:, rows], squares, 0).sum(axis=0)
        better = cost < least[rows]
        points[rows[better]], least[rows[better]] = located[better], cost[better]
    return points, least


def _locate_precisely(
    pinholes: _Pinholes, pixels: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Locate M joints with all views that agree; see :func:`_locate`.

    Returns:
        The points, and [V, M] the trust in each estimate, from 0 of an outlier to 1.
    """
    points, _ = _locate(pinholes, pixels, variances)
    trust = np.zeros(variances.shape)
    for _ in range(_REFINEMENTS):
        squares = _squares(pinholes.project(points)[0], pixels, variances)
        # Geman and McClure's weights.
        trust = np.nan_to_num(1 / np.square(1 + squares / _OUTLIER**2))
        points = _refine(pinholes, points, pixels, trust / variances)[0]
    return points, trust


def _squares(projected: np.ndarray, pixels: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """Compute the squared distances [V, M] in deviations."""
    return np.square(projected - pixels).sum(axis=2) / variances


def _refine(
    pinholes: _Pinholes, points: np.ndarray, pixels: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take one step of Gauss and Newton towards the points [M, 3] that fit pixels best.

    Args:
        pinholes: The cameras.
        points: [M, 3] start.
        pixels: [V, M, 2].
        weights: [V, M] inverse variances.

    Returns:
        The points, and their covariances [M, 3, 3].
    """
    projected, jacobian = pinholes.project(points)
    counts = np.isfinite(projected - pixels).all(axis=2) & (weights > 0)
    scale = np.sqrt(np.where(counts, weights, 0))
    rows = np.where(counts[..., None, None], jacobian, 0) * scale[..., None, None]
    misses = np.where(counts[..., None], pixels - projected, 0) * scale[..., None]
    information = np.einsum('vmpi,vmpj->mij', rows, rows)
    covariance = np.linalg.pinv(information, hermitian=True)
    step = np.einsum('mij,vmpj,vmp->mi', covariance, rows, misses)
    return points + step, covariance


@dataclass(frozen=True)
class _Estimates:
    """The estimates of N people's K joints at T times in V views.

    Args:
        times: The T times.
        pixels: [V, T, N, K, 2] pixels without distortions; NaN without an estimate.
        deviations: [V, T, N, K] deviation of each coordinate in pixels.
        given: [V, T, N, K] bool: given joints.
        sizes: [V, T, N] sizes of the poses in pixels; NaN without a pose.
    """

    times: range
    pixels: np.ndarray
    deviations: np.ndarray
    given: np.ndarray
    sizes: np.ndarray

    @classmethod
    def collect(
        cls, views: Sequence[View], pinholes: _Pinholes, people: Sequence[Sequence[int | None]]
    ) -> _Estimates:
        """Collect the estimates of people, each with its track id in every view."""
        times = range(min(v.times.start for v in views), max(v.times.stop for v in views))
        shape = len(views), len(times), len(people), views[0].labels.skeleton.num_keypoints
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
        flat = pixels.reshape(len(views), -1, 2)
        pixels = pinholes.undistorted([v.camera for v in views], flat).reshape(pixels.shape)
        return cls(times, pixels, deviations, given, sizes)

    def only_given(self) -> _Estimates:
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


def fuse_views(
    views: Sequence[View], people: Sequence[Sequence[int | None]]
) -> tuple[list[VideoLabels], ScenePoses]:
    """Locate everyone in space, and improve and complete the poses in each view.

    Given joints and joints that a label leaves out stay, as do people who are absent. A view
    without labels of a person gets the person's joints inside the picture.

    Args:
        views: The views; their labels have the same joints.
        people: The track id of each person in every view, see :func:`match_people`.

    Returns:
        The labels of each view with all people, and the people in space, whose track ids are those
        of the first view that has them.
    """
    cameras = [view.camera for view in views]
    pinholes = _Pinholes(cameras)
    estimates = _Estimates.collect(views, pinholes, people)
    calibration = _calibration_variances(pinholes, estimates)
    estimates, _ = _exchange_sides(pinholes, estimates, calibration, views[0].labels.skeleton)
    shape = estimates.deviations.shape
    pixels = estimates.pixels.reshape(len(views), -1, 2)
    spread = np.square(estimates.deviations).reshape(len(views), -1)
    variances = spread + calibration[:, None]
    points, trust = _locate_precisely(pinholes, pixels, variances)
    squares = _squares(pinholes.project(points)[0], pixels, variances)
    counted = trust > _COUNTED
    num_views = counted.sum(axis=0)
    misses = np.where(counted, squares * variances, 0).sum(axis=0) / np.maximum(num_views, 1)
    ids = tuple(next(i for i in of_person if i is not None) for of_person in people)
    scene = ScenePoses(
        views[0].labels.skeleton,
        ids,
        estimates.times,
        points.reshape(*shape[1:], 3),
        np.where(np.isnan(points[:, 0]), np.nan, np.sqrt(misses)).reshape(shape[1:]),
        num_views.reshape(shape[1:]),
    )
    # Where estimates differ by more than they should, they are less certain.
    excess = np.where(counted, squares, 0).sum(axis=0) / np.maximum(2 * num_views - 3, 1)
    fused = []
    for number, view in enumerate(views):
        # As seen from this view, the others are off by the error of its calibration too.
        others = np.arange(len(views)) != number
        variances = spread + np.where(others, calibration + calibration[number], 0)[:, None]
        refined, covariance = _refine(pinholes, points, pixels, trust / variances)
        jacobian = pinholes.project(refined)[1][number]
        square = np.einsum('mpi,mij,mpj->m', jacobian, covariance, jacobian) / 2
        deviations = np.sqrt(square * np.maximum(1, excess))
        places = view.camera.project(refined).reshape(*shape[1:], 2)
        track_ids = [of_person[number] for of_person in people]
        fused.append(
            _with_places(
                view, track_ids, ids, estimates.times, places, deviations.reshape(shape[1:])
            )
        )
    return fused, scene


def _exchange_sides(
    pinholes: _Pinholes, estimates: _Estimates, calibration: np.ndarray, skeleton: Skeleton
) -> tuple[_Estimates, np.ndarray]:
    """Exchange left and right of people in one of three or more views that fit others better so.

    Returns:
        The estimates, and [V, T, N] bool: where they were exchanged.
    """
    pixels, variances = estimates.pixels, np.square(estimates.deviations)
    exchanged = np.zeros(estimates.sizes.shape, dtype=bool)
    mirror = list(skeleton.flip_indices)
    sided = np.array(mirror) != np.arange(len(mirror))
    variances = variances + calibration[:, None, None, None]
    num_views = np.isfinite(estimates.sizes).sum(axis=0)
    rows = np.nonzero(num_views > 2)
    if not len(rows[0]) or not sided.any():
        return estimates, exchanged

    def costs_of(pixels: np.ndarray, variances: np.ndarray) -> np.ndarray:
        flat = pixels.reshape(len(pixels), -1, 2), variances.reshape(len(pixels), -1)
        cost = _locate(pinholes, *flat)[1].reshape(pixels.shape[1:-1])
        return np.where(np.isfinite(cost), cost, 0).sum(axis=1)

    pixels, variances = (array[:, rows[0], rows[1]][:, :, sided] for array in (pixels, variances))
    order = np.cumsum(sided)[mirror][sided] - 1
    cost = costs_of(pixels, variances)
    # An exchange makes most joints of a view outliers.
    suspicious = np.flatnonzero(cost > _OUTLIER**2 * sided.sum() / 4)
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
    mirrored = estimates.pixels[:, :, :, mirror], estimates.deviations[:, :, :, mirror]
    turned = exchanged[..., None]
    return replace(
        estimates,
        pixels=np.where(turned[..., None], mirrored[0], estimates.pixels),
        deviations=np.where(turned, mirrored[1], estimates.deviations),
    ), exchanged


def _calibration_variances(pinholes: _Pinholes, estimates: _Estimates) -> np.ndarray:
    """Estimate [V] the error of each camera's calibration, from joints given in several views.

    Returns:
        Square pixels. With few such joints they are those of labels.
    """
    num_views = len(estimates.pixels)
    usual = np.square(np.nanmean(estimates.sizes) * LABEL_DEVIATION)
    given = estimates.given.reshape(num_views, -1)
    several = given.sum(axis=0) > 1
    given = given[:, several]
    pixels = estimates.pixels.reshape(num_views, -1, 2)[:, several]
    pixels = np.where(given[..., None], pixels, np.nan)
    labels = np.square(estimates.deviations.reshape(num_views, -1)[:, several])
    variances = np.full(num_views, usual)
    for _ in range(_REFINEMENTS if given.shape[1] >= _LEAST_GIVEN else 0):
        points, _ = _locate_precisely(pinholes, pixels, labels + variances[:, None])
        squares = np.square(pinholes.project(points)[0] - pixels).sum(axis=2)
        # A point takes three of the numbers that V pixels have.
        count = given.sum(axis=0)
        squares *= 2 * count / (2 * count - 3)
        for number in np.flatnonzero(given.any(axis=1)):
            of_view = given[number]
            # The median of the squared length of two coordinates with variance 1 is 2 ln 2.
            middle = np.nanmedian(squares[number, of_view]) / (2 * np.log(2))
            variances[number] = max(middle - np.median(labels[number, of_view]), usual / 10)
    return variances


def _with_places(
    view: View,
    track_ids: Sequence[int | None],
    ids: Sequence[int],
    times: range,
    places: np.ndarray,
    deviations: np.ndarray,
) -> VideoLabels:
    """Put the places [T, N, K, 2] of people, and their deviations, into the labels of a view."""
    taken = {*view.labels.track_ids}
    tracks = view.labels.tracks()
    persons = []
    for column, (track_id, other_id) in enumerate(zip(track_ids, ids, strict=True)):
        track = {} if track_id is None else tracks[track_id]
        if track_id is None:
            track_id = other_id if other_id not in taken else next(unused_track_ids(taken))
            taken.add(track_id)
        is_labelled = any(person.is_given for person in track.values())
        for frame in view.labels:
            row = frame + view.start - times.start
            of_frame = places[row, column], deviations[row, column]
            person = track.get(frame)
            if person is not None:
                person = _improved(person, *of_frame)
            else:
                person = _new_person(frame, track_id, *of_frame)
            persons.append(person if is_labelled else _inside(person, view.camera.size))
    persons.sort(key=lambda person: (person.frame_index, person.track_id))
    return view.labels.with_persons(persons)


def _new_person(
    frame: int, track_id: int, places: np.ndarray, deviations: np.ndarray
) -> PersonLabel:
    """Build the pose of a person at places [K, 2], NaN where unknown."""
    known = np.isfinite(places).all(axis=1)
    size = np.ptp(places[known], axis=0).max() if known.any() else 0.0
    return PersonLabel(
        frame,
        np.where(known[:, None], places, 0),
        np.where(known, VISIBLE, NOT_LABELLED),
        track_id=track_id,
        scores=np.where(known, scores_of(deviations, size), 0),
        source='propagated' if known.any() else 'absent',
    )


def _inside(person: PersonLabel, picture_size: tuple[int, int]) -> PersonLabel:
    """Keep the joints inside the picture: nobody has seen the others."""
    xy = person.keypoints
    inside = person.labelled & (xy >= 0).all(axis=1) & (xy < picture_size).all(axis=1)
    person = PersonLabel(
        person.frame_index,
        xy,
        np.where(inside, person.visibility, NOT_LABELLED),
        track_id=person.track_id,
        scores=None if person.scores is None else np.where(inside, person.scores, 0),
        source='propagated' if inside.any() else 'absent',
    )
    return replace(person, bbox=person_box(person)) if inside.any() else person


def _improved(person: PersonLabel, places: np.ndarray, deviations: np.ndarray) -> PersonLabel:
    """Put places [K, 2] where they are known and the person has no given or left-out joint."""
    known = np.isfinite(places).all(axis=1)
    if person.source == 'absent' or not person.has_joint:
        return person
    left_out = (person.keypoint_sources == 'absent') & person.is_given
    changed = known & ~person.given & ~left_out
    if not changed.any():
        return person
    size = label_sizes([person])[0]
    scores = np.ones(len(known)) if person.scores is None else person.scores
    return replace(
        person,
        keypoints=np.where(changed[:, None], places, person.keypoints),
        visibility=np.where(changed & ~person.labelled, VISIBLE, person.visibility),
        scores=np.where(changed, scores_of(deviations, size), scores),
        keypoint_sources=np.where(changed, 'propagated', person.keypoint_sources),
    )


@dataclass(frozen=True)
class _SingleView:
    """The estimates of the N people of a view, without the others.

    Args:
        pinhole: The camera.
        estimates: The estimates.
    """

    pinhole: _Pinholes
    estimates: _Estimates

    @classmethod
    def collect(cls, view: View) -> _SingleView:
        """Collect the estimates of a view."""
        pinhole = _Pinholes([view.camera])
        people = [[track_id] for track_id in view.labels.track_ids]
        return cls(pinhole, _Estimates.collect([view], pinhole, people))

    def later(self, frames: int) -> _SingleView:
        """Return the view as it is if its camera started some frames later."""
        times = self.estimates.times
        times = range(times.start + frames, times.stop + frames)
        return replace(self, estimates=replace(self.estimates, times=times))

    def distances_from(self, other: _SingleView, num_times: int) -> np.ndarray:
        """Compute how far people are from being those of another view.

        Returns:
            [N, M] medians over joints and some times, in sizes of the pose, at most
            ``_OTHER_PERSON``; NaN for two people who have no joint at the same time.
        """
        pair = self.estimates, other.estimates
        start, stop = max(e.times.start for e in pair), min(e.times.stop for e in pair)
        distances = np.full([e.sizes.shape[2] for e in pair], np.nan)
        if stop <= start or not distances.size:
            return distances
        times = np.unique(np.linspace(start, stop - 1, num_times).round().astype(int))
        pixels = [e.pixels[0][times - e.times.start] for e in pair]
        sizes = [e.sizes[0][times - e.times.start, :, None] for e in pair]
        pinholes = [self.pinhole, other.pinhole]
        apart = _distances_apart(pinholes, [pixels[0][:, :, None], pixels[1][:, None]])
        apart = np.maximum(apart[0] / sizes[0][:, :, None], apart[1] / sizes[1][:, None])
        for row, column in np.ndindex(distances.shape):
            known = apart[:, row, column]
            known = known[~np.isnan(known)]
            if len(known):
                distances[row, column] = min(np.median(known), _OTHER_PERSON)
        return distances


def match_people(views: Sequence[View]) -> list[list[int | None]]:
    """Find out who is who in the views, by the pairing with the least distances over time.

    Returns:
        The track id of each person in every view; None where a view has no labels of the person.
    """
    ids = [view.labels.track_ids for view in views]
    single = [_SingleView.collect(view) for view in views]
    people: list[list[int | None]] = []
    # Those with the most labels are the most certain.
    for number in sorted(range(len(views)), key=lambda n: -int(single[n].estimates.given.sum())):
        costs = np.full((len(ids[number]), len(people)), _OTHER_PERSON)
        apart: dict[int, np.ndarray] = {}
        for column, of_person in enumerate(people):
            others = [other for other, track_id in enumerate(of_person) if track_id is not None]
            for other in others:
                if other not in apart:
                    apart[other] = single[number].distances_from(single[other], _TIMES_COMPARED)
            known = [apart[other][:, ids[other].index(of_person[other])] for other in others]
            means = [mean_of_known(np.array(of_row)) for of_row in zip(*known, strict=True)]
            costs[:, column] = np.nan_to_num(means, nan=_OTHER_PERSON)
        # With one person in each view there is no doubt, whatever the calibration.
        costs *= costs.size > 1
        rows, columns = linear_sum_assignment(costs)
        matched = {r: c for r, c in zip(rows, columns, strict=True) if costs[r, c] < _OTHER_PERSON}
        for row, track_id in enumerate(ids[number]):
            if row not in matched:
                people.append([None] * len(views))
            people[matched.get(row, -1)][number] = track_id
    return people


def _distances_apart(pinholes: Sequence[_Pinholes], pixels: Sequence[np.ndarray]) -> np.ndarray:
    """Compute how far joints in two views are from the points that fit both best.

    Args:
        pinholes: The two cameras.
        pixels: [..., 2] of each joint in each view; they are broadcast.

    Returns:
        [2, ...] pixels, to first order; NaN where a view does not see the joint.
    """
    (first,), (second,) = (of_view.cameras for of_view in pinholes)
    rotation = second.rotation @ first.rotation.T
    across = np.cross(np.eye(3), second.translation - rotation @ first.translation)
    inverses = [np.linalg.inv(camera.matrix) for camera in (first, second)]
    fundamental = inverses[1].T @ across.T @ rotation @ inverses[0]
    points = [np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1) for xy in pixels]
    # The lines on which each joint lies in the other view.
    lines = [points[1] @ fundamental, points[0] @ fundamental.T]
    error = np.abs((lines[0] * points[0]).sum(axis=-1))
    slopes = np.stack(np.broadcast_arrays(*(np.hypot(x[..., 0], x[..., 1]) for x in lines)))
    return error * slopes / np.maximum(np.square(slopes).sum(axis=0), 1e-12)


def find_exchanged(views: Sequence[View], people: Sequence[Sequence[int | None]]) -> np.ndarray:
    """Find labels that agree much better with other views once their sides are exchanged.

    Returns:
        [V, T, N] bool: in V views at T times, of N people. If two views label a person, both are
        found; cameras opposite each other cannot tell.
    """
    skeleton = views[0].labels.skeleton
    flip = np.array(skeleton.flip_indices)
    sided = flip != np.arange(len(flip))
    pinholes = _Pinholes([view.camera for view in views])
    estimates = _Estimates.collect(views, pinholes, people).only_given()
    calibration = _calibration_variances(pinholes, estimates)
    _, exchanged = _exchange_sides(pinholes, estimates, calibration, skeleton)
    given = estimates.given.any(axis=-1)
    for pair in map(list, combinations(range(len(views)), 2)):
        both = given[pair].all(axis=0) & (given.sum(axis=0) == 2)
        if both.any() and sided.any():
            of_pair = [_Pinholes([pinholes.cameras[number]]) for number in pair]
            places, sizes = estimates.pixels[pair][:, both], estimates.sizes[pair][:, both]
            before, after = (
                np.nan_to_num(_distances_apart(of_pair, [at[:, sided], places[1][:, sided]]))
                for at in (places[0], places[0][:, flip])
            )
            before, after = ((d / sizes[..., None]).mean(axis=(0, 2)) for d in (before, after))
            is_better = (before > _EXCHANGED_FROM) & (after < _EXCHANGED_GAIN * before)
            for number in pair:
                exchanged[number][both] = is_better
    return exchanged


def combine_views(
    views: Sequence[View], propagate: Callable[[int, VideoLabels], VideoLabels]
) -> tuple[list[VideoLabels], ScenePoses]:
    """Let views help each other, and look for people in the views that have no labels of them.

    Args:
        views: The views; their labels have the same joints.
        propagate: Propagates given labels in one of the views.

    Returns:
        See :func:`fuse_views`.
    """
    fused, scene = fuse_views(views, match_people(views))
    borrowed = [borrow_labels(views, number, of_view) for number, of_view in enumerate(fused)]
    if not any(labels.persons for labels in borrowed):
        return fused, scene
    completed = []
    for number, (view, labels) in enumerate(zip(views, borrowed, strict=True)):
        # What the pictures show of these people is evidence, too.
        propagated = propagate(number, labels).persons if labels.persons else ()
        persons = [p.with_source('propagated') if p.has_joint else p for p in propagated]
        labels = view.labels.with_persons([*view.labels.persons, *persons])
        completed.append(replace(view, labels=labels))
    return fuse_views(completed, match_people(completed))


def labelled_times(views: Sequence[View]) -> Counter[int]:
    """Count the views with given labels at each time at which there are any."""
    return Counter(
        frame + view.start
        for view in views
        for frame in {p.frame_index for p in view.labels.persons if p.has_given_joint}
    )


def borrow_labels(views: Sequence[View], number: int, fused: VideoLabels) -> VideoLabels:
    """Make labels of the people that a view has no labels of, where other views have labels.

    Args:
        views: The views.
        number: The view.
        fused: Its labels with all people, see :func:`fuse_views`.

    Returns:
        Labels that give the joints that the other views are sure of.
    """
    view, known = views[number], {*views[number].labels.track_ids}
    times = {*labelled_times(views)}
    persons = []
    for person in fused.persons:
        if person.track_id in known or person.frame_index + view.start not in times:
            continue
        assert person.scores is not None
        sure = person.labelled & (person.scores >= _SURE)
        if sure.any():
            sources = np.where(sure, 'given', 'propagated')
            visibility = np.where(sure, person.visibility, NOT_LABELLED)
            persons.append(
                replace(person, visibility=visibility, source='given', keypoint_sources=sources)
            )
    return fused.with_persons(persons)


def check_views(views: Sequence[View]) -> tuple[list[View], list[str]]:
    """Find a wrong calibration, and given joints that contradict what is given in other views.

    Returns:
        The views with the cameras of :func:`correct_cameras`, and sentences for the user.
    """
    views, warning = correct_cameras(views)
    return views, [warning] if warning else _check_labels(views)


def correct_cameras(views: Sequence[View]) -> tuple[list[View], str | None]:
    """Find out from labels whether the calibration is wrong, and turn a camera that is off.

    Exchanged videos and a camera that started late are only named: the user can put them right.

    Returns:
        The views, and a sentence for the user if something is wrong.
    """
    turns = _find_turns(views)
    turned = [
        replace(view, camera=view.camera.turned(turn)) if turn.any() else view
        for view, turn in zip(views, turns, strict=True)
    ]
    sentence = _find_exchanged_or_late(views, turned)
    if sentence:
        return list(views), sentence
    degrees = np.degrees(np.linalg.norm(turns, axis=1))
    if not degrees.any():
        return turned, None
    names = [view.camera.name for view, angle in zip(views, degrees, strict=True) if angle]
    angles = ' and '.join(f'{angle:.1f}' for angle in degrees[degrees > 0])
    of, they_are = f'the camera {names[0]}', 'it is'
    if len(names) > 1:
        of, they_are = f'one of the cameras {" and ".join(names)}', 'both are'
    return turned, (
        f'the calibration of {of} seems to be wrong: the labels fit if {they_are} turned by '
        f'{angles} degrees, as {they_are} here'
    )


def _find_exchanged_or_late(views: Sequence[View], turned: Sequence[View]) -> str:
    """Find two videos with each other's camera, or a camera that started at another time.

    Args:
        views: The views.
        turned: The views with the turns of cameras that fit the labels best.

    Returns:
        A sentence, if poses fit much better once this is put right, and better than turned; or ''.
    """
    single = [_SingleView.collect(view) for view in views]
    labelled = [n for n, of_view in enumerate(single) if of_view.estimates.given.any()]

    def apart(first: _SingleView, second: _SingleView) -> float:
        distances = first.distances_from(second, _TIMES_TRIED)
        rows, columns = linear_sum_assignment(np.nan_to_num(distances, nan=_OTHER_PERSON))
        return float(mean_of_known(distances[rows, columns]))

    before = {pair: apart(*(single[n] for n in pair)) for pair in combinations(labelled, 2)}
    mean = float(mean_of_known(np.array([*before.values()])))

    def left(changed: dict[int, _SingleView]) -> float:
        """Compute the share of the distance that is left; infinite if it cannot be compared."""
        after = [
            apart(*(changed.get(n, single[n]) for n in pair)) if changed.keys() & pair else value
            for pair, value in before.items()
            if not np.isnan(value)
        ]
        return np.inf if np.isnan(after).any() else float(np.mean(after)) / mean

    if not mean > _APART:
        return ''
    names = [view.camera.name for view in views]
    tried = {
        '': left(
            {
                number: _SingleView.collect(view)
                for number, view in enumerate(turned)
                if view is not views[number]
            }
        )
    }
    for pair in combinations(range(len(views)), 2):
        if {*pair} & {*labelled}:
            cameras = [views[number].camera for number in reversed(pair)]
            changed = {
                number: _SingleView.collect(replace(views[number], camera=camera))
                for number, camera in zip(pair, cameras, strict=True)
            }
            first, second = (names[number] for number in pair)
            tried[
                f'the videos of the cameras {first} and {second} seem to be exchanged, judging by '
                'the labels: exchange their names'
            ] = left(changed)
    for number in labelled:
        estimates = single[number].estimates
        if not (np.isfinite(estimates.deviations) & ~estimates.given).any():
            # Labels alone are too far apart in time.
            continue
        others = listed([names[n] for n in labelled if n != number], _MAX_NAMED)
        for late in range(-_MOST_LATE, _MOST_LATE + 1):
            # Of two cameras it cannot be known which one is wrong.
            if late > 0 or (late and len(labelled) > 2):
                direction = 'later' if late > 0 else 'earlier'
                tried[
                    f'{names[number]} seems to have started {counted(abs(late), "frame")} '
                    f'{direction} relative to {others} than it was said, judging by the labels: '
                    f'give --offset {names[number]}={views[number].start + late}'
                ] = left({number: single[number].later(late)})
    best = min(tried, key=lambda sentence: tried[sentence])
    return best if tried[best] < _LEFT else ''


def _find_turns(views: Sequence[View]) -> np.ndarray:
    """Find the turns of cameras that make given joints fit, where a calibration is wrong.

    With three views or more, one camera is turned. With two it cannot be known which one is wrong:
    each takes a part, so that what they say in other views is half as wrong.

    Returns:
        [V, 3] rotation vectors in radians; 0 where it is not certain that something is wrong.
    """
    none = np.zeros((len(views), 3))
    pinholes = _Pinholes([view.camera for view in views])
    estimates = _Estimates.collect(views, pinholes, match_people(views)).only_given()
    pixels = estimates.pixels.reshape(len(views), -1, 2)
    several = np.flatnonzero(np.isfinite(pixels[..., 0]).sum(axis=0) > 1)
    if len(several) < _LEAST_GIVEN:
        return none
    rows = np.linspace(0, len(several) - 1, _JOINTS_COMPARED).round().astype(int)
    several = several[np.unique(rows)]
    joints, pixels = several % estimates.pixels.shape[3], pixels[:, several]
    size = float(np.nanmedian(estimates.sizes))
    used = np.flatnonzero(np.isfinite(pixels[..., 0]).any(axis=1)).tolist()
    fits: list[tuple[float, float, np.ndarray]] = []
    for turned in [used] if len(used) == 2 else [[view] for view in used]:
        turn, removed, length = _fit_turns(pinholes.cameras, pixels, joints, turned, size)
        turns = none.copy()
        turns[turned] = turn
        fits.append((removed, length, turns))
    _, length, turns = max(fits, key=lambda fit: fit[0])
    shifts = np.linalg.norm(turns, axis=1) * pinholes.focal[:, 0]
    return turns if length > _CERTAIN and shifts.max() > _SHIFT * size else none


def _fit_turns(
    cameras: Sequence[Camera],
    pixels: np.ndarray,
    joints: np.ndarray,
    turned: Sequence[int],
    size: float,
) -> tuple[np.ndarray, float, float]:
    """Fit the turns of some cameras to given joints.

    Args:
        cameras: V cameras without distortions.
        pixels: [V, M, 2] joints; NaN where not given.
        joints: [M] their numbers.
        turned: T cameras.
        size: Size of poses in pixels.

    Returns:
        The turns [T, 3], the share of the squared errors that they remove, and their squared length
        in deviations. A mistake that is made with some kinds of joints only is no turn: the
        deviations include how much the kinds of joints differ.
    """

    def errors_of(turn: np.ndarray) -> np.ndarray:
        of_view = [*cameras]
        for number, vector in zip(turned, turn.reshape(-1, 3), strict=True):
            of_view[number] = cameras[number].turned(vector)
        pinholes = _Pinholes(of_view)
        projected, _ = pinholes.project(triangulate(pinholes.cameras, pixels))
        return np.nan_to_num(projected - pixels)

    seen = np.isfinite(pixels[..., 0])
    # A point takes three of the numbers that its pixels have.
    freedom = (2 * seen.sum(axis=0) - 3).sum()
    turn = np.zeros(3 * len(turned))
    first = errors = errors_of(turn)
    deviation = usual = LABEL_DEVIATION * size
    prior = np.eye(len(turn)) / _TURN_DEVIATION**2
    for _ in range(_REFINEMENTS + 1):
        steps = _TURN_STEP * np.eye(len(turn))
        slopes = np.stack([errors_of(turn + step) - errors for step in steps], axis=-1) / _TURN_STEP
        pulls = -_bounded(errors / deviation)[..., None] * slopes / deviation
        weights = _bounded(errors / deviation) / np.where(errors, errors / deviation, 1)
        weights = np.where(errors, weights, seen[..., None]) / deviation**2
        information = np.einsum('vmp,vmpi,vmpj->ij', weights, slopes, slopes) + prior
        kinds = [pulls[:, joints == joint].sum(axis=(0, 1, 2)) for joint in np.unique(joints)]
        turn = turn + np.linalg.solve(information, np.sum(kinds, axis=0) - prior @ turn)
        errors = errors_of(turn)
        # Where labels differ by more than usual, a turn is less certain.
        cost = huber(_OUTLIER * deviation, errors).sum()
        deviation = max(usual, np.sqrt(2 * cost / freedom))
    spread = information + np.cov(np.array(kinds).T, ddof=1) * len(kinds)
    length = turn @ information @ np.linalg.solve(spread, information @ turn)
    share = 1 - cost / huber(_OUTLIER * deviation, first).sum()
    return turn.reshape(-1, 3), share, float(length)


def _bounded(errors: np.ndarray) -> np.ndarray:
    """Bound errors in deviations, so that an outlier does not pull more than others."""
    return errors.clip(-_OUTLIER, _OUTLIER)


def _check_labels(views: Sequence[View]) -> list[str]:
    """Find given joints that contradict what is given in other views; return sentences."""
    people = match_people(views)
    pinholes = _Pinholes([view.camera for view in views])
    estimates = _Estimates.collect(views, pinholes, people).only_given()
    flat = estimates.pixels.reshape(len(views), -1, 2)
    if not (np.isfinite(flat[..., 0]).sum(axis=0) > 1).any():
        return []
    warnings = []
    calibration = _calibration_variances(pinholes, estimates)
    skeleton = views[0].labels.skeleton
    exchanged = find_exchanged(views, people)

    def name(number: int, row: int, column: int) -> str:
        frame = estimates.times[row] - views[number].start
        who = f'{skeleton.category} {people[column][number]}'
        return f'{who} in frame {frame} of {views[number].camera.name}'

    if exchanged.any():
        names = [name(*at) for at in np.argwhere(exchanged).tolist()]
        warnings.append(
            f'left and right of {listed(names, _MAX_NAMED)} seem to be exchanged, judging by the '
            'other views'
        )
    flat = np.where(exchanged[..., None, None], np.nan, estimates.pixels).reshape(flat.shape)
    variances = np.square(estimates.deviations.reshape(len(views), -1)) + calibration[:, None]
    points, _ = _locate_precisely(pinholes, flat, variances)
    projected = pinholes.project(points)[0]
    distances = np.linalg.norm(projected - flat, axis=2).reshape(estimates.deviations.shape)
    limit = _CONTRADICTION * np.sqrt(variances).reshape(distances.shape)
    num_views = np.isfinite(distances).sum(axis=0)
    joints = [
        f'{skeleton.keypoint_names[joint]} of {name(number, row, column)} '
        f'({distances[number, row, column, joint]:.0f} pixels)'
        for number, row, column, joint in np.argwhere(distances > limit).tolist()
    ]
    if joints:
        doubt = '' if (num_views > 2).any() else ', or in the other view'
        warnings.append(
            f'joints are not where other views have them{doubt}: {listed(joints, _MAX_NAMED)}'
        )
    return warnings


def guess_unit(views: Sequence[View]) -> str:
    """Guess the unit of a calibration: metres, or millimetres if cameras are far apart in them."""
    centres = np.stack([view.camera.centre for view in views])
    return 'mm' if np.ptp(centres, axis=0).max() > _METRES_APART else 'm'
