"""Frame indices of labelled pictures, from the pictures' names and the user's options.

The reader of a format that names pictures calls :func:`frame_indices` once for each video, and
passes the :class:`FrameNumbering` to ``VideoLabels``::

    indices, numbering = frame_indices(path, [image_name, ...])
    frames = [VideoFrame(index, name) for index, name in zip(indices, names, strict=True)]
    VideoLabels(..., frames=frames, numbering=numbering)

It never refuses a file for its names, because numbers are not needed if the video is the folder of
these pictures. :func:`~stdpose_mm.io.labels.match_frames` resolves or refuses ambiguous names.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from stdpose_mm.constants import FRAME_OPTIONS, FrameSubject
from stdpose_mm.errors import InputError, note
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import composed
from stdpose_mm.io.limits import MAX_FRAME_INDEX
from stdpose_mm.structures import FrameNumbering, VideoLabels
from stdpose_mm.text import listed

from .fields import quote, require_distinct
from .label_source import read_text

# Python refuses to parse several thousand digits.
_NUMBER = re.compile('([0-9]{1,1000})')
_CODE = '%[0-9A-Fa-f]{2}'
_LAST_NUMBER = re.compile(rf'((?:{_CODE}|.)*?)([0-9]{{1,18}})((?:{_CODE}|[^0-9])*)')
_SUFFIX = re.compile(r'\.[A-Za-z][A-Za-z0-9]{1,4}$')
_ROBOFLOW = re.compile(r'_(?:jpe?g|png|bmp|webp|tiff?)\.rf\.[0-9A-Za-z]+$', re.IGNORECASE)
_LABEL_STUDIO = re.compile(r'^[0-9a-f]{8}-(?=.)')
_VIDEO_SUFFIX = re.compile(r'[._-](?:mp4|mov|avi|mkv|webm|m4v|mpe?g)(?=$|[._-])', re.IGNORECASE)
_CVAT = re.compile(r'frame_[0-9]{6}')
_FRAME_WORD = re.compile(
    r'(?:^|[^a-z])(?:frames?|frm|f|images?|img|pictures?|pic)[^a-z]*$', re.IGNORECASE
)

_UNITS = {'h': Decimal(3600), 'm': Decimal(60), 's': Decimal(1), 'ms': Decimal('0.001')}
_ANYTHING, _WORDS = '(?:.*?[^0-9.])??', '(?:.*?[^0-9A-Za-z.])??'
_OF_DAY = '(?P<h>[0-9]{1,2})(?P<sep>[-_.:;])(?P<m>[0-5][0-9])(?P=sep)(?P<s>[0-5][0-9]'
_CLOCKS = {
    re.compile(
        f'(?P<before>{before}){form}(?P<after>(?:[^0-9A-Za-z][^0-9]*)?)', re.IGNORECASE
    ): kind
    for kind, before, form in (
        # The last digits of 00-00-10-12 may be of a frame or of a second.
        ('timecode', _ANYTHING, f'{_OF_DAY})(?P=sep)[0-9]{{2}}'),
        ('clock', _ANYTHING, f'{_OF_DAY})[-_.](?P<ms>[0-9]{{3}})'),
        ('clock', _ANYTHING, f'{_OF_DAY}[.,][0-9]{{1,9}})s?'),
        ('clock or numbers', _ANYTHING, f'{_OF_DAY})s?'),
        (
            'clock',
            _ANYTHING,
            '(?:(?P<h>[0-9]{1,9})h[-_ ]?)?(?:(?P<m>[0-9]{1,9})m(?:in)?[-_ ]?)?'
            '(?P<s>[0-9]{1,9}(?:[.,][0-9]{1,9})?) ?s(?:ec(?:ond)?s?|(?P<ms>[0-9]{3})(?:ms)?)?',
        ),
        ('clock', _ANYTHING, '(?P<ms>[0-9]{1,9}(?:[.,][0-9]{1,9})?) ?m(?:illi)?s(?:ec(?:ond)?s?)?'),
        ('clock', _ANYTHING, '(?P<m>[0-9]{1,9}(?:[.,][0-9]{1,9})?) ?min(?:ute)?s?'),
        ('timecode', _ANYTHING, '(?P<m>[0-9]{1,3})m(?P<s>[0-5][0-9])'),
        ('clock', _WORDS, '(?P<m>[0-9]{1,3}):(?P<s>[0-5][0-9])'),
        ('minutes', _WORDS, '(?P<m>[0-9]{1,3})[-_:](?P<s>[0-5][0-9][.,][0-9]{1,9})s?'),
        ('decimals', _WORDS, r'(?P<s>[0-9]{1,9}\.[0-9]{1,9})s?$'),
    )
}
"""Form of a time in the names of pictures -> how sure it is."""

_SECONDS_HEADER = re.compile('time|sec')
_OTHER_UNITS = re.compile('milli|micro|nano|msec|usec|(?:^|[^a-z])ms')
_FRAMES_HEADER = re.compile('frame|index|number')

FRAMES_SHOWN = 12


@dataclass(frozen=True)
class FrameOptions:
    """The user's information on the frames of a file of labels or boxes.

    Args:
        first_number: Number of the video's first frame in the file.
        frame_of: Name of a picture -> its 0-based frame.
        time_of: Name of a picture -> seconds from the first frame.
        subject: What the file holds; it decides which command-line options errors name.
    """

    first_number: int | None = None
    frame_of: Mapping[str, int] = field(default_factory=dict)
    time_of: Mapping[str, float] = field(default_factory=dict)
    subject: FrameSubject = 'labels'

    def __bool__(self) -> bool:
        return self.first_number is not None or bool(self.frame_of) or bool(self.time_of)

    @property
    def number_option(self) -> str:
        """The command-line option for ``first_number``."""
        return FRAME_OPTIONS[self.subject][0]

    @property
    def list_option(self) -> str:
        """The command-line option for ``frame_of`` and ``time_of``."""
        return FRAME_OPTIONS[self.subject][1]


NO_FRAME_OPTIONS = FrameOptions()
NO_BOX_FRAME_OPTIONS = FrameOptions(subject='boxes')


def frame_indices(
    file: PathLike,
    names: Sequence[str],
    *,
    indices: Sequence[int] | None = None,
    times: Sequence[float] | None = None,
    first_number: int | None = None,
    video_names: tuple[str, int] | None = None,
    frame_ids: Sequence[int] | None = None,
) -> tuple[list[int], FrameNumbering]:
    """Find the frame indices of the labelled pictures of one video.

    Args:
        file: The label file, for messages and to look for pictures in its folder.
        names: Names (with or without folders) of all its pictures, in the order of the file and
            unchanged: additions of Roboflow and Label Studio are removed here. '' for a picture
            without a name.
        indices: 0-based frame indices, if the file states them; they take precedence.
        times: Seconds from the start of the video, if the file states them.
        first_number: Number of the video's first frame in the names, if the format fixes it: 0 for
            DeepLabCut's ``img0000.png``.
        video_names: For estimates, where pictures without people may be missing, so that the lowest
            number need not be that of the first frame: the pattern of the names that the tool gives
            the frames of a video, and the number that the first frame then has, unless the video
            shows otherwise.
        frame_ids: Distinct numbers of the pictures in their video, if the file states them. Some
            tools (MMTracking) count from 0, others (CenterTrack, ByteTrack) from 1.

    Returns:
        An index for each name, and how they were found: the ``indices``, else positions with times
        (from ``times``, or as in ``clip_12.480.jpg``), else the one number in which the names
        differ, else the ``frame_ids``, else positions. Numbers that may also be the digits of times
        (``take_2.001.jpg``, ``take_2.101.jpg``) come with these times. If the numbers in the names
        are all one more or one less than the ``frame_ids``, this tells where they start; if they
        differ in another way, a conflict is returned with them. The number in the name of a single
        picture is used only if it looks like a frame number: ``cam1.png`` is not frame 1.

    Raises:
        InputError: If ``indices`` holds an index twice.
    """
    folder, count = Path(file).parent, len(names)
    positions = list(range(count))
    if indices is not None:
        require_distinct(file, 'frame_index', indices)
        return list(indices), FrameNumbering('index', 'frame_index', count, folder=folder)
    stems = [picture_stem(name) for name in names]
    pattern, usual_first = video_names or ('', None)
    if not all(re.search(pattern, base_name(name)) for name in names):
        usual_first = None
    of_frames = first_number is not None or usual_first is not None
    numbers = _numbers_in(stems, of_frames)
    seconds, are_times = _times_in(stems, is_one_number=numbers is not None)
    text, conflict = 'the times of its pictures', ''
    if times is not None and (stated := numbers or frame_ids):
        step, origin = _even_times(stated, times)
        offsets = {number - i for number, i in zip(numbers or (), frame_ids or (), strict=False)}
        agree = len(offsets) == 1 and abs(min(offsets)) <= 1
        # Consecutive numbers may only count the pictures.
        if max(stated) - min(stated) < count:
            conflict = text if agree and step >= 1 else ''
            times = None if conflict else times
        elif agree or (origin in (0, 1) and (step < 1 or count > 2)):
            times = seconds = None
            if origin in (0, 1):
                first_number = origin
            else:
                note(f'{file}: frame_id and the names of the pictures agree, not so {text}')
    if times is None and seconds is not None and are_times and not conflict:
        times, text = seconds, 'the times in the names of the pictures'
    if times is not None:
        by_position = dict(enumerate(times))
        return positions, FrameNumbering('times', text, count, times=by_position, folder=folder)
    if numbers is None and not frame_ids:
        text = 'the order in the file'
        return positions, FrameNumbering('positions', text, count, folder=folder)
    if numbers is None:
        numbers, text = list(frame_ids or ()), 'the fields frame_id of the pictures'
        if min(numbers) == 0:
            return numbers, FrameNumbering('index', 'frame_id', count, folder=folder)
        if first_number is None and min(numbers) == 1:
            first_number = 1
    else:
        text = 'the numbers in the names of the pictures'
        if frame_ids:
            seconds = None
            offsets = {number - i for number, i in zip(numbers, frame_ids, strict=True)}
            # One of the two counts from 0, the other from 1.
            first_number = {1: 1, -1: 0}.get(min(offsets), first_number)
            if len(offsets) > 1 or abs(min(offsets)) > 1:
                conflict = conflict or 'the fields frame_id'
        if first_number is None and (min(numbers) == 0 or video_names is None):
            first_number = _first_number(stems, min(numbers))
    return numbers, FrameNumbering(
        *('names', text, count, min(numbers), max(numbers), first_number, usual_first),
        times={} if seconds is None else dict(zip(numbers, seconds, strict=True)),
        folder=folder,
        conflict=conflict,
    )


def _first_number(stems: Sequence[str], lowest: int) -> int | None:
    """Find the first frame's number from the names of all pictures; None if it is ambiguous."""
    # CVAT counts from 0, but FFmpeg may have written names of this form, counting from 1.
    is_cvat = all(map(_CVAT.fullmatch, stems))
    if lowest == 0 or (is_cvat and lowest > 1):
        return 0
    return 1 if lowest == 1 and not is_cvat else None


def follow_names(names: Mapping[int, str], indices: Iterable[int]) -> dict[int, str]:
    """Name frames like the pictures of some of them, if these names hold their numbers.

    Args:
        names: Frame -> name of its picture, '' for none.
        indices: The frames to name.

    Returns:
        Frame -> the given name, else one of the same folder, form and numbering; '' if the given
        names do not have one form.
    """
    added = [index for index in indices if not names.get(index)]
    if not added:
        return dict(names)
    bases = {i: base_name(name) for i, name in names.items() if name}
    parts = [(i, part) for i, name in bases.items() if (part := _LAST_NUMBER.fullmatch(name))]
    numbers = [int(part[2]) for _, part in parts]
    forms = {(part[1], int(part[2]) - i, part[3]) for i, part in parts}
    digits = {part[2] for _, part in parts}
    widths = {*map(len, digits)}
    if len(widths) > 1 and not any(number.startswith('0') for number in digits if len(number) > 1):
        widths = {1}
    # A folder that is written in several ways is the longest one.
    folder = max((names[i].removesuffix(base) for i, base in bases.items()), key=len, default='')
    stems = [*map(picture_stem, bases.values())]
    _, are_times = _times_in(stems, is_one_number=True)
    if (
        len(forms) == len(widths) == 1
        and numbers == _numbers_in(stems, of_frames=False)
        and not are_times
    ):
        ((start, first, end),), (width,) = forms, widths
        if all(index + first >= 0 for index in added):
            return {**names, **{i: f'{folder}{start}{i + first:0{width}}{end}' for i in added}}
    return {**names, **dict.fromkeys(added, '')}


def slashed(file_name: str) -> str:
    """Replace the backslashes of a Windows path by slashes."""
    return file_name.replace('\\', '/')


def base_name(file_name: str) -> str:
    """Remove the folders from the name of a picture, with slashes or backslashes."""
    return PurePosixPath(slashed(file_name)).name


def decoded(file_name: str) -> str:
    """Replace the backslashes of a path by slashes, and the codes of a URL, such as ``%20``."""
    name = slashed(file_name)
    text = unquote(name)
    # As in img%03d.png, not every percent sign begins a code.
    if text == name or not text.isprintable() or '\ufffd' in text:
        return name
    # A tool may have coded the codes of another one.
    return decoded(text)


def picture_stem(file_name: str) -> str:
    """Reduce the name of a picture to its original name without a suffix.

    Codes of a URL are decoded. Folders, the suffix, additions of Roboflow (``_jpg.rf.<hash>``) and
    Label Studio (``<hash>-``), and the suffix of a video inside the name (``clip_mp4-0007``) are
    removed. Every accented letter becomes one character.
    """
    stem = _SUFFIX.sub('', composed(PurePosixPath(decoded(file_name)).name))
    stem = _LABEL_STUDIO.sub('', _ROBOFLOW.sub('', stem))
    return _VIDEO_SUFFIX.sub('', stem)


def _numbers_in(stems: Sequence[str], of_frames: bool) -> list[int] | None:
    """Read the one number in which the names differ; None if there is no such number.

    Args:
        stems: Names of pictures, see :func:`picture_stem`.
        of_frames: Whether the format says that names hold the numbers of frames.
    """
    parts = [_NUMBER.split(stem) for stem in stems]
    if len({tuple(part[::2]) for part in parts}) != 1:
        return None
    places = range(1, len(parts[0]), 2)
    differing = [place for place in places if len({int(part[place]) for part in parts}) > 1]
    if len(parts) == 1:
        # A single name differs from no other: take its only number, else one at its end.
        ends_in_number = parts[0][-1] == ''
        differing = [*places][-1:] if len(places) == 1 or ends_in_number else []
        if differing and not of_frames and not _is_of_frame(parts[0], differing[0]):
            return None
    if len(differing) != 1:
        return None
    numbers = [int(part[differing[0]]) for part in parts]
    distinct = len(set(numbers)) == len(numbers)
    return numbers if distinct and max(numbers) <= MAX_FRAME_INDEX else None


def _is_of_frame(parts: Sequence[str], place: int) -> bool:
    """Tell whether the number in a single name looks like a frame's, not like a camera's."""
    digits = parts[place]
    is_padded = len(digits) > 1 and digits.startswith('0')
    is_alone = not any(parts[:place]) and not any(parts[place + 1 :])
    return is_padded or is_alone or len(digits) > 3 or bool(_FRAME_WORD.search(parts[place - 1]))


def _even_times(numbers: Sequence[int], times: Sequence[float]) -> tuple[float, int]:
    """Find the time from one number to the next, and the number at time 0; 0, -1 if it varies."""
    (first, start), (last, end) = min(pairs := [*zip(numbers, times, strict=True)]), max(pairs)
    step = (end - start) / max(last - first, 1)
    if all(abs(time - start - step * (number - first)) < step / 2 for number, time in pairs):
        return step, round(first - start / step)
    return 0.0, -1


def _times_in(stems: Sequence[str], is_one_number: bool) -> tuple[list[float] | None, bool]:
    """Read the times in which the names differ, and tell whether they are no numbers of frames.

    Args:
        stems: Names of pictures, see :func:`picture_stem`.
        is_one_number: Whether the names differ in one number only, which may be that of a frame.
    """
    for pattern, kind in _CLOCKS.items():
        matches = [match for stem in stems if (match := pattern.fullmatch(stem))]
        times = [*map(_seconds, matches)]
        frames = {(match['before'], match['after']) for match in matches}
        if stems and len({*times}) == len(stems) and len(frames) == 1:
            is_free = not is_one_number or not _differ_behind_a_dot(stems)
            is_sure = {
                'clock': True,
                'timecode': False,
                'clock or numbers': not is_one_number or not matches[0]['before'],
                'minutes': is_free and (not is_one_number or max(times) < 60),
                'decimals': is_free,
            }
            return times, is_sure[kind]
    return None, False


def _seconds(match: re.Match[str]) -> float:
    """Add up the parts of a time in a name."""
    texts = {name: text.replace(',', '.') for name, text in match.groupdict('0').items()}
    return float(sum(unit * Decimal(texts.get(name, '0')) for name, unit in _UNITS.items()))


def _differ_behind_a_dot(stems: Sequence[str]) -> bool:
    """Tell whether several names differ only in digits after a dot, the same number in each."""
    parts = [stem.rpartition('.') for stem in stems]
    forms = {(before, len(digits)) for before, _, digits in parts}
    return len(stems) > 1 and len(forms) == 1 and all(digits.isdecimal() for *_, digits in parts)


def describe_frames(labels: VideoLabels) -> str:
    """Describe (without a full stop) which frames have labels, and how their indices are known.

    The labels must come from :func:`~stdpose_mm.io.labels.match_frames`.
    """
    indices = labels.given_frame_indices
    frames = f'frame{"" if len(indices) == 1 else "s"} {listed([*map(str, indices)], FRAMES_SHOWN)}'
    what = f'labels on {frames}' if indices else 'no labels'
    return f'{what}, read from {labels.numbering.text if labels.numbering else "the labels"}'


def read_frame_list(path: PathLike, subject: FrameSubject = 'labels') -> FrameOptions:
    """Read the frame or time of each picture from a CSV file.

    Args:
        path: Lines ``name,frame`` (0-based) or, under a header whose second word contains ``time``
            or ``sec``, ``name,seconds``. For frames the header is optional; its second word
            contains ``frame``, ``index`` or ``number``.
        subject: What the file with these pictures holds.

    Raises:
        InputError: If the file is not as described or names a picture twice.
    """
    try:
        rows = list(csv.reader(io.StringIO(read_text(path), newline='')))
    except csv.Error as error:
        raise InputError(f'{path} is not a CSV file of lines name,frame: {error}') from error
    rows = [[cell.strip() for cell in row] for row in rows if any(row)]
    times = False
    if rows and len(rows[0]) == 2 and rows[0][1][:1].isalpha():
        times = _are_seconds(path, rows.pop(0)[1])
    if not rows:
        raise InputError(f'{path} names no picture, expected lines such as shot_a.jpg,312')
    require_distinct(path, 'picture', [row[0] for row in rows])
    expected = 'its time in seconds, such as a.jpg,12.48' if times else 'its frame, such as a.jpg,7'
    pattern = r'[0-9]+(\.[0-9]*)?' if times else r'[0-9]{1,8}'
    for row in rows:
        if len(row) != 2 or not row[0] or not re.fullmatch(pattern, row[1]):
            line = quote(','.join(row))
            raise InputError(f'{path}: every line must be a picture and {expected}, got {line}')
    if times:
        return FrameOptions(time_of={name: float(time) for name, time in rows}, subject=subject)
    return FrameOptions(frame_of={name: int(frame) for name, frame in rows}, subject=subject)


def _are_seconds(path: PathLike, word: str) -> bool:
    """Tell whether a column holds seconds (True) or frames (False) according to its header.

    Raises:
        InputError: If the header names neither.
    """
    lower = word.lower()
    if _SECONDS_HEADER.search(lower) and not _OTHER_UNITS.search(lower):
        return True
    if _FRAMES_HEADER.search(lower):
        return False
    raise InputError(
        f'the second column of {path} has the header {quote(word)}, expected one with "time" or '
        '"sec" for seconds, or with "frame", "index" or "number" for 0-based frames'
    )
