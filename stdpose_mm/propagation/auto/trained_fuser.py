"""A trained segment fuser with its calibration, and the one that comes with the package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, ScoreCalibrator
from stdpose_mm.io import atomic_path
from stdpose_mm.models.fusers import GapFuser

from .fusion_features import MAP_SIDE, MAP_STEPS, MAPS, SCALARS, VECTORS, FusionFeatures

SHIPPED_WEIGHTS = Path(__file__).parent / 'weights' / 'gap_fuser.pth'


@dataclass(frozen=True)
class TrainedFuser:
    """A segment fuser in evaluation mode.

    Args:
        network: The network.
        calibrator: Fitted on clips that the network was not trained on.
        trained_on: What it was trained on, in a few words.
        shrinkage: Distance in pose sizes. Where the network wants to leave the blend of the flow
            tracks by a distance d, it gets the share d / (d + shrinkage): small corrections are
            mostly noise on footage unlike that which it was trained on, large ones are not. 0
            believes all.
    """

    network: GapFuser
    calibrator: ScoreCalibrator
    trained_on: str
    shrinkage: float = 0.0

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = 'cpu') -> TrainedFuser:
        """Read a fuser.

        Raises:
            InputError: If the file cannot be read, or belongs to other evidence than this
                version of the package gathers.
        """
        try:
            content = torch.load(path, map_location='cpu', weights_only=True)
            network = build_fuser()
            network.load_state_dict({k: v.float() for k, v in content['state_dict'].items()})
            calibrator = ScoreCalibrator.from_dict(content['calibrator'])
            trained_on, shrinkage = str(content['trained_on']), float(content['shrinkage'])
        except (OSError, EOFError, RuntimeError, LookupError, TypeError, UnpicklingError) as error:
            raise InputError(
                f'fuser weights {path} cannot be used ({one_line(error)}), give a file that '
                'tools/misc/train_auto.py of this version wrote'
            ) from error
        return cls(network.to(device).eval(), calibrator, trained_on, shrinkage)

    def save(self, path: str | Path) -> None:
        """Write a file that :meth:`load` reads; weights in half precision."""
        content: dict[str, Any] = {
            'state_dict': {k: v.half().cpu() for k, v in self.network.state_dict().items()},
            'calibrator': self.calibrator.to_dict(),
            'trained_on': self.trained_on,
            'shrinkage': self.shrinkage,
        }
        with atomic_path(path) as temporary:
            torch.save(content, temporary)

    def __call__(self, evidence: FusionFeatures) -> tuple[np.ndarray, np.ndarray]:
        """Positions and scores of one segment.

        Returns:
            [F, K, 2] pixels, and [F, K] the probability that a joint lies within a tenth of the
            pose's size of the truth. Joints that the evidence does not know are meaningless.
        """
        offsets, scores = self.judge(fuser_inputs(evidence))
        return evidence.centre + offsets * evidence.size, scores

    def judge(self, inputs: Mapping[str, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        """Offsets [F, K, 2] in pose sizes and scores [F, K] for :func:`fuser_inputs`."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            fused = self.network(**{name: v[None].to(device) for name, v in inputs.items()})
        offsets = shrink_offsets(fused.offsets[0].double().cpu().numpy(), self.shrinkage)
        within = probability_within(fused.log_scale[0].double().cpu().numpy(), CORRECT_WITHIN)
        return offsets, self.calibrator(within)


def build_fuser() -> GapFuser:
    """A network for the evidence of ``segment_evidence``, with fresh weights."""
    return GapFuser(
        num_vectors=len(VECTORS),
        num_scalars=len(SCALARS),
        num_maps=len(MAPS),
        map_steps=MAP_STEPS,
        map_side=MAP_SIDE,
        end_map=MAPS.index('frame_heatmap'),
    )


def fuser_inputs(evidence: FusionFeatures) -> dict[str, Tensor]:
    """Arguments of :meth:`GapFuser.forward` for one segment, without the batch axis."""
    return {
        'vectors': torch.from_numpy(evidence.vectors),
        'scalars': torch.from_numpy(evidence.scalars),
        'maps': torch.from_numpy(evidence.maps),
        'base_weights': torch.from_numpy(evidence.base_weights),
        'known': torch.from_numpy(evidence.known),
        'present': torch.ones(len(evidence.interior), dtype=torch.bool),
    }


def shrink_offsets(offsets: np.ndarray, shrinkage: float) -> np.ndarray:
    """Offsets [..., 2] of length d, shortened to d * d / (d + shrinkage)."""
    if shrinkage == 0:
        return offsets
    length = np.linalg.norm(offsets, axis=-1, keepdims=True)
    return offsets * (length / (length + shrinkage))


def probability_within(log_scale: np.ndarray, radius: float) -> np.ndarray:
    """Probability that a Laplace-distributed error in the plane is at most ``radius``.

    The density falls with exp(-distance / scale) in every direction alike, so that the distance
    follows a gamma distribution of shape 2.
    """
    ratio = radius * np.exp(-log_scale)
    return 1 - (1 + ratio) * np.exp(-ratio)
