"""Paths of the frames of a labelled video."""

from __future__ import annotations

from pathlib import Path

from stdpose_mm.errors import InputError
from stdpose_mm.io.file_names import path_below
from stdpose_mm.structures import VideoLabels

from .fields import shown


def frame_sources(
    labels: VideoLabels, image_root: str | Path, video_root: str | Path | None
) -> dict[int, tuple[str, int | None]]:
    """Map frame index -> (path, index) of ``read_frame``, frames ascending.

    Args:
        labels: The video.
        image_root: Folder that the frames' file names are relative to.
        video_root: Folder that the label file's ``info.video`` is relative to; None to read
            pictures even if the label file names a video.

    Raises:
        InputError: If a file lies elsewhere, see :func:`~stdpose_mm.io.file_names.path_below`, or
            ``info.video`` is no text.
    """
    whose = f'the labels of video {labels.name!r}'
    info = labels.extra.get('info')
    video = info.get('video') if isinstance(info, dict) else None
    frames = sorted(labels.frames, key=lambda frame: frame.index)
    if video is not None and not isinstance(video, str):
        raise InputError(
            f'info.video of the labels of {labels.name!r} must be the name of a video file, got '
            f'{shown(video)}'
        )
    if video and video_root is not None:
        path = str(path_below(video_root, video, whose))
        return {frame.index: (path, frame.index) for frame in frames}
    return {
        frame.index: (str(path_below(image_root, frame.file_name, whose)), None) for frame in frames
    }
