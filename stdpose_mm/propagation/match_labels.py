"""Labels of a file on the frames of a video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import NO_FRAME_OPTIONS, FrameOptions, fit_size, match_frames
from stdpose_mm.io.video import FrameSource
from stdpose_mm.structures import VideoFrame, VideoLabels
from stdpose_mm.text import counted


def list_all_frames(labels: VideoLabels, frames: FrameSource) -> VideoLabels:
    """List all frames of the video in the labels; added ones are named like the rest."""
    known = {frame.index: frame for frame in labels.frames}
    folders = [PurePosixPath(frame.file_name).parent for frame in labels.frames if frame.file_name]
    width, height = frames.size

    def added(index: int) -> VideoFrame:
        name = ''
        if frames.has_picture_files:
            picture = Path(frames.path_of(index)).name
            name = str((folders[0] if folders else PurePosixPath(frames.name)) / picture)
        return VideoFrame(index, file_name=name, width=width, height=height)

    listed = tuple(known.get(index) or added(index) for index in range(len(frames)))
    return replace(labels, frames=listed)


def match_labels(
    labels: VideoLabels,
    frames: FrameSource,
    options: FrameOptions = NO_FRAME_OPTIONS,
    labels_size: tuple[int, int] | None = None,
) -> VideoLabels:
    """Place labels on the frames of the video.

    Args:
        labels: Labels as they were read; labels that were matched stay as they are.
        frames: The video.
        options: What the user states about the labels' frames, see :func:`match_frames`.
        labels_size: (width, height) of the pictures that were labelled, if the video has another
            size.

    Raises:
        InputError: If the video lacks a frame of the labels, the file leaves open which frames
            these are, or the labels were made at another size.
    """
    matched = match_frames(labels, frames, options)
    chosen = bool(options.frame_of or options.time_of)
    if len(matched.frames) < len(labels.frames) and not chosen:
        raise InputError(
            f'the {options.subject} of {labels.name} list '
            f'{counted(len(labels.frames), "frame")}, of which {frames.name} with its '
            f'{counted(len(frames), "frame")} has {len(matched.frames)}, give the video of these '
            f'{options.subject}'
        )
    return fit_size(matched, frames.size, labels_size, options.subject)
