"""PoseTrack's rules in plain Python, person by person and joint by joint."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from stdpose_mm.evaluation.functional import EVALUATED_JOINTS
from stdpose_mm.structures import (
    POSETRACK_SKELETON,
    PersonLabel,
    PolygonRegion,
    VideoLabels,
)

HEAD_BOX = np.array([0.0, 0.0, 40.0, 40.0])

Point = tuple[float, float]
Pose = tuple[PersonLabel, dict[str, Point]]


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
