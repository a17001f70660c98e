"""Registry of the label formats: how each is recognised, read and written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stdpose_mm.constants import CVAT_TOLERANCE, LABEL_FORMATS, READ_FORMATS
from stdpose_mm.errors import InputError, require_choice
from stdpose_mm.io import PathLike
from stdpose_mm.io.file_names import is_leftover
from stdpose_mm.io.outputs import choose_format
from stdpose_mm.structures import VideoLabels

from .coco import holds_several_videos, is_coco_like, parse_coco, write_coco
from .coco_results import is_coco_results, parse_coco_results, write_coco_results
from .cvat import read_cvat
from .cvat_writer import write_cvat
from .deeplabcut import read_deeplabcut, tables_in, write_deeplabcut
from .fields import read_bytes, read_json, shown
from .foreign_files import foreign_json, refuse_foreign_bytes, refuse_other_texts
from .label_files import LIST_SUFFIX
from .label_studio import is_label_studio, parse_label_studio, write_label_studio
from .labelled_pictures import label_files_in, usable_files
from .labelme import is_labelme, parse_labelme, write_labelme
from .mediapipe import is_mediapipe, parse_mediapipe
from .mmpose_json import is_mmpose, parse_mmpose, write_mmpose
from .openpose import is_openpose, parse_openpose, write_openpose
from .poses import note_corner, require_readable
from .posetrack17 import is_posetrack17, parse_posetrack17
from .posetrack18 import is_posetrack18, is_posetrack21, parse_posetrack18, write_posetrack18
from .sleap import is_hdf5, read_sleap, write_sleap
from .tables import TIMES_NEEDED, TimeOf, write_movement, write_tidy_csv, write_trc
from .yolo_pose import is_yolo_folder, is_yolo_pose, read_yolo_pose, write_yolo_pose


@dataclass(frozen=True)
class _Format:
    """The functions of a format; ``LABEL_FORMATS`` describes its other properties.

    Args:
        write: Writes the labels of a video to a path.
        read: Reads the labels. It takes a path; for a JSON format also the parsed JSON or, if there
            is one file per picture, pairs of a file and its parsed JSON.
        recognises: Tells whether parsed JSON has this format; the first format that matches is
            used. None for a format that is not JSON.
    """

    write: Callable[..., None] | None = None
    read: Callable[..., list[VideoLabels] | VideoLabels] | None = None
    recognises: Callable[[Any], bool] | None = None


_FORMATS = {
    'labelme': _Format(write_labelme, parse_labelme, is_labelme),
    'openpose': _Format(write_openpose, parse_openpose, is_openpose),
    'mmpose': _Format(write_mmpose, parse_mmpose, is_mmpose),
    'coco-results': _Format(write_coco_results, parse_coco_results, is_coco_results),
    'label-studio': _Format(write_label_studio, parse_label_studio, is_label_studio),
    'mediapipe': _Format(None, parse_mediapipe, is_mediapipe),
    'posetrack17': _Format(None, parse_posetrack17, is_posetrack17),
    'posetrack21': _Format(write_posetrack18, parse_posetrack18, is_posetrack21),
    'posetrack18': _Format(write_posetrack18, parse_posetrack18, is_posetrack18),
    'posetrack18-official': _Format(partial(write_posetrack18, official=True)),
    'coco': _Format(write_coco, parse_coco, is_coco_like),
    'cvat': _Format(write_cvat, read_cvat),
    'deeplabcut': _Format(write_deeplabcut, read_deeplabcut),
    'deeplabcut-h5': _Format(write_deeplabcut, read_deeplabcut),
    'lightning-pose': _Format(partial(write_deeplabcut, visible=True), read_deeplabcut),
    'sleap': _Format(write_sleap, read_sleap),
    'yolo-pose': _Format(write_yolo_pose, read_yolo_pose),
    'tidy-csv': _Format(write_tidy_csv),
    'movement': _Format(write_movement),
    'trc': _Format(write_trc),
}


def read_labels(
    path: PathLike,
    format: str | None = None,
    video: str | None = None,
    size: tuple[int, int] | None = None,
    loaded_into_cvat: PathLike | None = None,
    visible_as_1: bool = False,
) -> VideoLabels:
    """Read the labels of one video.

    Args:
        path: The label file, or the folder of the label files of its pictures.
        format: One of ``READ_FORMATS``; by default detected from the content.
        video: Name of the video to read from a file that holds several.
        size: (width, height) of the pictures in pixels, for formats with relative coordinates.
        loaded_into_cvat: See :func:`read_cvat`; for that format only.
        visible_as_1: See :func:`parse_coco`; for that format only.

    Raises:
        InputError: If the file is not a label file of that format, or holds several videos (or
            none) and ``video`` does not name one of them.
    """
    videos = read_all_labels(path, format, size, loaded_into_cvat, visible_as_1)
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
    names = ', '.join(shown(labels.name) for labels in videos[:5])
    return f'{names}{", ..." if len(videos) > 5 else ""}'


def read_all_labels(
    path: PathLike,
    format: str | None = None,
    size: tuple[int, int] | None = None,
    loaded_into_cvat: PathLike | None = None,
    visible_as_1: bool = False,
) -> list[VideoLabels]:
    """Read the labels of all videos in a file; arguments as for :func:`read_labels`."""
    if format is not None:
        require_choice('label format', format, READ_FORMATS)
    format, data = _sniff(path) if format is None else (format, None)
    if loaded_into_cvat is not None and format != 'cvat':
        raise InputError(f'{path} is not a CVAT export, but --loaded-into-cvat needs one')
    form = _FORMATS[format]
    if visible_as_1 and format != 'coco':
        raise InputError(f'{path} is not a COCO file, but --visible-as-1 needs one')
    of_format: dict[str, Any] = {'cvat': loaded_into_cvat, 'coco': visible_as_1}
    of_format |= dict.fromkeys(('yolo-pose', 'mediapipe'), size)
    options = [of_format[format]] if format in of_format else []
    assert form.read is not None
    if form.recognises is None:
        found = form.read(path, *options)
    elif LABEL_FORMATS[format].folder:
        files = label_files_in(path, _is_called_json)
        documents = ((file, read_json(file)) for file in files)
        found = form.read(path, documents if data is None else [(Path(path), data)])
    else:
        found = form.read(path, read_json(path) if data is None else data, *options)
    videos = [found] if isinstance(found, VideoLabels) else found
    note_corner(path, videos)
    return videos


def read_posetrack(path: PathLike) -> list[VideoLabels]:
    """Read the videos of a PoseTrack17 annolist, or of a COCO-like file with any skeleton.

    A file in PoseTrack18's form holds one video, named after the file. Any other file may hold
    several, see :func:`parse_coco`.

    Raises:
        InputError: If the file is none of these.
    """
    data = read_json(path)
    if is_coco_like(data) and not is_posetrack18(data) and holds_several_videos(data):
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
    write = _FORMATS[format].write
    assert write is not None
    options = (cvat_tolerance,) if format == 'cvat' else ()
    write(labels, path, *((time_of,) if LABEL_FORMATS[format].times else options))


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
    return _sniff(path)[0]


def stands_for_many(path: PathLike, format: str | None = None) -> bool:
    """Tell whether a path is a folder or list of label files with one video each.

    It is not if a folder holds one file per picture of a video, as in LabelMe, or if a text file
    is a label file of YOLO-pose.

    Args:
        path: A file or folder.
        format: Format of the path, if known.
    """
    if format in LABEL_FORMATS and LABEL_FORMATS[format].folder:
        return False
    if Path(path).is_dir():
        return _sniff_folder(Path(path)) is None
    return Path(path).suffix == LIST_SUFFIX and _sniff_bytes(path) is None


def _sniff(path: PathLike) -> tuple[str, Any]:
    """Find the format of a path, and its parsed JSON if it is a JSON file."""
    format = _sniff_folder(Path(path)) if Path(path).is_dir() else _sniff_bytes(path)
    if format is not None:
        return format, None
    if Path(path).is_dir():
        raise InputError(f'{path} is a folder, expected label files of one format in it')
    refuse_other_texts(path)
    data = read_json(path)
    for name, form in _FORMATS.items():
        if form.recognises is not None and form.recognises(data):
            return name, data
    raise foreign_json(path, data)


def _sniff_bytes(path: PathLike) -> str | None:
    """Find the format of a file by its bytes; None if it may be JSON."""
    if is_hdf5(path):
        return 'sleap' if Path(path).suffix == '.slp' else 'deeplabcut-h5'
    refuse_foreign_bytes(path)
    head = read_bytes(path)[:100_000].removeprefix(b'\xef\xbb\xbf').lstrip()
    if head.startswith((b'<', b'PK')):
        return 'cvat'
    if head.startswith(b'scorer,'):
        return 'deeplabcut'
    is_yolo = Path(path).suffix in ('.yaml', '.yml') or is_yolo_pose(head)
    return 'yolo-pose' if is_yolo else None


def _sniff_folder(folder: Path) -> str | None:
    """Find the format of a folder with one label file per picture; None for other folders."""
    found = ['yolo-pose'] if is_yolo_folder(folder) else []
    found += ['deeplabcut'] if tables_in(folder) else []
    files = [file for file in folder.iterdir() if _is_called_json(file) and file.is_file()]
    if any(not is_leftover(file) for file in files):
        # MMPose's file for a picture without people is an empty list and does not show its format.
        contents = map(read_json, usable_files(folder, files))
        data: Any = next((data for data in contents if data != []), None)
        found += [
            name
            for name, form in _FORMATS.items()
            if LABEL_FORMATS[name].folder and form.recognises and form.recognises(data)
        ][:1]
    if len(found) > 1:
        raise InputError(
            f'{folder} holds {" and ".join(found)}, keep one format or name one with --from'
        )
    return found[0] if found else None


def _is_called_json(file: Path) -> bool:
    return file.suffix.lower() == '.json'
