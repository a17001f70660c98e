"""Real label files and videos, where they are at hand beside the repository."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from stdpose_mm.io.labels import read_all_labels, read_labels, read_posetrack18, write_labels
from stdpose_mm.io.video import open_frames
from stdpose_mm.structures import VideoLabels
from support.paths import SHARED_DATA

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED_DATA.is_dir(), reason='no shared/data beside the repository'),
]


def assert_same(labels: VideoLabels, back: VideoLabels) -> None:
    assert [f.index for f in back.frames] == [f.index for f in labels.frames]
    assert len(back.persons) == len(labels.persons)
    for one, other in zip(labels.persons, back.persons, strict=True):
        assert (one.frame_index, one.track_id) == (other.frame_index, other.track_id)
        np.testing.assert_array_equal(one.keypoints, other.keypoints)
        np.testing.assert_array_equal(one.visibility, other.visibility)


@pytest.mark.parametrize('target', ['posetrack18', 'coco', 'cvat'])
def test_the_posetrack_pilot_round_trips(tmp_path: Path, target: str):
    folder = SHARED_DATA / 'posetrack_pilot'
    index = {entry['clip']: entry for entry in json.loads((folder / 'index.json').read_text())}
    paths = [*folder.glob('annotations/*.json'), *folder.glob('labels_only/*.json.gz')]

    assert len(paths) == len(index) == 60
    # Few of them in the slower formats.
    for path in paths[:: 6 if target == 'posetrack18' else 20]:
        labels = read_labels(path)
        entry = index[labels.name]
        assert (len(labels.frames), len(labels.persons)) == (entry['frames'], entry['poses'])
        write_labels(labels, tmp_path / 'back', target)
        back = read_labels(tmp_path / 'back', target)
        if target == 'cvat':
            with_joints = [p for p in labels.persons if p.labelled.any()]
            labels = labels.with_persons(
                sorted(with_joints, key=lambda p: (p.frame_index, p.track_id))
            )
            # Where somebody is missing between two labels CVAT has to say "outside".
            there = [person for person in back.persons if person.is_located]
            back = back.with_persons(sorted(there, key=lambda p: (p.frame_index, p.track_id)))
        assert_same(labels, back)


def test_jhmdb_labels_round_trip(tmp_path: Path):
    paths = sorted((SHARED_DATA / 'jhmdb_clips' / 'annotations').glob('*.json'))

    assert len(paths) == 221
    for path in paths[::9]:
        labels = read_labels(path)
        assert len(labels.persons) == len(labels.frames) == labels.extra['info']['nframes']
        write_labels(labels, tmp_path / 'back.json')
        assert_same(labels, read_labels(tmp_path / 'back.json'))


def test_genuine_posetrack18_files():
    folder = SHARED_DATA / 'mmpose_samples' / 'posetrack18' / 'annotations'
    single = sorted(read_posetrack18(path).name for path in (folder / 'val').iterdir())
    person = read_posetrack18(folder / 'val' / '003418_mpii_test.json').persons[0]

    assert single == ['003418_mpii_test', '009473_mpii_test', '012834_mpii_test']
    # Official files know 0 and 1; 11 joints are annotated.
    assert np.bincount(person.visibility).tolist() == [6, 0, 11]
    assert person.head_box is not None
    # MMPose's file of the same videos, with one frame of each.
    joined = read_all_labels(folder / 'test_posetrack18_val.json')
    assert sorted(video.name for video in joined) == single
    (alone,) = (v.persons[0] for v in joined if v.name == '003418_mpii_test')
    np.testing.assert_array_equal(alone.visibility, person.visibility)


def test_unlabelled_videos_have_the_frames_of_their_readme():
    folder = SHARED_DATA / 'unlabelled_videos'
    rows = re.findall(
        r'^\| (\S+\.(?:mp4|avi)) \| (\d+) \| (\d+)x(\d+) \|',
        (folder / 'README.md').read_text(),
        re.MULTILINE,
    )
    assert len(rows) >= 4
    for name, count, width, height in rows:
        frames = open_frames(folder / name)
        assert (name, len(frames), frames.size) == (name, int(count), (int(width), int(height)))


def test_jhmdb_videos_have_the_frames_of_their_labels():
    paths = sorted((SHARED_DATA / 'jhmdb_clips' / 'annotations').glob('*.json'))
    for path in paths[::20]:
        labels = read_posetrack18(path)
        frames = open_frames(SHARED_DATA / 'jhmdb_clips' / labels.extra['info']['video'])
        assert len(frames) == labels.extra['info']['nframes']
        order = np.random.default_rng(0).permutation(len(frames))[:5]
        in_order = {i: frame for i, frame in enumerate(frames) if i in order}
        for i in order:
            np.testing.assert_array_equal(frames[int(i)], in_order[int(i)])
