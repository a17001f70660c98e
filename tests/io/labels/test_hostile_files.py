"""Files that are damaged, made to do harm, or no files: one sentence, within bounded memory."""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.cli import convert
from stdpose_mm.constants import FORMAT_PACKAGES, READ_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import (
    FrameOptions,
    find_label_files,
    frame_sources,
    match_frames,
    read_all_labels,
    read_frame_list,
    read_labels,
    write_labels,
)
from stdpose_mm.io.labels.coco import video_name
from stdpose_mm.io.labels.label_stream import LabelStream
from stdpose_mm.io.video import ArrayFrames, open_frames
from stdpose_mm.io.video_list import ListedVideo, find_file_of, list_videos
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
    changed = bytearray(data)
    changed[local] = value
    changed[data.index(b'PK\1\2') + central] = value
    return bytes(changed)


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
        (lambda data: data[:60] + bytes([data[60] ^ 255]) + data[61:], r'annotations\.xml in it'),
        (lambda data: data[: len(data) // 2], 'not a zip file'),
        (lambda data: data.replace(data[-6:-2], b'\xff\xff\xff\x7f'), r'annotations\.xml in it'),
    ],
    ids=['encrypted', 'unknown method', 'flipped byte', 'cut', 'offset'],
)
def test_a_damaged_zip(tmp_path: Path, export: bytes, damage: Callable, told: str) -> None:
    path = tmp_path / 'task.zip'
    path.write_bytes(damage(export))

    refused(lambda: read_all_labels(path), rf'task\.zip is not a readable zip file .*{told}')


def test_labels_that_shrink_well_are_no_bomb(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr('stdpose_mm.io.labels.fields.MAX_UNZIPPED_UNSEEN', 1000)
    people = [person(0, track_id) for track_id in range(200)]
    write_labels(sample(persons=people), tmp_path / 'many.json.gz')

    assert len(read_labels(tmp_path / 'many.json.gz').persons) == 200


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-16'])
def test_an_entity_bomb(tmp_path: Path, encoding: str) -> None:
    lines = [f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(9)]
    text = f'<!DOCTYPE a [<!ENTITY e0 "ha">{"".join(lines)}]><annotations>&e9;</annotations>'
    path = tmp_path / 'labels.xml'
    path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding))

    refused(lambda: read_all_labels(path, 'cvat'), r'labels\.xml has a document type definition')


@pytest.mark.parametrize('depth', [500, 100_000])
def test_deep_xml(tmp_path: Path, depth: int) -> None:
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


def test_what_is_nested_as_files_are_stays(tmp_path: Path) -> None:
    path = tmp_path / 'labels.json'
    nested = json.loads('[' * 99 + ']' * 99)
    path.write_text(json.dumps(coco(info=nested)))
    (labels,) = read_all_labels(path)
    write_labels(labels, tmp_path / 'again.json', 'coco')

    assert json.loads((tmp_path / 'again.json').read_text())['info'] == nested


@pytest.mark.parametrize('value', [5, [1], {'a': 1}, True])
def test_a_video_that_is_no_name(tmp_path: Path, value: Any) -> None:
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(coco(info={'video': value})))
    labels = read_labels(path)

    refused(lambda: frame_sources(labels, tmp_path, tmp_path), r'info\.video of .* must be')


@pytest.mark.parametrize('bad', ['nose\0', '\ud800', 'a\udfff'])
@pytest.mark.parametrize(
    'place',
    [('categories', 0, 'keypoints', 0), ('images', 0, 'file_name'), ('annotations', 0, 'note')],
)
def test_what_no_name_can_hold_is_refused_before_a_run(
    tmp_path: Path, place: tuple, bad: str
) -> None:
    document: Any = coco()
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = bad
    path = tmp_path / 'labels.json'
    path.write_text(json.dumps(document))

    refused(lambda: read_labels(path), r'labels\.json .* holds .*, an invalid character')


def test_pairs_of_surrogates_are_characters(tmp_path: Path) -> None:
    path = tmp_path / 'labels.json'
    path.write_text(
        json.dumps(coco(categories=[{'id': 1, 'name': 'dog', 'keypoints': ['\U0001f415']}]))
    )
    assert '\\ud83d\\udc15' in path.read_text()

    assert read_labels(path).skeleton.keypoint_names == ('\U0001f415',)


def test_a_name_of_a_file_that_is_no_text_names_the_video_all_the_same() -> None:
    assert video_name(os.fsdecode(b'/clips/caf\xe9.json')) == 'caf\ufffd'


@pytest.mark.parametrize(
    ('encoding', 'is_read'), [('utf-8-sig', True), ('utf-16', False), ('utf-32', False)]
)
def test_encodings(tmp_path: Path, encoding: str, is_read: bool) -> None:
    path = tmp_path / 'labels.json'
    path.write_bytes(json.dumps(coco()).encode(encoding))

    if is_read:
        assert read_labels(path).track_ids == (0,)
    else:
        refused(lambda: read_labels(path), r'labels\.json is not UTF-8 text')


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """A pipe without a writer; opening it would wait for one for ever."""
    path = tmp_path / 'pipe.json'
    os.mkfifo(path)
    return path


@posix
@pytest.mark.parametrize(
    'read', [read_all_labels, read_frame_list, open_frames], ids=lambda read: read.__name__
)
def test_a_pipe_is_refused(pipe: Path, read: Callable) -> None:
    refused(lambda: read(pipe), r'pipe\.json is a pipe, save its content to a file')


@posix
def test_a_pipe_among_pictures_and_as_a_list_of_videos(pipe: Path) -> None:
    for name in ('0.png', 'videos.jsonl'):
        os.mkfifo(pipe.with_name(name))

    refused(lambda: open_frames(pipe.parent), r'0\.png is a pipe')
    refused(lambda: list_videos([str(pipe.with_name('videos.jsonl'))]), r'videos\.jsonl is a pipe')


@posix
def test_process_substitution(run_main: Callable, tmp_path: Path) -> None:
    """What bash makes of ``<(cat labels.json)``."""
    reader, writer = os.pipe()
    os.write(writer, json.dumps(coco()).encode())
    os.close(writer)
    code, _, (line,) = run_main(convert.main, f'/dev/fd/{reader}', tmp_path / 'out.json')
    os.close(reader)

    assert code == 2
    assert f'/dev/fd/{reader} is a pipe, save its content to a file and give that' in line


@linux
@pytest.mark.parametrize('is_whole', [True, False])
@pytest.mark.parametrize('side', [100_000, 20_000])
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


FORMATS_OF_FRAMES = {
    'posetrack18': 'dense.json',
    'coco': 'dense.json',
    'cvat': 'dense.xml',
    'mmpose': 'dense.json',
    'coco-results': 'dense.json',
    'deeplabcut': 'dense.csv',
}


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize('format', FORMATS_OF_FRAMES)
def test_the_highest_frame_and_track_come_back(tmp_path: Path, format: str) -> None:
    highest = 10**7
    frames = sample().frames
    labels = sample(
        frames=(*frames[:2], type(frames[2])(highest)),
        persons=(person(0, 2**63 - 1), person(highest, 2**63 - 1)),
    )
    path = tmp_path / FORMATS_OF_FRAMES[format]
    write_labels(labels, path, format)
    again = read_labels(path, format)

    assert again.labelled_frame_indices == (0, highest)
    assert again.track_ids == ((0,) if format == 'deeplabcut' else (2**63 - 1,))
    assert len(again) < 10


WRITTEN = [format for format in WRITE_FORMATS if format not in FORMAT_PACKAGES]


@pytest.mark.filterwarnings('ignore::stdpose_mm.errors.InputWarning')
@pytest.mark.parametrize(
    'format',
    # YOLO-pose leaves out what lies beyond the picture.
    [format for format in WRITTEN if format in READ_FORMATS and format != 'yolo-pose'],
)
@pytest.mark.parametrize('box', [None, [-1e7, -1e7, 2e7, 2e7]], ids=['no box', 'box'])
def test_the_furthest_places_come_back(tmp_path: Path, format: str, box: Any) -> None:
    """A box around two joints is twice as wide as either is far."""
    places = np.array([[1e7, -1e7], [0, 0], [-1e7, 1e7]])
    there = replace(person(0), keypoints=places, bbox=None if box is None else np.array(box))
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
    labels = sample(persons=(replace(person(2), **beyond),))
    path = tmp_path / f'far{WRITE_FORMATS[format][0]}'
    told = r'labels on frame 2 of clip have a coordinate of 1\.1e\+07'

    refused(lambda: write_labels(labels, path, format, lambda frame: frame / 30), told)
    assert not any(tmp_path.iterdir())
    with LabelStream('clip', labels.skeleton, tmp_path) as stream:
        refused(lambda: stream.add(labels.frames[2], labels.persons), told)


def test_new_ids_after_the_highest_one_can_be_read_back(tmp_path: Path) -> None:
    from stdpose_mm.tracking import assign_track_ids

    labels = sample(persons=(person(0, 2**63 - 1), person(0, 0), person(0, None)))

    assert sorted(assign_track_ids(labels).track_ids) == [0, 1, 2**63 - 1]
    write_labels(labels, tmp_path / 'a.xml')
    assert read_labels(tmp_path / 'a.xml').track_ids == (0, 1, 2**63 - 1)


LEFTOVERS = ('.DS_Store', '._clip.json', 'clip.json~', 'clip.part', 'clip.bak', 'clip.tmp')


def test_leftovers_are_nobodys_labels(tmp_path: Path) -> None:
    for name in ('clip.json', *LEFTOVERS):
        (tmp_path / name).write_text('')

    assert find_file_of(ListedVideo(Path('clip.mp4')), tmp_path) == tmp_path / 'clip.json'


@pytest.mark.parametrize('leftover', ['._a.json', '._a.txt', 'a.json~'])
def test_leftovers_beside_labels_of_pictures(tmp_path: Path, leftover: str) -> None:
    shape = {'label': 'nose', 'points': [[1, 2]], 'shape_type': 'point'}
    (tmp_path / leftover).write_text('0 0.5 0.5 0.1 0.1 0.5 0.5 2')
    (tmp_path / 'a.json').write_text(json.dumps({'shapes': [shape], 'imagePath': 'a.jpg'}))

    assert len(read_labels(tmp_path).persons) == 1


@pytest.mark.parametrize('name', ['²5.png', '٣.png', '1²3.png'])
def test_digits_of_every_kind_in_names_of_pictures(tmp_path: Path, name: str) -> None:
    import cv2
    import numpy as np

    for other in (name, '7.png'):
        (tmp_path / other).write_bytes(cv2.imencode('.png', np.zeros((2, 2, 3), np.uint8))[1])

    assert len(open_frames(tmp_path)) == 2


def test_a_list_of_labels_with_a_name_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / 'list.txt').write_text('x' * 400 + '.json')

    with pytest.raises(InputError, match='do not exist'):
        find_label_files(tmp_path / 'list.txt')


def test_backslashes_in_names_of_pictures_are_folders_for_deeplabcut_too(tmp_path: Path) -> None:
    frames = sample().frames
    names = ('a\\img0.png', 'a\\img1.png', 'a\\img2.png')
    labels = sample(
        frames=[replace(frame, file_name=name) for frame, name in zip(frames, names, strict=True)]
    )
    write_labels(labels, tmp_path / 'clip.csv', 'deeplabcut')

    assert 'labeled-data,clip,img2.png' in (tmp_path / 'clip.csv').read_text()
    assert read_labels(tmp_path / 'clip.csv').labelled_frame_indices == (0, 2)


def test_a_number_of_thousands_of_digits_in_a_name_is_none(tmp_path: Path) -> None:
    images = [{'id': i, 'file_name': f'a/{"9" * 5000}{i}.jpg'} for i in range(2)]
    (tmp_path / 'labels.json').write_text(json.dumps(coco(images=images)))

    assert [*read_labels(tmp_path / 'labels.json')] == [0, 1]


def test_a_picture_whose_name_is_too_long_lies_nowhere(tmp_path: Path) -> None:
    images = [{'id': 1, 'file_name': 'x' * 400 + '_frame_1.png', 'width': 1, 'height': 1}]
    (tmp_path / 'labels.json').write_text(json.dumps(coco(images=images)))
    labels = read_labels(tmp_path / 'labels.json')
    frames = ArrayFrames(np.zeros((2, 8, 8, 3), np.uint8))

    assert match_frames(labels, frames, FrameOptions(first_number=1)).labelled_frame_indices == (0,)
