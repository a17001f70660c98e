from __future__ import annotations

import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample

from stdpose_mm.models.data_preprocessors import WindowDataPreprocessor
from stdpose_mm.models.data_preprocessors.window_data_preprocessor import move_samples

MEAN, STD = [1.0, 2.0, 3.0], [2.0, 4.0, 8.0]


def preprocessor(**kwargs) -> WindowDataPreprocessor:
    return WindowDataPreprocessor(mean=MEAN, std=STD, bgr_to_rgb=True, **kwargs)


def windows() -> torch.Tensor:
    """[2, 3, 3, 4, 5] uint8, every (window, frame, channel) of its own value."""
    values = torch.arange(18, dtype=torch.uint8).view(2, 3, 3, 1, 1)
    return values.expand(2, 3, 3, 4, 5).contiguous()


def run(inputs, **kwargs) -> dict:
    return preprocessor(**kwargs)(
        {'inputs': inputs, 'data_samples': [PoseDataSample(), PoseDataSample()]}
    )


@pytest.mark.parametrize('as_list', [True, False])
def test_channels_are_flipped_and_frames_are_not(as_list):
    batch = windows()
    result = run(list(batch) if as_list else batch)['inputs']
    assert result.shape == (2, 3, 3, 4, 5)
    assert result.dtype == torch.float32
    # Window 1, frame 2 holds B, G, R = 15, 16, 17.
    expected = [(17 - 1) / 2, (16 - 2) / 4, (15 - 3) / 8]
    assert result[1, 2, :, 0, 0].tolist() == expected


def test_samples_learn_the_input_shape():
    samples = run(list(windows()), pad_size_divisor=4)['data_samples']
    assert len(samples) == 2
    for sample in samples:
        assert sample.metainfo['batch_input_shape'] == (4, 8)
        assert sample.metainfo['pad_shape'] == (4, 8)


def labelled_sample(seed: int) -> PoseDataSample:
    """Build a sample with tensors of two types, in elements within it, of values of its own."""
    heatmaps = torch.arange(12.0).view(3, 2, 2) + 100 * seed
    sample = PoseDataSample(metainfo={'id': seed})
    sample.gt_fields = PixelData(heatmaps=heatmaps)
    sample.gt_instances = InstanceData(
        keypoint_weights=heatmaps[None, :, 0, 0] / 7, labels=torch.tensor([seed])
    )
    return sample


def test_samples_keep_their_values_when_they_are_moved():
    samples = [labelled_sample(1), labelled_sample(2)]
    # Another name of the same device, which a tensor is moved to like to any other.
    move_samples(samples, 'cpu:0')
    for seed, sample in enumerate(samples, 1):
        expected = labelled_sample(seed)
        assert sample.metainfo == {'id': seed}
        torch.testing.assert_close(sample.gt_fields.heatmaps, expected.gt_fields.heatmaps)
        for name, value in expected.gt_instances.items():
            torch.testing.assert_close(sample.gt_instances[name], value)


def test_all_tensors_of_the_samples_are_moved():
    sample = labelled_sample(1)
    preprocessor().to('meta').cast_data([sample])
    assert sample.gt_fields.heatmaps.is_meta
    assert all(value.is_meta for value in sample.gt_instances.values())
