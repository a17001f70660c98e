"""A trained gap fuser with its calibration, and the one that comes with the package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from stdpose_mm.checkpoint_files import read_checkpoint_file
from stdpose_mm.errors import InputError, one_line, require_packages
from stdpose_mm.evaluation.functional.calibration import (
    CORRECT_WITHIN,
    ScoreCalibrator,
    pool_probabilities,
)
from stdpose_mm.io import atomic_path
from stdpose_mm.onnx_session import open_network, start_session

from .candidates import CANDIDATES
from .evidence_maps import MAP_SIDE, MAP_STEPS
from .fusion_features import (
    FLAG_OF_CANDIDATE,
    MAPS,
    SCALARS,
    VECTORS,
    VELOCITY_FRAMES,
    FusionFeatures,
)

if TYPE_CHECKING:
    from stdpose_mm.models.fusers import GapFuser

SHIPPED_WEIGHTS = Path(__file__).parent / 'weights' / 'gap_fuser.onnx'
"""The fuser that comes with the package, for gaps with and without heatmaps of any network."""

ONNX_RECORD = 'stdpose_mm.fuser'
"""Name of the entry of an ONNX file's metadata that holds :meth:`TrainedFuser.record` as JSON."""

EVIDENCE = 'windows and networks apart'
"""Kind of evidence that fusers of this version weigh; other kinds have the same input sizes."""

_FAST, _STILL = 0.015, 0.001
"""Speeds of a joint in pose sizes a frame: one that is as hard as any faster one, and the noise of
one that stands still."""

_EXPECTED = 'a file that research/tools/train_auto.py of this version wrote'


class FuserNetwork(Protocol):
    """Run a fuser: a :class:`~stdpose_mm.models.fusers.GapFuser`, or its ONNX file."""

    def fuse_gap(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`stdpose_mm.models.fusers.GapFuser.fuse_gap`."""
        ...


@dataclass(frozen=True)
class TrainedFuser:
    """Hold a gap fuser in evaluation mode.

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
    def load(cls, path: str | Path, device: str = 'cpu') -> TrainedFuser:
        """Read a fuser.

        Args:
            path: An ``.onnx`` file, which onnxruntime runs on the CPU, or a checkpoint, which
                PyTorch runs.
            device: Where PyTorch runs.

        Raises:
            InputError: If the file cannot be read, or belongs to other evidence than this
                version of the package gathers.
        """
        path = Path(path)
        network: FuserNetwork
        try:
            if path.suffix == '.onnx':
                network = OnnxFuser(path)
                record = network.record()
            else:
                network, record = _read_checkpoint(path, device)
            if record.get('evidence') != EVIDENCE:
                raise LookupError('it was trained on other evidence')
            calibrator = ScoreCalibrator.from_dict(record['calibrator'])
            return cls(network, calibrator, str(record['trained_on']), float(record['doubt']))
        except InputError:
            raise
        except (
            OSError,
            RuntimeError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise InputError(
                f'fuser weights {path} cannot be used ({one_line(error)}), give {_EXPECTED}'
            ) from error

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of PyTorch that :meth:`load` reads; weights in half precision."""
        import torch

        network: Any = self.network
        weights = {name: value.half().cpu() for name, value in network.state_dict().items()}
        with atomic_path(path) as temporary:
            torch.save({'state_dict': weights, **self.record()}, temporary)

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
    """Run a gap fuser by onnxruntime.

    Args:
        path: File that :func:`~research.export.fuser_export.export_fuser` wrote.

    Raises:
        InputError: If onnxruntime is missing or cannot run the file.
        OSError: If the file cannot be read.
        LookupError: If the network takes other evidence.
    """

    def __init__(self, path: Path) -> None:
        with open_network(path) as file:
            self._session = start_session(file, _EXPECTED)
        sizes = {node.name: node.shape[2:] for node in self._session.inputs}
        for name, kinds in (('vectors', VECTORS), ('scalars', SCALARS)):
            if sizes.get(name, ())[1:2] != (len(kinds),):
                raise LookupError(f'it does not take {len(kinds)} {name}')

    def record(self) -> dict[str, Any]:
        """See :meth:`TrainedFuser.record`."""
        return json.loads(self._session.read_metadata(ONNX_RECORD))

    def fuse_gap(self, inputs: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """See :meth:`stdpose_mm.models.fusers.GapFuser.fuse_gap`."""
        batch = {name: values[None] for name, values in inputs.items()}
        offsets, log_scale = self._session.run(['offsets', 'log_scale'], batch)
        return offsets[0], log_scale[0]


def _read_checkpoint(path: Path, device: str) -> tuple[GapFuser, dict[str, Any]]:
    require_packages(f'fuser {path}', 'torch', 'mmpose')
    content = read_checkpoint_file(path)
    network = build_fuser()
    network.load_state_dict({k: v.float() for k, v in content['state_dict'].items()})
    return network.to(device).eval(), content


def build_fuser() -> GapFuser:
    """Build a network for :class:`FusionFeatures`, with fresh weights."""
    from stdpose_mm.models.fusers import GapFuser

    flags = [FLAG_OF_CANDIDATE[name] for name in CANDIDATES]
    return GapFuser(
        num_vectors=len(VECTORS),
        num_scalars=len(SCALARS),
        num_maps=len(MAPS),
        candidate_flags=[None if flag is None else SCALARS.index(flag) for flag in flags],
        map_steps=MAP_STEPS,
        map_side=MAP_SIDE,
        end_maps=[MAPS.index(name) for name in ('frame_heatmap', 'network_heatmap')],
    )


def fuser_inputs(evidence: FusionFeatures) -> dict[str, np.ndarray]:
    """Prepare the arguments of :meth:`GapFuser.forward` for one gap, without the batch axis."""
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
