"""Matching of labels to the frames of a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.io.video import FrameSource, known_times
from stdpose_mm.structures import FrameNumbering, VideoFrame, VideoLabels

from .fields import shown
from .frame_numbers import (
    NO_FRAME_OPTIONS,
    FrameOptions,
    base_name,
    frame_indices,
    picture_stem,
)
from .picture_fit import PictureFit, fit_pictures

_MIN_TOLERANCE = 0.001
"""Smallest tolerance in seconds by which a stated time may precede its frame."""


def match_frames(
    labels: VideoLabels, source: FrameSource | None, options: FrameOptions = NO_FRAME_OPTIONS
) -> VideoLabels:
    """Number the labels' frames as the frames of ``source``.

    Label files number frames in their own way (a folder may start at ``000001.jpg``). Where
    ``source`` is a set of pictures that the label file names, the names decide; otherwise the
    :class:`FrameNumbering` of the file does. Labelled pictures beside the label file are compared
    with the frames. Frames without labels that ``source`` does not have are left out. Matching
    labels a second time does not change them.

    Args:
        labels: Labels as they were read.
        source: The video; None if it is not available.
        options: The user's information on the frames, which takes precedence.

    Raises:
        InputError: If ``source`` does not have a frame that carries labels, the frames of the
            labels are ambiguous, or the pictures beside the label file show other frames.
    """
    numbering = labels.numbering or FrameNumbering('index', 'the frame numbers of the file')
    if numbering.kind == 'matched' and not options:
        return _renumbered(labels, {index: index for index in labels}, source, options)
    by_name = {} if options else _by_name(labels, source)
    if by_name:
        assert source is not None
        _require_one_count(labels, source, by_name, options)
        frame_of, text = by_name, f'the names of the pictures in {source.name}'
    else:
        frame_of, text = _find_frames(labels, numbering, source, options)
    matched = _renumbered(labels, frame_of, source, options)
    if not by_name and numbering.kind != 'index':
        text += f' ({_example(labels, frame_of)})'
    if source is not None and not by_name:
        fit = fit_pictures(labels, frame_of, source)
        agreed = fit.alike and not fit.shift
        seen = f'the pictures beside the file {_showing(fit, source)}'
        if not agreed and numbering.kind != 'index' and not options:
            raise InputError(
                f'the frames of the {options.subject} of {labels.name} are read from {text}, but '
                f'{seen}, settle it with {options.number_option} N or {options.list_option} FILE, '
                f'or give the video of these {options.subject}'
            )
        if numbering.kind == 'names' and fit.shift is None and not options:
            _require_no_holes(labels, source, options)
        if not agreed or fit.shift is not None:
            text += f', {"and" if agreed else "but"} {seen}'
    return replace(matched, numbering=FrameNumbering('matched', text))


def _by_name(labels: VideoLabels, source: FrameSource | None) -> dict[int, int]:
    """Find the frames whose pictures have the names of labelled pictures; {} without any."""
    if source is None or not source.has_picture_files:
        return {}
    names = [base_name(source.path_of(i)) for i in range(len(source))]
    if len(set(names)) < len(names):
        return {}
    place = {name: i for i, name in enumerate(names)}
    stems = [picture_stem(name).casefold() for name in names]
    place_of_stem = {stem: i for i, stem in enumerate(stems)} if len({*stems}) == len(stems) else {}
    found = {}
    for frame in labels.frames:
        stem = picture_stem(frame.file_name).casefold()
        index = place.get(base_name(frame.file_name), place_of_stem.get(stem))
        if index is not None and frame.file_name:
            found[frame.index] = index
    return found


def _require_one_count(
    labels: VideoLabels,
    source: FrameSource,
    by_name: Mapping[int, int],
    options: FrameOptions,
) -> None:
    """Refuse labels with frame indices from 0 on pictures whose names count from 1.

    Raises:
        InputError: If a label may belong to the picture of its name or to the next picture.
    """
    stated = labels.numbering
    if stated is None or any(index - frame != 1 for index, frame in by_name.items()):
        return
    if stated.kind != 'index' and not (stated.kind == 'names' and stated.lowest == 0):
        return
    names = [source.path_of(index) for index in range(len(source))]
    own = frame_indices(names[0], names)[1]
    if own.kind == 'names' and (own.lowest, own.highest) == (1, len(source)):
        index = next(iter(by_name))
        (name,) = (frame.file_name for frame in labels.frames if frame.index == index)
        raise InputError(
            f'{source.name} counts its pictures from 1 ({base_name(names[0])}), but the '
            f'{options.subject} of {labels.name} count frames from 0 ({shown(base_name(name))} is '
            f'frame {index}), give {options.number_option} 0 if these are the same frames by other '
            f'numbers, or {options.number_option} 1 if the {options.subject} were made on the '
            'pictures of these names'
        )


def _require_no_holes(labels: VideoLabels, source: FrameSource, options: FrameOptions) -> None:
    """Refuse numbers of other pictures if the numbers of the video's own pictures have gaps.

    Raises:
        InputError: If a number may mean the picture of that number or the frame of that index.
    """
    gaps = numbers_with_gaps(source)
    if gaps is not None:
        raise InputError(
            f'{source.name} does not hold the pictures {_some_names(labels)} of {labels.name}, and '
            f'the numbers of its own {len(source)} pictures leave some out between {gaps[0]} '
            f'and {gaps[1]}, so that a number may be that of a picture or its place: give the '
            f'{options.subject} the names of these pictures, or {options.list_option} FILE, a CSV '
            'file of lines picture,frame'
        )


def numbers_with_gaps(source: FrameSource) -> tuple[int, int] | None:
    """Return the lowest and the highest number of pictures that leave numbers out, else None."""
    if not source.has_picture_files:
        return None
    names = [source.path_of(index) for index in range(len(source))]
    own = frame_indices(names[0], names)[1]
    has_gaps = own.kind == 'names' and own.highest - own.lowest >= len(source)
    return (own.lowest, own.highest) if has_gaps else None


def _find_frames(
    labels: VideoLabels,
    numbering: FrameNumbering,
    source: FrameSource | None,
    options: FrameOptions,
) -> tuple[dict[int, int], str]:
    """Find index in ``labels`` -> frame of the video, and word the source of this mapping."""
    if options.frame_of:
        listed = _listed(labels, options.frame_of, options)
        return {index: int(frame) for index, frame in listed.items()}, 'the list of frames'
    if options.time_of:
        times = _listed(labels, options.time_of, options)
        return _frames_at(times, labels, source, options), 'the list of times'
    if options.first_number is not None:
        has_number = numbering.kind == 'positions' and _are_nameless(labels)
        if numbering.kind in ('times', 'positions') and not has_number:
            raise InputError(
                f'{options.number_option} needs one number in the names of the pictures, which '
                f'{_some_names(labels)} of {labels.name} do not have, give {options.list_option} '
                'FILE instead'
            )
        return _counted_from(labels, options.first_number), numbering.text
    if numbering.kind == 'times':
        return _frames_at(numbering.times, labels, source, options), numbering.text
    if numbering.kind == 'names':
        if numbering.times:
            raise InputError(
                f'the names of the pictures {_some_names(labels)} of {labels.name} may end in '
                'seconds or, behind the dot, in numbers of frames, give '
                f'{options.number_option} N, the number of the first frame, for numbers, or '
                f'{options.list_option} FILE, a CSV file of lines picture,seconds under the header '
                'name,seconds, for seconds'
            )
        if numbering.doubt:
            raise InputError(
                f'the numbers in the names of the pictures {_some_names(labels)} of {labels.name} '
                f'contradict the file ({numbering.doubt}), give {options.number_option} N, the '
                'number of the first frame, if the names are right, or else '
                f'{options.list_option} FILE, a CSV file of lines picture,frame, or the folder of '
                'these pictures as the video'
            )
        first = numbering.first_number
        if first is None:
            first = _find_first_number(labels, numbering, source, options)
        return _counted_from(labels, first), numbering.text
    if numbering.kind == 'positions' and (source is None or numbering.count != len(source)):
        if _are_nameless(labels):
            raise _nameless_error(labels, source, options)
        raise InputError(
            f'nothing tells which frames of the video the pictures {_some_names(labels)} of '
            f'{labels.name} are, give {options.list_option} FILE, a CSV file of lines '
            'picture,frame, or the folder of these pictures as the video'
        )
    return {index: index for index in labels}, numbering.text


def _are_nameless(labels: VideoLabels) -> bool:
    return not any(frame.file_name for frame in labels.frames)


def _nameless_error(
    labels: VideoLabels, source: FrameSource | None, options: FrameOptions
) -> InputError:
    """Word that pictures are known by their places in the file only, as in a task of CVAT."""
    video = 'the video' if source is None else f'the {len(source)} frames of {source.name}'
    return InputError(
        f'the {options.subject} of {labels.name} are on pictures that have numbers in a list of '
        f'{len(labels.frames)}, but no names, and nothing tells which of {video} these are, give '
        'the folder of these pictures as the video, a file that names them (of CVAT "COCO '
        f'Keypoints 1.0"), or {options.number_option} 0 if picture 0 is the first frame, 1 the '
        'next, and so on'
    )


def _counted_from(labels: VideoLabels, first_number: int) -> dict[int, int]:
    return {index: index - first_number for index in labels}


def _find_first_number(
    labels: VideoLabels,
    numbering: FrameNumbering,
    source: FrameSource | None,
    options: FrameOptions,
) -> int:
    """Find the first frame's number in the names, from the video's length or its frames."""
    if source is not None:
        fitting = [
            first
            for first in (0, 1)
            if first <= numbering.lowest and numbering.highest - first < len(source)
        ]
        if len(fitting) < 2:
            return fitting[0] if fitting else 0
        shift = fit_pictures(labels, _counted_from(labels, 0), source).shift
        if shift is not None:
            return -shift
    video = 'the video' if source is None else source.name
    raise InputError(
        f'{numbering.text} {_some_names(labels)} of {labels.name} do not tell whether the '
        f'first frame of {video} has number 0 or 1, give {options.number_option} 0 (CVAT, OpenCV) '
        f'or {options.number_option} 1 (FFmpeg), or the folder of these pictures as the video'
    )


def _listed(
    labels: VideoLabels, values: Mapping[str, float], options: FrameOptions
) -> dict[int, float]:
    """Look up the values of pictures: index -> value; pictures without labels may be missing.

    Raises:
        InputError: If a labelled picture is missing or has no name.
    """
    known: dict[str, float] = {}
    for key in (picture_stem, base_name, str):
        known.update({key(name): value for name, value in values.items()})
    labelled = set(labels.labelled_frame_indices)
    found = {}
    for frame in labels.frames:
        name = frame.file_name
        keys = [key for key in (name, base_name(name), picture_stem(name)) if key in known]
        if keys:
            found[frame.index] = known[keys[0]]
        elif frame.index in labelled and not name:
            raise InputError(
                f'{options.list_option} lists pictures by name, but the {options.subject} of '
                f'{labels.name} are on frame {frame.index}, which has none, give '
                f'{options.number_option} N instead'
            )
        elif frame.index in labelled:
            raise InputError(
                f'{options.list_option} does not list {shown(name)}, on which there are '
                f'{options.subject} of {labels.name}, add a line for it'
            )
    return found


def _frames_at(
    times: Mapping[int, float],
    labels: VideoLabels,
    source: FrameSource | None,
    options: FrameOptions,
) -> dict[int, int]:
    """Find the frames that are shown at given times: index in ``labels`` -> frame of the video.

    Written times are rounded or truncated: a frame that begins within one unit of the last digit
    after the time counts as begun.

    Raises:
        InputError: If the video is not available, has no times, or ends before one of the times.
    """
    known = None if source is None else known_times(source)
    if source is None or known is None:
        what = 'which is not at hand here' if source is None else f'but {source.name} has none'
        raise InputError(
            f'the {options.subject} of {labels.name} are on times of a video, {what}, give '
            f'{options.list_option} FILE, a CSV file of lines picture,frame'
        )
    begins = np.array(known, dtype=np.float64)
    interval = float(np.median(np.diff(begins))) if len(begins) > 1 else 0.0
    digits = max((len(repr(float(time)).partition('.')[2]) for time in times.values()), default=0)
    tolerance = min(max(_MIN_TOLERANCE, 10.0**-digits), interval / 2)
    end = float(begins[-1]) + max(interval, _MIN_TOLERANCE)
    late = [time for time in times.values() if time > end]
    if late:
        raise InputError(
            f'the {options.subject} of {labels.name} are on second {late[0]:g}, but '
            f'{source.name} ends at {end:.3f}, give the video of these {options.subject}'
        )
    found = np.searchsorted(begins, np.array([*times.values()]) + tolerance, side='right') - 1
    return {index: int(frame) for index, frame in zip(times, found, strict=True)}


def _renumbered(
    labels: VideoLabels,
    frame_of: Mapping[int, int],
    source: FrameSource | None,
    options: FrameOptions,
) -> VideoLabels:
    """Give the frames the indices ``frame_of``; drop unlabelled frames without an index.

    Raises:
        InputError: If a frame with labels has no index or an index that the video does not have, or
            two such frames have the same index.
    """
    labelled = set(labels.labelled_frame_indices)
    end = np.inf if source is None else len(source)
    kept: dict[int, VideoFrame] = {}
    for frame in sorted(labels.frames, key=lambda frame: frame.index not in labelled):
        index = frame_of.get(frame.index)
        if index is not None and 0 <= index < end:
            if index not in kept:
                kept[index] = frame
            elif frame.index in labelled:
                raise InputError(
                    f'{shown(base_name(kept[index].file_name))} and '
                    f'{shown(base_name(frame.file_name))} of {labels.name} are both frame {index} '
                    'of the video, give each frame one picture'
                )
        elif frame.index in labelled:
            name = shown(frame.file_name)
            what = name if index is None else f'frame {index}'
            if index is not None and frame.file_name:
                what += f' ({name})'
            raise InputError(
                f'the {options.subject} of {labels.name} are on {what}, which is not among the '
                f'{"" if source is None else f"{len(source)} "}frames of '
                f'{"the video" if source is None else source.name}; '
                + _frames_to_give(
                    labels, [frame_of[i] for i in labelled & {*frame_of}], end, options
                )
            )
    new_index = {frame.index: index for index, frame in kept.items()}
    return replace(
        labels,
        frames=tuple(
            replace(frame, index=new_index[frame.index])
            for frame in labels.frames
            if frame.index in new_index
        ),
        persons=tuple(
            replace(person, frame_index=new_index[person.frame_index]) for person in labels.persons
        ),
    )


def _frames_to_give(
    labels: VideoLabels, frames: Sequence[int], end: float, options: FrameOptions
) -> str:
    """Say what to do about labels on frames that the video does not have.

    Args:
        labels: The labels.
        frames: The frames that they would be on.
        end: The number of frames of the video.
        options: The user's information on the frames.
    """
    given = options.first_number
    if given is not None and min(frames, default=0) < 0:
        return f'give {options.number_option} {given + min(frames)} or less'
    advice = f'give the frames of these {options.subject}'
    stated = labels.numbering is None or labels.numbering.kind == 'index'
    # A file that counts from 0 may have nothing on its frame 0, but never one too many at the end.
    if stated and not options and frames and min(frames) > 0 and max(frames) == end:
        advice += f', or {options.number_option} 1 if the file counts frames from 1'
    return advice


def _example(labels: VideoLabels, frame_of: Mapping[int, int]) -> str:
    """Say which frame the first labelled picture is."""
    for index in labels.labelled_frame_indices:
        (frame,) = (frame for frame in labels.frames if frame.index == index)
        return f'{base_name(frame.file_name) or "the first"} is frame {frame_of[index]}'
    return 'no picture is labelled'


def _showing(fit: PictureFit, source: FrameSource) -> str:
    if not fit.alike:
        return f'show none of the frames there of {source.name}'
    if not fit.shift:
        return f'show these frames of {source.name}'
    return (
        f'show frames of {source.name} that are {abs(fit.shift)} '
        f'{"later" if fit.shift > 0 else "earlier"}'
    )


def _some_names(labels: VideoLabels) -> str:
    labelled = set(labels.labelled_frame_indices)
    names = [
        shown(base_name(frame.file_name)) for frame in labels.frames if frame.index in labelled
    ]
    return ', '.join(names[:2]) + (', ...' if len(names) > 2 else '')
