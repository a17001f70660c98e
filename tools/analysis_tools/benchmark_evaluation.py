"""Speed of the PoseTrack evaluation, and its ratio to plain Python loops.

    python tools/analysis_tools/benchmark_evaluation.py

Videos of random walks are made in memory. The evaluation runs on all of them; the plain
evaluation, which follows PoseTrack's rules person by person and joint by joint, on the first few,
and the two are compared by their time per frame. Their values must agree.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from stdpose_mm.cli.argument_types import positive
from stdpose_mm.cli.one_line_parser import OneLineParser
from stdpose_mm.evaluation.functional import EVALUATED_JOINTS, evaluate_posetrack
from stdpose_mm.structures import (
    POSETRACK_SKELETON,
    PersonLabel,
    PolygonRegion,
    VideoFrame,
    VideoLabels,
)
from stdpose_mm.text import counted

HEAD_BOX = np.array([0.0, 0.0, 40.0, 40.0])

Point = tuple[float, float]
Pose = tuple[PersonLabel, dict[str, Point]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit code."""
    parser = OneLineParser('benchmark_evaluation.py', 'Speed of the PoseTrack evaluation.')
    parser.add_argument('--videos', type=positive, default=200)
    parser.add_argument('--frames', type=positive, default=30, help='frames per video')
    parser.add_argument('--people', type=positive, default=8, help='people per frame')
    parser.add_argument(
        '--plain-videos',
        type=positive,
        default=5,
        help='videos evaluated by the plain Python loops',
    )
    parser.add_argument(
        '--repeat', type=positive, default=3, help='number of runs; the fastest counts'
    )
    args = parser.parse_args(arguments)

    rng = np.random.default_rng(0)
    pairs = [random_video(rng, args.frames, args.people) for _ in range(args.videos)]
    truth, predictions = [gt for gt, _ in pairs], [pred for _, pred in pairs]
    few = min(args.plain_videos, args.videos)

    seconds = _fastest(lambda: evaluate_posetrack(truth, predictions), args.repeat)
    plain_seconds = _fastest(lambda: plain_evaluation(truth[:few], predictions[:few]), args.repeat)
    plain = plain_evaluation(truth[:few], predictions[:few])
    scores = evaluate_posetrack(truth[:few], predictions[:few])
    difference = max(
        float(np.abs(np.array(plain[name]) - values).max())
        for name, values in (('AP', scores.ap), ('MOTA', scores.mota), ('MOTP', scores.motp))
    )

    per_frame = seconds / (args.videos * args.frames)
    plain_per_frame = plain_seconds / (few * args.frames)
    print(
        f'{counted(args.videos, "video")} x {counted(args.frames, "frame")} x '
        f'{counted(args.people, "person")}'
    )
    print(f'evaluation    {seconds:8.2f} s  {1e3 * per_frame:8.3f} ms per frame')
    print(
        f'plain Python  {plain_seconds:8.2f} s  {1e3 * plain_per_frame:8.3f} ms per frame', end=''
    )
    print(f'  (on {counted(few, "video")})')
    print(f'ratio         {plain_per_frame / per_frame:8.1f}')
    print(f'difference    {difference:8.1e} per cent points')
    return 0 if difference < 1e-9 else 1


def _fastest(run: Callable[[], object], repeat: int) -> float:
    """Return the CPU seconds, without those of other programs, of the fastest of some runs."""
    seconds = []
    for _ in range(repeat):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def random_video(
    rng: np.random.Generator, num_frames: int, num_people: int, size: float = 900.0
) -> tuple[VideoLabels, VideoLabels]:
    """Make people on random walks, and predictions with noise, gaps and identity switches."""
    names = POSETRACK_SKELETON.keypoint_names
    frames = tuple(VideoFrame(index=i) for i in range(num_frames))
    starts = rng.uniform(0, size, (num_people, 2))
    shapes = rng.normal(0, 40, (num_people, len(names), 2))
    walks = starts + rng.normal(0, 4, (num_frames, num_people, 2)).cumsum(axis=0)
    ears = np.array([name.endswith('_ear') for name in names])
    truth, predicted = [], []
    for t in range(num_frames):
        for person in range(num_people):
            keypoints = walks[t, person] + shapes[person]
            labelled = (rng.random(len(names)) < 0.85) & ~ears
            if rng.random() < 0.95:
                truth.append(PersonLabel(t, keypoints, 2 * labelled, person, head_box=HEAD_BOX))
            if rng.random() < 0.95:
                # Distinct within the frame, also where an identity switches.
                track_id = person + num_people * int(rng.random() < 0.02)
                shown = (rng.random(len(names)) < 0.95) & ~ears
                predicted.append(
                    PersonLabel(
                        t,
                        keypoints + rng.normal(0, 8, keypoints.shape),
                        2 * shown,
                        track_id,
                        scores=rng.random(len(names)),
                    )
                )
    return (
        VideoLabels('walks', POSETRACK_SKELETON, frames, tuple(truth)),
        VideoLabels('walks', POSETRACK_SKELETON, frames, tuple(predicted)),
    )


# The same rules in plain Python, for comparison and as an independent reference.


def plain_evaluation(
    truth: Sequence[VideoLabels], predictions: Sequence[VideoLabels]
) -> dict[str, list[float]]:
    """Compute AP, precision, recall, MOTA and MOTP per joint, [15] each, in per cent."""
    videos = [_plain_frames(gt, pred) for gt, pred in zip(truth, predictions, strict=True)]
    result: dict[str, list[float]] = {
        name: [] for name in ('AP', 'precision', 'recall', 'MOTA', 'MOTP')
    }
    correct = [
        {id(pred): found for frame in video for pred, found in _plain_true_positives(*frame)}
        for video in videos
    ]
    for joint in EVALUATED_JOINTS:
        samples = []
        num_truth = 0
        for video, found in zip(videos, correct, strict=True):
            for gts, preds in video:
                num_truth += sum(joint in points for _, points in gts)
                for person, points in preds:
                    if joint in points:
                        samples.append((_score(person, joint), joint in found[id(person)]))
        for name, value in zip(
            ('AP', 'precision', 'recall'), _plain_precision(samples, num_truth), strict=True
        ):
            result[name].append(value)
        mota, motp = _plain_mot(videos, joint)
        result['MOTA'].append(mota)
        result['MOTP'].append(motp)
    return result


def _plain_frames(
    truth: VideoLabels, prediction: VideoLabels
) -> list[tuple[list[Pose], list[Pose]]]:
    frames = []
    for gt_frame, pred_frame in zip(truth.frames, prediction.frames, strict=True):
        gts = [(p, _points(truth, p)) for p in truth[gt_frame.index]]
        preds = [(p, _points(prediction, p)) for p in prediction[pred_frame.index]]
        if not gts:
            continue
        if gt_frame.ignore_regions:
            gts = _outside(gts, gt_frame.ignore_regions)
            preds = _outside(preds, gt_frame.ignore_regions)
        frames.append((gts, preds))
    return frames


def _points(labels: VideoLabels, person: PersonLabel) -> dict[str, Point]:
    names = labels.skeleton.keypoint_names
    return {
        name: (float(x), float(y))
        for name, (x, y), v in zip(names, person.keypoints, person.visibility, strict=True)
        if v > 0 and name in EVALUATED_JOINTS
    }


def _outside(poses: list[Pose], regions: Sequence[PolygonRegion]) -> list[Pose]:
    kept = []
    for person, points in poses:
        left = {
            name: point
            for name, point in points.items()
            if not any(_strictly_inside(point, region.points) for region in regions)
        }
        if left:
            kept.append((person, left))
    return kept


def _strictly_inside(point: Point, polygon: np.ndarray) -> bool:
    x, y = point
    inside = False
    corners = polygon.tolist()
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], corners[0]], strict=True):
        cross = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        if cross == 0 and min(x1, x2) <= x <= max(x1, x2) and min(y1, y2) <= y <= max(y1, y2):
            return False
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def _distance(gt: Pose, pred: Pose, joint: str) -> float:
    """Compute the distance in head sizes; infinite beyond the threshold or without the joint."""
    person, points = gt
    if joint not in points or joint not in pred[1]:
        return math.inf
    assert person.head_box is not None
    head = 0.6 * math.hypot(person.head_box[2], person.head_box[3])
    distance = math.dist(points[joint], pred[1][joint]) / head if head > 0 else math.inf
    return distance if distance <= 0.5 else math.inf


def _plain_true_positives(gts: list[Pose], preds: list[Pose]) -> list[tuple[PersonLabel, set[str]]]:
    matches = [
        [{j for j in EVALUATED_JOINTS if _distance(gt, pred, j) < math.inf} for gt in gts]
        for pred in preds
    ]
    candidates: dict[int, list[tuple[float, int]]] = {}
    for p in range(len(preds)):
        best, best_share = -1, 0.0
        for g, (_, points) in enumerate(gts):
            share = len(matches[p][g]) / len(points) if points else 0.0
            if share > best_share:
                best, best_share = g, share
        if best >= 0:
            candidates.setdefault(best, []).append((best_share, p))
    found: list[set[str]] = [set() for _ in preds]
    for g, offers in candidates.items():
        highest = max(share for share, _ in offers)
        winner = next(p for share, p in offers if share == highest)
        found[winner] = matches[winner][g]
    return [(person, joints) for (person, _), joints in zip(preds, found, strict=True)]


def _score(person: PersonLabel, joint: str) -> float:
    if person.scores is None:
        return -9999.0
    return float(person.scores[POSETRACK_SKELETON.index_of(joint)])


def _plain_precision(
    samples: list[tuple[float, bool]], num_truth: int
) -> tuple[float, float, float]:
    if not samples:
        return 0.0, 0.0, 0.0
    hits = 0
    curve = []
    for i, (_, label) in enumerate(sorted(samples, key=lambda s: -s[0])):
        hits += label
        curve.append((hits / num_truth if num_truth else math.nan, hits / (i + 1)))
    recall, precision = curve[-1]
    area, best, upper = 0.0, 0.0, None
    for r, p in reversed(curve):
        if upper is not None:
            area += (upper - r) * best
        best, upper = max(best, p), r
    assert upper is not None
    return 100 * (area + upper * best), 100 * precision, 100 * recall


def _plain_mot(
    videos: list[list[tuple[list[Pose], list[Pose]]]], joint: str
) -> tuple[float, float]:
    from scipy.optimize import linear_sum_assignment

    objects = misses = switches = false_positives = detections = 0
    total = 0.0
    for video in videos:
        last: dict[int | None, int | None] = {}
        for gts, preds in video[:-1]:
            if not gts or not preds:
                objects, misses, false_positives = objects + 1, misses + 1, false_positives + 1
                continue
            gts = [gt for gt in gts if joint in gt[1]]
            preds = [pred for pred in preds if joint in pred[1]]
            costs = [[_distance(gt, pred, joint) for pred in preds] for gt in gts]
            free_gts, free_preds = list(range(len(gts))), list(range(len(preds)))
            pairs = []
            for g in range(len(gts)):
                for p in list(free_preds):
                    same = last.get(gts[g][0].track_id, -1) == preds[p][0].track_id
                    if same and costs[g][p] < math.inf:
                        pairs.append((g, p))
                        free_gts.remove(g)
                        free_preds.remove(p)
                        break
            if free_gts and free_preds:
                table = [
                    [1e6 if costs[g][p] == math.inf else costs[g][p] for p in free_preds]
                    for g in free_gts
                ]
                for row, column in zip(*linear_sum_assignment(table), strict=True):
                    g, p = free_gts[row], free_preds[column]
                    if costs[g][p] < math.inf:
                        pairs.append((g, p))
                        switches += gts[g][0].track_id in last
            for g, p in pairs:
                last[gts[g][0].track_id] = preds[p][0].track_id
                total += costs[g][p]
            objects += len(gts)
            detections += len(pairs)
            misses += len(gts) - len(pairs)
            false_positives += len(preds) - len(pairs)
    mota = 1 - (misses + switches + false_positives) / objects if objects else math.nan
    motp = 1 - total / detections if detections else 0.0
    return 100 * mota, 100 * motp


if __name__ == '__main__':
    raise SystemExit(main())
