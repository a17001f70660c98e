"""Count the joints that are placed by hand in four views, with and without the other views.

    python -m research.tools.simulate_views --scenes 2

A simulated person labels generated scenes of two people. All views get labels in their middle
frame. Then, as long as a view has fewer right joints (PCK@0.1) than the target, the person goes to
the place that the page suggests in the worst view, drags the joints that are off by more than 0.05
of the pose's size, and accepts the others as they are. There are three ways:
"alone" labels view by view; "times" labels the same pose in the second worst view, too, without a
calibration; "drafts" also accepts what follows from these two in the other views. The person sends
the page's requests; keys are counted as the page would need them.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from research.annotation.review_client import ReviewClient, serve_in_thread
from research.tools.simulate_review import Truth, shown_points
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import fraction, positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.demo import write_views
from stdpose_mm.cli.parser import option
from stdpose_mm.datasets.synthetic import ClipSettings, MultiViewClip, generate_views
from stdpose_mm.evaluation.functional import CORRECT_WITHIN
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject

WAYS = ('alone', 'times', 'drafts')
PAUSE = 0.1
"""Seconds between two looks at whether poses are computed."""


@dataclass(frozen=True, kw_only=True)
class SimulateViewsOptions:
    """Options of ``simulate_views.py``.

    Args:
        scenes: Number of scenes.
        first: Seed of the first scene.
        frames: Their length.
        method: How poses are propagated.
        target: Share of right joints in every view.
        ways: How the views are labelled.
        worst: Go to the pose with the most wrong joints, not where the page suggests.
    """

    scenes: int = option(1, type=positive)
    first: int = option(0, type=int)
    frames: int = option(31, type=positive)
    method: str = option('auto')
    target: float = option(0.95, type=fraction)
    ways: list[str] = option(WAYS, nargs='+', choices=WAYS)
    worst: bool = option(False)


class RequestHand:
    """A person's hand that sends the requests of the page.

    Args:
        clients: A client of each view.

    Attributes:
        counts: Joints that were placed, and keys that were pressed.
    """

    def __init__(self, clients: Sequence[ReviewClient]) -> None:
        self.clients = clients
        self.counts: Counter[str] = Counter()
        self.view = 0
        self.frame = 0
        self._draft: dict[str, Any] | None = None

    @property
    def client(self) -> ReviewClient:
        """The client of the view."""
        return self.clients[self.view]

    @cached_property
    def names(self) -> list[str]:
        """The names of the joints."""
        return self.client.get()['skeleton']['joints']

    def open(self, view: int, frame: int | None) -> None:
        """Open a view, at a frame unless it is None, and wait for its poses."""
        self.view = view
        if frame is not None:
            self.frame = frame
        self.settle()

    def suggested(self) -> tuple[int, int] | None:
        """Go where the page suggests a label; return the frame and the person."""
        self.client.settle(pause=PAUSE)
        place = self.client.get('/guidance')['next']
        if place is None:
            return None
        self.frame = place['frame']
        return place['frame'], place['person']

    def pose(self, person: int) -> dict[str, Any]:
        """Return the pose of a person that the page shows."""
        poses = self.client.get('/poses', first=self.frame, last=self.frame)
        return next(p for p in poses['frames'][str(self.frame)] if p['id'] == person)

    def drafts(self) -> list[dict[str, Any]]:
        """Return the drafts that the page shows."""
        poses = self.client.get('/poses', first=self.frame, last=self.frame)
        return poses['drafts'].get(str(self.frame), [])

    def add(self, places: dict[str, list[float]]) -> int:
        """Add a person by its joints; return its id."""
        self.counts['joints'] += len(places)
        return self.client.edit('add_person', frame=self.frame, joints=places)['person']

    def correct(
        self, person: int, places: dict[str, list[float]], draft: dict[str, Any] | None
    ) -> None:
        """Place joints of a pose, and accept the others as they are.

        Args:
            person: The person.
            places: The joints that are dragged, or placed: [x, y, visibility] by name.
            draft: The draft of the pose, which is thereby accepted; None if there is none.
        """
        self.counts['joints'] += len(places)
        if draft is not None:
            self.counts['keys'] += not places
            self._take(draft, places)
        elif places:
            self.client.edit('set_joints', person=person, frame=self.frame, joints=places)
        if 'p' in self.pose(person)['sources']:
            self.counts['keys'] += 1
            self.client.edit('accept', person=person, frame=self.frame)

    def accept_draft(self, draft: dict[str, Any]) -> int:
        """Accept a draft as it is; return its person."""
        self.counts['keys'] += 1
        return self._take(draft, {})

    def _take(self, draft: dict[str, Any], moved: dict[str, list[float]]) -> int:
        points = zip(self.names, draft['keypoints'], strict=True)
        joints = {name: point[:3] for name, point in points if point[2] > 0}
        fields = {'frame': self.frame, 'joints': {**joints, **moved}, 'draft': draft['id']}
        if draft['person'] is None:
            return self.client.edit('add_person', **fields)['person']
        self.client.edit('set_joints', person=draft['person'], **fields)
        return draft['person']

    def settle(self) -> None:
        """Wait until all poses of the view are computed."""
        self.client.revision = self.client.get()['revision']
        self.client.settle(with_guidance=False, pause=PAUSE)

    def settle_all(self) -> None:
        """Wait until all poses of all views are computed."""
        for client in self.clients:
            client.settle(with_guidance=False, pause=PAUSE)


def simulate(args: SimulateViewsOptions) -> None:
    """Label every scene in each way, and print what was done by hand."""
    total: dict[str, Counter[str]] = {way: Counter() for way in args.ways}
    for seed in range(args.first, args.first + args.scenes):
        settings = ClipSettings(frames=args.frames, people=(2, 2))
        scene = generate_views(seed, 4, settings)
        for way in args.ways:
            total[way] += (counts := label_views(scene, args, way))
            print(f'scene {seed}, {way}: {_describe(counts)}', flush=True)
    for way, counts in total.items():
        print(f'in all, {way}: {_describe(counts)}', flush=True)


def _describe(counts: Counter[str]) -> str:
    return ', '.join(f'{number} {name}' for name, number in sorted(counts.items()))


def label_views(scene: MultiViewClip, args: SimulateViewsOptions, way: str) -> Counter[str]:
    """Label all views until the target is reached; return what was done by hand."""
    truths = [Truth(clip.labels) for clip in scene.clips]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        write_views(scene, folder, args.frames, 0)
        inputs = [
            ReviewInputs(VideoFiles(video, None), video.with_suffix('.jsonl'), folder / video.stem)
            for video in sorted(folder.glob('*.mp4'))
        ]
        cameras = scene.cameras if way == 'drafts' else ()
        options = ReviewOptions(skeleton=truths[0].labels.skeleton, cameras=cameras)
        project = ReviewProject(inputs, VideoPosePropagator(method=args.method), options)
        first = stack.enter_context(serve_in_thread(project))
        clients = [first, *(ReviewClient(first.address, n) for n in range(1, len(truths)))]
        return Annotator(truths, RequestHand(clients), args, way).label()


class Annotator:
    """The simulated person.

    Args:
        truths: What is to be seen in each view.
        hand: Its hand.
        args: The options.
        way: How the views are labelled.
    """

    def __init__(
        self, truths: Sequence[Truth], hand: RequestHand, args: SimulateViewsOptions, way: str
    ) -> None:
        self.truths, self.hand, self.args, self.way = truths, hand, args, way
        self.people: list[list[int]] = []

    def label(self) -> Counter[str]:
        """Label all views until the target is reached; return what was done by hand."""
        hand, args = self.hand, self.args
        for view in range(len(self.truths)):
            self._add_people(view, args.frames // 2)
        while True:
            hand.settle_all()
            errors = [
                truth.errors(shown_points(client, ids, args.frames))
                for truth, client, ids in zip(self.truths, hand.clients, self.people, strict=True)
            ]
            right = [float((e[~np.isnan(e)] <= CORRECT_WITHIN).mean()) for e in errors]
            print(f'{_describe(hand.counts)}: {min(right):.1%} in the worst view', flush=True)
            first, second, *others = np.argsort(right).tolist()
            if right[first] >= args.target:
                return hand.counts
            frame, index = self._choose(first, errors[first])
            hand.counts['poses'] += 1
            self._correct(first, frame, index)
            if self.way != 'alone':
                hand.counts['poses'] += 1
                self._correct(second, frame, index)
            for view in others if self.way == 'drafts' else []:
                hand.open(view, frame)
                if self._draft(view, index) is not None:
                    hand.counts['drafts'] += 1
                    self._correct(view, frame, index)

    def _choose(self, view: int, errors: np.ndarray) -> tuple[int, int]:
        """Go to the place to label next in a view; return its frame and the person's number."""
        self.hand.open(view, None)
        place = None if self.args.worst else self.hand.suggested()
        if place is not None:
            return place[0], self.people[view].index(place[1])
        if not self.args.worst:
            self.hand.counts['nothing suggested'] += 1
        truth = self.truths[view]
        wrong = (truth.known & ~(errors <= truth.tolerance)).sum(axis=2)
        frame, index = np.unravel_index(wrong.argmax(), wrong.shape)
        self.hand.open(view, int(frame))
        return int(frame), int(index)

    def _add_people(self, view: int, frame: int) -> None:
        """Label everybody in a frame for the first time."""
        truth = self.truths[view]
        self.hand.open(view, frame)
        self.people.append([])
        for index, known in enumerate(truth.known[frame]):
            draft = self._draft(view, index, frame) if self.way == 'drafts' else None
            if draft is not None:
                self.hand.counts['drafts'] += 1
                self.people[view].append(self.hand.accept_draft(draft))
                self._correct(view, frame, index)
                continue
            self.people[view].append(self.hand.add(truth.joints(frame, index, known)))

    def _draft(self, view: int, index: int, frame: int = 0) -> dict[str, Any] | None:
        """Find the draft of a person; a new person is known by where it is."""
        drafts = self.hand.drafts()
        if index < len(self.people[view]):
            person = self.people[view][index]
            return next((draft for draft in drafts if draft['person'] == person), None)
        points = [np.array(draft['keypoints'], float) for draft in drafts]
        away = [
            np.linalg.norm(self.truths[view].points[frame] - at[:, :2], axis=2)[:, at[:, 2] > 0]
            for at in points
        ]
        nearest = [distances.mean(axis=1).argmin() for distances in away]
        return drafts[nearest.index(index)] if index in nearest else None

    def _correct(self, view: int, frame: int, index: int) -> None:
        """Put right the joints of a pose that look wrong, and accept the others."""
        hand, truth, person = self.hand, self.truths[view], self.people[view][index]
        hand.open(view, frame)
        shown = np.array(hand.pose(person)['keypoints'], float)
        draft = self._draft(view, index) if self.way == 'drafts' else None
        if draft is not None:
            drafted = np.array(draft['keypoints'], float)
            shown = np.where(drafted[:, 2:3] > 0, drafted, shown)
        wrong = truth.wrong((frame, index), shown)
        hand.correct(person, truth.joints(frame, index, wrong), draft)


main = Command(SimulateViewsOptions, simulate, __doc__, 'simulate_views.py')

if __name__ == '__main__':
    raise SystemExit(main())
