from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate

from stdpose_mm.datasets.metainfo import sample_metainfo
from stdpose_mm.errors import InputError
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.propagation import find_gaps
from stdpose_mm.labelling.propagation.gap_heatmaps import (
    MAX_KEYS,
    MIRROR_REACH,
    GapHeatmapEstimator,
    boxes_with_ends,
    gap_window,
    split_gap,
)
from stdpose_mm.structures import PersonLabel, Skeleton, Window
from stdpose_mm.structures.joint_mapping import JointMapping
from support.backbone_batches import BackboneBatches
from support.frame_sources import CountingFrames
from support.heatmaps import assert_same_maps
from support.tiny_models import (
    PIPELINE,
    metainfo_of,
    model_cfg,
    moving_pictures,
    semantic_motion,
    window_model,
    window_systems,
)

pytestmark = pytest.mark.slow

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))
ALL = np.ones(3, bool)
MAPPING = JointMapping.by_name(SKELETON, SKELETON, ALL, ALL)
POSE = np.array([[30, 20], [20, 45], [44, 40]], float)


@pytest.fixture(scope='module')
def model():
    return window_model(SKELETON)


@pytest.fixture
def gaps_of(label):
    """Gaps of one track that is labelled on some frames and drifts to the right."""

    def make(given, num_frames, track_id=0, visibility=None, shift=0.0):
        labels = {
            frame: label(
                frame, POSE + np.array([frame + shift, 0]), visibility, track_id, bbox=box_at(frame)
            )
            for frame in given
        }
        boxes = {frame: box_at(frame) for frame in range(num_frames) if frame not in labels}
        return find_gaps(track_id, labels, boxes, range(num_frames))

    return make


def box_at(frame):
    return np.array([15.0 + frame, 12, 32, 40 - 0.1 * frame])


def estimated(model, frames, gaps, batch_size=8, **options):
    estimator = GapHeatmapEstimator(TorchWindowBackend(model, batch_size), **options)
    in_order = sorted(gaps, key=lambda gap: (gap.first, gap.last, gap.track_id))
    chunks = [chunk for gap in in_order for chunk in split_gap(gap)]
    with closing(estimator.heatmaps(frames, chunks, MAPPING)) as found:
        for number, maps in found:
            yield chunks[number][0], maps


def maps_of(model, pictures, gaps, **options):
    frames = pictures if isinstance(pictures, CountingFrames) else ArrayFrames(pictures)
    return list(estimated(model, frames, gaps, **options))


@pytest.mark.parametrize(('visibility', 'seen'), [(None, 3), ([2, 2, 0], 5)])
def test_maps_that_labels_replace_for_every_joint_are_not_predicted(
    model, gaps_of, monkeypatch, visibility, seen
):
    pictures = moving_pictures(5)
    gaps = gaps_of((0, 4), 5, visibility=None if visibility is None else np.array(visibility))
    ((_, expected),) = maps_of(model, pictures, gaps)
    frame_head, sizes = model.model.frame_head, []
    forward = frame_head.forward
    monkeypatch.setattr(
        frame_head, 'forward', lambda feats: (sizes.append(len(feats[0])), forward(feats))[1]
    )
    ((_, found),) = maps_of(model, pictures, gaps, frame_maps=False)
    assert sum(sizes) == seen
    assert_same_maps(found.final_heatmaps, expected.final_heatmaps)
    assert not found.frame_heatmaps.any()
    assert found.frame_heatmaps.shape == expected.frame_heatmaps.shape


def predict(model, pictures, gap, key, window, given, test_cfg=None):
    """The estimator's own prediction for one window, each frame cropped by the test pipeline.

    The pipeline crops all frames of a window at one box. So it is run once for every frame, with
    its box, and the window is put together from what the three runs made of their frame.
    """
    boxes = {frame: box_at(key if model.crops == 'window' else frame) for frame in window}
    packed = {
        frame: Compose(PIPELINE)(sample_of(pictures, gap, key, window, given, box))
        for frame, box in boxes.items()
    }
    estimator = model.model
    sample = packed[key]
    sample['inputs'] = torch.stack(
        [packed[frame]['inputs'][place] for place, frame in enumerate(window)]
    )
    ends = (window[0], window[-1])
    maps = [packed[frame]['data_samples'].gt_fields.given_heatmaps for frame in ends]
    sample['data_samples'].gt_fields.given_heatmaps = torch.cat([maps[0][:3], maps[1][3:]])
    before = estimator.test_cfg
    estimator.test_cfg = {**before, 'output_heatmaps': True, **(test_cfg or {})}
    try:
        with torch.inference_mode():
            result = estimator.test_step(pseudo_collate([sample]))[0]
    finally:
        estimator.test_cfg = before
    return result.pred_fields.heatmaps.numpy(), result.pred_instances.keypoints[0]


def sample_of(pictures, gap, key, window, given, box):
    x, y, width, height = box
    further = [None] * (len(window) - 3)
    labels = [gap.left if given[0] else None, *further, gap.right if given[1] else None]
    return {
        'img': [pictures[frame] for frame in window],
        'bbox': np.array([[x, y, x + width, y + height]], np.float32),
        'bbox_score': np.ones(1, np.float32),
        'keypoints': np.zeros((1, 3, 2), np.float32),
        'keypoints_visible': np.zeros((1, 3), np.float32),
        'aux_keypoints': np.stack(
            [np.zeros((3, 2)) if end is None else end.keypoints for end in labels]
        ).astype(np.float32),
        'aux_keypoints_visible': np.stack(
            [np.zeros(3) if end is None else end.labelled for end in labels]
        ).astype(np.float32),
        'aux_given': np.array(given),
        'window_position': 0.5
        if window[0] == window[-1]
        else (key - window[0]) / (window[-1] - window[0]),
        'id': 0,
        'img_id': 0,
        'img_path': '',
        'category_id': 1,
        'video_name': '',
        'frame_index': key,
        'frame_indices': window,
        'track_id': 0,
        **sample_metainfo(metainfo_of(SKELETON)),
    }


WINDOWS: list[tuple[list[int], int, tuple[int, int], Callable[[int], tuple]]] = [
    # given frames, length, (first, last) of the gap, key -> (window, given)
    ([2, 7], 8, (3, 6), lambda key: ((2, key, 7), (True, True))),
    ([2], 9, (3, 8), lambda key: ((2, key, min(8, 2 * key - 2)), (True, False))),
    ([6], 7, (0, 5), lambda key: ((max(0, 2 * key - 6), key, 6), (False, True))),
]


@pytest.mark.parametrize(('given', 'num_frames', 'ends', 'window_of'), WINDOWS)
@pytest.mark.parametrize(
    ('crops', 'flip_test'), [('frame', False), ('frame', True), ('window', False)]
)
def test_maps_are_those_of_the_estimator_on_the_same_crops(
    gaps_of, given, num_frames, ends, window_of, crops, flip_test
):
    model = window_model(SKELETON, test_cfg={'flip_test': flip_test})
    model.crops = crops
    pictures = moving_pictures(num_frames)
    gaps = gaps_of(given, num_frames, visibility=[2, 1, 0])
    gap = next(gap for gap in gaps if (gap.frames[0], gap.frames[-1]) == ends)
    ((found, maps),) = maps_of(model, pictures, [gap], batch_size=3)
    assert found is gap
    assert maps.frames == list(range(gap.first, gap.last + 1))
    decoded, _ = model.decode(maps.final_heatmaps, maps.crops)
    for n, frame in enumerate(maps.frames):
        if frame not in gap.frames:
            assert not maps.final_heatmaps[n].any()
            window, shown = (frame, frame, frame), (False, False)
        else:
            window, shown = window_of(frame)
            heatmaps, keypoints = predict(model, pictures, gap, frame, window, shown)
            assert_same_maps(maps.final_heatmaps[n], heatmaps)
            np.testing.assert_allclose(decoded[n], keypoints, atol=0.05)
        single, _ = predict(model, pictures, gap, frame, window, shown, {'use_frame_head': True})
        assert_same_maps(maps.frame_heatmaps[n], single)


def test_the_maps_depend_on_labels_pictures_and_prior(model, gaps_of):
    """So that the comparison with the estimator compares something."""
    pictures = moving_pictures(8)
    (gap,) = gaps_of([0, 7], 8)
    ((_, plain),) = maps_of(model, pictures, [gap])
    (other_gap,) = gaps_of([0, 7], 8, shift=6)
    ((_, other_labels),) = maps_of(model, pictures, [other_gap])
    ((_, other_picture),) = maps_of(model, pictures[::-1], [gap])
    for other in (other_labels, other_picture):
        assert np.abs(plain.final_heatmaps - other.final_heatmaps)[1:-1].max(axis=(2, 3)).min() > (
            1e-3
        )
    np.testing.assert_array_equal(plain.frame_heatmaps, other_labels.frame_heatmaps)


def test_the_affine_leads_from_the_picture_to_the_maps(model, gaps_of):
    """A label drawn at given pixels peaks where the affine sends them."""
    (gap,) = gaps_of([0, 4], 5)
    ((_, maps),) = maps_of(model, moving_pictures(5), [gap])
    drawn = model.encode_heatmaps(maps.crops[3], POSE, ALL)
    expected = POSE @ maps.to_heatmap[3, :, :2].T + maps.to_heatmap[3, :, 2]
    for heatmap, place in zip(drawn, expected, strict=True):
        y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
        np.testing.assert_allclose([x, y], place, atol=0.5001)
    keypoints, scores = model.decode(drawn[None], maps.crops[3:4])
    np.testing.assert_allclose(keypoints[0], POSE, atol=0.1)
    assert (scores > 0.7).all()


def test_a_segment_costs_t_plus_1_passes_of_the_backbone(model, gaps_of):
    frames = CountingFrames(moving_pictures(15))
    gaps = gaps_of([0, 7, 14], 15)
    with BackboneBatches(model) as batches:
        maps_of(model, frames, gaps, batch_size=4)
    assert batches == [4, 4, 4, 4]
    assert sum(batches) == 2 * (7 + 1)
    assert frames.reads == list(range(15))


@pytest.mark.parametrize(('frame_maps', 'passes'), [(False, 12 * 3), (True, 12 * 3 + 2 * 2)])
def test_crops_at_the_key_cost_three_passes_for_each_frame(gaps_of, frame_maps, passes):
    model = window_model(SKELETON)
    model.crops = 'window'
    frames = CountingFrames(moving_pictures(15))
    with BackboneBatches(model) as batches:
        maps_of(model, frames, gaps_of([0, 7, 14], 15), frame_maps=frame_maps)
    assert sum(batches) == passes
    assert frames.reads == list(range(15))


@pytest.mark.parametrize(
    'changes',
    [
        {'test_cfg': {'use_frame_head': True}},
        {
            'neck': None,
            'frame_head': None,
            'head': {
                **model_cfg(3)['frame_head'],
                'type': 'SingleSourceHead',
                'source': 'frame_feature',
            },
        },
    ],
)
def test_a_model_of_single_frames_sees_the_gap_only(gaps_of, changes):
    model = window_model(SKELETON, **changes)
    pictures = CountingFrames(moving_pictures(8))
    (gap,) = gaps_of([0, 7], 8)
    with BackboneBatches(model) as batches:
        ((_, maps),) = maps_of(model, pictures, [gap])
    assert maps.frames == list(gap.frames)
    assert batches == [6]
    assert pictures.reads == list(range(1, 7))
    heatmaps, _ = predict(model, pictures, gap, 3, (3, 3, 3), (False, False))
    assert_same_maps(maps.final_heatmaps[2], heatmaps)
    np.testing.assert_array_equal(maps.final_heatmaps, maps.frame_heatmaps)


def test_without_a_frame_head_the_single_frame_maps_are_empty(gaps_of):
    cfg = model_cfg(3)
    model = window_model(
        SKELETON,
        frame_head=None,
        neck={'type': 'STRE', 'tff': cfg['neck']['tff']},
        head={**cfg['frame_head'], 'type': 'SingleSourceHead', 'source': 'fused_feature'},
    )
    (gap,) = gaps_of([0, 7], 8)
    pictures = moving_pictures(8)
    ((_, maps),) = maps_of(model, pictures, [gap])
    assert maps.frame_heatmaps.shape == (8, 3, 16, 12)
    assert not maps.frame_heatmaps.any()
    heatmaps, _ = predict(model, pictures, gap, 3, (0, 3, 7), (True, True))
    assert_same_maps(maps.final_heatmaps[3], heatmaps)


FIVE_FRAMES = {
    # Between the labels 2 and 7: key -> further frames, rounded towards the key.
    (2, 7): {3: (3, 5), 4: (3, 5), 5: (4, 6), 6: (4, 6)},
    # After the label 2: the mirrored frame, at most the last of the gap, is at the right.
    (2,): {3: (3, 3), 4: (3, 5), 5: (4, 6), 6: (4, 7), 7: (5, 7), 8: (5, 8)},
}


@pytest.mark.parametrize('system', ['stdpose', 'appearance', 'semantic motion, labels'])
@pytest.mark.parametrize('given', FIVE_FRAMES)
def test_windows_of_five_frames_have_further_frames_of_the_gap(gaps_of, given, system):
    model = window_model(SKELETON, test_cfg={'flip_test': True}, **window_systems(3, 5)[system])
    pictures = CountingFrames(moving_pictures(9))
    gap = next(gap for gap in gaps_of(given, 9) if gap.frames[0] == 3)
    with BackboneBatches(model) as batches:
        ((_, maps),) = maps_of(model, pictures, [gap], batch_size=3)
    # Every frame once as it is and once mirrored: further frames cost nothing.
    assert sum(batches) == 2 * len(maps.frames)
    assert sorted(pictures.reads) == list(maps.frames)
    for key, (before, after) in FIVE_FRAMES[given].items():
        right = 7 if len(given) == 2 else min(8, 2 * key - 2)
        window = (2, before, key, after, right)
        shown = (True, len(given) == 2)
        heatmaps, _ = predict(model, pictures, gap, key, window, shown)
        found = maps.final_heatmaps[key - maps.frames[0]]
        assert_same_maps(found, heatmaps)


def test_five_frames_of_a_model_that_takes_no_labels_are_neighbours(gaps_of):
    model = window_model(SKELETON, **window_systems(3, 5)['semantic motion'])
    pictures = moving_pictures(8)
    (gap,) = gaps_of([0, 7], 8)
    ((_, maps),) = maps_of(model, pictures, [gap])
    for key, window in ((1, (0, 0, 1, 2, 3)), (4, (2, 3, 4, 5, 6)), (6, (4, 5, 6, 7, 7))):
        heatmaps, _ = predict(model, pictures, gap, key, window, (False, False))
        assert_same_maps(maps.final_heatmaps[key], heatmaps)


def test_further_frames_of_a_long_gap_stay_within_its_chunks(gaps_of):
    model = window_model(SKELETON, **window_systems(3, 5)['stdpose'])
    length = 2 * MAX_KEYS
    frames = CountingFrames(moving_pictures(length))
    (gap,) = gaps_of([0, length - 1], length)
    with BackboneBatches(model) as batches:
        (_, first), (_, second) = maps_of(model, frames, [gap])
    assert first.frames == [*range(MAX_KEYS), length - 1]
    assert second.frames == [0, *range(MAX_KEYS, length)]
    # Each frame is encoded once, and each label for either chunk.
    assert sum(batches) == length + 2
    # 10: half way to the last frame is 68, beyond the chunk. 100: half way to the first is 50.
    for maps, key, window in (
        (first, 10, (0, 5, 10, 63, length - 1)),
        (second, 100, (0, 64, 100, 113, length - 1)),
    ):
        heatmaps, _ = predict(model, frames, gap, key, window, (True, True))
        found = maps.final_heatmaps[maps.frames.index(key)]
        assert_same_maps(found, heatmaps)


@pytest.mark.parametrize(
    ('given', 'window_of'),
    [
        ([0, 7], lambda key: (key - 1, key, key + 1)),
        ([0], lambda key: (key - 1, key, min(7, key + 1))),
        ([7], lambda key: (max(0, key - 1), key, key + 1)),
    ],
)
def test_a_model_that_takes_no_labels_sees_the_frames_beside_each(gaps_of, given, window_of):
    model = window_model(SKELETON, **semantic_motion(3))
    pictures = moving_pictures(8)
    (gap,) = gaps_of(given, 8)
    with BackboneBatches(model) as batches:
        ((_, maps),) = maps_of(model, pictures, [gap])
    # Label frames are seen as neighbours, each frame once.
    assert sum(batches) == len(maps.frames) == 8
    for n, frame in enumerate(maps.frames):
        if frame in gap.frames:
            heatmaps, _ = predict(model, pictures, gap, frame, window_of(frame), (False, False))
            assert_same_maps(maps.final_heatmaps[n], heatmaps)
    # The maps of single frames, label frames too, come from its frame head.
    single, _ = predict(
        model, pictures, gap, 7, (7, 7, 7), (False, False), {'use_frame_head': True}
    )
    assert_same_maps(maps.frame_heatmaps[7], single)


def test_people_with_overlapping_gaps_do_not_depend_on_the_batch_size(model, gaps_of):
    frames = CountingFrames(moving_pictures(12))
    gaps = [
        *gaps_of([3, 8], 12, track_id=1),
        *gaps_of([5], 12, track_id=2, shift=4),
        *gaps_of([0, 6, 11], 12, track_id=3, shift=-3),
    ]
    one_by_one = maps_of(model, frames, gaps, batch_size=1)
    single = {(gap.track_id, gap.first): maps for gap, maps in one_by_one}
    assert sorted(frames.reads) == list(range(12))
    for batch_size in (5, 64):
        found = maps_of(model, frames, gaps, batch_size=batch_size)
        assert len(found) == len(single) == 7
        for gap, maps in found:
            expected = single[gap.track_id, gap.first]
            assert maps.frames == expected.frames == list(range(gap.first, gap.last + 1))
            assert_same_maps(maps.frame_heatmaps, expected.frame_heatmaps)
            assert_same_maps(maps.final_heatmaps, expected.final_heatmaps)
            np.testing.assert_array_equal(maps.to_heatmap, expected.to_heatmap)


@pytest.mark.parametrize(
    ('given', 'expected_reads'),
    [
        ([0], lambda n: list(range(n))),
        ([-1], lambda n: [0, n - 1, *range(1, n)]),
        ([0, -1], lambda n: [0, n - 1, *range(1, n)]),
    ],
)
def test_a_long_gap_comes_in_parts(model, gaps_of, monkeypatch, given, expected_reads):
    monkeypatch.setattr('stdpose_mm.labelling.propagation.gap_heatmaps.MAX_KEYS', 10)
    length = 25
    given = [frame % length for frame in given]
    frames = CountingFrames(moving_pictures(length))
    (gap,) = gaps_of(given, length)
    with BackboneBatches(model) as batches:
        parts = [maps for _, maps in maps_of(model, frames, [gap])]
    keys = [frame for maps in parts for frame in maps.frames if frame in gap.frames]
    assert keys == list(gap.frames)
    assert all(len(maps.frames) <= 10 + 2 for maps in parts)
    assert all(
        maps.final_heatmaps[n].any() == (frame in gap.frames)
        for maps in parts
        for n, frame in enumerate(maps.frames)
    )
    # The parts are 3, each sees the label frames again.
    assert sum(batches) == len(gap.frames) + 3 * len(given)
    assert frames.reads == expected_reads(length)


@pytest.mark.parametrize('system', ['stdpose', 'semantic motion'])
def test_every_part_of_a_long_gap_has_the_maps_of_both_labels(gaps_of, system, monkeypatch):
    model = window_model(SKELETON, **window_systems(3, 3)[system])
    pictures = moving_pictures(14)
    (gap,) = gaps_of([0, 13], 14)
    ((_, whole),) = maps_of(model, pictures, [gap])
    monkeypatch.setattr('stdpose_mm.labelling.propagation.gap_heatmaps.MAX_KEYS', 4)
    parts = [maps for _, maps in maps_of(model, pictures, [gap])]
    assert [maps.frames for maps in parts] == [
        [0, 1, 2, 3, 4, 13],
        [0, 5, 6, 7, 8, 13],
        [0, 9, 10, 11, 12, 13],
    ]
    for maps in parts:
        rows = list(maps.frames)
        assert_same_maps(maps.frame_heatmaps, whole.frame_heatmaps[rows])
        np.testing.assert_array_equal(maps.to_heatmap, whole.to_heatmap[rows])
        assert maps.final_heatmaps.any(axis=(1, 2, 3)).tolist() == [False, *4 * [True], False]
        # Beside other parts a model that takes no labels has other neighbours.
        assert_same_maps(maps.final_heatmaps[2:4], whole.final_heatmaps[rows[2:4]])


def test_a_frame_that_cannot_be_read_stops_it_after_the_gaps_before(model, gaps_of):
    class Broken(CountingFrames):
        def _read(self, index):
            if index == 9:
                raise InputError('frame 9 cannot be decoded')
            return super()._read(index)

    frames = Broken(moving_pictures(15))
    found = estimated(model, frames, gaps_of([0, 5, 14], 15), batch_size=6)
    assert next(found)[1].frames == list(range(6))
    with pytest.raises(InputError, match='frame 9 cannot be decoded'):
        next(found)


def test_nothing_is_read_after_an_early_stop(model, gaps_of):
    frames = CountingFrames(moving_pictures(60))
    found = estimated(model, frames, gaps_of([0, 5, 59], 60), batch_size=6)
    next(found)
    found.close()
    reads = len(frames.reads)
    assert 6 <= reads < 15
    time.sleep(0.05)
    assert len(frames.reads) == reads


NUM_FRAMES = 61


@pytest.fixture
def gap_of(label):
    """The gap of a track in 61 frames that holds a frame."""

    def make(given: tuple[int, ...], frame: int):
        labels = {n: label(n, POSE) for n in given}
        boxes = {n: np.array([10.0, 10, 40, 40]) for n in range(NUM_FRAMES) if n not in labels}
        gaps = find_gaps(0, labels, boxes, range(NUM_FRAMES))
        (gap,) = (each for each in gaps if frame in each.frames)
        return gap

    return make


@pytest.mark.parametrize(('bare', 'row'), [(10, 0), (20, -1)])
def test_a_label_of_a_head_box_alone_has_the_nearest_box_of_its_gap(label, bare, row):
    labels = {n: label(n, POSE) for n in (10, 20)}
    head = PersonLabel(bare, np.zeros((3, 2)), np.zeros(3), 0, head_box=np.array([30.0, 10, 9, 9]))
    labels[bare] = head
    boxes = {n: np.array([float(n), 10, 40, 40]) for n in range(11, 20)}
    (gap,) = find_gaps(0, labels, boxes, range(10, 21))
    found = boxes_with_ends(gap, gap.frames)
    assert [*found] == [*range(10, 21)]
    assert found[bare].tolist() == gap.bboxes[row].tolist()


@pytest.mark.parametrize(
    ('given', 'key', 'expected'),
    [
        ((10, 20), 13, Window(10, 13, 20, (True, True))),
        # Five frames before the first label, and five after the last one.
        ((30,), 25, Window(20, 25, 30, (False, True))),
        ((30,), 35, Window(30, 35, 40, (True, False))),
        # The video ends first.
        ((30,), 3, Window(0, 3, 30, (False, True))),
        ((30,), 58, Window(30, 58, 60, (True, False))),
        # Mirrored further than in training.
        ((50,), 30, Window(30 - MIRROR_REACH, 30, 50, (False, True))),
        ((10,), 30, Window(10, 30, 30 + MIRROR_REACH, (True, False))),
    ],
)
def test_the_window_of_a_frame(gap_of, given, key, expected):
    gap = gap_of(given, key)
    assert gap_window(key, gap, gap.frames) == expected


def test_a_frame_without_a_label_lies_among_the_frames_of_the_chunk(gap_of):
    gap = gap_of((50,), 30)
    assert gap_window(30, gap, range(25, 40)) == Window(25, 30, 50, (False, True))
