"""Split labelled videos into training and held-out videos, without dividing a group.

    python tools/dataset_converters/split_videos.py LABELS OUT --group-by source_group

Clips of one film or camera look alike, so a group is never divided between the two. The command
writes ``OUT/train.txt`` and ``OUT/val.txt``, which datasets and metrics take as ``ann_file``.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from stdpose_mm.cli.argument_types import fraction, positive, seed
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.errors import InputError
from stdpose_mm.text import counted


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """Options of ``split_videos.py``.

    Args:
        labels: Folder with one label file per video.
        out: Folder for train.txt and val.txt.
        group_by: Field of the label files' info that names the group (default: each video is its
            own group).
        group_letters: Merge groups whose names agree in the first N letters.
        val_share: Share of the videos to hold out (default: 1/3).
        seed: Seed of the choice.
    """

    labels: str = argument('LABELS')
    out: Path = argument('OUT', writes=True, is_folder=True, files=('train.txt', 'val.txt'))
    group_by: str | None = option(metavar='FIELD')
    group_letters: int | None = option(type=positive, metavar='N')
    val_share: float | None = option(type=fraction)
    seed: int = option(0, type=seed)


def split(options: SplitOptions) -> None:
    """Write both lists and print how many videos and groups each holds."""
    import numpy as np

    from stdpose_mm.io.labels import find_label_files, write_label_list

    share = 1 / 3 if options.val_share is None else options.val_share
    files = find_label_files(options.labels)
    groups: dict[str, list[str]] = defaultdict(list)
    for file in files:
        groups[group_of(file, options.group_by)[: options.group_letters]].append(file)
    names = sorted(groups)
    if len(names) < 2:
        raise InputError(
            f'{options.labels} holds {counted(len(names), "group")} of videos, expected at least 2 '
            'to split'
        )
    np.random.default_rng(options.seed).shuffle(names)
    sizes = np.cumsum([len(groups[name]) for name in names])
    # The number of whole groups that comes nearest to the share, with at least one on each side.
    held_out = 1 + int(np.abs(sizes[:-1] - share * len(files)).argmin())
    for split_name, chosen in (('train', names[held_out:]), ('val', names[:held_out])):
        members = sorted(file for name in chosen for file in groups[name])
        write_label_list(options.out / f'{split_name}.txt', members)
        print(
            f'{options.out / split_name}.txt: {counted(len(members), "video")} of '
            f'{counted(len(chosen), "group")}'
        )


def group_of(file: str, field: str | None) -> str:
    """Return the group that a label file names in its info, or the file's own name."""
    if field is None:
        return Path(file).name
    from stdpose_mm.io.labels import read_posetrack18

    info = read_posetrack18(file).extra.get('info')
    if not isinstance(info, dict) or not isinstance(info.get(field), str):
        raise InputError(f'{file} has no text in info.{field}, give another field to --group-by')
    return info[field]


main = Command(SplitOptions, split, __doc__, 'split_videos.py')

if __name__ == '__main__':
    raise SystemExit(main())
