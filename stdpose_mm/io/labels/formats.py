"""Registry of the label formats: how each is recognised, read and written."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stdpose_mm.constants import CVAT_TOLERANCE, LABEL_FORMATS, READ_FORMATS
from stdpose_mm.errors import InputError, note, require_choice
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.outputs import choose_format
from stdpose_mm.structures import VideoLabels
from stdpose_mm.text import either, listed

from .coco import holds_several_videos, is_coco, parse_coco
from .fields import quote
from .foreign_files import foreign_json, refuse_foreign_bytes, refuse_other_texts
from .label_files import LIST_SUFFIX
from .label_source import LabelSource, read_json
from .poses import note_corner, refuse_fractions, require_readable
from .posetrack17 import is_posetrack17, parse_posetrack17
from .posetrack18 import has_posetrack_form, parse_posetrack18
from .tables import TIMES_NEEDED, TimeOf

_OPTIONS = {
    'category': '--labels-category',
    'loaded_into_cvat': '--loaded-into-cvat',
    'visible_as_1': '--visible-as-1',
}
"""Option of a reader that only some formats take -> its name on the command line."""


def _load(name: str) -> Callable[..., Any]:
    """Import a function of a format, given as ``module:function``."""
    loaded: Callable[..., Any] = pkgutil.resolve_name(f'{__package__}.{name}')
    return loaded


def read_labels(
    path: PathLike,
    format: str | None = None,
    video: str | None = None,
    size: tuple[int, int] | None = None,
    loaded_into_cvat: PathLike | None = None,
    visible_as_1: bool = False,
    category: str | None = None,
) -> VideoLabels:
    """Read the labels of one video.

    Args:
        path: The label file, or the folder of the label files of its pictures.
        format: One of ``READ_FORMATS``; by default detected from the content.
        video: Name of the video to read from a file that holds several.
        size: (width, height) of the pictures in pixels, for formats with relative coordinates.
        loaded_into_cvat: See :func:`~stdpose_mm.io.labels.cvat.read_cvat`; for that format only.
        visible_as_1: See :func:`~stdpose_mm.io.labels.coco.parse_coco`; for that format only.
        category: The category to read, if there are several with different joints.

    Raises:
        InputError: If the file is not a label file of that format, or holds several videos (or
            none) and ``video`` does not name one of them.
    """
    videos = read_all_labels(path, format, size, loaded_into_cvat, visible_as_1, category)
    if not videos:
        raise InputError(f'{path} lists no pictures, expected those of a video')
    if video is not None:
        named = [labels for labels in videos if labels.name == video]
        if not named:
            raise InputError(f'{path} holds no video named {video!r}, only {_names(videos)}')
        videos = named
    if len(videos) != 1:
        raise InputError(
            f'{path} holds {len(videos)} videos ({_names(videos)}), expected one, give its name '
            '(--labels-video of propagate and review, --video of convert, video in Python)'
        )
    return videos[0]


def _names(videos: Sequence[VideoLabels]) -> str:
    names = ', '.join(quote(labels.name) for labels in videos[:5])
    return f'{names}{", ..." if len(videos) > 5 else ""}'


def read_all_labels(
    path: PathLike,
    format: str | None = None,
    size: tuple[int, int] | None = None,
    loaded_into_cvat: PathLike | None = None,
    visible_as_1: bool = False,
    category: str | None = None,
) -> list[VideoLabels]:
    """Read the labels of all videos in a file; arguments as for :func:`read_labels`."""
    if format is not None:
        require_choice('label format', format, READ_FORMATS)
    source = LabelSource.of(path)
    try:
        return _read(
            source,
            format,
            size=size,
            category=category,
            loaded_into_cvat=loaded_into_cvat,
            visible_as_1=visible_as_1 or None,
        )
    finally:
        source.close()


def _read(source: LabelSource, format: str | None, **options: Any) -> list[VideoLabels]:
    """Read all videos with the options that are not None; see :func:`read_all_labels`."""
    format, data = _recognise(source) if format is None else (format, None)
    form = LABEL_FORMATS[format]
    options = {name: value for name, value in options.items() if value is not None}
    for name in options.keys() & _OPTIONS.keys() - {*form.takes}:
        formats = [other for other, of_other in LABEL_FORMATS.items() if name in of_other.takes]
        raise InputError(
            f'{source} has the format {format}, but {_OPTIONS[name]} needs {either(formats)}'
        )
    content: tuple[Any, ...] = ()
    if form.is_json and not form.folder:
        if data is None:
            data = _recognise_zip(source, format)[1] if source.is_zip else source.json
        content = (data,)
    elif form.is_json:
        content = (_documents(source, _load(form.is_json)),)
    taken = {name: value for name, value in options.items() if name in form.takes}
    result = _load(form.read)(source, *content, **taken)
    videos = [result] if isinstance(result, VideoLabels) else result
    note_corner(source, videos)
    if not form.fractions:
        refuse_fractions(source, videos)
    return videos


def _documents(source: LabelSource, is_format: Callable[[Any], bool]) -> Iterator[tuple[Path, Any]]:
    """Yield the JSON files of a folder or zip that have a format, and note which ones do not.

    Raises:
        InputError: If a file without this format is named like the others, except for numbers.
    """
    names: set[str] = set()
    others = {}
    for path, data in source.json_documents():
        # MMPose's file for a picture without people is an empty list.
        if (source.is_folder or source.is_zip) and data != [] and not is_format(data):
            others[path] = data
        else:
            names.add(re.sub('[0-9]+', '0', path.name))
            yield path, data
    for path, data in others.items():
        if re.sub('[0-9]+', '0', path.name) in names:
            raise foreign_json(path, data)
    if others:
        left_out = listed([path.name for path in others], 5)
        note(f'{source}: left out {left_out}: JSON that is not labels of this format')


def read_posetrack(path: PathLike) -> list[VideoLabels]:
    """Read the videos of a PoseTrack17 annolist, or of a COCO-like file with any skeleton.

    A file in PoseTrack18's form holds one video, named after the file. Any other file may hold
    several, see :func:`parse_coco`.

    Raises:
        InputError: If the file is none of these.
    """
    data = read_json(path)
    if is_coco(data) and not has_posetrack_form(data) and holds_several_videos(data):
        return parse_coco(path, data)
    return [(parse_posetrack17 if is_posetrack17(data) else parse_posetrack18)(path, data)]


def write_labels(
    labels: VideoLabels,
    path: PathLike,
    format: str | None = None,
    time_of: TimeOf | None = None,
    cvat_tolerance: float | None = CVAT_TOLERANCE,
) -> None:
    """Write the labels of one video, atomically.

    Args:
        labels: The labels.
        path: The file to write.
        format: One of ``WRITE_FORMATS``; by default the first format with this suffix.
        time_of: Frame -> seconds from the first frame, for formats that hold times.
        cvat_tolerance: See :func:`write_cvat`; for that format only.

    Raises:
        InputError: If the format is unknown, the suffix belongs to another format, coordinates
            are too large to be read again, or the file cannot be written.
    """
    format = choose_format(path, format)
    require_readable(labels)
    form = LABEL_FORMATS[format]
    options = (cvat_tolerance,) if format == 'cvat' else (time_of,) if form.times else ()
    _load(form.write)(labels, path, *options)


def require_times(format: str, time_of: TimeOf | None) -> None:
    """Check before long work that the format can be written with the known times.

    Raises:
        InputError: If ``time_of`` is None and the format needs it.
    """
    if format == 'trc' and time_of is None:
        raise InputError(TIMES_NEEDED)


def sniff_format(path: PathLike) -> str:
    """Find the format of a label file or folder, one of ``READ_FORMATS``, from its content.

    Raises:
        InputError: If it is none of them.
    """
    return _recognise(LabelSource.of(path))[0]


def stands_for_many(path: PathLike, format: str | None = None) -> bool:
    """Tell whether a path is a folder or list of label files with one video each.

    It is not if a folder holds one file per picture of a video, as in LabelMe, or if a text file
    is a label file of YOLO-pose.

    Args:
        path: A file or folder.
        format: Format of the path, if known.
    """
    source = LabelSource.of(path)
    if format in LABEL_FORMATS and LABEL_FORMATS[format].folder:
        return False
    if source.is_folder:
        return _format_of_folder(source) is None
    return Path(source).suffix == LIST_SUFFIX and _format_of_bytes(source) is None


def _recognise(source: LabelSource) -> tuple[str, Any]:
    """Find the format of a source, and its parsed JSON if it is a JSON file, else None."""
    format = _format_of_folder(source) if source.is_folder else _format_of_bytes(source)
    if format is not None:
        return format, None
    if source.is_folder:
        raise InputError(f'{source} is a folder, expected label files of one format in it')
    if source.is_zip:
        return _recognise_zip(source)
    refuse_other_texts(source)
    format = _format_of_json(source.json)
    if format is None:
        raise foreign_json(source, source.json)
    return format, source.json


def _format_of_json(data: Any) -> str | None:
    forms = LABEL_FORMATS.items()
    return next((n for n, form in forms if form.is_json and _load(form.is_json)(data)), None)


def _recognise_zip(source: LabelSource, known_as: str | None = None) -> tuple[str, Any]:
    """Find the format of a zip with a label file in JSON, or one a picture; return one's JSON."""
    parsed = source.zipped_json
    formats = {n: format for n, data in parsed.items() if (format := _format_of_json(data))}
    if known_as is not None:
        named = [name for name, format in formats.items() if format == known_as]
        formats = dict.fromkeys(named or parsed, known_as)
    if not formats and len(parsed) == 1:
        ((name, data),) = parsed.items()
        raise foreign_json(f'{source}: {name}', data)
    name, format = next(iter(formats.items()), ('', ''))
    is_folder = {*formats.values()} == {format} and LABEL_FORMATS[format].folder
    if len(formats) != 1 and not is_folder:
        what = listed([*formats], 3) or 'none'
        raise InputError(f'{source} is a zip, expected one label file in it ({what}), unpack it')
    return format, parsed[name]


def _format_of_bytes(source: LabelSource) -> str | None:
    """Find the format of a file by its bytes; None if it may be JSON."""
    if not source.is_hdf5:
        refuse_foreign_bytes(source)
    forms = LABEL_FORMATS.items()
    return next((n for n, form in forms if form.is_bytes and _load(form.is_bytes)(source)), None)


def _format_of_folder(folder: LabelSource) -> str | None:
    """Find the format of a folder with one label file per picture; None for other folders."""
    forms = LABEL_FORMATS.items()
    formats = [n for n, form in forms if form.is_folder and _load(form.is_folder)(folder)]
    of_json = {n: _load(form.is_json) for n, form in forms if form.folder and form.is_json}
    for file in folder.json_files:
        names = [name for name, is_format in of_json.items() if is_format(file.json)]
        formats += names[:1]
        if names:
            break
        file.close()
    if len(formats) > 1:
        raise InputError(
            f'{folder} holds {" and ".join(formats)}, keep one format or name one with --from'
        )
    return formats[0] if formats else None
