"""Loading of pose networks in ONNX files: what kind a file is, and what looks for people itself."""

from __future__ import annotations

from stdpose_mm.onnx_session import OnnxSession, start_session

from .learned_network import ONNX_RECORD, LearnedNetwork
from .load_pose_network import PoseNetworkFiles
from .model_zoo import find_network
from .network_description import ONE_STAGE, NetworkDescription
from .one_stage_network import build_onnx_network
from .pose_network import PoseNetwork


def load_onnx(files: PoseNetworkFiles, device: str) -> PoseNetwork:
    """Load a network from an ONNX file: one that has learned from labels, or a described one."""
    session, description = _open(files)
    if description is None:
        return LearnedNetwork(files.path)
    return build_onnx_network(files.path, description, session)


def finds_people(files: PoseNetworkFiles) -> bool:
    """Return whether a network finds people and their joints, so that no detector is needed.

    Raises:
        InputError: If it is an ONNX file that cannot be used, or has an unknown name.
    """
    if files.kind == 'zoo':
        return getattr(find_network(files.file), 'finds_people', False)
    description = _open(files)[1] if files.kind == 'onnx' else None
    return description is not None and description.output in ONE_STAGE


def _open(files: PoseNetworkFiles) -> tuple[OnnxSession | None, NetworkDescription | None]:
    """Open a file and describe the network in it; a learned one has no description."""
    path, preset = files.path, files.companion
    session = start_session(path, 'another pose network') if path.is_file() else None
    if preset is None and session is not None and ONNX_RECORD in session.metadata:
        return session, None
    return session, NetworkDescription.of_network(path, preset, session)
