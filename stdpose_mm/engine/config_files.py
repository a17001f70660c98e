"""Config files, and errors that say what is wrong with them."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config

from stdpose_mm.errors import InputError, one_line
from stdpose_mm.io.file_kinds import require_config

_WRONG_ENTRY = re.compile(
    r' registry\. |must contain the key "type"|got an unexpected keyword argument|'
    r'missing \d+ required '
)
"""Messages of registries, and of Python, on an entry that names no class or does not fit it."""


def read_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file and merge ``--cfg-options`` into it.

    Raises:
        InputError: If there is no such config, or it or an option cannot be read.
    """
    require_config(path)
    try:
        cfg = Config.fromfile(path)
    # A config is a program that the user wrote: it may fail in every way.
    except Exception as error:
        raise InputError(
            f'config {path} cannot be read ({type(error).__name__}: {one_line(error)}), '
            'correct the file'
        ) from error
    try:
        cfg.merge_from_dict(dict(options or {}))
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f'--cfg-options {options} do not fit {path}: {error}') from error
    return cfg


@contextmanager
def config_mistakes(config: str | Path) -> Iterator[None]:
    """Turn errors of building objects from a config into InputErrors.

    These are names that no registry knows, and settings that a class does not have or misses.
    Every other exception passes.

    Args:
        config: The config file, to name in the sentence.
    """
    try:
        yield
    except (KeyError, TypeError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        built = any(frame.name == 'build_from_cfg' for frame in frames)
        # KeyError shows its text in quotes.
        text = str(error.args[0]) if error.args else ''
        if not built or not _WRONG_ENTRY.search(text):
            raise
        sentence = text.split('. Please check')[0]
        raise InputError(f'config {config}: {sentence}, correct that entry') from error
