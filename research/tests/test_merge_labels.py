"""Labels of several data sets with one set of joints."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from research.tools.merge_labels import PEOPLE
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.structures import PersonLabel, Skeleton, VideoFrame, VideoLabels

JHMDB, POSETRACK, HAND = (
    Skeleton(names)
    for names in (
        ('neck', 'belly', 'left_wrist'),
        ('nose', 'head_bottom', 'left_ear', 'left_wrist'),
        ('thumb1', 'thumb2'),
    )
)


def write_video(folder: Path, name: str, skeleton: Skeleton, **info: str) -> Path:
    """Label joint n at (10 n, 10 n + 1), the last one as occluded."""
    joints = np.arange(skeleton.num_keypoints, dtype=float)
    visibility = np.where(joints == joints[-1], 1, 2)
    poses = np.stack([10 * joints, 10 * joints + 1], axis=1)
    person = PersonLabel(0, poses, visibility, track_id=0, bbox=np.array([0.0, 0.0, 40.0, 50.0]))
    frames = (VideoFrame(0, f'images/{name}/0.jpg', width=64, height=48),)
    labels = VideoLabels(name, skeleton, frames, (person,), {'info': info} if info else {})
    path = folder / f'{name}.json'
    write_labels(labels, path, 'posetrack18')
    return path


def merge(run_main: Any, *arguments: Path) -> tuple[int, str, list[str]]:
    return run_main(import_module('research.tools.merge_labels').main, *arguments)


def test_joints_of_the_same_place_become_one_joint(run_main, tmp_path):
    files = [
        write_video(tmp_path, 'real', JHMDB, video='videos/real.avi'),
        write_video(tmp_path, 'generated', POSETRACK),
    ]
    assert merge(run_main, tmp_path / 'merged', *files)[0] == 0

    expected = {
        'real': {'head_bottom': (0, 1, 2), 'belly': (10, 11, 2), 'left_wrist': (20, 21, 1)},
        'generated': {'nose': (0, 1, 2), 'head_bottom': (10, 11, 2), 'left_wrist': (30, 31, 1)},
    }
    for name, joints in expected.items():
        labels = read_labels(tmp_path / 'merged' / f'{name}.json')
        assert labels.skeleton.keypoint_names == PEOPLE.keypoint_names
        (person,) = labels.persons
        found = {
            joint: (*person.keypoints[n], person.visibility[n])
            for n, joint in enumerate(PEOPLE.keypoint_names)
            if person.labelled[n]
        }
        assert found == joints
        assert person.bbox.tolist() == [0, 0, 40, 50]


@pytest.mark.parametrize(
    ('skeleton', 'message'),
    [
        (HAND, 'clip labels thumb1, thumb2, none of which is a joint of people, leave it out'),
        (JHMDB, "several videos are named 'clip', give each a name of its own"),
    ],
    ids=['hand', 'name twice'],
)
def test_labels_that_cannot_be_merged_leave_no_file(run_main, tmp_path, skeleton, message):
    folders = [tmp_path / 'a', tmp_path / 'b']
    for folder, joints in zip(folders, (POSETRACK, skeleton), strict=True):
        folder.mkdir()
        write_video(folder, 'clip' if skeleton is JHMDB or folder.name == 'b' else 'other', joints)
    code, _, errors = merge(run_main, tmp_path / 'merged', *folders)
    assert code == 2
    assert errors == [f'merge_labels.py: {message}']
    assert not (tmp_path / 'merged').exists()
