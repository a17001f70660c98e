from __future__ import annotations

import numpy as np
import pytest
import torch

from research.export.fuser_export import export_fuser, import_fuser
from research.training.gap_fuser import build_fuser
from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.labelling.propagation.auto.fusion_features import (
    MAP_SIDE,
    MAP_STEPS,
    MAPS,
    SCALARS,
    VECTORS,
    FusionFeatures,
)
from stdpose_mm.labelling.propagation.auto.trained_fuser import (
    PEOPLE_FUSER,
    SHIPPED_FUSER,
    TrainedFuser,
)


@pytest.fixture(scope='module')
def fuser() -> TrainedFuser:
    """A fuser with an opinion, as if trained: its output layer is not zero, nor is any bias."""
    torch.manual_seed(0)
    network = build_fuser().eval()
    torch.nn.init.normal_(network.output.weight, std=0.3)
    with torch.no_grad():
        for value in network.parameters():
            value += 1e-3 * torch.randn_like(value)
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


@pytest.mark.slow
def test_a_fuser_comes_back_from_its_file_as_it_was(fuser, tmp_path):
    path = tmp_path / 'fuser.onnx'
    export_fuser(fuser, path)
    back = import_fuser(path)
    assert back.record() == fuser.record()
    weights, expected = back.network.state_dict(), fuser.network.state_dict()
    assert list(weights) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(weights[name], value, rtol=0, atol=0)


fusers = pytest.mark.parametrize('path', [SHIPPED_FUSER, PEOPLE_FUSER], ids=['any', 'people'])


@fusers
def test_the_fusers_of_the_package_are_the_network_of_the_code(path):
    """What they were trained as: a change of the code would need another file."""
    shipped, in_code = TrainedFuser.load(path), import_fuser(path)
    evidence = evidence_of(9, [True] * 17)
    positions, scores = in_code(evidence)
    found_positions, found_scores = shipped(evidence)
    assert np.abs(positions - evidence.centre).max() > 1
    np.testing.assert_allclose(found_positions, positions, atol=5e-4, rtol=0)
    np.testing.assert_allclose(found_scores, scores, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ('path', 'others'),
    [(SHIPPED_FUSER, []), (PEOPLE_FUSER, ['97 labelled videos'])],
    ids=['any', 'people'],
)
def test_the_fusers_of_the_package_were_trained_on_the_videos_of_the_model_card(path, others):
    trainings = TrainedFuser.load(path).trained_on.split(', then ')
    assert [training for training in trainings if 'generated clips' not in training] == others
