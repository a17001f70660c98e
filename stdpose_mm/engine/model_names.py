"""Configs of this package by name, as MMPose's inferencers take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.fileio import load

from stdpose_mm.errors import InputError
from stdpose_mm.mmpose_patches import config_folder

MODEL_INDEX = 'model-index.yml'


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
    for model in listed_models(folder):
        if wanted in (known.lower() for known in (model['Name'], *model['Alias'])):
            return folder / model['Config'], model.get('Weights')
    found = [path for path in config_files(folder) if path.stem.lower() == wanted]
    if len(found) > 1:
        raise InputError(
            f'several configs are named {name}: {", ".join(map(str, found))}, give the path of one'
        )
    return (found[0], None) if found else None


def config_files(folder: Path) -> list[Path]:
    """List the configs of models below ``configs`` of a folder, without their parts and studies."""
    root = folder / 'configs'
    return sorted(
        path
        for path in root.rglob('*.py')
        if not {'_base_', 'studies'} & {*path.relative_to(root).parts}
    )


def listed_models(folder: Path) -> list[dict[str, Any]]:
    """Read the models of the metafiles that the index of a folder names; ``Alias`` is a list."""
    if not (folder / MODEL_INDEX).is_file():
        return []
    models = [
        model
        for metafile in load(folder / MODEL_INDEX)['Import']
        for model in load(folder / metafile)['Models']
    ]
    for model in models:
        aliases = model.get('Alias', [])
        model['Alias'] = [aliases] if isinstance(aliases, str) else aliases
    return models
