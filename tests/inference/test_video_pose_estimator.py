from __future__ import annotations

import threading
import weakref

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate

from stdpose_mm.datasets.metainfo import sample_metainfo
from stdpose_mm.errors import InputError
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend, load_backend
from stdpose_mm.inference.video_pose_estimator import VideoPoseEstimator
from stdpose_mm.structures import NO_PEOPLE, FrameBoxes, Skeleton
from support.backbone_batches import BackboneBatches
from support.tiny_models import PIPELINE, metainfo_of, moving_pictures, window_model, window_systems

pytestmark = pytest.mark.slow

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))
PICTURES = moving_pictures(24)
TOLERANCE = 0.02  # pixels of the picture, which is as large as three crops


@pytest.fixture(scope='module')
def model():
    return window_model(SKELETON, test_cfg={'flip_test': True})


def people_at(frame, number, speed=0.0):
    boxes = [[10.0 + 3 * n + speed * frame, 10 + n, 32, 40] for n in range(number)]
    return FrameBoxes(
        np.array(boxes).reshape(-1, 4), np.linspace(0.5, 1, number), np.arange(number) + 7
    )


def video(num_frames, number=1, speed=0.0):
    for frame in range(num_frames):
        yield frame, PICTURES[frame], people_at(frame, number, speed)


def estimator_of(model, batch_size=8, **options):
    backend = TorchWindowBackend(model, batch_size)
    return VideoPoseEstimator(backend, batch_size=batch_size, **options)


def estimate(model, frames, max_waiting=None, **options):
    return list(estimator_of(model, **options).estimate(frames, max_waiting))


def predicted(model, window, boxes):
    """The estimator's own prediction for frames of a window, each cropped at a box."""
    packed, num_aux = [], len(window) - 1
    for frame, box in zip(window, boxes, strict=True):
        x, y, width, height = box
        sample = {
            'img': [PICTURES[frame]] * len(window),
            'bbox': np.array([[x, y, x + width, y + height]], np.float32),
            'bbox_score': np.ones(1, np.float32),
            'keypoints': np.zeros((1, 3, 2), np.float32),
            'keypoints_visible': np.zeros((1, 3), np.float32),
            'aux_keypoints': np.zeros((num_aux, 3, 2), np.float32),
            'aux_keypoints_visible': np.zeros((num_aux, 3), np.float32),
            'aux_given': np.zeros(2, bool),
            'window_position': 0.5,
            'id': 0,
            'img_id': 0,
            'img_path': '',
            'category_id': 1,
            'video_name': '',
            'frame_index': frame,
            'frame_indices': window,
            'track_id': 0,
            **sample_metainfo(metainfo_of(SKELETON)),
        }
        packed.append(Compose(PIPELINE)(sample))
    key = packed[num_aux // 2]
    key['inputs'] = torch.stack([one['inputs'][n] for n, one in enumerate(packed)])
    with torch.inference_mode():
        return model.model.test_step(pseudo_collate([key]))[0].pred_instances


@pytest.mark.parametrize('crops', ['frame', 'window'])
def test_poses_are_those_of_the_estimator_on_the_windows(model, crops):
    found = estimate(model, video(5, speed=2.0), crops=crops, batch_size=3)
    boxes = [people_at(frame, 1, 2.0).boxes[0] for frame in range(5)]
    for frame, window in enumerate([(0, 0, 1), (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 4)]):
        at = [boxes[n if crops == 'frame' else frame] for n in window]
        expected = predicted(model, window, at)
        np.testing.assert_allclose(found[frame].keypoints[0], expected.keypoints[0], atol=TOLERANCE)
        np.testing.assert_allclose(
            found[frame].scores[0], expected.keypoint_scores[0].clip(0, 1), atol=1e-4
        )


@pytest.mark.parametrize(('of_dataset', 'crops'), [({}, 'window'), ({'crops': 'frame'}, 'frame')])
def test_crops_are_those_of_the_configs_test_set(model_files, of_dataset, crops):
    config = Config.fromfile(model_files[0])
    config.test_dataloader.dataset.update(of_dataset)
    backend = load_backend(config, model_files[1])
    assert VideoPoseEstimator(backend).crops == crops
    assert VideoPoseEstimator(backend, 'frame').crops == 'frame'


FIVE = [(0, 0, 0, 1, 2), (0, 0, 1, 2, 3), (0, 1, 2, 3, 4), (1, 2, 3, 4, 4), (2, 3, 4, 4, 4)]


@pytest.mark.parametrize(
    ('system', 'crops', 'batch_size', 'max_waiting'),
    [('stdpose', 'frame', 3, None), ('semantic motion', 'window', 8, 1)],
)
def test_windows_of_five_frames_are_the_two_before_and_the_two_after(
    system, crops, batch_size, max_waiting
):
    wide = window_model(SKELETON, **window_systems(3, 5)[system])
    boxes = [people_at(frame, 1, 2.0).boxes[0] for frame in range(5)]
    found = estimate(wide, video(5, speed=2.0), max_waiting, crops=crops, batch_size=batch_size)
    assert [frame.frame_index for frame in found] == list(range(5))
    for frame, window in enumerate(FIVE):
        at = [boxes[n if crops == 'frame' else frame] for n in window]
        expected = predicted(wide, window, at)
        np.testing.assert_allclose(
            found[frame].scores[0], expected.keypoint_scores[0].clip(0, 1), atol=1e-4
        )


@pytest.mark.parametrize(('num_frames', 'number'), [(3, 0), (1, 1), (2, 1), (5, 3), (2, 12)])
def test_batches_and_reuse_change_nothing_for_boxes_that_stay(model, number, num_frames):
    expected = estimate(model, video(num_frames, number), batch_size=1, crops='window')
    assert [len(frame) for frame in expected] == [number] * num_frames
    for crops in ('frame', 'window'):
        for batch_size, max_waiting in ((8, None), (5, 1), (16, 3)):
            found = estimate(
                model,
                video(num_frames, number),
                batch_size=batch_size,
                max_waiting=max_waiting,
                crops=crops,
            )
            assert [frame.frame_index for frame in found] == list(range(num_frames))
            for one, other in zip(found, expected, strict=True):
                assert one.keypoints.shape == (number, 3, 2)
                np.testing.assert_allclose(one.keypoints, other.keypoints, atol=TOLERANCE)
                np.testing.assert_allclose(one.scores, other.scores, atol=1e-4)
                np.testing.assert_array_equal(one.people.track_ids, np.arange(number) + 7)


@pytest.mark.parametrize('num_frames', [3, 5])
def test_every_crop_is_encoded_once_and_batches_are_full(num_frames):
    wide = window_model(SKELETON, **window_systems(3, num_frames)['stdpose'])
    for frames in (video(16), video(8, 2)):
        with BackboneBatches(wide) as batches:
            estimate(wide, frames, batch_size=8)
        assert batches == [8, 8]
    with BackboneBatches(wide) as batches:
        estimate(wide, video(6), batch_size=8, crops='window')
    # That many for each frame, less one for each that lies before the first or after the last.
    aux = num_frames // 2
    assert sum(batches) == num_frames * 6 - aux * (aux + 1)


def test_a_model_of_single_frames_sees_single_frames():
    model = window_model(SKELETON, test_cfg={'use_frame_head': True})
    with BackboneBatches(model) as batches:
        found = estimate(model, video(4), crops='window')
    assert sum(batches) == 4
    alone = [estimate(model, [frame])[0] for frame in video(4)]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(one.keypoints, other.keypoints, atol=TOLERANCE)


def test_who_is_not_in_the_frame_beside_is_seen_alone_there(model):
    """Track 7 leaves after frame 1, track 8 is there from frame 1 on."""
    frames = list(video(3))
    both = people_at(1, 2)
    frames[1] = (1, PICTURES[1], both)
    frames[2] = (2, PICTURES[2], FrameBoxes(both.boxes[1:], both.scores[1:], np.array([8])))
    found = estimate(model, frames)
    (first, second), box = both.boxes, people_at(0, 1).boxes[0]
    for person, window, at in (
        (0, (0, 1, 1), (box, first, first)),
        (1, (1, 1, 2), (second, second, second)),
    ):
        expected = predicted(model, window, at)
        np.testing.assert_allclose(
            found[1].keypoints[person], expected.keypoints[0], atol=TOLERANCE
        )


def test_the_order_of_the_people_is_free(model):
    frames = list(video(3, 2))
    straight = estimate(model, frames)
    index, picture, people = frames[1]
    turned = FrameBoxes(people.boxes[::-1], people.scores[::-1], people.track_ids[::-1])
    found = estimate(model, [frames[0], (index, picture, turned), frames[2]])
    np.testing.assert_allclose(found[1].keypoints[::-1], straight[1].keypoints, atol=TOLERANCE)
    np.testing.assert_allclose(found[2].keypoints, straight[2].keypoints, atol=TOLERANCE)


@pytest.mark.parametrize('crops', ['frame', 'window'])
def test_a_broken_frame_is_bridged_and_stands_in_nobodys_window(model, crops):
    frames = list(video(5, 2))
    frames[2] = (2, None, frames[2][2])
    found = estimate(model, frames, crops=crops)
    assert [frame.origin for frame in found] == [
        'predicted',
        'predicted',
        'interpolated',
        'predicted',
        'predicted',
    ]
    middle = (found[1].keypoints + found[3].keypoints) / 2
    np.testing.assert_allclose(found[2].keypoints, middle)
    assert (found[2].scores < np.minimum(found[1].scores, found[3].scores)).all()
    np.testing.assert_array_equal(found[2].people.track_ids, [7, 8])
    box = people_at(1, 1).boxes[0]
    expected = predicted(model, (0, 1, 1), (box, box, box))
    np.testing.assert_allclose(found[1].keypoints[0], expected.keypoints[0], atol=TOLERANCE)


def test_broken_frames_at_the_ends_hold_nobody(model):
    frames = list(video(4))
    frames[0], frames[3] = (0, None, NO_PEOPLE), (3, None, frames[3][2])
    found = estimate(model, frames)
    assert [frame.origin for frame in found] == ['unknown', 'predicted', 'predicted', 'unknown']
    assert found[3].keypoints.shape == (0, 3, 2)
    (alone,) = estimate(model, [(0, None, NO_PEOPLE)])
    assert (alone.origin, len(alone)) == ('unknown', 0)


class Alive:
    """How much of what was made is not thrown away yet."""

    def __init__(self):
        self._made = []

    def add(self, thing, size=1):
        self._made = [(ref, n) for ref, n in self._made if ref() is not None]
        self._made.append((weakref.ref(thing), size))
        return thing

    def __len__(self):
        return sum(n for ref, n in self._made if ref() is not None)


@pytest.mark.parametrize('crops', ['frame', 'window'])
@pytest.mark.parametrize('number', [0, 3])
def test_memory_does_not_grow_with_the_video(crops, number):
    model = window_model(SKELETON)
    pictures, features = Alive(), Alive()
    estimator = estimator_of(model, crops=crops, batch_size=4)
    encode = estimator.backend.encode
    most_features = 0

    def counted_encode(crops):
        nonlocal most_features
        made = encode(crops)
        features.add(made.views[0]['features'], len(made))
        most_features = max(most_features, len(features))
        return made

    def long_video():
        for frame in range(40):
            picture = pictures.add(PICTURES[frame % 24].copy())
            yield frame, picture, people_at(frame, number)

    estimator.backend.encode = counted_encode
    poses = estimator.estimate(long_video(), keep_pictures=True)
    most_pictures = max(len(pictures) for _ in poses)
    # Two batches wait for others; four frames are ahead, three make a window, some are in hand.
    assert most_pictures <= 2 * 4 + 4 + 3 + 3
    # Codes of the frames before, at and after the key, and of batches that wait to be full.
    assert most_features <= 3 * 3 * number + 3 * 4


@pytest.mark.parametrize(('crops', 'most'), [('frame', 2), ('window', 4)])
def test_pictures_nobody_asked_for_do_not_wait_with_their_frames(crops, most):
    """Those of a window, and the one that the iterator has just made."""
    alive = Alive()

    def long_video():
        for frame in range(40):
            yield frame, alive.add(PICTURES[frame % 24].copy()), people_at(frame, 1)

    poses = estimator_of(window_model(SKELETON), crops=crops, batch_size=8)
    assert max(len(alive) for _ in poses.estimate(long_video())) <= most


def test_poses_come_one_frame_after_their_pictures_where_they_may_not_wait(model):
    asked = []

    def live():
        for frame in video(10):
            asked.append(frame[0])
            yield frame

    poses = estimator_of(model).estimate(live(), max_waiting=1)
    assert next(poses).frame_index == 0
    # One frame for the window; the thread may be some further.
    assert len(asked) <= 2 + 4 + 1
    poses.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith('prefetch')]


@pytest.mark.parametrize('crops', ['frame', 'window'])
def test_a_pose_that_may_not_wait_needs_the_next_frame_alone(model, crops, monkeypatch):
    monkeypatch.setattr('stdpose_mm.inference.video_pose_estimator.prefetch', lambda items: items)
    frames = video(10)
    poses = estimator_of(model, crops=crops).estimate(frames, max_waiting=1)
    assert next(poses).frame_index == 0
    assert next(frames)[0] == 2


def test_pictures_and_heatmaps_are_kept_if_asked_for(model):
    estimator = estimator_of(model)
    (frame,) = estimator.estimate(video(1, 2), keep_pictures=True, keep_heatmaps=True)
    np.testing.assert_array_equal(frame.picture, PICTURES[0])
    assert frame.heatmaps.shape == (2, 3, 16, 12)
    np.testing.assert_allclose(
        model.decode(frame.heatmaps, frame.crops)[0], frame.keypoints, atol=1e-6
    )
    (plain,) = estimator.estimate(video(1, 2))
    assert plain.picture is None
    assert plain.heatmaps is None


def test_wrong_settings_are_refused(model):
    with pytest.raises(InputError, match="crops must be one of frame, window, got 'box'"):
        estimator_of(model, crops='box')
