"""Pose networks by name: those of MMPose's model zoo, and those that are published as ONNX files.

Their files are fetched when needed.
"""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar

from stdpose_mm.checkpoint_files import cached_checkpoint, fetch_checkpoint
from stdpose_mm.errors import InputError, note, require_packages
from stdpose_mm.io.disk.file_names import find_installed_config, installed_repositories
from stdpose_mm.text import either

from .load_pose_network import PoseNetworkFiles
from .pose_network import PoseNetwork
from .published_networks import PUBLISHED, PublishedNetwork, find_published

_USABLE = ('rtmpose', 'simcc', 'topdown_heatmap')
"""Folders of MMPose's configs whose models ``MMPoseNetwork`` can run."""


@dataclass(frozen=True)
class ZooModel:
    """Model of MMPose's zoo, as a metafile describes it.

    Args:
        names: Its name and its aliases.
        config: Its config, which comes with MMPose.
        url: Address of its weights.
        dataset: Data set whose joints it finds.
        trained_on: Data sets that it was trained on.
    """

    kind: ClassVar = 'MMPose'

    names: tuple[str, ...]
    config: Path
    url: str
    dataset: str
    trained_on: str

    @classmethod
    def from_fields(cls, folder: Path, fields: dict[str, Any]) -> ZooModel:
        """Read an entry of a metafile, whose config is relative to ``folder``."""
        trained_on = fields['Metadata']['Training Data']
        return cls(
            fields['Names'],
            folder / fields['Config'],
            fields['Weights'],
            fields['Results'][0]['Dataset'],
            trained_on if isinstance(trained_on, str) else ', '.join(trained_on),
        )

    @property
    def is_usable(self) -> bool:
        """Return whether it is a top-down model with heatmaps or SimCC, and has a config."""
        # The algorithm is the name of a folder, as in configs/body_2d_keypoint/rtmpose/coco/.
        return self.config.parent.parent.name in _USABLE and self.config.is_file()

    @property
    def size(self) -> str:
        """Return height x width of its input."""
        return re.findall(r'\d+x\d+', self.names[0])[-1]

    @property
    def path(self) -> Path:
        """Return the path at which its weights are cached once they are fetched."""
        return cached_checkpoint(self.url)

    @property
    def download(self) -> tuple[str, Path]:
        """Return the address of its weights, and the path to which the user may copy them."""
        return self.url, self.path

    def fetch(self) -> Path:
        """Return the file of its weights; fetch it first, with a warning, if it is not cached.

        Raises:
            InputError: If it cannot be fetched, or its digest differs from the one in its name.
        """
        file, name = self.path, self.names[0]

        def announce(size: str) -> None:
            note(
                f'fetching the weights of {name} ({size}) to {file}; licence of MMPose: '
                f'Apache-2.0; training data (with their own terms): {self.trained_on}'
            )

        if not file.is_file():
            advice = (
                'fetch that file elsewhere, and give it as --pose-checkpoint with --pose-config '
                f'{self.config.stem}'
            )
            fetch_checkpoint(self.url, file, advice, announce)
        return file


def read_model_zoo() -> dict[str, ZooModel]:
    """Read the models that come with MMPose, by name and alias in lower case; none without it."""
    if not all(map(importlib.util.find_spec, ('torch', 'mmpose'))):
        return {}
    from stdpose_mm.engine.config_files import read_metafiles

    zoo: dict[str, ZooModel] = {}
    for folder in installed_repositories('mmpose'):
        for fields in read_metafiles(folder):
            for name in fields['Names']:
                # If several models share a name, MMEngine's inferencers take the first one, too.
                zoo.setdefault(name.lower(), ZooModel.from_fields(folder, fields))
    return zoo


def find_network(name: str) -> ZooModel | PublishedNetwork:
    """Find a network by its name or alias, with MMPose as its inferencers do.

    A published network is used where MMPose is not installed or does not know the name.

    Raises:
        InputError: If there is none, or it is not a top-down model with heatmaps or SimCC.
    """
    zoo = read_model_zoo()
    model = zoo.get(name.lower())
    is_usable = model is not None and model.is_usable
    if not is_usable and (not zoo or name.lower() in PUBLISHED):
        return find_published(name)
    if model is None:
        usable = [
            candidate_name for candidate_name, candidate in zoo.items() if candidate.is_usable
        ]
        near = [
            candidate_name for candidate_name in usable if candidate_name.startswith(name.lower())
        ]
        near = [*dict.fromkeys(near + get_close_matches(name.lower(), usable))]
        raise InputError(
            f'there is no {name} in the model zoo of MMPose, give the name of a network such as '
            f'{either(near[:3] or ["human", "animal"])} (`stdpose networks` lists them), or a '
            'config with its checkpoint'
        )
    if not model.is_usable:
        raise InputError(
            f'{name} in the model zoo of MMPose cannot be used, {model.config.name} does not exist '
            'or is not a top-down model with heatmaps or SimCC, give one that `stdpose networks` '
            'lists'
        )
    return model


def load_by_name(files: PoseNetworkFiles, device: str) -> PoseNetwork:
    """Load a network by its name or alias."""
    network = find_network(files.file)
    return network.load() if isinstance(network, PublishedNetwork) else load_mmpose(files, device)


def load_mmpose(files: PoseNetworkFiles, device: str) -> PoseNetwork:
    """Load a model by its name or its config."""
    require_packages(f'pose network {files.file}', 'torch', 'mmpose')
    from .mmpose_network import MMPoseNetwork

    config, checkpoint = files.read_files().values()
    return MMPoseNetwork(config, checkpoint, device)


def zoo_files(files: PoseNetworkFiles, video: str | None) -> dict[str, Path]:
    """List the files of a name, which are fetched; see :meth:`PoseNetworkFiles.read_files`."""
    network = find_network(files.file)
    if isinstance(network, PublishedNetwork):
        return {'0': network.fetch()}
    return {'0': network.config, '1': network.fetch()}


def config_files(files: PoseNetworkFiles, video: str | None) -> dict[str, Path]:
    """List config and weights of a network, see :meth:`PoseNetworkFiles.read_files`."""
    config = files.path
    if not config.is_file():
        config = find_installed_config(files.file, (('mmpose', 'configs'),)) or config
    return {'0': config, '1': Path(files.companion or '')}
