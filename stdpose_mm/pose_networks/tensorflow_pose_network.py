"""Pose networks in frozen TensorFlow graphs."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io.fingerprint import fingerprint

from .described_network import DescribedNetwork
from .network_description import NetworkDescription


class TensorFlowPoseNetwork(DescribedNetwork):
    """Run a pose network in a frozen TensorFlow graph by OpenCV on the CPU.

    Args:
        path: The file (``.pb``); its last node gives heatmaps.
        description: Its inputs and outputs, with the input size.

    Raises:
        InputError: If the file cannot be read.
    """

    def __init__(self, path: Path, description: NetworkDescription) -> None:
        content = path.read_bytes()
        self.file_digest = fingerprint(content)
        super().__init__(path, description, None)
        self._lock = Lock()
        try:
            self._network = cv2.dnn.readNetFromTensorflow(np.frombuffer(content, np.uint8))
            empty = self._network.empty()
        except cv2.error as error:
            raise InputError(
                f'{path} is no TensorFlow graph that OpenCV can run ({one_line(error)}), give a '
                'frozen graph (.pb) or an ONNX file'
            ) from error
        if empty:
            raise InputError(f'{path} holds no layers, give a frozen graph (.pb) or an ONNX file')

    def _run(self, inputs: np.ndarray) -> list[np.ndarray]:
        # OpenCV plans its memory for one size of batch; single pictures are as fast.
        return [np.concatenate([self._run_one(picture) for picture in inputs])]

    def _run_one(self, picture: np.ndarray) -> np.ndarray:
        # The network stores its input and output: another thread would overwrite them.
        with self._lock:
            self._network.setInput(picture[None])
            try:
                return self._network.forward()
            except cv2.error as error:
                raise InputError(
                    f'{self.name} cannot be run ({one_line(error)}), give a frozen graph and a '
                    'description of the input that it was made for'
                ) from error
