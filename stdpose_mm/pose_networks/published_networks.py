"""Networks that the authors of RTMPose publish as ONNX files, by name; they need no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.io.downloads import download_path, fetch
from stdpose_mm.text import either

from .described_network import OnnxPoseNetwork
from .network_description import KNOWN_NETWORKS, PRESETS


@dataclass(frozen=True)
class PublishedNetwork:
    """Row of the table of published networks.

    Args:
        names: Its name and its aliases.
        file: Path of its zip file on the server.
        input_size: (width, height) of its input in pixels.
        trained_on: Data sets that it was trained on.
        preset: Name of the one of ``PRESETS`` that describes a pose network; '' for a detector.
    """

    names: tuple[str, ...]
    file: str
    input_size: tuple[int, int]
    trained_on: str
    preset: str

    @property
    def name(self) -> str:
        """Its name."""
        return self.names[0]

    @property
    def path(self) -> Path:
        """The path at which it is cached once it is fetched."""
        return download_path(self.file)

    def fetch(self) -> Path:
        """Return its ONNX file, see :func:`~stdpose_mm.io.downloads.fetch`."""
        terms = 'licence of MMPose: Apache-2.0; training data (with their own terms): '
        return fetch(self.file, self.name, terms + self.trained_on)

    def load(self) -> OnnxPoseNetwork:
        """Load a pose network; fetch it first if it is missing.

        Raises:
            InputError: If it cannot be fetched or used.
        """
        description = replace(PRESETS[self.preset], input_size=self.input_size)
        network = OnnxPoseNetwork(self.fetch(), description)
        network.name = self.name
        return network


def _read(section: str) -> dict[str, PublishedNetwork]:
    """Read a section of the table, by name and alias."""
    rows: list[dict[str, Any]] = KNOWN_NETWORKS[section]
    networks = [
        PublishedNetwork(
            tuple(row['names']),
            row['file'],
            tuple(row['input_size']),
            KNOWN_NETWORKS['training_data'][row['data']],
            row.get('preset', ''),
        )
        for row in rows
    ]
    return {name: network for network in networks for name in network.names}


PUBLISHED = _read('published')
"""Pose networks by name and alias."""

PUBLISHED_DETECTORS = _read('detectors')
"""Person detectors by name and alias."""


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
            "--pose-tflite), or install stdpose-mm[train] and OpenMMLab's packages for those of "
            "MMPose's model zoo"
        )
    return network
