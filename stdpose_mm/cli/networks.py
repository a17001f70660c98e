"""List the networks that --pose and --detector take by name, fetch or check their files.

    stdpose networks
    stdpose networks fetch human person
    stdpose networks fetch all
    stdpose networks check

Files that were fetched are used without a connection. See docs/guide/own_network.md.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.atomic import write_text
from stdpose_mm.text import counted

from .command import Command
from .parser import argument

LIST, FETCH, CHECK = 'list', 'fetch', 'check'

_TERMS = (
    'The licence of all networks is Apache-2.0. The data that they were trained on have terms of '
    'their own: those with a * are for non-commercial use only.'
)

_TIMED_RUNS = 5
"""Number of pictures of which the median time is told."""


@dataclass(frozen=True, kw_only=True)
class NetworksOptions:
    """Options of ``stdpose networks``.

    Args:
        action: List the networks, fetch the files of some, or compare those on this machine with
            what was published or, where no SHA-256 is known, with what was first used, and measure
            how long each takes for a picture, which the list then says.
        names: Names of networks to fetch; ``all`` stands for all but those of MMPose's model zoo.
    """

    action: str = argument(
        '{list,fetch,check}', nargs='?', choices=(LIST, FETCH, CHECK), default=LIST
    )
    names: list[str] = argument('NAME', nargs='*', default=[])


def run(options: NetworksOptions) -> None:
    """List, fetch or check networks.

    Raises:
        InputError: If a name is unknown or missing, or a file cannot be fetched or is not the
            expected one.
    """
    if (options.action == FETCH) != bool(options.names):
        raise InputError(
            f'networks {options.action} got {counted(len(options.names), "name")}, give names such '
            'as human and person, or all, to `stdpose networks fetch`, and none to the others'
        )
    actions = {LIST: _show, FETCH: _fetch, CHECK: _check}
    actions[options.action](options.names)


def _published() -> dict[str, Any]:
    """Pose networks and detectors that need no PyTorch, by name and alias."""
    from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS
    from stdpose_mm.labelling.evidence.published_networks import PUBLISHED

    return {**PUBLISHED, **PUBLISHED_DETECTORS}


def _show(names: list[str]) -> None:
    """Print one line for each network, beginning with those that have an alias."""
    from stdpose_mm.io.downloads import mark_non_commercial
    from stdpose_mm.labelling.evidence.model_zoo import read_model_zoo

    usable = {name: model for name, model in read_model_zoo().items() if model.is_usable}
    networks: dict[str, Any] = {**_published(), **usable}
    rows = []
    for network in dict.fromkeys(networks.values()):
        name, *others = network.names
        aliases = ', '.join(alias for alias in others if networks[alias.lower()] == network)
        path = network.path
        size = f'{path.stat().st_size / 1e6:.1f} MB here' if path.is_file() else ''
        record = _time_record(network)
        time_here = record.read_text('utf-8', 'replace').strip() if record.is_file() else ''
        fields = (aliases, network.dataset, network.size, size, time_here, network.kind, name)
        rows.append((*fields, mark_non_commercial(network.trained_on)))
    rows.sort(key=lambda row: not row[0])
    header = ('alias', 'joints', 'height x width', 'file', 'picture', 'kind', 'name', 'trained on')
    for row in [header, *rows]:
        print('{:<20} {:<20} {:<14} {:<13} {:<9} {:<6} {:<16} {}'.format(*row))
    print(_TERMS)


def _fetch(names: list[str]) -> None:
    """Fetch the files of some networks, those that are missing."""
    from stdpose_mm.detection.detector_files import PUBLISHED_DETECTORS
    from stdpose_mm.labelling.evidence.model_zoo import find_network

    if 'all' in names:
        names = [network.name for network in dict.fromkeys(_published().values())]
    detectors = PUBLISHED_DETECTORS
    networks = [detectors.get(name.lower()) or find_network(name) for name in names]
    for network in dict.fromkeys(networks):
        print(f'{network.names[0]}: {network.fetch()}', flush=True)


def _check(names: list[str]) -> None:
    """Compare the files that are here with the published ones, and time them; name all wrong."""
    wrong = []
    for network in dict.fromkeys(_published().values()):
        if not network.path.is_file():
            continue
        try:
            # This compares a file that is here with the published one.
            network.fetch()
            milliseconds = f'{_measure(network):.1f} ms'
        except InputError as error:
            wrong.append(str(error))
        else:
            # A folder that others prepared may be read-only.
            with suppress(InputError):
                write_text(_time_record(network), f'{milliseconds}\n')
            print(
                f'{network.names[0]}: {network.path} is as published, {milliseconds} for a '
                'picture of 1280x720 with one person',
                flush=True,
            )
    if wrong:
        raise InputError('; '.join(wrong))


def _time_record(network: Any) -> Path:
    """Return the file beside a network that holds its time on this machine, once measured."""
    return network.path.with_suffix('.ms')


def _measure(network: Any) -> float:
    """Measure how many milliseconds a published network takes for a person in a picture.

    Raises:
        InputError: If it cannot be used.
    """
    import numpy as np

    from stdpose_mm.detection import build_person_detector
    from stdpose_mm.labelling.evidence.published_networks import PublishedNetwork

    finds_poses = isinstance(network, PublishedNetwork)
    model: Any = network.load() if finds_poses else build_person_detector(network.name)
    box = np.array([[500.0, 100, 200, 500]])
    times = []
    for _ in range(1 + _TIMED_RUNS):
        picture = np.full((720, 1280, 3), 114, np.uint8)
        began = time.perf_counter()
        model.find([picture], box) if finds_poses else model(picture)
        times.append(time.perf_counter() - began)
    # The first run prepares those after it.
    return 1000 * median(times[1:])


main = Command(NetworksOptions, run, __doc__, 'stdpose networks')
