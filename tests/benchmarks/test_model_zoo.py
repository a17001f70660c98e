"""The model zoo page, and the numbers in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

import stdpose_mm  # noqa: F401 - registers what the configs name
from stdpose_mm.benchmarks.complexity import measure_complexity
from stdpose_mm.benchmarks.model_zoo import model_zoo_page, published_values
from stdpose_mm.errors import InputError
from support.paths import ROOT
from support.tiny_models import CODEC, model_cfg

JOINTS = 3


def config(**changes: Any) -> Config:
    cfg = model_cfg(JOINTS, **changes)
    cfg['head'].pop('loss', None)
    return Config(dict(model=cfg, codec=CODEC))


def per_frame() -> Config:
    """Backbone and a head of one 1x1 convolution on the features of 4x3 patches."""
    head = dict(
        type='SingleSourceHead',
        source='frame_feature',
        in_channels=32,
        out_channels=JOINTS,
        deconv_out_channels=None,
        loss=dict(type='KeypointMSELoss'),
        decoder=CODEC,
    )
    return config(head=head, neck=None, frame_head=None)


@pytest.mark.slow
def test_page_is_what_the_configs_say() -> None:
    page = (ROOT / 'docs' / 'reference' / 'model_zoo.md').read_text()
    assert page == model_zoo_page(ROOT), 'run tools/misc/write_model_zoo.py'


def test_work_of_a_1x1_convolution_is_counted_by_hand() -> None:
    complexity = measure_complexity(per_frame())
    assert complexity.window_macs == 4 * 3 * 32 * JOINTS
    assert complexity.alone == complexity.in_video == complexity.frame_macs + 12 * 32 * JOINTS


def test_a_window_alone_encodes_three_frames_and_in_a_video_one() -> None:
    complexity = measure_complexity(config())
    assert complexity.alone - complexity.in_video == 2 * complexity.frame_macs


def test_parameters_of_losses_are_for_training_only() -> None:
    mi_loss = dict(
        type='MutualInformationLoss', num_joints=JOINTS, feature_channels=32, alpha=0.1, beta=0.01
    )
    without, with_loss = measure_complexity(config()), measure_complexity(config(mi_loss=mi_loss))
    assert without.training_parameters == 0
    assert with_loss.parameters == without.parameters
    assert with_loss.training_parameters > 0


def write_study(path: Path, value: float, options: str = '{}') -> Path:
    path.write_text(
        "title = 'x'\n"
        f"entries = [dict(name='a', config='a.py', cfg_options={options}, published={value})]\n"
    )
    return path


def test_published_values_are_of_configs_as_they_are(tmp_path: Path) -> None:
    changed = write_study(tmp_path / 'one.py', 80.0, "{'model.depth': 2}")
    assert published_values([changed]) == {}
    same = write_study(tmp_path / 'two.py', 90.0)
    assert published_values([changed, same]) == {'a.py': 90.0}


def test_studies_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    files = [write_study(tmp_path / f'{n}.py', value) for n, value in enumerate((90.0, 91.0))]
    with pytest.raises(InputError, match=r'91\.0 as the published value of a\.py'):
        published_values(files)
