"""Trained gap fuser with its calibration, and those that come with the package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.evaluation.functional.calibration import (
    CORRECT_WITHIN,
    ScoreCalibrator,
    pool_probabilities,
)
from stdpose_mm.onnx_session import start_session
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_sets import is_of_people

from .fusion_features import SCALARS, VECTORS, VELOCITY_FRAMES, FusionFeatures

SHIPPED_FUSER = Path(__file__).parent / 'weights' / 'gap_fuser.onnx'
"""The package's fuser for any subject, for gaps with and without heatmaps of a network. It was
trained on generated clips."""

PEOPLE_FUSER = Path(__file__).parent / 'weights' / 'real_people' / 'gap_fuser.onnx'
"""The package's fuser for labels of people. It was trained further beside the STDPose of real
people, and its scores are calibrated on clips of people."""

ONNX_RECORD = 'stdpose_mm.fuser'
"""Entry of an ONNX file's metadata that holds :meth:`TrainedFuser.record` as JSON."""

EVIDENCE = 'windows and networks apart'
"""Kind of evidence that fusers of this version take; other kinds may have the same input sizes."""

_FAST, _STILL = 0.015, 0.001
"""Speeds of a joint in pose sizes per frame: faster joints are no harder than ``_FAST`` ones, and
joints that stand still seem to move at ``_STILL``."""

_EXPECTED = 'an .onnx file written by research/tools/finetune_fuser.py of this version'


class FuserNetwork(Protocol):
    """Network that fuses the features of a gap: an ONNX file, or a model in training."""

    def fuse_gap(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Fuse one gap.

        Args:
            inputs: See :func:`fuser_inputs`.

        Returns:
            Offsets [F, K, 2] from the centre in pose sizes, and the logarithm [F, K] of the scale
            of a planar Laplace distribution of their error.
        """
        ...


@dataclass(frozen=True)
class TrainedFuser:
    """Gap fuser with its calibration.

    Args:
        network: The network.
        calibrator: Calibration of the scores, fitted on clips that are not in the training data.
        trained_on: What it was trained on, in a few words.
        shrinkage: Distance in pose sizes. An offset of length d between the network's position and
            the blend of the flow tracks is multiplied by d / (d + shrinkage), because small
            corrections are mostly noise on footage that differs from the training data. 0 keeps all
            offsets.
    """

    network: FuserNetwork
    calibrator: ScoreCalibrator
    trained_on: str
    shrinkage: float = 0.0

    @classmethod
    def load(cls, path: str | Path) -> TrainedFuser:
        """Read an ``.onnx`` file, which onnxruntime runs on the CPU.

        Raises:
            InputError: If the file cannot be read, or takes other evidence than this version of the
                package has.
        """
        with unusable_weights(path):
            network = OnnxFuser(Path(path))
            return cls.from_record(network, network.record())

    @classmethod
    def from_record(cls, network: FuserNetwork, record: Mapping[str, Any]) -> TrainedFuser:
        """Build a fuser from a network and the :meth:`record` of its file.

        Raises:
            LookupError: If the record lacks an entry, or the network takes other evidence.
        """
        if record.get('evidence') != EVIDENCE:
            raise LookupError('it was trained on other evidence')
        calibrator = ScoreCalibrator.from_dict(record['calibrator'])
        return cls(network, calibrator, str(record['trained_on']), float(record['doubt']))

    def record(self) -> dict[str, Any]:
        """Return the values that a file holds besides the network; 'doubt' is the shrinkage."""
        return {
            'calibrator': vars(self.calibrator),
            'trained_on': self.trained_on,
            'doubt': self.shrinkage,
            'evidence': EVIDENCE,
        }

    def __call__(self, evidence: FusionFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Fuse the evidence for one gap.

        Returns:
            [F, K, 2] pixels, and [F, K] probabilities that a joint lies within a tenth of the
            pose's size of the truth. Values of joints that are not ``known`` are meaningless.
        """
        offsets, scores = self.judge(evidence)
        return evidence.centre + offsets * evidence.size, scores

    def judge(self, evidence: FusionFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Return offsets [F, K, 2] from the evidence's centre, in pose sizes, and scores [F, K].

        With heatmaps the fuser is overconfident on footage that their networks do not know. Without
        them it is less often right, but ranks joints better on such footage. The score of a gap
        with heatmaps therefore pools the probabilities with and without them; the calibration also
        uses how much the joint moves (research/docs/auto_parts.md).
        """
        offsets, within = self._fuse(evidence)
        if evidence.has_heatmaps():
            within = pool_probabilities([within, self._fuse(evidence.without_heatmaps())[1]])
        scores = self.calibrator(within, log_joint_speed(evidence))
        return shrink_offsets(offsets, self.shrinkage), scores

    def _fuse(self, evidence: FusionFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Return offsets, and the network's own probabilities that the joints are right."""
        offsets, log_scale = self.network.fuse_gap(fuser_inputs(evidence))
        within = probability_within(log_scale.astype(np.float64), CORRECT_WITHIN)
        return offsets.astype(np.float64), within


class OnnxFuser:
    """Gap fuser that runs in onnxruntime.

    Args:
        path: File that :func:`~research.export.fuser_export.export_fuser` wrote.

    Raises:
        InputError: If onnxruntime is missing or cannot run the file.
        OSError: If the file cannot be read.
        LookupError: If the network takes other evidence.
    """

    def __init__(self, path: Path) -> None:
        self._session = start_session(path, _EXPECTED, threads=1)
        sizes = {node.name: node.shape[2:] for node in self._session.inputs}
        for name, kinds in (('vectors', VECTORS), ('scalars', SCALARS)):
            if sizes.get(name, ())[1:2] != (len(kinds),):
                raise LookupError(f'it does not take {len(kinds)} {name}')

    def record(self) -> dict[str, Any]:
        """See :meth:`TrainedFuser.record`."""
        return json.loads(self._session.metadata[ONNX_RECORD])

    def fuse_gap(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See :class:`FuserNetwork`."""
        batch = {name: values[None] for name, values in inputs.items()}
        offsets, log_scale = self._session.run(['offsets', 'log_scale'], batch)
        return offsets[0], log_scale[0]


def fuser_file(skeleton: Skeleton) -> Path:
    """Return the file of the package's fuser for labels of these joints."""
    return PEOPLE_FUSER if is_of_people(skeleton) else SHIPPED_FUSER


@lru_cache(maxsize=2)
def shipped_fuser(path: Path) -> TrainedFuser:
    """Load a fuser that comes with the package, once."""
    return TrainedFuser.load(path)


@contextmanager
def unusable_weights(path: str | Path) -> Iterator[None]:
    """Turn any error while reading a file of weights into one sentence."""
    try:
        yield
    except InputError:
        raise
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f'fuser weights {path} cannot be used ({one_line(error)}), give {_EXPECTED}'
        ) from error


def fuser_inputs(evidence: FusionFeatures) -> dict[str, np.ndarray]:
    """Prepare the inputs of a :class:`FuserNetwork` for one gap."""
    return {
        'vectors': evidence.vectors,
        'scalars': evidence.scalars,
        'maps': evidence.maps.astype(np.float32, copy=False),
        'base_weights': evidence.base_weights,
        'known': evidence.known,
        'present': np.ones(len(evidence.interior), dtype=bool),
    }


def log_joint_speed(evidence: FusionFeatures) -> np.ndarray:
    """Compute the logarithm of each joint's mean speed [K] within the pose in a gap.

    It is 0 for joints that move at ``_FAST`` or faster and negative for slower ones, which are easy
    whatever the fuser predicts. The motion of the whole pose does not count, because a panning
    camera makes no joint harder.
    """
    velocity = evidence.vectors[..., VECTORS.index('velocity'), :] / VELOCITY_FRAMES
    others = velocity[:, evidence.known]
    if not others.size:
        return np.zeros(len(evidence.known))
    within_pose = velocity - others.mean(axis=1, keepdims=True)
    speed = np.linalg.norm(within_pose, axis=-1).mean(axis=0)
    return np.log((np.minimum(speed, _FAST) + _STILL) / (_FAST + _STILL))


def shrink_offsets(offsets: np.ndarray, shrinkage: float) -> np.ndarray:
    """Shorten offsets [..., 2] of length d to d * d / (d + shrinkage)."""
    if shrinkage == 0:
        return offsets
    length = np.linalg.norm(offsets, axis=-1, keepdims=True)
    return offsets * (length / (length + shrinkage))


def probability_within(log_scale: np.ndarray, radius: float) -> np.ndarray:
    """Compute the probability that a Laplace-distributed error in the plane is at most ``radius``.

    The density is proportional to exp(-distance / scale) in every direction, so the distance
    follows a gamma distribution of shape 2.
    """
    ratio = radius * np.exp(-log_scale)
    return 1 - (1 + ratio) * np.exp(-ratio)
