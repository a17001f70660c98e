"""Checkpoints that training runs leave behind."""

from __future__ import annotations

import re
from pathlib import Path

from mmengine.runner import find_latest_checkpoint


def last_checkpoint(work_dir: str) -> str | None:
    """Find the last checkpoint of the runs in a work folder; None if there is none yet.

    A killed run may leave no record, an empty one, or that of a checkpoint that was removed to make
    room for the next one: then the existing checkpoint of the highest step is returned.
    """
    if not Path(work_dir).is_dir():
        return None
    recorded = find_latest_checkpoint(work_dir) or ''
    # The path recorded is absolute: after the folder was moved the file lies beside the record.
    moved = Path(work_dir) / Path(recorded).name
    if moved.is_file():
        return str(moved)
    if Path(recorded).is_file() or '://' in recorded:
        return recorded
    by_step = {
        int(step[1]): str(path)
        for path in Path(work_dir).iterdir()
        if (step := re.fullmatch(r'(?:iter|epoch)_([0-9]+)\.pth', path.name))
    }
    return by_step[max(by_step)] if by_step else None
