"""Measure how many labels and clicks the review page needs until its poses are right.

    python -m research.tools.simulate_review val.txt --video-root data/jhmdb_clips

LABELS is a folder of label files, a label file, or a text file with one path a line; everybody is
labelled in all frames. A simulated annotator uses only the requests of the page, and starts with
an unlabelled video. The middle frame is labelled, and then each pose that the page asks for, as
long as the PCK@0.1 over all frames is below the target; in these poses, joints with an error above
0.05 of the pose's size are placed, and the others are accepted. With ``--learn`` the page learns
from the labels whenever it says that this is worthwhile, and the annotator waits for it.
Joint-clicks are joints that were placed; a whole pose of K joints costs K. With ``--frames`` only
an excerpt of the video is worked on, as with Shift+E in the page.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from research.annotation.review_client import ReviewClient, serve_in_thread
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import positive, whole
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import LabelledVideoOptions, PropagatorOptions
from stdpose_mm.cli.parser import option
from stdpose_mm.evaluation.functional import CORRECT_WITHIN
from stdpose_mm.evaluation.functional.keypoint_accuracy import pose_sizes
from stdpose_mm.io.disk.file_names import PICTURE_SUFFIXES
from stdpose_mm.io.labels import frame_sources
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.labelling.comparison.labelled_videos import read_videos
from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject
from stdpose_mm.review_app.video_review import MAX_POSES
from stdpose_mm.structures import VideoLabels

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


@dataclass(frozen=True, kw_only=True)
class SimulateReviewOptions(LabelledVideoOptions, PropagatorOptions):
    """Options of ``simulate_review.py``.

    Args:
        limit: Number of videos, of which the fastest are taken (by motion in pose sizes).
        learn: Let the page learn from the labels.
        video: The video, if the label file names none.
        frames: First and last frame that the annotator works on; by default all of the video.
    """

    limit: int | None = option(type=positive, metavar='N')
    learn: bool = option(False)
    video: Path | None = option(metavar='FILE')
    frames: list[int] | None = option(nargs=2, type=whole, metavar=('FIRST', 'LAST'))


def simulate(args: SimulateReviewOptions) -> None:
    """Simulate the annotator on every video, and print the efforts."""
    args.validate()
    videos = read_videos(args.labels)
    excerpt = None if args.frames is None else range(args.frames[0], args.frames[1] + 1)
    truths = [Truth(labels, excerpt) for labels in videos]
    truths.sort(key=lambda truth: -truth.motion)
    truths = truths[: args.limit]
    efforts = []
    for truth in truths:
        video = args.video
        if video is None:
            sources = frame_sources(truth.labels, args.image_root or '', args.video_root)
            video = Path(next(iter(sources.values()))[0])
        if video.suffix.lower() in PICTURE_SUFFIXES:
            video = video.parent
        # A propagator keeps the network that it has learned from a video.
        propagator = VideoPosePropagator(args.config, args.checkpoint, **args.propagator_arguments)
        efforts.append(label_guided(truth, video, propagator, args.learn))
        print(f'{truth.labels.name}: {len(truth.frames)} frames', flush=True)
    num_frames = sum(len(truth.frames) for truth in truths)
    print(f'{len(truths)} videos, {num_frames} frames, method {args.method}')
    for target in TARGETS:
        labels = sum(of_video[target].labels for of_video in efforts)
        clicks = sum(of_video[target].clicks for of_video in efforts)
        print(
            f'PCK@0.1 of {target:.0%}: {labels} labels, {clicks} joint-clicks, '
            f'{clicks * CLIP_LENGTH / num_frames:.0f} joint-clicks per {CLIP_LENGTH} frames'
        )


class Truth:
    """Labels of P people in all F frames of a video, as arrays.

    Args:
        labels: The labels.
        frames: The frames that are worked on; None for all. Nothing is known about the others.

    Attributes:
        tolerance: Error, in pose sizes, above which a joint is placed.
    """

    tolerance = 0.05

    def __init__(self, labels: VideoLabels, frames: range | None = None) -> None:
        self.frames = frames or range(len(labels.frames))
        inside = [person for person in labels.persons if person.frame_index in self.frames]
        self.labels = labels.with_persons(inside)
        tracks = self.labels.tracks()
        shape = len(labels.frames), len(tracks), labels.skeleton.num_keypoints
        self.points = np.zeros((*shape, 2))
        self.known = np.zeros(shape, bool)
        for index, track in enumerate(tracks.values()):
            for frame, person in track.items():
                self.points[frame, index] = person.keypoints
                self.known[frame, index] = person.labelled
        self.names = labels.skeleton.keypoint_names
        flat = pose_sizes(self.points.reshape(-1, *shape[2:], 2), self.known.reshape(-1, shape[2]))
        self.sizes = flat.reshape(shape[:2])
        here = slice(self.frames.start, self.frames.stop)
        points, known, sizes = self.points[here], self.known[here], self.sizes[here]
        steps = np.linalg.norm(np.diff(points, axis=0), axis=-1)
        self.motion = float((steps / sizes[1:, :, None])[known[1:] & known[:-1]].mean())

    def errors(self, points: np.ndarray) -> np.ndarray:
        """Compute errors [F, P, K] in pose sizes; NaN where there is no truth."""
        distance = np.linalg.norm(points - self.points, axis=-1) / self.sizes[..., None]
        return np.where(self.known, distance, np.nan)

    def wrong(self, place: tuple[int, int], shown: np.ndarray) -> np.ndarray:
        """Return which joints [K] of a shown pose [K, 3 or more] the annotator places."""
        errors = np.linalg.norm(shown[:, :2] - self.points[place], axis=-1) / self.sizes[place]
        wrong: np.ndarray = self.known[place] & ~((shown[:, 2] > 0) & (errors <= self.tolerance))
        return wrong

    def joints(self, frame: int, person: int, chosen: np.ndarray) -> dict[str, list[float]]:
        """Map names of chosen [K] joints of a person in a frame to positions, for an edit."""
        places = self.points[frame, person]
        return {self.names[k]: [*places[k].tolist(), 2] for k in np.flatnonzero(chosen)}


@contextmanager
def serve(truth: Truth, video: Path, propagator: VideoPosePropagator) -> Iterator[ReviewClient]:
    """Serve an unlabelled video in a thread, in a project that is deleted afterwards."""
    options = ReviewOptions(skeleton=truth.labels.skeleton)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = ReviewInputs(VideoFiles(video, None), root / 'p.jsonl', root / 'out.json')
        with serve_in_thread(ReviewProject([files], propagator, options)) as client:
            yield client


def label_guided(
    truth: Truth, video: Path, propagator: VideoPosePropagator, learn: bool
) -> dict[float, Effort]:
    """Label the poses that the page asks for until the targets are reached."""
    reached: dict[float, Effort] = {}
    with serve(truth, video, propagator) as client:
        if len(truth.frames) < len(truth.points):
            client.set_excerpt(truth.frames[0], truth.frames[-1])
        middle = truth.frames[len(truth.frames) // 2]
        people, clicks = add_people(truth, client, middle)
        labels = len(people)
        while True:
            client.settle()
            if learn:
                learn_in_page(client)
            errors = truth.errors(shown_points(client, people, len(truth.points), truth.frames))
            effort = Effort(labels, clicks)
            right = note_reached(reached, errors, effort)
            while (guidance := client.get('/guidance'))['measuring']:
                client.settle()
            advice = {key: guidance[key] for key in ('right', 'labels_needed', 'good_enough')}
            print(
                f'{labels} labels, {clicks} joint-clicks: {right:.1%} right; {advice}', flush=True
            )
            wanted = guidance['next']
            if len(reached) == len(TARGETS) or wanted is None:
                break
            frame, person = wanted['frame'], wanted['person']
            place = frame, people.index(person)
            # A joint that is not shown also looks wrong.
            wrong = truth.known[place] & ~(errors[place] <= truth.tolerance)
            if wrong.any():
                joints = truth.joints(*place, wrong)
                client.edit('set_joints', person=person, frame=frame, joints=joints)
            client.edit('accept', person=person, frame=frame)
            labels, clicks = labels + 1, clicks + int(wrong.sum())
    # The page has no more requests: use the total effort for targets that were not reached.
    return {target: reached.get(target, Effort(labels, clicks)) for target in TARGETS}


def add_people(truth: Truth, client: ReviewClient, frame: int) -> tuple[list[int], int]:
    """Label everybody in a frame for the first time; return their ids and the joint-clicks."""
    people = []
    for person, labelled in enumerate(truth.known[frame]):
        joints = truth.joints(frame, person, labelled)
        people.append(client.edit('add_person', frame=frame, joints=joints)['person'])
    return people, int(truth.known[frame].sum())


def learn_in_page(client: ReviewClient) -> None:
    """Let the page learn if it says that this is worthwhile, and wait for the new poses."""
    if client.get('/guidance')['learning']['worthwhile']:
        client.learn()
        client.settle()
        print(client.get('/guidance')['learning']['message'], flush=True)


def note_reached(reached: dict[float, Effort], errors: np.ndarray, effort: Effort) -> float:
    """Store the effort for targets that are reached for the first time; return the PCK@0.1."""
    known = ~np.isnan(errors)
    right = float((errors[known] <= CORRECT_WITHIN).mean())
    for target in TARGETS:
        if right >= target:
            reached.setdefault(target, effort)
    return right


def shown_points(
    client: ReviewClient, people: Sequence[int], num_frames: int, frames: range | None = None
) -> np.ndarray:
    """Return the poses [F, P, K, 2] that the page shows, infinite where there is none.

    Args:
        client: The page.
        people: P of its people.
        num_frames: Number of frames F of the video.
        frames: The frames that are asked for; None for all.
    """
    frames = frames or range(num_frames)
    shown = []
    for first in range(frames.start, frames.stop, MAX_POSES):
        last = min(first + MAX_POSES, frames.stop) - 1
        poses = client.get('/poses', first=first, last=last)['frames']
        for frame in range(first, last + 1):
            by_id = {pose['id']: pose['keypoints'] for pose in poses[str(frame)]}
            shown.append([by_id[person] for person in people])
    joints = np.array(shown, dtype=float)
    points = np.full((num_frames, *joints.shape[1:3], 2), np.inf)
    points[frames] = np.where(joints[..., 2:3] > 0, joints[..., :2], np.inf)
    return points


main = Command(SimulateReviewOptions, simulate, __doc__, 'simulate_review.py')

if __name__ == '__main__':
    raise SystemExit(main())
