"""Files with one odd value are read, or refused in one sentence: what once failed in fuzzing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stdpose_mm.detection.box_files import read_boxes
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_all_labels, read_frame_list, write_labels
from stdpose_mm.io.video_list import read_inputs
from support.label_documents import DOCUMENTS
from support.label_samples import sample

pytestmark = [
    pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning'),
    pytest.mark.filterwarnings('error::RuntimeWarning'),
]

ODD: list[Any] = [
    *(None, [], {}, [None], [[1, 2], [3]], True, '', '²', 'a\0b', '\ud800', '9' * 5000),
    *(-1, 0.5, 10**7 + 1, 2**63, 10**400, float('nan'), float('inf')),
]
"""Values of JSON that stood where another was expected."""

ODD_TEXTS = ['', '-1', '1e999', 'nan', '9' * 5000, '٣', '..', 'x' * 300, '1,2;3']
"""Words of tables and attributes that stood where another was expected."""

FOREIGN = ('mediapipe', 'mmpose', 'labelme', 'label-studio', 'openpose', 'posetrack17')
OWN = ('posetrack18', 'coco', 'coco-results')
TABLES = {
    'labels.csv': 'scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\nlabeled-data/a/img03.png,1.5,2\n',
    'boxes.txt': '1,0,4,4,18,20,0.9,-1,-1,-1\n3,0,6,4,18,20,0.5,-1,-1,-1\n',
    'frames.csv': 'name,frame\na.jpg,3\nb.jpg,12\n',
    'videos.csv': 'video,labels,out\nclip.mp4,clip.json,a/clip.json\n',
    'videos.jsonl': '{"video": "clip.mp4", "labels": "clip.json"}\n{"video": "b.mp4"}\n',
}


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Containers of a document with their keys; of long lists the first entry."""
    if isinstance(value, dict | list):
        keys = [*value] if isinstance(value, dict) else range(min(len(value), 1))
        for key in keys:
            yield value, key
            yield from places(value[key])


def damaged(document: Any) -> Iterator[Any]:
    """The document with an odd value at every place, without the place, and with it twice."""
    text = json.dumps(document)
    for number in range(len([*places(document)])):
        for odd in [*ODD, 'left out', 'twice']:
            changed = json.loads(text)
            container, key = [*places(changed)][number]
            if odd == 'left out':
                del container[key]
            elif odd == 'twice':
                container[key] = [container[key]] * 2
            else:
                container[key] = odd
            yield changed


def read_or_refuse(path: Path, format: str | None = None) -> None:
    """Read a file as what its name says; nothing else than one sentence may stop that."""
    sentence = 'it is read'
    try:
        if path.stem == 'boxes':
            read_boxes(path)
        elif path.stem == 'frames':
            read_frame_list(path)
        elif path.stem == 'videos':
            read_inputs([str(path)])
        else:
            read_all_labels(path, format)
    except InputError as error:
        sentence = str(error)
    assert '\n' not in sentence
    assert 0 < len(sentence) < 20_000


@pytest.mark.parametrize('format', [*FOREIGN, *OWN])
def test_an_odd_value_in_json(tmp_path: Path, format: str) -> None:
    path = tmp_path / 'labels.json'
    if format in OWN:
        write_labels(sample(), path, format)
    document = json.loads(path.read_text()) if format in OWN else DOCUMENTS[format]
    path.write_text(json.dumps(document))
    assert read_all_labels(path, format)
    for changed in damaged(document):
        path.write_text(json.dumps(changed))
        read_or_refuse(path, format)


@pytest.mark.parametrize('name', TABLES)
def test_an_odd_word_in_a_table(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    words = re.split(r'([,\s"]+)', TABLES[name])
    for place in range(0, len(words), 2):
        for odd in ODD_TEXTS:
            path.write_text(''.join([*words[:place], odd, *words[place + 1 :]]))
            read_or_refuse(path)


def test_an_odd_attribute_of_cvat(tmp_path: Path) -> None:
    path = tmp_path / 'labels.xml'
    write_labels(sample(), path, 'cvat')
    text = path.read_text()
    values = [*re.finditer(r'(?<==")[^"]*(?=")|(?<=>)[^<>]+(?=</)', text)]
    assert len(values) > 90
    for found in values[:90:2]:
        for odd in ODD_TEXTS:
            path.write_text(text[: found.start()] + odd + text[found.end() :])
            read_or_refuse(path, 'cvat')
