"""Search for a gap's labelled joints in its other frames, by appearance."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, TypeVar

import numpy as np

from stdpose_mm.inference.threads import thread_map
from stdpose_mm.io.video import FrameSource

from .candidates import CANDIDATES, Candidates
from .evidence_maps import DENSE_SIDE, MAP_SIDE, MAP_STEPS, near_and_wide, places_around, sample_maps, to_places
from .trained_matcher import TrainedMatcher, crop_pose, to_descriptors

Result = TypeVar('Result')


class JointMatches(NamedTuple):
    """The similarity of places to the joints of both labels, from -1 to 1.

    Args:
        maps: [F, K, len(MAP_STEPS), 2, 9, 9] of places around the centre to the joint of the left
            and right label, near and wide; zeros without the label.
        at_candidates: [F, K, 3] of each candidate to the joint of the label it starts from; for the
            straight line, the mean over the existing labels.
        ends: [K] similarity of both labels' joints to each other.
    """

    maps: np.ndarray
    at_candidates: np.ndarray
    ends: np.ndarray


def matches_nbytes(num_frames: int, num_joints: int) -> int:
    """Compute the memory of the matches of one gap in bytes."""
    maps = len(MAP_STEPS) * 2 * MAP_SIDE**2
    return 4 * num_joints * (num_frames * (maps + len(CANDIDATES)) + 1)


def match_joints(
    frames: FrameSource, gaps: Sequence[Candidates], matcher: TrainedMatcher
) -> list[JointMatches]:
    """Compare every frame of gaps with the labels at their ends.

    A picture is read once for all gaps, and once more if it is at the end of one and inside of
    another: large pictures, and those of long gaps, are not cached.

    Args:
        frames: The video.
        gaps: Candidates in frames of each gap.
        matcher: Describes pictures.

    Returns:
        Matches of each gap, in the order of ``gaps``.
    """
    searches = [_Search(candidates, matcher) for candidates in gaps]
    ends = [(search.frames[row], search, row) for search in searches for row in search.ends]
    for search, row, described in _search_frames(frames, ends, _Search.describe):
        search.take_end(row, described)
    rows = [
        (frame, search, row)
        for search in searches
        for row, frame in enumerate(search.frames)
        if row not in search.ends
    ]
    for _ in _search_frames(frames, rows, _Search.match):
        pass
    return [search.matches for search in searches]


def _search_frames(
    frames: FrameSource,
    tasks: Iterable[tuple[int, _Search, int]],
    work: Callable[[_Search, int, np.ndarray], Result],
) -> Iterator[tuple[_Search, int, Result]]:
    """Do ``work`` on (frame, search, row) in the order of frames, each read once, in threads.

    Yields:
        The search, the row and the result, in the order of frames.
    """
    in_order = sorted(tasks, key=itemgetter(0))

    def read() -> Iterator[tuple[_Search, int, np.ndarray]]:
        for frame, of_frame in groupby(in_order, key=itemgetter(0)):
            picture = frames[frame]
            for _, search, row in of_frame:
                yield search, row, picture

    done = thread_map(lambda task: work(*task), read())
    for (_, search, row), result in zip(in_order, done, strict=True):
        yield search, row, result


class _Described(NamedTuple):
    """The descriptors of a crop.

    Args:
        descriptors: [D, h, w].
        to_map: Affine [2, 3] from pixels of the picture to places of the descriptors.
    """

    descriptors: np.ndarray
    to_map: np.ndarray


class _Search:
    """Search for the joints of a gap's labels; several threads may search in different frames.

    Args:
        candidates: Those of the gap.
        matcher: Describes pictures.

    Attributes:
        frames: The frames to look at, ascending.
        ends: Rows of the labelled frames, whose joints are searched for; each is taken before the
            first match of another row.
        matches: Matches found so far.
    """

    def __init__(self, candidates: Candidates, matcher: TrainedMatcher) -> None:
        self._candidates = candidates
        self._matcher = matcher
        self._labelled = np.stack([candidates.left, candidates.right])
        num_frames, num_joints = candidates.centre.shape[:2]
        self._wanted: list[np.ndarray | None] = [None, None]
        self._described: dict[int, _Described] = {}
        self.frames: list[int] = candidates.times.tolist()
        self.ends = sorted({0, num_frames - 1})
        self.matches = JointMatches(
            np.zeros((num_frames, num_joints, len(MAP_STEPS), 2, MAP_SIDE, MAP_SIDE), np.float32),
            np.zeros((num_frames, num_joints, len(CANDIDATES)), np.float32),
            np.zeros(num_joints, np.float32),
        )

    def describe(self, row: int, picture: np.ndarray) -> _Described:
        """Describe the crop of a row."""
        candidates = self._candidates
        centre = candidates.centre[row, self._labelled.any(axis=0)]
        middle = (centre.min(axis=0) + centre.max(axis=0)) / 2
        crop, to_crop = crop_pose(picture, middle, candidates.size)
        return _Described(self._matcher.describe(crop[None])[0], to_descriptors(to_crop))

    def take_end(self, row: int, described: _Described) -> None:
        """Take the joints of the label at an end of the gap; with the last end, compare all."""
        joints = self._candidates.centre[row]
        # Every channel at all joints.
        places = to_places(described.to_map, joints)
        shape = len(described.descriptors), *places.shape
        found = sample_maps(described.descriptors, np.broadcast_to(places, shape)).T
        found /= np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-6)
        for side, end in enumerate((0, len(self.frames) - 1)):
            if row == end:
                self._wanted[side] = self._labelled[side][:, None] * found
        self._described[row] = described
        if len(self._described) == len(self.ends):
            left, right = self._wanted
            assert left is not None
            assert right is not None
            self.matches.ends[:] = (left * right).sum(axis=-1)
            while self._described:
                self._compare(*self._described.popitem())

    def match(self, row: int, picture: np.ndarray) -> None:
        """Compare the picture of a row with the labels."""
        self._compare(row, self.describe(row, picture))

    def _compare(self, row: int, described: _Described) -> None:
        candidates = self._candidates
        descriptors, to_map = described
        wanted = np.stack(self._wanted)
        likeness = wanted.reshape(-1, len(descriptors)) @ descriptors.reshape(len(descriptors), -1)
        around = places_around(to_map, candidates.centre[row], candidates.size)
        places = np.concatenate([around, to_places(to_map, candidates.positions[row])], axis=1)
        found = sample_maps(
            likeness.reshape(-1, *descriptors.shape[1:]), np.concatenate([places, places])
        ).reshape(*wanted.shape[:2], -1)
        dense, at_candidates = np.split(found, [around.shape[1]], axis=-1)
        dense = dense.swapaxes(0, 1).reshape(-1, 2, DENSE_SIDE, DENSE_SIDE)
        self.matches.maps[row] = near_and_wide(dense)
        shares = self._labelled / np.maximum(self._labelled.sum(axis=0), 1)
        self.matches.at_candidates[row] = np.stack(
            [
                (at_candidates[..., 0] * shares).sum(axis=0),
                at_candidates[0, :, 1],
                at_candidates[1, :, 2],
            ],
            axis=-1,
        )
