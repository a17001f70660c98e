"""Person detection in single pictures with MMDetection or a network in an ONNX file."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np

from stdpose_mm.checkpoint_files import require_checkpoint_file, safe_mmengine_reader
from stdpose_mm.errors import InputError, one_line, require_packages
from stdpose_mm.io.disk.file_names import find_installed_config
from stdpose_mm.onnx_session import start_session
from stdpose_mm.structures import FrameBoxes, box_iou

from .detector_files import PUBLISHED_DETECTORS, DetectorFile

SCORE_THRESHOLD = 0.2
"""Minimum score of detections, a usual value in the literature on PoseTrack."""

NMS_IOU = 0.65
"""Intersection over union above which the box with the lower score is dropped."""

PADDING = 114
"""Grey value beyond the picture, with which RTMDet and YOLOX are trained."""

_RTMDET_MEAN = np.array([123.675, 116.28, 103.53], np.float32)
_RTMDET_STD = np.array([58.395, 57.12, 57.375], np.float32)
_FREE_SIDE = 416
"""Input side in pixels for networks of free size, between RTMDet's training sizes 320 and 640."""

_YOLOX_STRIDES = (8, 16, 32)
_LEAST_COLUMNS = 6
"""Columns of YOLOX's output for one class: box, objectness, class."""

_EXPECTED = 'RTMDet or YOLOX'


class PersonDetector(ABC):
    """Detector of the people in a picture.

    Attributes:
        score_threshold: Boxes that score less are left out; in 0..1.
        nms_iou: See ``NMS_IOU``; in 0..1.
    """

    score_threshold: float = SCORE_THRESHOLD
    nms_iou: float = NMS_IOU

    def __call__(self, picture: np.ndarray) -> FrameBoxes:
        """Detect the people in a picture, highest scores first.

        Args:
            picture: BGR uint8 [H, W, 3].
        """
        corners, scores = self._detect(picture)
        boxes, selection = self._select(corners, scores, self.nms_iou)
        return FrameBoxes(boxes[selection], scores[selection])

    def _select(
        self, corners: np.ndarray, scores: np.ndarray, nms_iou: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Select detections that score enough and overlap with no better one too much.

        Returns:
            All boxes [M, 4] x, y, width, height, and the positions of those selected, highest
            scores first.
        """
        boxes = corners.astype(np.float64)
        boxes[:, 2:] -= boxes[:, :2]
        high = np.flatnonzero(scores >= self.score_threshold)
        return boxes, high[suppress_overlaps(boxes[high], scores[high], nms_iou)]

    @abstractmethod
    def _detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return boxes [M, 4] x1, y1, x2, y2 in pixels of the picture, and scores [M]."""


def build_person_detector(
    config_or_onnx: str | os.PathLike[str],
    checkpoint: str | os.PathLike[str] | None = None,
    device: str = 'cpu',
) -> PersonDetector:
    """Build a detector from its files.

    Args:
        config_or_onnx: Name of a published detector, such as ``person`` or ``person-t``, which is
            fetched once; an ONNX file: RTMDet as MMDeploy exports it (outputs ``dets`` and
            ``labels``) or YOLOX (one raw output; with ``=yolox`` after the name also as MMDeploy
            exports it); or an MMDetection config (a file, or the name of one that comes with
            MMDetection or MMPose, such as ``rtmdet_tiny_8xb32-300e_coco``).
        checkpoint: Weights for the config; an ONNX file contains its weights.
        device: Device for MMDetection; ONNX files run on the CPU.

    Raises:
        InputError: If a file is missing, cannot be fetched or cannot be used, or a package is not
            installed.
    """
    detector = DetectorFile.parse(config_or_onnx)
    if detector.is_onnx and checkpoint is not None:
        raise InputError(
            f'detector {detector.name} is an ONNX file, which holds its weights, leave out the '
            f'checkpoint {checkpoint} or give the MMDetection config that it was trained with'
        )
    path = detector.fetch()
    if not path.is_file():
        places = (('mmdet', 'configs'), ('mmpose', 'demo'))
        installed = find_installed_config(detector.name, places)
        if installed is None:
            raise InputError(
                f'detector {path} does not exist, give a published one '
                f'({", ".join(PUBLISHED_DETECTORS)}), an ONNX file, or an MMDetection config with '
                'a checkpoint'
            )
        path = installed
    if detector.is_onnx:
        kind = 'yolox' if detector.is_published else detector.kind
        return OnnxPersonDetector(path, kind)
    if checkpoint is None:
        raise InputError(
            f'detector config {path.name} needs a checkpoint: give the .pth file of its weights, '
            "or an ONNX file in place of the config, or the people's boxes"
        )
    return MMDetPersonDetector(path, Path(checkpoint), device)


class MMDetPersonDetector(PersonDetector):
    """MMDetection model with a class ``person``.

    Args:
        config: Config file.
        checkpoint: File of the weights.
        device: Device to run on.
    """

    def __init__(self, config: Path, checkpoint: Path, device: str) -> None:
        require_packages(f'detector {config.name}', 'torch', 'mmdet')
        require_checkpoint_file(checkpoint)
        from mmdet.apis import init_detector

        try:
            with _mmdet_scope(), safe_mmengine_reader():
                # With a given palette, the data set of the config is not needed.
                self._model = init_detector(
                    str(config), str(checkpoint), palette='coco', device=device
                )
        except InputError:
            raise
        # A config is a Python program of the user: it may fail in any way.
        except Exception as error:
            raise InputError(
                f'detector {config} with {checkpoint} cannot be used ({one_line(error)}), give a '
                'config of MMDetection and the checkpoint of a run with it'
            ) from error
        classes = list(self._model.dataset_meta.get('classes', ()))
        if 'person' not in classes:
            raise InputError(
                f"detector {config} has no class 'person' (but {', '.join(classes[:5])}), give one "
                'that has'
            )
        self._person = classes.index('person')

    def _detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from mmdet.apis import inference_detector

        with _mmdet_scope():
            predicted = inference_detector(self._model, picture).pred_instances.cpu().numpy()
        people = predicted.labels == self._person
        return predicted.bboxes[people], predicted.scores[people]


def _mmdet_scope() -> AbstractContextManager[None]:
    """Make MMDetection look its classes up in its own registries, and restore MMPose's scope."""
    from mmengine.registry import DefaultScope

    return DefaultScope.overwrite_default_scope('mmdet')


class OnnxPersonDetector(PersonDetector):
    """RTMDet or YOLOX in an ONNX file, run by onnxruntime on the CPU.

    Args:
        path: The file.
        kind: One of ``DETECTOR_KINDS``; by default RTMDet if it has the outputs ``dets`` and
            ``labels``, else YOLOX.

    Raises:
        InputError: If the file cannot be run, or its inputs or outputs fit neither architecture;
            the shapes of the outputs are checked with the first picture.
    """

    def __init__(self, path: Path, kind: str | None = None) -> None:
        self._path = path
        self._session = start_session(path, _EXPECTED)
        inputs, outputs = self._session.inputs, self._session.outputs
        self._is_decoded = {'dets', 'labels'} <= set(outputs)
        self._is_rtmdet = self._is_decoded and kind != 'yolox'
        self._outputs = ['dets', 'labels'] if self._is_decoded else list(outputs)
        shape = inputs[0].shape if len(inputs) == 1 and inputs[0].dtype == 'float32' else ()
        if len(shape) != 4 or shape[0] not in (1, None) or shape[1] not in (3, None):
            taken = ' and '.join(f'{list(node.shape)} in {node.dtype}' for node in inputs)
            raise InputError(
                f'{path} takes {taken}, expected one picture [1, 3, H, W] in float32, export '
                f'{_EXPECTED} with this input'
            )
        if not self._is_decoded and (kind == 'rtmdet' or len(outputs) != 1):
            raise InputError(
                f'{path} has the outputs {", ".join(outputs)}, expected dets and labels (RTMDet) '
                'or a single one (YOLOX)'
            )
        height, width = shape[2:]
        self._size = (height, width) if height and width else (_FREE_SIDE, _FREE_SIDE)
        self._grid, self._stride = _yolox_grid(*self._size)

    def _detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        padded, scale, _ = letterbox(picture, *self._size)
        if self._is_rtmdet:
            padded = (padded[..., ::-1] - _RTMDET_MEAN) / _RTMDET_STD
        if self._is_decoded:
            dets, labels = self._run(padded)
            people = dets[0][labels[0] == 0]
            corners, scores = people[:, :4], people[:, 4]
        else:
            (raw,) = self._run(padded)
            centre = (raw[0, :, :2] + self._grid) * self._stride
            half = np.exp(raw[0, :, 2:4]) * self._stride / 2
            corners = np.concatenate([centre - half, centre + half], axis=1)
            scores = raw[0, :, 4] * raw[0, :, 5]
        return np.clip(corners / scale, 0, np.tile(picture.shape[1::-1], 2)), scores

    def _run(self, picture: np.ndarray) -> list[np.ndarray]:
        """Compute the outputs for a picture [H, W, 3] of the input size.

        Raises:
            InputError: If it fails, or the shapes of the outputs do not fit the architecture.
        """
        batch = np.ascontiguousarray(picture.transpose(2, 0, 1)[None].astype(np.float32))
        inputs = {self._session.inputs[0].name: batch}
        outputs = self._session.run(self._outputs, inputs)
        first, last = outputs[0].shape, outputs[-1].shape
        rows = len(self._grid)
        if self._is_decoded:
            fits = len(first) == 3 and first[::2] == (1, 5) and last == first[:2]
        else:
            fits = len(first) == 3 and first[:2] == (1, rows) and first[2] >= _LEAST_COLUMNS
        if not fits:
            shapes = ' and '.join(str(list(values.shape)) for values in outputs)
            raise InputError(
                f"{self._path} gives outputs of shape {shapes}, expected RTMDet's dets "
                f"[1, boxes, 5] and labels [1, boxes] or YOLOX's raw output [1, {rows}, "
                f'5 + classes] for {self._size[1]}x{self._size[0]} pixels, export one of these'
            )
        return outputs


def suppress_overlaps(boxes: np.ndarray, scores: np.ndarray, max_iou: float) -> np.ndarray:
    """Select boxes by greedy non-maximum suppression.

    Args:
        boxes: [N, 4] x, y, width, height.
        scores: [N].
        max_iou: A box whose IoU with a selected box of a higher score is above this is left out.

    Returns:
        Positions of the selected boxes, highest scores first.
    """
    selection = []
    rest = np.argsort(-scores, kind='stable')
    while len(rest):
        best, rest = rest[0], rest[1:]
        selection.append(best)
        rest = rest[box_iou(boxes[best], boxes[rest]) <= max_iou]
    return np.array(selection, np.int64)


def letterbox(
    picture: np.ndarray, height: int, width: int, is_centred: bool = False
) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Scale a picture into the top-left corner, or the centre, of a grey one.

    Returns:
        The result [height, width, 3]; the scale; and x, y of the scaled picture's first pixel.
    """
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = (
        min(width, max(1, round(picture.shape[1] * scale))),
        min(height, max(1, round(picture.shape[0] * scale))),
    )
    padded = np.full((height, width, 3), PADDING, np.uint8)
    # Of an odd number of rows or columns, the smaller half lies before the picture.
    x, y = ((width - size[0]) // 2, (height - size[1]) // 2) if is_centred else (0, 0)
    padded[y : y + size[1], x : x + size[0]] = cv2.resize(picture, size)
    return padded, scale, (x, y)


def _yolox_grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell [N, 2] (x, y) and the stride [N, 1] of every row of YOLOX's output."""
    cells, strides = [], []
    for stride in _YOLOX_STRIDES:
        y, x = np.mgrid[: height // stride, : width // stride]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((x.size, 1), stride))
    return np.concatenate(cells), np.concatenate(strides)
