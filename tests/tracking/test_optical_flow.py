from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stdpose_mm.errors import InputError
from stdpose_mm.tracking.optical_flow import (
    DISFlow,
    RAFTFlow,
    move_points,
    move_points_back,
    region_around,
    scale_picture,
)
from support.moving_pictures import moving_texture


def test_dis_finds_the_motion_of_a_texture():
    still, moved = moving_texture(np.array([[0, 0], [3, -2]], float))
    flow = DISFlow()
    field = flow(flow.prepare(still), flow.prepare(moved))
    # The small picture is doubled, and so are its motions.
    assert field.shape == (240, 320, 2)
    np.testing.assert_allclose(np.median(field, axis=(0, 1)), [6, -4], atol=0.3)


@pytest.mark.parametrize('finest_scale', [1, 2])
@pytest.mark.parametrize('shape', [(16, 16), (16, 640), (24, 320), (320, 24), (64, 64)])
def test_dis_takes_pictures_of_any_shape(shape, finest_scale):
    texture = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    field = DISFlow(finest_scale=finest_scale)(texture, np.roll(texture, 1, axis=1))
    assert field.shape == (*shape, 2)
    assert np.isfinite(field).all()


def test_points_go_back_to_where_a_flow_comes_from():
    """Pictures of half the size are stretched by a quarter to the right: by 12.75 / 4 at 12.75."""
    reduced_x = np.tile(np.arange(40.0), (20, 1))
    field = np.stack([reduced_x / 4, np.zeros_like(reduced_x)], axis=-1)
    scale = np.array([0.5, 0.5])
    points = np.array([[26.0, 9.0], [40.0, 30.0]])
    carried = move_points(points, field, scale)
    np.testing.assert_allclose(carried[:, 0], [26 + 12.75 / 2, 40 + 19.75 / 2])
    np.testing.assert_allclose(move_points_back(carried, field, scale), points, atol=0.02)


def test_dis_may_be_asked_by_several_threads_at_once():
    rng = np.random.default_rng(0)
    textures = [rng.integers(0, 255, (120, 160)).astype(np.uint8) for _ in range(9)]
    flow = DISFlow(finest_scale=2)
    pairs = list(pairwise(textures)) * 20
    with ThreadPoolExecutor(4) as pool:
        fields = list(pool.map(lambda pair: flow(*pair), pairs))
    for pair, field in zip(pairs, fields, strict=True):
        np.testing.assert_array_equal(field, flow(*pair))


def test_raft_runs_on_any_size_and_gives_flow_for_every_pixel(tmp_path):
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    torch.save(raft_small(weights=None).state_dict(), tmp_path / 'raft.pth')
    flow = RAFTFlow(tmp_path / 'raft.pth', max_side=100)
    still, moved = moving_texture(np.array([[0, 0], [3, -2]], float))
    field = flow(flow.prepare(still), flow.prepare(moved))
    assert field.shape == (75, 100, 2)
    assert np.isfinite(field).all()


@pytest.mark.parametrize('content', [b'text', None], ids=['text', 'missing'])
def test_bad_raft_weights_are_refused_in_one_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / 'raft.pth').write_bytes(content)
    with pytest.raises(
        InputError, match=r'raft\.pth (is not a checkpoint|does not exist)'
    ) as error:
        RAFTFlow(tmp_path / 'raft.pth')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('size', 'scaled'),
    [((120, 160), (75, 100)), ((60, 80), (75, 100)), ((30, 40), (60, 80)), ((20, 400), (16, 320))],
)
def test_pictures_are_brought_to_a_size_but_doubled_at_most_and_not_below_what_dis_takes(
    size, scaled
):
    assert scale_picture(np.zeros((*size, 3), np.uint8), 100).shape[:2] == scaled


def test_pictures_are_scaled_by_no_more_than_is_wanted():
    picture = np.zeros((120, 160, 3), np.uint8)
    assert scale_picture(picture, 640, most=1.5).shape[:2] == (180, 240)
    assert scale_picture(picture, 80, most=1.5).shape[:2] == (60, 80)


@given(
    low=st.tuples(*[st.floats(-500, 900)] * 2),
    extent=st.tuples(*[st.floats(0, 900)] * 2),
    margin=st.floats(0, 100),
    size=st.tuples(*[st.integers(1, 700)] * 2),
)
def test_a_region_holds_what_lies_in_the_picture_and_is_never_thin(low, extent, margin, size):
    low = np.array(low)
    high = low + extent
    rows, columns = region_around(low, high, margin, size)
    for axis, part in enumerate((columns, rows)):
        assert 0 <= part.start < part.stop <= size[axis]
        assert part.stop - part.start >= min(16, size[axis])
        inside = np.clip([low[axis] - margin, high[axis] + margin], 0, size[axis])
        assert part.start <= inside[0]
        assert part.stop >= inside[1]
