"""Network that has learned from the labels of videos."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import ScoreCalibrator
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.video import FrameSource
from stdpose_mm.onnx_session import start_session
from stdpose_mm.structures import expand, pose_extent
from stdpose_mm.structures.boxes import POSE_MARGIN
from stdpose_mm.text import counted

from .described_network import OnnxPoseNetwork
from .network_description import NetworkDescription

ONNX_RECORD = 'stdpose_mm.learned'
"""Name of the entry of an ONNX file's metadata that holds :class:`LearningRecord` as JSON."""

MIN_FRAMES = 8
"""Smallest number of labelled frames, in all videos together, that a network is trained on."""

SIGMA = 1.5
"""Standard deviation in cells of the Gaussian around a label that is the training target."""

_REACH = 2
"""Cells on each side of a map's largest value that are averaged for the position."""

_BATCH_SIZE = 16


@dataclass(frozen=True)
class LearningRecord:
    """Record of what a network has learned from.

    The network has two members. Each was trained without some of the labels, so that its results
    there tell how accurate it is.

    Args:
        network: Its inputs and outputs.
        seen: For each member the labelled frames that it was trained on, by the fingerprint of
            their video.
        calibrator: Turns the certainty of :func:`decode_maps` into the probability that a joint is
            right, fitted on labels that the member has not seen.
        poses: Frame and centre (x, y) of each labelled pose, by the fingerprint of its video.
        right: Share of joints that the members located correctly in labels not seen in training.
    """

    network: NetworkDescription
    seen: Sequence[Mapping[str, Sequence[int]]]
    calibrator: ScoreCalibrator
    poses: Mapping[str, Sequence[Sequence[float]]]
    right: float

    @property
    def num_poses(self) -> int:
        """Return the number of labelled poses."""
        return sum(map(len, self.poses.values()))

    def to_json(self) -> str:
        """Convert to the text in a file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LearningRecord:
        """Restore from the result of :meth:`to_json`."""
        fields: dict[str, Any] = json.loads(text)
        fields['network'] = NetworkDescription.from_fields(fields['network'])
        fields['calibrator'] = ScoreCalibrator.from_dict(fields['calibrator'])
        return cls(**fields)


class LearnedNetwork(OnnxPoseNetwork):
    """Network that has learned from the labels of videos, run by onnxruntime on the CPU.

    Args:
        path: File that :func:`~stdpose_mm.training.learner.learn_network` wrote.

    Raises:
        InputError: If it is another file.
    """

    def __init__(self, path: Path) -> None:
        metadata = start_session(path, 'a network that learned from labels').metadata
        try:
            self.record = LearningRecord.from_json(metadata[ONNX_RECORD])
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(
                f'{path} has not learned from labels, give a file that `stdpose learn` or '
                '--learn wrote, or for a network of `stdpose export` the folder'
            ) from error
        super().__init__(path, self.record.network)
        self.path = path

    def unseen_members(self, frames: FrameSource, boxes: Mapping[int, np.ndarray]) -> list[int]:
        """List the members that were trained on no label of a subject in some frames of a video.

        A label counts as the subject's if its centre lies near the subject's box: track ids may
        change after training, and other people may be labelled in the same frame.

        Args:
            frames: The video.
            boxes: Frame index -> box [4] of the subject.
        """
        if not any(pose[0] in boxes for poses in self.record.poses.values() for pose in poses):
            # Then no fingerprint is needed, which takes time for pictures in memory.
            return [*range(len(self.record.seen))]
        video = fingerprint(frames)
        taught = {
            frame
            for frame, *centre in self.record.poses.get(video, ())
            if frame in boxes and _is_near(np.array(centre), boxes[int(frame)])
        }
        return [
            member
            for member, videos in enumerate(self.record.seen)
            if taught.isdisjoint(videos.get(video, ()))
        ]

    def locate(
        self,
        frames: FrameSource,
        indices: Sequence[int],
        boxes: np.ndarray,
        members: Sequence[int],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Locate the joints of one subject in N frames.

        The network runs on the boxes, then on the boxes of the poses that it has found there: a box
        that is far off shows little of the subject.

        Args:
            frames: The video.
            indices: The N frames, ascending.
            boxes: [N, 4] boxes of the subject in pixels.
            members: The members whose maps are averaged, at least one.

        Returns:
            [N, K, 2] pixels of the picture, and [N, K] the probability that the joint is right.
        """
        places, probability = [], []
        for start in range(0, len(indices), _BATCH_SIZE):
            batch = slice(start, start + _BATCH_SIZE)
            pictures = [frames[index] for index in indices[batch]]
            found = self._look_twice(pictures, boxes[batch], members)
            places.append(found[0])
            probability.append(found[1])
        return np.concatenate(places), np.concatenate(probability)

    def find(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Locate subjects without a known pose, as :meth:`locate` does, with all members.

        Args:
            pictures: N pictures BGR uint8 [H, W, 3].
            boxes: [N, 4] boxes of the subjects in pixels.

        Returns:
            As :meth:`locate`.
        """
        return self._look_twice(pictures, boxes, range(len(self.record.seen)))

    def _look_twice(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray, members: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Run on boxes, then on the boxes of the poses found there; keep the more probable pose."""
        places, probability = self._look(pictures, boxes, members)
        seen = pose_box(places, np.ones(places.shape[:2], bool))
        again, probability_again = self._look(pictures, seen, members)
        better = (probability_again.mean(axis=1) > probability.mean(axis=1))[:, None]
        return (
            np.where(better[..., None], again, places),
            np.where(better, probability_again, probability),
        )

    def _look(
        self, pictures: Sequence[np.ndarray], boxes: np.ndarray, members: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        outputs, to_crop = self._run_on(pictures, boxes, cv2.BORDER_REPLICATE)
        maps = np.mean([outputs[member] for member in members], axis=0)
        cells, certainty = decode_maps(maps / (2 * np.pi * SIGMA**2))
        scale = np.array(self.input_size) / maps.shape[:1:-1]
        pixels = (cells + 0.5) * scale - 0.5
        places = (pixels - to_crop[:, None, :, 2]) @ np.linalg.inv(to_crop[..., :2]).swapaxes(1, 2)
        return places, self.record.calibrator(certainty)


def _is_near(point: np.ndarray, box: np.ndarray) -> bool:
    """Tell whether a point lies in a box of twice the size."""
    return bool((np.abs(point - box[:2] - box[2:] / 2) <= box[2:]).all())


def pose_box(
    keypoints: np.ndarray, labelled: np.ndarray, least_side: float | np.ndarray = 0
) -> np.ndarray:
    """Compute the box [..., 4] that the network is shown for a pose, from its joints alone.

    Boxes of labels are not used: other tools draw them differently from the boxes of propagated
    poses, on which the network will run.

    Args:
        keypoints: [..., K, 2] pixels.
        labelled: [..., K] bool.
        least_side: Pixels that the larger side has at least, so that a pose of few joints is not
            magnified more than the other poses of its video.
    """
    box = pose_extent(keypoints, labelled)
    missing = np.clip(least_side - box[..., 2:].max(axis=-1), 0, None)[..., None]
    grown = np.concatenate([box[..., :2] - missing / 2, box[..., 2:] + missing], axis=-1)
    return expand(grown, POSE_MARGIN)


def decode_maps(maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the most probable position of each joint.

    Args:
        maps: [N, K, h, w] probabilities of the cells.

    Returns:
        [N, K, 2] x, y in cells: the mean position around the most probable cell; and [N, K] the
        total probability of the cells that were averaged.
    """
    number, joints, _, width = maps.shape
    best = maps.reshape(number, joints, -1).argmax(axis=-1)
    rows, columns = np.divmod(best, width)
    side = 2 * _REACH + 1
    padded = np.pad(maps, ((0, 0), (0, 0), (_REACH, _REACH), (_REACH, _REACH)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (1, 1, side, side))
    first, second = np.ogrid[:number, :joints]
    around = windows[first, second, rows, columns, 0, 0].astype(np.float64)
    total = around.sum(axis=(-2, -1))
    steps = np.arange(side) - _REACH
    safe = np.maximum(total, 1e-12)
    x = columns + (around.sum(axis=-2) @ steps) / safe
    y = rows + (around.sum(axis=-1) @ steps) / safe
    return np.stack([x, y], axis=-1), total.clip(0, 1)


def require_enough(num_frames: int) -> None:
    """Require enough labelled frames to train a network.

    Raises:
        InputError: If there are too few labelled frames.
    """
    if num_frames < MIN_FRAMES:
        raise InputError(
            f'{counted(num_frames, "labelled frame")} cannot teach a network, label '
            f'{MIN_FRAMES} or more, spread over the video'
        )
