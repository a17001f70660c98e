"""Labels that a propagator filled in: what datasets make of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS

from stdpose_mm.cli import propagate
from stdpose_mm.datasets.body import PoseTrack18WindowDataset
from stdpose_mm.datasets.synthetic import ClipSettings, write_dataset
from stdpose_mm.datasets.transforms import GenerateWindowTarget
from stdpose_mm.engine.seeding import SampleIndex
from stdpose_mm.errors import InputError
from stdpose_mm.io.labels import find_label_files, read_posetrack18
from support.paths import ROOT
from support.tiny_set import NUM_FRAMES, TinySet, pose

pytestmark = pytest.mark.slow

REPOSITORY = ROOT
GIVEN = (0, 4, 9)
ENCODER = dict(type='BoundedUDPHeatmap', input_size=(96, 128), heatmap_size=(24, 32), sigma=1.0)


@pytest.fixture
def filled(tiny_set: TinySet) -> TinySet:
    """Video a, of which three frames are labelled by hand; elsewhere the left wrist is unsure."""

    def fill(data: dict[str, Any]) -> None:
        for person in data['annotations']:
            if person['image_id'] % 1000 not in GIVEN:
                person['source'] = 'propagated'
                person['scores'] = [0.3 if joint == 9 else 0.9 for joint in range(17)]

    tiny_set.change(fill)
    return tiny_set


def infos(dataset: Any, video: str = 'a', track: int = 0) -> dict[int, dict[str, Any]]:
    """Key frame -> its sample."""
    samples = [dataset.get_data_info(i) for i in range(len(dataset))]
    return {
        sample['frame_index']: sample
        for sample in samples
        if (sample['video_name'], sample['track_id']) == (video, track)
    }


@pytest.mark.parametrize('random_offset', [False, True])
def test_propagated_labels_are_targets_and_only_hand_made_ones_are_shown(filled, random_offset):
    dataset = PoseTrack18WindowDataset(
        **filled.args, interval=3, random_offset=random_offset, propagated_weight=0.25
    )
    samples = infos(dataset)
    assert sorted(samples) == list(range(NUM_FRAMES))
    assert samples[6]['frame_indices'] == (4, 6, 9)
    assert samples[6]['aux_given'].tolist() == [True, True]
    assert samples[6]['label_sources'] == ('given', 'propagated', 'given')
    assert samples[6]['label_weights'][:, 5:].tolist() == [[1] * 12, [0.25] * 12, [1] * 12]
    np.testing.assert_array_equal(samples[6]['keypoints'][0, 5:], pose(6, 0)[5:])
    # A frame that was labelled by hand never sees its own label.
    assert samples[4]['frame_indices'] == (0, 4, 9)
    assert samples[4]['label_sources'] == ('given',) * 3
    np.testing.assert_array_equal(samples[4]['keypoints'][0, 5:], pose(4, 0)[5:])


def test_a_video_labelled_by_hand_alone_is_used_as_ever(filled):
    dataset = PoseTrack18WindowDataset(**filled.args, interval=4)
    # T = 4 on ten frames gives 0, 4, 8.
    assert sorted(infos(dataset, video='b')) == [1, 2, 3, 5, 6, 7, 9]
    assert infos(dataset, video='b')[5]['label_sources'] == ('given',) * 3


def test_samples_of_several_key_frames_have_them_in_all_videos(filled):
    dataset = PoseTrack18WindowDataset(
        **filled.args, interval=4, random_offset=True, keys_per_sample=3, crops='frame'
    )
    samples = [dataset.get_data_info(SampleIndex(i, seed=i)) for i in range(len(dataset))]
    # Samples of a batch need the same number of frames.
    assert {len(sample['frame_indices']) for sample in samples} == {5}
    of_filled = [sample for sample in samples if sample['video_name'] == 'a']
    ends = {(s['frame_indices'][0], s['frame_indices'][-1]) for s in of_filled}
    assert ends == {(0, 4), (0, 9), (4, 9)}
    between = next(s for s in of_filled if s['frame_indices'][0] == 4)
    for key, points in zip(between['frame_indices'][1:-1], between['keypoints'], strict=True):
        assert 4 < key <= 9
        np.testing.assert_array_equal(points[5:], pose(key, between['track_id'])[5:])


def test_a_person_propagated_on_a_frame_given_for_another_is_not_shown_there(filled):
    def fill(data: dict[str, Any]) -> None:
        for person in data['annotations']:
            if (person['image_id'], person['track_id']) == (1004, 1):
                person['source'] = 'propagated'

    filled.change(fill)
    sample = infos(PoseTrack18WindowDataset(**filled.args), track=1)[6]
    assert sample['frame_indices'] == (0, 6, 9)
    assert infos(PoseTrack18WindowDataset(**filled.args), track=0)[6]['frame_indices'] == (4, 6, 9)


def test_uncertain_joints_count_as_unlabelled_given_ones_never(filled):
    def doubt(data: dict[str, Any]) -> None:
        for person in data['annotations']:
            if person['image_id'] == 1004:
                person['scores'] = [0.0] * 17

    filled.change(doubt)
    samples = infos(PoseTrack18WindowDataset(**filled.args, propagated_min_score=0.5))
    assert samples[6]['keypoints_visible'][0, 9] == 0
    assert samples[6]['keypoints_visible'][0].sum() == 14
    assert samples[4]['keypoints_visible'][0].sum() == 15
    everyone = infos(PoseTrack18WindowDataset(**filled.args, propagated_min_score=0.95))
    assert sorted(everyone) == sorted(
        infos(PoseTrack18WindowDataset(**filled.args, propagated_weight=0))
    )


def test_weight_zero_is_the_set_without_propagated_labels(filled):
    ignored = infos(PoseTrack18WindowDataset(**filled.args, label_interval=1, propagated_weight=0))

    def remove(data: dict[str, Any]) -> None:
        data['annotations'] = [a for a in data['annotations'] if 'source' not in a]

    filled.change(remove)
    removed = infos(PoseTrack18WindowDataset(**filled.args, label_interval=1))
    assert sorted(ignored) == sorted(removed) == sorted(GIVEN)
    for key, sample in removed.items():
        assert ignored[key]['frame_indices'] == sample['frame_indices']
        np.testing.assert_array_equal(ignored[key]['keypoints'], sample['keypoints'])


def test_of_a_label_of_some_joints_only_the_given_ones_are_shown(filled):
    def mix(data: dict[str, Any]) -> None:
        for person in data['annotations']:
            if person['image_id'] % 1000 == 4:
                sources = ['propagated' if joint == 9 else 'given' for joint in range(17)]
                person['keypoint_sources'] = [
                    'absent' if n in (3, 4) else s for n, s in enumerate(sources)
                ]

    filled.change(mix)
    samples = infos(PoseTrack18WindowDataset(**filled.args, interval=3, propagated_weight=0.25))
    left = samples[6]
    assert left['frame_indices'] == (4, 6, 9)
    assert left['aux_keypoints_visible'][0, 8:11].tolist() == [1, 0, 1]
    key = samples[4]
    assert key['keypoints_visible'][0, 8:11].tolist() == [1, 1, 1]
    assert key['label_weights'][1, 8:11].tolist() == [1, 0.25, 1]


def test_estimation_trains_on_propagated_labels(filled):
    dataset = PoseTrack18WindowDataset(**filled.args, task='estimation', propagated_weight=0.5)
    sample = infos(dataset)[6]
    assert sample['frame_indices'] == (5, 6, 7)
    assert set(sample['label_weights'][:, 5:].ravel().tolist()) == {0.5}


@pytest.mark.parametrize('task', ['propagation', 'estimation'])
def test_testing_refuses_propagated_labels(filled, task):
    with pytest.raises(InputError, match="14 of the 20 poses of video 'a' have propagated joints"):
        PoseTrack18WindowDataset(**filled.args, task=task, test_mode=True)


@pytest.mark.parametrize(
    ('arguments', 'sentence'),
    [
        ({'propagated_weight': -1}, 'propagated_weight must not be negative'),
        ({'propagated_min_score': 2}, 'propagated_min_score must be in 0..1, got 2'),
        ({'label_interval': 3}, 'a.json holds propagated labels, which label_interval=3 does not'),
    ],
)
def test_wrong_options_are_one_sentence(filled, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        PoseTrack18WindowDataset(**filled.args, **arguments)


def test_weights_reach_the_loss_as_joint_weights():
    points = np.full((1, 3, 2), 40.0, np.float32)
    results = {
        'transformed_keypoints': points,
        'keypoints_visible': np.array([[1, 0, 1]], np.float32),
        'transformed_aux_keypoints': np.repeat(points, 2, axis=0),
        'aux_keypoints_visible': np.array([[1, 1, 1], [1, 1, 0]], np.float32),
        'aux_given': np.array([True, False]),
        'window_position': 0.5,
    }
    transform = GenerateWindowTarget(ENCODER, test_mode=True)
    plain = transform(dict(results))
    weighed = transform({**results, 'label_weights': np.float32([[1] * 3, [0.25] * 3, [0.5] * 3])})
    assert plain['keypoint_weights'].tolist() == [[1, 0, 1]]
    assert weighed['keypoint_weights'].tolist() == [[0.25, 0, 0.25]]
    assert weighed['aux_keypoint_weights'].tolist() == [[[1, 1, 1], [0.5, 0.5, 0]]]
    np.testing.assert_array_equal(weighed['heatmaps'], plain['heatmaps'])
    np.testing.assert_array_equal(weighed['given_mask'], plain['given_mask'])


def test_from_a_thinned_set_to_training_targets(tmp_path):
    settings = ClipSettings(frames=15, width=128, height=96, people=(1, 2))
    write_dataset(tmp_path, train_videos=2, val_videos=0, settings=settings, workers=1)
    files = find_label_files(tmp_path / 'annotations' / 'train')
    options = ['--keep-every', '7', '--min-score', '0.8', '--life-span', 'labels']
    inputs = [str(tmp_path / kind / 'train') for kind in ('images', 'annotations')]
    out = str(tmp_path / 'pseudo' / 'annotations')
    assert propagate.main([*inputs, '--out', out, '--method', 'linear', *options]) == 0

    init_default_scope('mmpose')
    config = Config.fromfile(
        REPOSITORY / 'configs' / 'stdpose_tiny_propagation_synthetic_pseudo.py'
    )
    config.train_dataloader.dataset.data_root = str(tmp_path)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    truth = {labels.name: labels.tracks() for labels in map(read_posetrack18, files)}
    seen = set()
    for i in range(len(dataset)):
        sample = dataset.get_data_info(i)
        frame = sample['frame_index']
        source = sample['label_sources'][1]
        assert source == ('given' if frame in (0, 7, 14) else 'propagated')
        label_weights = sample['label_weights'][1][sample['keypoints_visible'][0] > 0]
        assert set(label_weights.tolist()) == {1.0 if source == 'given' else 0.5}
        assert all(
            source == 'given'
            for source, shown in zip(
                np.array(sample['label_sources'])[[0, 2]], sample['aux_given'], strict=True
            )
            if shown
        )
        if source == 'given':
            label = truth[sample['video_name']][sample['track_id']][frame]
            np.testing.assert_array_equal(sample['keypoints_visible'][0], label.labelled)
            np.testing.assert_array_equal(
                sample['keypoints'][0], label.keypoints.astype(np.float32)
            )
        # Frames 3 and 4 lie three frames from a label and score 0.743, except for joints that
        # are not labelled in the nearest given frame, which score less.
        assert frame not in (3, 4, 10, 11)
        seen.add(source)

        packed = dataset[i]['data_samples']
        assert packed.label_sources == sample['label_sources']
        weights = packed.gt_instance_labels.keypoint_weights.numpy()
        assert set(weights.ravel().tolist()) <= {0.0, float(label_weights[0])}
        shown = weights[0] > 0
        assert shown.any()
        assert packed.gt_fields.heatmaps[shown].max() > 0.5
    assert seen == {'given', 'propagated'}
