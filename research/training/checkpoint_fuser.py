"""Gap fusers in PyTorch: building them, writing checkpoints and reading them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch

from research.training.gap_fuser import GapFuser
from stdpose_mm.checkpoint_files import read_checkpoint_file
from stdpose_mm.io import atomic_path
from stdpose_mm.labelling.propagation.auto.evidence_maps import MAP_SIDE, MAP_STEPS
from stdpose_mm.labelling.propagation.auto.fusion_features import MAPS, SCALARS, VECTORS
from stdpose_mm.labelling.propagation.auto.trained_fuser import TrainedFuser, unusable_weights


class CheckpointFuser(TrainedFuser):
    """A fuser whose network may be a :class:`GapFuser`."""

    @classmethod
    def load(cls, path: str | Path, device: str = 'cpu') -> CheckpointFuser:
        """Read a PyTorch checkpoint or an ``.onnx`` file.

        Raises:
            InputError: See :meth:`TrainedFuser.load`.
        """
        if Path(path).suffix == '.onnx':
            return cast(CheckpointFuser, super().load(path))
        with unusable_weights(path):
            content = read_checkpoint_file(path)
            network = build_fuser()
            weights = {name: value.float() for name, value in content['state_dict'].items()}
            network.load_state_dict(weights)
            return cast(CheckpointFuser, cls.from_record(network.to(device).eval(), content))


def save_fuser(fuser: TrainedFuser, path: str | Path) -> None:
    """Write a checkpoint for :class:`CheckpointFuser`, with weights in half precision."""
    network: Any = fuser.network
    weights = {name: value.half().cpu() for name, value in network.state_dict().items()}
    with atomic_path(path) as temporary:
        torch.save({'state_dict': weights, **fuser.record()}, temporary)


def build_fuser() -> GapFuser:
    """Build a network for :class:`FusionFeatures`, with random weights."""
    # The straight line is always usable, a flow track only if its label has the joint.
    flags = [None, SCALARS.index('has_left'), SCALARS.index('has_right')]
    return GapFuser(
        num_vectors=len(VECTORS),
        num_scalars=len(SCALARS),
        num_maps=len(MAPS),
        candidate_flags=flags,
        map_steps=MAP_STEPS,
        map_side=MAP_SIDE,
        end_maps=[MAPS.index(name) for name in ('frame_heatmap', 'network_heatmap')],
    )
