"""Selection of the share of videos that is held out from training, by their names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from stdpose_mm.errors import InputError

from .coco import video_name

HELD_OUT = ('exclude', 'only')


def select_held_out(
    files: Sequence[str], share: float, held_out: str, owner: str = ''
) -> list[str]:
    """Select the label files of the videos that are held out, or of all others.

    A video is held out if a hash of its name, uniform in 0..1, lies below the share. So added or
    removed videos change nothing for the others, the order of the files does not matter, and a
    larger share includes all videos of a smaller one.

    Args:
        files: Label files, one per video, named after it.
        share: Share of the videos to hold out, 0 <= share < 1; with 0 all videos are selected.
        held_out: ``'exclude'``: select all but the held-out videos; ``'only'``: only these.
        owner: Who needs the labels, to name in an error.

    Returns:
        The selected files in their order.

    Raises:
        InputError: If an argument is not as described, or no video is left.
    """
    if not 0 <= share < 1:
        raise InputError(f'held_out_share must be at least 0 and less than 1, got {share}')
    if held_out not in HELD_OUT:
        raise InputError(f'held_out must be one of {HELD_OUT}, got {held_out!r}')
    if share == 0:
        return list(files)
    selected = [f for f in files if (_place(video_name(f)) < share) == (held_out == 'only')]
    if not selected:
        raise InputError(
            f'held_out_share={share:g} with held_out={held_out!r} leaves none of the {len(files)} '
            f'videos{f" of {owner}" if owner else ""}, give more videos or another share'
        )
    return selected


def _place(name: str) -> float:
    """Hash a name to a number in 0..1."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], 'big') / 2**64
