"""Convert PoseTrack17 label files (annolist JSON) to PoseTrack18 JSON, one file per video.

python tools/dataset_converters/posetrack17_to_posetrack18.py annolists/val annotations/val
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument
from stdpose_mm.errors import InputError
from stdpose_mm.io.disk.file_names import distinct_file_names
from stdpose_mm.text import counted

if TYPE_CHECKING:
    from stdpose_mm.structures import VideoLabels

_SPLITS = {
    'train': ('008838_mpii',),
    'test': ('000342_mpii', '001735_mpii', '003418_mpii', '009473_mpii', '012834_mpii'),
}


@dataclass(frozen=True, kw_only=True)
class ConverterOptions:
    """Options of ``posetrack17_to_posetrack18.py``.

    Args:
        in_dir: Folder with annolist JSON files, gzipped or not.
        out_dir: Folder to write PoseTrack18 JSON files to.
    """

    in_dir: Path = argument('IN_DIR', reads_folder=True)
    out_dir: Path = argument('OUT_DIR', writes=True, is_folder=True, files=('*.json',))


def convert(options: ConverterOptions) -> None:
    """Convert every JSON file in ``in_dir``; nothing is written if one is invalid."""
    from stdpose_mm.io.labels import read_labels, write_posetrack18
    from stdpose_mm.io.labels.label_files import labels_in

    in_dir, out_dir = options.in_dir, options.out_dir
    paths = labels_in(in_dir) if in_dir.is_dir() else []
    if not paths:
        raise InputError(f'{in_dir} holds no .json or .json.gz file, expected those of PoseTrack17')
    videos = [read_labels(path, 'posetrack17') for path in paths]
    listed = {labels.name: posetrack18_name(labels) for labels in videos}
    names = distinct_file_names([known or name for name, known in listed.items()], 'video')
    for labels in videos:
        name = listed[labels.name]
        if name is None:
            name = labels.name
            print(f'{name}: in no sequence list, written without _train or _test', file=sys.stderr)
        write_posetrack18(labels, out_dir / f'{names[name]}.json', official=True)
    print(f'{out_dir}: {counted(len(videos), "file")}')


def posetrack18_name(labels: VideoLabels) -> str | None:
    """Return the PoseTrack18 name of a PoseTrack17 video, which ends in the benchmark's split.

    As in the benchmark's converter, the folder of the pictures tells the sequence, whatever the
    file's name. The split is known only for some sequences (``000342_mpii`` becomes
    ``000342_mpii_test``); the result is None for all others.
    """
    folders = {PurePosixPath(frame.file_name).parent.name for frame in labels.frames}
    number, _, kind = min(folders, default='').partition('_')
    name = f'{number:0>6}_{kind}'
    return next((f'{name}_{split}' for split, names in _SPLITS.items() if name in names), None)


main = Command(ConverterOptions, convert, __doc__, 'posetrack17_to_posetrack18.py')

if __name__ == '__main__':
    sys.exit(main())
