"""Files that are damaged, made to do harm, or no files: one sentence, within bounded memory."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.constants import LABEL_FORMATS, READ_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.file_names import video_name
from stdpose_mm.io.labels import (
    FrameOptions,
    frame_sources,
    match_frames,
    read_all_labels,
    read_frame_list,
    read_labels,
    write_labels,
)
from stdpose_mm.io.labels.label_files import find_file_of
from stdpose_mm.io.labels.label_stream import LabelStream
from stdpose_mm.io.video import ArrayFrames, open_frames
from stdpose_mm.io.video_list import read_inputs
from stdpose_mm.structures import VideoFrame
from support.label_samples import person, sample
from support.platforms import linux, posix
from support.zip_files import zipped

LOCAL_FLAGS, LOCAL_METHOD = 6, 8
CENTRAL_FLAGS, CENTRAL_METHOD = 8, 10
"""Places of fields after ``PK\\3\\4`` and ``PK\\1\\2``, counted from there."""


@pytest.fixture
def export(tmp_path: Path) -> bytes:
    """A zip of CVAT."""
    write_labels(sample(), tmp_path / 'annotations.xml')
    return zipped((tmp_path / 'annotations.xml').read_bytes())


def with_header(data: bytes, local: int, central: int, value: int) -> bytes:
    header = bytearray(data)
    header[local] = value
    header[data.index(b'PK\1\2') + central] = value
    return bytes(header)


def refused(read: Callable[[], Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        read()
    assert '\n' not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ('damage', 'told'),
    [
        (lambda data: with_header(data, LOCAL_FLAGS, CENTRAL_FLAGS, 1), 'is encrypted'),
        (lambda data: with_header(data, LOCAL_METHOD, CENTRAL_METHOD, 99), 'not supported'),
        (lambda data: data[:60] + bytes([data[60] ^ 255]) + data[61:], r'labels in it'),
        (lambda data: data[: len(data) // 2], 'not a zip file'),
        (lambda data: data.replace(data[-6:-2], b'\xff\xff\xff\x7f'), r'labels in it'),
    ],
    ids=['encrypted', 'unknown method', 'flipped byte', 'cut', 'offset'],
)
def test_a_damaged_zip(tmp_path: Path, export: bytes, damage: Callable, told: str) -> None:
    path = tmp_path / 'task.zip'
    path.write_bytes(damage(export))

    refused(lambda: read_all_labels(path), rf'task\.zip is not a readable zip file .*{told}')


def test_labels_that_shrink_well_are_no_bomb(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr('stdpose_mm.io.limits.MAX_UNZIPPED_UNSEEN', 1000)
    people = [person(0, track_id) for track_id in range(200)]
    write_labels(sample(persons=people), tmp_path / 'many.json.gz')

    assert len(read_labels(tmp_path / 'many.json.gz').persons) == 200


def test_deep_xml(tmp_path: Path) -> None:
    depth = 100_000
    write_labels(sample(), tmp_path / 'labels.xml')
    deep = '<e>' * depth + '</e>' * depth + '</annotations>'
    path = tmp_path / 'deep.xml'
    path.write_text((tmp_path / 'labels.xml').read_text().replace('</annotations>', deep))

    refused(lambda: read_all_labels(path), r'deep\.xml is nested more than 100 elements deep')


def coco(**fields: Any) -> dict[str, Any]:
    return {
        'images': [{'id': 1, 'file_name': 'a/0.jpg', 'frame_index': 0}],
        'annotations': [{'id': 1, 'image_id': 1, 'track_id': 0, 'keypoints': [1, 2, 2]}],
        'categories': [{'id': 1, 'name': 'person', 'keypoints': ['nose']}],
        **fields,
    }


@pytest.mark.parametrize('value', [[1], True])
def test_a_video_that_is_no_name(tmp_path: Path, value: Any) -> None:
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(coco(info={'video': value})))
    labels = read_labels(path)

    refused(lambda: frame_sources(labels, tmp_path, tmp_path), r'info\.video of .* must be')


@posix
@pytest.mark.parametrize(
    ('name', 'read'),
    [
        ('pipe.json', read_all_labels),
        ('pipe.json', read_frame_list),
        ('pipe.mp4', open_frames),
        ('pipe.png', lambda pipe: open_frames(pipe.parent)),
        ('pipe.jsonl', lambda pipe: read_inputs([str(pipe)])),
    ],
)
def test_a_pipe_is_refused(tmp_path: Path, name: str, read: Callable) -> None:
    """Opening it would wait for a writer for ever."""
    os.mkfifo(tmp_path / name)

    refused(lambda: read(tmp_path / name), r'pipe\.\w+ is a pipe, save its content to a file')


def test_what_is_nested_as_files_are_stays(tmp_path: Path) -> None:
    path = tmp_path / 'labels.json'
    nested = json.loads('[' * 99 + ']' * 99)
    path.write_text(json.dumps(coco(info=nested)))
    (labels,) = read_all_labels(path)
    write_labels(labels, tmp_path / 'again.json', 'coco')

    assert json.loads((tmp_path / 'again.json').read_text())['info'] == nested


def test_pairs_of_surrogates_are_characters(tmp_path: Path) -> None:
    path = tmp_path / 'labels.json'
    path.write_text(
        json.dumps(coco(categories=[{'id': 1, 'name': 'dog', 'keypoints': ['\U0001f415']}]))
    )
    assert '\\ud83d\\udc15' in path.read_text()

    assert read_labels(path).skeleton.keypoint_names == ('\U0001f415',)


def test_a_name_of_a_file_that_is_no_text_names_the_video_all_the_same() -> None:
    assert video_name(os.fsdecode(b'/clips/caf\xe9.json')) == 'caf\ufffd'


@linux
@pytest.mark.parametrize(('side', 'is_whole'), [(100_000, True), (20_000, False)])
def test_a_picture_whose_head_asks_for_more_than_there_is(
    tmp_path: Path, side: int, is_whole: bool
) -> None:
    """OpenCV alone takes a billion pixels, whatever the checksum."""
    import resource

    def peak_memory() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack('>I', zlib.crc32(kind + data) ^ (not is_whole))
        return struct.pack('>I', len(data)) + kind + data + checksum

    head = struct.pack('>IIBBBBB', side, side, 8, 2, 0, 0, 0)
    data = chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(b'\0' * 1000)) + chunk(b'IEND', b'')
    (tmp_path / '0.png').write_bytes(b'\x89PNG\r\n\x1a\n' + data)
    told = r'0\.png has more than' if is_whole else 'is damaged or not a picture'
    before = peak_memory()

    refused(lambda: open_frames(tmp_path), told)
    assert peak_memory() - before < 200 * 1024


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize(
    'format', ['posetrack18', 'coco', 'cvat', 'mmpose', 'coco-results', 'deeplabcut']
)
def test_the_highest_frame_and_track_come_back(tmp_path: Path, format: str) -> None:
    highest = 10**7
    labels = sample(
        frames=(*sample().frames[:2], VideoFrame(highest)),
        persons=(person(0, 2**63 - 1), person(highest, 2**63 - 1)),
    )
    path = tmp_path / f'dense{WRITE_FORMATS[format][0]}'
    write_labels(labels, path, format)
    again = read_labels(path, format)

    assert again.labelled_frame_indices == (0, highest)
    assert again.track_ids == ((0,) if format == 'deeplabcut' else (2**63 - 1,))
    assert len(again) < 10


WRITTEN = [format for format in WRITE_FORMATS if not LABEL_FORMATS[format].package]


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize(
    'format',
    # YOLO-pose leaves out what lies beyond the picture.
    [format for format in WRITTEN if format in READ_FORMATS and format != 'yolo-pose'],
)
def test_the_furthest_places_come_back(tmp_path: Path, format: str) -> None:
    """A box around two joints is twice as wide as either is far."""
    places = np.array([[1e7, -1e7], [0, 0], [-1e7, 1e7]])
    there = person(0, keypoints=places, bbox=np.array([-1e7, -1e7, 2e7, 2e7]))
    path = tmp_path / f'far{WRITE_FORMATS[format][0]}'

    write_labels(sample(persons=(there,)), path, format, lambda frame: frame / 30)

    (back,) = read_labels(path, format).persons
    # Joints that nobody has labelled are not in all formats.
    np.testing.assert_allclose(back.keypoints[back.labelled], places[[0, 2]])


@pytest.mark.parametrize('format', WRITTEN)
@pytest.mark.parametrize(
    'beyond',
    [
        {'keypoints': np.array([[5, 5], [0, 0], [1.1e7, 5]])},
        {'bbox': np.array([9e6, 0, 2e6, 10])},
        {'head_box': np.array([-1.1e7, 0, 2e6, 10])},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_places_that_could_not_be_read_again_are_not_written(
    tmp_path: Path, format: str, beyond: dict[str, np.ndarray]
) -> None:
    labels = sample(persons=(person(2, **beyond),))
    path = tmp_path / f'far{WRITE_FORMATS[format][0]}'
    told = r'labels on frame 2 of clip have a coordinate of 1\.1e\+07'

    refused(lambda: write_labels(labels, path, format, lambda frame: frame / 30), told)
    assert not any(tmp_path.iterdir())
    with LabelStream('clip', labels.skeleton, tmp_path) as stream:
        refused(lambda: stream.add(labels.frames[2], labels.persons), told)


def test_leftovers_are_nobodys_labels(tmp_path: Path) -> None:
    leftovers = ('.DS_Store', '._clip.json', 'clip.json~', 'clip.part', 'clip.bak', 'clip.tmp')
    for name in ('clip.json', *leftovers):
        (tmp_path / name).write_text('')

    assert find_file_of(Path('clip.mp4'), tmp_path) == tmp_path / 'clip.json'


def test_backslashes_in_names_of_pictures_are_folders_for_deeplabcut_too(tmp_path: Path) -> None:
    labels = sample(frames=[VideoFrame(i, f'a\\img{i}.png') for i in range(3)])
    write_labels(labels, tmp_path / 'clip.csv', 'deeplabcut')

    assert 'labeled-data,clip,img2.png' in (tmp_path / 'clip.csv').read_text()
    assert read_labels(tmp_path / 'clip.csv').labelled_frame_indices == (0, 2)


def test_a_picture_whose_name_is_too_long_lies_nowhere(tmp_path: Path) -> None:
    images = [{'id': 1, 'file_name': 'x' * 400 + '_frame_1.png', 'width': 1, 'height': 1}]
    (tmp_path / 'labels.json').write_text(json.dumps(coco(images=images)))
    labels = read_labels(tmp_path / 'labels.json')
    frames = ArrayFrames(np.zeros((2, 8, 8, 3), np.uint8))

    assert match_frames(labels, frames, FrameOptions(first_number=1)).labelled_frame_indices == (0,)
