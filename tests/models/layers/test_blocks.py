from __future__ import annotations

import torch

from stdpose_mm.models.layers.blocks import (
    DividedAttentionBlock,
    KeyFrameBlock,
    MutualAttentionBlock,
    PoseAggregationBlock,
    TransformerBlock,
    zero_init_residual,
)
from stdpose_mm.models.layers.convolutions import ResidualBlock
from support.model_samples import copy_block

DIMS, HEADS = 8, 2


def test_dilated_residual_block_sees_nine_spread_places_and_their_neighbours():
    block = ResidualBlock(1, dilation=3).eval()
    for convolution in (block.residual[0][0], block.residual[1]):
        torch.nn.init.ones_(convolution.weight)
    impulse = torch.zeros(1, 1, 15, 15)
    impulse[0, 0, 7, 7] = 1.0
    seen = block(impulse)[0, 0] > 0
    rows = torch.tensor([3, 4, 5, 6, 7, 8, 9, 10, 11])
    expected = torch.zeros(15, 15, dtype=torch.bool)
    expected[rows[:, None], rows] = True
    assert torch.equal(seen, expected)


def test_key_frame_block_gives_what_the_whole_block_gives_for_its_tokens():
    whole, block = TransformerBlock(DIMS, HEADS), KeyFrameBlock(DIMS, HEADS)
    copy_block(whole, block)
    tokens = torch.randn(2, 7, DIMS)
    found = block(tokens[:, 2:5], block.project(tokens))
    torch.testing.assert_close(found, whole(tokens)[:, 2:5])


def test_divided_attention_is_three_residual_steps():
    block = DividedAttentionBlock(DIMS, HEADS)
    tokens = torch.randn(1, 3, 4, DIMS)
    places = [block.time_attn(block.ln_time(tokens[:, :, place])) for place in range(4)]
    after_time = tokens + torch.stack(places, dim=2)
    frames = [block.space_attn(block.ln_space(after_time[:, frame])) for frame in range(3)]
    after_space = after_time + torch.stack(frames, dim=1)
    expected = after_space + block.ffn(block.ln_ffn(after_space))
    torch.testing.assert_close(block(tokens), expected)


def test_pose_aggregation_reads_context_and_tokens():
    block = PoseAggregationBlock(DIMS, HEADS)
    tokens = torch.randn(2, 5, DIMS, requires_grad=True)
    context = torch.randn(2, 3, DIMS, requires_grad=True)
    result = block(tokens, context)
    result.square().sum().backward()
    assert result.shape == tokens.shape
    assert tokens.grad.abs().min() > 0
    assert context.grad.abs().max() > 0


def test_pose_aggregation_normalises_before_each_layer():
    block = PoseAggregationBlock(DIMS, HEADS)
    tokens, context = torch.randn(2, 5, DIMS), torch.randn(2, 5, DIMS)
    small, large = block(tokens, context) - tokens, block(tokens, 1000 * context) - tokens
    torch.testing.assert_close(small, large, atol=1e-3, rtol=1e-3)


def test_mutual_attention_reads_both_as_they_were():
    block = MutualAttentionBlock(DIMS, HEADS)
    first, second = torch.randn(2, 5, DIMS), torch.randn(2, 4, DIMS)
    normed = block.ln_cross[0](first), block.ln_cross[1](second)
    read_first = first + block.cross_attn[0](normed[0], normed[1])
    read_second = second + block.cross_attn[1](normed[1], normed[0])
    result = block(first, second)
    torch.testing.assert_close(result[0], read_first + block.ffn[0](block.ln_ffn[0](read_first)))
    torch.testing.assert_close(result[1], read_second + block.ffn[1](block.ln_ffn[1](read_second)))


def test_zero_init_residual_makes_blocks_the_identity():
    tokens, context = torch.randn(2, 3, 4, DIMS), torch.randn(2, 5, DIMS)
    flat = tokens.flatten(1, 2)
    for block, inputs in (
        (TransformerBlock(DIMS, HEADS), (flat,)),
        (DividedAttentionBlock(DIMS, HEADS), (tokens,)),
        (PoseAggregationBlock(DIMS, HEADS), (flat, context)),
        (MutualAttentionBlock(DIMS, HEADS), (flat, context)),
    ):
        zero_init_residual(block)
        result = block(*inputs)
        assert torch.equal(result[0] if isinstance(result, tuple) else result, inputs[0])
        if isinstance(result, tuple):
            assert torch.equal(result[1], context)


def test_zero_initialised_blocks_learn_in_every_branch():
    block = DividedAttentionBlock(DIMS, HEADS)
    zero_init_residual(block)
    block(torch.randn(2, 3, 4, DIMS)).square().sum().backward()
    for last in (block.time_attn.proj, block.space_attn.proj, block.ffn.layers[1]):
        assert last.weight.grad.abs().max() > 0
