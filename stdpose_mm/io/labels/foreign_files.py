"""Detection of other tools' files without usable poses, with errors that say what to do."""

from __future__ import annotations

import re
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.io.atomic import PathLike
from stdpose_mm.io.file_names import kind_of_file

from .fields import read_bytes, shown

_NUMBER = rb'-?[0-9.]+(?:[eE][-+]?[0-9]+)?'
_EXPORT = 'export the labels as COCO JSON, or in another format'

_STARTS = (
    (rb'%PDF', 'a PDF document', 'give the label file itself'),
    (rb'\x80', "a pickle of Python's", _EXPORT),
    (rb'\x93NUMPY', 'an array of NumPy', _EXPORT),
    (rb'MATLAB', 'a MATLAB file', _EXPORT),
    (rb'SQLite', 'an SQLite database', _EXPORT),
    (
        rb'\s*<(?:\?xml[^>]*>\s*<)?annotation[\s>]',
        'a Pascal VOC file, which holds boxes of a picture and no joints',
        'label joints, such as skeletons in CVAT, and export these',
    ),
    (
        rb'\s*(?:[0-9]+(?:[ \t]+' + _NUMBER + rb'){4}[ \t]*(?:\r?\n|\Z))+\Z',
        'a YOLO file of boxes without joints',
        'give labels of YOLO pose, which have joints too',
    ),
    (
        rb'\s*scorer[;\t]',
        'a CSV file of DeepLabCut that a spreadsheet has saved with semicolons or tabs',
        'give the file that DeepLabCut wrote, or save it with commas between the columns and '
        'points in the numbers',
    ),
    (
        rb'\s*frame,time,person,joint,',
        'a table that stdpose writes (tidy-csv) and does not read',
        'give the labels that it was made from, or their output as .json',
    ),
    (
        rb'\s*PathFileType[ \t]',
        'a marker file (TRC), which does not tell labels from estimates',
        'give the labels that it was made from',
    ),
)
"""How a file begins, what it is, and what to do."""

_VIA = 'a project of the VGG Image Annotator, whose points have no joint names'
_SUPERVISELY = 'an annotation of Supervisely'

_FIELDS = (
    (
        {'[]', 'bbox', 'image_id'},
        'a list of COCO detections, which are boxes without joints',
        'give a file with joints as the labels; `stdpose infer --boxes` takes this one',
    ),
    ({'_via_img_metadata'}, _VIA, 'export it as COCO keypoints'),
    ({'_via_settings'}, _VIA, 'export it as COCO keypoints'),
    ({'{}', 'filename', 'regions'}, _VIA, 'export it as COCO keypoints'),
    (
        {'info', 'categories', 'items'},
        'a Datumaro data set',
        'convert it: `datum convert -f coco_person_keypoints`',
    ),
    ({'objects', 'size'}, _SUPERVISELY, 'export the project as COCO keypoints'),
    ({'framesCount'}, _SUPERVISELY, 'export the project as COCO keypoints'),
    ({'figures'}, _SUPERVISELY, 'export the project as COCO keypoints'),
    ({'item', 'annotations', 'version'}, 'a Darwin file of V7', 'export the data set as COCO'),
    (
        {'annotations'},
        'a COCO-like file without a list of "images"',
        'export it again with its pictures',
    ),
)
"""Fields of a JSON object, what it is, and what to do; behind '[]' and '{}' fields of the first
object in a list or an object."""


def refuse_foreign_bytes(path: PathLike) -> None:
    """Refuse a file whose first bytes show that it holds no poses.

    Raises:
        InputError: One sentence that names the kind of file and says what to do.
    """
    kind = kind_of_file(path)
    if kind in ('a video', 'a picture'):
        raise InputError(f'{path} is {kind}, expected a file with labels')
    data = read_bytes(path)
    # The last line may be cut.
    head = data if len(data) <= 4096 else data[:4096].rpartition(b'\n')[0] + b'\n'
    for start, what, advice in _STARTS:
        if re.match(start, head.removeprefix(b'\xef\xbb\xbf')):
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
    fields, items = set(), data
    if isinstance(data, dict):
        fields, items = set(data), [*data.values()]
    if isinstance(items, list) and items and isinstance(items[0], dict):
        fields |= {'{}' if isinstance(data, dict) else '[]', *items[0]}
    for wanted, what, advice in _FIELDS:
        if wanted <= fields:
            return _refusal(path, what, advice)
    return InputError(
        f'{path} is no label file of a known format: expected an object with "annolist" '
        '(PoseTrack17), "images" (PoseTrack18, COCO), "shapes" (LabelMe), "people" (OpenPose) '
        'or "instance_info" (MMPose), or a list of tasks (Label Studio), frames (MMPose) or '
        f'results (COCO), got {shown(data)}'
    )


def _refusal(path: PathLike, what: str, advice: str) -> InputError:
    return InputError(f'{path} is {what}, expected poses of a video: {advice}')
