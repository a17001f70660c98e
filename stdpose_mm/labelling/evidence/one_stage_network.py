"""Networks in ONNX files that find people and their joints in one pass over a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from weakref import finalize

import cv2
import numpy as np
from scipy.special import expit

from stdpose_mm.detection import PersonDetector
from stdpose_mm.detection.person_detector import NMS_IOU, letterbox
from stdpose_mm.errors import InputError, note
from stdpose_mm.onnx_session import OnnxSession
from stdpose_mm.structures import NOT_LABELLED, VISIBLE

from .described_network import OnnxPoseNetwork
from .estimated_poses import EstimatedPerson, choose_person, draw_poses
from .network_description import ONE_STAGE, NetworkDescription, read_metadata
from .pose_network import PersonFrames, PoseHeatmaps

_YOLO_NMS_IOU = 0.7
"""As in Ultralytics' predictor, where it is for each class alone."""

_CLASS_OFFSET = 1e5
"""Pixels by which boxes of different classes are moved apart, so that they do not overlap."""

_UNCERTAINTY_WEIGHT = 0.2
"""Exponent of a pose's mean variance in RF-DETR's score of a person."""

_MOST_PEOPLE = 300
"""Number of people in a picture, as Ultralytics limits it."""


class _Detections(NamedTuple):
    """Detections of a network, in pixels of its input.

    Attributes:
        corners: [M, 4] x1, y1, x2, y2.
        scores: [M].
        joints: [M, K, 2].
        joint_scores: [M, K].
        max_iou: Overlap above which the box with the lower score is dropped; 1 if the network did.
        classes: [M] class of each; one class is not suppressed by another.
        deviations: [M, K] standard deviations of the joints in pixels of the picture; None if
            unknown.
    """

    corners: np.ndarray
    scores: np.ndarray
    joints: np.ndarray
    joint_scores: np.ndarray
    max_iou: float
    classes: np.ndarray | float = 0.0
    deviations: np.ndarray | None = None


class OneStageNetwork(OnnxPoseNetwork, PersonDetector):
    """Network that finds people and their joints, run by onnxruntime on the CPU.

    It looks at each picture once, whatever the number of people. It is a person detector, too.

    Args:
        path: The file.
        description: Its joints and form; its ``output`` is one of ``ONE_STAGE``.
        session: The file, if it is loaded already.

    Raises:
        InputError: See :class:`OnnxPoseNetwork`.
    """

    question = 'are its joints and its form right?'

    def __init__(
        self, path: Path, description: NetworkDescription, session: OnnxSession | None = None
    ) -> None:
        super().__init__(path, description, session)
        metadata, joints = self._session.metadata, self.skeleton.num_keypoints
        in_file, self._columns = read_metadata(path, metadata, 'kpt_shape', (joints, None))
        if in_file != joints:
            raise InputError(
                f'{path} finds {in_file} joints but its description names {joints}, name all'
            )
        # A network for pictures of any size is shown no more padding than its stride needs.
        is_free = None in self._session.inputs[0].shape[1:]
        self._stride = read_metadata(path, metadata, 'stride', None) if is_free else None
        self._seen = _SeenPeople()
        if licence := metadata.get('license'):
            note(f'{self.name} is under {licence}, as its file says')

    def people(self, picture: np.ndarray) -> list[EstimatedPerson]:
        """Find the people in a picture BGR uint8 [H, W, 3], highest scores first.

        The poses have the frame index 0; ``extra`` holds the score of the box.

        Raises:
            InputError: If the network cannot be run, or its outputs do not fit its form.
        """
        people = self._seen.people.get(id(picture))
        if people is None:
            people = self._find_people(picture)
            self._seen.people[id(picture)] = people
            # While the picture exists, nothing else has its id.
            finalize(picture, self._seen.people.pop, id(picture), None)
        return people

    def view(self, picture: np.ndarray, box: np.ndarray) -> Any:
        """Find everybody in a picture, see :meth:`HeatmapSource.view`."""
        return self.people(picture)

    def estimate_frames(self, person: PersonFrames) -> PoseHeatmaps:
        """See :meth:`HeatmapSource.estimate_frames`."""
        return draw_poses(person.views, person.boxes, self.skeleton.num_keypoints)

    def estimate(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> PoseHeatmaps:
        """See :meth:`PoseNetwork.estimate`; nobody in a box has no heatmaps."""
        people = [self.people(picture) for picture in pictures]
        return draw_poses(people, boxes, self.skeleton.num_keypoints)

    def find(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose the person in the box of each picture, see :meth:`PoseNetwork.find`.

        Where nobody is, the joints are NaN and the scores 0.
        """
        shape = len(boxes), self.skeleton.num_keypoints
        joints, scores = np.full((*shape, 2), np.nan), np.zeros(shape)
        for row, (picture, box) in enumerate(zip(pictures, boxes, strict=True)):
            person = choose_person(self.people(picture), box)
            if person is not None and person.scores is not None:
                joints[row], scores[row] = person.keypoints, person.scores
        return joints, scores

    def _detect(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        people = self.people(picture)
        boxes = np.array([person.bbox for person in people]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        return boxes, np.array([person.extra['bbox_score'] for person in people])

    def _find_people(self, picture: np.ndarray) -> list[EstimatedPerson]:
        inputs, scale, offset = self._fit(picture)
        outputs = dict(zip(self._outputs, self._run(self._normalise(inputs[None])), strict=True))
        try:
            decode = {
                'yolo': self._decode_yolo,
                'rtmo': self._decode_rtmo,
                'rfdetr': self._decode_rfdetr,
            }[self.description.output]
            detections = decode(outputs, self.input_size / scale)
        except (LookupError, ValueError) as error:
            shapes = ', '.join(f'{name} {list(out.shape)}' for name, out in outputs.items())
            form, joints = self.description.output, self.skeleton.num_keypoints
            raise InputError(
                f'{self.name} gives {shapes}, expected outputs of {form} for {joints} joints, '
                f'describe it in the file {Path(self.name).with_suffix(".json")}'
            ) from error
        apart = np.reshape(detections.classes, (-1, 1)) * _CLASS_OFFSET
        moved = detections.corners + apart
        _, selection = self._select(moved, detections.scores, detections.max_iou)
        corners = (detections.corners - np.tile(offset, 2)) / np.tile(scale, 2)
        corners = np.clip(corners, 0, np.tile(picture.shape[1::-1], 2))
        deviations = detections.deviations
        people = []
        for row in selection[:_MOST_PEOPLE].tolist():
            low, high = corners[row, :2], corners[row, 2:]
            if not (low < high).all():
                continue
            points = (detections.joints[row] - offset) / scale
            is_placed = np.isfinite(points).all(axis=-1)
            people.append(
                EstimatedPerson(
                    frame_index=0,
                    keypoints=np.where(is_placed[:, None], points, 0),
                    visibility=np.where(is_placed, VISIBLE, NOT_LABELLED),
                    scores=np.nan_to_num(detections.joint_scores[row]).clip(0, 1),
                    bbox=np.concatenate([low, high - low]),
                    source='propagated',
                    extra={'bbox_score': float(detections.scores[row])},
                    deviations=None if deviations is None else deviations[row],
                )
            )
        return people

    def _fit(self, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        """Resize a picture to the network's input [H', W', 3].

        Returns:
            The input; its pixels per pixel of the picture, along x and y; and x, y of the picture's
            first pixel in it.
        """
        width, height = self.input_size
        size = np.array(picture.shape[1::-1])
        if self.description.output == 'rfdetr':
            # It was trained on pictures that are resized in floating point.
            resized = cv2.resize(picture.astype(np.float32), self.input_size)
            return resized, np.array(self.input_size) / size, (0, 0)
        if self._stride:
            least = np.round(size * min(width / size[0], height / size[1]))
            width, height = (least + (self.input_size - least) % self._stride).astype(int).tolist()
        is_yolo = self.description.output == 'yolo'
        resized, scale, offset = letterbox(picture, height, width, is_centred=is_yolo)
        if is_yolo:
            # Along each side, by whole pixels.
            return resized, np.maximum(np.round(size * scale), 1) / size, offset
        return resized, np.full(2, scale), offset

    def _decode_yolo(self, outputs: dict[str, np.ndarray], size: np.ndarray) -> _Detections:
        """Decode [1, boxes, 6 + D K] with, or [1, 4 + classes + D K, anchors] without NMS."""
        ((rows,),) = outputs.values()
        joints, columns = self.skeleton.num_keypoints, self._columns
        end = rows.shape[1] - 6
        if (end == columns * joints) if columns else end in (2 * joints, 3 * joints):
            max_iou = 1.0
            corners, scores, classes, values = np.split(rows, [4, 5, 6], axis=1)
        else:
            max_iou = _YOLO_NMS_IOU
            columns = columns or (3 if len(rows) > 4 + 3 * joints else 2)
            num_classes = len(rows) - 4 - columns * joints
            # Most anchors see nobody.
            by_class = rows[4 : 4 + num_classes]
            rows = rows[:, by_class.max(axis=0) >= self.score_threshold].T
            centres, sizes, by_class, values = np.split(rows, [2, 4, 4 + num_classes], axis=1)
            corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
            scores, classes = by_class.max(axis=1), by_class.argmax(axis=1)
        places = values.reshape(len(values), joints, values.shape[1] // joints)
        scores = scores.reshape(-1)
        joint_scores = places[..., 2] if places.shape[2] > 2 else np.tile(scores[:, None], joints)
        return _Detections(corners, scores, places[..., :2], joint_scores, max_iou, classes)

    def _decode_rtmo(self, outputs: dict[str, np.ndarray], size: np.ndarray) -> _Detections:
        """Decode boxes with scores [1, M, 5] and joints with scores [1, M, K, 3]."""
        (boxes,), (joints,) = outputs['dets'], outputs['keypoints']
        joints = joints.reshape(len(boxes), self.skeleton.num_keypoints, 3)
        return _Detections(boxes[:, :4], boxes[:, 4], joints[..., :2], joints[..., 2], NMS_IOU)

    def _decode_rfdetr(self, outputs: dict[str, np.ndarray], size: np.ndarray) -> _Detections:
        """Decode boxes [1, Q, 4], logits [1, Q, classes] and joints [1, Q, kinds K, 8].

        A query has joints for each kind of subject, which the first classes are. A joint has x, y,
        logits of its presence and visibility, and the Cholesky factor of its precision matrix.
        """
        (boxes,), (logits,), (joints,) = (outputs[name] for name in ('dets', 'labels', 'keypoints'))
        joints = joints.reshape(len(boxes), -1, self.skeleton.num_keypoints, joints.shape[-1])
        logits = logits[:, : joints.shape[1]]
        rows, classes = np.arange(len(boxes)), logits.argmax(axis=1)
        joints = joints[rows, classes].astype(np.float64)
        log_x, shear, log_y = np.moveaxis(joints[..., 4:7].clip(-40, 40), -1, 0)
        variance_y = np.exp(-2 * log_y)
        variance_x = np.exp(-2 * log_x) * (1 + shear**2 * variance_y)
        presence = expit(joints[..., 2])
        mean = np.average(variance_x + variance_y, axis=1, weights=presence.clip(1e-12))
        odds = expit(logits[rows, classes]) * mean**-_UNCERTAINTY_WEIGHT
        corners = np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2])
        # All are in shares of the picture.
        deviations = np.sqrt((variance_x * size[0] ** 2 + variance_y * size[1] ** 2) / 2)
        return _Detections(
            corners * np.tile(self.input_size, 2),
            odds / (1 + odds),
            joints[..., :2] * self.input_size,
            presence,
            1.0,
            classes,
            deviations,
        )


class _SeenPeople:
    """People in pictures that still exist, by their ids.

    It is not part of the fingerprint of :class:`OneStageNetwork`.
    """

    __slots__ = ('people',)

    def __init__(self) -> None:
        self.people: dict[int, list[EstimatedPerson]] = {}


def build_onnx_network(
    path: Path, description: NetworkDescription, session: OnnxSession | None = None
) -> OnnxPoseNetwork:
    """Build a described network, which may find people, too.

    Raises:
        InputError: If the file cannot be used.
    """
    kind = OneStageNetwork if description.output in ONE_STAGE else OnnxPoseNetwork
    return kind(path, description, session)
