from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.export.fuser_export import export_fuser
from stdpose_mm.propagation.auto.fusion_features import (
    MAP_SIDE,
    MAP_STEPS,
    MAPS,
    SCALARS,
    VECTORS,
    FusionFeatures,
)
from stdpose_mm.propagation.auto.trained_fuser import SHIPPED_WEIGHTS, TrainedFuser, build_fuser


@pytest.fixture(scope='module')
def fuser() -> TrainedFuser:
    """A fuser with an opinion: its output layer is not zero."""
    torch.manual_seed(0)
    network = build_fuser().eval()
    torch.nn.init.normal_(network.output.weight, std=0.3)
    return TrainedFuser(network, ScoreCalibrator(0.7, -0.2), 'nothing', shrinkage=0.03)


@pytest.fixture(scope='module')
def exported(fuser, tmp_path_factory) -> TrainedFuser:
    path = tmp_path_factory.mktemp('fuser') / 'fuser.onnx'
    export_fuser(fuser, path)
    return TrainedFuser.load(path)


def evidence_of(num_frames: int, known: list[bool]) -> FusionFeatures:
    """Random evidence for a pose of 300 pixels."""
    rng = np.random.default_rng(num_frames)
    shape = num_frames, len(known)

    def random(*size: int) -> np.ndarray:
        return rng.normal(0, 0.1, (*shape, *size)).astype(np.float32)

    scalars = random(len(SCALARS))
    scalars[..., [SCALARS.index('has_left'), SCALARS.index('has_right')]] = 1
    return FusionFeatures(
        centre=rng.uniform(0, 300, (*shape, 2)),
        size=300.0,
        vectors=random(len(VECTORS), 2),
        scalars=scalars,
        maps=random(len(MAP_STEPS), len(MAPS), MAP_SIDE, MAP_SIDE),
        base_weights=rng.dirichlet(np.ones(3), shape).astype(np.float32),
        known=np.array(known),
        interior=np.ones(num_frames, dtype=bool),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ('num_frames', 'known'),
    [(2, [True]), (3, [True, False, True]), (9, [True] * 17), (66, [True, True, False, True] * 4)],
    ids=['one joint', 'an unknown joint', 'a body', 'a long gap'],
)
def test_onnxruntime_gives_the_poses_and_scores_of_pytorch(fuser, exported, num_frames, known):
    evidence = evidence_of(num_frames, known)
    positions, scores = fuser(evidence)
    found_positions, found_scores = exported(evidence)
    known = evidence.known
    assert np.abs(positions - evidence.centre)[:, known].max() > 1
    np.testing.assert_allclose(found_positions[:, known], positions[:, known], atol=5e-4, rtol=0)
    np.testing.assert_allclose(found_scores[:, known], scores[:, known], atol=1e-5, rtol=0)


def weights_of(path) -> dict[str, torch.Tensor]:
    """The weights of an exported fuser by their names in PyTorch.

    The exporter keeps names, but for the weights of linear layers: it transposes them, and lists
    them as they are used.
    """
    model = onnx.load(path)
    arrays = {entry.name: onnx.numpy_helper.to_array(entry) for entry in model.graph.initializer}
    used = [name for node in model.graph.node for name in node.input if name in arrays]
    transposed = [arrays[name].T for name in dict.fromkeys(used) if '::MatMul' in name]
    layers = [f'layers.{number}' for number in range(3)]
    names = [
        *('token_embed.0.weight', 'token_embed.2.weight'),
        *('map_readers.0.embed.weight', 'map_readers.1.embed.weight'),
        *(
            f'{layer}.{part}'
            for layer in layers
            for part in (
                *('over_time.in_proj_weight', 'over_time.out_proj.weight'),
                *('over_joints.in_proj_weight', 'over_joints.out_proj.weight'),
                *('mlp.0.weight', 'mlp.2.weight'),
            )
        ),
        'output.weight',
    ]
    named = {name: array for name, array in arrays.items() if '::' not in name}
    named.update(zip(names, transposed, strict=True))
    return {name: torch.from_numpy(array.copy()) for name, array in named.items()}


@pytest.mark.slow
def test_the_fuser_of_the_package_is_the_network_of_the_code():
    """What it was trained as: a change of the code would need another file."""
    shipped = TrainedFuser.load(SHIPPED_WEIGHTS)
    network = build_fuser().eval()
    network.load_state_dict(weights_of(SHIPPED_WEIGHTS))
    in_code = replace(shipped, network=network)
    evidence = evidence_of(9, [True] * 17)
    positions, scores = in_code(evidence)
    found_positions, found_scores = shipped(evidence)
    assert np.abs(positions - evidence.centre).max() > 1
    np.testing.assert_allclose(found_positions, positions, atol=5e-4, rtol=0)
    np.testing.assert_allclose(found_scores, scores, atol=1e-5, rtol=0)


def test_one_file_holds_all_that_belongs_to_a_fuser(fuser, exported):
    assert exported.record() == fuser.record()
    assert exported.shrinkage == 0.03


def test_the_fuser_of_the_package_was_trained_on_generated_clips_alone():
    assert TrainedFuser.load(SHIPPED_WEIGHTS).trained_on == 'generated clips'


def test_a_network_for_other_inputs_is_refused(tmp_path):
    path = tmp_path / 'fuser.onnx'
    node = onnx.helper.make_node('Identity', ['crops'], ['maps'])
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3])
        for name in ('crops', 'maps')
    ]
    graph = onnx.helper.make_graph([node], 'other', ends[:1], ends[1:])
    opsets = [onnx.helper.make_opsetid('', 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    with pytest.raises(InputError, match=r'cannot be used \(it does not take 13 vectors\)'):
        TrainedFuser.load(path)
