"""Count false alarms and misses of what is said about a calibration, with labels that have noise.

    python -m research.tools.check_calibrations --seeds 300 306

Generated scenes of two people, four cameras, pictures of 320x240. The first cameras have labels in
every 15th of 61 frames, with normal errors of some pixels in each coordinate; between them the
poses are straight lines. One of these cameras, and what is wrong with it, are drawn: nothing, its
calibration is turned by one degree about an axis in its picture, its video is exchanged with that
of another camera, or it started some frames later than is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stdpose_mm.cli.argument_types import positive, whole
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import option
from stdpose_mm.datasets.synthetic import ClipSettings, generate_views
from stdpose_mm.labelling.evidence.views import View, correct_cameras
from stdpose_mm.structures import (
    POSETRACK_SKELETON,
    PersonLabel,
    VideoFrame,
    VideoLabels,
    interpolate_pose,
)
from stdpose_mm.structures.camera import Camera

FRAMES, INTERVAL, SCALE = 61, 15, 5
"""Length of the videos, distance of labels, and how much smaller the pictures are drawn, at which
nobody looks."""
SCORE = 0.8
"""Score of poses between labels."""
MISTAKES = ('none', 'turned', 'exchanged', 'late by 3', 'late by 8')


@dataclass(frozen=True, kw_only=True)
class CheckCalibrationsOptions:
    """Options of ``check_calibrations.py``.

    Args:
        seeds: Seeds of the first scene, and of the one after the last.
        noise: Standard deviations of labels, in pixels.
        labelled: Numbers of cameras with labels.
        mistakes: What is wrong.
    """

    seeds: list[int] = option((300, 306), type=whole, nargs=2, metavar=('FIRST', 'END'))
    noise: list[float] = option((2.0, 4.0), nargs='+', type=float)
    labelled: list[int] = option((2, 4), nargs='+', type=positive)
    mistakes: list[str] = option(MISTAKES, nargs='+', choices=MISTAKES)


def check(options: CheckCalibrationsOptions) -> None:
    """Print a table of what is said."""
    scenes = {seed: draw_scene(seed) for seed in range(*options.seeds)}
    print('| mistake | cameras with labels | noise | named | another one named | nothing said |')
    print('|---|--:|--:|--:|--:|--:|')
    for mistake in options.mistakes:
        for labelled in options.labelled:
            for noise in options.noise:
                said: Counter[str] = Counter()
                for seed, scene in scenes.items():
                    rng = np.random.default_rng([seed, labelled, round(10 * noise)])
                    views = [
                        View(camera, label_view(camera, joints, noise, rng, number < labelled))
                        for number, (camera, joints) in enumerate(scene)
                    ]
                    views, words = disturb(views, mistake, labelled, rng)
                    _, sentence = correct_cameras(views)
                    said[judge(sentence, words)] += 1
                counts = ' | '.join(str(said[key]) for key in ('named', 'other', 'nothing'))
                print(f'| {mistake} | {labelled} | {noise:g} px | {counts} |', flush=True)


def judge(sentence: str | None, words: Sequence[str]) -> str:
    """Tell whether a sentence names a mistake by some words, something else, or nothing."""
    if sentence is None:
        return 'nothing'
    return 'named' if words and all(word in sentence for word in words) else 'other'


def draw_scene(seed: int) -> list[tuple[Camera, np.ndarray]]:
    """Generate a scene; return each camera, and the joints [people, F, K, 2] in its pictures."""
    settings = ClipSettings(frames=FRAMES, width=320 // SCALE, height=240 // SCALE, people=(2, 2))
    scene = generate_views(seed, 4, settings)
    larger = np.diag([SCALE, SCALE, 1.0])
    cameras = [
        replace(
            camera,
            size=(SCALE * camera.size[0], SCALE * camera.size[1]),
            matrix=larger @ camera.matrix,
        )
        for camera in scene.cameras
    ]
    return [(camera, camera.project(scene.joints)) for camera in cameras]


def label_view(
    camera: Camera, joints: np.ndarray, noise: float, rng: np.random.Generator, is_labelled: bool
) -> VideoLabels:
    """Label every 15th frame with some noise, and the others by straight lines."""
    persons = []
    given = joints[:, ::INTERVAL] + rng.normal(0, noise, joints[:, ::INTERVAL].shape)
    for person, track in enumerate(given if is_labelled else ()):
        for frame in range(FRAMES):
            at, after = divmod(frame, INTERVAL)
            if not after:
                known, pose = np.isfinite(track[at]).all(axis=1), track[at]
                label = PersonLabel(frame, np.nan_to_num(pose), 2 * known, person)
            else:
                ends = track[at : at + 2]
                pose, known = interpolate_pose(
                    ends, np.isfinite(ends).all(axis=2), after / INTERVAL
                )
                label = PersonLabel(
                    frame,
                    np.nan_to_num(pose),
                    2 * known,
                    person,
                    scores=SCORE * known,
                    source='propagated',
                )
            persons.append(label)
    frames = tuple(map(VideoFrame, range(FRAMES)))
    persons.sort(key=lambda label: (label.frame_index, label.track_id))
    return VideoLabels(camera.name, POSETRACK_SKELETON, frames, tuple(persons))


def disturb(
    views: Sequence[View], mistake: str, labelled: int, rng: np.random.Generator
) -> tuple[list[View], list[str]]:
    """Make a mistake; return the views, and words that name it."""
    views, number = list(views), int(rng.integers(labelled))
    view = views[number]
    if mistake == 'turned':
        angle = rng.uniform(0, 2 * np.pi)
        axis = np.array([np.cos(angle), np.sin(angle), 0])
        views[number] = replace(view, camera=view.camera.turned(np.radians(1.0) * axis))
        return views, ['calibration of', view.camera.name]
    if mistake == 'exchanged':
        other = int(rng.choice([n for n in range(len(views)) if n != number]))
        names = [view.camera.name, views[other].camera.name]
        views[number] = replace(view, camera=views[other].camera)
        views[other] = replace(views[other], camera=view.camera)
        return views, ['exchanged', *names]
    if mistake.startswith('late by'):
        frames = int(mistake.split()[-1])
        # Of two cameras, the other one may be said to be early.
        views[number] = replace(view, start=-frames)
        others = [] if labelled == 2 else [f'{view.camera.name} seems']
        return views, ['seems to have started', *others]
    return views, []


main = Command(CheckCalibrationsOptions, check, __doc__, 'check_calibrations.py')

if __name__ == '__main__':
    raise SystemExit(main())
