"""Label files by name of their format, or by what is in them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stdpose_mm.choices import READ_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.outputs import choose_format
from stdpose_mm.structures import VideoLabels

from .coco import parse_coco, write_coco
from .cvat import read_cvat, write_cvat
from .deeplabcut import read_deeplabcut
from .fields import read_bytes, read_json, shown
from .foreign_files import foreign_json, refuse_foreign_bytes
from .posetrack17 import parse_posetrack17
from .posetrack18 import parse_posetrack18, write_posetrack18
from .sleap import is_hdf5, read_sleap, write_sleap

_WRITERS: dict[str, Callable[[VideoLabels, PathLike], None]] = {
    'posetrack18': write_posetrack18,
    'posetrack18-official': partial(write_posetrack18, official=True),
    'posetrack21': write_posetrack18,
    'coco': write_coco,
    'cvat': write_cvat,
    'sleap': write_sleap,
}

_POSETRACK_IMAGE_FIELDS = {'frame_id', 'vid_id', 'nframes', 'is_labeled', 'has_no_densepose'}
_POSETRACK_ANNOTATION_FIELDS = {'bbox_head', 'source', 'scores'}


def read_labels(path: PathLike, format: str | None = None, video: str | None = None) -> VideoLabels:
    """Read the labels of one video.

    Args:
        path: The label file.
        format: One of ``READ_FORMATS``; by default found out from the content.
        video: Name of the video to take from a file that holds several.

    Raises:
        InputError: If the file is not a label file of that format, or holds several videos (or
            none) and ``video`` does not name one of them.
    """
    videos = read_all_labels(path, format)
    if video is not None:
        videos = [labels for labels in videos if labels.name == video]
        if not videos:
            raise InputError(f'{path} holds no video named {video!r}')
    if len(videos) != 1:
        names = ', '.join(shown(labels.name) for labels in videos[:5])
        raise InputError(
            f'{path} holds {len(videos)} videos ({names}{", ..." if len(videos) > 5 else ""}), '
            'expected one; name the one to read'
        )
    return videos[0]


def read_all_labels(path: PathLike, format: str | None = None) -> list[VideoLabels]:
    """Read the labels of all videos in a file; arguments as for :func:`read_labels`."""
    if format is not None and format not in READ_FORMATS:
        raise InputError(f'label format must be one of {", ".join(READ_FORMATS)}, got {format!r}')
    format = format or _sniff_bytes(path)
    if format == 'cvat':
        return [read_cvat(path)]
    if format == 'sleap':
        return read_sleap(path)
    if format == 'deeplabcut':
        return read_deeplabcut(path)
    data = read_json(path)
    format = format or _sniff_json(path, data)
    if format == 'posetrack17':
        return [parse_posetrack17(path, data)]
    if format == 'coco':
        return parse_coco(path, data)
    return [parse_posetrack18(path, data)]


def read_posetrack(path: PathLike) -> VideoLabels:
    """Read a PoseTrack17 annolist, or else PoseTrack18's form with any skeleton.

    Raises:
        InputError: If the file is neither.
    """
    data = read_json(path)
    is_annolist = isinstance(data, dict) and 'annolist' in data
    return parse_posetrack17(path, data) if is_annolist else parse_posetrack18(path, data)


def write_labels(labels: VideoLabels, path: PathLike, format: str | None = None) -> None:
    """Write the labels of one video, atomically.

    Args:
        labels: The labels.
        path: The file to write.
        format: One of ``WRITE_FORMATS``; by default the first that such a name stands for.

    Raises:
        InputError: If there is no such format, the name belongs to another one, or the file cannot
            be written.
    """
    _WRITERS[choose_format(path, format)](labels, path)


def sniff_format(path: PathLike) -> str:
    """Find the format of a label file, one of ``READ_FORMATS``, from its content.

    Raises:
        InputError: If it is none of them.
    """
    return _sniff_bytes(path) or _sniff_json(path, read_json(path))


def _sniff_bytes(path: PathLike) -> str | None:
    """Find the format of a file that is not JSON; None for what may be JSON."""
    if is_hdf5(path):
        if Path(path).suffix != '.slp':
            raise InputError(
                f'{path} is an HDF5 file, expected a SLEAP project (.slp), or the CSV file that '
                'DeepLabCut writes beside its .h5'
            )
        return 'sleap'
    refuse_foreign_bytes(path)
    head = read_bytes(path)[:200].removeprefix(b'\xef\xbb\xbf').lstrip()
    if head.startswith((b'<', b'PK')):
        return 'cvat'
    return 'deeplabcut' if head.startswith(b'scorer,') else None


def _sniff_json(path: PathLike, data: Any) -> str:
    if isinstance(data, dict) and 'annolist' in data:
        return 'posetrack17'
    if not isinstance(data, dict) or not isinstance(data.get('images'), list):
        raise foreign_json(path, data)
    image_fields = _fields_of(data['images'])
    if 'videos' in data or 'video_id' in image_fields:
        return 'coco'
    annotation_fields = _fields_of(data.get('annotations'))
    if image_fields & _POSETRACK_IMAGE_FIELDS or annotation_fields & _POSETRACK_ANNOTATION_FIELDS:
        return 'posetrack21' if 'person_id' in annotation_fields else 'posetrack18'
    return 'coco'


def _fields_of(items: Any) -> set[str]:
    items = items if isinstance(items, list) else []
    return {name for item in items[:100] if isinstance(item, dict) for name in item}
