"""Every config trains and is tested on data laid out as its real set."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.registry import init_default_scope

import stdpose_mm  # noqa: F401 - registers what the configs name
from support.real_layouts import write_real_layouts
from support.short_training import train_and_test
from support.small_configs import NAMES, read

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('layouts')
    write_real_layouts(root)
    return root


@pytest.fixture(autouse=True)
def in_data(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    init_default_scope('mmpose')


@pytest.mark.parametrize('name', NAMES)
def test_config_trains_and_is_tested(name: str) -> None:
    metrics = train_and_test(read(name).copy())
    assert metrics
    validated = read(name).default_hooks.checkpoint.get('save_best')
    assert validated is None or validated in metrics
