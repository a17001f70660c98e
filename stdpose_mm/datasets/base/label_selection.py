"""Selection of the given labels, the key frames and the windows around them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stdpose_mm.errors import InputError, require_ratio
from stdpose_mm.structures import (
    VideoLabels,
    Window,
    estimation_window,
    given_frames,
    person_window,
    snap_window,
)
from stdpose_mm.structures.propagated_labels import keep_certain, require_given
from stdpose_mm.structures.windows import NUM_FRAMES, require_num_frames

from .video_tracks import Track, VideoTracks

TASKS = ('propagation', 'estimation')


@dataclass(frozen=True)
class LabelSelection:
    """Selection of given labels, key frames and their auxiliary frames.

    Args:
        task, random_offset, keys_per_sample, label_interval, num_frames, propagated_weight,
            propagated_min_score, test_mode: See
            :class:`~stdpose_mm.datasets.base.BaseWindowDataset`.
        intervals: T, the number of frames between given frames; several only with random_offset.

    Raises:
        InputError: If a value is out of range, or two contradict each other.
    """

    task: str = 'propagation'
    intervals: tuple[int, ...] = (7,)
    random_offset: bool = False
    keys_per_sample: int = 1
    label_interval: int | None = None
    num_frames: int = NUM_FRAMES
    propagated_weight: float = 1.0
    propagated_min_score: float = 0.0
    test_mode: bool = False

    def __post_init__(self) -> None:
        require_ratio(propagated_min_score=self.propagated_min_score)
        require_num_frames(self.num_frames)
        is_random, thinned = self.random_offset, self.label_interval is not None
        for is_wrong, sentence in (
            (self.task not in TASKS, f'task must be one of {TASKS}, got {self.task!r}'),
            (
                not self.intervals or min(self.intervals) < 2,
                f'interval must be whole numbers from 2, got {list(self.intervals)}',
            ),
            (
                min(self.keys_per_sample, self.label_interval or 1) < 1,
                'keys_per_sample and label_interval must be at least 1',
            ),
            (self.propagated_weight < 0, 'propagated_weight must not be negative'),
            (
                self.keys_per_sample > 1 and self.num_frames > NUM_FRAMES,
                f'keys_per_sample={self.keys_per_sample} needs num_frames={NUM_FRAMES}, because '
                f'each key frame has further auxiliary frames, got {self.num_frames}',
            ),
            (
                not is_random and (self.keys_per_sample > 1 or len(self.intervals) > 1),
                'keys_per_sample above 1, and several intervals, need random_offset=True',
            ),
            (
                self.test_mode and (is_random or thinned),
                'random_offset and label_interval are for training, not test_mode',
            ),
            (
                is_random and (self.task != 'propagation' or thinned),
                "random_offset needs task='propagation' and the labels of all frames "
                '(label_interval=None)',
            ),
        ):
            if is_wrong:
                raise InputError(sentence)

    # The labels of a video

    def select_sources(self, labels: VideoLabels, file: str, user: str) -> VideoLabels:
        """Keep the labels made by hand and, where allowed, propagated labels.

        Args:
            labels: The labels of one file.
            file: The file, for error messages.
            user: The class that reads it, for error messages.

        Raises:
            InputError: If there are propagated labels in testing or with ``label_interval``.
        """
        if self.test_mode:
            require_given([labels], user)
        if self.propagated_weight == 0:
            persons = [person.only_given() for person in labels.persons if person.is_given]
            return labels.with_persons(persons)
        certain = keep_certain(labels, self.propagated_min_score)
        if self.label_interval is not None and any(
            not p.is_given or p.has_propagated_joint for p in certain.persons
        ):
            raise InputError(
                f'{file} holds propagated labels, which label_interval={self.label_interval} does '
                'not allow, set propagated_weight=0 or label_interval=None'
            )
        return certain

    def select_frames(
        self, labels: VideoLabels, labelled: tuple[int, ...], missing: Collection[int] = ()
    ) -> tuple[VideoLabels, tuple[int, ...], tuple[int, ...]]:
        """Choose the frames that keep their labels, and the frames whose labels may be shown.

        Args:
            labels: Labels after :meth:`select_sources`.
            labelled: The frames that count for the protocol, ascending.
            missing: Labelled frames without a picture.

        Returns:
            The remaining labels, their frames, and the given frames among these, ascending.
        """
        if self.label_interval is not None:
            frames = tuple(given_frames(labelled, self.label_interval))
            return labels.keep_frames(frames), frames, frames
        if self.task == 'estimation':
            return labels, labelled, ()
        if any(person.source == 'propagated' for person in labels.persons):
            by_hand = {*labels.given_frame_indices}
            return labels, labelled, tuple(sorted(by_hand))
        # The metric reads labels but no pictures, and counts the given frames among all labels.
        protocol = sorted({*labelled, *missing}) if self.test_mode else labelled
        chosen = given_frames(protocol, self.intervals[0])
        return labels, labelled, tuple(frame for frame in chosen if frame not in missing)

    # Key frames and windows

    def draws_windows(self, video: VideoTracks) -> bool:
        """Return whether the windows of a video are drawn anew for every sample."""
        return self.random_offset and not video.has_propagated

    def key_frames(self, video: VideoTracks, track: Track, unlabelled: bool) -> list[int]:
        """List the key frames of one person, ascending.

        Args:
            video: The person's video.
            track: The person.
            unlabelled: In testing, whether to list every frame of the protocol instead of only the
                frames in which this person is labelled. In real use a labelled person is propagated
                to every frame, too.
        """
        every_label = self.random_offset or self.label_interval is not None or video.has_propagated
        if self.task == 'estimation' or every_label:
            return list(track.frames)
        if self.test_mode and unlabelled:
            is_given = bool(track.among(video.given))
            return sorted(set(video.labelled) - set(video.given)) if is_given else []
        return sorted(set(track.frames) - set(video.given))

    def window(
        self, video: VideoTracks, track: Track, key: int, pattern: Sequence[int] | None = None
    ) -> Window:
        """Build the window of one person around a key frame.

        Args:
            video: The person's video.
            track: The person.
            key: The key frame.
            pattern: Frames whose labels may be shown; by default those of the video.
        """
        if self.task == 'estimation':
            window = estimation_window(key, video.known[0], video.known[-1], self.num_frames)
            return snap_window(window, video.known)
        pattern = video.given if pattern is None else pattern
        frames = track.among(pattern)
        return person_window(key, frames, pattern, video.known, self.num_frames)

    def sample_window(self, video: VideoTracks, track: Track, key: int, seed: int | None) -> Window:
        """Draw a pattern of given frames in which ``key`` is not given, and build the window.

        Args:
            video: The person's video.
            track: The person.
            key: The key frame.
            seed: Makes the draw repeatable; None draws from NumPy's global generator.
        """
        # A separate stream, since the augmentation seeds NumPy's global generator with the same
        # seed.
        random: Any = np.random if seed is None else np.random.default_rng(seed)
        interval = int(random.choice(self.intervals))
        pattern: list[int] = []
        for offset in random.permutation(interval):
            pattern = given_frames(video.labelled, interval, int(offset))
            if key not in pattern:
                break
        return self.window(video, track, key, pattern)

    def sample_keys(self, track: Track, window: Window, seed: int | None) -> tuple[int, ...]:
        """Draw further key frames between the auxiliary frames of a window.

        Args:
            track: The person; every key frame is one of its labelled frames.
            window: The window of the first key frame.
            seed: As in :meth:`sample_window`.

        Returns:
            ``keys_per_sample`` frames, ascending, including the window's own key frame; some are
            repeated if there are fewer frames.
        """
        missing = self.keys_per_sample - 1
        if not missing:
            return (window.key,)
        random: Any = np.random if seed is None else np.random.default_rng((seed, 1))
        others = [f for f in track.frames if window.left < f < window.right and f != window.key]
        drawn = random.permutation(others)[:missing].astype(int).tolist()
        pool = [window.key, *drawn]
        drawn += random.choice(pool, missing - len(drawn)).tolist()
        return tuple(sorted([window.key, *drawn]))

    # The labels of a window

    def shows_labels(self, window: Window) -> tuple[bool, ...]:
        """Return for each auxiliary frame of a window whether its label may enter the sample."""
        # In testing a label that is not given must never reach the model.
        left, right = window.given if self.test_mode else (True, True)
        return left, *(not self.test_mode for _ in window.further), right
