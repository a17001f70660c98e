"""Print the installed versions, for problem reports."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec

from .command import Command

OPENCV = ('opencv-python', 'opencv-python-headless')
PACKAGES = ('av', 'numpy', 'onnxruntime', *OPENCV, 'scipy', 'shapely', 'stdpose-mm')


@dataclass(frozen=True, kw_only=True)
class EnvOptions:
    """Options of ``stdpose env``: there are none."""


def show(options: EnvOptions) -> None:
    """Print the system, Python and package versions; MMPose adds those of OpenMMLab and CUDA."""
    versions = {'System': platform.platform(), 'Python': platform.python_version()}
    for distribution in distributions():
        if distribution.metadata['Name'] in PACKAGES:
            versions[distribution.metadata['Name']] = distribution.version
    if find_spec('mmpose') is not None:
        from mmpose.utils import collect_env

        versions = {**collect_env(), **versions}
    for name, value in versions.items():
        print(f'{name}: {value}')


main = Command(EnvOptions, show, __doc__, 'stdpose env')
