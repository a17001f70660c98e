from __future__ import annotations

import pytest
import torch

from stdpose_mm.errors import InputError
from stdpose_mm.models.structures import (
    AuxiliaryLabels,
    auxiliary_of,
    key_of,
    nearness_of,
    relative_times,
    split_windows,
)
from support.model_samples import (
    FLIP_INDICES,
    NUM_JOINTS,
    estimation_sample,
    segment_batch,
    window_batch,
)

SHAPE = (NUM_JOINTS, 32, 24)


def labels(give: bool | tuple[bool, bool] = True) -> AuxiliaryLabels:
    given = AuxiliaryLabels.from_data_samples(window_batch(2, give=give)['data_samples'])
    assert given is not None
    return given


def test_labels_of_a_batch_keep_the_order_left_right():
    samples = window_batch(2)['data_samples']
    given = AuxiliaryLabels.from_data_samples(samples)
    assert given.heatmaps.shape == (2, 2, *SHAPE)
    assert given.mask.shape == (2, 2, NUM_JOINTS)
    assert given.prior.shape == (2, *SHAPE)
    right_of_first = samples[0].gt_fields.given_heatmaps[NUM_JOINTS:]
    torch.testing.assert_close(given.heatmaps[0, 1], right_of_first)


def test_mixed_batch_gives_what_there_is():
    labelled, bare = window_batch(2)['data_samples']
    given = AuxiliaryLabels.from_data_samples([estimation_sample(bare), labelled])
    assert not given.mask[0].any()
    assert not given.heatmaps[0].any()
    assert given.mask[1].all()


def test_position_is_that_of_the_window():
    samples = window_batch(3)['data_samples']
    samples[0].set_metainfo({'window_position': 0.25})
    samples[1] = estimation_sample(samples[1])
    given = AuxiliaryLabels.from_data_samples(samples)
    assert given.position.tolist() == [0.25, 0.5, 0.5]
    assert given.flip(FLIP_INDICES).position.tolist() == [0.25, 0.5, 0.5]


def test_only_given_maps_replace_predictions():
    given = labels(give=(True, False))
    given.mask[0, 0, 3] = False
    predicted = torch.full((2, 3, *SHAPE), -1.0)
    result = given.substitute(predicted)
    torch.testing.assert_close(result[0, 0, :3], given.heatmaps[0, 0, :3])
    assert (result[0, 0, 3] == -1).all()
    assert (result[:, 1:] == -1).all()
    assert (predicted == -1).all()


@pytest.mark.parametrize('shape', [(SHAPE[0] + 1, *SHAPE[1:]), (*SHAPE[:2], 2 * SHAPE[2])])
def test_maps_of_other_joints_or_of_another_size_are_refused(shape):
    with pytest.raises(InputError, match=r'of the labels are .* those of the frame_head .* set'):
        labels().substitute(torch.zeros(2, 3, *shape))


def test_flip_mirrors_space_and_swaps_sides():
    given = labels()
    left_wrist, right_wrist = 7, 8
    assert FLIP_INDICES[left_wrist] == right_wrist
    given.mask[0, 1, left_wrist] = False
    flipped = given.flip(FLIP_INDICES)
    assert not flipped.mask[0, 1, right_wrist]
    assert flipped.mask[0, 1, left_wrist]
    torch.testing.assert_close(
        flipped.heatmaps[0, 1, right_wrist, 5, 3], given.heatmaps[0, 1, left_wrist, 5, 20]
    )
    torch.testing.assert_close(
        flipped.prior[0, right_wrist, 5, 3], given.prior[0, left_wrist, 5, 20]
    )


def test_sample_of_several_key_frames_splits_into_their_windows():
    sample = segment_batch(1, num_keys=3)['data_samples'][0]
    windows = split_windows(sample)
    assert [window.window_position for window in windows] == [0.25, 0.5, 0.75]
    for index, window in enumerate(windows):
        joints = slice(index * NUM_JOINTS, (index + 1) * NUM_JOINTS)
        torch.testing.assert_close(window.gt_fields.heatmaps, sample.gt_fields.heatmaps[joints])
        prior = sample.gt_fields.prior_heatmaps[joints]
        torch.testing.assert_close(window.gt_fields.prior_heatmaps, prior)
        torch.testing.assert_close(window.gt_fields.given_heatmaps, sample.gt_fields.given_heatmaps)
        assert window.gt_instance_labels.given_mask.shape == (1, 2, NUM_JOINTS)


def test_key_frame_is_in_the_middle_of_five():
    frames = torch.arange(5)[None]
    assert key_of(frames).tolist() == [2]
    assert auxiliary_of(frames).tolist() == [[0, 1, 3, 4]]


def test_times_of_five_frames_are_evenly_spaced_on_either_side():
    times = relative_times(torch.tensor([0.25, 0.5]), 5)
    assert times.tolist() == [[-0.25, -0.125, 0, 0.375, 0.75], [-0.5, -0.25, 0, 0.25, 0.5]]
    assert relative_times(torch.tensor([0.25]), 3).tolist() == [[-0.25, 0, 0.75]]


def test_nearness_is_one_less_the_distance_in_time():
    assert nearness_of(torch.tensor([0.25]), 5).tolist() == [[0.75, 0.875, 0.625, 0.25]]
    assert nearness_of(torch.tensor([0.25]), 3).tolist() == [[0.75, 0.25]]
