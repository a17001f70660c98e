from __future__ import annotations

import numpy as np
import pytest
import torch
from moving_pictures import moving_texture

from stdpose_mm.errors import InputError
from stdpose_mm.propagation.optical_flow import DISFlow, RAFTFlow, reduce_picture


def test_dis_finds_the_motion_of_a_texture():
    still, moved = moving_texture(np.array([[0, 0], [3, -2]], float))
    flow = DISFlow()
    field = flow(flow.prepare(still), flow.prepare(moved))
    assert field.shape == (120, 160, 2)
    np.testing.assert_allclose(np.median(field, axis=(0, 1)), [3, -2], atol=0.3)


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
    with pytest.raises(InputError, match=r'flow weights .* cannot be used') as error:
        RAFTFlow(tmp_path / 'raft.pth')
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    ('size', 'reduced'), [((120, 160), (75, 100)), ((60, 80), (60, 80)), ((20, 400), (16, 320))]
)
def test_pictures_are_reduced_but_not_below_what_dis_takes(size, reduced):
    assert reduce_picture(np.zeros((*size, 3), np.uint8), 100).shape[:2] == reduced
