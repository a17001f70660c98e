"""Generated videos, laid out as the data sets that the configs name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.io.labels import read_labels, write_label_list, write_labels
from stdpose_mm.io.labels.detections import write_detections
from stdpose_mm.io.labels.posetrack17 import JOINTS
from stdpose_mm.io.video import open_frames, write_video
from stdpose_mm.structures import POSETRACK_SKELETON, FrameBoxes, PersonLabel, Skeleton, VideoLabels

SPLITS = ('train', 'val')
CLIPS = ClipSettings(frames=18, width=128, height=96, people=(1, 1))


def write_real_layouts(root: Path) -> None:
    """Fill ``root/data`` with two videos of every set."""
    data = root / 'data'
    synthetic = data / 'synthetic'
    write_dataset(synthetic, train_videos=1, val_videos=1, settings=CLIPS, workers=1)
    shutil.copytree(synthetic / 'annotations' / 'train', synthetic / 'pseudo' / 'annotations')
    for name in ('generated', 'many_clips', 'posetrack18', 'posetrack21'):
        shutil.copytree(synthetic, data / name)
    for file in (data / 'posetrack21' / 'annotations').rglob('*.json'):
        labels = json.loads(file.read_text())
        for person in labels['annotations']:
            person['person_id'] = person['track_id']
        file.write_text(json.dumps(labels))
    _write_posetrack17(synthetic, data / 'posetrack17')
    for name in ('posetrack17', 'posetrack18', 'posetrack21'):
        _write_detections(data / name)
    _write_jhmdb(synthetic, data)
    pilot = data / 'posetrack_pilot'
    shutil.copytree(synthetic / 'images', pilot / 'images')
    (pilot / 'annotations').mkdir()
    shutil.copy(_label_file(synthetic, 'train'), pilot / 'annotations' / '060470979.json')


def _label_file(folder: Path, split: str) -> Path:
    return next((folder / 'annotations' / split).glob('*.json'))


def _write_posetrack17(source: Path, target: Path) -> None:
    """Write annolist files, and pictures numbered from 1."""
    for number, split in enumerate(SPLITS, start=1):
        labels = read_labels(_label_file(source, split))
        video = f'{number:06d}_mpii'
        entries = []
        for frame in labels.frames:
            name = f'images/bonn_5sec/{video}/{frame.index + 1:08d}.jpg'
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / str(frame.file_name), target / name)
            people = [_annorect(p) for p in labels.persons if p.frame_index == frame.index]
            entries.append({'image': [{'name': name}], 'annorect': people})
        file = target / 'annotations' / split / f'{video}_relpath_5sec_{split}sub.json'
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({'annolist': entries}))


def _annorect(person: PersonLabel) -> dict[str, Any]:
    assert person.head_box is not None
    x, y, width, height = person.head_box.tolist()
    points = [
        {'id': [joint], 'x': [float(px)], 'y': [float(py)], 'is_visible': [1]}
        for joint, channel in enumerate(map(POSETRACK_SKELETON.index_of, JOINTS))
        for px, py in [person.keypoints[channel]]
        if person.labelled[channel]
    ]
    head = {'x1': [x], 'y1': [y], 'x2': [x + width], 'y2': [y + height]}
    return {**head, 'track_id': [person.track_id], 'annopoints': [{'point': points}]}


def _write_detections(folder: Path) -> None:
    """Write the boxes of the labels."""
    labels = read_labels(_label_file(folder, 'val'))
    image_id_of = {frame.index: frame.image_id for frame in labels.frames}
    found = {}
    for person in labels.persons:
        image_id, box = image_id_of[person.frame_index], person.bbox
        assert image_id is not None
        assert box is not None
        found[image_id] = FrameBoxes(box[None], np.array([0.9]))
    (folder / 'detections').mkdir()
    write_detections(found, folder / 'detections' / 'val.json')


def _write_jhmdb(source: Path, data: Path) -> None:
    """Video files whose labels have 15 joints."""
    clips = data / 'jhmdb_clips'
    for split in SPLITS:
        name = f'{split}_clip'  # by this name the training clip is not held out
        labels = read_labels(_label_file(source, split))
        video = clips / 'videos' / f'{name}.mp4'
        video.parent.mkdir(parents=True, exist_ok=True)
        pictures = open_frames([source / str(frame.file_name) for frame in labels.frames])
        write_video(video, list(pictures), fps=25)
        file = clips / 'annotations' / f'{name}.json'
        write_labels(_without_ears(labels), file, 'posetrack18')
        fields = json.loads(file.read_text())
        fields['info'] = {'video': f'videos/{name}.mp4'}
        file.write_text(json.dumps(fields))
        (data / 'jhmdb_split').mkdir(exist_ok=True)
        listed = {'train': 'fit', 'val': 'choose'}[split]
        for part in (split, listed):
            write_label_list(data / 'jhmdb_split' / f'{part}.txt', [str(file)])
        people = data / 'people' / file.name
        write_labels(labels, people, 'posetrack18')
        people.write_text(json.dumps({**json.loads(people.read_text()), 'info': fields['info']}))
        listed = {'train': 'people', 'val': 'choose'}[split]
        write_label_list(data / 'people' / f'{listed}.txt', [str(people)])


def _without_ears(labels: VideoLabels) -> VideoLabels:
    names = labels.skeleton.keypoint_names
    kept = [joint for joint, name in enumerate(names) if 'ear' not in name]
    persons = [
        PersonLabel(
            person.frame_index,
            person.keypoints[kept],
            person.visibility[kept],
            person.track_id,
            bbox=person.bbox,
        )
        for person in labels.persons
    ]
    skeleton = Skeleton(tuple(names[joint] for joint in kept))
    return replace(labels, skeleton=skeleton, persons=tuple(persons))
