import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.labels.cvat_writer import write_cvat
from stdpose_mm.structures import PersonLabel, VideoFrame, VideoLabels, pose_extent
from support.label_samples import (
    content,
    for_any_labels,
    person,
    sample,
)

pytestmark = pytest.mark.slow


def through(labels: VideoLabels, folder: Path, target: str) -> VideoLabels:
    path = folder / f'labels.{"xml" if target == "cvat" else "json"}'
    if target == 'cvat':
        write_cvat(labels, path, tolerance=None)
    else:
        write_labels(labels, path, target)
    return read_labels(path, target)


def people_of(labels: VideoLabels, *dropped: str) -> list[dict]:
    """The people without ``dropped`` fields, by frame and track."""
    people = [content(p) for p in labels.persons]
    for p in people:
        for name in (*dropped, 'extra'):
            del p[name]
    return sorted(people, key=lambda p: (p['frame_index'], p['track_id']))


def frames_of(labels: VideoLabels) -> list[dict]:
    frames = [content(frame) for frame in labels.frames]
    for frame in frames:
        del frame['extra'], frame['image_id']
    return frames


@for_any_labels
def test_posetrack18_holds_everything(tmp_path: Path, labels: VideoLabels):
    back = through(labels, tmp_path, 'posetrack18')

    assert people_of(back) == people_of(labels)
    assert frames_of(back) == frames_of(labels)
    assert back.skeleton == labels.skeleton


@for_any_labels
def test_coco_holds_everything_and_always_has_a_box(tmp_path: Path, labels: VideoLabels):
    if not labels.frames:
        labels = replace(labels, frames=(VideoFrame(0, 'a/0.png'),))
    back = through(labels, tmp_path, 'coco')

    with_boxes = [
        p if p.has_box else replace(p, bbox=pose_extent(p.keypoints, p.labelled))
        for p in labels.persons
    ]
    # One without a size is none.
    with_boxes = [p if p.has_box else replace(p, bbox=None) for p in with_boxes]
    assert people_of(back) == people_of(labels.with_persons(with_boxes))
    assert frames_of(back) == frames_of(labels)
    assert (back.name, back.skeleton) == (labels.name, labels.skeleton)


@for_any_labels
def test_cvat_holds_all_poses_tracks_scores_and_sources(tmp_path: Path, labels: VideoLabels):
    back = through(labels, tmp_path, 'cvat')

    # Of a box alone, and of a propagated pose without a joint, CVAT knows nothing.
    held = [
        p
        for p in labels.persons
        if p.labelled.any() or not (p.is_located or p.source == 'propagated')
    ]
    # Given joints keep all their digits, propagated ones two decimals.
    held = [
        p if p.source == 'given' else replace(p, keypoints=p.keypoints.round(2) + 0.0) for p in held
    ]
    written = {(p.frame_index, p.track_id) for p in held}
    kept = [p for p in back.persons if (p.frame_index, p.track_id) in written]
    boxes = ('bbox', 'head_box')
    assert people_of(back.with_persons(kept), *boxes) == people_of(
        labels.with_persons(held), *boxes
    )
    # Where others are labelled, whoever is not has left.
    added = [p for p in back.persons if (p.frame_index, p.track_id) not in written]
    assert all(p.source == 'absent' for p in added)
    last = max((frame.index for frame in labels.frames), default=-1)
    assert [frame.index for frame in back.frames] == list(range(last + 1))
    assert (back.name, back.skeleton) == (labels.name, labels.skeleton)


@pytest.mark.parametrize('target', ['posetrack18', 'coco', 'cvat'])
def test_people_without_track_ids_keep_none_but_for_tracks_of_cvat(tmp_path: Path, target: str):
    persons = (person(0, None), person(0, 4), person(1, None))
    back = through(sample(persons=persons), tmp_path, target)

    present = [p.track_id for p in back.persons if p.is_located]
    assert sorted(present, key=str) == ([4, 5, 6] if target == 'cvat' else [4, None, None])


@pytest.mark.parametrize('target', ['posetrack18', 'coco'])
def test_only_occluded_joints_stay_occluded(tmp_path: Path, target: str):
    hidden = PersonLabel(0, np.ones((3, 2)), np.ones(3), track_id=0)
    back = through(sample(persons=(hidden,)), tmp_path, target)

    assert back.persons[0].visibility.tolist() == [1, 1, 1]


@pytest.mark.parametrize('target', ['posetrack18', 'coco'])
def test_unknown_fields_are_written_back(tmp_path: Path, target: str):
    labels = sample(
        extra={'info': {'by': 'Ünal'}, 'licenses': [1]},
        frames=(VideoFrame(0, 'a/0.jpg', extra={'mask_file': 'm.png'}),),
        persons=(person(0, extra={'person_id': 7, 'id': 12}),),
    )
    back = through(labels, tmp_path, target)

    assert back.extra['info'] == {'by': 'Ünal'}
    assert back.frames[0].extra['mask_file'] == 'm.png'
    assert (back.persons[0].extra['person_id'], back.persons[0].extra['id']) == (7, 12)


def test_equal_labels_give_equal_files_which_are_compressed_by_their_name(tmp_path: Path):
    for name in ('a.json.gz', 'b.json.gz'):
        write_labels(sample(), tmp_path / name)

    data = (tmp_path / 'a.json.gz').read_bytes()
    assert data[:2] == b'\x1f\x8b'
    assert data == (tmp_path / 'b.json.gz').read_bytes()
    assert read_labels(tmp_path / 'a.json.gz').name == 'a'


def test_official_posetrack18_has_neither_absent_people_nor_other_fields(tmp_path: Path):
    gone = PersonLabel(1, np.zeros((3, 2)), np.zeros(3), track_id=4, source='absent')
    labels = sample(persons=(person(0, extra={'note': 'x', 'person_id': 3}), gone))
    back = through(labels, tmp_path, 'posetrack18')
    write_labels(back, tmp_path / 'o.json', 'posetrack18-official')

    assert len(json.loads((tmp_path / 'o.json').read_text())['annotations']) == 1
    (official,) = read_labels(tmp_path / 'o.json').persons
    assert official.extra == {'id': 1, 'category_id': 1, 'person_id': 3}
    assert official.visibility.tolist() == [2, 0, 1]
