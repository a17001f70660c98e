"""List the pose networks of MMPose that --pose takes by name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stdpose_mm.errors import require_packages

from .command import Command


@dataclass(kw_only=True)
class NetworksOptions:
    """Options of ``stdpose networks``: there are none."""


def show(options: NetworksOptions) -> None:
    """Print one line for each network, beginning with those that have an alias.

    Raises:
        InputError: If MMPose is not installed.
    """
    require_packages('the list of pose networks', 'torch', 'mmpose')
    from stdpose_mm.pose_networks.model_zoo import read_model_zoo

    zoo = read_model_zoo()
    rows = []
    for model in filter(lambda model: model.is_usable, dict.fromkeys(zoo.values())):
        name, *others = model.names
        aliases = ', '.join(alias for alias in others if zoo[alias.lower()] == model)
        size = re.findall(r'\d+x\d+', name)[-1]
        here = 'here' if model.checkpoint.is_file() else ''
        rows.append((aliases, model.dataset, size, here, name))
    rows.sort(key=lambda row: not row[0])
    for row in [('alias', 'data set', 'height x width', 'weights', 'name'), *rows]:
        print('{:<20} {:<20} {:<14} {:<7} {}'.format(*row))


main = Command(NetworksOptions, show, __doc__, 'stdpose networks')
