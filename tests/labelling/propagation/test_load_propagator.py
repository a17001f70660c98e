from __future__ import annotations

import importlib.util

import pytest

from stdpose_mm.errors import InputError
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.propagation import load_propagator, method_reads_pictures

MISSING = PoseNetworkFiles('missing.onnx')


@pytest.mark.parametrize('options', [{}, {'fuser': 'fuser.pth', 'pose_networks': [MISSING]}])
def test_an_unknown_method_is_named_whatever_else_is_given(options):
    with pytest.raises(InputError, match="no propagation method 'magic', choose one of auto, "):
        load_propagator('magic', **options)


def test_nothing_is_loaded_that_the_method_does_not_use():
    """Each file is missing, which would be said if it was looked for."""
    with pytest.raises(InputError, match=r"a pose network was given .* 'flow' does not use"):
        load_propagator('flow', pose_networks=[MISSING], flow_weights='missing.pth')


@pytest.mark.parametrize(
    ('method', 'reads'),
    [('linear', False), ('spline', False), ('flow', True), ('auto', True), ('stdpose', True)],
)
def test_which_methods_look_at_the_video(method, reads):
    assert method_reads_pictures(method) == reads


def test_a_method_that_needs_a_network_can_be_asked_for_without_pytorch(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        'importlib.util.find_spec',
        lambda name: None if name in ('torch', 'mmpose') else find_spec(name),
    )
    assert method_reads_pictures('stdpose')
    with pytest.raises(InputError, match="method 'stdpose' needs PyTorch and MMPose"):
        load_propagator('stdpose', fuser='fuser.pth')
