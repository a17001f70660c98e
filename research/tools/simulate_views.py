"""Count the joints that are placed by hand in four views, with and without the other views.

    python -m research.tools.simulate_views --scenes 2

A simulated annotator uses only the requests of the page, on generated scenes of two people. As
long as a view has fewer right joints (PCK@0.1) than the target, the pose with the most joints off
by more than 0.05 of its size is corrected, in the worst view; other joints are accepted as they
are. With the other views, the same pose is then corrected in the second worst view, and the drafts
that follow in the others are accepted, but for joints that are off.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from research.annotation.review_client import ReviewClient, serve_in_thread
from research.tools.simulate_review import Truth, add_people, shown_points
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import fraction, positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.demo import write_views
from stdpose_mm.cli.parser import option
from stdpose_mm.datasets.synthetic import ClipSettings, MultiViewClip, generate_views
from stdpose_mm.evaluation.functional import CORRECT_WITHIN
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject


@dataclass(frozen=True, kw_only=True)
class SimulateViewsOptions:
    """Options of ``simulate_views.py``.

    Args:
        scenes: Number of scenes.
        frames: Their length.
        method: How poses are propagated.
        target: Share of right joints in every view.
    """

    scenes: int = option(2, type=positive)
    frames: int = option(61, type=positive)
    method: str = option('auto')
    target: float = option(0.95, type=fraction)


def simulate(args: SimulateViewsOptions) -> None:
    """Label every scene both ways, and print the joints that were placed."""
    total = np.zeros(2, int)
    for seed in range(args.scenes):
        settings = ClipSettings(frames=args.frames, people=(2, 2))
        scene = generate_views(seed, 4, settings)
        total += (of_scene := [label_views(scene, args, way) for way in (False, True)])
        print(f'scene {seed}: {of_scene[0]} joints by hand, {of_scene[1]} with the other views')
    print(f'in all: {total[0]} joints by hand, {total[1]} with the other views', flush=True)


def label_views(scene: MultiViewClip, args: SimulateViewsOptions, use_others: bool) -> int:
    """Label all views until the target is reached; return how many joints were placed by hand."""
    truths = [Truth(clip.labels) for clip in scene.clips]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        write_views(scene, folder, args.frames, 0)
        inputs = [
            ReviewInputs(VideoFiles(video, None), video.with_suffix('.jsonl'), folder / video.stem)
            for video in sorted(folder.glob('*.mp4'))
        ]
        cameras = scene.cameras if use_others else ()
        options = ReviewOptions(skeleton=truths[0].labels.skeleton, cameras=cameras)
        project = ReviewProject(inputs, VideoPosePropagator(method=args.method), options)
        first = stack.enter_context(serve_in_thread(project))
        clients = [first, *(ReviewClient(first.address, n) for n in range(1, len(truths)))]
        middle, placed, people = args.frames // 2, 0, []
        for truth, client in zip(truths, clients, strict=True):
            drafts = drafts_in(client, middle) if use_others else []
            if len(drafts) == len(truth.known[middle]):
                for person, draft in enumerate(sorted(drafts, key=lambda d: d['id'])):
                    placed += correct(truth, client, (middle, person), None, draft)
                people.append(client.get()['persons'])
            else:
                ids, clicks = add_people(truth, client, middle)
                people.append(ids)
                placed += clicks
        while True:
            errors = []
            for truth, client, ids in zip(truths, clients, people, strict=True):
                client.settle(with_guidance=False)
                errors.append(truth.errors(shown_points(client, ids, args.frames)))
            right = [float((e[~np.isnan(e)] <= CORRECT_WITHIN).mean()) for e in errors]
            print(f'{placed} joints by hand: {min(right):.1%} right in the worst view', flush=True)
            order = np.argsort(right)
            if right[order[0]] >= args.target:
                return placed
            wrong = is_wrong(truths[order[0]], errors[order[0]]).sum(axis=2)
            place = np.unravel_index(wrong.argmax(), wrong.shape)
            for rank, view in enumerate(order if use_others else order[:1]):
                truth, client, person = truths[view], clients[view], people[view][place[1]]
                drafts = [d for d in drafts_in(client, int(place[0])) if d['person'] == person]
                if rank < 2 or drafts:
                    shown = drafts[0] if drafts else shown_pose(client, int(place[0]), person)
                    placed += correct(truth, client, place, person, shown)


def is_wrong(truth: Truth, errors: np.ndarray) -> np.ndarray:
    """Tell which joints look wrong; a joint that is not shown does, too."""
    return truth.known & ~(errors <= truth.tolerance)


def drafts_in(client: ReviewClient, frame: int) -> list[dict]:
    """Return the drafts of a frame."""
    return client.get('/poses', first=frame, last=frame)['drafts'].get(str(frame), [])


def shown_pose(client: ReviewClient, frame: int, person: int) -> dict:
    """Return the pose of a person that the page shows in a frame."""
    poses = client.get('/poses', first=frame, last=frame)['frames'][str(frame)]
    return next(pose for pose in poses if pose['id'] == person)


def correct(
    truth: Truth,
    client: ReviewClient,
    place: Sequence[int],
    person: int | None,
    shown: dict,
) -> int:
    """Accept a draft or a pose, but for joints that are off, which are placed; return how many."""
    frame, index = map(int, place)
    points = np.array(shown['keypoints'])
    away = np.linalg.norm(points[:, :2] - truth.points[frame, index], axis=1)
    is_good = (points[:, 2] > 0) & (away <= truth.tolerance * truth.sizes[frame, index])
    wrong = truth.known[frame, index] & ~is_good
    kept = {truth.names[k]: points[k, :3].tolist() for k in np.flatnonzero(is_good)}
    joints = {**kept, **truth.joints(frame, index, wrong)}
    fields = {'draft': shown['id']} if isinstance(shown['id'], str) else {}
    if person is None:
        client.edit('add_person', frame=frame, joints=joints, **fields)
    else:
        client.edit('set_joints', person=person, frame=frame, joints=joints, **fields)
    return int(wrong.sum())


main = Command(SimulateViewsOptions, simulate, __doc__, 'simulate_views.py')

if __name__ == '__main__':
    raise SystemExit(main())
