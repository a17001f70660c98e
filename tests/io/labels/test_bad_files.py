"""One corpus of bad label files of all formats: what is wrong -> words of the sentence."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.constants import LABEL_FORMATS, READ_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io import limits
from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format, write_labels
from support.damaged_files import DAMAGED, MISSING, Place, changed
from support.foreign_labels import openpose_person
from support.label_documents import COCO, DOCUMENTS, LABELME, STUDIO
from support.label_samples import sample
from support.paths import ROOT

pytestmark = pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')

NAN, INFINITE, HUGE = float('nan'), float('inf'), 1e8
DEEP: Any = json.loads('[' * 400 + ']' * 400)

SHORT = {
    'point': 'annolist.0.annorect.0.annopoints.0.point.0',
    'rect': 'annolist.0.annorect.0',
    'region': '0.annotations.0.result.0',
    'pose': 'people.0.pose_keypoints_2d',
    'instance': 'instance_info.0.instances.0',
}
"""First word of a place in the table -> the whole path."""

JSON_MISTAKES: list[tuple[str, str, Any, str]] = [
    ('coco', 'info', DEEP, 'info must be JSON nested no more than 100 deep'),
    ('coco', 'note\ud800', 1, 'an invalid character'),
    ('coco', 'images.0.file_name', '\ud800', 'an invalid character'),
    ('coco', 'annotations.0.note', 'a\udfff', 'an invalid character'),
    ('coco', 'categories.0.keypoints.0', 'nose\0', 'an invalid character'),
    ('coco', 'images', MISSING, 'images is missing'),
    ('coco', 'images', {}, r'images must be a list of objects, got \{\}'),
    ('coco', 'images.0.id', MISSING, r'images\[0\]\.id is missing'),
    ('coco', 'images.0.id', 2, 'image id 2 appears twice'),
    ('coco', 'images.0.frame_index', 1, 'frame_index 1 appears twice'),
    ('coco', 'images.1.frame_index', None, r'images\[1\]\.frame_index must be'),
    ('coco', 'images.0.width', -1, r'images\[0\]\.width must be .* got -1'),
    ('coco', 'images.0.is_labeled', 'yes', r"is_labeled must be .* got 'yes'"),
    ('coco', 'images.0.ignore_regions_x', [[1, 2]], 'ignore_regions_x .* ignore_regions_y'),
    ('coco', 'images.0.ignore_regions_x', [1], r'ignore_regions_x\[0\] must be a list'),
    ('coco', 'images.0.other', NAN, r'images\[0\]\.other must be JSON without NaN'),
    ('coco', 'annotations.1', None, r'annotations\[1\] must be an object, got None'),
    ('coco', 'annotations.0.image_id', 9, r'annotations\[0\]\.image_id must be .* got 9'),
    ('coco', 'annotations.0.track_id', 1, 'track id 1 appears twice in frame 0'),
    ('coco', 'annotations.0.keypoints', [1, 2, 1], 'keypoints must be a list of 6'),
    ('coco', 'annotations.0.keypoints.1', NAN, r'annotations\[0\]\.keypoints .*, not .*, nan, 1,'),
    ('coco', 'annotations.0.keypoints.1', HUGE, r'keypoints\[1\] .* got 100000000'),
    ('coco', 'annotations.0.keypoints.5', 3, r'keypoints must be .* v in .* not .*, 3,'),
    ('coco', 'annotations.0.bbox', [1, 2, -3, 4], r'bbox must be .* got \[1, 2, -3'),
    ('coco', 'annotations.0.scores', [1], r'annotations\[0\]\.scores must be a list of 2'),
    ('coco', 'annotations.0.source', 'absent', r'annotations\[0\]: .*absent.* neither a joint'),
    ('coco', 'annotations.0.keypoint_sources', 'given', 'keypoint_sources must be a list of str'),
    ('coco', 'annotations.0.keypoint_sources', ['given'], 'keypoint_sources must be 2 of'),
    ('coco', 'categories.0.keypoints', ['nose', 'nose'], "keypoint name 'nose' appears twice"),
    ('coco', 'categories.0.keypoints', ['nose', ''], 'keypoint names must be non-empty'),
    ('coco', 'categories.0.keypoints', ['nose', 'neck', 'tail'], 'must be a list of 9'),
    ('posetrack17', 'annolist.0.image', [], r'annolist\[0\]\.image must be a list of one'),
    ('posetrack17', 'annolist.0.image.0.name', 'b/000342_mpii/00010000.jpg', 'name must be'),
    ('posetrack17', 'rect.x2', [0], r'annorect\[0\]\.x2 must be at least x1'),
    ('posetrack17', 'rect.track_id', [0.5], r'annorect\[0\]\.track_id must be a whole number'),
    ('posetrack17', 'point.id', [15], r'point\[0\]\.id must be a joint id in 0\.\.14'),
    ('posetrack17', 'point.id', [14], r'point\[1\]\.id must be distinct'),
    ('posetrack17', 'point.is_visible', [2], r'point\[0\]\.is_visible must be 0 or 1'),
    ('labelme', 'shapes', [], 'holds no shape of the type point'),
    ('labelme', 'shapes.0.label', 'hand', r'shapes\[1\]\.label must be distinct'),
    ('labelme', 'shapes.0.points', [[1, 2], [3, 4]], r'points must be a list of one point'),
    ('labelme', 'shapes.0.flags', [1], r'flags must be an object, got \[1\]'),
    ('labelme', 'shapes.2.points', [[1, 2]], r'shapes\[2\]\.points must be a list of two corn'),
    (
        'label-studio',
        '',
        [*STUDIO, {**STUDIO[0], 'annotations': []}],
        "picture '/data/upload/1/frame_3.jpg' appears twice",
    ),
    ('label-studio', '0.annotations', [], 'holds no key points'),
    ('label-studio', '0.annotations.0.was_cancelled', 'no', "must be true or false, got 'no'"),
    ('label-studio', '0.annotations', STUDIO[0]['annotations'] * 2, 'one marked as ground truth'),
    ('label-studio', 'region.id', 'b', "region id of .* 'b' appears twice"),
    ('label-studio', 'region.value.keypointlabels', [], r'value must be .* one label'),
    (
        'label-studio',
        'region.value',
        {'x': 9, 'y': 5, 'keypointlabels': ['hand']},
        r'result\[2\] is a second hand',
    ),
    ('label-studio', 'region.original_width', 320, r'regions of tasks\[0\] state several sizes'),
    ('label-studio', '0.annotations.0.result.1.value.width', -3, 'bbox has a negative size'),
    ('label-studio', 'region.image_rotation', 90, r'image_rotation must be 0; turn .* got 90'),
    ('label-studio', '0.data.image', MISSING, r'data must be an object with one picture'),
    ('openpose', 'pose', [1, 2], r'pose_keypoints_2d must be a list of x, y, confidence'),
    ('openpose', 'pose', [], 'has people with 0 numbers of joints'),
    ('openpose', 'pose', [5, 6, 0.5] * 1001, r'1001 keypoints per person, expected 1\.\.1000'),
    (
        'openpose',
        'people',
        [openpose_person(x, 2, 0.5, person_id=1) for x in (1, 5)],
        '1 appears twice',
    ),
    (
        'openpose',
        'people',
        [openpose_person(5, 6, 1), openpose_person(*[5, 6, 1] * 2)],
        'people with 2 numbers of joints',
    ),
    ('mmpose', 'instance_info.0.frame_id', 2, 'frame 1 appears twice'),
    ('mmpose', 'instance.keypoints', [[1, 2]], r'keypoints must be a list of 2 points'),
    ('mmpose', 'instance.bbox', [1, 2, 3], r'bbox must be a list of 4 numbers'),
    ('mmpose', 'instance.bbox', [[9, 9, 3, 4]], 'bbox must be corners'),
    ('mmpose', 'meta_info.keypoint_id2name.1', MISSING, r'keypoint_id2name\.1 is missing'),
    ('mmpose', 'meta_info.num_keypoints', 10**9, r'must be a whole number in 1\.\.1000'),
    ('mmpose', 'meta_info.skeleton_links', [[0, 9]], r'limb \(0, 9\)'),
    ('coco-results', '1.image_id', MISSING, r'results\[1\]\.image_id is missing'),
    ('coco-results', '0.image_id', '', "image_id must be .* got ''"),
    ('coco-results', '1.keypoints', [1, 2, 3], r'results\[1\]\.keypoints must be a list of 6'),
    ('coco-results', '0.keypoints', [1, 2, 3, 4], 'keypoints must be a list of 3'),
    *(
        (
            'mediapipe',
            '0.landmarks',
            value,
            r'frames\[0\]\.landmarks must be landmarks with numbers x',
        )
        for value in (
            [{'x': 0.5, 'y': 'low'}],
            [{'x': 0.5}],
            [{'x': 1e9, 'y': 0.5}],
            [0.5, 0.5, 0.5],
            {'NOSE': [0.5, 0.5]},
        )
    ),
    ('mediapipe', '0.landmarks', [{'x': 10, 'y': 20}], 'with different numbers of them'),
    ('mediapipe', '0.frame', -1, r'frames\[0\]\.frame must be a whole number'),
    ('mediapipe', '0.frame', '0', r'frames\[0\]\.frame must be a whole number'),
]

LINE = '0 0.5 0.5 0.2 0.4 0.25 0.5 2 0.75 1.0 1'
YAML = 'kpt_shape: [2, 3]\nkpt_names: {0: [nose, hand]}\nnames: {0: person}\n'
YOLO_MISTAKES: list[tuple[str, str, str]] = [
    ('', YAML, 'holds no people'),
    ('0 0.5 0.5 0.2 0.4', YAML, 'has 5 numbers, a box without joints'),
    (LINE + ' 0.5 3 7', YAML, 'holds 9 numbers per person, expected 2 x 3'),
    (LINE + '\n' + LINE + ' 0.5', YAML, 'lines of 6 and of 7 numbers'),
    (LINE + '\n' + LINE[:-2], YAML, 'holds 6 numbers per person, expected 2 x 3'),
    (LINE.replace('0.25', 'nan'), YAML, 'joints as numbers'),
    (LINE.replace('0.25', '320'), YAML, 'line 1 is not in fractions of the picture'),
    ('-1' + LINE[1:], YAML, 'joints as numbers'),
    (LINE.replace('0.5 2', '0.5 3'), YAML, r'v outside 0\.\.1'),
    (LINE, 'kpt_shape: [2', 'is not YAML'),
    (LINE, 'kpt_shape: [2, 4]', 'kpt_shape must be the number of joints, and 2 or 3'),
    (LINE, 'kpt_shape: [3, 3]', 'holds 6 numbers per person, expected 3 x 3'),
    (LINE, YAML.replace('hand', 'nose'), "'nose' appears twice"),
    (LINE, YAML.replace(', hand', ''), 'names 1 joints'),
    (
        f'{LINE}\n1{LINE[1:]}',
        YAML.replace('{0: [nose, hand]}', '{0: [a, b], 1: [c, d]}'),
        'the same names for every class that is read',
    ),
    (LINE, 'a: &a [1]\nb: [*a, *a]', 'is not plain YAML'),
    (LINE, '!!python/object/apply:os.system ["true"]', 'is not YAML'),
    (LINE, '[' * 5000, 'is not plain YAML of at most 32 levels'),
]
"""The label file, data.yaml, and words of the sentence."""

HEADER = """\
scorer,net,net,net,net,net,net
individuals,a,a,a,b,b,b
bodyparts,nose,nose,nose,nose,nose,nose
coords,x,y,likelihood,x,y,likelihood
"""
PREDICTED = HEADER + '0,1,2,0.5,3,4,0.25\n1,,,,5,6,0.75\n'
DEEPLABCUT_MISTAKES: list[tuple[str, str, str]] = [
    ('scorer', 'person', 'expected header rows scorer'),
    (
        'coords' + ',x,y,likelihood' * 2,
        'coords' + ',x,y,z' * 2,
        r"once per bodypart, got \['x', 'y', 'z'\]",
    ),
    (
        'coords' + ',x,y,likelihood' * 2,
        'coords,x,y,likelihood,x,y,visible',
        r"got \['likelihood', 'visible', 'x', 'y'\]",
    ),
    (',x,y,likelihood\n', ',x,y\n', 'row 4 has 6 columns, expected 7'),
    ('individuals,a,a,a', 'individuals,a,a,c', 'x, y, likelihood, once per bodypart'),
    ('individuals,a,a,a,b,b,b', 'individuals' + ',a' * 6, 'once per bodypart'),
    ('bodyparts,nose,nose,nose', 'bodyparts,,,', 'non-empty'),
    ('0,1,2,0.5,3', '0,1,2,0.5', 'row 5 has 6 columns, expected 7'),
    ('0,1,2', '0,\0001,2', r'is not UTF-8 text \(byte [0-9]+\), save'),
    ('0,1,2', '0,one,2', "a joint of frame 0 must be two numbers .* got 'one,2,0.5'"),
    ('coords' + ',x,y,likelihood' * 2, 'coords' + ',x,y,visible' * 2, 'a joint of 0 must be'),
    ('scorer,net,net,net', 'scorer,Ada,Ada,Ada', r'columns of 2 scorers \(Ada, net\), expected'),
    ('\n1,', '\n0,', 'frame 0 appears twice'),
    ('\n1,', '\n' + '9' * 5000 + ',', 'at most 1e7, got 9'),
    ('scorer' + ',net' * 6, 'scorer' + ',' * 6, 'empty scorer, expected the name of the network'),
]

XML = """<annotations><meta><task><name>clip</name><size>3</size><labels>
<label><name>person</name><type>skeleton</type></label>
<label><name>nose</name><type>points</type><parent>person</parent></label>
<label><name>neck</name><type>points</type><parent>person</parent></label>
</labels><original_size><width>64</width><height>48</height></original_size></task></meta>
<track id="0" label="person"><skeleton frame="0" keyframe="1">
<points label="nose" outside="0" occluded="0" points="1.5,2"/>
<points label="neck" outside="0" occluded="1" points="3,4">
<attribute name="score">1</attribute></points>
</skeleton></track>
<track id="1" label="person"><skeleton frame="2" keyframe="1">
<points label="nose" outside="0" occluded="0" points="1,2"/>
</skeleton></track></annotations>"""
XML_MISTAKES: list[tuple[str, str, str]] = [
    ('</annotations>', '', 'is not usable XML'),
    (
        '</annotations>',
        '<image id="1" name="a.png"><skeleton label="person"/></image></annotations>',
        'is "CVAT for images", export it as "CVAT for video 1.1"',
    ),
    (
        '<task><name>',
        '<project><tasks><task/><task/></tasks></project><task><name>',
        'the export of a CVAT project with 2 tasks, expected one video',
    ),
    (
        '</skeleton></track></annotations>',
        '</skeleton></track><box task_id="1"/><box task_id="2"/></annotations>',
        'the export of a CVAT project with 2 tasks',
    ),
    ('annotations>', 'notes>', 'must be a CVAT file with <annotations>, got <notes>'),
    ('<annotations>', '<!DOCTYPE a [<!ENTITY b "c">]><annotations>', 'document type definition'),
    ('<size>3</size>', '<size>3</size><frame_filter>x</frame_filter>', "frame_filter .* got 'x'"),
    ('<width>64</width>', '<width>wide</width>', "width must be .* got 'wide'"),
    ('<name>neck</name><type>points</type>', '<name>nose</name>', "'nose' appears twice"),
    ('<track id="0"', '<track id="x"', r"track\[0\]\.id must be .* got 'x'"),
    ('<track id="0"', '<track id="1"', 'track id 1 appears twice'),
    ('<track id="0" label="person"', '<track id="0" label="dog"', r"track\[0\]\.label .* 'dog'"),
    ('frame="0"', 'frame="0.5"', r"skeleton\[0\]\.frame must .* got '0\.5'"),
    ('keyframe="1"', 'keyframe="yes"', "keyframe must be true or false, got 'yes'"),
    ('label="nose"', 'label="tail"', r"points\[0\]\.label must be one of the 2 points .* 'tail'"),
    ('label="nose"', 'label="neck"', "point of .*skeleton.0. 'neck' appears twice"),
    ('points="1.5,2"', 'points="1,2;3,4"', "points must .* got '1,2;3,4'"),
    ('>1</attribute>', '>high</attribute>', 'score'),
    (
        '</skeleton></track>',
        '</skeleton><skeleton frame="0"><points label="nose" points="1,2"/></skeleton></track>',
        'track id 0 appears twice in frame 0, remove one',
    ),
]

VOC = (
    '<?xml version="1.0"?>\n<annotation><filename>0.jpg</filename><object><name>person</name>'
    '<bndbox><xmin>1</xmin></bndbox></object></annotation>'
)
CVAT_IMAGES = (
    '<annotations><version>1.1</version><meta/><image id="0" name="0.jpg">'
    '<box label="person" xtl="1" ytl="1" xbr="2" ybr="2"/></image></annotations>'
)
BOX = {'image_id': 1, 'category_id': 1, 'bbox': [1, 2, 3, 4], 'score': 0.5}
VIA_POINT = {'shape_attributes': {'name': 'point', 'cx': 1, 'cy': 2}, 'region_attributes': {}}
VIA_IMAGE = {'filename': '0.jpg', 'size': 9, 'regions': [VIA_POINT], 'file_attributes': {}}

TEXT_FORMATS = {*WRITE_FORMATS} - {'deeplabcut-h5', 'sleap', 'movement', 'nwb'}

FOREIGN: list[tuple[str, str | bytes, str]] = [
    ('a.xml', VOC, 'must be a CVAT file with <annotations>, got <annotation>'),
    ('a.xml', CVAT_IMAGES, 'is "CVAT for images", export it as "CVAT for video 1.1"'),
    ('a.xml', '<annotations/>', 'holds no skeleton'),
    ('a.xml', '<?xml version="1.0" encoding="nonsense"?><annotations/>', 'is not usable XML'),
    ('a.xml', b'PK\x03\x04broken', 'zip file'),
    ('a.txt', '0 0.5 0.5 0.2 0.3\n0 0.1 0.2 0.3 0.4\n', 'is a YOLO file of boxes without joints'),
    ('a.json', json.dumps([BOX]), 'is a list of COCO detections, which `stdpose inf'),
    ('a.json', json.dumps({'_via_img_metadata': {}}), 'is a project of the VGG Image Annotator'),
    ('a.json', json.dumps({'0.jpg9': VIA_IMAGE}), 'is a project of the VGG Image Annotator'),
    ('a.json', json.dumps({'0.jpg': {'people': []}}), "is AlphaPose's results with --format open,"),
    ('a.json', json.dumps({'0.jpg': {'bodies': []}}), "is AlphaPose's results with --format cmu,"),
    ('a.json', '[{"annotation_id": 1, "annotator": 1}]', 'is a Label Studio export as .JSON-MIN.'),
    (
        'a.json',
        '[{"box": {}, "class": 0, "confidence": 1}]',
        "Ultralytics' to_json, which names no",
    ),
    ('a.json', '{"annotations": []}', 'is a COCO-like file without a list of "images"'),
    ('a.json', '{"images": [], "images": []}', "field 'images' occurs twice in one object"),
    ('a.json', '// mine\n{}', 'a.json is not JSON: Expecting value at line 1, column 1'),
    ('a.json', '[{"id": 1, "image": "a.jpg", "kp-1": []}]', 'not a known label format'),
    ('a.json', '[]', 'not a known label format'),
    ('a.json', '[{"keypoints": [1, 2, 0.5], "bbox": [], "score": 1}]', 'poses that names no pict'),
    ('a.json', '{"images": 3}', 'not a known label format'),
    (
        'a.c3d',
        b'\x02P' + bytes(510),
        'is a C3D file of markers in space, whose places in a picture',
    ),
    (
        'a.json',
        '{"item": {}, "annotations": [{"id": "u"}]}',
        'is a Darwin file of V7, .* COCO keyp',
    ),
    ('a.json', '[{"bodyparts": [], "bboxes": []}]', 'of SuperAnimal, .* give the .h5 or .csv file'),
    ('a.json', '{"0.jpg": [], "1.jpg": [{"keypoints": [1], "idx": 1}]}', "is PoseFlow's tracks, "),
    (
        'a.ndjson',
        '{"data_row": {}, "projects": {}}\n' * 2,
        r'Labelbox export \(NDJSON, JSON lines\)',
    ),
    ('a.csv', 'track,frame_idx,instance.score,head.x\n', "SLEAP's analysis CSV, .* project .*slp"),
    ('a.kva', '<?xml version="1.0"?>\n<KinoveaVideoAnalysis/>', 'is a Kinovea analysis of single'),
    ('a.npy', b'\x93NUMPY\1\0', 'is not a known label format, expected one of the formats'),
    ('a.csv', 'scorer;Ali;Ali\nbodyparts;nose;nose\n', 'with semicolons or tabs .*: save it with'),
    (
        'a.csv',
        'frame,time,person,joint,x,y,score,source\n',
        'tidy-csv.*: give the file that it was made from',
    ),
    ('a.trc', 'PathFileType\t4\t(X/Y/Z)\ta.trc\n', 'is a marker file'),
    ('a.csv', 'frame,joint,x,y\n0,nose,3,4\n', 'label format, expected one of the formats'),
    ('a.txt', 'hello', 'label format, expected one of the formats'),
]
"""Name and content of a file of another kind, and words of the sentence."""


def refused(read: Callable[[], Any], path: Path, told: str) -> None:
    """Check that a reader refuses a file in one sentence that names it."""
    with pytest.raises(InputError, match=told) as caught:
        read()
    message = str(caught.value)
    assert str(path.parent) in message
    assert '\n' not in message
    assert len(message) < 500 + len(str(path))


def place_of(text: str) -> Place:
    if not text:
        return ()
    first, _, rest = text.partition('.')
    words = f'{SHORT.get(first, first)}.{rest}'.strip('.').split('.')
    return tuple(int(word) if word.isdigit() else word for word in words)


@pytest.mark.parametrize(('format', 'place', 'value', 'told'), JSON_MISTAKES)
def test_json(tmp_path: Path, format: str, place: str, value: Any, told: str) -> None:
    path = tmp_path / 'labels_1.json'
    keys = place_of(place)
    if 'id2name' in place:
        keys = (*keys[:-1], str(keys[-1]))
    path.write_text(json.dumps(changed(DOCUMENTS[format], keys, value)))

    for name in ('coco', 'posetrack18') if format == 'coco' else (format,):
        refused(lambda name=name: read_all_labels(path, name), path, told)


@pytest.mark.parametrize(('text', 'config', 'told'), YOLO_MISTAKES)
def test_yolo_pose(tmp_path: Path, text: str, config: str, told: str) -> None:
    path = tmp_path / 'f_1.txt'
    path.write_text(text)
    (tmp_path / 'data.yaml').write_text(config)

    refused(lambda: read_all_labels(path, 'yolo-pose', (64, 48)), path, told)


@pytest.mark.parametrize(
    ('format', 'whole', 'mistake'),
    [
        *(('deeplabcut', PREDICTED, mistake) for mistake in DEEPLABCUT_MISTAKES),
        *(('cvat', XML, mistake) for mistake in XML_MISTAKES),
    ],
)
def test_texts(tmp_path: Path, format: str, whole: str, mistake: tuple[str, str, str]) -> None:
    old, new, told = mistake
    assert old in whole
    path = tmp_path / 'clip.txt'
    path.write_text(whole.replace(old, new, -1 if old.endswith('>') else 1))

    refused(lambda: read_all_labels(path, format), path, told)


@pytest.mark.parametrize(('name', 'content', 'told'), FOREIGN)
def test_files_of_another_kind(tmp_path: Path, name: str, content: str | bytes, told: str) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)

    refused(lambda: read_labels(path), path, told)
    if not name.endswith('xml'):
        refused(lambda: sniff_format(path), path, told)


def test_a_video_is_no_label_file(movie: Path, folder: Path) -> None:
    refused(lambda: read_labels(movie), movie, r'clip\.mp4 is a video, expected a file with label')
    picture = folder / '000001.jpg'
    refused(lambda: read_labels(picture), picture, r'000001\.jpg is a picture, expected a file')


@pytest.mark.parametrize('format', DOCUMENTS)
@pytest.mark.parametrize(('data', 'told'), DAMAGED)
def test_damaged_json(tmp_path: Path, format: str, data: bytes, told: str) -> None:
    path = tmp_path / 'labels.json'
    path.write_bytes(data)
    is_list = isinstance(DOCUMENTS[format], list) or format == 'mmpose'

    refused(lambda: read_labels(path, format), path, '.' if 'object' in told and is_list else told)


@pytest.mark.parametrize('encoding', ['utf-16', 'utf-16-le', 'utf-16-be', 'utf-32'])
@pytest.mark.parametrize('format', [name for name in READ_FORMATS if name in TEXT_FORMATS])
def test_text_that_is_not_utf_8(tmp_path: Path, format: str, encoding: str) -> None:
    """As Excel saves "Unicode text", and PowerShell what is sent to a file."""
    path = tmp_path / f'clip{LABEL_FORMATS[format].suffixes[0]}'
    write_labels(sample(), path, format)
    for file in [path] if path.is_file() else filter(Path.is_file, [*path.rglob('*')]):
        file.write_bytes(file.read_text('utf-8').encode(encoding))

    refused(
        lambda: read_labels(path), path, r'is not UTF-8 text \(byte [0-9]+\), save it as UTF-8$'
    )


@pytest.mark.parametrize(
    'format', [*DOCUMENTS, 'cvat', 'yolo-pose', 'deeplabcut', 'lightning-pose', 'sleap']
)
@pytest.mark.parametrize(
    ('kind', 'told'),
    [
        ('missing', 'does not exist|no such'),
        ('empty folder', 'is a folder|the folder .* holds 0'),
        ('bytes', '.'),
        ('gzip of nothing', '.'),
    ],
)
def test_files_that_are_none(tmp_path: Path, format: str, kind: str, told: str) -> None:
    path = tmp_path / 'labels'
    if kind == 'empty folder':
        path.mkdir()
    elif kind == 'bytes':
        path.write_bytes(bytes(range(256)) * 40)
    elif kind == 'gzip of nothing':
        path.write_bytes(b'\x1f\x8b\x08\x00')

    refused(lambda: read_labels(path, format), path, told)


def test_the_unchanged_files_are_read(tmp_path: Path) -> None:
    """The mistakes above are the only thing wrong with the files they are in."""
    for format, document in DOCUMENTS.items():
        path = tmp_path / 'labels_1.json'
        path.write_text(json.dumps(document))
        assert read_labels(path, format).persons
    for format, text in (('deeplabcut', PREDICTED), ('cvat', XML)):
        path.write_text(text)
        assert read_labels(path, format).persons


@pytest.mark.parametrize(('size', 'limit'), [(1, 2**26), (2**19, 2**17 * 1000), (2**30, 2**31)])
def test_what_may_be_unzipped_grows_with_the_file(size: int, limit: int) -> None:
    """64 MiB of a small file, 250 times the file, and 2 GiB of a large one."""
    assert limits.unzipped_limit(size) == limit


def test_the_page_has_every_limit() -> None:
    page = (ROOT / 'docs' / 'reference' / 'security.md').read_text()
    rows = re.findall(r'^\| `(MAX_\w+)`.* \| ([0-9,]+)(?: ([MG])iB)? \|$', page, re.MULTILINE)
    units = {'': 1, 'M': 2**20, 'G': 2**30}
    assert {name: int(number.replace(',', '')) * units[unit] for name, number, unit in rows} == {
        name: value for name, value in vars(limits).items() if name.startswith('MAX_')
    }


def test_a_zip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('stdpose_mm.io.limits.MAX_UNZIPPED', 10**6)
    path = tmp_path / 'labels.json.gz'
    path.write_bytes(gzip.compress(b' ' * 10**7))

    refused(lambda: read_all_labels(path), path, 'larger than')


def test_a_zip_of_files_that_are_too_large_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('stdpose_mm.io.limits.MAX_UNZIPPED', 10**6)
    path = tmp_path / 'labels.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f'{number}.json', b' ' * 400_000)

    refused(lambda: read_all_labels(path), path, 'too large when unzipped')


@pytest.mark.parametrize('format', ['labelme', 'openpose', 'mmpose'])
def test_a_folder_with_a_foreign_file_names_that_file(tmp_path: Path, format: str) -> None:
    (tmp_path / 'a_1.json').write_text(json.dumps(DOCUMENTS[format]))
    (tmp_path / 'a_2.json').write_text('{"settings": 1}')

    with pytest.raises(InputError, match=r'a_2\.json'):
        read_labels(tmp_path, format)


def test_a_folder_of_two_kinds_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'a_1.json').write_text(json.dumps(LABELME))
    (tmp_path / 'a_1.txt').write_text(LINE)

    with pytest.raises(InputError, match='holds yolo-pose and labelme, keep one format'):
        read_labels(tmp_path)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must be one of posetrack17, .*, got 'yolo'"):
        read_labels(tmp_path / 'a.json', 'yolo')
    with pytest.raises(InputError, match=r"must be one of posetrack18, .*, got 'yolo'"):
        write_labels(sample(), tmp_path / 'b.json', 'yolo')
    with pytest.raises(InputError, match=r'not fit the format sleap, whose files end in \.slp'):
        write_labels(sample(), tmp_path / 'a.json', 'sleap')


@pytest.mark.parametrize(
    ('changes', 'told'),
    [
        (
            {'videos': [{'id': 1, 'name': 'a', 'file_fields': [1]}]},
            r'file_fields must be an object, got \[1\]',
        ),
        ({'images': [], 'annotations': []}, 'lists no pictures, expected those of a video'),
    ],
)
def test_files_of_several_videos(tmp_path: Path, changes: dict, told: str) -> None:
    path = tmp_path / 'labels.json'
    images = [{**image, 'video_id': 1} for image in COCO['images']]
    path.write_text(json.dumps({**COCO, 'images': images, 'videos': [], **changes}))

    refused(lambda: read_labels(path, 'coco'), path, told)
