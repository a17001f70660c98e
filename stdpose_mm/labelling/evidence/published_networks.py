"""Networks that are published as ONNX files, by name; they need no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from stdpose_mm.errors import InputError, installation_command
from stdpose_mm.io.downloads import PublishedFile
from stdpose_mm.text import either

from .described_network import OnnxPoseNetwork
from .network_description import KNOWN_NETWORKS, ONE_STAGE, PRESETS
from .one_stage_network import build_onnx_network


@dataclass(frozen=True)
class PublishedNetwork(PublishedFile):
    """A published pose network.

    Args:
        preset: Name of the one of ``PRESETS`` that describes it.
    """

    preset: str

    @property
    def dataset(self) -> str:
        """The joint set that it finds, one of ``JOINT_SETS``."""
        return self.preset.partition('-')[2]

    @property
    def finds_people(self) -> bool:
        """Whether it finds people and their joints, so that no detector is needed."""
        return PRESETS[self.preset].output in ONE_STAGE

    def load(self) -> OnnxPoseNetwork:
        """Load it; fetch it first if it is missing.

        Raises:
            InputError: If it cannot be fetched or used.
        """
        description = replace(PRESETS[self.preset], input_size=self.input_size)
        network = build_onnx_network(self.fetch(), description)
        network.name = self.name
        return network


def _read_table() -> dict[str, PublishedNetwork]:
    rows: list[dict[str, Any]] = KNOWN_NETWORKS['published']
    networks = [
        PublishedNetwork(
            tuple(row['names']),
            row['file'],
            tuple(row['input_size']),
            KNOWN_NETWORKS['training_data'][row['data']],
            row['preset'],
            sha256=row.get('sha256'),
            project=row.get('project', 'MMPose'),
        )
        for row in rows
    ]
    return {name: network for network in networks for name in network.names}


PUBLISHED = _read_table()
"""Pose networks by name and alias."""


def find_published(name: str) -> PublishedNetwork:
    """Find a published pose network by its name or alias.

    Raises:
        InputError: If there is none.
    """
    network = PUBLISHED.get(name.lower())
    if network is None:
        near = get_close_matches(name.lower(), PUBLISHED) or ['human', 'animal']
        raise InputError(
            f'there is no {name} among the published networks, give the name of one such as '
            f'{either(near)} (`stdpose networks` lists them), a network in a file (--pose-onnx, '
            f"--pose-tflite), or run `{installation_command('train')}` and install OpenMMLab's "
            "packages for those of MMPose's model zoo"
        )
    return network
