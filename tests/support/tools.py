from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from support.paths import ROOT


def load_tool(name: str, folder: str = 'tools') -> ModuleType:
    """Load the module of a command in ``tools`` or another folder."""
    # Named apart from packages; known by that name, as dataclasses ask for.
    module_name = f'tool_{Path(name).name}'
    spec = importlib.util.spec_from_file_location(module_name, ROOT / folder / f'{name}.py')
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
