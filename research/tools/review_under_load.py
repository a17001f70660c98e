"""Measure the review page while somebody labels at a person's pace.

    python -m research.tools.review_under_load VIDEO LABELS

LABELS has everybody in each frame. A simulated annotator starts without labels and goes where the
page asks for a label: it looks at the pose, places each joint that is off by more than 0.05 of the
pose's size, and accepts the others, until the page says that the poses are good enough, for
``--minutes`` at most; with ``--every``, all that time. Another process keeps one core busy
meanwhile, unless ``--idle``. Each second the page is asked for its verdict. A verdict is outdated
by the first label that it does not include; its age is the time since then. The annotator waits
from a label until the page names the next one.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from research.annotation.review_client import ReviewClient
from research.tools.simulate_review import TARGETS, Truth, add_people, serve, shown_points
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import minutes, positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import PropagatorOptions
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.evaluation.functional import CORRECT_WITHIN
from stdpose_mm.io.labels import read_labels

LOOK_SECONDS, JOINT_SECONDS = 1.0, 1.5
"""Time that looking at a pose and placing a joint take."""


@dataclass(frozen=True, kw_only=True)
class ReviewUnderLoadOptions(PropagatorOptions):
    """Options of ``review_under_load.py``.

    Args:
        video: The video.
        labels: Its label file.
        every: Seconds from one label to the next (default: 1, and 1.5 for each joint to place).
        minutes: How long labels are made.
        idle: Keep no core busy.
        frames: Number of frames to label, from the first one on; the others are not worked on.
    """

    video: Path = argument('VIDEO', type=Path)
    labels: Path = argument('LABELS', type=Path)
    every: int | None = option(type=positive)
    minutes: float = option(10.0, type=minutes)
    idle: bool = option(False)
    frames: int = option(300, type=positive)


def label_under_load(args: ReviewUnderLoadOptions) -> None:
    """Label, and print the age of the verdict with each label, and the largest one."""
    labels = read_labels(args.labels)
    truth = Truth(labels, frames=range(min(args.frames, len(labels.frames))))
    propagator = VideoPosePropagator(args.config, args.checkpoint, **args.propagator_arguments)
    busy = multiprocessing.get_context('spawn').Process(target=_keep_busy, daemon=True)
    if not args.idle:
        busy.start()
    with serve(truth, args.video, propagator) as client:
        client.set_excerpt(truth.frames[0], truth.frames[-1])
        people, joints = add_people(truth, client, len(truth.frames) // 2)
        begun = time.monotonic()
        # When each number of labels was reached.
        edits = {len(people): begun}
        oldest, first, waited = 0.0, None, 0.0
        chosen: tuple[int, int, np.ndarray] | None = None
        wanted_since, due = begun, begun
        answers: list[float] = []
        while (now := time.monotonic()) < begun + 60 * args.minutes:
            guidance = client.get('/guidance')
            answers.append(time.monotonic() - now)
            now = time.monotonic()
            newer = [when for number, when in edits.items() if number > guidance['labels_judged']]
            age, right = now - min(newer, default=now), guidance['right']
            if right is not None:
                first = first or now
                oldest = max(oldest, age)
            if guidance['good_enough'] and not args.every:
                break
            # A person who reads that enough is right waits for the verdict on all labels.
            is_done = guidance['computing'] and right and right[0] >= TARGETS[0] and not args.every
            if chosen is None and guidance['next'] and not is_done:
                waited += now - wanted_since
                frame, person = guidance['next']['frame'], guidance['next']['person']
                poses = client.get('/poses', first=frame, last=frame)['frames'][str(frame)]
                (shown,) = (np.array(pose['keypoints']) for pose in poses if pose['id'] == person)
                wrong = truth.wrong((frame, people.index(person)), shown)
                chosen = frame, person, wrong
                due = now + (args.every or LOOK_SECONDS + JOINT_SECONDS * int(wrong.sum()))
            elif chosen is not None and now >= due:
                frame, person, wrong = chosen
                if wrong.any():
                    placed = truth.joints(frame, people.index(person), wrong)
                    client.edit('set_joints', person=person, frame=frame, joints=placed)
                client.edit('accept', person=person, frame=frame)
                joints += int(wrong.sum())
                labels_made = len(people) + len(edits)
                edits[labels_made] = wanted_since = time.monotonic()
                chosen = None
                is_tenth = labels_made % 10 == 0
                truly = f', true {_true_share(truth, client, people):.1%}' if is_tenth else ''
                advised = 'is' if guidance['learning']['worthwhile'] else 'is not'
                print(
                    f'{now - begun:5.0f} s: label {labels_made}, {joints} joints, waited '
                    f'{waited:.0f} s, verdict {_percent(right)}{truly}, {age:.0f} s old, learning '
                    f'{advised} advised',
                    flush=True,
                )
                continue
            time.sleep(max(0.0, min(due - now, 1) if chosen else 1 - answers[-1]))
        share = _true_share(truth, client, people)
    if not args.idle:
        busy.kill()
    when = 'never' if first is None else f'{first - begun:.0f} s after the first label'
    print(
        f'{len(people) + len(edits) - 1} labels, {joints} joints, {len(edits) - 1} keys in '
        f'{now - begun:.0f} s, waited {waited:.0f} s; first verdict {when}; oldest verdict '
        f'{oldest:.0f} s; good enough: {guidance["good_enough"]}, said {_percent(right)}, true '
        f'{share:.1%}; answers took {1000 * float(np.median(answers)):.0f} ms, at most '
        f'{max(answers):.1f} s'
    )


def _true_share(truth: Truth, client: ReviewClient, people: Sequence[int]) -> float:
    errors = truth.errors(shown_points(client, people, len(truth.points), truth.frames))
    return float((errors[~np.isnan(errors)] <= CORRECT_WITHIN).mean())


def _percent(right: list[float] | None) -> str:
    return 'none' if right is None else ' to '.join(f'{share:.1%}' for share in right[::2])


def _keep_busy() -> None:
    while True:
        pass


main = Command(ReviewUnderLoadOptions, label_under_load, __doc__, 'review_under_load.py')

if __name__ == '__main__':
    raise SystemExit(main())
