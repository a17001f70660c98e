"""Wrong files of every kind: one sentence that names the file, the field and the value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import (
    read_coco,
    read_cvat,
    read_labels,
    read_posetrack17,
    read_posetrack18,
)
from support.damaged_files import DAMAGED, MISSING, Place, changed
from support.paths import ROOT

CONVERTER = ROOT / 'tools' / 'dataset_converters' / 'convert_labels.py'
FORMATS = {
    read_posetrack17: 'posetrack17',
    read_posetrack18: 'posetrack18',
    read_coco: 'coco',
    read_cvat: 'cvat',
}

CATEGORY = {'id': 1, 'name': 'person', 'keypoints': ['nose', 'neck'], 'skeleton': [[1, 2]]}
COCO_LIKE = {
    'images': [
        {'id': 1, 'file_name': 'a/0.jpg', 'frame_index': 0, 'width': 64, 'height': 48},
        {'id': 2, 'file_name': 'a/1.jpg', 'frame_index': 1, 'width': 64, 'height': 48},
    ],
    'annotations': [
        {
            'id': 1,
            'image_id': 1,
            'track_id': 0,
            'category_id': 1,
            'keypoints': [1.5, 2, 1, 3, 4, 2],
            'bbox': [1, 2, 3, 4],
            'bbox_head': [1, 2, 3, 4],
            'scores': [0.5, 0.25],
        },
        {'id': 2, 'image_id': 1, 'track_id': 1, 'category_id': 1, 'keypoints': [1, 2, 1, 3, 4, 2]},
    ],
    'categories': [CATEGORY],
}
ANNOLIST = {
    'annolist': [
        {
            'image': [{'name': 'images/bonn/000342_mpii/00000001.jpg'}],
            'ignore_regions': [{'point': [{'x': [1], 'y': [2]}, {'x': [3], 'y': [4]}]}],
            'annorect': [
                {
                    'x1': [1],
                    'y1': [2],
                    'x2': [3],
                    'y2': [4],
                    'track_id': [0],
                    'annopoints': [
                        {
                            'point': [
                                {'id': [0], 'x': [5.5], 'y': [6], 'is_visible': [1]},
                                {'id': [14], 'x': [7], 'y': [8]},
                            ]
                        }
                    ],
                }
            ],
        }
    ]
}
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

NAN, INFINITE, HUGE = float('nan'), float('inf'), 1e8

# Where, what, and what the message must tell. For PoseTrack18 and COCO alike.
COCO_LIKE_MISTAKES: list[tuple[Place, Any, str]] = [
    (('images',), MISSING, 'images is missing'),
    (('images',), {}, r'images must be a list of objects, got \{\}'),
    (('images', 0), 'frame', r"images\[0\] must be an object, got 'frame'"),
    (('images', 0, 'id'), MISSING, r'images\[0\]\.id is missing'),
    (('images', 0, 'id'), 1.5, r'images\[0\]\.id must be .* got 1\.5'),
    (('images', 0, 'id'), True, r'images\[0\]\.id must be .* got True'),
    (('images', 0, 'id'), 2, 'image id 2 appears twice'),
    (('images', 0, 'frame_index'), 1, 'frame_index 1 appears twice'),
    (('images', 0, 'frame_index'), -1, r'images\[0\]\.frame_index must be .* got -1'),
    (('images', 0, 'frame_index'), 0.5, r'images\[0\]\.frame_index must be .* got 0\.5'),
    (('images', 0, 'frame_index'), 10**8, r'frame_index must be .* got 100000000'),
    (('images', 1, 'frame_index'), None, r'images\[1\]\.frame_index must be'),
    (('images', 0, 'file_name'), 7, r'images\[0\]\.file_name must be a string, got 7'),
    (('images', 0, 'width'), 0, r'images\[0\]\.width must be .* got 0'),
    (('images', 0, 'height'), '48', r"images\[0\]\.height must be .* got '48'"),
    (('images', 0, 'is_labeled'), 'yes', r"images\[0\]\.is_labeled must be .* got 'yes'"),
    (('images', 0, 'ignore_regions_x'), [[1, 2]], 'ignore_regions_x and ignore_regions_y'),
    (('images', 0, 'ignore_regions_x'), [1], r'ignore_regions_x must be a list of lists'),
    (('images', 0, 'other'), NAN, r'images\[0\]\.other must be JSON without NaN'),
    (('annotations',), 'none', "annotations must be a list of objects, got 'none'"),
    (('annotations', 1), None, r'annotations\[1\] must be an object, got None'),
    (('annotations', 1, 'id'), 1, 'annotation id .*1.* appears twice'),
    (('annotations', 0, 'image_id'), 9, r'annotations\[0\]\.image_id must be .* got 9'),
    (('annotations', 0, 'image_id'), [1], r'annotations\[0\]\.image_id must be .* got \[1\]'),
    (('annotations', 0, 'image_id'), MISSING, r'annotations\[0\]\.image_id is missing'),
    (('annotations', 0, 'track_id'), 1, 'track id 1 appears twice in frame 0'),
    (('annotations', 0, 'track_id'), 'a', r"annotations\[0\]\.track_id must be .* got 'a'"),
    (('annotations', 0, 'track_id'), True, r'annotations\[0\]\.track_id must be .* got True'),
    (('annotations', 0, 'track_id'), 2**70, r'annotations\[0\]\.track_id must be'),
    (('annotations', 0, 'keypoints'), MISSING, r'annotations\[0\]\.keypoints is missing'),
    (('annotations', 0, 'keypoints'), [1, 2, 1], r'keypoints must be a list of 6 .* list of 3'),
    (('annotations', 0, 'keypoints'), {'x': 1}, r'annotations\[0\]\.keypoints must be a list'),
    (('annotations', 0, 'keypoints', 0), '1', r"annotations\[0\]\.keypoints\[0\] .* got '1'"),
    (('annotations', 0, 'keypoints', 1), None, r'annotations\[0\]\.keypoints\[1\] .* got None'),
    (('annotations', 0, 'keypoints', 1), NAN, r'annotations\[0\]\.keypoints\[1\] .* got nan'),
    (('annotations', 0, 'keypoints', 1), INFINITE, r'keypoints\[1\] .* got inf'),
    (('annotations', 0, 'keypoints', 1), HUGE, r'keypoints\[1\] .* got 100000000'),
    (('annotations', 0, 'keypoints', 1), 10**400, r'keypoints\[1\] .* got 1000'),
    (('annotations', 0, 'keypoints', 1), False, r'keypoints\[1\] .* got False'),
    (('annotations', 0, 'keypoints', 5), 3, r'annotations\[0\]\.keypoints must have v .* got 3'),
    (
        ('annotations', 0, 'keypoints', 2),
        0.5,
        r'annotations\[0\]\.keypoints must have v .* got 0\.5',
    ),
    (
        ('annotations', 0, 'bbox'),
        [1, 2, -3, 4],
        r'annotations\[0\]\.bbox must be .* got \[1, 2, -3',
    ),
    (('annotations', 0, 'bbox'), [1, 2, 3], r'annotations\[0\]\.bbox must be a list of 4'),
    (('annotations', 0, 'bbox_head'), '1 2 3 4', r'annotations\[0\]\.bbox_head must be'),
    (
        ('annotations', 0, 'bbox_head'),
        [1, 2, 3, NAN],
        r'annotations\[0\]\.bbox_head\[3\] .* got nan',
    ),
    (('annotations', 0, 'scores'), [1], r'annotations\[0\]\.scores must be a list of 2'),
    (('annotations', 0, 'scores'), [1, 'x'], r"annotations\[0\]\.scores\[1\] .* got 'x'"),
    (('categories',), {}, r'categories must be a list'),
    (('categories',), [CATEGORY, CATEGORY], 'categories must hold one category with keypoints'),
    (('categories', 0, 'keypoints'), ['nose', 'nose'], "keypoint name 'nose' appears twice"),
    (('categories', 0, 'keypoints'), ['nose', ''], 'keypoint names must be non-empty'),
    (('categories', 0, 'keypoints'), ['nose', 3], r'categories\[0\]\.keypoints must be .* strings'),
    (
        ('categories', 0, 'keypoints'),
        ['nose', 'neck', 'tail'],
        r'keypoints must be a list of 9 .* list of 6',
    ),
    (('categories', 0, 'skeleton'), [[1, 9]], 'limb'),
    (
        ('categories', 0, 'skeleton'),
        [[1]],
        r'categories\[0\]\.skeleton must be a list of lists of 2 numbers',
    ),
    (('categories', 0, 'name'), 5, r'categories\[0\]\.name must be a string, got 5'),
]
RECT: Place = ('annolist', 0, 'annorect', 0)
POINT: Place = (*RECT, 'annopoints', 0, 'point', 0)
ANNOLIST_MISTAKES: list[tuple[Place, Any, str]] = [
    (('annolist',), MISSING, 'annolist is missing'),
    (('annolist',), 'x', "annolist must be a list of objects, got 'x'"),
    (('annolist', 0), 1, r'annolist\[0\] must be an object, got 1'),
    (('annolist', 0, 'image'), MISSING, r'annolist\[0\]\.image is missing'),
    (('annolist', 0, 'image'), [], r'annolist\[0\]\.image must be a list of one'),
    (('annolist', 0, 'image', 0, 'name'), 'frame.jpg', r'image\[0\]\.name must be .*frame\.jpg'),
    (('annolist', 0, 'image', 0, 'name'), 3, r'image\[0\]\.name must be a string, got 3'),
    (('annolist', 0, 'image', 0, 'name'), 'b/000342_mpii/00000000.jpg', r'name must be'),
    (('annolist', 0, 'image', 0, 'name'), 'b/000342_mpii/00010000.jpg', r'name must be'),
    (('annolist', 0, 'annorect'), {}, r'annolist\[0\]\.annorect must be a list'),
    (('annolist', 0, 'ignore_regions', 0, 'point'), 5, r'ignore_regions\[0\]\.point must be'),
    (
        ('annolist', 0, 'ignore_regions', 0, 'point', 0, 'x'),
        ['1'],
        r"ignore_regions\[0\]\.point\[0\]\.x\[0\] must be .* got '1'",
    ),
    ((*RECT, 'x2'), [0], r'annorect\[0\]\.x2 must be at least x1'),
    ((*RECT, 'y2'), [0], r'annorect\[0\]\.y2 must be at least'),
    ((*RECT, 'x1'), MISSING, r'annorect\[0\]\.x1 is missing'),
    ((*RECT, 'x1'), 1, r'annorect\[0\]\.x1 must be a list'),
    ((*RECT, 'x1'), [1, 2], r'annorect\[0\]\.x1 must be a list of 1 .* list of 2'),
    ((*RECT, 'x1'), [NAN], r'annorect\[0\]\.x1\[0\] .* got nan'),
    ((*RECT, 'track_id'), [0.5], r'annorect\[0\]\.track_id must be a whole number'),
    ((*RECT, 'track_id'), [True], r'annorect\[0\]\.track_id\[0\] .* got True'),
    ((*RECT, 'annopoints'), 'x', r'annorect\[0\]\.annopoints must be a list'),
    ((*POINT, 'id'), [15], r'point\[0\]\.id must be a joint id in 0\.\.14'),
    ((*POINT, 'id'), [-1], r'point\[0\]\.id must be a joint id'),
    ((*POINT, 'id'), [14], r'point\[1\]\.id must be another joint'),
    ((*POINT, 'id'), MISSING, r'point\[0\]\.id is missing'),
    ((*POINT, 'x'), [HUGE], r'point\[0\]\.x\[0\] .* got 100000000'),
    ((*POINT, 'x'), [], r'point\[0\]\.x must be a list of 1'),
    ((*POINT, 'y'), MISSING, r'point\[0\]\.y is missing'),
    ((*POINT, 'is_visible'), [2], r'point\[0\]\.is_visible must be 0 or 1'),
    ((*POINT, 'score'), [INFINITE], r'point\[0\]\.score\[0\] .* got inf'),
]
XML_MISTAKES: list[tuple[str, str, str]] = [
    ('</annotations>', '', 'is not XML'),
    ('<annotations>', '<annotations><!-- \x00 -->', 'is not XML'),
    ('annotations>', 'notes>', 'must be a CVAT file with <annotations>, got <notes>'),
    ('<annotations>', '<!DOCTYPE a [<!ENTITY b "c">]><annotations>', 'document type definition'),
    ('<size>3</size>', '<size>many</size>', "size must be .* got 'many'"),
    ('<size>3</size>', '<size>-3</size>', "size must be .* got '-3'"),
    ('<size>3</size>', '<size>99999999</size>', "size must be .* got '99999999'"),
    ('<size>3</size>', '<size>3</size><frame_filter>x</frame_filter>', "frame_filter .* got 'x'"),
    ('<width>64</width>', '<width>wide</width>', "width must be .* got 'wide'"),
    ('<name>neck</name><type>points</type>', '<name>nose</name>', "'nose' appears twice"),
    ('<name>neck</name>', '<name></name>', 'keypoint names must be non-empty'),
    ('<track id="0"', '<track id="x"', r"id of track\[0\] must be .* got 'x'"),
    ('<track id="0"', '<track', r'track\[0\] has no id'),
    ('<track id="0"', '<track id="1"', 'track id 1 appears twice'),
    ('<track id="0" label="person"', '<track id="0" label="dog"', r"label of track\[0\] .* 'dog'"),
    ('<track id="0" label="person"', '<track id="0"', r'track\[0\] has no label'),
    ('frame="0"', '', r'track\[0\]\.skeleton\[0\] has no frame'),
    ('frame="0"', 'frame="0.5"', r"frame of track\[0\]\.skeleton\[0\] .* got '0\.5'"),
    ('frame="0"', 'frame="-1"', r"frame of track\[0\]\.skeleton\[0\] .* got '-1'"),
    ('frame="0"', 'frame="99999999"', "frame of .* got '99999999'"),
    ('keyframe="1"', 'keyframe="yes"', "keyframe of .* must be 0 or 1, got 'yes'"),
    ('label="nose"', 'label="tail"', "frame 0, point must be one of the 2 points .* 'tail'"),
    ('label="nose"', 'label="neck"', 'frame 0, point must be another point'),
    ('label="nose"', '', 'frame 0, point has no label'),
    ('outside="0"', 'outside="2"', "outside of .* must be 0 or 1, got '2'"),
    ('occluded="0"', 'occluded="true"', "occluded of .* must be 0 or 1, got 'true'"),
    ('points="1.5,2"', 'points="1.5"', "points of .* got '1.5'"),
    ('points="1.5,2"', 'points="1,2;3,4"', "points of .* got '1,2;3,4'"),
    ('points="1.5,2"', 'points="nan,2"', "points of .* got 'nan,2'"),
    ('points="1.5,2"', 'points="1e9,2"', "points of .* got '1e9,2'"),
    ('points="1.5,2"', 'points="a,b"', "points of .* got 'a,b'"),
    ('points="1.5,2"', '', 'has no points'),
    ('>1</attribute>', '>high</attribute>', 'score'),
    ('<attribute name="score">', '<attribute>', 'has no name'),
    (
        '</skeleton></track>',
        '</skeleton><skeleton frame="0"><points label="nose" points="1,2"/></skeleton></track>',
        'track id 0 appears twice in frame 0, remove one',
    ),
]


@pytest.fixture
def assert_refused(run_tool: Callable) -> Callable[[Callable, Path, str], None]:
    """Checks that a reader refuses a file, and so does the command, which then writes nothing."""

    def check(read: Callable[[Path], Any], path: Path, told: str) -> None:
        with pytest.raises(InputError, match=told) as caught:
            read(path)
        message = str(caught.value)
        assert str(path) in message
        assert '\n' not in message
        assert len(message) < 400 + len(str(path))

        out = path.parent / 'out.json'
        source = ['--from', FORMATS[read]] if read in FORMATS else []
        code, errors = run_tool(CONVERTER, path, out, *source)
        assert code == 2
        assert len(errors.splitlines()) == 1, errors
        assert str(path) in errors
        assert not out.exists()

    return check


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize('read', [read_posetrack18, read_coco])
@pytest.mark.parametrize(('place', 'value', 'told'), COCO_LIKE_MISTAKES)
def test_posetrack18_and_coco(
    assert_refused: Callable, tmp_path: Path, read: Callable, place: Place, value: Any, told: str
):
    path = write(tmp_path / 'labels.json', changed(COCO_LIKE, place, value))

    assert_refused(read, path, told)


@pytest.mark.parametrize(('place', 'value', 'told'), ANNOLIST_MISTAKES)
def test_posetrack17(assert_refused: Callable, tmp_path: Path, place: Place, value: Any, told: str):
    path = write(tmp_path / 'labels.json', changed(ANNOLIST, place, value))

    assert_refused(read_posetrack17, path, told)


@pytest.mark.parametrize(('old', 'new', 'told'), XML_MISTAKES)
def test_cvat(assert_refused: Callable, tmp_path: Path, old: str, new: str, told: str):
    assert old in XML
    path = tmp_path / 'labels.xml'
    path.write_text(XML.replace(old, new) if old.endswith('>') else XML.replace(old, new, 1))

    assert_refused(read_cvat, path, told)


@pytest.mark.parametrize('read', [read_posetrack17, read_posetrack18, read_coco])
@pytest.mark.parametrize(('data', 'told'), DAMAGED)
def test_damaged_json(
    assert_refused: Callable, tmp_path: Path, read: Callable, data: bytes, told: str
):
    path = tmp_path / 'labels.json'
    path.write_bytes(data)

    assert_refused(read, path, told)


@pytest.mark.parametrize(
    ('data', 'told'),
    [
        (b'', 'is empty'),
        (b'{}', 'is not XML'),
        (b'PK\x03\x04broken', 'zip file'),
        (b'<annotations><image id="0"/></annotations>', 'CVAT for images'),
        (b'<annotations/>', 'holds no skeleton'),
        (b'<?xml version="1.0" encoding="nonsense"?><annotations/>', 'is not XML'),
    ],
)
def test_damaged_xml(assert_refused: Callable, tmp_path: Path, data: bytes, told: str):
    path = tmp_path / 'labels.xml'
    path.write_bytes(data)

    assert_refused(read_cvat, path, told)


@pytest.mark.parametrize('read', [read_posetrack17, read_posetrack18, read_coco, read_cvat])
def test_missing_files_and_folders(assert_refused: Callable, tmp_path: Path, read: Callable):
    assert_refused(read, tmp_path / 'nowhere.json', 'does not exist')
    assert_refused(read, tmp_path, 'is a folder')


@pytest.mark.parametrize('data', [b'{}', b'[]', b'{"images": 3}', b'{"frames": []}', b'hello'])
def test_files_of_no_known_format(assert_refused: Callable, tmp_path: Path, data: bytes):
    path = tmp_path / 'labels.json'
    path.write_bytes(data)

    assert_refused(read_labels, path, 'no label file of a known format|is not JSON')


def test_the_unchanged_files_are_read(tmp_path: Path):
    """The mistakes above are the only thing wrong with the files they are in."""
    assert len(read_posetrack18(write(tmp_path / 'a.json', COCO_LIKE)).persons) == 2
    assert len(read_coco(write(tmp_path / 'b.json', COCO_LIKE))[0].persons) == 2
    assert len(read_posetrack17(write(tmp_path / 'c.json', ANNOLIST)).persons) == 1
    (tmp_path / 'd.xml').write_text(XML)
    assert len(read_cvat(tmp_path / 'd.xml').persons) == 2
