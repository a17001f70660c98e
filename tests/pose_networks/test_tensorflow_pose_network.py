"""Pose networks in frozen TensorFlow graphs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from stdpose_mm.pose_networks import PoseNetworkFiles, load_pose_network
from stdpose_mm.pose_networks.network_description import NetworkDescription
from stdpose_mm.pose_networks.tensorflow_pose_network import TensorFlowPoseNetwork
from support.paths import SHARED_DATA
from support.pose_network_files import BOX

EFFICIENTPOSE = SHARED_DATA / 'weights/EfficientPoseRT.pb'


def test_a_graph_gives_each_thread_the_maps_of_its_own_picture(tmp_path, monkeypatch):
    class SlowNetwork:
        """Keeps its input between two calls, as OpenCV's does."""

        def empty(self) -> bool:
            return False

        def setInput(self, batch: np.ndarray) -> None:
            self.batch = batch
            time.sleep(0.01)

        def forward(self) -> np.ndarray:
            return np.broadcast_to(self.batch.mean(), (1, 3, 4, 4))

    monkeypatch.setattr(cv2.dnn, 'readNetFromTensorflow', lambda content: SlowNetwork())
    path = tmp_path / 'net.pb'
    path.write_bytes(b'a graph')
    description = NetworkDescription(
        ('a', 'b', 'c'), input_size=(8, 8), mean=(0, 0, 0), std=(255, 255, 255)
    )
    network = TensorFlowPoseNetwork(path, description)
    greys = np.arange(8) * 30

    def highest(grey: int) -> float:
        picture = np.full((20, 20, 3), grey, np.uint8)
        found = network.estimate([picture], np.array([[5.0, 5.0, 8.0, 8.0]]))
        return float(found.heatmaps.max())

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(highest, greys))
    np.testing.assert_allclose(found, greys / 255, rtol=1e-5)


@pytest.mark.skipif(not EFFICIENTPOSE.is_file(), reason='no shared/data beside the repository')
def test_efficientpose_runs_and_sees_nothing_in_an_empty_picture():
    network = load_pose_network(PoseNetworkFiles(str(EFFICIENTPOSE), preset='efficientpose-rt'))
    found = network.estimate([np.zeros((150, 200, 3), np.uint8)], BOX[None])
    assert found.heatmaps.shape == (1, 16, 112, 112)
    assert found.heatmaps.max() < 0.5
