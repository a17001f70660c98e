"""Make a short clip with sparse labels, to try the other commands on.

    stdpose demo example

FOLDER gets a generated video of two people, clip.mp4, and labels of every 7th frame, labels.json.
The commands to try next are printed.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from stdpose_mm.errors import InputError

from .command import Command
from .parser import argument

SEED, FRAMES, INTERVAL = 2, 30, 7
"""With this seed, two people run and kick, and each is always in the picture."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Options of ``stdpose demo``.

    Args:
        folder: New folder for the clip and its labels.
    """

    folder: Path = argument('FOLDER', writes=True, is_folder=True)


def make_example(options: DemoOptions) -> None:
    """Write the clip and its labels, and print what to run next.

    Raises:
        InputError: If the folder holds files.
    """
    folder = options.folder
    if folder.is_dir() and os.listdir(folder):
        raise InputError(f'{folder} holds files, give a new folder')
    from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip
    from stdpose_mm.datasets.synthetic.motion import FRAMES_PER_SECOND
    from stdpose_mm.io.disk.atomic import atomic_folder
    from stdpose_mm.io.labels import write_labels
    from stdpose_mm.io.video import write_video
    from stdpose_mm.labelling.propagation import subsample_labels
    from stdpose_mm.text import counted, ranges

    clip = generate_clip(SEED, ClipSettings(frames=FRAMES, people=(2, 2)), 'clip')
    labels = subsample_labels(clip.labels, INTERVAL)
    with atomic_folder(folder) as temporary:
        write_video(temporary / 'clip.mp4', clip.frames, FRAMES_PER_SECOND)
        write_labels(labels, temporary / 'labels.json')
    labelled_frames = sorted({person.frame_index for person in labels.persons})
    video, label_file, dense, overlay, report = (
        str(folder / name)
        for name in ('clip.mp4', 'labels.json', 'dense.json', 'overlay.mp4', 'report.html')
    )
    propagate = ['propagate', video, label_file, '--out', dense]
    propagate += ['--save-video', overlay, '--report', report]
    print(
        f'{video}: {counted(len(clip.frames), "frame")} of two generated people\n'
        f'{label_file}: their joints in frames {ranges(labelled_frames)}\n\n'
        'Propagate the labels to all frames, then look at overlay.mp4 and report.html:\n'
        f'  {shlex.join(["stdpose", *propagate])}\n'
        'Look at the poses in the browser, and correct them:\n'
        f'  {shlex.join(["stdpose", "review", video, label_file])}'
    )


main = Command(DemoOptions, make_example, __doc__, 'stdpose demo')
