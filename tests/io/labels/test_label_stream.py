from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from stdpose_mm.constants import LABEL_FORMATS, WRITE_FORMATS
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.labels.label_stream import LabelStream
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.platforms import linux

pytestmark = pytest.mark.slow

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))


def labels_of(num_frames, people=2):
    frames = tuple(
        VideoFrame(n, f'clip/{n:06d}.jpg', width=64, height=48) for n in range(num_frames)
    )
    persons = [
        PersonLabel(
            frame,
            np.full((3, 2), 1.5 * frame + track),
            np.array([2, 1, 0]),
            track_id=track,
            scores=np.array([0.5, 0.25, 0]),
            bbox=np.array([1.0, 2, 3, 4]),
            source='propagated',
        )
        for frame in range(num_frames)
        # Nobody in the second frame.
        for track in range(0 if frame == 1 else people)
    ]
    return VideoLabels('clip', SKELETON, frames, tuple(persons))


def time_of(frame):
    return frame / 25


def streamed(labels, folder):
    stream = LabelStream(labels.name, labels.skeleton, folder)
    for frame in labels.frames:
        stream.add(frame, labels[frame.index])
    return stream


def bytes_of(path):
    files = sorted(path.rglob('*')) if path.is_dir() else [path]
    return b''.join(file.read_bytes() for file in files if file.is_file())


# TRC holds a motion, so two frames at least; movement's datasets hold somebody.
CASES = [
    (format, num_frames)
    for format in WRITE_FORMATS
    for num_frames in ((3,) if format in ('trc', 'movement') else (0, 3))
    if not LABEL_FORMATS[format].package
]


@pytest.mark.parametrize(('format', 'num_frames'), CASES)
def test_a_stream_writes_what_is_written_at_once(tmp_path, format, num_frames):
    labels = labels_of(num_frames)
    once, suffix = tmp_path / 'once', WRITE_FORMATS[format][0]
    once.mkdir()
    extra = {'inference': {'complete': True}}
    with streamed(labels, tmp_path) as stream:
        stream.write(tmp_path / f'clip{suffix}', format, extra, time_of)
    labels = replace(labels, extra=extra)
    write_labels(labels, once / f'clip{suffix}', format, time_of)
    found, expected = (bytes_of(folder / f'clip{suffix}') for folder in (tmp_path, once))
    if format == 'cvat':  # It notes the time of writing.
        found, expected = (read_labels(folder / 'clip.xml') for folder in (tmp_path, once))
        assert [p.frame_index for p in found.persons] == [p.frame_index for p in expected.persons]
        return
    if format.startswith('coco'):
        assert json.loads(found) == json.loads(expected)
    else:
        assert found == expected


def test_a_stream_goes_on_after_writing(tmp_path):
    labels = labels_of(3)
    with streamed(labels, tmp_path) as stream:
        stream.write(tmp_path / 'first.json')
        stream.add(VideoFrame(3), [replace(labels.persons[0], frame_index=3)])
        stream.write(tmp_path / 'clip.json')
        assert (stream.num_frames, stream.num_persons) == (4, 5)
    assert len(read_labels(tmp_path / 'first.json')) == 3
    written = read_labels(tmp_path / 'clip.json')
    assert [frame.index for frame in written.frames] == [0, 1, 2, 3]
    assert written.persons[-1].frame_index == 3


def test_nothing_is_left_behind(tmp_path):
    with pytest.raises(RuntimeError), streamed(labels_of(3), tmp_path):
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with streamed(labels_of(3), tmp_path) as stream:
        stream.write(tmp_path / 'clip.xml', 'cvat')
    assert [path.name for path in tmp_path.iterdir()] == ['clip.xml']


def test_memory_does_not_grow_with_the_video(tmp_path):
    labels = labels_of(3)

    def peak(num_frames):
        with LabelStream('clip', SKELETON, tmp_path) as stream:
            tracemalloc.start()
            for frame in range(num_frames):
                people = [replace(person, frame_index=frame) for person in labels[0]]
                stream.add(VideoFrame(frame), people)
            stream.write(tmp_path / 'clip.json')
            most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return most

    peak(10)
    assert peak(1000) < 1.1 * peak(200)


@linux
def test_a_full_disk_is_told_with_the_folder(tmp_path, monkeypatch, skeleton):
    with LabelStream('clip', skeleton, tmp_path) as stream:
        full = open('/dev/full', 'wb', buffering=0)  # noqa: SIM115
        monkeypatch.setitem(stream._spooled, 'images', full)
        with pytest.raises(InputError, match='cannot be written to: No space left on device'):
            stream.add(VideoFrame(0), ())
