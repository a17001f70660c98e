"""Whether bfloat16 pays."""

from __future__ import annotations

import pytest
import torch

from stdpose_mm.bfloat16 import has_bfloat16


def test_processors_without_onednn_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, 'is_available', lambda: False)
    assert not has_bfloat16('cpu')
    assert has_bfloat16('cuda')
