"""Checkpoints that training runs leave behind."""

from __future__ import annotations

from pathlib import Path

from mmengine.runner import find_latest_checkpoint


def last_checkpoint(work_dir: str) -> str | None:
    """Find the last checkpoint of the runs in a work folder; None if there is none yet."""
    recorded = find_latest_checkpoint(work_dir)
    if recorded is None:
        return None
    # The path recorded is absolute: after the folder was moved the file lies beside the record.
    moved = Path(work_dir) / Path(recorded).name
    return str(moved) if moved.is_file() else recorded
