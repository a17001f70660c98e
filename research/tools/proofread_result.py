"""Measure what proofreading a network's result on the review page mends, and how fast.

    python -m research.tools.proofread_result VIDEO RESULT LABELS

LABELS has everybody in each frame. A simulated person answers the doubts of the page one after the
other, by its requests: a proposal is accepted if it makes fewer joints wrong, joints that are
wrong otherwise are placed, and what is right is confirmed. A joint is wrong if it is farther from
its label than 0.1 of the pose's size. Looking takes a second, placing a joint a second and a half;
what the page takes is measured.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from research.annotation.review_client import ReviewClient, serve_in_thread
from stdpose_mm.apis import VideoPosePropagator
from stdpose_mm.cli.argument_types import positive, whole
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.options import PropagatorOptions
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, label_sizes
from stdpose_mm.io.labels import read_labels
from stdpose_mm.io.video_list import VideoFiles
from stdpose_mm.review_app.project import ReviewInputs, ReviewOptions, ReviewProject
from stdpose_mm.structures import PersonLabel, VideoLabels
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.tracking.association import pose_similarities

LOOK_SECONDS, JOINT_SECONDS = 1.0, 1.5


@dataclass(frozen=True, kw_only=True)
class ProofreadResultOptions(PropagatorOptions):
    """Options of ``proofread_result.py``.

    Args:
        video: The video.
        result: The result of a network.
        labels: The right poses.
        answers: Number of doubts that are answered.
        wait: Seconds that the page has for proposals before the first answer.
    """

    video: Path = argument('VIDEO', type=Path)
    result: Path = argument('RESULT', type=Path)
    labels: Path = argument('LABELS', type=Path)
    answers: int = option(50, type=positive)
    wait: int = option(60, type=whole)


class TruePoses:
    """Right poses, to compare those of a page with.

    Args:
        labels: The right poses.
        joints: Names of the page's joints.
    """

    def __init__(self, labels: VideoLabels, joints: JointMapping) -> None:
        self._labels, self._joints = labels, joints

    def match(
        self, frame: int, poses: list[dict[str, Any]]
    ) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        """Return the right places [K, 2] of each person, and which joints [K] are wrong."""
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


def proofread(args: ProofreadResultOptions) -> None:
    """Answer doubts, and print how many joints were wrong before and after."""
    labels = read_labels(args.labels)
    propagator = VideoPosePropagator(args.config, args.checkpoint, **args.propagator_arguments)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / f'out{"".join(args.result.suffixes)}'
        inputs = ReviewInputs(VideoFiles(args.video, args.result), Path(folder, 'p.jsonl'), out)
        project = ReviewProject([inputs], propagator, ReviewOptions(proofread=True))
        with serve_in_thread(project) as client:
            client.settle()
            time.sleep(args.wait)
            skeleton = project[0].state.skeleton
            assert skeleton is not None
            mapping = JointMapping.by_meaning(skeleton, labels.skeleton)
            assert mapping is not None
            truth = TruePoses(labels, mapping)
            answers: Counter[str] = Counter()
            wrong_before, doubted = _count_wrong(client, truth), 0
            by_page, by_hand, placed, seen = [], 0.0, 0, set[str]()
            names, number = skeleton.keypoint_names, int(client.get()['frames'])
            for _ in range(args.answers):
                listed = client.get('/guidance')['doubtful']
                doubt = next((d for d in listed if d['draft'] not in seen), None)
                if doubt is None:
                    break
                seen.add(doubt['draft'])
                person = doubt['person']
                span = range(doubt['frame'], min(doubt['frame'] + 600, number))
                answer = client.get('/poses', first=span[0], last=span[-1])
                wrong, mended = {}, 0
                for frame, drafts in answer['drafts'].items():
                    draft = next((d for d in drafts if d['id'] == doubt['draft']), None)
                    poses = answer['frames'][frame]
                    right = truth.match(int(frame), poses).get(person)
                    if draft is None or right is None:
                        continue
                    wrong[int(frame)] = right
                    pose = next(p for p in poses if p['id'] == person)
                    proposed = [
                        new if new[2] else old
                        for new, old in zip(draft['keypoints'], pose['keypoints'], strict=True)
                    ]
                    changed = [{**pose, 'keypoints': proposed}]
                    others = [p for p in poses if p['id'] != person]
                    after = truth.match(int(frame), [*changed, *others]).get(person)
                    mended += int(right[1].sum() - (right if after is None else after)[1].sum())
                is_wrong = any(mask.any() for _, mask in wrong.values())
                doubted += is_wrong
                begun, joints = time.monotonic(), 0
                if mended > 0:
                    answers['accepted'] += 1
                    client.edit('accept_proposal', draft=doubt['draft'])
                elif is_wrong:
                    answers['placed by hand'] += 1
                    for frame, (points, mask) in wrong.items():
                        if mask.any():
                            places = {
                                names[k]: [*points[k].round(2).tolist(), 2]
                                for k in np.flatnonzero(mask)
                            }
                            client.edit('set_joints', person=person, frame=frame, joints=places)
                            joints += len(places)
                else:
                    answers['right as it is'] += 1
                    client.edit('confirm', draft=doubt['draft'])
                client.settle()
                by_page.append(time.monotonic() - begun)
                by_hand += LOOK_SECONDS + JOINT_SECONDS * joints
                placed += joints
            wrong_after = _count_wrong(client, truth)
    total = sum(answers.values())
    print(
        f'{wrong_before} joints wrong before, {wrong_after} after {total} answers '
        f'({", ".join(f"{n} {what}" for what, n in answers.items())}, {placed} joints placed); '
        f'{doubted} of the doubts had a wrong joint; {by_hand / max(total, 1):.1f} s an answer for '
        f'the person, {np.median(by_page):.2f} s for the page (at most {max(by_page):.1f})'
    )


def _count_wrong(client: ReviewClient, truth: TruePoses) -> int:
    number, wrong = int(client.get()['frames']), 0
    for first in range(0, number, 600):
        answer = client.get('/poses', first=first, last=min(first + 600, number) - 1)
        for frame, poses in answer['frames'].items():
            wrong += sum(int(mask.sum()) for _, mask in truth.match(int(frame), poses).values())
    return wrong


main = Command(ProofreadResultOptions, proofread, __doc__, 'proofread_result.py')

if __name__ == '__main__':
    raise SystemExit(main())
