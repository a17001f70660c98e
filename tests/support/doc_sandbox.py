"""A small copy of the repository with all files that the blocks of the documentation name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np

from stdpose_mm.io.labels import read_labels, write_coco, write_label_list, write_labels
from stdpose_mm.io.video import write_video
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels
from support.foreign_labels import openpose, openpose_person
from support.paths import ROOT

SHORT, WIDTH, HEIGHT = 17, 96, 80
INTERVAL = 5
SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))
_POSE = np.array([[0, 0], [-8, 16], [8, 16]], float)
_EVALUATED = ROOT / 'tests' / 'data' / 'posetrack_eval'


def _pose(person: int, frame: int) -> np.ndarray:
    return _POSE + ((18 + frame, 16) if person == 0 else (78 - frame, 50))


def _pictures(num_frames: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.uniform(0, 255, (HEIGHT, WIDTH, 3)), (0, 0), 2)
    pictures = [noise.astype(np.uint8).copy() for _ in range(num_frames)]
    for frame, picture in enumerate(pictures):
        for person in range(2):
            for x, y in _pose(person, frame).astype(int).tolist():
                cv2.circle(picture, (x, y), 4, (0, 60, 200 - 80 * person), -1)
    return pictures


def _labels(name: str, frames: Sequence[int], num_frames: int) -> VideoLabels:
    persons = [
        PersonLabel(
            frame,
            _pose(person, frame),
            np.full(3, 2),
            track_id=person + 1,
            bbox=np.array([*(_pose(person, frame)[0] - (12, 4)), 24, 28]),
        )
        for frame in frames
        for person in range(2)
    ]
    listed = tuple(VideoFrame(n, f'{name}/{n:06d}.jpg') for n in range(num_frames))
    return VideoLabels(name, SKELETON, listed, tuple(persons))


def make_sandbox(root: Path, num_frames: int) -> Path:
    """Fill a folder; the configs of pose networks of two names are tiny.

    Args:
        root: The folder.
        num_frames: Length of ``clip.mp4``, at least ``SHORT``.
    """
    for name in ('tools', 'demo', 'docs', 'requirements', 'Makefile', 'pyproject.toml'):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / 'configs', root / 'configs')
    (root / 'model-index.yml').symlink_to(ROOT / 'model-index.yml')
    pictures = _pictures(num_frames)
    dense = _labels('clip', range(num_frames), num_frames)
    sparse = _labels('clip', range(0, num_frames, INTERVAL), num_frames)
    write_video(root / 'clip.mp4', pictures, fps=10)
    for name in ('labels.json', 'labels.xml', 'task.xml'):
        write_labels(sparse, root / name, 'cvat' if name.endswith('xml') else 'posetrack18')
    write_labels(dense, root / 'all_frames.json', 'posetrack18')
    if find_spec('sleap_io') is not None:
        write_labels(sparse, root / 'project.slp', 'sleap')
    for name in ('export.zip', 'export2.zip'):
        with ZipFile(root / name, 'w') as exported:
            exported.write(root / 'task.xml', 'annotations.xml')
    _write_deeplabcut(root / 'labeled-data' / 'mouse' / 'CollectedData_me.csv')
    _write_videos(root, pictures[:SHORT])
    write_coco([sparse, _labels('other', [0, 8], num_frames)], root / 'all.json')
    write_labels(_propagated(dense), root / 'dense.json', 'posetrack18')
    pictures = pictures[:SHORT]
    _write_set(root / 'labels', root / 'pictures', pictures, ['one', 'two'])
    for split in ('train', 'val'):
        for data in ('posetrack18', 'synthetic'):
            place = root / 'data' / data
            _write_set(place / 'annotations' / split, place, pictures, [f'images/{split}/a'])
    _write_clips(root / 'data' / 'jhmdb_clips', pictures)
    _write_clips(root / 'data' / 'clips', pictures)
    clips = sorted((root / 'data' / 'jhmdb_clips' / 'annotations').glob('*.json'))
    (root / 'data' / 'jhmdb_split').mkdir(parents=True, exist_ok=True)
    for split, half in (('train', clips[:2]), ('val', clips[2:])):
        for path in (f'jhmdb_split/{split}.txt', f'{split}.txt'):
            write_label_list(root / 'data' / path, [*map(str, half)])
    annolists = _EVALUATED / 'pt17' / 'annolist'
    shutil.copytree(annolists, root / 'annolists' / 'val')
    shutil.copytree(annolists, root / 'data' / 'posetrack17' / 'annotations' / 'val')
    for folder in ('gt', 'pred'):
        (root / folder).mkdir()
        shutil.copy(
            _EVALUATED / 'dense' / folder / '020001_mpii_test.json', root / folder / 'clip.json'
        )
    _write_pilot(root / 'data' / 'posetrack_pilot')
    _write_openpose(root / 'openpose_output')
    labels = root / 'yolo_dataset' / 'labels'
    labels.mkdir(parents=True)
    (labels / 'clip_000000.txt').write_text('0 0.5 0.5 0.2 0.4 0.5 0.4 2 0.45 0.6 2 0.55 0.6 1\n')
    (root / 'boxes.txt').write_text('1,0,8,8,24,32,0.9\n2,0,11,8,24,32,0.9\n')
    return root


def _write_videos(root: Path, pictures: list[np.ndarray]) -> None:
    """Write several videos, a label file for each, and a dataset file."""
    for name in ('videos/mouse.mp4', 'a.mp4', 'b.mp4'):
        write_video(root / name, pictures, fps=10)
    (root / 'frames_of_c').mkdir()
    for frame, picture in enumerate(pictures):
        cv2.imwrite(str(root / 'frames_of_c' / f'{frame:06d}.jpg'), picture)
    for name in ('mouse', 'a', 'b', 'frames_of_c'):
        labels = _labels(name, range(0, SHORT, INTERVAL), SHORT)
        write_labels(labels, root / 'exports' / f'{name}.json')
    (root / 'dataset.csv').write_text('video,labels\nclip.mp4,labels.json\n')


def _write_openpose(folder: Path) -> None:
    """Write OpenPose's output for two frames, with one person each."""
    folder.mkdir()
    for frame in range(2):
        joints = [value for joint in range(25) for value in (10 + joint, 20 + frame, 0.9)]
        content = openpose(openpose_person(*joints))
        path = folder / f'clip_{frame:012d}_keypoints.json'
        path.write_text(json.dumps(content))


def _propagated(dense: VideoLabels) -> VideoLabels:
    """Propagate from every fifth frame, with scores and a hand that is often wrong."""
    persons = []
    for person in dense.persons:
        if person.frame_index % INTERVAL:
            wrong = np.array([[0, 0], [0, 0], [9 * (person.frame_index % 2), 0]])
            person = replace(
                person,
                keypoints=person.keypoints + wrong,
                scores=np.array([0.9, 0.6, 0.3]),
                source='propagated',
                keypoint_sources=None,
            )
        persons.append(person)
    return dense.with_persons(persons)


def _write_deeplabcut(path: Path) -> None:
    """Write the first person's labels as DeepLabCut writes those of a project with one animal."""
    joints = [(name, axis) for name in SKELETON.keypoint_names for axis in 'xy']
    rows = [
        ['scorer', '', '', *['me' for _ in joints]],
        ['bodyparts', '', '', *[name for name, _ in joints]],
        ['coords', '', '', *[axis for _, axis in joints]],
    ]
    for frame in range(0, SHORT, INTERVAL):
        rows.append(['labeled-data', 'mouse', f'img{frame:02d}.png', *_pose(0, frame).ravel()])
    path.parent.mkdir(parents=True)
    path.write_text(''.join(f'{",".join(map(str, row))}\n' for row in rows))


def _write_set(labels: Path, images: Path, pictures: list[np.ndarray], names: list[str]) -> None:
    for name in names:
        write_labels(_labels(name, range(0, SHORT, 4), SHORT), labels / f'{Path(name).name}.json')
        (images / name).mkdir(parents=True, exist_ok=True)
        for frame, picture in enumerate(pictures):
            cv2.imwrite(str(images / name / f'{frame:06d}.jpg'), picture)


def _write_clips(root: Path, pictures: list[np.ndarray]) -> None:
    """Clips as JHMDB's are laid out, every frame labelled."""
    for name in ('alpha1', 'beta1', 'gamma1', 'delta1'):
        write_video(root / 'videos' / f'{name}.avi', pictures, fps=30)
        path = root / 'annotations' / f'{name}.json'
        write_labels(_labels(name, range(SHORT), SHORT), path)
        fields = json.loads(path.read_text())
        fields['info'] = {'video': f'videos/{name}.avi', 'source_group': f'{name} film'}
        path.write_text(json.dumps(fields))


def _write_pilot(root: Path) -> None:
    first, second, *_ = sorted((_EVALUATED / 'dense' / 'gt').glob('*.json'))
    for source, name in (
        (first, 'labels_only/000001.json.gz'),
        (second, 'annotations/060470979.json'),
    ):
        write_labels(read_labels(source), root / name)
