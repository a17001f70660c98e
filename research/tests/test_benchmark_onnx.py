from __future__ import annotations

import re

import pytest

from research.tools import benchmark_onnx

pytestmark = pytest.mark.slow


def test_all_pipelines_find_the_same_joints(capsys):
    options = '--config rtmpose-t_8xb256-420e_coco-256x192 --frames 3 --size 128 96 --repeat 1'
    assert benchmark_onnx.main(options.split()) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if ' ms a frame' in line]
    names, distances = zip(
        *(re.fullmatch(r"(.*?) +\d.*joints (\S+) px from MMPose's", row).groups() for row in rows),
        strict=True,
    )
    assert names == ('MMPose', 'bare loop', 'stdpose infer')
    assert max(map(float, distances)) <= 0.5
