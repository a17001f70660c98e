"""Detection of other tools' files without usable poses, with errors that say what to do."""

from __future__ import annotations

import re
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.file_kinds import kind_of_file

from .fields import read_bytes, shown

_NUMBER = rb'-?[0-9.]+(?:[eE][-+]?[0-9]+)?'
_YOLO_BOXES = re.compile(rb'(?:[0-9]+(?:[ \t]+' + _NUMBER + rb'){4}[ \t]*\r?\n?)+')

_STARTS = {
    b'%PDF': ('a PDF document', 'give the label file itself'),
    b'\x80': ("a pickle of Python's", 'export the labels as COCO JSON, or in another format'),
    b'\x93NUMPY': ('an array of NumPy', 'export the labels as COCO JSON, or in another format'),
    b'MATLAB': ('a MATLAB file', 'export the labels as COCO JSON, or in another format'),
    b'SQLite': ('an SQLite database', 'export the labels from the tool that made it'),
}
_TEXTS = (
    (
        re.compile(rb'<(?:\?xml[^>]*>\s*<)?annotation[\s>]'),
        'a Pascal VOC file, which holds boxes of a picture and no joints',
        'label joints, such as skeletons in CVAT, and export these',
    ),
    (
        _YOLO_BOXES,
        'a YOLO file of boxes without joints',
        'give labels of YOLO pose, which have joints too',
    ),
    (
        re.compile(rb'scorer[;\t]'),
        'a CSV file of DeepLabCut that a spreadsheet has saved with semicolons or tabs',
        'give the file that DeepLabCut wrote, or save it with commas between the columns and '
        'points in the numbers',
    ),
    (
        re.compile(rb'frame,time,person,joint,'),
        'a table that stdpose writes (tidy-csv) and does not read',
        'give the labels that it was made from, or their output as .json',
    ),
    (
        re.compile(rb'PathFileType[ \t]'),
        'a marker file (TRC), which does not tell labels from estimates',
        'give the labels that it was made from',
    ),
)


def refuse_foreign_bytes(path: PathLike) -> None:
    """Refuse a file whose first bytes show that it holds no poses.

    Raises:
        InputError: One sentence that names the kind of file and says what to do.
    """
    kind = kind_of_file(path)
    if kind in ('a video', 'a picture'):
        raise InputError(f'{path} is {kind}, expected a file with labels')
    data = read_bytes(path)
    for start, (what, advice) in _STARTS.items():
        if data.startswith(start):
            raise _refusal(path, what, advice)
    head = data[:4096].removeprefix(b'\xef\xbb\xbf').lstrip()
    # The last line may be cut.
    head = head if len(data) <= 4096 else head.rpartition(b'\n')[0] + b'\n'
    for pattern, what, advice in _TEXTS:
        matched = pattern.fullmatch(head) if pattern is _YOLO_BOXES else pattern.match(head)
        if matched:
            raise _refusal(path, what, advice)


def refuse_other_texts(path: PathLike) -> None:
    """Refuse a file that has neither the suffix nor the beginning of JSON.

    Raises:
        InputError: One sentence that lists the formats that can be read.
    """
    head = read_bytes(path)[:4096].removeprefix(b'\xef\xbb\xbf').lstrip()
    is_called_json = str(path).lower().removesuffix('.gz').endswith('.json')
    if not is_called_json and not head.startswith((b'{', b'[')):
        raise InputError(
            f'{path} is no label file of a known format, expected JSON (COCO, PoseTrack, LabelMe, '
            "Label Studio, MMPose, OpenPose), CVAT's XML or zip, DeepLabCut's or Lightning Pose's "
            "CSV, YOLO-pose's .txt or a SLEAP project"
        )


def foreign_json(path: PathLike, data: Any) -> InputError:
    """Make the error for a JSON file that has no known label format."""
    fields = set(data) if isinstance(data, dict) else set()
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    if 'bbox' in first and 'image_id' in first and 'keypoints' not in first:
        return _refusal(
            path,
            'a list of COCO detections, which are boxes without joints',
            'give a file with joints as the labels; `stdpose infer --boxes` takes this one',
        )
    if fields & {'_via_img_metadata', '_via_settings'} or _is_via_export(data):
        return _refusal(
            path,
            'a project of the VGG Image Annotator, whose points have no joint names',
            'export it as COCO keypoints',
        )
    if {'info', 'categories', 'items'} <= fields:
        return _refusal(
            path, 'a Datumaro data set', 'convert it: `datum convert -f coco_person_keypoints`'
        )
    if {'objects', 'size'} <= fields or {'framesCount', 'figures'} & fields:
        return _refusal(
            path, 'an annotation of Supervisely', 'export the project as COCO keypoints'
        )
    if {'item', 'annotations'} <= fields and 'version' in fields:
        return _refusal(path, 'a Darwin file of V7', 'export the data set as COCO')
    if {'images', 'annotations'} & fields and 'images' not in fields:
        return _refusal(
            path, 'a COCO-like file without "images"', 'export it again with its pictures'
        )
    return InputError(
        f'{path} is no label file of a known format: expected an object with "annolist" '
        '(PoseTrack17), "images" (PoseTrack18, COCO), "shapes" (LabelMe), "people" (OpenPose) '
        'or "instance_info" (MMPose), or a list of tasks (Label Studio), frames (MMPose) or '
        f'results (COCO), got {shown(data)}'
    )


def _is_via_export(data: Any) -> bool:
    values = list(data.values())[:5] if isinstance(data, dict) else []
    return bool(values) and all(
        isinstance(value, dict) and {'filename', 'regions'} <= set(value) for value in values
    )


def _refusal(path: PathLike, what: str, advice: str) -> InputError:
    return InputError(f'{path} is {what}, expected poses of a video: {advice}')
