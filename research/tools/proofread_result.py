"""Measure what proofreading a network's result in the browser mends, and how fast.

    PYTHONPATH=tests python -m research.tools.proofread_result VIDEO RESULT LABELS

LABELS has everybody in each frame. A simulated person, who knows them, answers the doubts of the
page in Chromium one after the other, by keys and mouse and at a person's pace: it looks for a
second, accepts a proposal if that makes fewer joints wrong, drags joints that are still wrong, a
second and a half each, and confirms what is right. A joint is wrong if it is farther from its label
than 0.1 of the pose's size. At the end the result is written back, and compared with what it was.
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment
from selenium.webdriver.common.keys import Keys

from research.annotation.review_client import ReviewClient
from stdpose_mm.cli.argument_types import positive, whole
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.constants import PROPAGATION_METHODS
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, label_sizes
from stdpose_mm.io.disk.outputs import changes_file
from stdpose_mm.io.labels import read_labels
from stdpose_mm.structures import PersonLabel, VideoLabels
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.tracking.association import pose_similarities
from support.review_browser import Page, serve, start_browser

LOOK_SECONDS, JOINT_SECONDS = 1.0, 1.5

SCREEN_ERROR = 2
"""Pixels of the screen by which a pointer may miss."""

Right = tuple[np.ndarray, np.ndarray]
"""Right places [K, 2] of a pose, and which of its joints [K] are wrong."""


@dataclass(frozen=True, kw_only=True)
class ProofreadResultOptions:
    """Options of ``proofread_result.py``.

    Args:
        video: The video.
        result: The result of a network.
        labels: The right poses.
        method: Method that proposes places.
        answers: Number of doubts that are answered.
        wait: Seconds that the page has for proposals before the first answer.
    """

    video: Path = argument('VIDEO', type=Path)
    result: Path = argument('RESULT', type=Path)
    labels: Path = argument('LABELS', type=Path)
    method: str = option('auto', choices=tuple(PROPAGATION_METHODS))
    answers: int = option(50, type=positive)
    wait: int = option(0, type=whole)


class TruePoses:
    """Right poses, to compare those of a page with.

    Args:
        labels: The right poses.
        joints: Names of the page's joints.
    """

    def __init__(self, labels: VideoLabels, joints: JointMapping) -> None:
        self._labels, self._joints = labels, joints

    def match(self, frame: int, poses: list[dict[str, Any]]) -> dict[int, Right]:
        """Compare the poses of each person in a frame with the right ones."""
        truth = self._labels[frame] if frame in {*self._labels} else ()
        people = [_label_of(frame, pose) for pose in poses if pose['keypoints'] is not None]
        people = [person for person in people if person.has_joint]
        right = [self._in_order(label) for label in truth]
        if not people or not right:
            return {}
        similar = pose_similarities(people, right, [np.zeros(2)] * len(right))
        pairs = zip(*linear_sum_assignment(similar, maximize=True), strict=True)
        matched = {}
        for row, column in pairs:
            person, label = people[row], right[column]
            if similar[row, column] > 0 and person.track_id is not None:
                apart = np.linalg.norm(person.keypoints - label.keypoints, axis=1)
                wrong = label.labelled & (apart > CORRECT_WITHIN * label_sizes([label])[0])
                matched[person.track_id] = label.keypoints, wrong & person.labelled
        return matched

    def _in_order(self, label: PersonLabel) -> PersonLabel:
        points = self._joints.to_labels(label.keypoints)
        visibility = np.where(self._joints.to_labels(label.labelled), 2, 0)
        return PersonLabel(label.frame_index, points, visibility)


def _label_of(frame: int, pose: Mapping[str, Any]) -> PersonLabel:
    points = np.array(pose['keypoints'])
    return PersonLabel(frame, points[:, :2], points[:, 2], pose['id'])


class Proofreader:
    """A person who answers doubts on the page.

    Args:
        page: The opened page.
        client: Reads what the page shows.
        truth: What the person knows.
        joints: Names of the joints.

    Attributes:
        answers: What was done about the doubts.
        num_wrong_doubts: Number of doubts about poses with a wrong joint.
        num_placed: Number of joints that were placed by hand.
    """

    def __init__(
        self, page: Page, client: ReviewClient, truth: TruePoses, joints: tuple[str, ...]
    ) -> None:
        self._page, self._client, self._truth, self._joints = page, client, truth, joints
        video = client.get()
        self._frames = int(video['frames'])
        self._last_pixel = np.array([video['width'], video['height']]) - 1
        self.answers: Counter[str] = Counter()
        self.num_wrong_doubts = self.num_placed = 0

    def count_wrong(self) -> int:
        """Count the joints of all poses that are wrong."""
        wrong = 0
        for first in range(0, self._frames, 600):
            answer = self._poses(first, first + 599)
            for frame, poses in answer['frames'].items():
                matched = self._truth.match(int(frame), poses).values()
                wrong += sum(int(mask.sum()) for _, mask in matched)
        return wrong

    def answer(self) -> bool:
        """Answer the next doubt; return whether there was one."""
        if (doubt := self._choose()) is None:
            return False
        time.sleep(LOOK_SECONDS)
        person, name = doubt['person'], doubt['id']
        wrong, gained = self._wrong_joints(person, name)
        key = 'y' if not wrong else 'a' if gained > 0 else ''
        if key and not self._edit(key):
            # Other doubts have come meanwhile.
            return True
        self.num_wrong_doubts += bool(wrong)
        what = {'y': 'right as it is', 'a': 'accepted', '': 'placed by hand'}
        self.answers[what[key]] += 1
        if key == 'a':
            wrong = {f: r for f in wrong if (r := self._compare(f, person)) and r[1].any()}
        for frame, (points, mask) in wrong.items():
            for joint in np.flatnonzero(mask):
                self._place(frame, person, int(joint), points[joint])
        return True

    def _poses(self, first: int, last: int) -> dict[str, Any]:
        return dict(self._client.get('/poses', first=first, last=min(last, self._frames - 1)))

    def _compare(self, frame: int, person: int) -> Right | None:
        return self._truth.match(frame, self._poses(frame, frame)['frames'][str(frame)]).get(person)

    def _choose(self) -> dict[str, Any] | None:
        """Go to the next doubt and return it as it is drawn; None if the page has no more."""
        for _ in range(5):
            until = time.monotonic() + 4
            while time.monotonic() < until:
                if (doubt := self._chosen()) is not None:
                    return doubt
                time.sleep(0.1)
            self._page.press(' ')
        return None

    def _chosen(self) -> dict[str, Any] | None:
        if self._page.is_hidden('#joint-hint'):
            return None
        frame, hint = self._page.shown, self._page.text('#joint-hint')
        drawn = self._poses(frame, frame)['drafts'].get(str(frame), [])
        return next((d for d in drawn if f' {d["person"]}: {d["reason"]}' in hint), None)

    def _wrong_joints(self, person: int, doubt: str) -> tuple[dict[int, Right], int]:
        """Return the wrong joints in the frames of a doubt, and how many fewer are if accepted."""
        answer = self._poses(max(0, self._page.shown - 300), self._page.shown + 299)
        wrong, gained = {}, 0
        for key, drafts in answer['drafts'].items():
            frame, poses = int(key), answer['frames'][key]
            draft = next((d for d in drafts if d['id'] == doubt), None)
            right = self._truth.match(frame, poses).get(person)
            if draft is None or right is None:
                continue
            if right[1].any():
                wrong[frame] = right
            pose = next(p for p in poses if p['id'] == person)
            proposed = [
                new if new[2] else old
                for new, old in zip(draft['keypoints'], pose['keypoints'], strict=True)
            ]
            others = [p for p in poses if p['id'] != person]
            after = self._truth.match(frame, [{**pose, 'keypoints': proposed}, *others])
            gained += int(right[1].sum() - after.get(person, right)[1].sum())
        return wrong, gained

    @property
    def _revision(self) -> int:
        return int(self._client.get()['revision'])

    def _edit(self, key: str, *held: str) -> bool:
        """Press a key that edits; return whether it did."""
        before = self._revision
        self._page.press(key, held=held)
        return _is_soon(lambda: self._revision > before)

    def _place(self, frame: int, person: int, joint: int, place: np.ndarray) -> None:
        """Drag a joint; if another one comes along, choose it in the list and click its place."""
        begun, page = time.monotonic(), self._page
        if page.shown != frame:
            page.go_to(frame)
        # What lies outside of the picture is placed at its border.
        place = np.clip(place, 0, self._last_pixel)
        start = np.clip(self._place_of(frame, person, joint), 0, self._last_pixel)
        self._show_places(start, place)
        before = self._revision
        page.pointer(start, np.add(start, place) / 2, place)
        is_dragged = _is_soon(lambda: self._revision > before)
        apart = np.subtract(self._place_of(frame, person, joint), place)
        if np.linalg.norm(apart) > SCREEN_ERROR / page.scale:
            if is_dragged:
                self._edit('z', Keys.CONTROL)
            page.press(*str(person))
            button = f'[data-key="joint {self._joints[joint]}"]'
            page.run('document.querySelector(arguments[0]).click()', button)
            page.press('j')
            self._show_places(place)
            before = self._revision
            page.pointer(place)
            page.wait(lambda: self._revision > before, 'a joint is placed')
            # The page goes on to another frame by itself, unless this is the last one.
            _is_soon(lambda: page.shown != frame)
            page.press('j', Keys.ESCAPE)
        self.num_placed += 1
        time.sleep(max(0.0, JOINT_SECONDS - (time.monotonic() - begun)))

    def _place_of(self, frame: int, person: int, joint: int) -> list[float]:
        poses = self._poses(frame, frame)['frames'][str(frame)]
        return list(next(p for p in poses if p['id'] == person)['keypoints'][joint][:2])

    def _show_places(self, *places: Any) -> None:
        """Wait until the view moves no more; zoom out if it does not show some places."""
        self._wait_for_rest()
        left, top, width, height = self._page.box('#picture')
        for x, y in (self._page.screen_place(*place) for place in places):
            if not (left + 9 < x < left + width - 9 and top + 9 < y < top + height - 9):
                self._page.click('#zoom-fit')
                self._wait_for_rest()
                return

    def _wait_for_rest(self) -> None:
        script, views = 'return document.getElementById("picture").dataset.view', ['']
        while len(views) < 5 or len({*views[-4:]}) > 1:
            time.sleep(0.15)
            views.append(self._page.run(script))


def _is_soon(condition: Callable[[], bool]) -> bool:
    """Wait for up to three seconds until a condition holds; return whether it does."""
    until = time.monotonic() + 3
    while not (holds := condition()) and time.monotonic() < until:
        time.sleep(0.05)
    return holds


def proofread(args: ProofreadResultOptions) -> None:
    """Answer doubts, and print how many joints were wrong before and after."""
    labels, result = read_labels(args.labels), read_labels(args.result)
    mapping = JointMapping.by_meaning(result.skeleton, labels.skeleton)
    assert mapping is not None
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, f'out{"".join(args.result.suffixes)}')
        files = ('--out', out, '--project', Path(folder, 'edits.jsonl'))
        with (
            start_browser(Path(folder)) as browser,
            serve(args.video, args.result, '--proofread', *files, method=args.method) as server,
        ):
            page = Page(browser)
            page.open(server)
            page.wait(lambda: 'doubts left' in page.text('#verdict'), 'the doubts are counted')
            time.sleep(args.wait)
            names = result.skeleton.keypoint_names
            client = ReviewClient(server.address)
            person = Proofreader(page, client, TruePoses(labels, mapping), names)
            before = after = person.count_wrong()
            seconds, begun = 0.0, time.monotonic()
            while person.answers.total() < args.answers and person.answer():
                seconds += time.monotonic() - begun
                answers, after = person.answers.total(), person.count_wrong()
                print(f'{answers} answers in {seconds:.0f} s: {after} joints wrong', flush=True)
                begun = time.monotonic()
            page.press('s', held=[Keys.CONTROL])
            page.wait(out.exists, 'the result is written')
        with open(changes_file(out), newline='') as file:
            changes = [*csv.DictReader(file)]
        different = _differences(result, read_labels(out))
    done = ', '.join(f'{n} {what}' for what, n in person.answers.items())
    total = person.answers.total()
    print(
        f'{before} joints wrong before, {after} after {total} answers ({done}; '
        f'{person.num_placed} joints dragged); {person.num_wrong_doubts} of the doubts were about '
        f'poses with a wrong joint; {seconds:.0f} s, {seconds / total:.1f} s an answer, '
        f'{seconds / max(before - after, 1):.1f} s a mended joint; {len(changes)} joints in the '
        f'list of changes, {len(different)} with other digits in the file'
    )


def _differences(before: VideoLabels, after: VideoLabels) -> set[tuple[int, int]]:
    """Return the poses and joints, by number, that have another place, score or visibility."""
    return {
        (number, joint)
        for number, (old, new) in enumerate(zip(before.persons, after.persons, strict=True))
        for joint in range(len(old.visibility))
        if old.visibility[joint] != new.visibility[joint]
        or (old.keypoints[joint] != new.keypoints[joint]).any()
        or _score_of(old, joint) != _score_of(new, joint)
    }


def _score_of(label: PersonLabel, joint: int) -> float | None:
    return None if label.scores is None else float(label.scores[joint])


main = Command(ProofreadResultOptions, proofread, __doc__, 'proofread_result.py')

if __name__ == '__main__':
    raise SystemExit(main())
