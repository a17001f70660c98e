"""Several cameras: their labels are the true joints in space, seen from each of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stdpose_mm.datasets.synthetic import ClipSettings, MultiViewClip, generate_views, views
from stdpose_mm.datasets.synthetic.clip import LABELLED
from stdpose_mm.datasets.synthetic.scene import JOINT_POINTS, SUBFRAMES
from stdpose_mm.errors import InputError

SMALL = ClipSettings(frames=2, width=96, height=72, people=(2, 2))


@pytest.fixture(scope='module')
def scene() -> MultiViewClip:
    return generate_views(3, 2, SMALL)


def test_same_seed_gives_the_same_pictures_and_truth(scene):
    again = generate_views(3, 2, SMALL)
    np.testing.assert_array_equal(again.joints, scene.joints)
    for first, second in zip(scene.clips, again.clips, strict=True):
        np.testing.assert_array_equal(first.frames, second.frames)


def test_labels_are_the_true_joints_as_opencv_projects_them(scene):
    for camera, clip in zip(scene.cameras, scene.clips, strict=True):
        assert len(clip.labels.persons) == 4
        for label in clip.labels.persons:
            joints = scene.joints[label.track_id, label.frame_index]
            lens = camera.matrix, camera.distortions
            pixels, _ = cv2.projectPoints(joints, camera.rotation, camera.translation, *lens)
            error = np.abs(pixels[:, 0] - label.keypoints)[label.labelled]
            assert error.max() < 0.006  # labels have two decimals
            assert label.labelled.sum() > 10


def test_people_are_of_human_size_and_stand_on_the_ground(scene):
    height = scene.joints[..., 2]
    assert np.nanmin(height) > 0
    assert 0.9 < np.nanmax(height) < 2.6
    assert np.isnan(scene.joints).any(axis=(1, 3)).sum(axis=1).tolist() == [2, 2]  # the ears


def test_two_people_change_sides_for_every_camera(monkeypatch):
    monkeypatch.setattr(views, 'record', lambda *scene: None)
    joints = generate_views(0, 2, ClipSettings(frames=61, people=(2, 2))).joints
    apart = np.diff(np.nanmean(joints[..., :2], axis=2), axis=0)[0]
    assert np.ptp(np.unwrap(np.arctan2(*apart.T))) > np.pi
    assert np.linalg.norm(apart, axis=1).min() > 0.3


def test_what_is_nearer_to_a_camera_is_drawn_in_front(monkeypatch):
    scenes = []
    monkeypatch.setattr(views, 'record', lambda rng, scene, *more: scenes.append(scene))
    generated = generate_views(0, 3, ClipSettings(frames=2, people=(2, 2)))
    middle, joints = SUBFRAMES // 2, generated.joints[:, 0][:, LABELLED]
    for camera, scene in zip(generated.cameras, scenes, strict=True):
        # All cameras look at the middle of the scene.
        away = joints @ ((0, 0, 0.95) - camera.centre)
        for person, geometry in enumerate(scene.people):
            depth = geometry.depth[middle, JOINT_POINTS]
            assert np.corrcoef(depth, away[person])[0, 1] > 0.9
        order = np.argsort([depth[middle] for depth in scene.depths])
        assert order.tolist() == np.argsort(away.mean(axis=1)).tolist()


def test_a_single_camera_is_refused():
    with pytest.raises(InputError, match='the number of cameras must be a whole number from 2'):
        generate_views(0, 1)
