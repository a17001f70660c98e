"""Models of windows of more than three frames: every frame counts, and three are as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS

from stdpose_mm.errors import InputError
from stdpose_mm.models.necks.mlsme_parts import GivenPoseEmbedding
from stdpose_mm.models.structures import AuxiliaryLabels
from stdpose_mm.structures import Skeleton
from support.tiny_models import model_cfg, window_model, window_systems

SKELETON = Skeleton(('head', 'left_hand', 'right_hand'))
MAPS = (3, 16, 12)
FIVE = window_systems(3, 5)
CROPS = torch.from_numpy(
    np.random.default_rng(0).normal(0, 1, (5, 1, 3, 64, 48)).astype(np.float32)
)


@pytest.fixture(scope='module', params=FIVE)
def model(request: pytest.FixtureRequest) -> Any:
    return window_model(SKELETON, **FIVE[request.param]).model


def labels_at(position: float, left: bool = True, right: bool = True) -> AuxiliaryLabels:
    torch.manual_seed(1)
    return AuxiliaryLabels(
        heatmaps=torch.rand(1, 2, *MAPS),
        mask=torch.tensor([left, right])[None, :, None].expand(1, 2, 3),
        prior=torch.rand(1, *MAPS),
        position=torch.tensor([position]),
    )


def heatmaps_of(model: Any, frames: Any, given: AuxiliaryLabels | None = None) -> torch.Tensor:
    """Heatmaps of one window of crops, by their numbers."""
    with torch.inference_mode():
        return model.head.forward(model.extract_feat(CROPS[list(frames)].transpose(0, 1), given))


@pytest.mark.parametrize('frame', range(5))
def test_every_frame_of_five_changes_the_prediction(model, frame):
    shown = [0, 1, 2, 3, 4]
    shown[frame] = (frame + 1) % 5
    change = heatmaps_of(model, shown) - heatmaps_of(model, range(5))
    assert change.abs().max() > 1e-4


def test_labels_of_both_outermost_frames_change_the_prediction(model):
    without = heatmaps_of(model, range(5), labels_at(0.5, False, False))
    for left, right in ((True, False), (False, True)):
        change = heatmaps_of(model, range(5), labels_at(0.5, left, right)) - without
        assert (change.abs().max() > 1e-4) == model.takes_labels


def test_tokens_of_labels_stand_at_their_frames():
    torch.manual_seed(0)
    embedding = GivenPoseEmbedding(num_joints=3, embed_dims=32, use_prior=True)
    given = labels_at(0.5)
    with torch.no_grad():
        left, key, right = embedding(given).unbind(1)
        tokens = embedding(given, 5)
    assert not tokens[:, [1, 3]].any()
    torch.testing.assert_close(tokens[:, [0, 2, 4]], torch.stack((left, key, right), dim=1))


@pytest.mark.parametrize('number', [3, 7])
def test_windows_of_another_length_are_refused_in_one_sentence(model, number):
    message = f'for windows of 5 frames, the data have {number}, set num_frames'
    with pytest.raises(InputError, match=message):
        model.extract_feat(torch.zeros(1, number, 3, 64, 48))


def test_frames_after_the_key_are_not_those_before_it():
    """A model with learned places in time tells the order of the frames."""
    for name in ('stdpose', 'semantic motion'):
        found = window_model(SKELETON, **FIVE[name]).model
        change = heatmaps_of(found, [4, 3, 2, 1, 0]) - heatmaps_of(found, range(5))
        assert change.abs().max() > 1e-4, name


@pytest.mark.parametrize('name', FIVE)
def test_three_frames_said_are_three_frames_not_said(name):
    """Checkpoints of before fit: the same weights under the same names, and the same result."""

    def without(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: without(entry) for key, entry in value.items() if key != 'num_frames'}

    changes = window_systems(3, 3)[name]
    said = window_model(SKELETON, **changes).model
    torch.manual_seed(7)
    unsaid = MODELS.build(model_cfg(3, **without(changes))).eval()
    assert said.num_frames == unsaid.num_frames == 3
    unsaid.load_state_dict(said.state_dict())
    given = labels_at(0.3) if said.takes_labels else None
    expected = heatmaps_of(unsaid, range(3), given)
    assert torch.equal(heatmaps_of(said, range(3), given), expected)


def test_parts_for_different_numbers_of_frames_are_refused():
    neck = FIVE['stdpose']['neck']
    tks = {**neck['tks'], 'num_frames': 3}
    with pytest.raises(InputError, match='tff and tks must have the same num_frames, got 5 and 3'):
        window_model(SKELETON, neck={**neck, 'tks': tks})


def test_a_mask_for_another_number_of_frames_than_the_neck_is_refused():
    model = window_model(SKELETON, neck=FIVE['stdpose']['neck']).model
    with pytest.raises(InputError, match='the mask is for windows of 3 frames, got 5'):
        heatmaps_of(model, range(5))
