from __future__ import annotations

from importlib import import_module

import numpy as np
import onnx
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS

from research.export.stdpose_export import export_stdpose
from stdpose_mm.errors import InputError
from stdpose_mm.inference.onnx_window_backend import FRAMES_FILE, WINDOWS_FILE, OnnxWindowBackend
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend
from stdpose_mm.inference.window_backend import WindowLabels
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.labelling.propagation.auto.network_heatmaps import shipped_stdposes
from stdpose_mm.structures import Skeleton
from support.paths import ROOT
from support.tiny_models import CODEC, moving_pictures, semantic_motion, window_model

pytestmark = pytest.mark.slow

SKELETON = Skeleton(('head', 'left_wrist', 'right_wrist'))
ROWS = np.array([[0, n + 1, 6] for n in range(5)])


@pytest.fixture(scope='module')
def model() -> WindowModel:
    return window_model(SKELETON)


@pytest.fixture(scope='module')
def exported(model, tmp_path_factory) -> OnnxWindowBackend:
    folder = tmp_path_factory.mktemp('stdpose')
    export_stdpose(model, folder, 'nothing')
    return OnnxWindowBackend.from_stdpose(folder)


@pytest.fixture(scope='module')
def crops() -> np.ndarray:
    return moving_pictures(7, 48, 64)


def labels_of(seed: int, shape: tuple[int, int, int]) -> WindowLabels:
    """Labels of five windows for maps [K, h, w]."""
    rng = np.random.default_rng(seed)
    return WindowLabels(
        rng.random((5, 2, *shape), np.float32),
        rng.random((5, 2, shape[0])) > 0.5,
        rng.random((5, *shape), np.float32),
        rng.random(5).astype(np.float32),
    )


def test_the_files_compute_what_the_model_does(model, exported, crops):
    backend = TorchWindowBackend(model)
    features, encoded = backend.encode(crops), exported.encode(crops)
    single = backend.frame_heatmaps(features)
    # Weights in half precision have a relative error of 2 ** -11.
    np.testing.assert_allclose(
        exported.frame_heatmaps(encoded), single, atol=5e-3 * np.abs(single).max()
    )
    given = labels_of(0, (3, *CODEC['heatmap_size'][::-1]))
    expected = backend.fuse(features, ROWS, given)
    maps = exported.fuse(encoded, ROWS, given)
    np.testing.assert_allclose(maps, expected, atol=5e-3 * np.abs(expected).max())


@pytest.mark.parametrize('field', WindowLabels._fields)
def test_the_shipped_network_reads_every_field_of_the_labels(field):
    network = shipped_stdposes()[0]
    shape = network.skeleton.num_keypoints, *network.record['heatmap_size'][::-1]
    given, other = labels_of(0, shape), labels_of(1, shape)
    width, height = network.record['input_size']
    encoded = network.encode(moving_pictures(7, width, height))
    changed = given._replace(**{field: getattr(other, field)})
    before, after = (network.fuse(encoded, ROWS, labels) for labels in (given, changed))
    assert np.abs(before - after).max() > 1e-2


@pytest.mark.parametrize(
    'changes',
    [semantic_motion(3), {'neck': None, 'frame_head': None}, {'test_cfg': {'flip_test': True}}],
    ids=['second system without labels', 'single frames', 'mirrored view'],
)
def test_another_model_is_refused(tmp_path, changes):
    other = window_model(SKELETON, **changes)
    with pytest.raises(InputError, match=r'not an STDPose of three frames with labels'):
        export_stdpose(other, tmp_path, 'nothing')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('name', [FRAMES_FILE, WINDOWS_FILE])
def test_a_file_without_a_description_is_refused(tmp_path, model, name):
    export_stdpose(model, tmp_path, 'nothing')
    network = onnx.load(tmp_path / name)
    del network.metadata_props[:]
    onnx.save(network, tmp_path / name)
    with pytest.raises(InputError, match=f'{name} does not describe its joints'):
        OnnxWindowBackend.from_stdpose(tmp_path)


def test_files_of_two_networks_are_refused(tmp_path, model):
    for folder, trained_on in (('one', 'these clips'), ('other', 'those clips')):
        export_stdpose(model, tmp_path / folder, trained_on)
    (tmp_path / 'other' / FRAMES_FILE).replace(tmp_path / 'one' / FRAMES_FILE)
    with pytest.raises(InputError, match='belong to different networks'):
        OnnxWindowBackend.from_stdpose(tmp_path / 'one')


def test_the_tool_writes_the_files_of_a_config(run_main, tmp_path):
    config = ROOT / 'research/configs/stdpose_tiny_propagation_synthetic_appearance_wide.py'
    init_default_scope('mmpose')
    model = MODELS.build(Config.fromfile(config).model)
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'fresh.pth')
    folder, tool = tmp_path / 'files', import_module('research.tools.export_stdpose')
    code, printed, errors = run_main(
        tool.main, config, tmp_path / 'fresh.pth', folder, '--trained-on', 'nothing'
    )
    assert (code, errors) == (0, [])
    assert f'are in {folder}' in printed
    assert sorted(path.name for path in folder.iterdir()) == [FRAMES_FILE, WINDOWS_FILE]
    written, shipped = OnnxWindowBackend.from_stdpose(folder).record, shipped_stdposes()[0].record
    assert written == {**shipped, 'trained_on': 'nothing'}
