"""Smoothing of poses by known filters, for each joint of each track.

A filter works on runs: consecutive frames in which the track exists and the joint is usable. It
never mixes values of different runs, and leaves unusable joints unchanged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from stdpose_mm.constants import SMOOTHERS
from stdpose_mm.errors import InputError, note
from stdpose_mm.text import counted

SURE_JOINT = 0.2
"""Minimum score of usable joints; joints below are often far off and would distort the others."""

FPS = 30.0
"""Frames per second of a video whose frame rate is unknown."""


@dataclass(frozen=True)
class TrackedPoses:
    """The poses of one frame, as input of a filter.

    Args:
        frame_index: 0-based.
        track_ids: [N] distinct integers.
        keypoints: [N, K, 2] finite pixels.
        usable: [N, K] bool.
        sizes: [N] sizes of the people in pixels, the square roots of their boxes' areas.
    """

    frame_index: int
    track_ids: np.ndarray
    keypoints: np.ndarray
    usable: np.ndarray
    sizes: np.ndarray


class PoseSmoother(ABC):
    """Temporal filter of joints; ``str()`` names it with its settings."""

    @abstractmethod
    def __call__(self, frames: Iterable[TrackedPoses]) -> Iterator[np.ndarray]:
        """Yield the smoothed keypoints [N, K, 2] of every frame, in order.

        Args:
            frames: Frames with ascending indices. All runs end where an index is skipped.
        """


@dataclass(frozen=True)
class OneEuro(PoseSmoother):
    """The One Euro filter (Casiez, Roussel and Vogel, CHI 2012): causal, with little lag.

    A low pass whose cutoff frequency rises with the speed of the joint. Neither MMPose 1.x nor
    SciPy has it, and the authors' own package filters single numbers; this is their algorithm on
    arrays. The speed of a joint is measured in the picture plane in person sizes, so that the same
    settings suit people of any size.

    Args:
        fps: Frames per second.
        min_cutoff: Cutoff of a joint at rest in Hz; lower is smoother.
        beta: Hz by which the cutoff rises for a speed of one person size per second; higher means
            less lag.
        speed_cutoff: Cutoff in Hz of the low pass on the speed.
        time_of: Frame -> its time in seconds, ascending; replaces ``fps``.
    """

    fps: float = FPS
    min_cutoff: float = 1.0
    beta: float = 10.0
    speed_cutoff: float = 1.0
    time_of: Callable[[int], float] | None = None

    def __str__(self) -> str:
        return (
            f'one-euro (min_cutoff {self.min_cutoff:g} Hz, beta {self.beta:g}, '
            f'{self.fps:g} frames/s)'
        )

    def __call__(self, frames: Iterable[TrackedPoses]) -> Iterator[np.ndarray]:
        """See :class:`PoseSmoother`."""
        before: TrackedPoses | None = None
        velocity = np.zeros((0, 0, 2))
        for frame in frames:
            new_velocity = np.zeros_like(frame.keypoints)
            smoothed = frame.keypoints.copy()
            if before is not None and frame.frame_index == before.frame_index + 1:
                now, then = _same_tracks(frame, before)
                going_on = frame.usable[now] & before.usable[then]
                last = before.keypoints[then]
                fps = self.fps
                if self.time_of is not None:
                    fps = 1 / (self.time_of(frame.frame_index) - self.time_of(before.frame_index))
                raw = (frame.keypoints[now] - last) * fps
                weight = _low_pass_weight(self.speed_cutoff, fps)
                speed = weight * raw + (1 - weight) * velocity[then]
                per_size = np.linalg.norm(speed, axis=-1, keepdims=True)
                per_size /= np.maximum(frame.sizes[now], 1.0)[:, None, None]
                weight = _low_pass_weight(self.min_cutoff + self.beta * per_size, fps)
                filtered = weight * frame.keypoints[now] + (1 - weight) * last
                smoothed[now] = np.where(going_on[..., None], filtered, smoothed[now])
                new_velocity[now] = np.where(going_on[..., None], speed, 0.0)
            velocity = new_velocity
            before = replace(frame, keypoints=smoothed)
            yield smoothed


def _low_pass_weight(cutoff: float | np.ndarray, fps: float) -> np.ndarray:
    """Compute the weight of the new value in a first-order low pass."""
    return np.asarray(1 / (1 + fps / (2 * np.pi * cutoff)))


@dataclass(frozen=True)
class SavitzkyGolay(PoseSmoother):
    """The Savitzky-Golay filter with SciPy's coefficients: no lag, but it needs later frames.

    Every joint gets the value of a polynomial fitted to the ``window`` frames around it or, near
    the ends of a run, to its first or last ``window`` frames (``mode='interp'`` of
    ``scipy.signal.savgol_filter``). Runs shorter than the window are fitted as a whole.

    Args:
        window: Odd number of frames.
        order: Order of the polynomial, less than ``window``.
    """

    window: int = 7
    order: int = 2

    def __str__(self) -> str:
        return f'savitzky-golay (window {self.window} frames, order {self.order})'

    def __call__(self, frames: Iterable[TrackedPoses]) -> Iterator[np.ndarray]:
        """See :class:`PoseSmoother`."""
        reach = self.window - 1
        near: deque[TrackedPoses] = deque()
        position = 0  # index in ``near`` of the next frame to smooth
        for frame in frames:
            near.append(frame)
            while frame.frame_index - near[position].frame_index >= reach:
                yield self._smooth(near, position)
                position += 1
                while near[0].frame_index < near[position].frame_index - reach:
                    near.popleft()
                    position -= 1
        while position < len(near):
            yield self._smooth(near, position)
            position += 1

    def _smooth(self, near: deque[TrackedPoses], position: int) -> np.ndarray:
        frame = near[position]
        reach = self.window - 1
        values = np.zeros((2 * reach + 1, *frame.keypoints.shape))
        usable = np.zeros((2 * reach + 1, *frame.usable.shape), dtype=bool)
        for other in near:
            offset = other.frame_index - frame.frame_index
            if abs(offset) <= reach:
                now, then = _same_tracks(frame, other)
                values[reach + offset, now] = other.keypoints[then]
                usable[reach + offset, now] = other.usable[then]
        before = usable[:reach][::-1].cumprod(axis=0).sum(axis=0)
        after = usable[reach + 1 :].cumprod(axis=0).sum(axis=0)
        weights = _run_weights(self.window, self.order)[before, after]
        smoothed = np.einsum('nkt,tnkd->nkd', weights, values)
        return np.where(frame.usable[..., None], smoothed, frame.keypoints)


def build_smoother(
    name: str, fps: float | None = None, time_of: Callable[[int], float] | None = None
) -> PoseSmoother:
    """Build a filter by its name, with its default settings.

    Args:
        name: One of ``SMOOTHERS``.
        fps: Mean frames per second of the video; None if unknown.
        time_of: Frame -> its time in seconds, for a frame rate that varies; None if unknown.

    Raises:
        InputError: If there is no such filter.
    """
    if name == 'one-euro':
        return OneEuro(fps or FPS, time_of=time_of)
    if name == 'savitzky-golay':
        return SavitzkyGolay()
    raise InputError(f'smoothing must be one of {", ".join(SMOOTHERS)}, got {name!r}')


def smooth_tracks(
    frames: Iterable[TrackedPoses], smoother: PoseSmoother, min_score: float
) -> Iterator[np.ndarray]:
    """Yield the smoothed keypoints [N, K, 2] of every frame; warn if no joint was usable.

    Args:
        frames: See :class:`PoseSmoother`.
        smoother: The filter.
        min_score: Minimum score of usable joints, for the warning.
    """
    num_people = num_usable = 0

    def counted_frames() -> Iterator[TrackedPoses]:
        nonlocal num_people, num_usable
        for frame in frames:
            num_people += len(frame.track_ids)
            num_usable += int(frame.usable.sum())
            yield frame

    yield from smoother(counted_frames())
    if num_people and not num_usable:
        note(
            f'smoothing by {smoother} changed nothing: all joints of {counted(num_people, "pose")} '
            f'score less than {min_score:g}, the minimum for smoothing, use a model with higher '
            'scores or leave smoothing out'
        )


def _same_tracks(first: TrackedPoses, second: TrackedPoses) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the common tracks in the first and in the second frame."""
    _, in_first, in_second = np.intersect1d(
        first.track_ids, second.track_ids, assume_unique=True, return_indices=True
    )
    return in_first, in_second


@cache
def _run_weights(window: int, order: int) -> np.ndarray:
    """Compute the weights [window, window, 2 * window - 1] of the frames around a frame.

    The first two axes are the numbers of frames of its run before and after it, at most
    ``window - 1`` each.
    """
    from scipy.signal import savgol_coeffs

    reach, half = window - 1, window // 2
    weights = np.zeros((window, window, 2 * reach + 1))
    for before in range(window):
        for after in range(window):
            if before + after < window:
                first, length = -before, before + after + 1
            else:
                first = -before if before < half else min(after, half) - reach
                length = window
            weights[before, after, reach + first : reach + first + length] = savgol_coeffs(
                length, min(order, length - 1), pos=-first, use='dot'
            )
    return weights
