"""Network that has learned from the labels of videos."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
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
from stdpose_mm.structures.decode_gaussians import peak_windows
from stdpose_mm.text import counted

from .described_network import DescribedNetwork
from .network_description import NetworkDescription
from .pose_network import unmap

ONNX_RECORD = 'stdpose_mm.learned'
"""Name of the entry of an ONNX file's metadata that holds :class:`LearningRecord` as JSON."""

MIN_FRAMES = 8
"""Smallest number of labelled frames, in all videos together, that a network is trained on."""

SIGMA = 1.5
"""Standard deviation in cells of the Gaussian around a label that is the training target."""

_REACH = 2
"""Cells on each side of a map's largest value that are averaged for the position."""

BATCH_SIZE = 16
"""Number of pictures that the network is shown at once."""


FEW_JOINTS = 0.5
"""Share of the joints below which a pose, like a single joint, is shown as large as a usual pose of
its video."""

SIDE_OF_FEW = 0.75
"""Least side of such a pose, as a share of the median pose of its video."""


@dataclass(frozen=True)
class LearningRecord:
    """Record of what a network has learned from.

    The network has two members. Each was trained without some of the labels, so that its results
    there tell how accurate it is. Where labels are hidden to measure accuracy, only members count
    that were not trained on them, with the calibrator and the odds that were fitted on the labels
    hidden from the *other* member. So nothing that is measured was chosen on the same labels.

    Args:
        network: Its inputs and outputs.
        seen: For each member the labelled frames that it was trained on, now or before, by the
            fingerprint of their video.
        calibrators: Each turns the certainty of :func:`decode_maps` into the probability that a
            joint is right. The n-th was fitted on the labels hidden from all members but the n-th,
            the last one on all hidden labels.
        least_sides: Least side in pixels of a pose of few joints, by the fingerprint of its video.
        num_poses: Number of labelled poses.
        right: Share of joints that the members located correctly in labels not seen in training.
        odds: For each calibrator, [K] factors of the odds of the network's joints beside another
            method, see :func:`~stdpose_mm.labelling.propagation.learned_propagator.fit_odds`; None
            if the network was not compared with another method.
    """

    network: NetworkDescription
    seen: Sequence[Mapping[str, Sequence[int]]]
    calibrators: Sequence[ScoreCalibrator]
    least_sides: Mapping[str, float]
    num_poses: int
    right: float
    odds: Sequence[Sequence[float]] | None = None

    def fitted_for(self, members: Sequence[int]) -> int:
        """Return the index of the calibrator and the odds of some members."""
        return members[0] if len(members) == 1 else len(self.calibrators) - 1

    def to_json(self) -> str:
        """Convert to the text in a file's metadata."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LearningRecord:
        """Restore from the result of :meth:`to_json`."""
        fields: dict[str, Any] = json.loads(text)
        fields['network'] = NetworkDescription.from_fields(fields['network'])
        fields['calibrators'] = [ScoreCalibrator.from_dict(c) for c in fields['calibrators']]
        return cls(**fields)


class LearnedNetwork(DescribedNetwork):
    """Network that has learned from the labels of videos, run by onnxruntime on the CPU.

    A prior estimate of the pose guides it, if there is one.

    Args:
        path: File that :func:`~stdpose_mm.labelling.learning.learner.learn_network` wrote.

    Raises:
        InputError: If it is another file.
    """

    border = cv2.BORDER_REPLICATE

    def __init__(self, path: Path) -> None:
        self._session = start_session(path, 'a network that learned from labels')
        try:
            self.record = LearningRecord.from_json(self._session.metadata[ONNX_RECORD])
            crops, *_ = self._session.inputs
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(
                f'{path} has not learned from labels, give a file that `stdpose learn` or '
                '--learn of this version wrote, or for a network of `stdpose export` the folder'
            ) from error
        super().__init__(path, self.record.network, [crops.shape])
        self.path = path

    def unseen_members(self, frames: FrameSource, hidden: Collection[int]) -> tuple[int, ...]:
        """List the members that were trained on no label in some frames of a video.

        Args:
            frames: The video.
            hidden: Frames whose labels are hidden to measure accuracy.
        """
        seen = self.record.seen
        if all({*hidden}.isdisjoint(n) for videos in seen for n in videos.values()):
            # Then no fingerprint is needed, which takes time for pictures in memory.
            return (*range(len(seen)),)
        video = fingerprint(frames)
        return tuple(
            member
            for member, videos in enumerate(seen)
            if {*hidden}.isdisjoint(videos.get(video, ()))
        )

    def odds(self, members: Sequence[int]) -> np.ndarray:
        """Return the factors [K] of the odds of members' joints; 1 if they were never compared."""
        odds = self.record.odds
        if odds is None:
            return np.ones(self.skeleton.num_keypoints)
        return np.array(odds[self.record.fitted_for(members)])

    def boxes(self, frames: FrameSource, keypoints: np.ndarray, labelled: np.ndarray) -> np.ndarray:
        """Compute the boxes [N, 4] in which subjects are shown to the network, as in training.

        Args:
            frames: The video.
            keypoints: [N, K, 2] pixels.
            labelled: [N, K] bool.
        """
        has_few = has_few_joints(labelled).any()
        least = least_side(self.record.least_sides, fingerprint(frames)) if has_few else 0.0
        return pose_box(keypoints, labelled, least)

    def locate(
        self,
        pictures: Sequence[np.ndarray],
        boxes: np.ndarray,
        members: Sequence[int],
        prior: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Locate the joints of a subject in each of N pictures.

        The network runs on the boxes, then twice on the boxes of the poses that it has found: a box
        that is far off shows little of the subject. The second look has no prior, so that a wrong
        one does not mislead both; that of the third is the more probable pose of the first two,
        which tells a leg from its neighbour. The most probable pose is taken.

        Args:
            pictures: BGR uint8 [H, W, 3].
            boxes: [N, 4] boxes of the subjects in pixels.
            members: The members whose maps are averaged, at least one.
            prior: [N, K, 2] estimates of another method in pixels; NaN for joints without one.

        Returns:
            [N, K, 2] pixels of the pictures, and [N, K] the probability that the joint is right.
        """
        places, probability = self._look(pictures, boxes, members, prior)
        for is_guided in (False, True):
            seen = pose_box(places, np.ones(places.shape[:2], bool))
            guide = places if is_guided else np.full_like(prior, np.nan)
            again, probability_again = self._look(pictures, seen, members, guide)
            better = (probability_again.mean(axis=1) > probability.mean(axis=1))[:, None]
            places = np.where(better[..., None], again, places)
            probability = np.where(better, probability_again, probability)
        return places, probability

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
        prior = np.full((len(boxes), self.skeleton.num_keypoints, 2), np.nan)
        return self.locate(pictures, boxes, range(len(self.record.seen)), prior)

    def _look(
        self,
        pictures: Sequence[np.ndarray],
        boxes: np.ndarray,
        members: Sequence[int],
        prior: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        views = (self.view(*pair) for pair in zip(pictures, boxes, strict=True))
        crops, to_crop = map(np.stack, zip(*views, strict=True))
        cropped = prior @ to_crop[..., :2].swapaxes(1, 2) + to_crop[:, None, :, 2]
        outputs = self._run(self._normalise(crops), cropped)
        maps = np.mean([outputs[member] for member in members], axis=0)
        cells, certainty = decode_maps(maps / (2 * np.pi * SIGMA**2))
        scale = np.array(self.input_size) / maps.shape[:1:-1]
        pixels = (cells + 0.5) * scale - 0.5
        places = unmap(pixels, to_crop)
        calibrator = self.record.calibrators[self.record.fitted_for(members)]
        return places, calibrator(certainty)

    def _run(self, inputs: np.ndarray, prior: np.ndarray | None = None) -> list[np.ndarray]:
        if prior is None:
            prior = np.full((len(inputs), self.skeleton.num_keypoints, 2), np.nan)
        named_inputs = {'crops': inputs, 'prior': prior.astype(np.float32)}
        return self._session.run(self._session.outputs, named_inputs)


def has_few_joints(labelled: np.ndarray) -> np.ndarray:
    """Tell which poses have too few joints [..., K] to show how large the subject is: [...]."""
    return labelled.sum(axis=-1) < max(FEW_JOINTS * labelled.shape[-1], 2)


def least_side(sides: Mapping[str, float], video: str) -> float:
    """Return the entry of a video, or the median of all others if it has none; 0 without any."""
    return sides.get(video, float(np.median([*sides.values()])) if sides else 0.0)


def pose_box(keypoints: np.ndarray, labelled: np.ndarray, least_side: float = 0) -> np.ndarray:
    """Compute the box [..., 4] that the network is shown for a pose, from its joints alone.

    Boxes of labels are not used: other tools draw them differently from the boxes of propagated
    poses, on which the network will run.

    Args:
        keypoints: [..., K, 2] pixels.
        labelled: [..., K] bool.
        least_side: Pixels that the larger side has at least if a pose has few joints, so that it is
            not magnified more than the other poses of its video.
    """
    box = pose_extent(keypoints, labelled)
    missing = np.clip(least_side - box[..., 2:].max(axis=-1), 0, None)
    missing = np.where(has_few_joints(labelled), missing, 0)[..., None]
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
    columns, rows, windows = peak_windows(maps, _REACH)
    around = windows.astype(np.float64)
    total = around.sum(axis=(-2, -1))
    steps = np.arange(-_REACH, _REACH + 1)
    safe = np.maximum(total, 1e-12)
    x = columns + (around.sum(axis=-2) @ steps) / safe
    y = rows + (around.sum(axis=-1) @ steps) / safe
    return np.stack([x, y], axis=-1), total.clip(0, 1)


def fit_calibrator(certainty: np.ndarray, right: np.ndarray) -> ScoreCalibrator:
    """Fit a calibrator of certainties [N] to whether these joints are right, bool [N].

    One right and one wrong joint are added, since few labels may have no wrong joint.
    """
    scores, outcomes = np.append(certainty, [0.5, 0.5]), np.append(right, [True, False])
    return ScoreCalibrator.fit(scores, outcomes)


def training_steps(num_poses: int) -> int:
    """Return the number of training steps for as many labelled poses.

    With few labels a training is short; the next one, with more labels, continues from its network.
    """
    return min(max(25 * num_poses, 400), 1000)


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
