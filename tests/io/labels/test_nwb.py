"""NWB files with ndx-pose, with which sleap-io must agree; skipped without them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import read_all_labels, read_labels, sniff_format, write_labels
from stdpose_mm.structures import Skeleton, VideoFrame, VideoLabels
from support.label_samples import SKELETON, person, sample

pynwb = pytest.importorskip('pynwb', reason='optional, see `make test-sleap`')
ndx_pose = pytest.importorskip('ndx_pose', reason='optional, see `make test-sleap`')
sio = pytest.importorskip('sleap_io', reason='optional, see `make test-sleap`')
h5py = pytest.importorskip('h5py', reason='comes with pynwb')

SCORES = np.array([0.1, 0, 0.30000000000000004])


def corrected(**fields: Any) -> VideoLabels:
    """Two people: labels in frame 0, a corrected joint in frame 1, estimates in frame 3."""
    sources = np.array(['propagated', 'absent', 'given'])
    mixed = person(1, 4, scores=np.array([0.25, 0, 1]), keypoint_sources=sources)
    far = person(3, 7, scores=SCORES, source='propagated', visibility=np.array([2, 0, 2]))
    people = (person(0, 4), person(0, 7), mixed, far)
    frames = tuple(map(VideoFrame, range(4)))
    return sample(**{'frames': frames, 'persons': people, **fields})


@pytest.mark.parametrize('time_of', [None, lambda i: i / 25, lambda i: 0.04 * i + 0.02 * (i > 1)])
def test_poses_come_back_to_the_digit(tmp_path: Path, time_of: Any):
    write_labels(corrected(), tmp_path / 'clip.nwb', None, time_of)

    assert sniff_format(tmp_path / 'clip.nwb') == 'nwb'
    labels = read_labels(tmp_path / 'clip.nwb')
    assert (labels.name, labels.skeleton) == ('clip', SKELETON)
    assert [frame.index for frame in labels.frames] == [0, 1, 2, 3]
    for label, expected in zip(labels.persons, corrected().persons, strict=True):
        assert (label.frame_index, label.track_id) == (expected.frame_index, expected.track_id)
        assert label.source == expected.source
        assert label.keypoint_sources.tolist() == expected.keypoint_sources.tolist()
        assert label.visibility.tolist() == expected.visibility.tolist()
        np.testing.assert_array_equal(label.keypoints, expected.keypoints)
        np.testing.assert_array_equal(label.scores, expected.scores)


def test_names_that_nwb_forbids_and_names_of_people_come_back(tmp_path: Path):
    joints = ('a/b', 'a:b', '.', 'description', 'mouse')
    skeleton = Skeleton(joints, ((0, 3),), 'mouse')
    points = np.arange(10.0).reshape(5, 2) + 20
    fields = {'keypoints': points, 'visibility': np.full(5, 2), 'source': 'propagated'}
    people = [
        person(2, i, bbox=None, extra={'track_name': name}, **fields)
        for i, name in enumerate(('left/mouse', 'Küken'))
    ]
    write_labels(sample(skeleton=skeleton, persons=(*people,)), tmp_path / 'a.nwb')

    labels = read_labels(tmp_path / 'a.nwb')
    assert labels.skeleton == skeleton
    assert {p.extra['track_name'] for p in labels.persons} == {'left_mouse', 'Küken'}
    for label in labels.persons:
        assert label.scores is None
        np.testing.assert_array_equal(label.keypoints, points)


def test_sleap_io_reads_the_labels(tmp_path: Path):
    write_labels(corrected(), tmp_path / 'a.nwb')

    project = sio.load_nwb(tmp_path / 'a.nwb')
    assert project.skeleton.node_names == [*SKELETON.keypoint_names]
    assert project.skeleton.edge_inds == [*SKELETON.limbs]
    assert project.video.filename == 'clip.mp4'
    frames = {frame.frame_idx: frame.numpy().tolist() for frame in project}
    nothing = [np.nan, np.nan]
    # sleap-io leaves out occluded joints.
    np.testing.assert_array_equal(frames[0], [[[10.5, 20], nothing, nothing]] * 2)
    assert sorted(frames) == [0, 1]


def project_of(*instances: Any) -> Any:
    """Make a project of sleap-io with one instance a frame, on frames 3, 4, ..."""
    video = sio.Video('C:/clips/monday.mp4', open_backend=False)
    frames = [
        sio.LabeledFrame(video=video, frame_idx=3 + i, instances=[instance])
        for i, instance in enumerate(instances)
    ]
    return sio.Labels(frames)


def test_labels_of_sleap_io_are_read(tmp_path: Path):
    skeleton = sio.Skeleton(['snout', 'tail'], edges=[('snout', 'tail')], name='mouse')
    video = sio.Video.from_filename(['a/7.png', 'a/9.png'])
    points = np.array([[1.5, 2], [30, 40]]), np.array([[5, 60], [np.nan, np.nan]])
    frames = [
        sio.LabeledFrame(video=video, frame_idx=i, instances=[sio.Instance.from_numpy(p, skeleton)])
        for i, p in enumerate(points)
    ]
    sio.save_nwb(sio.Labels(frames), tmp_path / 'a.nwb')

    labels = read_labels(tmp_path / 'a.nwb')
    assert labels.skeleton == Skeleton(('snout', 'tail'), ((0, 1),), 'mouse')
    assert [(f.index, f.file_name) for f in labels.frames] == [(7, 'a/7.png'), (9, 'a/9.png')]
    assert [p.keypoints.tolist() for p in labels.persons] == [points[0].tolist(), [[5, 60], [0, 0]]]
    assert [p.visibility.tolist() for p in labels.persons] == [[2, 2], [2, 0]]
    assert {p.source for p in labels.persons} == {'given'}


def test_predictions_of_sleap_io_are_read(tmp_path: Path):
    skeleton = sio.Skeleton(['snout', 'tail'], name='mouse')
    video, track = sio.Video('C:/clips/monday.mp4', open_backend=False), sio.Track('Tom')
    frames = []
    for index in range(4):
        points = np.array([[index, 2.0], [30 + index, 40]])
        scores = np.array([0.25, 0.5])
        instance = sio.PredictedInstance.from_numpy(points, skeleton, scores, 0.5, track=track)
        frames.append(sio.LabeledFrame(video=video, frame_idx=index, instances=[instance]))
    sio.save_nwb(sio.Labels(frames), tmp_path / 'a.nwb')

    labels = read_labels(tmp_path / 'a.nwb')
    assert (labels.name, [p.frame_index for p in labels.persons]) == ('monday', [0, 1, 2, 3])
    assert labels.persons[3].keypoints.tolist() == [[3, 2], [33, 40]]
    assert labels.persons[3].scores.tolist() == [0.25, 0.5]
    assert {(p.source, p.extra['track_name']) for p in labels.persons} == {('propagated', 'Tom')}


def test_tables_of_old_versions_are_read(tmp_path: Path):
    """As DeepLabCut2NWB writes them: the animal in the names of joints, times in seconds."""
    times = np.array([0, 0.04, 0.1])
    with h5py.File(tmp_path / 'a.nwb', 'w') as file:
        group = file.create_group('processing/behavior/PoseEstimation')
        group.attrs['neurodata_type'] = 'PoseEstimation'
        group['nodes'] = ['ind1_snout', 'ind1_left_ear']
        group['original_videos'] = ['D:\\clips\\monday.avi']
        for number, name in enumerate(group['nodes'].asstr()):
            series = group.create_group(name)
            series.attrs['neurodata_type'] = 'PoseEstimationSeries'
            series['data'] = np.column_stack([times + 10 * number + 5, times + 7])
            series['confidence'] = np.array([0.5, 0.25, 1])
            series['timestamps'] = times

    labels = read_labels(tmp_path / 'a.nwb')
    assert (labels.name, labels.skeleton.keypoint_names) == ('monday', ('snout', 'left_ear'))
    assert labels.numbering.times == {0: 0, 1: 0.04, 2: 0.1}
    assert labels.persons[1].keypoints.tolist() == [[5.04, 7.04], [15.04, 7.04]]
    assert labels.persons[1].scores.tolist() == [0.25, 0.25]


def damage(path: Path, kind: str) -> None:
    write_labels(corrected(), path)
    with h5py.File(path, 'r+') as file:
        behavior = file['processing/behavior']
        if kind == 'none':
            del behavior['PoseTraining'], behavior['track=4'], behavior['track=7']
        elif kind == 'rate':
            behavior['track=4/nose/starting_time'].attrs['rate'] = 0.0
        elif kind == 'joint':
            del behavior['track=4/nose']
        elif kind == '3D':
            del behavior['track=4/nose/data']
            behavior['track=4/nose/data'] = np.zeros((4, 3))
        else:
            file.copy(behavior['track=4'], file.create_group('processing/second'))


@pytest.mark.parametrize(
    ('kind', 'words'),
    [
        ('none', 'a.nwb has no PoseTraining or PoseEstimation of ndx-pose, expected one'),
        ('rate', 'a.nwb is no NWB file of poses: .* has a rate of 0.0, expected frames per second'),
        ('joint', 'a.nwb is no NWB file of poses: .*expected one for every joint'),
        ('3D', r'a.nwb is no NWB file of poses: .*of shape \(4, 3\), expected x and y'),
        ('twice', 'a.nwb: two poses of 4 on frame 0'),
    ],
)
def test_other_files_are_refused_in_a_sentence(tmp_path: Path, kind: str, words: str):
    damage(tmp_path / 'a.nwb', kind)

    with pytest.raises(InputError, match=words):
        read_all_labels(tmp_path / 'a.nwb')


def test_estimates_on_few_of_many_frames_are_refused(tmp_path: Path):
    labels = corrected()
    last = replace(labels.persons[3], frame_index=5_000_000)
    labels = replace(labels, frames=(VideoFrame(5_000_000),), persons=(last,))

    with pytest.raises(InputError, match='lists 1 of 5000001 frames, propagate the labels first'):
        write_labels(labels, tmp_path / 'a.nwb')
    assert not (tmp_path / 'a.nwb').exists()
