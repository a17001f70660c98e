"""Measure what views of one scene gain from each other, on scenes of ``stdpose demo --cameras``.

    python -m research.tools.compare_views scenes/* --labelled 2

The first cameras have the true labels of every 15th frame. In the other frames, poses of ``auto``
alone and those with the other views are compared with the truth; cameras without labels are
compared with ``auto`` from labels of their own. One camera is then disturbed. First, it prints how
far apart the views are that each method makes of the true labels of every view.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.evaluation.functional import keypoint_accuracy, label_sizes
from stdpose_mm.evaluation.functional.scene_accuracy import joint_distances
from stdpose_mm.io.calibration import read_calibration
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.labels.tables import read_scene
from stdpose_mm.labelling.evidence.views import View, check_views, combine_views
from stdpose_mm.labelling.propagation import subsample_labels
from stdpose_mm.structures import VideoLabels
from stdpose_mm.structures.camera import Camera, triangulate

DISTURBED = 1
"""Number of the camera that is disturbed."""


@dataclass(frozen=True, kw_only=True)
class CompareViewsOptions:
    """Options of ``compare_views.py``.

    Args:
        scenes: Folders of scenes.
        labelled: Number of cameras with labels.
        methods: Methods whose views are compared with each other; the last one is then disturbed.
        interval: Distance of labelled frames.
        as_it_is: Disturb no camera.
        cache: Folder that keeps finished work.
    """

    scenes: list[str] = argument('SCENE', nargs='+')
    labelled: int = option(2, type=positive)
    methods: list[str] = option(('auto',), nargs='+', choices=sorted(PROPAGATION_METHODS))
    interval: int = option(15, type=positive)
    as_it_is: bool = option(False)
    cache: Path = option(Path(tempfile.gettempdir(), 'compare_views'))


def turn(view: View) -> View:
    """Turn the calibration of a camera by one degree about its vertical axis."""
    return replace(view, camera=view.camera.turned(np.radians([0, 1.0, 0])))


def exchange_sides(view: View) -> View:
    """Exchange left and right between two labels."""
    order = view.labels.skeleton.flip_indices
    persons = [p.reordered(order) if 15 < p.frame_index < 30 else p for p in view.labels.persons]
    return replace(view, labels=view.labels.with_persons(persons))


def blind(view: View) -> View:
    """Replace the estimates of 20 frames by others of low scores."""
    rng = np.random.default_rng(0)
    size = view.camera.size
    persons = [
        replace(p, keypoints=rng.uniform(0, size, p.keypoints.shape), scores=0.3 * p.labelled)
        if 20 <= p.frame_index < 40 and not p.is_given
        else p
        for p in view.labels.persons
    ]
    return replace(view, labels=view.labels.with_persons(persons))


def distances_apart(cameras: Sequence[Camera], dense: Sequence[VideoLabels]) -> np.ndarray:
    """Compute the distances of joints between labels from the point that fits all views best.

    Returns:
        [2, N] in pixels and in sizes of the pose.
    """
    people = [
        {(p.track_id, p.frame_index): p for p in labels.persons if not p.is_given}
        for labels in dense
    ]
    shared = [at for at in people[0] if all(at in of_view for of_view in people)]
    poses = [[of_view[at] for at in shared] for of_view in people]
    labelled = np.array([[p.labelled for p in of_view] for of_view in poses])
    pixels = np.array([[p.keypoints for p in of_view] for of_view in poses])
    pixels = np.where(labelled.all(axis=0)[..., None], pixels, np.nan)
    flat = pixels.reshape(len(dense), -1, 2)
    points = triangulate(cameras, flat)
    projected = np.stack([camera.project(points) for camera in cameras]).reshape(pixels.shape)
    distances = np.linalg.norm(projected - pixels, axis=3)
    sizes = np.stack([label_sizes(of_view) for of_view in poses])[..., None]
    in_all = np.isfinite(distances)
    return np.stack([distances[in_all], (distances / sizes)[in_all]])


def distances_moved(before: VideoLabels, after: VideoLabels) -> np.ndarray:
    """Compute how far joints between labels moved, in sizes of the pose."""
    poses = {(p.track_id, p.frame_index): p for p in after.persons}
    distances = []
    for person in before.persons:
        if person.has_joint and not person.is_given:
            moved = poses[person.track_id, person.frame_index].keypoints - person.keypoints
            size = label_sizes([person])[0]
            distances.append(np.linalg.norm(moved[person.labelled], axis=1) / size)
    return np.concatenate(distances)


DISTURBANCES: dict[str, Callable[[View], View]] = {
    'as it is': lambda view: view,
    'calibration off by 1 degree': turn,
    'sides exchanged in 14 frames': exchange_sides,
    'blind for 20 frames': blind,
}


def compare(options: CompareViewsOptions) -> None:
    """Print a row for each method, and one for each disturbance."""

    def propagate(method: str, videos: list[Path], number: int, labels: VideoLabels) -> VideoLabels:
        propagator = propagators[method]
        state = propagator.init_state(videos[number], labels, folder=options.cache)
        return propagator.collect_labels(state, propagator.propagate_in_video(state))

    propagators = {method: VideoPosePropagator(method=method) for method in options.methods}
    apart: dict[str, list[np.ndarray]] = {method: [] for method in options.methods}
    loaded = []
    for scene in map(Path, options.scenes):
        cameras = read_calibration(scene / 'calibration.toml')
        truths = [read_labels(scene / 'truth' / f'{camera.name}.json') for camera in cameras]
        videos = [scene / f'{camera.name}.mp4' for camera in cameras]
        sparse = [subsample_labels(truth, options.interval) for truth in truths]
        for method, of_scenes in apart.items():
            fill = partial(propagate, method, videos)
            dense = [fill(*pair) for pair in enumerate(sparse)]
            of_scenes.append(distances_apart(cameras, dense))
        loaded.append((scene, cameras, truths, dense, fill))
    for method, of_scenes in apart.items():
        pixels, sizes = np.concatenate(of_scenes, axis=1)
        print(
            f'{method}: labels of their own in all views end {np.median(pixels):.1f} pixels apart '
            f'(median), {pixels.mean():.1f} (mean, {sizes.mean():.1%} of the size of a pose), '
            f'{(sizes > 0.1).mean():.1%} of them more than a tenth of it'
        )
    print(
        f'{"PCK@0.05 / @0.1":30} labelled: alone, with others; unlabelled: own labels, others; mm'
    )
    for name, disturb in list(DISTURBANCES.items())[: 1 if options.as_it_is else None]:
        rows: dict[str, list[np.ndarray]] = {'alone': [], 'with': [], 'own': [], 'others': []}
        distances, moved = [], []
        for scene, cameras, truths, dense, fill in loaded:
            views = [View(camera, labels) for camera, labels in zip(cameras, dense, strict=True)]
            views[DISTURBED] = disturb(views[DISTURBED])
            hidden = [
                {*truth} - {*truth.labelled_frame_indices[:: options.interval]} for truth in truths
            ]
            before = [view.labels for view in views]
            for number in range(options.labelled, len(views)):
                nobody = views[number].labels.with_persons(())
                views[number] = replace(views[number], labels=nobody)
            views, sentences = check_views(views)
            for sentence in sentences:
                print(f'  {scene.name}: {sentence}')
            after, poses = combine_views(views, fill)
            for number, of_view in enumerate(zip(truths, before, after, hidden, strict=True)):
                truth, alone, fused, frames = of_view
                is_labelled = number < options.labelled
                keys = ('alone', 'with') if is_labelled else ('own', 'others')
                for key, labels in zip(keys, (alone, fused), strict=True):
                    means = keypoint_accuracy([truth], [labels], [frames]).means()
                    rows[key].append(np.array([means['PCK@0.05'], means['PCK@0.1']]))
                if is_labelled:
                    moved.append(distances_moved(alone, fused))
            truth_3d = read_scene(scene / 'truth' / 'scene_3d.csv')
            distances += [1000 * d for d in joint_distances(truth_3d, poses).values()]
        cells = [
            ' / '.join(f'{v:.1f}' for v in np.mean(values, axis=0))
            for values in rows.values()
            if values
        ]
        print(
            f'{name:30} {"  ".join(cells)}  {np.nanmean(np.concatenate(distances)):.0f}; joints '
            f'between labels move by {np.median(np.concatenate(moved)):.1%} of the size (median)',
            flush=True,
        )


main = Command(CompareViewsOptions, compare, __doc__, 'compare_views.py')

if __name__ == '__main__':
    raise SystemExit(main())
