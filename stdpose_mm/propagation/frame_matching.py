"""Which picture of a video each frame of a label file means."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from stdpose_mm.errors import InputError
from stdpose_mm.io import FrameSource
from stdpose_mm.structures import VideoFrame, VideoLabels


def match_frames(labels: VideoLabels, frames: FrameSource) -> VideoLabels:
    """Index the frames of ``labels`` by their position in ``frames``.

    Where ``frames`` are pictures and a frame of the labels has the name of one of them, names
    decide: a folder may start at ``000001.jpg``. Otherwise the indices of the labels stay.

    Raises:
        InputError: If a labelled frame is not among the pictures or beyond the end of the video,
            or was labelled at another size.
    """
    position = {PurePosixPath(frames.path_of(index)).name: index for index in range(len(frames))}
    by_name = len(position) == len(frames) and any(
        _name(frame) in position for frame in labels.frames
    )
    labelled = set(labels.labelled_frame_indices)
    moved: dict[int, VideoFrame] = {}
    for frame in labels.frames:
        index = position.get(_name(frame), -1) if by_name else frame.index
        if not 0 <= index < len(frames):
            if frame.index in labelled:
                raise InputError(_missing(labels, frame, frames, by_name))
            continue
        _check_size(labels, frame, frames)
        moved[frame.index] = replace(frame, index=index)
    if len({frame.index for frame in moved.values()}) < len(moved):
        raise InputError(
            f'labels {labels.name} list a picture of {frames.name} twice, list each frame once'
        )
    persons = [replace(p, frame_index=moved[p.frame_index].index) for p in labels.persons]
    return replace(labels, frames=tuple(moved.values()), persons=tuple(persons))


def _name(frame: VideoFrame) -> str:
    return PurePosixPath(frame.file_name.replace('\\', '/')).name


def _missing(labels: VideoLabels, frame: VideoFrame, frames: FrameSource, by_name: bool) -> str:
    what = f'frame {frame.file_name!r}' if by_name else f'frame {frame.index}'
    return (
        f'labels {labels.name} have a person in {what}, but {frames.name} has no such frame '
        f'({len(frames)} frames, 0..{len(frames) - 1}), give the labels of this video'
    )


def _check_size(labels: VideoLabels, frame: VideoFrame, frames: FrameSource) -> None:
    width, height = frames.size
    if (frame.width or width, frame.height or height) != (width, height):
        raise InputError(
            f'labels {labels.name} were made at {frame.width}x{frame.height} pixels (frame '
            f'{frame.index}), but the frames of {frames.name} are {width}x{height}, give frames '
            'of that size'
        )
