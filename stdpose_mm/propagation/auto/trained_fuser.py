"""A trained gap fuser with its calibration, and the one that comes with the package."""

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

from .fusion_features import (
    SCALARS,
    VECTORS,
    VELOCITY_FRAMES,
    FusionFeatures,
)

SHIPPED_WEIGHTS = Path(__file__).parent / 'weights' / 'gap_fuser.onnx'
"""The fuser that comes with the package, for gaps with and without heatmaps of any network."""

ONNX_RECORD = 'stdpose_mm.fuser'
"""Name of the entry of an ONNX file's metadata that holds :meth:`TrainedFuser.record` as JSON."""

EVIDENCE = 'windows and networks apart'
"""Kind of evidence that fusers of this version weigh; other kinds have the same input sizes."""

_FAST, _STILL = 0.015, 0.001
"""Speeds of a joint in pose sizes a frame: one that is as hard as any faster one, and the noise of
one that stands still."""

_EXPECTED = 'an .onnx file written by research/tools/train_auto.py of this version'


class FuserNetwork(Protocol):
    """A network that weighs the features of a gap: its ONNX file, or a model in training."""

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
    """A gap fuser with its calibration.

    Args:
        network: The network.
        calibrator: Calibration of the scores, fitted on clips that the network was not trained on.
        trained_on: What it was trained on, in a few words.
        shrinkage: Distance in pose sizes. The network's offset of length d from the blend of the
            flow tracks is multiplied by d / (d + shrinkage): small corrections are mostly noise on
            footage unlike that which it was trained on, large ones are not. 0 keeps all offsets.
    """

    network: FuserNetwork
    calibrator: ScoreCalibrator
    trained_on: str
    shrinkage: float = 0.0

    @classmethod
    def load(cls, path: str | Path) -> TrainedFuser:
        """Read an ``.onnx`` file, which onnxruntime runs on the CPU.

        Raises:
            InputError: If the file cannot be read, or belongs to other evidence than this
                version of the package gathers.
        """
        with unusable_weights(path):
            network = OnnxFuser(Path(path))
            return cls.from_record(network, network.record())

    @classmethod
    def from_record(cls, network: FuserNetwork, record: Mapping[str, Any]) -> TrainedFuser:
        """Make a fuser of a network and the :meth:`record` of its file.

        Raises:
            LookupError: If the record lacks an entry, or is of other evidence.
        """
        if record.get('evidence') != EVIDENCE:
            raise LookupError('it was trained on other evidence')
        calibrator = ScoreCalibrator.from_dict(record['calibrator'])
        return cls(network, calibrator, str(record['trained_on']), float(record['doubt']))

    def record(self) -> dict[str, Any]:
        """Return plain values that a file holds besides the network; 'doubt' is the shrinkage."""
        return {
            'calibrator': self.calibrator.to_dict(),
            'trained_on': self.trained_on,
            'doubt': self.shrinkage,
            'evidence': EVIDENCE,
        }

    def __call__(self, evidence: FusionFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Fuse the evidence for one gap.

        Returns:
            [F, K, 2] pixels, and [F, K] the probability that a joint lies within a tenth of the
            pose's size of the truth. Joints that the evidence does not know are meaningless.
        """
        offsets, scores = self.judge(evidence)
        return evidence.centre + offsets * evidence.size, scores

    def judge(self, evidence: FusionFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Fuse into offsets [F, K, 2] from the evidence's centre, in pose sizes; scores [F, K].

        How sure the fuser is with heatmaps holds for footage that their networks know. Without them
        it is less often right, but ranks joints better on other footage. So the score of a gap with
        heatmaps pools both views of it, and is calibrated together with how much the joint moves
        (research/docs/auto_parts.md).
        """
        offsets, within = self._fuse(evidence)
        if evidence.has_heatmaps():
            within = pool_probabilities([within, self._fuse(evidence.without_heatmaps())[1]])
        scores = self.calibrator(within, log_joint_speed(evidence))
        return shrink_offsets(offsets, self.shrinkage), scores

    def _fuse(self, evidence: FusionFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Return offsets, and the network's own probabilities that joints are right."""
        offsets, log_scale = self.network.fuse_gap(fuser_inputs(evidence))
        within = probability_within(log_scale.astype(np.float64), CORRECT_WITHIN)
        return offsets.astype(np.float64), within


class OnnxFuser:
    """A gap fuser that onnxruntime runs.

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


@lru_cache(maxsize=1)
def shipped_fuser() -> TrainedFuser:
    """Load the fuser that comes with the package, once."""
    return TrainedFuser.load(SHIPPED_WEIGHTS)


@contextmanager
def unusable_weights(path: str | Path) -> Iterator[None]:
    """Turn whatever reading a file of weights leads to into one sentence."""
    try:
        yield
    except InputError:
        raise
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f'fuser weights {path} cannot be used ({one_line(error)}), give {_EXPECTED}'
        ) from error


def fuser_inputs(evidence: FusionFeatures) -> dict[str, np.ndarray]:
    """Prepare what a :class:`FuserNetwork` reads of one gap."""
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

    It is 0 for joints that move at ``_FAST`` or faster, and negative for slower ones: these are
    easy, whatever the fuser says of them. The motion of the whole pose does not count, since a
    camera that pans makes no joint harder.
    """
    velocity = evidence.vectors[..., VECTORS.index('velocity'), :] / VELOCITY_FRAMES
    others = velocity[:, evidence.known]
    if not others.size:
        return np.zeros(len(evidence.known))
    own = velocity - others.mean(axis=1, keepdims=True)
    speed = np.linalg.norm(own, axis=-1).mean(axis=0)
    return np.log((np.minimum(speed, _FAST) + _STILL) / (_FAST + _STILL))


def shrink_offsets(offsets: np.ndarray, shrinkage: float) -> np.ndarray:
    """Shorten offsets [..., 2] of length d to d * d / (d + shrinkage)."""
    if shrinkage == 0:
        return offsets
    length = np.linalg.norm(offsets, axis=-1, keepdims=True)
    return offsets * (length / (length + shrinkage))


def probability_within(log_scale: np.ndarray, radius: float) -> np.ndarray:
    """Compute the probability that a Laplace-distributed error in the plane is at most ``radius``.

    The density falls with exp(-distance / scale) in every direction alike, so that the distance
    follows a gamma distribution of shape 2.
    """
    ratio = radius * np.exp(-log_scale)
    return 1 - (1 + ratio) * np.exp(-ratio)
