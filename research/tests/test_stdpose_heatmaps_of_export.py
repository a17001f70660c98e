"""An exported STDPose gives the maps that the model gives in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from research.export.stdpose_export import export_stdpose
from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.propagation import find_gaps
from stdpose_mm.propagation.auto.network_heatmaps import WindowHeatmapEstimator
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, Skeleton
from support.drifting_person import NAMES, NUM_FRAMES, box_at, pose_at
from support.tiny_models import moving_pictures, window_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def model():
    return window_model(Skeleton(NAMES))


@pytest.fixture(scope='module')
def estimator(model, tmp_path_factory) -> WindowHeatmapEstimator:
    folder = tmp_path_factory.mktemp('stdpose')
    export_stdpose(model, folder, 'nothing')
    return WindowHeatmapEstimator(OnnxWindowBackend.from_stdpose(folder), is_of_people=True)


@pytest.mark.parametrize('given', [(0, 11), (2, 9), (5,)], ids=['two ends', 'three gaps', 'one'])
def test_it_gives_the_maps_that_the_model_gives_in_pytorch(label, model, estimator, given):
    unseen = np.where(np.arange(len(NAMES)) % 5 == 2, NOT_LABELLED, VISIBLE)
    labels = {
        frame: label(frame, pose_at(frame), unseen if frame == 9 else None, bbox=box_at(frame))
        for frame in given
    }
    boxes = {frame: box_at(frame) for frame in range(NUM_FRAMES) if frame not in labels}
    gaps = find_gaps(0, labels, boxes, range(NUM_FRAMES))
    frames = ArrayFrames(moving_pictures(NUM_FRAMES))
    mapping = estimator.shared_joints(Skeleton(NAMES))
    assert mapping is not None
    chunks = [(gap, gap.frames) for gap in gaps]
    of_pytorch = WindowHeatmapEstimator(TorchWindowBackend(model))
    by_pytorch = dict(of_pytorch.estimator.heatmaps(frames, chunks, mapping))
    assert len(by_pytorch) == len(gaps) > 0
    by_onnx = dict(estimator.estimator.heatmaps(frames, chunks, mapping))
    assert len(by_onnx) == len(gaps)
    for number in range(len(gaps)):
        found, expected = by_onnx[number], by_pytorch[number]
        assert list(found.frames) == list(expected.frames)
        np.testing.assert_array_equal(found.shown, expected.shown)
        np.testing.assert_allclose(found.to_heatmap, expected.to_heatmap, atol=1e-3)
        for name in ('frame_heatmaps', 'final_heatmaps'):
            maps, wanted = getattr(found, name), getattr(expected, name)
            largest = np.abs(wanted).max()
            assert largest > 0
            np.testing.assert_allclose(maps, wanted, atol=1e-2 * largest, err_msg=name)
