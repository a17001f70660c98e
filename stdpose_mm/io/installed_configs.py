"""Configs that come with installed packages of OpenMMLab."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path


def find_installed_config(
    name: str | os.PathLike[str], places: Iterable[tuple[str, str]]
) -> Path | None:
    """Find a config by its name, with or without ``.py``.

    Args:
        name: The name. With a folder before it, ``./`` too, it names one file: another one of the
            same name may be of another network.
        places: Packages, each with a folder of its configs.

    Returns:
        The first file of that name; None if there is none, or the name has a folder.
    """
    if Path(name).name != os.fspath(name):
        return None
    stem = os.fspath(name).removesuffix('.py')
    for package, folder in places:
        spec = importlib.util.find_spec(package)
        for root in getattr(spec, 'submodule_search_locations', None) or ():
            # Beside the package where it was installed from its repository for development.
            for place in (Path(root, '.mim', folder), Path(root).parent / folder):
                found = sorted(place.rglob(f'{stem}.py'))
                if found:
                    return found[0]
    return None
