"""Window datasets on a hand-written set: which windows, which labels, which boxes, which errors."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.logging import MMLogger
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from stdpose_mm.datasets.body import (
    GenericWindowDataset,
    PoseTrack18WindowDataset,
    PoseTrack21WindowDataset,
)
from stdpose_mm.engine.seeding import SampleIndex
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.metrics import VideoPCKMetric
from support.tiny_set import NUM_FRAMES, TinySet, pose


def keys_of(dataset, video: str = 'a', track: int = 0) -> list[int]:
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [i['frame_index'] for i in infos if (i['video_name'], i['track_id']) == (video, track)]


def info_of(dataset, key: int, video: str = 'a', track: int = 0) -> dict:
    for i in range(len(dataset)):
        info = dataset.get_data_info(i)
        if (info['video_name'], info['track_id'], info['frame_index']) == (video, track, key):
            return info
    raise AssertionError(f'no window of frame {key}')


def test_training_keys_are_the_frames_that_are_not_given(tiny_set):
    # T = 4 on ten frames gives 0, 4, 8; frame 9 is only 1 after 8.
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=4)
    assert keys_of(dataset) == [1, 2, 3, 5, 6, 7, 9]
    assert len(dataset) == 2 * 2 * 7


def test_one_sample_carries_key_and_auxiliary_labels(tiny_set):
    info = info_of(PoseTrack18WindowDataset(**tiny_set.args, interval=4), key=5, track=1)
    assert info['frame_indices'] == (4, 5, 8)
    assert info['window_position'] == 0.25
    assert info['aux_given'].tolist() == [True, True]
    assert (info['img_path'], info['img_index']) == (str(tiny_set.picture(5)), None)
    assert [path for path, _ in info['frames']] == [str(tiny_set.picture(f)) for f in (4, 5, 8)]
    assert info['img_id'] == 1005
    shown = np.ones(17, bool)
    shown[3:5] = False
    np.testing.assert_array_equal(info['keypoints_visible'][0], shown)
    np.testing.assert_array_equal(info['keypoints'][0][shown], pose(5, 1)[shown])
    np.testing.assert_array_equal(info['aux_keypoints'][0][shown], pose(4, 1)[shown])
    np.testing.assert_array_equal(info['aux_keypoints'][1][shown], pose(8, 1)[shown])
    assert not info['keypoints'][0][~shown].any()


def test_box_is_the_labels_own(tiny_set):
    info = info_of(PoseTrack18WindowDataset(**tiny_set.args, interval=4), key=5)
    # Joints span x 30..62, y 25..89; the annotated box is 5 pixels larger on each side.
    np.testing.assert_array_equal(info['bbox'], [[25, 20, 67, 94]])


def test_testing_propagation_predicts_every_unlabelled_frame(tiny_set):
    def leave(data: dict) -> None:
        data['annotations'] = [
            a for a in data['annotations'] if a['track_id'] == 1 or a['image_id'] in (1000, 1002)
        ]

    tiny_set.change(leave)
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=4, test_mode=True)
    assert dataset.box_policy.boxes == 'interpolated'
    assert keys_of(dataset) == [1, 2, 3, 5, 6, 7, 9]
    info = info_of(dataset, key=6)
    assert info['frame_indices'] == (0, 6, 9)
    assert info['aux_given'].tolist() == [True, False]
    assert not info['keypoints_visible'].any()
    np.testing.assert_array_equal(info['bbox'], [[15, 15, 57, 89]])


def test_testing_with_ground_truth_boxes_predicts_labelled_people_only(tiny_set):
    def leave(data: dict) -> None:
        data['annotations'] = [
            a for a in data['annotations'] if a['track_id'] == 1 or a['image_id'] in (1001, 1002)
        ]

    tiny_set.change(leave)
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=4, test_mode=True, boxes='gt')
    assert keys_of(dataset) == [1, 2]
    info = info_of(dataset, key=1)
    assert info['frame_indices'] == (0, 1, 4)
    assert info['aux_given'].tolist() == [False, False]


def test_testing_shows_no_label_that_is_not_given(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=4, test_mode=True)
    info = info_of(dataset, key=9)
    assert info['frame_indices'] == (8, 9, 9)
    assert info['aux_keypoints_visible'][0].any()
    assert not info['aux_keypoints'][1].any()
    assert not info['aux_keypoints_visible'][1].any()


def test_random_offset_makes_every_labelled_frame_a_key(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=[4, 5], random_offset=True)
    assert keys_of(dataset) == list(range(NUM_FRAMES))
    np.random.seed(0)
    windows = {dataset.get_data_info(5)['frame_indices'] for _ in range(100)}
    assert {(4, 5, 8), (3, 5, 7), (2, 5, 6), (4, 5, 9), (3, 5, 8), (2, 5, 7), (1, 5, 6)} <= windows
    assert all(left < 5 < right and right - left <= 5 for left, _, right in windows)


def test_index_with_a_seed_repeats_its_window(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=5, random_offset=True)

    def windows() -> list[tuple[int, int, int]]:
        return [dataset.get_data_info(SampleIndex(5, seed))['frame_indices'] for seed in range(30)]

    np.random.seed(0)
    first = windows()
    np.random.seed(1)
    assert windows() == first
    assert len(set(first)) == 4


def test_estimation_takes_the_neighbours_and_gives_nothing(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, task='estimation')
    assert keys_of(dataset) == list(range(NUM_FRAMES))
    info = info_of(dataset, key=0)
    assert info['frame_indices'] == (0, 0, 1)
    assert not info['aux_given'].any()


def test_label_interval_hides_all_other_labels(tiny_set):
    def spoil(data: dict) -> None:
        for person in data['annotations']:
            if person['image_id'] % 1000 not in (0, 4, 8):
                person['keypoints'] = [77, 77, 2] * 17

    for video in 'ab':
        tiny_set.change(spoil, video)
    for task in ('propagation', 'estimation'):
        dataset = PoseTrack18WindowDataset(**tiny_set.args, task=task, label_interval=4)
        assert keys_of(dataset) == [0, 4, 8]
        for i in range(len(dataset)):
            info = dataset.get_data_info(i)
            assert not (info['keypoints'] == 77).any()
            assert not (info['aux_keypoints'] == 77).any()
    assert not info_of(dataset, key=4)['aux_keypoints_visible'].any()


def test_label_interval_trains_on_labelled_keys_between_labelled_frames(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, label_interval=4)
    info = info_of(dataset, key=4)
    assert info['frame_indices'] == (0, 4, 8)
    assert info['aux_given'].tolist() == [True, True]
    assert info_of(dataset, key=8)['aux_given'].tolist() == [True, False]


def test_people_without_joints_are_left_out_and_counted(tiny_set):
    def clear(data: dict) -> None:
        data['annotations'][0]['keypoints'] = [0] * 51

    tiny_set.change(clear)
    dataset = PoseTrack18WindowDataset(**tiny_set.args, task='estimation')
    assert keys_of(dataset) == list(range(1, NUM_FRAMES))
    assert dataset.left_out == {'labels without a joint': 1}


def drop_track_ids(data: dict) -> None:
    for person in data['annotations']:
        del person['track_id']


@pytest.mark.parametrize('options', [{}, {'test_mode': True}, {'task': 'estimation'}])
def test_people_without_track_ids_are_associated(tiny_set, options):
    expected = info_of(PoseTrack18WindowDataset(**tiny_set.args, interval=4, **options), 6, track=1)
    tiny_set.change(drop_track_ids)
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=4, **options)
    info = info_of(dataset, key=6, track=1)
    for name in ('aux_given', 'aux_keypoints', 'aux_keypoints_visible', 'bbox', 'keypoints'):
        np.testing.assert_array_equal(info[name], expected[name])


def name_labels_apart(data: dict) -> None:
    for number, person in enumerate(data['annotations']):
        person['track_id'] = number


@pytest.mark.parametrize(
    'options', [{}, {'random_offset': True}, {'label_interval': 2}, {'test_mode': True}]
)
def test_propagation_without_any_given_label_is_refused(tiny_set, options):
    for video in ('a', 'b'):
        tiny_set.change(name_labels_apart, video)
    with pytest.raises(
        InputError, match=r'holds no window with a given label for .*, give a person several labels'
    ):
        PoseTrack18WindowDataset(**tiny_set.args, interval=4, boxes='gt', **options)


@pytest.mark.parametrize(
    ('options', 'counted'),
    [
        # The label of the given frame 4 is a key in random patterns only.
        ({}, '28 windows for training propagation, 1 of them'),
        ({'random_offset': True}, '40 windows for training propagation, 2 of them'),
        ({'test_mode': True, 'boxes': 'gt'}, '28 windows for testing propagation, 1 of them'),
        # Everyone with a given label is propagated to all seven other frames.
        ({'test_mode': True}, '35 windows for testing propagation, 0 of them'),
    ],
)
def test_windows_without_a_given_label_are_counted(tiny_set, monkeypatch, options, counted):
    def name_two_labels_apart(data: dict) -> None:
        for frame in (4, 5):
            data['annotations'][2 * frame]['track_id'] = 10 + frame

    lines: list[str] = []
    monkeypatch.setattr(MMLogger, 'info', lambda _, line: lines.append(line))
    tiny_set.change(name_two_labels_apart)
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=4, **options)
    assert f'{counted} without a given label, ' in lines[-1]
    unseen = 1 if dataset.box_policy.covers_unlabelled else 0
    assert dataset.left_out['people without a given label'] == unseen


@pytest.mark.parametrize(
    ('options', 'is_named'),
    [
        ({'indices': 5, 'test_mode': True}, True),
        ({'indices': 5}, False),
        ({'test_mode': True}, False),
    ],
)
def test_windows_that_a_metric_will_miss_are_named(tiny_set, monkeypatch, options, is_named):
    lines: list[str] = []
    monkeypatch.setattr(MMLogger, 'warning', lambda _, line: lines.append(line))
    PoseTrack18WindowDataset(**tiny_set.args, interval=4, **options)
    assert any('indices selects some of the 28 windows' in line for line in lines) == is_named


def test_detections_replace_the_interpolated_box(tiny_set):
    found = [
        {'image_id': 1005, 'bbox': [26, 21, 42, 74], 'score': 0.9},
        {'image_id': 1005, 'bbox': [96, 21, 42, 74], 'score': 0.8},
        {'image_id': 1006, 'bbox': [27, 21, 42, 74], 'score': 0.1},
    ]
    (tiny_set.root / 'boxes.json').write_text(json.dumps(found))
    dataset = PoseTrack18WindowDataset(
        **tiny_set.args, interval=4, test_mode=True, boxes='detected', bbox_file='boxes.json'
    )
    assert info_of(dataset, key=5)['bbox'].tolist() == [[26, 21, 68, 95]]
    assert info_of(dataset, key=5)['bbox_score'] == np.float32(0.9)
    assert info_of(dataset, key=5, track=1)['bbox'].tolist() == [[96, 21, 138, 95]]
    assert info_of(dataset, key=6)['bbox'].tolist() == [[27, 21, 69, 95]]
    assert info_of(dataset, key=6)['bbox_score'] == 1


def test_estimation_takes_each_detection(tiny_set):
    found = [{'image_id': 2003, 'bbox': [26, 21, 42, 74], 'score': 0.9}]
    (tiny_set.root / 'boxes.json').write_text(json.dumps(found))
    dataset = PoseTrack18WindowDataset(
        **tiny_set.args, task='estimation', test_mode=True, boxes='detected', bbox_file='boxes.json'
    )
    assert len(dataset) == 1
    info = info_of(dataset, key=3, video='b', track=-1)
    assert info['frame_indices'] == (2, 3, 4)
    assert not info['keypoints_visible'].any()


def test_detections_of_pictures_with_one_id_are_refused(tiny_set):
    def number_from_zero(data: dict) -> None:
        for image in data['images']:
            image['id'] %= 1000
        for person in data['annotations']:
            person['image_id'] %= 1000

    for video in 'ab':
        tiny_set.change(number_from_zero, video)
    (tiny_set.root / 'boxes.json').write_text('[]')
    with pytest.raises(InputError, match="'a' and 'b' both have a picture with id 0"):
        PoseTrack18WindowDataset(
            **tiny_set.args, test_mode=True, boxes='detected', bbox_file='boxes.json'
        )


def test_video_file_frames_go_by_index(tiny_set):
    def name_video(data: dict) -> None:
        data['info'] = {'video': 'clip.avi'}
        for frame, image in enumerate(data['images']):
            image['frame_index'] = frame
            del image['file_name']

    tiny_set.change(name_video)
    path = str(tiny_set.root / 'clip.avi')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'MJPG'), 10, (160, 120))
    for frame in range(NUM_FRAMES):
        writer.write(np.full((120, 160, 3), 20 * frame, np.uint8))
    writer.release()
    dataset = PoseTrack18WindowDataset(
        data_root=str(tiny_set.root),
        ann_file=['annotations/a.json'],
        data_prefix={'img': '', 'video': ''},
        interval=4,
        pipeline=[{'type': 'mmpose.LoadWindow'}],
    )
    sample = dataset[keys_of(dataset).index(5)]
    assert sample['frames'] == [(path, 4), (path, 5), (path, 8)]
    assert (sample['img_path'], sample['img_index']) == (path, 5)
    levels = [image.mean() for image in sample['img']]
    np.testing.assert_allclose(levels, [80, 100, 160], atol=3)


def test_numbers_of_frames_may_start_at_one_and_have_gaps(tiny_set):
    def shift(data: dict) -> None:
        for image in data['images']:
            frame = image['id'] % 1000 + 1
            image['file_name'] = f'images/a/{frame:08d}.jpg'
        del data['images'][2]
        data['annotations'] = [a for a in data['annotations'] if a['image_id'] != 1002]

    for frame in range(NUM_FRAMES):
        tiny_set.picture(frame).rename(tiny_set.root / f'images/a/{frame + 1:08d}.jpg')
    tiny_set.change(shift)
    info = info_of(PoseTrack18WindowDataset(**tiny_set.args, task='estimation'), key=4)
    assert info['frame_indices'] == (4, 4, 5)
    assert info['img_path'].endswith('00000004.jpg')


def test_missing_labels_are_one_sentence_with_the_place_to_get_them(tiny_set):
    with pytest.raises(
        InputError,
        match=r'labels .*/nowhere of PoseTrack21WindowDataset do not exist: get the annotations '
        r'from https://github.com/anDoer/PoseTrack21 .* docs/guide/data.md',
    ):
        PoseTrack21WindowDataset(data_root=str(tiny_set.root), ann_file='nowhere')
    with pytest.raises(InputError, match=r'folder .*/images of .* holds no label file'):
        PoseTrack21WindowDataset(data_root=str(tiny_set.root), ann_file='images')


def keep_two_joints(data: dict) -> None:
    data['categories'][0]['keypoints'] = ['left_end', 'right_end']
    for person in data['annotations']:
        person['keypoints'] = person['keypoints'][:6]


def keep_first_label(data: dict) -> None:
    del data['annotations'][1:]


def name_no_picture(data: dict) -> None:
    data['images'][3]['file_name'] = None


def name_a_missing_picture(data: dict) -> None:
    data['images'][6]['file_name'] = 'images/a/none.jpg'


def clear_labels(data: dict) -> None:
    data['annotations'].clear()


def move_box_away(data: dict) -> None:
    data['annotations'][7]['bbox'] = [500, 20, 30, 60]


@pytest.mark.parametrize(
    ('edit', 'message'),
    [
        (keep_two_joints, r'[ab]\.json has the keypoints left_end, right_end, expected'),
        (keep_first_label, 'holds no window for training propagation'),
        (name_no_picture, r'\.json: frame 3 has no file_name, add the name'),
        (name_a_missing_picture, r'a\.json: frame 6 should be .*none\.jpg, which does'),
        (clear_labels, r'a\.json labels no joint of any person in its 10 frames'),
        (
            move_box_away,
            r'frame 3, track 1: the box \[500\.0, 20\.0, 30\.0, 60\.0\] lies outside the 160x120',
        ),
    ],
)
def test_wrong_labels_are_named(tiny_set, edit, message):
    for video in 'ab':
        tiny_set.change(edit, video)
    with pytest.raises(InputError, match=message):
        PoseTrack18WindowDataset(**tiny_set.args)


def keep_every_third(data: dict) -> None:
    data['annotations'] = [
        label for label in data['annotations'] if label['image_id'] % 1000 % 3 == 0
    ]


@pytest.mark.parametrize(
    ('settings', 'advice'),
    [
        ({'random_offset': False}, 'set label_interval=3 if only sparse frames are labelled'),
        ({'test_mode': True}, 'give labels of the frames between, or an interval above 3'),
    ],
)
def test_labels_of_given_frames_alone_are_refused_with_the_remedy(tiny_set, settings, advice):
    for video in 'ab':
        tiny_set.change(keep_every_third, video)
    with pytest.raises(InputError, match=f'holds no window for .*, {advice}'):
        PoseTrack18WindowDataset(**tiny_set.args, interval=3, **settings)
    sparse = PoseTrack18WindowDataset(**tiny_set.args, interval=3, label_interval=3)
    assert {*keys_of(sparse)} == {0, 3, 6, 9}


@pytest.mark.parametrize(
    ('edit', 'track', 'skipped', 'reason'),
    [
        (name_a_missing_picture, 0, {6}, 'missing frames'),
        (clear_labels, 0, {*range(NUM_FRAMES)}, 'label files without a labelled person'),
        (move_box_away, 1, {3}, 'boxes outside the picture'),
    ],
)
def test_wrong_labels_can_be_skipped(tiny_set, edit, track, skipped, reason):
    tiny_set.change(edit)
    dataset = PoseTrack18WindowDataset(**tiny_set.args, task='estimation', on_error='skip')
    assert {*range(NUM_FRAMES)} - {*keys_of(dataset, track=track)} == skipped
    assert dataset.left_out == {reason: 1}
    if reason == 'missing frames':
        assert info_of(dataset, key=7)['frame_indices'] == (7, 7, 8)


@pytest.mark.parametrize('missing', [4, 6, 0])
def test_testing_without_some_pictures_gives_the_frames_that_the_metric_counts(tiny_set, missing):
    tiny_set.picture(missing).unlink()
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=4, test_mode=True, on_error='skip')
    metric = VideoPCKMetric(str(tiny_set.root / 'annotations'), given_interval=4)
    for info in map(dataset.get_data_info, range(len(dataset))):
        key, track_id = info['frame_index'], info['track_id']
        truth = {
            'pred_instances': {
                'keypoints': pose(key, track_id)[None],
                'keypoint_scores': np.ones((1, 17)),
            },
            'gt_instance_labels': {
                'given_mask': np.repeat(info['aux_given'][None, :, None], 17, axis=2)
            },
        }
        metric.process({}, [info | truth])
    predicted = {p.frame_index for p in metric.predicted_videos(metric.results)[0].persons}
    # Given labels stand as predictions, with or without a picture.
    assert predicted == set(range(NUM_FRAMES)) - ({missing} - {0, 4, 8})
    assert dataset.videos[0].given == tuple(f for f in (0, 4, 8) if f != missing)


@pytest.mark.parametrize('owner', [PoseTrack18WindowDataset, GenericWindowDataset])
def test_other_joints_of_the_same_number_are_named(tiny_set, owner):
    def rename(data: dict) -> None:
        data['categories'][0]['keypoints'][1:3] = ['left_eye', 'right_eye']

    tiny_set.change(rename, 'b')
    with pytest.raises(
        InputError, match=r'b\.json has the keypoints nose, left_eye, .* nose, head_bottom'
    ):
        owner(**tiny_set.args)


def test_other_spellings_of_the_same_joints_are_taken(tiny_set):
    def rename(data: dict) -> None:
        names = data['categories'][0]['keypoints']
        data['categories'][0]['keypoints'] = ['Nose', 'upper_neck', 'top_head', *names[3:]]

    tiny_set.change(rename)
    assert len(PoseTrack18WindowDataset(**tiny_set.args).videos) == 2


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        ({'task': 'tracking'}, "task must be one of .*, got 'tracking'"),
        ({'interval': 1}, 'interval must be whole numbers from 2'),
        ({'interval': []}, 'interval must be whole numbers from 2'),
        ({'num_frames': 3.5}, 'num_frames must be odd and at least 3, .* got 3.5'),
        ({'interval': [4, 5]}, 'need random_offset=True'),
        ({'random_offset': True, 'test_mode': True}, 'are for training'),
        ({'random_offset': True, 'label_interval': 3}, 'labels of all frames'),
        ({'task': 'estimation', 'boxes': 'interpolated'}, "needs task='propagation'"),
        ({'boxes': 'detected', 'test_mode': True}, 'bbox_file need each other'),
        ({'boxes': 'detected', 'bbox_file': 'x.json'}, 'is for test_mode only'),
        ({'on_error': 'ignore'}, "on_error must be one of .*, got 'ignore'"),
        ({'crops': 'person'}, 'crops must be one of'),
        ({'keys_per_sample': 2, 'random_offset': True}, "needs crops='frame'"),
        ({'keys_per_sample': 2, 'crops': 'frame'}, 'need random_offset=True'),
        (
            {'keys_per_sample': 2, 'crops': 'frame', 'random_offset': True, 'num_frames': 5},
            'keys_per_sample=2 needs num_frames=3, .* got 5',
        ),
    ],
)
def test_contradicting_arguments_are_refused(args, message):
    with pytest.raises(ValueError, match=message):
        PoseTrack18WindowDataset(**args, lazy_init=True)


def test_generic_dataset_takes_the_skeleton_of_the_files(tiny_set):
    def rename(data: dict) -> None:
        data['categories'] = [
            {
                'id': 1,
                'name': 'fish',
                'keypoints': ['head', 'left_fin', 'right_fin'],
                'skeleton': [[1, 2], [1, 3]],
            }
        ]
        for person in data['annotations']:
            person['keypoints'] = person['keypoints'][:9]

    for video in 'ab':
        tiny_set.change(rename, video)
    dataset = GenericWindowDataset(**tiny_set.args)
    assert dataset.metainfo['dataset_name'] == 'generic'
    assert dataset.metainfo['flip_indices'] == [0, 2, 1]
    assert dataset.metainfo['skeleton_links'] == [(0, 1), (0, 2)]
    assert dataset.get_data_info(0)['keypoints'].shape == (1, 3, 2)


@pytest.fixture(params=['plain', "PoseTrack's"])
def one_file(tiny_set: TinySet, request: pytest.FixtureRequest) -> TinySet:
    """The tiny set with both videos in one COCO file, as MMPose joins PoseTrack's files."""
    parts = [json.loads(tiny_set.label_file(name).read_text()) for name in ('a', 'b')]
    whole = {**parts[0], 'images': [], 'annotations': []}
    for part in parts:
        whole['images'] += part['images']
        whole['annotations'] += part['annotations']
        for image in part['images']:
            if request.param == 'plain':
                del image['is_labeled']
    for name in ('a', 'b'):
        tiny_set.label_file(name).unlink()
    tiny_set.label_file('all').write_text(json.dumps(whole))
    return tiny_set


@pytest.mark.parametrize('owner', [PoseTrack18WindowDataset, GenericWindowDataset])
def test_videos_of_one_coco_file_are_told_apart(one_file, owner):
    dataset = owner(**one_file.args, interval=4)
    assert [video.name for video in dataset.videos] == ['a', 'b']
    assert len(dataset) == 2 * 2 * 7
    info = info_of(dataset, key=5, video='b', track=1)
    assert [path for path, _ in info['frames']] == [
        str(one_file.picture(frame, 'b')) for frame in (4, 5, 8)
    ]


def test_videos_of_one_coco_file_are_held_out_by_their_names(one_file):
    # Video 'b' is held out, 'a' is not, see tests/io/labels/test_label_files.py.
    chosen = {'held_out_share': 0.25, 'held_out': 'only'}
    dataset = GenericWindowDataset(**one_file.args, interval=4, **chosen)
    metric = VideoPCKMetric(str(one_file.label_file('all')), given_interval=4, **chosen)
    assert [video.name for video in (*dataset.videos, *metric.truth)] == ['b', 'b']


@pytest.mark.parametrize('name', ['PoseTrack17', 'PoseTrack18', 'PoseTrack21', 'Generic'])
def test_inferencer_finds_a_body_detector_by_the_module(name):
    module = DATASETS.get(f'{name}WindowDataset').__module__
    assert module.split('datasets.')[-1].split('.')[0] == 'body'


def test_data_list_is_light(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args)
    assert dataset.data_bytes.nbytes / len(dataset) < 300


POSETRACK_FILE = 'configs/_base_/datasets/posetrack18.py'


@pytest.mark.parametrize('year', ['17', '18', '21'])
def test_metainfo_of_posetrack_is_mmposes(year):
    metainfo = parse_pose_metainfo(DATASETS.get(f'PoseTrack{year}WindowDataset').METAINFO)
    expected = parse_pose_metainfo(dict(from_file=POSETRACK_FILE))
    np.testing.assert_equal(metainfo, {**expected, 'dataset_name': f'posetrack{year}'})


@pytest.mark.parametrize('file', [POSETRACK_FILE, 'mine.py'])
@pytest.mark.parametrize('name', ['PoseTrack17', 'PoseTrack18', 'PoseTrack21', 'Generic'])
def test_metainfo_from_a_config_file(name, file, tiny_set):
    """One that comes with MMPose, by its path in MMPose's repository, and one of the user."""
    expected = parse_pose_metainfo(dict(from_file=POSETRACK_FILE))
    if file == 'mine.py':
        info = {**PoseTrack18WindowDataset.METAINFO, 'dataset_name': 'mine', 'sigmas': [0.1] * 17}
        file = str(tiny_set.root / file)
        Path(file).write_text(f'dataset_info = {info}')
        expected.update(dataset_name='mine', sigmas=np.full(17, 0.1, np.float32))
    kind = DATASETS.get(f'{name}WindowDataset')
    dataset = kind(**tiny_set.args, metainfo=dict(from_file=file))
    np.testing.assert_equal(dataset.metainfo, expected)
    assert dataset.get_data_info(0)['dataset_name'] == expected['dataset_name']


SEGMENTS = dict(random_offset=True, interval=5, keys_per_sample=3, crops='frame')


def test_key_frames_of_a_sample_lie_between_the_same_two_labels(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, **SEGMENTS)
    for index in range(len(dataset)):
        info = dataset.get_data_info(SampleIndex(index, seed=index))
        left, *keys, right = info['frame_indices']
        assert len(keys) == 3
        assert left <= keys[0] <= keys[1] <= keys[2] <= right
        for number, key in enumerate(keys):
            np.testing.assert_array_equal(
                info['keypoints'][number][5:], pose(key, info['track_id'])[5:]
            )
            assert info['window_position'][number] == pytest.approx((key - left) / (right - left))


def test_frames_are_cropped_each_at_its_own_box(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=4, crops='frame')
    info = info_of(dataset, key=5, track=1)
    expected = [[*(pose(f, 1).min(0) - 5), *(pose(f, 1).max(0) + 5)] for f in (4, 5, 8)]
    np.testing.assert_allclose(info['bbox'], expected)


def test_interpolated_crops_see_the_boxes_of_given_labels_only(tiny_set):
    dataset = PoseTrack18WindowDataset(
        **tiny_set.args, interval=4, crops='frame', boxes='interpolated', test_mode=True
    )
    info = info_of(dataset, key=9, track=0)
    # Only frame 8 is given: the frames after it get its box.
    expected = [*(pose(8, 0).min(0) - 5), *(pose(8, 0).max(0) + 5)]
    np.testing.assert_allclose(info['bbox'], [expected] * 3)


def test_sample_of_five_frames_carries_the_labels_of_all_as_targets(tiny_set):
    dataset = PoseTrack18WindowDataset(**tiny_set.args, interval=8, num_frames=5)
    info = info_of(dataset, key=4, track=1)
    assert info['frame_indices'] == (0, 2, 4, 6, 8)
    assert [path for path, _ in info['frames']] == [
        str(tiny_set.picture(frame)) for frame in (0, 2, 4, 6, 8)
    ]
    assert info['img_path'] == str(tiny_set.picture(4))
    assert info['aux_given'].tolist() == [True, True]
    shown = np.ones(17, bool)
    shown[3:5] = False
    np.testing.assert_array_equal(info['keypoints'][0][shown], pose(4, 1)[shown])
    for side, frame in enumerate((0, 2, 6, 8)):
        np.testing.assert_array_equal(info['aux_keypoints'][side][shown], pose(frame, 1)[shown])
    assert info['label_weights'].shape == (5, 17)


def test_testing_shows_no_label_of_further_frames(tiny_set):
    dataset = PoseTrack18WindowDataset(
        **tiny_set.args, interval=8, num_frames=5, test_mode=True, boxes='gt'
    )
    info = info_of(dataset, key=4)
    assert info['label_sources'] == ('given', None, 'given', None, 'given')
    assert info['aux_keypoints_visible'].any(axis=1).tolist() == [True, False, False, True]
    assert not info['aux_keypoints'][1:3].any()
