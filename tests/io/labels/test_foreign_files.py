"""Files of other tools are named as what they are, with what to do."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels, sniff_format

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
DARWIN = {'version': '2.0', 'item': {'name': 'a.mp4'}, 'annotations': []}
SUPERVISELY = {'description': '', 'size': {'height': 2, 'width': 2}, 'objects': [], 'tags': []}


@pytest.mark.parametrize(
    ('name', 'text', 'sentence'),
    [
        ('a.xml', VOC, 'is a Pascal VOC file, which holds boxes .*: label joints, .*export these'),
        ('a.xml', VOC.partition('\n')[2], 'is a Pascal VOC file'),
        ('a.xml', CVAT_IMAGES, 'is "CVAT for images", expected an export as "CVAT for video 1.1"'),
        ('a.txt', '0 0.5 0.5 0.2 0.3\n0 0.1 0.2 0.3 0.4\n', 'is a YOLO file of boxes without join'),
        ('a.txt', '0 0.5 0.5 0.2 0.3', 'is a YOLO file of boxes without joints'),
        ('a.txt', '0 0.5 0.5 0.2 0.3\n' * 1000, 'is a YOLO file of boxes without joints'),
        ('a.json', json.dumps([BOX]), 'is a list of COCO detections, .*: give a file with joints'),
        ('a.json', json.dumps({'_via_img_metadata': {}}), 'is a project of the VGG Image Annot'),
        ('a.json', json.dumps({'0.jpg9': VIA_IMAGE}), 'is a project of the VGG Image Annotator'),
        ('a.json', json.dumps({'info': {}, 'categories': {}, 'items': []}), 'is a Datumaro data s'),
        ('a.json', json.dumps(SUPERVISELY), 'is an annotation of Supervisely'),
        ('a.json', json.dumps(DARWIN), 'is a Darwin file of V7, .*: export the data set as COCO'),
        ('a.json', json.dumps({'annotations': []}), 'is a COCO-like file without "images"'),
        ('a.pdf', '%PDF-1.7', 'is a PDF document'),
        ('a.csv', 'scorer;Ali;Ali\nbodyparts;nose;nose\n', 'semicolons or tabs, .*with commas'),
        ('a.csv', 'scorer\tAli\tAli\nbodyparts\tnose\tnose\n', 'semicolons or tabs, .*with commas'),
        ('a.csv', 'frame,time,person,joint,x,y,score,source\n', 'stdpose writes .* as .json'),
        ('a.trc', 'PathFileType\t4\t(X/Y/Z)\ta.trc\n', 'is a marker file .*: give the labels'),
        (
            'a.csv',
            'frame,joint,x,y\n0,nose,3,4\n',
            'no label file of a known format, expected JSON',
        ),
        ('a.txt', 'hello', 'no label file of a known format, expected JSON'),
        ('a.json', '// mine\n{}', 'a.json is not JSON: Expecting value at line 1, column 1'),
    ],
)
def test_a_foreign_file_is_named(tmp_path, name, text, sentence):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=sentence) as caught:
        read_labels(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert '\n' not in str(caught.value)
    if 'CVAT' not in sentence:
        with pytest.raises(InputError, match=sentence):
            sniff_format(tmp_path / name)


def test_binary_files_are_named(tmp_path):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps([1]))
    np.save(tmp_path / 'a.npy', np.zeros(3))
    for name, what in (('a.pkl', "a pickle of Python's"), ('a.npy', 'an array of NumPy')):
        with pytest.raises(InputError, match=f'is {what}, expected poses of a video: export'):
            read_labels(tmp_path / name)


def test_a_video_is_no_label_file(movie, folder):
    with pytest.raises(InputError, match=r'clip\.mp4 is a video, expected a file with labels'):
        read_labels(movie)
    with pytest.raises(InputError, match=r'000001\.jpg is a picture, expected a file with labels'):
        read_labels(folder / '000001.jpg')


def test_an_empty_list_of_unknown_things_is_no_label_file(tmp_path):
    (tmp_path / 'a.json').write_text('[]')
    with pytest.raises(InputError, match='is no label file of a known format'):
        read_labels(tmp_path / 'a.json')
