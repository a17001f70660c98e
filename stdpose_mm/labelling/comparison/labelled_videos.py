"""Labels and pictures of a set of labelled videos."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from pathlib import Path

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import files_by_video, find_label_files, frame_sources, read_labels
from stdpose_mm.io.limits import MAX_FRAME_INDEX
from stdpose_mm.io.video import FrameSource, FrameView, PooledFrames, UnavailableFrames, open_frames
from stdpose_mm.structures import VideoLabels


def read_videos(path: Path) -> list[VideoLabels]:
    """Read the labels of all videos of a set.

    Args:
        path: A folder of label files, one file, or a text file with one path per line.

    Raises:
        InputError: If a file cannot be read, or two files hold the same video.
    """
    files = find_label_files(path)
    videos = [read_labels(file) for file in files]
    files_by_video((labels.name, file) for labels, file in zip(videos, files, strict=True))
    return videos


OTHER_METHOD = ', or choose a method that reads no picture, such as linear'
"""Advice about missing pictures for commands with ``--method``."""


def open_video(
    labels: VideoLabels,
    image_root: Path | None,
    video_root: Path | None,
    pictures_needed: bool,
    way_out: str = '',
) -> FrameSource:
    """Open the pictures of a labelled video by frame index.

    An index between two listed frames returns the picture of the listed frame before it; nothing
    is measured there.

    Args:
        labels: Labels of the video.
        image_root: Folder that the names of pictures are relative to; None if not given.
        video_root: Folder that the names of video files are relative to; None if not given.
        pictures_needed: Whether missing pictures are an error; if not, a stand-in is returned.
        way_out: End of the error message: what the user can do besides giving the right folder.

    Raises:
        InputError: If pictures are needed and one is missing.
    """
    sources = frame_sources(labels, image_root or '', video_root)
    if not sources:
        raise InputError(f'the labels of video {labels.name!r} list no frames, leave it out')
    indices = list(sources)
    if indices[-1] > MAX_FRAME_INDEX:
        what = f'list frame {indices[-1]}, expected frame numbers up to {MAX_FRAME_INDEX}'
        raise InputError(f'the labels of video {labels.name!r} {what}')
    nearest = [max(bisect_right(indices, n) - 1, 0) for n in range(indices[-1] + 1)]
    path, in_video = next(iter(sources.values()))
    paths = [file for file, _ in sources.values()]
    missing = next((file for file in dict.fromkeys(paths) if not Path(file).is_file()), None)
    if in_video is None and image_root is None:
        reason = 'its labels name no video file' if video_root else 'no folder was given'
    elif missing is not None:
        reason = f'{missing} does not exist'
    elif in_video is None:
        return FrameView(open_frames(paths), nearest)
    else:
        frames = PooledFrames(path, [indices[row] for row in nearest])
        length = len(frames.source)
        if length <= indices[-1]:
            what = f'the labels of video {labels.name!r} list frame {indices[-1]}'
            raise InputError(f'{path} has {length} frames, but {what}, give the labelled video')
        return frames
    sentence = (
        f'the pictures of video {labels.name!r} are not available ({reason}), give the right '
        f'folder as --image-root (pictures) or --video-root (video files){way_out}'
    )
    if pictures_needed:
        raise InputError(sentence)
    return UnavailableFrames(indices[-1] + 1, sentence)


def shifted(labels: VideoLabels, by: int) -> VideoLabels:
    """Return the labels with all frame indices shifted by ``by``."""
    frames = tuple(replace(frame, index=frame.index + by) for frame in labels.frames)
    persons = tuple(replace(p, frame_index=p.frame_index + by) for p in labels.persons)
    return replace(labels, frames=frames, persons=persons)
