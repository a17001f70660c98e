"""Matching of labels to the frames of a video."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource, PictureFrames
from stdpose_mm.structures import VideoLabels


def match_frames(labels: VideoLabels, source: FrameSource) -> VideoLabels:
    """Number the labels' frames as the frames of ``source``.

    Label files number frames in their own way (a folder may start at ``000001.jpg``). Where
    ``source`` is a set of pictures and the label file names them, the names decide; otherwise
    indices are taken as they are. Frames without labels that ``source`` does not have are left
    out.

    Raises:
        InputError: If ``source`` does not have a frame that carries labels.
    """
    labelled = set(labels.labelled_frame_indices)
    place = {}
    if isinstance(source, PictureFrames):
        names = [PurePosixPath(source.path_of(i)).name for i in range(len(source))]
        if len(set(names)) == len(names):
            place = {name: i for i, name in enumerate(names)}
    named = {frame.index: place.get(PurePosixPath(frame.file_name).name) for frame in labels.frames}
    by_name = any(position is not None for position in named.values())
    index_of: dict[int, int] = {}
    for frame in labels.frames:
        position = named[frame.index] if by_name else frame.index
        if position is not None and position < len(source):
            index_of[frame.index] = position
        elif frame.index in labelled:
            what = f'{frame.file_name!r}' if by_name else f'frame {frame.index}'
            raise InputError(
                f'the labels of {labels.name} are on {what}, which is not among the '
                f'{len(source)} frames of {source.name}; give the frames that were labelled'
            )
    return replace(
        labels,
        frames=tuple(
            replace(frame, index=index_of[frame.index])
            for frame in labels.frames
            if frame.index in index_of
        ),
        persons=tuple(
            replace(person, frame_index=index_of[person.frame_index]) for person in labels.persons
        ),
    )
