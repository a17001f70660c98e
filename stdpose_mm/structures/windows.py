"""Choice of the given frames of a video and of the frames of a window.

All rules for this choice are in this module. Frame indices are 0-based. A window has an odd number
T of frames in time order, by default three: left, key, right. All except the key frame in the
middle are auxiliary. With T = 5, 7, ... there are further auxiliary frames between the key frame
and the two outermost frames; only the outermost two may have given labels.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from stdpose_mm.errors import InputError

from .interpolation import on_line

NUM_FRAMES = 3
"""Default number of frames of a window; datasets and models may set another one."""


@dataclass(frozen=True)
class Window:
    """The frames of a window for one person: the key frame, and auxiliary frames on either side.

    Args:
        left, key, right: Frame indices of the key frame and the outermost auxiliary frames,
            ``left <= key <= right``.
        given: Whether left and right have a given label of this person.
        further: The other auxiliary frames, ascending, as many before the key frame as after it;
            empty in a window of three frames.

    Raises:
        ValueError: If the frames are not in time order, or the number of further frames is odd.
    """

    left: int
    key: int
    right: int
    given: tuple[bool, bool] = (False, False)
    further: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.left <= self.key <= self.right:
            raise ValueError(
                f'a window needs left <= key <= right, got {self.left}, {self.key}, {self.right}'
            )
        if len(self.further) % 2 or any(a > b for a, b in pairwise(self.frames)):
            raise ValueError(
                f'the further frames of a window must be in pairs and in time order around the key '
                f'frame, got {self.further} in {self.left}, {self.key}, {self.right}'
            )

    @property
    def before(self) -> tuple[int, ...]:
        """The auxiliary frames before the key frame, ascending: left, then further frames."""
        return self.left, *self.further[: len(self.further) // 2]

    @property
    def after(self) -> tuple[int, ...]:
        """The auxiliary frames after the key frame, ascending: further frames, then right."""
        return *self.further[len(self.further) // 2 :], self.right

    @property
    def frames(self) -> tuple[int, ...]:
        """All T frames, ascending: (left, key, right) if there are no further frames."""
        return *self.before, self.key, *self.after

    @property
    def position(self) -> float:
        """Position of the key frame between left (0) and right (1); 0.5 if they are equal."""
        if self.left == self.right:
            return 0.5
        return (self.key - self.left) / (self.right - self.left)


def key_index(num_frames: int) -> int:
    """Return the position of the key frame in a window: the middle."""
    return num_frames // 2


def interpolate_pose(
    labels: np.ndarray, has_joint: np.ndarray, position: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate the pose of the key frame linearly between two given poses.

    Args:
        labels: [2, ..., K, 2] the left and the right pose.
        has_joint: [2, K] bool, which of their joints are given.
        position: Position of the key frame, 0 at the left frame, 1 at the right one.

    Returns:
        The pose [..., K, 2], and [K] bool: which joints are given in both poses.
    """
    return on_line(labels[0], labels[1], position), has_joint.all(axis=0)


def require_num_frames(num_frames: int) -> None:
    """Refuse a number of frames without a middle or without auxiliary frames.

    Raises:
        InputError: If it is not a whole number, is even or less than 3.
    """
    if not isinstance(num_frames, int) or num_frames < NUM_FRAMES or num_frames % 2 == 0:
        raise InputError(
            'num_frames must be odd and at least 3, the key frame and as many auxiliary frames '
            f'before as after it, got {num_frames!r}'
        )


def given_frames(frame_indices: Sequence[int], interval: int, offset: int = 0) -> list[int]:
    """List the given frames of a labelled range when every ``interval``-th one is labelled.

    The given frames are 0, T, 2T, ... of the range, and its last frame if that is more than T // 2
    after the last given frame. On 30 frames this gives the labelled ratios of the paper (T = 7:
    16.7 %). Distances are counted in frames of the video, because the range may have gaps
    (PoseTrack labels the ends of its validation videos only every fourth frame).

    Args:
        frame_indices: The labelled range, ascending.
        interval: T, in frames.
        offset: Start of the pattern, in frames after the first frame, less than T. The first frame
            is then added by the same rule as the last. The protocol uses 0; other values are for
            training.

    Returns:
        The given frames, ascending; empty for an empty range.

    Raises:
        InputError: If the interval is not positive.
    """
    if interval < 1:
        raise InputError(f'the interval between given frames must be at least 1, got {interval}')
    if not frame_indices:
        return []
    first, last = frame_indices[0], frame_indices[-1]
    frames: list[int] = []
    wanted = first + offset
    for frame in frame_indices:
        if frame >= wanted:
            frames.append(frame)
            wanted = frame + interval
    if not frames or frames[0] - first > interval // 2:
        frames.insert(0, first)
    if last - frames[-1] > interval // 2:
        frames.append(last)
    return frames


def propagation_window(key: int, labelled: Sequence[int], first: int, last: int) -> Window:
    """Make the window of ``key`` and the nearest given frames on either side.

    If a person is labelled on one side only, the other auxiliary frame has the same distance on
    the other side, clipped to the video, and no label. A given key frame is its own neighbour on
    both sides.

    Args:
        key: The frame to be estimated.
        labelled: Frames on which this person is labelled, at least one, ascending.
        first: First frame of the video.
        last: Last frame of the video.

    Raises:
        ValueError: If the key is outside the video.
    """
    before, after = bisect_right(labelled, key), bisect_left(labelled, key)
    left_given, right_given = before > 0, after < len(labelled)
    left = labelled[before - 1] if left_given else max(first, 2 * key - labelled[after])
    right = labelled[after] if right_given else min(last, 2 * key - labelled[before - 1])
    return Window(left, key, right, (left_given, right_given))


def estimation_window(key: int, first: int, last: int, num_frames: int = NUM_FRAMES) -> Window:
    """Make the window of ``key`` and the frames next to it; none is given.

    Frames beyond the video are replaced by its first or last frame.

    Args:
        key: The frame to be estimated.
        first: First frame of the video.
        last: Last frame of the video.
        num_frames: Number T of frames.

    Raises:
        InputError: If T is even or less than 3.
        ValueError: If the key is outside the video.
    """
    require_num_frames(num_frames)
    steps = range(1, key_index(num_frames) + 1)
    *before, left = (max(first, key - n) for n in steps)
    *after, right = (min(last, key + n) for n in steps)
    return Window(left, key, right, further=(*reversed(before), *after))


def fill_window(window: Window, num_frames: int) -> Window:
    """Add evenly spaced auxiliary frames between the outermost frames and the key frame.

    They have no labels. If there are not enough frames, some are repeated; a position between two
    frames is rounded towards the key frame.

    Args:
        window: A window; only its outermost frames and its key frame are used.
        num_frames: Number T of frames.

    Raises:
        InputError: If T is even or less than 3.
    """
    require_num_frames(num_frames)
    sides = key_index(num_frames)
    # Integer division rounds the distance down, towards the key frame.
    before = [window.key - (window.key - window.left) * n // sides for n in range(sides - 1, 0, -1)]
    after = [window.key + (window.right - window.key) * n // sides for n in range(1, sides)]
    return replace(window, further=(*before, *after))


def person_window(
    key: int,
    frames: Sequence[int],
    given_in_video: Sequence[int],
    existing: Sequence[int],
    num_frames: int = NUM_FRAMES,
) -> Window:
    """Make the window of one person in a video, some of whose frames may not exist.

    The auxiliary frames are the nearest frames on which the person is labelled; if there are none,
    the nearest other given frames, without labels; if there are none, the frames before and
    after. The label of the key frame is never used: if the key frame is labelled (in training
    on sparse labels), the auxiliary frames are its labelled neighbours.

    Args:
        key: The frame to be estimated, one of ``existing``.
        frames: The given frames on which this person is labelled, ascending.
        given_in_video: The given frames of the video, ascending.
        existing: The frames of the video that exist, ascending. An unlabelled auxiliary frame that
            does not exist is replaced by the next existing frame towards the key frame.
        num_frames: Number T of frames. Further frames are evenly spaced between given frames and
            the key frame (:func:`fill_window`).

    Raises:
        ValueError: As for :func:`propagation_window` and :func:`estimation_window`.
    """
    first, last = existing[0], existing[-1]
    frames = [frame for frame in frames if frame != key]
    others = [frame for frame in given_in_video if frame != key]
    if frames:
        window = fill_window(propagation_window(key, frames, first, last), num_frames)
    elif others:
        window = fill_window(propagation_window(key, others, first, last), num_frames)
        window = replace(window, given=(False, False))
    else:
        window = estimation_window(key, first, last, num_frames)
    return snap_window(window, existing)


def snap_window(window: Window, existing: Sequence[int]) -> Window:
    """Replace auxiliary frames that do not exist by the next existing ones towards the key frame.

    Args:
        window: A window whose key and given frames are among ``existing``.
        existing: The frames of the video that exist, ascending.
    """
    left, *before = (existing[bisect_left(existing, frame)] for frame in window.before)
    *after, right = (existing[bisect_right(existing, frame) - 1] for frame in window.after)
    return replace(window, left=left, right=right, further=(*before, *after))
