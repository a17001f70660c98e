from __future__ import annotations

import math

import pytest
import torch

from research.training.gap_fuser import FusedGaps, GapFuser, fusion_losses

VECTORS, SCALARS, MAPS = 5, 7, 4
HAS_LEFT, HAS_RIGHT = 1, 3
INPUTS = dict(
    num_vectors=VECTORS,
    num_scalars=SCALARS,
    num_maps=MAPS,
    candidate_flags=(None, HAS_LEFT, HAS_RIGHT),
    map_steps=(0.03, 0.09),
    map_side=9,
    end_maps=(2,),
)


def fuser(seed: int = 0, trained: bool = True) -> GapFuser:
    """A small fuser; ``trained`` stands for an output layer that is not zero."""
    torch.manual_seed(seed)
    network = GapFuser(**INPUTS, embed_dims=16, num_heads=2, num_layers=2)
    if trained:
        torch.nn.init.normal_(network.output.weight, std=0.3)
    return network.eval()


def segments(batch: int = 2, frames: int = 5, joints: int = 4, seed: int = 0) -> dict:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return 0.1 * torch.randn(batch, frames, joints, *shape, generator=generator)

    scalars = random(SCALARS)
    scalars[..., HAS_LEFT] = scalars[..., HAS_RIGHT] = 1
    base = torch.rand(batch, frames, joints, 3, generator=generator)
    return {
        'vectors': random(VECTORS, 2),
        'scalars': scalars,
        'maps': random(2, MAPS, 9, 9),
        'base_weights': base / base.sum(-1, keepdim=True),
        'known': torch.ones(batch, joints, dtype=torch.bool),
        'present': torch.ones(batch, frames, dtype=torch.bool),
    }


def padded(inputs: dict, frames: int, joints: int) -> dict:
    """The same segments with junk in added frames and joints."""
    result = {}
    for name, values in inputs.items():
        sizes = {'known': (joints,), 'present': (frames,)}.get(name, (frames, joints))
        shape = (len(values), *sizes, *values.shape[1 + len(sizes) :])
        if values.dtype == torch.bool:
            new = torch.zeros(shape, dtype=torch.bool)
        else:
            new = torch.randn(shape, generator=torch.Generator().manual_seed(9))
            if name == 'base_weights':
                new = new.abs()
        new[tuple(slice(n) for n in values.shape)] = values
        result[name] = new
    return result


def test_padding_changes_nothing():
    inputs, network = segments(), fuser()
    with torch.no_grad():
        plain = network(**inputs)
        more = network(**padded(inputs, frames=8, joints=6))
    torch.testing.assert_close(more.offsets[:, :5, :4], plain.offsets, atol=1e-5, rtol=0)
    torch.testing.assert_close(more.log_scale[:, :5, :4], plain.log_scale, atol=1e-5, rtol=0)


def test_joints_have_no_names():
    inputs, network = segments(), fuser()
    order = torch.tensor([2, 0, 3, 1])
    shuffled = {
        name: values if name == 'present' else values.index_select(1 + (name != 'known'), order)
        for name, values in inputs.items()
    }
    with torch.no_grad():
        plain, other = network(**inputs), network(**shuffled)
    torch.testing.assert_close(other.offsets, plain.offsets[:, :, order], atol=1e-5, rtol=0)


def test_a_fresh_network_mixes_the_candidates_by_their_base_weights():
    inputs = segments()
    inputs['maps'].zero_()
    with torch.no_grad():
        offsets = fuser(trained=False)(**inputs).offsets
    # The places in both maps are candidates in the middle; each of the five starts with 5 % more.
    weights = (inputs['base_weights'] + 0.05) / 1.25
    expected = (weights[..., None] * inputs['vectors'][..., :3, :]).sum(-2)
    torch.testing.assert_close(offsets, expected, atol=3e-5, rtol=0)


@pytest.mark.parametrize(('side', 'candidate'), [(HAS_LEFT, 1), (HAS_RIGHT, 2)])
def test_flow_without_a_label_to_start_from_is_no_candidate(side, candidate):
    inputs, network = segments(), fuser(trained=False)
    inputs['scalars'][..., side] = 0
    with torch.no_grad():
        before = network(**inputs).offsets
        inputs['vectors'][..., candidate, :] += 100
        after = network(**inputs).offsets
    torch.testing.assert_close(after, before)


def test_the_losses_of_hand_made_errors():
    offsets = torch.tensor([[[[0.3, 0.0], [0.0, 0.0]]]])
    fused = FusedGaps(offsets, torch.full((1, 1, 2), math.log(0.1)))
    losses = fusion_losses(fused, torch.zeros(1, 1, 2, 2), torch.tensor([[[1.0, 0.0]]]))
    distance = math.sqrt(0.3**2 + 0.02**2) - 0.02
    assert losses['loss_position'].item() == pytest.approx(10 * distance, rel=1e-5)
    assert losses['loss_scale'].item() == pytest.approx(
        0.1 * (distance / 0.1 + 2 * math.log(0.1)), rel=1e-5
    )
