from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_models import model_cfg, window_model

from stdpose_mm.inference import FrameCodes, TorchWindowNetwork
from stdpose_mm.structures import Skeleton

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'))
CROPS = np.random.default_rng(0).integers(0, 256, (5, 64, 48, 3), dtype=np.uint8)
ROWS = np.array([[0, 1, 2], [4, 4, 3], [2, 1, 0]])


@pytest.fixture(scope='module', params=[False, True], ids=['plain', 'mirrored'])
def model(request):
    return window_model(SKELETON, test_cfg={'flip_test': request.param})


def test_windows_of_codes_are_windows_of_pictures(model):
    network = TorchWindowNetwork(model, batch_size=2)
    codes = network.encode(CROPS)
    assert len(codes) == 5
    found = network.fuse(codes, ROWS)
    estimator = model.model
    with torch.inference_mode():
        windows = model.normalise(CROPS)[torch.from_numpy(ROWS)]
        expected = estimator.head.forward(estimator.extract_feat(windows))
        if estimator.test_cfg['flip_test']:
            mirrored = estimator.head.forward(estimator.extract_feat(windows.flip(-1)))
            expected = (expected + mirrored.flip(-1)[:, [0, 2, 1]]) / 2
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)


def test_codes_can_be_taken_apart_and_put_together(model):
    network = TorchWindowNetwork(model)
    whole = network.encode(CROPS)
    parts = FrameCodes.concatenate([whole.take([3, 4]), whole.take([0]), whole.take([2, 1])])
    place = np.array([2, 4, 3, 0, 1])
    np.testing.assert_array_equal(network.fuse(parts, place[ROWS]), network.fuse(whole, ROWS))
    taken = whole.take([1])
    assert taken.views[0].features.data_ptr() != whole.views[0].features.data_ptr()


ALONE = {
    'neck': None,
    'frame_head': None,
    'head': {
        **model_cfg(3)['frame_head'],
        'type': 'SingleSourceHead',
        'source': 'frame_feature',
    },
}


@pytest.mark.parametrize('changes', [ALONE, {'test_cfg': {'use_frame_head': True}}])
def test_a_network_of_single_frames_gives_the_key_frames_maps(changes):
    network = TorchWindowNetwork(window_model(SKELETON, **changes))
    assert not network.sees_windows
    codes = network.encode(CROPS)
    np.testing.assert_array_equal(
        network.fuse(codes, ROWS), network.frame_heatmaps(codes)[ROWS[:, 1]]
    )


def test_the_batch_size_is_positive(model):
    with pytest.raises(ValueError, match='batch_size must be at least 1, got 0'):
        TorchWindowNetwork(model, batch_size=0)
