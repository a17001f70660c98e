"""Small right files of every format that is read, from which mutations start."""

from __future__ import annotations

import gzip
import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from stdpose_mm.constants import FORMAT_PACKAGES, LABEL_FORMATS
from stdpose_mm.io.labels import write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.foreign_labels import (
    MMPOSE_META,
    labelme,
    labelme_shape,
    mmpose_instance,
    openpose,
    openpose_person,
    studio_region,
    studio_task,
)
from support.zip_files import zipped

NUM_FRAMES, WIDTH, HEIGHT = 5, 48, 40

Kind = Literal['labels', 'boxes', 'frame-list', 'dataset', 'label-list', 'pictures']

Special = Literal['pipe', 'folder', 'dangling link', 'link to itself', 'link to the folder']
"""What a file may turn out to be."""


@dataclass(frozen=True)
class Sample:
    """Files that belong together, and how they are read.

    Args:
        name: Name of the sample.
        kind: What reads it.
        files: Path -> bytes of the file, or what it is instead.
        entry: The path that is given to the reader, '.' for the folder of the files.
        format: The format of labels; None for other kinds.
        others: Paths that are there, but are no input of the reader.
    """

    name: str
    kind: Kind
    files: dict[str, bytes | Special]
    entry: str
    format: str | None = None
    others: tuple[str, ...] = field(default=())


def sample_labels(identities: bool = True) -> VideoLabels:
    """Two people on three of five frames; one is absent at last, one only partly given."""
    skeleton = Skeleton(('nose', 'left_hand', 'right_hand'), ((0, 1), (0, 2)))
    frames = tuple(
        VideoFrame(i, f'clip/{i:06d}.png', 10 + i, WIDTH, HEIGHT, is_labeled=True)
        for i in (0, 2, 4)
    )
    persons = [
        PersonLabel(
            frame.index,
            np.array([[10.5 + frame.index, 8], [6, 20], [14, 20.25]]) + 20 * person,
            np.array([2, 1, 2]),
            track_id=person if identities else None,
            scores=np.array([1, 0.5, 0.75]),
            bbox=np.array([4.0 + 20 * person, 4.0 + 20 * person, 18, 20]),
            keypoint_sources=np.array(['given', 'propagated' if person else 'given', 'given']),
        )
        for frame in frames
        for person in range(2)
    ]
    persons[-1] = PersonLabel(
        4, np.zeros((3, 2)), np.zeros(3), track_id=1 if identities else None, source='absent'
    )
    return VideoLabels('clip', skeleton, frames, tuple(persons), {'info': {'video': 'clip.mp4'}})


def pictures() -> list[bytes]:
    """The frames of the video as PNG files."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (HEIGHT, WIDTH + NUM_FRAMES, 3)).astype(np.uint8)
    views = [cv2.GaussianBlur(noise[:, i : i + WIDTH], (0, 0), 2) for i in range(NUM_FRAMES)]
    return [cv2.imencode('.png', view)[1].tobytes() for view in views]


def make_samples() -> list[Sample]:
    """Make all samples; every format that is read has one at least."""
    samples = [*_written(), *_foreign(), *_lists()]
    missing = {name for name, form in LABEL_FORMATS.items() if form.reads}
    missing -= {sample.format for sample in samples}
    if missing:
        raise LookupError(f'formats without a sample: {", ".join(sorted(missing))}')
    return samples


def _written() -> list[Sample]:
    """Samples of the formats that are written, and their forms."""
    labels = sample_labels()
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, form in LABEL_FORMATS.items():
            if form.writes and form.reads and name not in FORMAT_PACKAGES:
                path = Path(folder) / f'labels{form.suffixes[0]}'
                write_labels(labels, path, name)
                found[name] = path.read_bytes()
        path = Path(folder) / 'official.json'
        write_labels(labels, path, 'posetrack18-official')
        official = path.read_bytes()
        path = Path(folder) / 'unnamed.xml'
        write_labels(sample_labels(identities=False), path, 'cvat')
        unnamed = path.read_bytes()
    samples = [
        Sample(name, 'labels', {f'labels{LABEL_FORMATS[name].suffixes[0]}': data}, '', name)
        for name, data in found.items()
    ]
    samples += [
        Sample('official', 'labels', {'clip.json': official}, '', 'posetrack18'),
        Sample('gzipped coco', 'labels', {'a.json.gz': gzip.compress(found['coco'])}, '', 'coco'),
        Sample('zipped cvat', 'labels', {'task.zip': zipped(found['cvat'])}, '', 'cvat'),
        Sample('cvat of its own', 'labels', {'task.xml': unnamed}, '', 'cvat'),
        Sample(
            'folder of videos',
            'label-list',
            {'a.json': found['posetrack18'], 'b.json': found['coco']},
            '.',
        ),
        Sample('boxes of labels', 'boxes', {'boxes.json': found['posetrack18']}, ''),
    ]
    return [_with_entry(sample) for sample in samples]


def _with_entry(sample: Sample) -> Sample:
    entry = sample.entry or next(iter(sample.files))
    return Sample(sample.name, sample.kind, sample.files, entry, sample.format, sample.others)


def _json(document: object) -> bytes:
    return json.dumps(document).encode()


def _foreign() -> list[Sample]:
    """Samples of the formats of other tools, which this package does not write."""
    picture = pictures()[0]
    instance = mmpose_instance([[1.5, 2], [30, 40.25]], [0.9, 0.4])
    shapes = [
        labelme_shape('nose', [[1.5, 2]], group_id=0),
        labelme_shape('neck', [[3, 4.5]], group_id=0, flags={'occluded': True}),
        labelme_shape('person', [[0, 0], [9, 9]], group_id=0, shape_type='rectangle'),
    ]
    task = studio_task(
        '/data/upload/1/ab12cd34-frame_0003.jpg',
        studio_region('r', 'rectanglelabels', 'person', x=1, y=2, width=30, height=40),
        studio_region('a', 'keypointlabels', 'nose', x=10.5, y=20, width=0.5, parentID='r'),
        studio_region('b', 'keypointlabels', 'neck', x=50, y=60, width=0.5, parentID='r'),
    )
    person = openpose_person(*[value for i in range(25) for value in (i + 1.5, 2 * i, 0.5)])
    yolo = '0 0.5 0.5 0.2 0.4 0.25 0.5 2 0.75 1.0 1\n1 0.4 0.5 0.2 0.4 0.1 0.2 0 0.3 0.4 2\n'
    yaml = 'kpt_shape: [2, 3]\nkpt_names: {0: [nose, hand]}\nnames: {0: person}\n'
    table = [
        'scorer,net,net,net,net,net,net',
        'bodyparts,nose,nose,nose,hand,hand,hand',
        'coords,x,y,likelihood,x,y,likelihood',
        '0,1,2,0.5,3,4,0.25',
        '1,,,,5.5,6,0.75',
    ]
    annolist = {
        'annolist': [
            {
                'image': [{'name': f'images/bonn/000342_mpii/0000000{number}.jpg'}],
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
                                    {'id': [14], 'x': [7], 'y': [8], 'score': [0.5]},
                                ]
                            }
                        ],
                    }
                ],
            }
            for number in (1, 3)
        ]
    }
    demo = {
        'meta_info': MMPOSE_META,
        'instance_info': [
            {'frame_id': 1, 'instances': [instance]},
            {'frame_id': 3, 'instances': []},
        ],
    }
    return [
        Sample('posetrack17', 'labels', {'1.json': _json(annolist)}, '1.json', 'posetrack17'),
        Sample('mmpose demo', 'labels', {'results.json': _json(demo)}, 'results.json', 'mmpose'),
        Sample(
            'mmpose pictures',
            'labels',
            {f'frame_{i}.json': _json([instance] * i) for i in range(3)},
            '.',
            'mmpose',
        ),
        Sample(
            'labelme',
            'labels',
            {f'frame_{i}.json': _json(labelme(f'frame_{i}.jpg', *shapes)) for i in range(2)},
            '.',
            'labelme',
        ),
        Sample('label-studio', 'labels', {'a.json': _json([task])}, 'a.json', 'label-studio'),
        Sample(
            'openpose',
            'labels',
            {f'c_{i:012d}_keypoints.json': _json(openpose(*[person] * i)) for i in range(3)},
            '.',
            'openpose',
        ),
        Sample(
            'yolo-pose',
            'labels',
            {'data.yaml': yaml.encode(), 'f_1.txt': yolo.encode(), 'f_2.txt': b''},
            '.',
            'yolo-pose',
        ),
        Sample(
            'yolo-pose with pictures',
            'labels',
            {
                'data.yaml': yaml.encode(),
                'labels/train/f_1.txt': yolo.encode(),
                'images/train/f_1.png': picture,
            },
            '.',
            'yolo-pose',
        ),
        Sample(
            'lightning-pose',
            'labels',
            {'clip.csv': ('\n'.join(table) + '\n').encode()},
            'clip.csv',
            'lightning-pose',
        ),
        Sample(
            'sleap', 'labels', {'a.slp': b'\x89HDF\r\n\x1a\n' + bytes(range(256))}, 'a.slp', 'sleap'
        ),
    ]


def _lists() -> list[Sample]:
    """Samples of the files beside labels: boxes, frames, videos."""
    boxes = '1,0,4,4,18,20,0.9,-1,-1,-1\n1,1,24,24,18,20,1,-1,-1,-1\n3,0,6,4,18,20,0.5,-1,-1,-1\n'
    detections = [{'image_id': 0, 'category_id': 1, 'bbox': [1, 2, 30, 20], 'score': 0.5}] * 2
    videos = 'video,labels,out\nclip.mp4,clip.json,a/clip.json\n"b c.mp4",b.json,\n'
    rows = [{'video': 'clip.mp4', 'labels': 'clip.json', 'boxes': 'b.txt'}, {'video': 'b.mp4'}]
    lines = ''.join(json.dumps(row) + '\n' for row in rows)
    names = [f'{i:06d}.png' for i in range(NUM_FRAMES)]
    return [
        Sample('mot', 'boxes', {'boxes.txt': boxes.encode()}, 'boxes.txt'),
        Sample('detections', 'boxes', {'boxes.json': _json(detections)}, 'boxes.json'),
        Sample('frames', 'frame-list', {'f.csv': b'name,frame\na.jpg,3\nb.jpg,12\n'}, 'f.csv'),
        Sample('times', 'frame-list', {'f.csv': b'name,time\na.jpg,3.5\nb.jpg,12\n'}, 'f.csv'),
        Sample('dataset', 'dataset', {'videos.csv': videos.encode()}, 'videos.csv'),
        Sample('lines', 'dataset', {'videos.jsonl': lines.encode()}, 'videos.jsonl'),
        Sample('list', 'label-list', {'l.txt': b'a.json\n', 'a.json': b'{}'}, 'l.txt'),
        Sample('pictures', 'pictures', dict(zip(names, pictures(), strict=True)), '.'),
    ]
