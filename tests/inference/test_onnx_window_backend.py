from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
from mmengine.config import Config

from stdpose_mm.errors import InputError
from stdpose_mm.export.onnx_export import export_onnx
from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend, load_backend
from stdpose_mm.inference.window_backend import WindowLabels
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.onnx_session import is_openvino_bfloat16_faster
from stdpose_mm.structures import Skeleton
from support.tiny_models import (
    PIPELINE,
    light,
    metainfo_of,
    model_cfg,
    moving_pictures,
    pruned,
    semantic_motion,
    semantic_motion_appearance,
    window_model,
    window_systems,
)

pytestmark = pytest.mark.slow

needs_bfloat16 = pytest.mark.skipif(
    find_spec('openvino') is None or not is_openvino_bfloat16_faster(),
    reason='this processor is slower in bfloat16',
)
SKELETON = Skeleton(('head', 'left_hand', 'right_hand'), limbs=((0, 1), (0, 2)))
FLIPPED = {'flip_test': True, 'flip_mode': 'heatmap', 'shift_heatmap': True}
TOLERANCE = 1e-5
"""Of heatmaps with values up to 1, else of the largest value."""


def head(source, **changes):
    """A head on one part of the representation alone."""
    settings = {'in_channels': 32, 'out_channels': 3, 'deconv_out_channels': (16, 16, 16)}
    decoder = PIPELINE[3]['encoder']
    return {'type': 'SingleSourceHead', 'source': source, 'decoder': decoder, **settings, **changes}


VARIANTS = {
    'five frames, mirrored': {**window_systems(3, 5)['stdpose'], 'test_cfg': FLIPPED},
    'pruned, five frames, mirrored': {
        **light(3, 5),
        'backbone': pruned(3)['backbone'],
        'test_cfg': FLIPPED,
    },
    'frame head': {'test_cfg': {'use_frame_head': True}},
    'backbone': {'neck': None, 'frame_head': None, 'head': head('frame_feature')},
    'heatmaps alone': {
        'neck': {'type': 'STRE', 'tks': model_cfg(3)['neck']['tks']},
        'head': head('merged_heatmaps', in_channels=3, deconv_out_channels=None),
    },
    'no frame head': {
        'frame_head': None,
        'neck': {'type': 'STRE', 'tff': model_cfg(3)['neck']['tff']},
        'head': head('fused_feature'),
    },
    'second system, five frames, mirrored': {
        **semantic_motion(3, labels=True, num_frames=5),
        'test_cfg': FLIPPED,
    },
    'second system, appearance': semantic_motion_appearance(3),
}
"""Models, no two of the same layers."""
LOW_PRECISION = [name for name in VARIANTS if 'mirrored' in name or 'appearance' in name]
"""Models that have all layers between them."""


@pytest.fixture(scope='module', params=VARIANTS)
def exported(request, tmp_path_factory):
    """A model and the folder with its graphs."""
    name = request.param
    model = window_model(SKELETON, **VARIANTS[name])
    folder = tmp_path_factory.mktemp('onnx')
    export_onnx(model, folder, int8=name in LOW_PRECISION)
    return model, folder


@pytest.fixture(scope='module')
def plain(tmp_path_factory):
    model = window_model(SKELETON)
    folder = tmp_path_factory.mktemp('onnx')
    export_onnx(model, folder)
    return model, folder


def rows_of(model, *rows):
    """Rows [N, T] of windows: the crops of three frames, and of further ones where the model has.

    The further ones of a window are the first crop and the last one.
    """
    further = [[0] * (model.num_frames // 2 - 1), [2] * (model.num_frames // 2 - 1)]
    return np.array([[left, *further[0], key, *further[1], right] for left, key, right in rows])


def allowed(expected):
    return TOLERANCE * max(1, np.abs(expected).max())


def crops_of(number):
    return moving_pictures(number, width=48, height=64)


@pytest.mark.parametrize(
    ('runtime', 'batch_size'), [('onnxruntime', 1), ('onnxruntime', 3), ('openvino', 3)]
)
def test_both_halves_give_what_pytorch_gives(exported, runtime, batch_size):
    model, folder = exported
    crops = crops_of(5)
    rows = rows_of(model, [0, 0, 1], [0, 1, 2], [3, 4, 4], [1, 2, 3])
    reference = TorchWindowBackend(model)
    backend = OnnxWindowBackend.from_export(folder, model, batch_size=batch_size, runtime=runtime)
    expected = reference.fuse(reference.encode(crops), rows)
    found = backend.fuse(backend.encode(crops), rows)
    assert backend.sees_windows == reference.sees_windows
    assert found.dtype == np.float32
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(found, expected, atol=allowed(expected))


def heatmaps_at(precision, runtime, exported):
    """Heatmaps of a window in PyTorch, and in the graphs at a precision."""
    model, folder = exported
    crops, rows = crops_of(3), rows_of(model, [0, 1, 2])
    backends = (
        TorchWindowBackend(model),
        OnnxWindowBackend.from_export(folder, model, precision, runtime=runtime),
    )
    return [backend.fuse(backend.encode(crops), rows) for backend in backends]


@pytest.mark.parametrize('exported', LOW_PRECISION, indirect=True)
def test_eight_bits_are_near(exported):
    expected, found = heatmaps_at('int8', 'onnxruntime', exported)
    assert 0 < np.abs(found - expected).max() < 0.2 * np.abs(expected).max()


@needs_bfloat16
@pytest.mark.parametrize('exported', LOW_PRECISION, indirect=True)
def test_bfloat16_is_near(exported):
    expected, found = heatmaps_at('bfloat16', 'openvino', exported)
    difference = np.abs(found - expected).max() / np.abs(expected).max()
    # bfloat16 keeps 8 bits of a number: a relative error of up to 1 / 256 at every layer. Of two
    # tokens with almost the same score it may keep the other one, which random weights show most.
    prunes = exported[0].model.backbone.pruning is not None
    assert 1e-4 < difference < (0.25 if prunes else 0.05)


ROW = np.zeros((1, 3), int)


def config_of(pipeline=PIPELINE, **changes):
    cfg = {**model_cfg(3), **changes}
    return Config({'model': cfg, 'test_dataloader': {'dataset': {'pipeline': pipeline}}})


def test_the_folder_and_the_config_suffice(plain):
    model, folder = plain
    config = Config({'model': model_cfg(5), 'test_dataloader': {'dataset': {'pipeline': PIPELINE}}})
    found = load_backend(config, folder).codec
    assert isinstance(found, WindowModel)
    assert found.skeleton == SKELETON
    assert found.flip_indices == model.flip_indices
    crop = model.crop_at(np.array([10.0, 20, 30, 40]))
    maps = TorchWindowBackend(model).fuse(TorchWindowBackend(model).encode(crops_of(1)), ROW)
    for own, expected in zip(found.decode(maps, [crop]), model.decode(maps, [crop]), strict=True):
        np.testing.assert_array_equal(own, expected)
    np.testing.assert_array_equal(found.metainfo['sigmas'], metainfo_of(SKELETON)['sigmas'])


LARGE = {**PIPELINE[3]['encoder'], 'input_size': (96, 128), 'heatmap_size': (24, 32)}
BLURRED = {**model_cfg(3)['head']['decoder'], 'blur_kernel_size': 5}
OTHER_CONFIGS = {
    'input_size [48, 64]': {
        'pipeline': [*PIPELINE[:3], {**PIPELINE[3], 'encoder': LARGE}, PIPELINE[4]]
    },
    'crop_padding 1.25': {
        'pipeline': [PIPELINE[0], {**PIPELINE[1], 'padding': 2.0}, *PIPELINE[2:]]
    },
    "'blur_kernel_size': 11": {'head': {**model_cfg(3)['head'], 'decoder': BLURRED}},
    'num_frames 3': window_systems(3, 5)['stdpose'],
}


@pytest.mark.parametrize('what', OTHER_CONFIGS)
def test_a_config_of_another_network_is_refused(plain, what):
    with pytest.raises(InputError, match='give the config it was exported with') as caught:
        load_backend(config_of(**OTHER_CONFIGS[what]), plain[1])
    assert what in str(caught.value)


def test_an_export_that_says_nothing_of_padding_and_codec_is_read(plain, tmp_path):
    _, folder = plain
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    description = json.loads((tmp_path / 'network.json').read_text())
    del description['crop_padding'], description['codec'], description['num_frames']
    (tmp_path / 'network.json').write_text(json.dumps(description))
    assert load_backend(config_of(), tmp_path).codec.crop_padding == 1.25


def test_labels_are_refused(plain):
    model, folder = plain
    backend = OnnxWindowBackend.from_export(folder, model)
    given = WindowLabels(*(np.zeros(1),) * 4)
    with pytest.raises(InputError, match='takes no labels, give the checkpoint'):
        backend.fuse(backend.encode(crops_of(1)), ROW, given)


def test_mistakes_with_the_folder_are_one_sentence(plain, tmp_path):
    _, folder = plain

    def copy(name):
        target = tmp_path / name
        target.mkdir()
        for path in folder.iterdir():
            (target / path.name).write_bytes(path.read_bytes())
        return target

    missing, changed, other, damaged = map(copy, ('missing', 'changed', 'other', 'damaged'))
    (missing / 'fusion.onnx').unlink()
    (changed / 'fusion.onnx').write_bytes((folder / 'encoder.onnx').read_bytes())
    (other / 'network.json').write_text('{"format": "something else"}')
    (damaged / 'network.json').write_text('{')
    for path, options, words in (
        (tmp_path, {}, r'holds no network\.json, give a folder written'),
        (missing, {}, r'holds no fusion\.onnx, export the network again'),
        (changed, {}, r'fusion\.onnx does not belong to the network\.json beside it'),
        (other, {}, r'network\.json does not describe a stdpose_mm ONNX network'),
        (damaged, {}, r'network\.json is not JSON'),
        (folder, {'precision': 'int8'}, r'holds no encoder_int8\.onnx, .*with --int8 for int8'),
        (folder, {'precision': 'int4'}, "precision of onnxruntime must .* int8, got 'int4'"),
        (folder, {'precision': 'bfloat16'}, 'precision of onnxruntime must be'),
        (folder, {'precision': 'int8', 'runtime': 'openvino'}, 'precision of openvino must be'),
        (folder, {'runtime': 'tensorrt'}, "runtime must be one of .*, got 'tensorrt'"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            load_backend(config_of(), path, **options)
        assert '\n' not in str(caught.value)


def test_the_description_holds_no_paths(plain):
    _, folder = plain
    assert str(folder) not in (folder / 'network.json').read_text()
