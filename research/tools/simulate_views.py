"""Count the joints that are placed by hand in four views, with and without the other views.

    python -m research.tools.simulate_views --scenes 2
    PYTHONPATH=tests python -m research.tools.simulate_views --browser --ways alone drafts

A simulated person labels generated scenes of two people. All views get labels in their middle
frame. Then, as long as a view has fewer right joints (PCK@0.1) than the target, the person goes to
the place that the page suggests in the worst view, drags the joints that are off by more than 0.05
of the pose's size, and accepts the others as they are. There are three ways:
"alone" labels view by view; "times" labels the same pose in the second worst view, too, without a
calibration; "drafts" also accepts what follows from these two in the other views. The person sends
the page's requests, and only the keys that accept are counted; with ``--browser`` it uses the page
in Chromium, with the pointer and all keys.
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
from selenium.webdriver.common.keys import Keys

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
        browser: Use the page in Chromium.
    """

    scenes: int = option(1, type=positive)
    first: int = option(0, type=int)
    frames: int = option(31, type=positive)
    method: str = option('auto')
    target: float = option(0.95, type=fraction)
    ways: list[str] = option(WAYS, nargs='+', choices=WAYS)
    worst: bool = option(False)
    browser: bool = option(False)


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
            self._take(draft, places)
        elif places:
            self.client.edit('set_joints', person=person, frame=self.frame, joints=places)
        if 'p' in self.pose(person)['sources']:
            self.counts['keys'] += 1
            self.client.edit('accept', person=person, frame=self.frame)

    def accept_draft(self, draft: dict[str, Any]) -> int:
        """Accept a draft as it is; return its person."""
        return self._take(draft, {})

    def _take(self, draft: dict[str, Any], moved: dict[str, list[float]]) -> int:
        self.counts['keys'] += not moved
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


_READ = """
const done = arguments[arguments.length - 1];
Promise.all(['state', 'stage'].map((name) => import(`/static/${name}.js`)))
  .then(([{ state }, { drafts, skeletons }]) => done(FUNCTION(state, skeletons, drafts)));
"""

_REACH = 16
"""Pixels of the screen within which the pointer finds a joint of a draft."""

_OFF, _TRIES = 3, 3
"""Pixels of the picture by which a joint that was put somewhere may be off, and how often it is put
there before the page is at fault."""

_SHOWN = """(s, k, d) => [s.poses?.at(s.shown) ?? [], d.open].map((of_kind) =>
  of_kind.map(({ id, keypoints }) => [id, keypoints.map((point) => point.slice(0, 2))]))
"""


class BrowserHand(RequestHand):
    """A person's hand on the keys and the pointer of the page in Chromium.

    Args:
        clients: A client of each view, by which the hand waits for poses.
        page: The page, a ``support.review_browser.Page`` of the tests.
        has_second: Whether another view is beside the picture.
    """

    def __init__(self, clients: Sequence[ReviewClient], page: Any, has_second: bool) -> None:
        super().__init__(clients)
        self.page, self.has_second = page, has_second
        page.browser.get(f'{self.client.address}#video=0&frame=0')
        self._wait_for('(s) => s.video?.id', 0)
        # The view stays where it is while poses change.
        page.press('Z')

    def _read(self, function: str) -> Any:
        """Read the state, the skeletons or the drafts of the page."""
        return self.page.browser.execute_async_script(_READ.replace('FUNCTION', f'({function})'))

    def _wait_for(self, function: str, value: object) -> None:
        self.page.wait(lambda: self._read(function) == value, f'{function} is {value}')

    def _press(self, *keys: str) -> None:
        self.counts['keys'] += len(keys)
        self.page.press(*keys)

    def _point(self, *places: Sequence[float] | np.ndarray) -> None:
        """Press at a place of the picture, move over the others, and let go."""
        self.counts['joints'] += 1
        self.page.pointer(*map(tuple, places))

    def _choose_in_list(self, box: str, key: str) -> None:
        self.counts['names clicked'] += 1
        self.page.click(f'#{box} [data-key="{key}"]')

    def open(self, view: int, frame: int | None) -> None:
        if view != self.view and self.has_second:
            beside = 'return document.getElementById("second-choice").value'
            while self.page.run(beside) != str(view):
                self._press('V')
            self._press('C')
            self._wait_for('(s) => s.video?.id', view)
        while view != self.view:
            step = 1 if view > self.view else -1
            self.view += step
            if not self.has_second:
                self._press(Keys.PAGE_DOWN if step > 0 else Keys.PAGE_UP)
                self._wait_for('(s) => s.video?.id', self.view)
        if frame is not None and self._read('(s) => s.frame') != frame:
            self._press('f', *str(frame), Keys.ENTER)
            self.page.run('document.getElementById("picture").focus()')
        self.settle()

    def suggested(self) -> tuple[int, int] | None:
        place = super().suggested()
        suggestions = self.client.get('/guidance')['suggestions']
        self._wait_for('(s) => !s.guidance?.computing && s.guidance?.suggestions', suggestions)
        if place is None:
            return None
        self._press('n')
        self.settle()
        return self.frame, self._read('(s) => s.person')

    def settle(self) -> None:
        """Wait until all poses of the view are computed, and the page shows them."""
        self._wait_for('(s) => s.waiting', 0)
        super().settle()
        self.frame = self._read('(s) => s.frame')
        self._wait_for('(s) => s.shown', self.frame)
        poses = self.client.get('/poses', first=self.frame, last=self.frame)
        of_kinds = (poses[kind].get(str(self.frame), []) for kind in ('frames', 'drafts'))
        shown = [
            [[pose['id'], [point[:2] for point in pose['keypoints']]] for pose in of_kind]
            for of_kind in of_kinds
        ]
        self._wait_for(_SHOWN, shown)

    def add(self, places: dict[str, list[float]]) -> int:
        before = {*self._read('(s) => s.persons')}
        self._press('i')
        for name in self.names:
            if name in places:
                self._point(places[name][:2])
            else:
                self._press('n')
        self._wait_for('(s) => s.placing', None)
        self.settle()
        (person,) = {*self._read('(s) => s.persons')} - before
        return person

    def correct(
        self, person: int, places: dict[str, list[float]], draft: dict[str, Any] | None
    ) -> None:
        if draft is not None:
            self._take(draft, {})
        left = places
        for _ in range(_TRIES):
            for name, place in left.items():
                self._put(person, name, place[:2])
            self.settle()
            pose = self.pose(person)
            # Poses may have been computed between a look and the hand.
            left = {name: place for name, place in left.items() if self._is_off(pose, name, place)}
            if not left:
                break
        else:
            raise AssertionError(f'the page does not take {left}, but has {pose}')
        if 'p' in pose['sources']:
            self._choose(person)
            self._press('a')
            self.settle()

    def _choose(self, person: int) -> None:
        """Choose a person, and neither a joint nor a draft, which keys would mean."""
        if self._read('(s) => s.draft ?? s.joint') is not None:
            self._press(Keys.ESCAPE)
        if self._read('(s) => s.person') != person:
            self._press(str(person))

    def _put(self, person: int, name: str, place: Sequence[float]) -> None:
        """Drag a joint, or place it by its name if it is nowhere or under another joint."""
        joint = self.names.index(name)
        self._choose(person)
        pose = self._read(f'(s) => s.poses.of(s.shown, {person})')
        *start, visibility = pose['keypoints'][joint][:3]
        if visibility and self._is_under(start, person, joint):
            self._point(start, np.add(start, place) / 2, place)
        else:
            self._choose_in_list('joints', f'joint {name}')
            self._press('r')
            self._point(place)
            self._press(Keys.ESCAPE)
        self._wait_for('(s) => s.waiting', 0)

    def _is_off(self, pose: dict[str, Any], name: str, place: Sequence[float]) -> bool:
        """Tell whether a joint is elsewhere than it was put."""
        away = np.subtract(pose['keypoints'][self.names.index(name)][:2], place[:2])
        return bool(np.hypot(*away) > _OFF)

    def _is_under(self, place: Sequence[float], person: int, joint: int) -> bool:
        """Tell whether the pointer takes what is at a place for a joint, and for no draft."""
        self.page.point_at(*self.page.screen_place(*place))
        points = [point for draft in self.drafts() for point in draft['keypoints'] if point[2]]
        away = [np.hypot(*np.subtract(point[:2], place)) for point in points]
        hovered = self._read('(s, k) => k.hovered && [k.hovered.person, k.hovered.joint]')
        return hovered == [person, joint] and min(away, default=np.inf) * self.page.scale > _REACH

    def _take(self, draft: dict[str, Any], moved: dict[str, list[float]]) -> int:
        before = {*self._read('(s) => s.persons')}
        self._choose_in_list('drafts', draft['id'])
        self._press('a')
        # The page asks for the joints that the draft leaves empty.
        self._wait_for('(s, k, d) => d.isAsking', False)
        if self._read('(s) => s.placing !== null'):
            self._press(Keys.ESCAPE)
        self.settle()
        new = {*self._read('(s) => s.persons')} - before
        return draft['person'] if draft['person'] is not None else new.pop()


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
        hand = RequestHand(clients)
        if args.browser:
            from support.review_browser import Page, start_browser

            browser = start_browser(folder)
            stack.callback(browser.quit)
            hand = BrowserHand(clients, Page(browser), has_second=way == 'drafts')
        return Annotator(truths, hand, args, way).label()


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
