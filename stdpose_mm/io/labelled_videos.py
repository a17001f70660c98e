"""The videos of a set with dense labels: their labels and their pictures."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import find_label_files, frame_sources, read_labels
from stdpose_mm.io.video import Frames, UnavailableFrames, open_frames, read_frame
from stdpose_mm.structures import VideoLabels


def read_videos(path: Path) -> list[VideoLabels]:
    """The labels of all videos of a set.

    Args:
        path: A folder of label files, one file, or a text file with one path a line.

    Raises:
        InputError: If a file cannot be read, or two are of one video.
    """
    file_of: dict[str, str] = {}
    videos = []
    for file in find_label_files(path):
        labels = read_labels(file)
        if labels.name in file_of:
            raise InputError(
                f'{file_of[labels.name]} and {file} are both of video {labels.name!r}, keep one '
                'of them or rename it'
            )
        file_of[labels.name] = file
        videos.append(labels)
    return videos


class ListedFrames:
    """The pictures of a labelled video by its labels' frame indices.

    An index between two that the labels list, which nobody measures on, shows the picture of the
    one before.

    Args:
        indices: The frame indices that the labels list, ascending.
        read: Picture of the n-th of them.
    """

    def __init__(self, indices: Sequence[int], read: Callable[[int], np.ndarray]) -> None:
        self._indices = indices
        self._read = read

    def __len__(self) -> int:
        return self._indices[-1] + 1

    def __getitem__(self, index: int, /) -> np.ndarray:
        return self._read(max(bisect_right(self._indices, index) - 1, 0))


def open_video(
    labels: VideoLabels, image_root: Path | None, video_root: Path | None, pictures_needed: bool
) -> Frames:
    """The pictures of a labelled video by frame index, or a stand-in if none are needed.

    Raises:
        InputError: If pictures are needed and one is missing.
    """
    sources = frame_sources(labels, image_root or '', video_root)
    if not sources:
        raise InputError(f'the labels of video {labels.name!r} list no frame, leave it out')
    indices = list(sources)
    path, in_video = next(iter(sources.values()))
    paths = [file for file, _ in sources.values()]
    missing = next((file for file in dict.fromkeys(paths) if not Path(file).is_file()), None)
    if in_video is None and image_root is None:
        reason = 'its labels name no video file' if video_root else 'no folder was given'
    elif missing is not None:
        reason = f'{missing} does not exist'
    elif in_video is None:
        return ListedFrames(indices, open_frames(paths).__getitem__)
    else:
        if len(open_frames(path)) <= indices[-1]:
            raise InputError(
                f'{path} has {len(open_frames(path))} frames, but the labels of video '
                f'{labels.name!r} list frame {indices[-1]}, give the video that was labelled'
            )
        return ListedFrames(indices, lambda n: read_frame(path, indices[n]))
    sentence = (
        f'the pictures of video {labels.name!r} are not at hand ({reason}), pass the right folder '
        'as --image-root (pictures) or --video-root (video files), or choose a method that '
        'reads no picture, such as linear'
    )
    if pictures_needed:
        raise InputError(sentence)
    return UnavailableFrames(indices[-1] + 1, sentence)


class FrameSlice:
    """The frames of a video from ``first`` on, counted from 0."""

    def __init__(self, frames: Frames, first: int, length: int) -> None:
        self._frames = frames
        self._first = first
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int, /) -> np.ndarray:
        return self._frames[self._first + index]


def shifted(labels: VideoLabels, by: int) -> VideoLabels:
    """The labels with other frame indices."""
    return replace(
        labels,
        frames=tuple(replace(frame, index=frame.index + by) for frame in labels.frames),
        persons=tuple(replace(p, frame_index=p.frame_index + by) for p in labels.persons),
    )
