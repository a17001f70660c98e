"""Make a scene for ``compare_views`` of four real cameras: a demo that comes with Pose2Sim.

    pip download --no-deps pose2sim && unzip -d p2s pose2sim-*.whl
    stdpose infer p2s/Pose2Sim/Demo_SinglePerson/videos --out poses/ \
        --pose-onnx weights/movenet.onnx=movenet --detector weights/rtmdet_nano_person.onnx
    python -m research.tools.real_views p2s/Pose2Sim/Demo_SinglePerson poses/ scenes/single

There is no truth. A reference stands for it: the joints that a network's poses in three views or
more agree on, as each view sees them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument
from stdpose_mm.io.calibration import fit_size, write_calibration
from stdpose_mm.io.labels import read_labels, write_labels
from stdpose_mm.io.labels.tables import write_scene
from stdpose_mm.io.video import open_frames
from stdpose_mm.labelling.evidence.views import View, fuse_views, match_people
from stdpose_mm.structures import NOT_LABELLED, VISIBLE, PersonLabel, VideoLabels, is_outside
from stdpose_mm.structures.camera import Camera
from stdpose_mm.structures.scene_poses import ScenePoses

SUBPIXELS = 64
"""Qualisys counts pixels in 64 parts."""


@dataclass(frozen=True, kw_only=True)
class RealViewsOptions:
    """Options of ``real_views.py``.

    Args:
        demo: Folder with ``calibration/*.qca.txt`` and ``videos``.
        poses: Folder with the poses of a network in each video.
        out: Folder of the scene.
    """

    demo: Path = argument('DEMO')
    poses: Path = argument('POSES')
    out: Path = argument('OUT')


def read_qualisys(path: Path) -> list[Camera]:
    """Read the cameras of a calibration of Qualisys; lengths in metres."""
    cameras = []
    for table in ElementTree.parse(path).getroot().iter('camera'):
        fields = {
            key: float(value)
            for part in ('transform', 'intrinsic', 'fov_video')
            for key, value in table.find(part).attrib.items()  # type: ignore[union-attr]
        }
        # Its cameras have y up and look along -z.
        rows = [[fields[f'r{i}{j}'] for j in (1, 2, 3)] for i in (1, 2, 3)]
        rotation = np.diag((1, -1, -1)) @ np.array(rows)
        centre = np.array([fields[axis] for axis in 'xyz']) / 1000
        matrix = np.eye(3)
        for row, axis in enumerate('UV'):
            matrix[row, row] = fields[f'focalLength{axis}'] / SUBPIXELS
            matrix[row, 2] = fields[f'centerPoint{axis}'] / SUBPIXELS
        names = [f'{kind}alDistortion{n}' for kind in ('radi', 'tangent') for n in (1, 2)]
        lens = np.array([fields[name] for name in names])
        size = int(fields['right'] + 1), int(fields['bottom'] + 1)
        name = table.attrib['serial']
        cameras.append(Camera(name, size, matrix, lens, rotation, -rotation @ centre))
    return cameras


def make_scene(options: RealViewsOptions) -> None:
    """Write the calibration, links to the videos, and the reference as ``truth``."""
    (calibration,) = (options.demo / 'calibration').glob('*.qca.txt')
    views = []
    for camera in read_qualisys(calibration):
        (video,) = (options.demo / 'videos').glob(f'{camera.name}.*')
        frames = open_frames(video)
        labels = read_labels(options.poses / f'{camera.name}.json')
        views.append(View(fit_size(camera, video, frames.size), labels))
        options.out.mkdir(parents=True, exist_ok=True)
        link = options.out / video.name
        link.unlink(missing_ok=True)
        link.symlink_to(video.resolve())
    _, scene = fuse_views(views, match_people(views))
    agreed = scene.views > 2
    lasting = np.flatnonzero(agreed.any(axis=2).mean(axis=0) > 0.5)
    points = np.where(agreed[..., None], scene.points, np.nan)[:, lasting]
    people = tuple(range(1, 1 + len(lasting)))
    errors = scene.errors[:, lasting][agreed[:, lasting]]
    print(
        f'{len(lasting)} people; {agreed[:, lasting].mean():.0%} of their joints in three views, '
        f'which are off by {np.median(errors):.1f} pixels (median), {errors.mean():.1f} (mean)'
    )
    scene = ScenePoses(
        scene.skeleton,
        people,
        scene.times,
        points,
        scene.errors[:, lasting],
        scene.views[:, lasting],
    )
    truth = options.out / 'truth'
    truth.mkdir(exist_ok=True)
    write_scene(scene, truth / 'scene_3d.csv', frames.fps or 1, 'm')
    write_calibration([view.camera for view in views], options.out / 'calibration.toml')
    for view in views:
        write_labels(see(view, scene), truth / f'{view.camera.name}.json')


def see(view: View, scene: ScenePoses) -> VideoLabels:
    """Label what a camera sees of a scene."""
    pixels = view.camera.project(scene.points)
    inside = ~is_outside(pixels, view.camera.size)
    persons = [
        PersonLabel(
            frame,
            np.where(inside[frame, column, :, None], pixels[frame, column], 0),
            np.where(inside[frame, column], VISIBLE, NOT_LABELLED),
            track_id=person,
        )
        for frame in scene.times
        for column, person in enumerate(scene.people)
        if inside[frame, column].any()
    ]
    return replace(view.labels, persons=tuple(persons))


main = Command(RealViewsOptions, make_scene, __doc__, 'real_views.py')

if __name__ == '__main__':
    raise SystemExit(main())
