"""Which frames of a video are labelled, and which three of them make a window.

This is the one place that knows. Frame indices are 0-based; a window is (left, key, right) in
time order, its outer two frames are the auxiliary ones.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


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
        """Where the key frame lies between left (0) and right (1); 0.5 if these coincide."""
        if self.left == self.right:
            return 0.5
        return (self.key - self.left) / (self.right - self.left)


def given_frames(frame_indices: Sequence[int], interval: int, offset: int = 0) -> list[int]:
    """Which frames of a labelled range are given when every ``interval``-th one is labelled.

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
    if any(a >= b for a, b in zip(frame_indices, frame_indices[1:], strict=False)):
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
    """The nearest given frames on either side of ``key``.

    Where a person is labelled at one side only, the other auxiliary frame mirrors the distance,
    clipped to the video, and carries no label. A key frame that is itself given is its own
    neighbour on both sides.

    Args:
        key: The frame to be estimated.
        given: Frames on which this person is labelled, ascending.
        first, last: Ends of the video.

    Raises:
        ValueError: If nothing is given or a frame lies outside the video.
    """
    _check_range(key, first, last)
    if not given:
        raise ValueError(f'no frame is given for the propagation to frame {key}')
    if given[0] < first or given[-1] > last:
        raise ValueError(f'given frames {list(given)} leave the video, frames {first}..{last}')
    before = bisect_right(given, key) - 1
    after = bisect_left(given, key)
    left = given[before] if before >= 0 else None
    right = given[after] if after < len(given) else None
    if left is None and right is not None:
        return Window(max(first, 2 * key - right), key, right, False, True)
    if right is None and left is not None:
        return Window(left, key, min(last, 2 * key - left), True, False)
    assert left is not None and right is not None
    return Window(left, key, right, True, True)


def estimation_window(key: int, first: int, last: int, step: int = 1) -> Window:
    """The frames ``step`` before and after ``key``, clipped to the video; nothing is given.

    Raises:
        ValueError: If the key lies outside the video or the step is not positive.
    """
    _check_range(key, first, last)
    if step < 1:
        raise ValueError(f'the step of a window must be at least 1, got {step}')
    return Window(max(first, key - step), key, min(last, key + step))


def leave_one_out_window(
    key: int, labelled: Sequence[int], first: int, last: int, step: int = 1
) -> Window:
    """A training window where the key frame is itself one of few labelled frames.

    The key's own label is the target and must not be shown, so its neighbours among the other
    labelled frames are the given ones: on frames labelled every T-th the window spans 2T.

    Args:
        key: A labelled frame.
        labelled: Frames on which this person is labelled, ascending.
        first, last: Ends of the video.
        step: Distance of the unlabelled auxiliary frames if no other frame is labelled.

    Raises:
        ValueError: As for :func:`propagation_window` and :func:`estimation_window`.
    """
    others = [frame for frame in labelled if frame != key]
    if not others:
        return estimation_window(key, first, last, step)
    return propagation_window(key, others, first, last)


def _check_range(key: int, first: int, last: int) -> None:
    if not first <= key <= last:
        raise ValueError(f'key frame {key} lies outside the video, frames {first}..{last}')
