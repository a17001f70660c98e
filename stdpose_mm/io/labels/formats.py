"""Reading and writing of label files by format name or detected format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stdpose_mm.constants import CVAT_TOLERANCE, LABEL_FORMATS, READ_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.file_names import is_leftover
from stdpose_mm.io.outputs import choose_format
from stdpose_mm.structures import VideoLabels

from .coco import parse_coco, write_coco
from .coco_results import is_coco_results, read_coco_results, write_coco_results
from .cvat import read_cvat
from .cvat_writer import write_cvat
from .deeplabcut import read_deeplabcut, write_deeplabcut
from .fields import read_bytes, read_json, shown
from .foreign_files import foreign_json, refuse_foreign_bytes, refuse_other_texts
from .label_files import LIST_SUFFIX
from .label_studio import is_label_studio, read_label_studio
from .labelled_pictures import label_files_in
from .labelme import is_labelme, read_labelme
from .limits import require_readable
from .mmpose_json import is_mmpose, read_mmpose, write_mmpose
from .openpose import is_openpose, read_openpose
from .posetrack17 import parse_posetrack17
from .posetrack18 import is_posetrack_image, parse_posetrack18, write_posetrack18
from .sleap import is_hdf5, read_sleap, write_sleap
from .tidy_csv import write_tidy_csv
from .trc import TIMES_NEEDED, write_trc
from .yolo_pose import is_yolo_folder, is_yolo_pose, read_yolo_pose

TimeOf = Callable[[int], float | None]
"""Frame -> seconds from the first frame, None if unknown."""

_READERS: dict[str, Callable[[PathLike], list[VideoLabels]]] = {
    'coco-results': read_coco_results,
    'cvat': lambda path: [read_cvat(path)],
    'deeplabcut': read_deeplabcut,
    'label-studio': read_label_studio,
    'labelme': read_labelme,
    'lightning-pose': read_deeplabcut,
    'mmpose': read_mmpose,
    'openpose': read_openpose,
    'sleap': read_sleap,
}

_PARSERS: dict[str, Callable[[PathLike, Any], list[VideoLabels]]] = {
    'coco': parse_coco,
    'posetrack17': lambda path, data: [parse_posetrack17(path, data)],
    'posetrack18': lambda path, data: [parse_posetrack18(path, data)],
    'posetrack21': lambda path, data: [parse_posetrack18(path, data)],
}
"""Formats whose files may be large; they are parsed only once for detection and reading."""

_WRITERS: dict[str, Callable[[VideoLabels, PathLike], None]] = {
    'posetrack18': write_posetrack18,
    'posetrack18-official': partial(write_posetrack18, official=True),
    'posetrack21': write_posetrack18,
    'coco': write_coco,
    'coco-results': write_coco_results,
    'deeplabcut': write_deeplabcut,
    'mmpose': write_mmpose,
    'sleap': write_sleap,
}

_WRITERS_WITH_TIMES: dict[str, Callable[[VideoLabels, PathLike, TimeOf | None], None]] = {
    'tidy-csv': write_tidy_csv,
    'trc': write_trc,
}

_JSON_FORMATS: dict[str, Callable[[Any], bool]] = {
    'labelme': is_labelme,
    'openpose': is_openpose,
    'mmpose': is_mmpose,
    'coco-results': is_coco_results,
    'label-studio': is_label_studio,
}

_POSETRACK_ANNOTATION_FIELDS = {'bbox_head', 'source', 'scores'}


def read_labels(
    path: PathLike,
    format: str | None = None,
    video: str | None = None,
    size: tuple[int, int] | None = None,
    loaded_into_cvat: PathLike | None = None,
) -> VideoLabels:
    """Read the labels of one video.

    Args:
        path: The label file, or the folder of the files of its pictures.
        format: One of ``READ_FORMATS``; by default detected from the content.
        video: Name of the video to take from a file that holds several.
        size: (width, height) of the pictures in pixels, for formats with relative coordinates.
        loaded_into_cvat: See :func:`read_cvat`; for that format only.

    Raises:
        InputError: If the file is not a label file of that format, or holds several videos (or
            none) and ``video`` does not name one of them.
    """
    videos = read_all_labels(path, format, size, loaded_into_cvat)
    if not videos:
        raise InputError(f'{path} lists no picture, expected those of a video')
    if video is not None:
        named = [labels for labels in videos if labels.name == video]
        if not named:
            raise InputError(f'{path} holds no video named {video!r}, only {_names(videos)}')
        videos = named
    if len(videos) != 1:
        raise InputError(
            f'{path} holds {len(videos)} videos ({_names(videos)}), expected one; name the one to '
            'read with --labels-video NAME (stdpose propagate, stdpose review), --video NAME '
            '(stdpose convert, which can also write it to a file of its own) or the argument video '
            'of read_labels'
        )
    return videos[0]


def _names(videos: Sequence[VideoLabels]) -> str:
    names = ', '.join(shown(labels.name) for labels in videos[:5])
    return f'{names}{", ..." if len(videos) > 5 else ""}'


def read_all_labels(
    path: PathLike,
    format: str | None = None,
    size: tuple[int, int] | None = None,
    loaded_into_cvat: PathLike | None = None,
) -> list[VideoLabels]:
    """Read the labels of all videos in a file; arguments as for :func:`read_labels`."""
    if format is not None and format not in READ_FORMATS:
        raise InputError(f'label format must be one of {", ".join(READ_FORMATS)}, got {format!r}')
    format = format or _sniff_bytes(path)
    if format == 'cvat':
        return [read_cvat(path, loaded_into_cvat)]
    if loaded_into_cvat is not None:
        raise InputError(
            f'{path} is no export of CVAT, with which alone {loaded_into_cvat} can be compared'
        )
    if format == 'yolo-pose':
        return read_yolo_pose(path, size)
    if format in _READERS:
        return _READERS[format](path)
    if format is None:
        refuse_other_texts(path)
    data = read_json(path)
    format = format or _sniff_json(path, data)
    if format in _READERS:
        return _READERS[format](path)
    return _PARSERS[format](path, data)


def read_posetrack(path: PathLike) -> VideoLabels:
    """Read a PoseTrack17 annolist, or else PoseTrack18's form with any skeleton.

    Raises:
        InputError: If the file is neither.
    """
    data = read_json(path)
    is_annolist = isinstance(data, dict) and 'annolist' in data
    return parse_posetrack17(path, data) if is_annolist else parse_posetrack18(path, data)


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
        time_of: Seconds of a frame from the first one, for formats that hold times.
        cvat_tolerance: See :func:`write_cvat`; for that format only.

    Raises:
        InputError: If there is no such format, the suffix belongs to another format, coordinates
            are too large to be read again, or the file cannot be written.
    """
    format = choose_format(path, format)
    require_readable(labels)
    if format == 'cvat':
        write_cvat(labels, path, cvat_tolerance)
    elif format in _WRITERS_WITH_TIMES:
        _WRITERS_WITH_TIMES[format](labels, path, time_of)
    else:
        _WRITERS[format](labels, path)


def require_times(format: str, time_of: TimeOf | None) -> None:
    """Refuse, before long work, a format that cannot be written without times.

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
    format = _sniff_bytes(path)
    if format is None:
        refuse_other_texts(path)
        format = _sniff_json(path, read_json(path))
    return format


def stands_for_many(path: PathLike, format: str | None = None) -> bool:
    """Tell whether a path is a folder or list of label files with one video each.

    A folder may also hold one file for each picture of a video, as in LabelMe, and a text file
    may be one of YOLO-pose.

    Args:
        path: A file or folder.
        format: Format of the path, if known.
    """
    if format in LABEL_FORMATS and LABEL_FORMATS[format].folder:
        return False
    if Path(path).is_dir():
        return _sniff_folder(Path(path)) is None
    return Path(path).suffix == LIST_SUFFIX and _sniff_bytes(path) is None


def _sniff_bytes(path: PathLike) -> str | None:
    """Find the format of a folder or a file that is not JSON; None for possible JSON."""
    if Path(path).is_dir():
        format = _sniff_folder(Path(path))
        if format is None:
            raise InputError(
                f'{path} is a folder, expected a label file, or a folder with a file for each '
                'picture of YOLO-pose, LabelMe, OpenPose or MMPose'
            )
        return format
    if is_hdf5(path):
        if Path(path).suffix != '.slp':
            raise InputError(
                f'{path} is an HDF5 file, expected a SLEAP project (.slp), or the CSV file that '
                'DeepLabCut writes beside its .h5'
            )
        return 'sleap'
    refuse_foreign_bytes(path)
    head = read_bytes(path)[:100_000].removeprefix(b'\xef\xbb\xbf').lstrip()
    if head.startswith((b'<', b'PK')):
        return 'cvat'
    if head.startswith(b'scorer,'):
        return 'deeplabcut'
    is_yolo = Path(path).suffix in ('.yaml', '.yml') or is_yolo_pose(head)
    return 'yolo-pose' if is_yolo else None


def _sniff_folder(folder: Path) -> str | None:
    """Find the format of a folder with one label file per picture; None if it has none."""
    holds_json = any(map(_may_be_json, folder.iterdir()))
    found = _sniff_json_files(folder) if holds_json else None
    if is_yolo_folder(folder):
        if found is not None:
            raise InputError(
                f'{folder} holds label files of YOLO-pose and of {found}, say which to read '
                '(--from of stdpose convert), or give a folder of one kind'
            )
        return 'yolo-pose'
    return found


def _may_be_json(file: Path) -> bool:
    return file.suffix.lower() == '.json' and not is_leftover(file) and file.is_file()


def _sniff_json_files(folder: Path) -> str | None:
    for file in label_files_in(folder, _may_be_json):
        data = read_json(file)
        if data != []:
            # A file for a picture in which MMPose found nobody does not show its format.
            picture_formats = ('labelme', 'openpose', 'mmpose')
            return next((name for name in picture_formats if _JSON_FORMATS[name](data)), None)
    return None


def _sniff_json(path: PathLike, data: Any) -> str:
    for name, is_it in _JSON_FORMATS.items():
        if is_it(data):
            return name
    if isinstance(data, dict) and 'annolist' in data:
        return 'posetrack17'
    if not isinstance(data, dict) or not isinstance(data.get('images'), list):
        raise foreign_json(path, data)
    image_fields = _fields_of(data['images'])
    if 'videos' in data or 'video_id' in image_fields:
        return 'coco'
    annotation_fields = _fields_of(data.get('annotations'))
    images = [image for image in data['images'][:100] if isinstance(image, dict)]
    if any(map(is_posetrack_image, images)) or annotation_fields & _POSETRACK_ANNOTATION_FIELDS:
        return 'posetrack21' if 'person_id' in annotation_fields else 'posetrack18'
    return 'coco'


def _fields_of(items: Any) -> set[str]:
    items = items if isinstance(items, list) else []
    return {name for item in items[:100] if isinstance(item, dict) for name in item}
