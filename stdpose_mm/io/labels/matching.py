"""Matching of labels with the frames of a video, with pictures, and with the video's size.

This module holds all rules for finding the frames of labels; :mod:`.frame_numbers` only reads what
a label file states. In order of precedence, frames are found by the user's options, the names of
the video's pictures, and the numbering of the file; labelled pictures in the folder of the label
file confirm or refute the numbering.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np

from stdpose_mm.constants import FrameSubject
from stdpose_mm.errors import InputError, note
from stdpose_mm.io.disk.file_names import leaves_folder
from stdpose_mm.structures import (
    FrameNumbering,
    PersonLabel,
    PolygonRegion,
    VideoFrame,
    VideoLabels,
    is_outside,
)
from stdpose_mm.text import listed

from .fields import quote
from .frame_numbers import (
    NO_FRAME_OPTIONS,
    FrameOptions,
    base_name,
    decoded,
    follow_names,
    frame_indices,
    picture_stem,
    slashed,
)
from .poses import require_readable

if TYPE_CHECKING:
    from stdpose_mm.io.video import FrameSource

Size = tuple[int, int]
"""(width, height) in pixels."""

_FOLDER = 'or the folder of these pictures as the video'

_PictureFit = tuple[int | None, str]

_MIN_TOLERANCE = 0.001
"""Minimum number of seconds by which a stated time may precede its frame."""

REACH = 3
"""Number of frames on each side of the expected one that a picture is compared with."""

MAX_PICTURES = 6

_GREY_SIZE = (160, 90)
"""Size of the grey copies: small enough to average out compression noise, large enough to show the
motion from one frame to the next."""

_MIN_CONTRAST = 8.0
"""Minimum standard deviation of grey values; below it compression noise dominates."""

_UNLIKE = 0.5
"""Distance above which two pictures count as different: a correlation below 0.75."""

_CLEARLY = 0.5
"""Maximum ratio of the best frame's distance to the second best one's for a match."""

MANY_OUTSIDE = 0.5
"""Share of joints outside the picture above which labels must belong to another size."""

SOME_OUTSIDE = 0.25
"""The same limit if a picture of twice the size would contain all joints."""


_ALIKE = 1.05
"""Aspect ratios that differ by less than this factor count as equal."""


def match_frames(
    labels: VideoLabels, source: FrameSource | None, options: FrameOptions = NO_FRAME_OPTIONS
) -> VideoLabels:
    """Renumber the labels' frames as the frames of ``source``.

    Label files number frames in their own way (a folder may start at ``000001.jpg``). If ``source``
    is a set of pictures that the label file names, the names decide; otherwise the
    :class:`FrameNumbering` of the file does. Labelled pictures in the folder of the label file are
    compared with the frames. Frames without labels that ``source`` does not have are left out.
    Matching labels a second time does not change them.

    Args:
        labels: Labels as they were read.
        source: The video; None if it is not available.
        options: The user's information on the frames, which takes precedence.

    Raises:
        InputError: If ``source`` lacks a frame that has labels, the frames of the labels are
            ambiguous, or the pictures in the folder of the label file show other frames.
    """
    matching = _Matching(labels, source, options)
    kind = matching.numbering.kind
    if kind == 'matched' and not options:
        return matching.renumber({index: index for index in labels})
    by_name = {} if options else matching.find_by_name()
    if by_name:
        matched = matching.renumber(by_name)
        text = f'the names of the pictures in {matching.video}'
        return replace(matched, numbering=FrameNumbering('matched', text))
    frame_of, text = matching.find_frames()
    matched = matching.renumber(frame_of)
    if kind != 'index' and matching.labelled:
        first = matching.labelled[0]
        name = base_name(first.file_name) or 'the first'
        text += f' ({name} is frame {frame_of[first.index]})'
    text += matching.compare_pictures(frame_of, text)
    return replace(matched, numbering=FrameNumbering('matched', text))


def numbers_with_gaps(source: FrameSource) -> tuple[int, int] | None:
    """Return the lowest and highest number of pictures whose numbers have gaps; None if none."""
    if not source.has_picture_files:
        return None
    names = [source.path_of(index) for index in range(len(source))]
    indices = frame_indices(names[0], names)[1]
    has_gaps = indices.kind == 'names' and indices.highest - indices.lowest >= len(source)
    return (indices.lowest, indices.highest) if has_gaps else None


class _Matching:
    """State of a :func:`match_frames`; see there for the arguments."""

    def __init__(
        self, labels: VideoLabels, source: FrameSource | None, options: FrameOptions
    ) -> None:
        self.labels, self.source, self.options = labels, source, options
        unnumbered = FrameNumbering('index', 'the frame numbers of the file')
        self.numbering = labels.numbering or unnumbered
        self.indices = set(labels.labelled_frame_indices)
        labelled = (frame for frame in labels.frames if frame.index in self.indices)
        self.labelled = sorted(labelled, key=lambda frame: frame.index)
        # Texts for errors.
        self.whose = f'{options.subject} of {labels.name}'
        self.video = 'the video' if source is None else source.name
        names = [quote(base_name(frame.file_name)) for frame in self.labelled if frame.file_name]
        self.pictures = f'{listed(names, 2)} of {labels.name}'.lstrip()
        self.frame_list = f'{options.list_option} FILE, a CSV file of lines picture,frame'

    def find_by_name(self) -> dict[int, int]:
        """Find the frames whose pictures have the names of the labels' pictures; {} if none.

        Raises:
            InputError: If the file counts frames from 0 and the pictures are numbered from 1, so
                that a label may belong to the picture of its name or to the next one.
        """
        source = self.source
        if source is None or not source.has_picture_files:
            return {}
        paths = [source.path_of(i) for i in range(len(source))]
        place_of: dict[int, int] = {}
        for key in (picture_stem, base_name):
            places = {key(path).casefold(): place for place, path in enumerate(paths)}
            if len(places) == len(paths):
                keys = {f.index: key(f.file_name).casefold() for f in self.labels.frames}
                place_of |= {i: places[name] for i, name in keys.items() if name in places}
        stated, of_video = self.labels.numbering, frame_indices(paths[0], paths)[1]
        if (
            stated is not None
            and (stated.kind == 'index' or (stated.kind == 'names' and stated.lowest == 0))
            and (of_video.kind, of_video.lowest, of_video.highest) == ('names', 1, len(paths))
            and place_of
            and all(index - place == 1 for index, place in place_of.items())
        ):
            number = self.options.number_option
            raise InputError(
                f'{source.name} counts its pictures from 1 ({base_name(paths[0])}), but the '
                f'{self.whose} count frames from 0, give {number} 0 if only the numbers differ, or '
                f'{number} 1 if they were made on the pictures with these names'
            )
        return place_of

    def find_frames(self) -> tuple[dict[int, int], str]:
        """Find index in the labels -> frame of the video, and describe how they were found.

        Raises:
            InputError: If the frames are ambiguous.
        """
        options, numbering = self.options, self.numbering
        kind, text = numbering.kind, numbering.text
        is_nameless = not any(frame.file_name for frame in self.labels.frames)
        if options.frame_of:
            frame_of = self._look_up(options.frame_of)
            return {index: int(frame) for index, frame in frame_of.items()}, 'the list of frames'
        if options.time_of:
            return self._find_times(self._look_up(options.time_of)), 'the list of times'
        if options.first_number is not None:
            if kind == 'times' or (kind == 'positions' and not is_nameless):
                raise InputError(
                    f'{options.number_option} needs frame numbers in the names of the pictures, '
                    f'but {self.pictures} have none, give {options.list_option} FILE instead'
                )
            return self._count_from(options.first_number), text
        if kind == 'times':
            return self._find_times(numbering.times), text
        if kind == 'names':
            return self._count_from(self._find_first_number()), text
        if kind == 'positions' and (self.source is None or numbering.count != len(self.source)):
            remedy = self.frame_list
            if is_nameless:
                # Such as a CVAT task of pictures.
                named = 'a file that names the pictures (CVAT: "COCO Keypoints 1.0")'
                number = f'{options.number_option} 0 if picture 0 is the first frame, 1 the next'
                remedy = f'{named}, {number}'
            raise InputError(
                f'it is unknown which frames of {self.video} the pictures {self.pictures} are, '
                f'give {remedy}, {_FOLDER}'
            )
        return {index: index for index in self.labels}, text

    def _count_from(self, first_number: int) -> dict[int, int]:
        return {index: index - first_number for index in self.labels}

    def _find_first_number(self) -> int:
        """Find the first frame's number in the names.

        It is the stated number, else it follows from the length of the video, from its frames, or
        from the tool's usual way of numbering.

        Raises:
            InputError: If the numbers may be digits of seconds, contradict the file, or may start
                at 0 or at 1.
        """
        numbering, number = self.numbering, self.options.number_option
        doubt = f'do not tell whether the first frame of {self.video} has number 0 or 1'
        if numbering.times:
            doubt = 'may be of frames or digits of seconds'
        elif numbering.conflict:
            doubt = f'contradict {numbering.conflict}'
        elif numbering.first_number is not None:
            return numbering.first_number
        else:
            if self.source is not None:
                least = numbering.highest - len(self.source) + 1
                fitting = [first for first in (0, 1) if least <= first <= numbering.lowest]
                if len(fitting) < 2:
                    return fitting[0] if fitting else 0
                shift, _ = self._fit_pictures(self.source, self._count_from(0))
                if shift is not None:
                    return -shift
            if numbering.usual_first is not None:
                return numbering.usual_first
        option = f'{number} N, the number of the first frame (CVAT, OpenCV: 0, FFmpeg: 1)'
        raise InputError(
            f'{numbering.text} {self.pictures} {doubt}, give {option}, {self.frame_list}, {_FOLDER}'
        )

    def _look_up(self, values: Mapping[str, float]) -> dict[int, float]:
        """Map index -> value, given name of a picture -> value; only labelled pictures must exist.

        Raises:
            InputError: If a labelled picture is missing or has no name.
        """
        by_name: dict[str, float] = {}
        for key in (picture_stem, base_name, str):
            by_name |= {key(name): value for name, value in values.items()}
        value_of = {}
        for frame in self.labels.frames:
            name = frame.file_name
            keys = [key for key in (name, base_name(name), picture_stem(name)) if key in by_name]
            if keys:
                value_of[frame.index] = by_name[keys[0]]
            elif frame.index in self.indices:
                where = quote(name) if name else f'frame {frame.index} (it has no name)'
                raise InputError(
                    f'{self.options.list_option} does not list {where}, which has '
                    f'{self.whose}, add a line for it, or give {self.options.number_option} N'
                )
        return value_of

    def _find_times(self, times: Mapping[int, float]) -> dict[int, int]:
        """Find the frames that are shown at given times: index in the labels -> frame of the video.

        Times in files are rounded or truncated, so a time may precede its frame by one unit of its
        last digit.

        Raises:
            InputError: If the video is not available, has no times, or ends before one of these.
        """
        from stdpose_mm.io.video import known_times

        frame_times = None if self.source is None else known_times(self.source)
        if frame_times is None:
            what = 'at times of a video, but it is not available or has no times'
            raise InputError(f'the {self.whose} are {what}, give {self.frame_list}')
        begins = np.array(frame_times, dtype=np.float64)
        interval = float(np.median(np.diff(begins))) if len(begins) > 1 else 0.0
        late = float(self.source.start) if self.source else 0.0
        if late > 0.999 * interval > 0:
            begins += late
            note(
                f'{self.video} starts {late:.2f} s after another stream of its file, such as the '
                f'sound: the times of the {self.whose} count from there, as in players'
            )
        digits = max((len(repr(float(t)).partition('.')[2]) for t in times.values()), default=0)
        tolerance = min(max(_MIN_TOLERANCE, 10.0**-digits), interval / 2)
        # A time after the last frame is of a frame that the video does not have.
        begins = np.append(begins, begins[-1] + max(interval, _MIN_TOLERANCE) + tolerance)
        stated = np.array([*times.values()])
        frames = np.searchsorted(begins, stated + tolerance, side='right') - 1
        return {index: int(frame) for index, frame in zip(times, frames, strict=True)}

    def compare_pictures(self, frame_of: Mapping[int, int], origin: str) -> str:
        """Compare the pictures beside the label file with the frames, and describe the result.

        Raises:
            InputError: If the pictures show other frames, or if a number may mean the picture of
                that number or the frame of that index.
        """
        if self.source is None:
            return ''
        shift, text = self._fit_pictures(self.source, frame_of)
        agrees = shift == 0 or not text
        is_sure = self.numbering.kind == 'index' or bool(self.options)
        options = f'{self.options.number_option} N, {self.frame_list}'
        if not agrees and not is_sure:
            raise InputError(
                f'the frames of the {self.whose} are read from {origin}, but {text}, give '
                f'{options}, or the video of these {self.options.subject}'
            )
        gaps = numbers_with_gaps(self.source)
        if self.numbering.kind == 'names' and not text and not is_sure and gaps is not None:
            raise InputError(
                f'{self.video} does not hold the pictures {self.pictures}, and the numbers of its '
                f'pictures have gaps between {gaps[0]} and {gaps[1]}, so a number may be that of a '
                f'picture or of a frame: use the names of its pictures, or give {options}'
            )
        return f', {"and" if agrees else "but"} {text}' if text else ''

    def _fit_pictures(self, source: FrameSource, frame_of: Mapping[int, int]) -> _PictureFit:
        """Compare labelled pictures that exist as files with the frames around the expected ones.

        Args:
            source: The video.
            frame_of: Index in the labels -> expected frame of the video.

        Returns:
            The number of frames by which the pictures are later than expected, None if unclear, and
            what they show, '' if unclear.
        """
        from stdpose_mm.io.video import read_picture

        files = {frame_of[f.index]: _picture_beside(self.labels, f) for f in self.labelled}
        paths = {index: path for index, path in files.items() if path is not None}
        chosen = sorted(paths)
        places = np.linspace(0, len(chosen) - 1, min(len(chosen), MAX_PICTURES)).round().astype(int)
        distances = []
        for expected in (chosen[place] for place in places):
            with suppress(InputError):
                picture, contrast = _grey(read_picture(paths[expected]))
                if contrast >= _MIN_CONTRAST:
                    distances.append(_distances(picture, expected, source))
        if not distances:
            return None, ''
        # Distances are infinite beyond the ends of the video: a shift must be possible for all.
        means = np.mean(distances, axis=0)
        best, second = np.argsort(means, kind='stable')[:2]
        text = 'the pictures beside the file show'
        if means[best] > _UNLIKE:
            return None, f'{text} no frame of {source.name} near these'
        if not np.isfinite(means[second]) or means[best] > _CLEARLY * means[second]:
            return None, ''
        shift = int(best) - REACH
        if shift == 0:
            return 0, f'{text} these frames of {source.name}'
        order = 'later' if shift > 0 else 'earlier'
        return shift, f'{text} frames of {source.name} that are {abs(shift)} {order}'

    def renumber(self, frame_of: Mapping[int, int]) -> VideoLabels:
        """Give the frames the indices ``frame_of``; drop unlabelled frames that have none.

        Raises:
            InputError: If a labelled frame has no index or one that the video does not have, or two
                labelled frames have the same index.
        """
        end = np.inf if self.source is None else len(self.source)
        renumbered: dict[int, VideoFrame] = {}
        for frame in sorted(self.labels.frames, key=lambda frame: frame.index not in self.indices):
            index = frame_of.get(frame.index)
            if index is not None and 0 <= index < end and index not in renumbered:
                renumbered[index] = frame
            elif frame.index in self.indices:
                raise self._misplaced(frame, index, renumbered)
        new_index = {frame.index: index for index, frame in renumbered.items()}
        of_video = (frame for frame in self.labels.frames if frame.index in new_index)
        frames = [replace(frame, index=new_index[frame.index]) for frame in of_video]
        persons = self.labels.persons
        if any(new != old for old, new in new_index.items()):
            persons = tuple(replace(p, frame_index=new_index[p.frame_index]) for p in persons)
        return replace(self.labels, frames=tuple(frames), persons=persons)

    def _misplaced(
        self, frame: VideoFrame, index: int | None, renumbered: Mapping[int, VideoFrame]
    ) -> InputError:
        """Make the error for a labelled frame that the video lacks or that has a duplicate."""
        name = quote(frame.file_name)
        if index is not None and index in renumbered:
            other = quote(base_name(renumbered[index].file_name))
            both = f'{other} and {quote(base_name(frame.file_name))} of {self.labels.name}'
            return InputError(f'{both} are both frame {index}, give each frame one picture')
        where = name if index is None else f'frame {index}{f" ({name})" if frame.file_name else ""}'
        count = '' if self.source is None else f'{len(self.source)} '
        return InputError(
            f'the {self.whose} are on {where}, which is not among the {count}frames of '
            f'{self.video}; give the frames of these {self.options.subject}, or '
            f'{self.options.number_option} N if they count the first frame as N'
        )


def _picture_beside(labels: VideoLabels, frame: VideoFrame) -> Path | None:
    """Find the file of a picture in the folder of the label file or in ``images`` nearby."""
    folder = labels.numbering.folder if labels.numbering else None
    if folder is None or not frame.file_name:
        return None
    folders = folder, folder / 'images', folder.parent / 'images'
    places = []
    for path in (slashed(frame.file_name), decoded(frame.file_name)):
        places += [] if leaves_folder(path) else [folder / path]
        places += [place / base_name(path) for place in folders]
    return next((place for place in places if os.path.isfile(place)), None)


def _distances(picture: np.ndarray, expected: int, source: FrameSource) -> np.ndarray:
    """Compute the distances [2 REACH + 1] of a grey copy to the frames around the expected one.

    The distance is the mean squared difference of grey values normalised to mean 0 and standard
    deviation 1, which is ``2 (1 - correlation)``. It is infinite if the frame does not exist.
    """
    distances = np.full(2 * REACH + 1, np.inf)
    for place, index in enumerate(range(expected - REACH, expected + REACH + 1)):
        if 0 <= index < len(source):
            distances[place] = np.square(picture - _grey(source[index])[0]).mean()
    return distances


def _grey(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Make a small, normalised grey copy, and compute its contrast."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    small = cv2.resize(grey, _GREY_SIZE, interpolation=cv2.INTER_AREA).astype(np.float64)
    contrast = float(small.std())
    return (small - small.mean()) / max(contrast, 1.0), contrast


def list_all_frames(labels: VideoLabels, frames: FrameSource) -> VideoLabels:
    """Add the missing frames of the video to the labels, with names like the others."""
    stated = {frame.index: frame for frame in labels.frames}
    names = follow_names({i: frame.file_name for i, frame in stated.items()}, range(len(frames)))
    if frames.has_picture_files:
        folders = (PurePosixPath(slashed(name)).parent for name in names.values() if name)
        folder = next(folders, PurePosixPath(frames.name))
        names = {i: str(folder / base_name(frames.path_of(i))) for i in range(len(frames))}
    new = (VideoFrame(i, names[i], None, *frames.size) for i in range(len(frames)))
    return replace(labels, frames=tuple(stated.get(frame.index, frame) for frame in new))


def match_labels(
    labels: VideoLabels,
    frames: FrameSource,
    options: FrameOptions = NO_FRAME_OPTIONS,
    labels_size: tuple[int, int] | None = None,
) -> VideoLabels:
    """Match labels with the frames and the size of the video.

    Args:
        labels: Labels as they were read; labels that were already matched do not change.
        frames: The video.
        options: The user's information on the frames, see :func:`match_frames`.
        labels_size: (width, height) of the pictures that were labelled, if the video has another
            size.

    Raises:
        InputError: If the video lacks a frame of the labels, their frames are ambiguous, or the
            labels were made at another size.
    """
    matched = match_frames(labels, frames, options)
    chosen = bool(options.frame_of or options.time_of)
    if len(matched.frames) < len(labels.frames) and not chosen:
        whose = f'the {options.subject} of {labels.name} list {len(labels.frames)} frames'
        video = f'{frames.name} ({len(frames)} frames) has only {len(matched.frames)} of them'
        raise InputError(f'{whose}, but {video}, give the video of these {options.subject}')
    return fit_size(matched, frames.size, labels_size, options.subject)


def fit_size(
    labels: VideoLabels,
    size: Size,
    labels_size: Size | None = None,
    subject: FrameSubject = 'labels',
) -> VideoLabels:
    """Rescale labels to the size of their video.

    Args:
        labels: Labels of the video.
        size: Size of the video.
        labels_size: Size of the pictures that were labelled, to rescale the labels or because the
            file does not state it; None if it equals ``size``. Its aspect ratio may differ from the
            video's (anamorphic video is shown wider or narrower than stored), but must not be that
            of a picture after a quarter turn.
        subject: What the file holds; it decides which remedy errors name.

    Returns:
        The labels, rescaled if ``labels_size`` is given; their frames then have the video's size.

    Raises:
        InputError: If the file states another size, or states none and so many joints lie outside
            the picture that the labels must belong to another size, or the labels were made on
            turned pictures.
    """
    default = labels_size or size
    for frame in labels.frames:
        stated = frame.width or default[0], frame.height or default[1]
        made = f'the {subject} of {labels.name} were made at {_text(stated)} pixels'
        if labels_size is not None and stated != labels_size:
            raise InputError(
                f'{made} (frame {frame.index} of the file), but --labels-size is '
                f'{_text(labels_size)}, leave it out or correct the size in the file'
            )
        shown_at = f'the frames of the video are shown at {_text(size)}'
        if _is_turned(stated, size):
            remedy = _turned_remedy(size, subject)
            raise InputError(f'{made}, as on turned pictures, but {shown_at}, {remedy}')
        if stated != default:
            remedy = f'{subject} that were made at {_text(size)}'
            if subject == 'labels':
                remedy = f'--labels-size {_text(stated)} to rescale the labels'
                remedy += _stretch(stated, size) and ', unless black edges were added or cut off'
            raise InputError(f'{made} (frame {frame.index}), but {shown_at}, give {remedy}')
    if labels_size is not None:
        if stretch := _stretch(labels_size, size):
            note(
                f'the {subject} of {labels.name} are stretched from {stretch}: right if the '
                'pictures were squeezed, wrong if black edges were added or cut off (letterboxing)'
            )
        return rescale_labels(labels, labels_size, size)
    _require_inside(labels, size, subject)
    return labels


def _require_inside(labels: VideoLabels, size: Size, subject: FrameSubject) -> None:
    """Refuse labels without a stated size if they must belong to pictures of another size."""
    unstated = {frame.index for frame in labels.frames if not (frame.width and frame.height)}
    people = [_points(p, subject) for p in labels.persons if p.frame_index in unstated]
    points = np.concatenate([np.empty((0, 2)), *people])
    if not len(points) or not all(size):
        return
    outside = is_outside(points, size)
    fits_doubled = not is_outside(points, (2 * size[0], 2 * size[1])).any()
    limit = SOME_OUTSIDE if fits_doubled else MANY_OUTSIDE
    # A network may place a person outside the picture, but nobody labels one there.
    is_lost = subject != 'estimates' and any(
        len(person) > 2 and bool(is_outside(person, size).all()) for person in people
    )
    if outside.mean() <= limit and not is_lost:
        return
    what = 'joints or centres of boxes' if subject == 'boxes' else f'joints of the {subject}'
    furthest = points[np.argmax((points / size).max(axis=1))]
    remedy = f'give {subject} that were made at {_text(size)}, or their video'
    if subject == 'labels':
        remedy = 'give --labels-size WxH, the size of the labelled pictures, or their video'
    turned = size[::-1]
    if _is_turned(turned, size) and not is_outside(points, turned).any():
        # Rescaling from a larger size would also fit these joints in, but distort the poses.
        inside = f'but all inside turned pictures of {_text(turned)}'
        remedy = f'{inside}: {_turned_remedy(size, subject)}; otherwise {remedy}'
    raise InputError(
        f'{outside.sum()} of {len(points)} {what} of {labels.name} lie outside the {_text(size)} '
        f'pictures of the video (one at {furthest[0]:.0f}, {furthest[1]:.0f}), {remedy}'
    )


def _text(size: Size) -> str:
    return f'{size[0]}x{size[1]}'


def _stretch(old: Size, new: Size) -> str:
    """Describe two sizes of other aspect ratios; '' if rounding to pixels explains the ratios."""
    (w, h), (width, height) = old, new
    if not all((*old, *new)) or min(abs(w * height / width - h), abs(width * h / w - height)) <= 1:
        return ''
    sizes = (f'{_text(size)} (aspect ratio {size[0] / size[1]:.2f})' for size in (old, new))
    return ' to '.join(sizes)


def _is_turned(labelled: Size, size: Size) -> bool:
    """Tell whether pictures have the aspect ratio of the video after a quarter turn.

    Args:
        labelled: Size of the pictures that were labelled.
        size: Size of the video.
    """
    if not all(labelled) or not all(size):
        return False
    straight, turned = (labelled[0] * a / (labelled[1] * b) for a, b in (size[::-1], size))
    return max(turned, 1 / turned) < _ALIKE < max(straight, 1 / straight)


def _turned_remedy(size: Size, subject: FrameSubject) -> str:
    return (
        f'give {subject} that were made on the pictures as shown ({_text(size)}), or, instead of '
        f'the video, a folder of the pictures that these {subject} were made on'
    )


def rescale_labels(labels: VideoLabels, old: Size, new: Size) -> VideoLabels:
    """Convert labels made on pictures of one size to those of another.

    The corners of both pictures coincide, and the centre of the top-left pixel is (0, 0) in both:
    ``x' = (x + 0.5) s - 0.5``. Boxes and ignore regions are rescaled too; visibility, scores and
    sources stay. COCO's outlines (``segmentation``), which this package does not interpret, are
    dropped; their ``area`` is scaled.

    Args:
        labels: The labels.
        old: Size of the pictures that the labels were made on.
        new: Size of the frames of the result.

    Raises:
        InputError: If rescaled coordinates are too large to be written.
    """
    scale = np.divide(new, old)
    frames = tuple(_rescale_frame(frame, scale, new) for frame in labels.frames)
    persons = tuple(_rescale_person(person, scale) for person in labels.persons)
    rescaled = replace(labels, frames=frames, persons=persons)
    require_readable(rescaled)
    return rescaled


def _rescale_frame(frame: VideoFrame, scale: np.ndarray, size: Size) -> VideoFrame:
    regions = tuple(PolygonRegion(_rescale_points(r.points, scale)) for r in frame.ignore_regions)
    return replace(frame, width=size[0], height=size[1], ignore_regions=regions)


def _rescale_person(person: PersonLabel, scale: np.ndarray) -> PersonLabel:
    extra = {name: value for name, value in person.extra.items() if name != 'segmentation'}
    if type(extra.get('area')) in (int, float):
        extra['area'] = float(extra['area'] * scale.prod())
    keypoints = _rescale_points(person.keypoints, scale)
    bbox, head_box = (_rescale_box(box, scale) for box in (person.bbox, person.head_box))
    return replace(person, keypoints=keypoints, bbox=bbox, head_box=head_box, extra=extra)


def _rescale_points(points: np.ndarray, scale: np.ndarray) -> np.ndarray:
    # Exact where the scale is 1.
    return np.where(scale == 1, points, (points + 0.5) * scale - 0.5)


def _rescale_box(box: np.ndarray | None, scale: np.ndarray) -> np.ndarray | None:
    if box is None:
        return None
    return np.concatenate([_rescale_points(box[:2], scale), box[2:] * scale])


def _points(person: PersonLabel, subject: FrameSubject) -> np.ndarray:
    """Return the given joints, else the centre of a given box, [N, 2]; for estimates all joints."""
    if subject == 'estimates':
        return person.keypoints[person.labelled]
    points = person.keypoints[person.given]
    if not len(points) and person.bbox is not None and person.has_box and person.is_given:
        return (person.bbox[:2] + person.bbox[2:] / 2)[None]
    return points
