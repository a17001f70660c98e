"""List the networks that --pose and --detector take by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .command import Command


@dataclass(frozen=True, kw_only=True)
class NetworksOptions:
    """Options of ``stdpose networks``: there are none."""


def show(options: NetworksOptions) -> None:
    """Print one line for each network, beginning with those that have an alias."""
    from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS
    from stdpose_mm.pose_networks.model_zoo import read_model_zoo
    from stdpose_mm.pose_networks.published_networks import PUBLISHED

    networks: dict[str, Any] = {**PUBLISHED, **PUBLISHED_DETECTORS, **read_model_zoo()}
    rows = []
    for network in filter(lambda network: network.is_usable, dict.fromkeys(networks.values())):
        name, *others = network.names
        aliases = ', '.join(alias for alias in others if networks[alias.lower()] == network)
        here = 'here' if network.path.is_file() else ''
        rows.append((aliases, network.dataset, network.size, here, network.kind, name))
    rows.sort(key=lambda row: not row[0])
    for row in [('alias', 'data set', 'height x width', 'files', 'kind', 'name'), *rows]:
        print('{:<20} {:<20} {:<14} {:<5} {:<6} {}'.format(*row))


main = Command(NetworksOptions, show, __doc__, 'stdpose networks')
