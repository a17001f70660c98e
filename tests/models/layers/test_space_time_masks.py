from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.models.necks.mlsme_parts import sample_mask, sample_tube_mask

CPU = torch.device('cpu')


@given(
    num_windows=st.integers(1, 5),
    num_frames=st.integers(1, 5),
    num_places=st.integers(2, 20),
    ratio=st.floats(0.01, 0.99),
    data=st.data(),
)
def test_a_tube_is_consecutive_frames_at_one_place(
    num_windows, num_frames, num_places, ratio, data
):
    length = data.draw(st.integers(1, num_frames))
    masks = sample_tube_mask((num_windows, num_frames, num_places), ratio, length, CPU)
    assert masks.shape == (num_windows, num_frames, num_places)
    for window in masks.transpose(1, 2).tolist():
        stretches = [[t for t, hidden in enumerate(place) if hidden] for place in window]
        tubes = [frames for frames in stretches if frames]
        assert all(frames == list(range(frames[0], frames[0] + length)) for frames in tubes)
        wanted = min(max(round(ratio * num_places), 1), num_places - 1)
        assert len(tubes) == wanted


def test_tubes_start_and_lie_everywhere():
    torch.manual_seed(0)
    masks = sample_tube_mask((400, 3, 6), 0.5, 2, CPU).float().mean(0)
    # Half of the places have a tube; it covers the middle frame always, the outer ones half the
    # time. Five standard deviations of a share of 400 draws are 0.125.
    torch.testing.assert_close(masks[1], torch.full((6,), 0.5), atol=0.125, rtol=0)
    torch.testing.assert_close(masks[[0, 2]], torch.full((2, 6), 0.25), atol=0.11, rtol=0)


@pytest.mark.parametrize('count', [1, 2])
def test_windows_have_as_many_hidden_frames_and_any_can_be(count):
    torch.manual_seed(0)
    masks = sample_mask((300, 3), count, CPU)
    assert (masks.sum(1) == count).all()
    torch.testing.assert_close(
        masks.float().mean(0), torch.full((3,), count / 3), atol=0.14, rtol=0
    )
