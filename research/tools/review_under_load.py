"""Measure how old the verdict of the review page gets while somebody labels without a pause.

    python -m research.tools.review_under_load VIDEO LABELS

LABELS has everybody in each frame. A simulated annotator starts without labels and makes one every
``--every`` seconds for ``--minutes``, where the page asks for it, while another process keeps one
core busy. Each second the page is asked for its verdict. A verdict is outdated by the first edit
that it does not include; its age is the time since then.
"""

from __future__ import annotations

import multiprocessing
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from research.tools.simulate_review import Truth, add_people, serve
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import minutes, positive
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import PropagatorOptions
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.io.labels import read_labels


@dataclass(frozen=True, kw_only=True)
class ReviewUnderLoadOptions(PropagatorOptions):
    """Options of ``review_under_load.py``.

    Args:
        video: The video.
        labels: Its label file.
        every: Seconds from one label to the next.
        minutes: How long labels are made.
        frames: Number of frames to label, from the first one on; the others are not worked on.
    """

    video: Path = argument('VIDEO', type=Path)
    labels: Path = argument('LABELS', type=Path)
    every: int = option(5, type=positive)
    minutes: float = option(10.0, type=minutes)
    frames: int = option(300, type=positive)


def label_under_load(args: ReviewUnderLoadOptions) -> None:
    """Label, and print the age of the verdict with each label, and the largest one."""
    labels = read_labels(args.labels)
    frames = labels.frames[: args.frames]
    persons = [person for person in labels.persons if person.frame_index < len(frames)]
    truth = Truth(replace(labels, frames=frames, persons=tuple(persons)))
    propagator = VideoPosePropagator(args.config, args.checkpoint, **args.propagator_arguments)
    busy = multiprocessing.get_context('spawn').Process(target=_keep_busy, daemon=True)
    busy.start()
    with serve(truth, args.video, propagator) as client:
        client.set_excerpt(0, len(frames) - 1)
        people, _ = add_people(truth, client, len(frames) // 2)
        begun = time.monotonic()
        edits = {client.revision: begun}
        oldest, first, due = 0.0, None, begun + args.every
        answers: list[float] = []
        while (now := time.monotonic()) < begun + 60 * args.minutes:
            guidance = client.get('/guidance')
            answers.append(time.monotonic() - now)
            now = time.monotonic()
            newer = [when for revision, when in edits.items() if revision > guidance['advised']]
            age = now - min(newer, default=now)
            if guidance['right'] is not None:
                first = first or now
                oldest = max(oldest, age)
            if now >= due and guidance['next']:
                due = now + args.every
                frame, person = guidance['next']['frame'], guidance['next']['person']
                place = frame, people.index(person)
                joints = truth.joints(*place, truth.known[place])
                client.edit('set_joints', person=person, frame=frame, joints=joints)
                edits[client.revision] = time.monotonic()
                print(
                    f'{now - begun:5.0f} s: label {len(edits)}, verdict '
                    f'{_percent(guidance["right"])}, {age:.0f} s old, '
                    f'learning {"is" if guidance["learning"]["worthwhile"] else "is not"} advised',
                    flush=True,
                )
            time.sleep(max(0.0, 1 - (time.monotonic() - now)))
    busy.kill()
    when = 'never' if first is None else f'{first - begun:.0f} s after the first label'
    print(
        f'{len(edits)} labels; first verdict {when}; oldest verdict {oldest:.0f} s; '
        f'answers took {1000 * float(np.median(answers)):.0f} ms, at most {max(answers):.1f} s'
    )


def _percent(right: list[float] | None) -> str:
    return 'none' if right is None else ' to '.join(f'{share:.1%}' for share in right[::2])


def _keep_busy() -> None:
    while True:
        pass


main = Command(ReviewUnderLoadOptions, label_under_load, __doc__, 'review_under_load.py')

if __name__ == '__main__':
    raise SystemExit(main())
