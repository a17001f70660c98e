from __future__ import annotations

import pickle
from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample
from torch.utils.data import DataLoader

from stdpose_mm.engine.packed_collate import packed_collate


def _sample(index: int) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(index)
    data_sample = PoseDataSample(metainfo={'frame_index': index})
    data_sample.gt_fields = PixelData(heatmaps=torch.rand(2, 4, 3, generator=generator))
    data_sample.gt_instances = InstanceData(keypoints=np.full((1, 2, 2), index, np.float32))
    # A view with gaps: its memory is not one piece.
    data_sample.gt_instance_labels = InstanceData(
        keypoint_weights=torch.rand(1, 4, generator=generator)[:, ::2]
    )
    frames = torch.randint(0, 256, (3, 3, 4, 5), generator=generator, dtype=torch.uint8)
    return {'inputs': frames, 'data_samples': data_sample}


def _assert_equal(batch: dict[str, Any], samples: list[dict[str, Any]]) -> None:
    assert type(batch) is dict
    assert batch.keys() == {'inputs', 'data_samples'}
    for frames, found, sample in zip(batch['inputs'], batch['data_samples'], samples, strict=True):
        expected = sample['data_samples']
        assert frames.dtype == torch.uint8
        assert torch.equal(frames, sample['inputs'])
        assert found.metainfo == expected.metainfo
        assert torch.equal(found.gt_fields.heatmaps, expected.gt_fields.heatmaps)
        weights = found.gt_instance_labels.keypoint_weights
        assert torch.equal(weights, expected.gt_instance_labels.keypoint_weights)
        np.testing.assert_array_equal(found.gt_instances.keypoints, expected.gt_instances.keypoints)


@pytest.mark.parametrize('workers', [0, 2])
def test_batches_arrive_as_they_were_collated(workers):
    samples = [_sample(index) for index in range(5)]
    loader = DataLoader(samples, batch_size=2, num_workers=workers, collate_fn=packed_collate)
    batches = list(loader)
    assert len(batches) == 3
    for start, batch in zip(range(0, 5, 2), batches, strict=True):
        _assert_equal(dict(batch), samples[start : start + 2])


def test_a_batch_becomes_a_plain_dict_of_tensors_in_one_piece_a_data_type():
    samples = [_sample(index) for index in range(4)]
    batch = pickle.loads(bytes(ForkingPickler.dumps(packed_collate(samples))))
    _assert_equal(batch, samples)
    places = {frames.untyped_storage().data_ptr() for frames in batch['inputs']}
    assert len(places) == 1
    heatmaps = {
        sample.gt_fields.heatmaps.untyped_storage().data_ptr() for sample in batch['data_samples']
    }
    weights = {
        sample.gt_instance_labels.keypoint_weights.untyped_storage().data_ptr()
        for sample in batch['data_samples']
    }
    assert heatmaps == weights
    assert len(heatmaps) == 1


def test_a_sample_that_is_written_to_leaves_the_others_as_they_are():
    samples = [_sample(index) for index in range(2)]
    batch = pickle.loads(bytes(ForkingPickler.dumps(packed_collate(samples))))
    batch['inputs'][0].zero_()
    batch['data_samples'][0].gt_fields.heatmaps.zero_()
    assert torch.equal(batch['inputs'][1], samples[1]['inputs'])
    found = batch['data_samples'][1].gt_fields.heatmaps
    assert torch.equal(found, samples[1]['data_samples'].gt_fields.heatmaps)


def test_a_batch_without_tensors_arrives():
    batch = packed_collate([{'name': 'a'}, {'name': 'b'}])
    assert pickle.loads(pickle.dumps(batch)) == {'name': ['a', 'b']}
