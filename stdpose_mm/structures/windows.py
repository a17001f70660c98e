"""Given frames of a video, and the three frames of a window.

This is the one place that chooses them. Frame indices are 0-based; a window is (left, key,
right) in time order, its outer two frames are the auxiliary ones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

# Place of the key frame in a window (left, key, right).
KEY_FRAME = 1


@dataclass(frozen=True)
class Window:
    """Three frames of one person: the key frame, and an auxiliary frame on either side.

    Args:
        left, key, right: Frame indices, ``left <= key <= right``.
        left_given, right_given: Whether that frame carries a given label of this person.

    Raises:
        ValueError: If the frames are not in time order.
    """

    left: int
    key: int
    right: int
    left_given: bool = False
    right_given: bool = False

    def __post_init__(self) -> None:
        if not self.left <= self.key <= self.right:
            raise ValueError(
                f'a window needs left <= key <= right, got {self.left}, {self.key}, {self.right}'
            )

    @property
    def frames(self) -> tuple[int, int, int]:
        """(left, key, right)."""
        return self.left, self.key, self.right

    @property
    def given(self) -> tuple[bool, bool]:
        """(left_given, right_given)."""
        return self.left_given, self.right_given

    @property
    def position(self) -> float:
        """Position of the key frame between left (0) and right (1); 0.5 if these coincide."""
        if self.left == self.right:
            return 0.5
        return (self.key - self.left) / (self.right - self.left)


def given_frames(frame_indices: Sequence[int], interval: int, offset: int = 0) -> list[int]:
    """List the given frames of a labelled range when every ``interval``-th one is labelled.

    Frames 0, T, 2T, ... of the range, and its last frame too if that is more than T // 2 after
    the last given one. On 30 frames this gives the labelled ratios of the paper (T = 7: 16.7 %).
    Distances are counted in frames of the video, so that a range with gaps (PoseTrack labels the
    ends of its validation videos every fourth frame) is not thinned out further than T asks for.

    Args:
        frame_indices: The labelled range, ascending.
        interval: T, in frames.
        offset: Where the pattern starts, in frames after the first; the first frame is then
            given by the same rule as the last. Zero is the protocol, others are for training.

    Returns:
        The given frames, ascending; empty for an empty range.

    Raises:
        ValueError: If the interval or offset is out of range or the frames do not ascend.
    """
    if interval < 1:
        raise ValueError(f'the interval between given frames must be at least 1, got {interval}')
    if not 0 <= offset < interval:
        raise ValueError(f'offset must be in 0..{interval - 1}, got {offset}')
    if any(a >= b for a, b in pairwise(frame_indices)):
        raise ValueError(f'frame indices must ascend, got {list(frame_indices)}')
    if not frame_indices:
        return []
    first, last = frame_indices[0], frame_indices[-1]
    given: list[int] = []
    wanted = first + offset
    for frame in frame_indices:
        if frame >= wanted:
            given.append(frame)
            wanted = frame + interval
    if not given or given[0] - first > interval // 2:
        given.insert(0, first)
    if last - given[-1] > interval // 2:
        given.append(last)
    return given


def propagation_window(key: int, given: Sequence[int], first: int, last: int) -> Window:
    """Take the nearest given frames on either side of ``key``.

    Where a person is labelled at one side only, the other auxiliary frame mirrors the distance,
    clipped to the video, and carries no label. A key frame that is itself given is its own
    neighbour on both sides.

    Args:
        key: The frame to be estimated.
        given: Frames on which this person is labelled, ascending.
        first: First frame of the video.
        last: Its last frame.

    Raises:
        ValueError: If nothing is given or a frame lies outside the video.
    """
    _check_range(key, first, last)
    if not given:
        raise ValueError(f'no frame is given for the propagation to frame {key}')
    if given[0] < first or given[-1] > last:
        raise ValueError(f'given frames {list(given)} leave the video, frames {first}..{last}')
    before, after = bisect_right(given, key), bisect_left(given, key)
    left_given, right_given = before > 0, after < len(given)
    left = given[before - 1] if left_given else max(first, 2 * key - given[after])
    right = given[after] if right_given else min(last, 2 * key - given[before - 1])
    return Window(left, key, right, left_given, right_given)


def estimation_window(key: int, first: int, last: int, step: int = 1) -> Window:
    """Take the frames ``step`` before and after ``key``, clipped to the video; nothing is given.

    Raises:
        ValueError: If the key lies outside the video or the step is not positive.
    """
    _check_range(key, first, last)
    if step < 1:
        raise ValueError(f'the step of a window must be at least 1, got {step}')
    return Window(max(first, key - step), key, min(last, key + step))


def person_window(
    key: int,
    own: Sequence[int],
    given: Sequence[int],
    known: Sequence[int],
    step: int = 1,
) -> Window:
    """Make the window of one person among others, in a video that may lack frames.

    The person's own labels count first; a person labelled on none of the given frames gets the
    given frames' pictures without labels; without any other given frame, the pictures ``step``
    before and after. The key's own label is never shown: where the key is itself labelled (in
    training on sparse labels), its labelled neighbours are the auxiliary frames.

    Args:
        key: The frame to be estimated, one of ``known``.
        own: The given frames on which this person is labelled, ascending.
        given: The given frames of the video, ascending.
        known: The frames of the video that exist, ascending. An unlabelled auxiliary frame that
            does not exist gives way to the next one towards the key.
        step: See above.

    Raises:
        ValueError: As for :func:`propagation_window` and :func:`estimation_window`.
    """
    first, last = known[0], known[-1]
    own = [frame for frame in own if frame != key]
    others = [frame for frame in given if frame != key]
    if own:
        window = propagation_window(key, own, first, last)
    elif others:
        window = replace(
            propagation_window(key, others, first, last), left_given=False, right_given=False
        )
    else:
        window = estimation_window(key, first, last, step)
    return snap_window(window, known)


def snap_window(window: Window, known: Sequence[int]) -> Window:
    """Move auxiliary frames that are not among ``known`` towards the key frame.

    Args:
        window: A window whose key and given frames are among ``known``.
        known: The frames of the video that exist, ascending.
    """
    return replace(
        window,
        left=known[bisect_left(known, window.left)],
        right=known[bisect_right(known, window.right) - 1],
    )


def _check_range(key: int, first: int, last: int) -> None:
    if not first <= key <= last:
        raise ValueError(f'key frame {key} lies outside the video, frames {first}..{last}')
