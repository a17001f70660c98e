"""Recognition of files that hold no usable poses, so that errors can name what they are."""

from __future__ import annotations

import re
from typing import Any

from stdpose_mm.constants import JSON_SUFFIXES, READ_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io import PathLike
from stdpose_mm.io.disk.file_names import has_suffix

from .fields import quote
from .label_source import LabelSource

_BOX_LINE = rb'[0-9]+(?:[ \t]+-?[0-9.]+(?:[eE][-+]?[0-9]+)?){4}[ \t]*(?:\r?\n|\Z)'

_UTF_16 = re.compile(rb'\xff\xfe|\xfe\xff|(?:[\t\n\r -~]\0){4}|(?:\0[\t\n\r -~]){4}')
"""Start of a text in UTF-16, as Excel saves "Unicode text", with or without a mark."""

_STARTS = {
    rb'[\x02-\x08]P': 'a C3D file of markers in space, whose places in a picture are not known',
    rb'\s*(?:' + _BOX_LINE + rb')+\Z': 'a YOLO file of boxes without joints',
    rb'\s*scorer[;\t]': 'a CSV file of DeepLabCut, saved with semicolons or tabs instead of '
    'commas: save it with commas, and points in the numbers',
    rb'\s*frame,time,person,joint,': 'a table (tidy-csv), which can only be written: give the file '
    'that it was made from',
    rb'\s*PathFileType[ \t]': 'a marker file (TRC), which does not tell labels from estimates',
    rb'track,frame_idx,': "SLEAP's analysis CSV: give the project (.slp) or its analysis file .h5",
    rb'(?:<\?[^>]*>)?\s*<KinoveaVideoAnalysis': 'a Kinovea analysis of single points',
}
"""Pattern of the start of a file -> what the file is."""

_FIELDS = {
    'a list of COCO detections, which `stdpose infer --boxes` takes': '[] bbox image_id',
    'a project of the VGG Image Annotator': '_via_img_metadata, _via_settings, {} filename regions',
    'a Label Studio export as "JSON-MIN" instead of "JSON"': '[] annotation_id annotator',
    "AlphaPose's results with --format open": '{} people',
    "AlphaPose's results with --format cmu": '{} bodies',
    "output of Ultralytics' to_json, which names no picture": '[] box class confidence',
    'a Darwin file of V7': 'item annotations, image annotations',
    "DeepLabCut's JSON of SuperAnimal: give the .h5 or .csv file beside it": '[] bodyparts bboxes',
    'a Labelbox export (NDJSON, JSON lines)': '[] data_row projects, data_row projects',
    "PoseFlow's tracks: give AlphaPose's results, made with --pose_track": '{[]} keypoints idx',
    'a COCO-like file without a list of "images"': 'annotations',
    'a list of poses that names no pictures: add "image_id" to each': '[] keypoints',
}
"""What a JSON value is, and after a colon what to do -> its fields, or alternative sets of fields
separated by commas; '[]', '{}' and '{[]}' stand for a list or an object of objects, or an object of
lists of them, and are followed by the fields of the first one."""


_FORMATS = f'one of the formats {", ".join(READ_FORMATS)}'


def refuse_foreign_bytes(source: LabelSource) -> None:
    """Refuse a file whose first bytes show that it holds no poses.

    Raises:
        InputError: One sentence that names the kind of file and says what to do.
    """
    if source.kind in ('a video', 'a picture'):
        raise InputError(f'{source} is {source.kind}, expected a file with labels')
    data = source.content
    if _UTF_16.match(data):
        source.text()
    # The last line of the head may be cut.
    head = data if len(data) <= 4096 else data[:4096].rpartition(b'\n')[0] + b'\n'
    for start, what in _STARTS.items():
        if re.match(start, head.removeprefix(b'\xef\xbb\xbf')):
            raise _refusal(source, what)


def refuse_other_texts(source: LabelSource) -> None:
    """Refuse a file that has neither the suffix nor the start of JSON.

    Raises:
        InputError: One sentence that lists the formats that can be read.
    """
    if not has_suffix(source, JSON_SUFFIXES) and not source.head.startswith((b'{', b'[')):
        raise InputError(f'{source} is not a known label format, expected {_FORMATS}')


def foreign_json(path: PathLike, data: Any) -> InputError:
    """Make the error for a JSON file that has no known label format."""
    is_object = isinstance(data, dict)
    fields, items = ({*data}, [*data.values()]) if is_object else (set(), data)
    first = next((item for item in items if item), None) if isinstance(items, list) else None
    kind = '{}' if is_object else '[]'
    if isinstance(first, list):
        first, kind = first[0], '{[]}' if is_object else '[[]]'
    if isinstance(first, dict):
        fields |= {kind, *first}
    for what, any_of in _FIELDS.items():
        if any(fields.issuperset(wanted.split()) for wanted in any_of.split(',')):
            return _refusal(path, what)
    return InputError(f'{path} is not a known label format: got {quote(data)}, expected {_FORMATS}')


def _refusal(path: PathLike, what: str) -> InputError:
    what, _, advice = what.partition(': ')
    advice = advice or 'export them as COCO keypoints, or in another format that can be read'
    return InputError(f'{path} is {what}, expected poses of a video: {advice}')
