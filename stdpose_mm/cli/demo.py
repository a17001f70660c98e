"""Make a short clip with sparse labels, to try the other commands on.

    stdpose demo example
    stdpose demo session --cameras 4

FOLDER gets a generated video of two people, clip.mp4, and labels of every 7th frame, labels.json.
With several cameras, it gets a video of each, cam1.mp4, ..., with calibration.toml, labels of every
15th frame of the first two in labels, and the true joints of all frames in truth.
The commands to try next are printed.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stdpose_mm.errors import InputError

from .command import Command
from .parser import argument, option

if TYPE_CHECKING:
    from stdpose_mm.datasets.synthetic import MultiViewClip

SEED, FRAMES, INTERVAL = 2, 30, 7
"""With this seed, two people run and kick, and each is always in the picture."""
VIEW_FRAMES, VIEW_INTERVAL, LABELLED_VIEWS = 61, 15, 2
"""Length of the videos of several cameras, distance of their labels, and cameras that have any."""


@dataclass(frozen=True, kw_only=True)
class DemoOptions:
    """Options of ``stdpose demo``.

    Args:
        folder: New folder for the clip and its labels.
        cameras: Number of cameras around the people.
    """

    folder: Path = argument('FOLDER', writes=True, is_folder=True)
    cameras: int = option(1, metavar='N')


def make_example(options: DemoOptions) -> None:
    """Write the clip and its labels, and print what to run next.

    Raises:
        InputError: If the folder holds files, or there is no such number of cameras.
    """
    folder = options.folder
    if folder.is_dir() and os.listdir(folder):
        raise InputError(f'{folder} holds files, give a new folder')
    from stdpose_mm.datasets.synthetic import ClipSettings, generate_clip, generate_views
    from stdpose_mm.datasets.synthetic.motion import FRAMES_PER_SECOND
    from stdpose_mm.io.disk.atomic import atomic_folder
    from stdpose_mm.io.labels import write_labels
    from stdpose_mm.io.video import write_video
    from stdpose_mm.labelling.propagation import subsample_labels
    from stdpose_mm.text import counted, ranges

    if options.cameras != 1:
        settings = ClipSettings(frames=VIEW_FRAMES, people=(2, 2))
        views = generate_views(SEED, options.cameras, settings)
        with atomic_folder(folder) as temporary:
            write_views(views, temporary, VIEW_INTERVAL, LABELLED_VIEWS)
        label_folder, calibration = folder / 'labels', folder / 'calibration.toml'
        inputs = [str(folder), str(label_folder), '--calibration', str(calibration)]
        out = ['--out', str(folder / 'dense')]
        print(
            f'{folder}: the same two generated people from {options.cameras} cameras\n'
            f'{label_folder}: their joints in every {VIEW_INTERVAL}th frame of {LABELLED_VIEWS}\n\n'
            'Propagate the labels to all frames of all cameras:\n'
            f'  {shlex.join(["stdpose", "propagate", *inputs, *out])}\n'
            'Look at two cameras at once in the browser, and correct the poses:\n'
            f'  {shlex.join(["stdpose", "review", *inputs])}'
        )
        return
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


def write_views(views: MultiViewClip, folder: Path, interval: int, num_labelled: int) -> None:
    """Write the videos of all cameras, their calibration and truth, and labels of some of them.

    Args:
        views: The generated videos.
        folder: Folder to write to.
        interval: Distance of the frames that have labels.
        num_labelled: Number of cameras that have labels, the first ones.
    """
    import numpy as np

    from stdpose_mm.datasets.synthetic.motion import FRAMES_PER_SECOND
    from stdpose_mm.io.calibration import write_calibration
    from stdpose_mm.io.labels import write_labels
    from stdpose_mm.io.labels.tables import write_scene
    from stdpose_mm.io.video import write_video
    from stdpose_mm.labelling.propagation import subsample_labels
    from stdpose_mm.structures import POSETRACK_SKELETON
    from stdpose_mm.structures.scene_poses import ScenePoses

    write_calibration(views.cameras, folder / 'calibration.toml')
    for number, clip in enumerate(views.clips):
        name = clip.labels.name
        write_video(folder / f'{name}.mp4', clip.frames, FRAMES_PER_SECOND)
        write_labels(clip.labels, folder / 'truth' / f'{name}.json')
        if number < num_labelled:
            labels = subsample_labels(clip.labels, interval)
            write_labels(labels, folder / 'labels' / f'{name}.json')
    joints = views.joints.swapaxes(0, 1)
    shape = joints.shape[:3]
    truth = ScenePoses(
        POSETRACK_SKELETON,
        tuple(range(shape[1])),
        range(shape[0]),
        joints,
        np.zeros(shape),
        np.full(shape, len(views.cameras)),
    )
    write_scene(truth, folder / 'truth' / 'scene_3d.csv', FRAMES_PER_SECOND, 'm')


main = Command(DemoOptions, make_example, __doc__, 'stdpose demo')
