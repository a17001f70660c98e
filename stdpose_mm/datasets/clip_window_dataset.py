from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import NUM_FRAMES, VideoLabels, Window

from .base import BaseWindowDataset
from .base.video_tracks import Track, VideoTracks, tracks_of


class ClipWindowDataset(BaseWindowDataset):
    """Training windows from the labelled frames of one video in memory.

    Every label is a key frame in turn. The auxiliary frames are labelled frames of the same
    person on either side: mostly the nearest, sometimes the second or third nearest. Some windows
    show the label of one side only, some none, because a model must also work at the ends of a
    track. No other frame is read, unless windows have further frames (``num_frames``), which may
    be any frames of the video. An index with a seed makes the draw repeatable.

    Args:
        pictures: The pictures of the labelled frames; with further frames, of all frames.
        labels: Labels of people with track ids; labels without joints are left out.
        metainfo: MMPose metainfo of the joints.
        pipeline: Transforms.
        distances: Probability that an auxiliary frame is the nearest label, the second nearest,
            and so on.
        one_sided, without: Share of the windows that show one label or none.
        num_frames: Number T of frames of a window.
    """

    def __init__(
        self,
        pictures: FrameSource,
        labels: VideoLabels,
        metainfo: dict[str, Any],
        pipeline: Sequence[dict | Callable],
        distances: Sequence[float] = (0.7, 0.2, 0.1),
        one_sided: float = 0.1,
        without: float = 0.1,
        num_frames: int = NUM_FRAMES,
    ) -> None:
        self._pictures = pictures
        self._labels = labels
        self._distances = np.cumsum(distances)
        self._one_sided = one_sided
        self._without = without
        super().__init__(
            random_offset=True,
            num_frames=num_frames,
            metainfo=metainfo,
            pipeline=pipeline,
            serialize_data=False,
        )

    def load_data_list(self) -> list[dict]:
        """List one window per label, drawn on access."""
        tracks = tracks_of(self._labels)
        labelled = tuple(sorted({frame for track in tracks for frame in track.frames}))
        has_further = self.selection.num_frames > NUM_FRAMES
        known = tuple(range(len(self._pictures))) if has_further else labelled
        video = VideoTracks(
            name=self._labels.name,
            known=known,
            sources=tuple((self._labels.name, frame) for frame in known),
            image_ids=known,
            labelled=labelled,
            given=labelled,
            tracks=tracks,
        )
        self.videos = [video]
        return list(self._windows(0, video, None))

    def sample_window(self, video: VideoTracks, track: Track, key: int, seed: int | None) -> Window:
        """Draw which labels on either side of ``key`` are shown, if any."""
        random: Any = np.random if seed is None else np.random.default_rng(seed)
        place = track.frames.index(key)
        left, right, which, side = random.random(4)
        before = place - 1 - int(np.searchsorted(self._distances, left))
        after = place + 1 + int(np.searchsorted(self._distances, right))
        given = []
        if place > 0:
            given.append(track.frames[max(before, 0)])
        if place + 1 < len(track.frames):
            given.append(track.frames[min(after, len(track.frames) - 1)])
        window = self.selection.window(video, track, key, given)
        shown = list(window.given)
        if which < self._without:
            shown = [False, False]
        elif which < self._without + self._one_sided:
            shown[int(side < 0.5)] = False
        return replace(window, left_given=shown[0], right_given=shown[1])

    def get_data_info(self, idx: int) -> dict:
        """Make the sample dictionary of window ``idx`` with its pictures."""
        info = super().get_data_info(idx)
        info['img'] = [self._pictures[frame] for frame in info['frame_indices']]
        return info
