"""Measure how many labels and clicks the review page needs until its poses are right.

    python -m research.tools.simulate_review val.txt --video-root data/jhmdb_clips

LABELS is a folder of label files, one file, or a text file with one path a line; all frames are
labelled, by one person each. An annotator is simulated who works through the requests of the page
alone, on an unlabelled video. "guided": the middle frame is labelled, and then the frame that the
page asks for, as long as the PCK@0.1 over all frames is below the target; there the joints that
look wrong, further off than 0.05 of the pose's size, are placed, the others accepted as they are.
"uniform": every T-th frame is labelled with all its joints, for the largest T that reaches the
target. Joint-clicks are joints that were placed; a whole pose of K joints costs K.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions, PropagatorOptions
from stdpose_mm.cli.parser import option

if TYPE_CHECKING:
    from research.annotation.review_client import ReviewClient
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.structures import VideoLabels

LOOKS_WRONG = 0.05
INTERVALS = (30, 20, 15, 10, 7, 5, 3, 2, 1)
TARGETS = (0.95, 0.98)
CLIP_LENGTH = 84


@dataclass(frozen=True)
class Effort:
    """Effort of reaching a target.

    Args:
        labels: Person-frames with a label.
        clicks: Joints that were placed.
    """

    labels: int
    clicks: int


@dataclass(kw_only=True)
class SimulateReviewOptions(LabelledVideoOptions, PropagatorOptions):
    """Options of ``simulate_review.py``.

    Args:
        limit: Of the fastest videos, by motion in pose sizes.
    """

    limit: int | None = option(type=positive, metavar='N')


def simulate(args: SimulateReviewOptions) -> None:
    """Simulate both annotators on every video, and print the efforts."""
    from stdpose_mm.apis import VideoPosePropagator
    from stdpose_mm.io.labelled_videos import read_videos
    from stdpose_mm.io.labels import frame_sources

    args.validate()
    propagator = VideoPosePropagator(args.config, args.checkpoint, **args.propagator_arguments)
    truths = sorted(map(Truth, read_videos(args.labels)), key=lambda truth: -truth.motion)
    truths = truths[: args.limit]
    found: dict[tuple[str, float], list[Effort]] = {}
    for truth in truths:
        sources = frame_sources(truth.labels, args.image_root or '', args.video_root)
        video = Path(next(iter(sources.values()))[0])
        guided = label_guided(truth, video, propagator)
        uniform = label_uniform(truth, video, propagator)
        for name, efforts in (('guided', guided), ('uniform', uniform)):
            for target in TARGETS:
                found.setdefault((name, target), []).append(efforts[target])
        print(f'{truth.labels.name}: {len(truth.points)} frames', flush=True)
    num_frames = sum(len(truth.points) for truth in truths)
    print(f'{len(truths)} videos, {num_frames} frames, method {args.method}')
    for (name, target), of_videos in sorted(found.items()):
        labels = sum(effort.labels for effort in of_videos)
        clicks = sum(effort.clicks for effort in of_videos)
        print(
            f'{name}, PCK@0.1 of {target:.0%}: {labels} labels, {clicks} joint-clicks, '
            f'{clicks * CLIP_LENGTH / num_frames:.0f} joint-clicks per {CLIP_LENGTH} frames'
        )


class Truth:
    """Labels of a video with one person, as arrays.

    Args:
        labels: The labels; every frame has one.
    """

    def __init__(self, labels: VideoLabels) -> None:
        from stdpose_mm.evaluation.functional.keypoint_accuracy import pose_sizes

        self.labels = labels
        people = [labels[frame][0] for frame in sorted(labels)]
        self.names = labels.skeleton.keypoint_names
        self.points = np.stack([person.keypoints for person in people])
        self.known = np.stack([person.labelled for person in people])
        self.sizes = pose_sizes(self.points, self.known)
        steps = np.linalg.norm(np.diff(self.points, axis=0), axis=-1)
        both = self.known[1:] & self.known[:-1]
        self.motion = float((steps / self.sizes[1:, None])[both].mean())

    def errors(self, points: np.ndarray) -> np.ndarray:
        """Compute errors [F, K] in pose sizes; NaN where there is no truth."""
        distance = np.linalg.norm(points - self.points, axis=-1) / self.sizes[:, None]
        return np.where(self.known, distance, np.nan)

    def joints(self, frame: int, chosen: np.ndarray) -> dict[str, list[float]]:
        """Name chosen [K] joints of a frame, for an edit."""
        return {self.names[k]: [*self.points[frame, k].tolist(), 2] for k in np.flatnonzero(chosen)}


@contextmanager
def serve(truth: Truth, video: Path, propagator: VideoPosePropagator) -> Iterator[ReviewClient]:
    """Serve an unlabelled video in a thread, and connect to it."""
    from research.annotation.review_client import serve_in_thread
    from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject

    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder)
        inputs = ReviewInputs(video.stem, video, None, None, own / 'p.jsonl', own / 'out.json')
        options = ReviewOptions(skeleton=truth.labels.skeleton)
        project = ReviewProject([inputs], propagator, options)
        with serve_in_thread(project) as client:
            yield client


def label_guided(truth: Truth, video: Path, propagator: VideoPosePropagator) -> dict[float, Effort]:
    """Label the frames that the page asks for until the targets are reached."""
    reached: dict[float, Effort] = {}
    with serve(truth, video, propagator) as client:
        middle = len(truth.points) // 2
        joints = truth.joints(middle, truth.known[middle])
        person = client.edit('add_person', frame=middle, joints=joints)['person']
        labels, clicks = 1, len(joints)
        while True:
            client.settle()
            errors = truth.errors(shown_points(client, len(truth.points)))
            note_reached(reached, errors, Effort(labels, clicks))
            wanted = client.get('/guidance')['next']
            if len(reached) == len(TARGETS) or wanted is None:
                break
            frame = wanted['frame']
            # A joint that is not shown looks wrong, too.
            wrong = truth.known[frame] & ~(errors[frame] <= LOOKS_WRONG)
            if wrong.any():
                joints = truth.joints(frame, wrong)
                client.edit('set_joints', person=person, frame=frame, joints=joints)
            client.edit('accept', person=person, frame=frame)
            labels, clicks = labels + 1, clicks + int(wrong.sum())
    # The page has no more requests.
    return {target: reached.get(target, Effort(labels, clicks)) for target in TARGETS}


def label_uniform(
    truth: Truth, video: Path, propagator: VideoPosePropagator
) -> dict[float, Effort]:
    """Label every T-th frame, T falling until the targets are reached."""
    reached: dict[float, Effort] = {}
    for interval in INTERVALS:
        frames = range(0, len(truth.points), interval)
        with serve(truth, video, propagator) as client:
            joints = truth.joints(0, truth.known[0])
            person = client.edit('add_person', frame=0, joints=joints)['person']
            for frame in frames[1:]:
                joints = truth.joints(frame, truth.known[frame])
                client.edit('set_joints', person=person, frame=frame, joints=joints)
            client.settle(with_guidance=False)
            errors = truth.errors(shown_points(client, len(truth.points)))
        clicks = int(truth.known[list(frames)].sum())
        note_reached(reached, errors, Effort(len(frames), clicks))
        if len(reached) == len(TARGETS):
            break
    return reached


def note_reached(reached: dict[float, Effort], errors: np.ndarray, effort: Effort) -> None:
    """Note the effort of the targets that are reached for the first time."""
    from stdpose_mm.evaluation.functional import CORRECT_WITHIN

    known = ~np.isnan(errors)
    right = float((errors[known] <= CORRECT_WITHIN).mean())
    for target in TARGETS:
        if right >= target:
            reached.setdefault(target, effort)


def shown_points(client: ReviewClient, num_frames: int) -> np.ndarray:
    """Return the poses [F, K, 2] that the page shows; infinitely far off where there is none."""
    shown = []
    for first in range(0, num_frames, 600):
        last = min(first + 599, num_frames - 1)
        frames = client.get('/poses', first=first, last=last)['frames']
        shown += [frames[str(frame)][0]['keypoints'] for frame in range(first, last + 1)]
    poses = np.array(shown, dtype=float)
    return np.where(poses[..., 2:3] > 0, poses[..., :2], np.inf)


main = Command(SimulateReviewOptions, simulate, __doc__, 'simulate_review.py')

if __name__ == '__main__':
    raise SystemExit(main())
