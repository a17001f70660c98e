from __future__ import annotations

from importlib.util import find_spec

import pytest
from mmpose.registry import MODELS

from stdpose_mm.engine.config_files import config_mistakes
from stdpose_mm.errors import InputError


def build_with(backbone: str | dict) -> None:
    with config_mistakes('mine.py'):
        MODELS.build(dict(type='STDPose', backbone=backbone, head=None))


def test_a_text_in_place_of_a_part_is_named() -> None:
    with pytest.raises(InputError, match=r"mine\.py: 'ResNet' stands where a dictionary"):
        build_with('ResNet')


@pytest.mark.skipif(find_spec('mmpretrain') is not None, reason='mmpretrain is installed')
def test_a_class_of_a_package_that_is_not_installed_says_so() -> None:
    with pytest.raises(InputError, match='registry because mmpretrain is not installed'):
        build_with(dict(type='mmpretrain.VisionTransformer'))
