"""Configs of this package by name, as MMPose's inferencers take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.fileio import load

import stdpose_mm
from stdpose_mm.errors import InputError

MODEL_INDEX = 'model-index.yml'


def config_folder() -> Path:
    """Return the folder that holds ``configs``: the repository, or ``.mim`` of the package."""
    package = Path(stdpose_mm.__file__).parent
    installed = package / '.mim'
    return installed if installed.is_dir() else package.parent


def find_model(name: str) -> tuple[Path, str | None] | None:
    """Find the config of a model of this package.

    Args:
        name: A name or alias in a metafile of ``configs``, or the name of any config file there
            without its suffix. Case does not count.

    Returns:
        The config, and its weights if the metafile has any; None if there is no such model.

    Raises:
        InputError: If several config files have that name.
    """
    folder = config_folder()
    wanted = name.lower()
    for model in _listed_models(folder):
        aliases = model.get('Alias', [])
        aliases = [aliases] if isinstance(aliases, str) else aliases
        if wanted in (known.lower() for known in (model['Name'], *aliases)):
            return folder / model['Config'], model.get('Weights')
    found = [path for path in (folder / 'configs').rglob('*.py') if path.stem.lower() == wanted]
    found = [path for path in found if '_base_' not in path.parts]
    if len(found) > 1:
        raise InputError(
            f'several configs are named {name}: {", ".join(map(str, sorted(found)))}, give the '
            'path of one'
        )
    return (found[0], None) if found else None


def _listed_models(folder: Path) -> list[dict[str, Any]]:
    if not (folder / MODEL_INDEX).is_file():
        return []
    return [
        model
        for metafile in load(folder / MODEL_INDEX)['Import']
        for model in load(folder / metafile)['Models']
    ]
