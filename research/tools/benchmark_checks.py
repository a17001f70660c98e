"""Measure how many errors that are put into right labels ``stdpose check`` finds.

    python -m research.tools.benchmark_checks data/jhmdb_split/val.txt --size 320x240
    python -m research.tools.benchmark_checks two_flies.json --first-frame 750

Errors of one kind at a time are put into 5 % of the poses of each video. A pose counts as found if
any joint of it is doubted, for any reason but scores; a right pose that is doubted is a false
alarm, unless a joint is missing there that nearly all others have. "worst" is the share of the
errors among as many poses with the largest doubts as there are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stdpose_mm.cli.argument_types import picture_size, positive, seed, whole
from stdpose_mm.cli.command import Command
from stdpose_mm.cli.parser import argument, option
from stdpose_mm.evaluation.functional import label_sizes
from stdpose_mm.labelling.comparison.labelled_videos import read_videos
from stdpose_mm.labelling.review import check_poses
from stdpose_mm.structures import PersonLabel, Skeleton, VideoLabels

SHARE, MIN_JOINTS, DISTANCE = 0.05, 6, 0.1
"""Share of the poses with an error; joints of such a pose; distance that makes a joint wrong."""

Poses = dict[tuple[int, int], PersonLabel]


@dataclass(frozen=True, kw_only=True)
class BenchmarkChecksOptions:
    """Options of ``benchmark_checks.py``.

    Args:
        labels: Folder of label files, label file, or text file that lists them.
        size: Size of the pictures (default: joints are nowhere outside).
        every: Use the labels of every N-th frame.
        first_frame: Use the frames from N on.
        seed: Seed of the errors.
    """

    labels: Path = argument('LABELS', reads_folder=True)
    size: tuple[int, int] = option((10**6, 10**6), type=picture_size, metavar='WxH')
    every: int = option(1, type=positive, metavar='N')
    first_frame: int = option(0, type=whole, metavar='N')
    seed: int = option(0, type=seed)


@dataclass(frozen=True)
class ErrorSource:
    """Errors that are put into a pose.

    Args:
        rng: Random numbers.
        skeleton: The joints.
    """

    rng: np.random.Generator
    skeleton: Skeleton

    def sides(self, label: PersonLabel, track: Mapping[int, PersonLabel]) -> PersonLabel:
        return label.reordered(self.skeleton.flip_indices)

    def jitter(self, label: PersonLabel, track: Mapping[int, PersonLabel]) -> PersonLabel:
        return add_noise(label, 0.05, self.rng)

    def joint_moved_far(self, label: PersonLabel, track: Mapping[int, PersonLabel]) -> PersonLabel:
        angle = self.rng.uniform(0, 2 * np.pi)
        way = self.rng.uniform(0.2, 0.5) * np.array([np.cos(angle), np.sin(angle)])
        return self._move(label, self._any_joint(label), way * label_sizes([label])[0])

    def outside(self, label: PersonLabel, track: Mapping[int, PersonLabel]) -> PersonLabel:
        joint = self._any_joint(label)
        beyond = self.rng.uniform(0.02, 0.2) * label_sizes([label])[0]
        return self._move(label, joint, np.array([-beyond - label.keypoints[joint, 0], 0]))

    def limb_length(self, label: PersonLabel, track: Mapping[int, PersonLabel]) -> PersonLabel:
        limbs = [limb for limb in self.skeleton.limbs if label.labelled[[*limb]].all()]
        if not limbs:
            return label
        start, end = limbs[self.rng.integers(len(limbs))]
        limb = label.keypoints[end] - label.keypoints[start]
        factor = self.rng.choice([self.rng.uniform(0.1, 0.3), self.rng.uniform(2, 3)])
        return self._move(label, end, (factor - 1) * limb)

    def missing(self, label: PersonLabel, track: Mapping[int, PersonLabel]) -> PersonLabel:
        joints = np.flatnonzero(usual_joints(track) & label.labelled)
        if not len(joints):
            return label
        visibility = label.visibility.copy()
        visibility[self.rng.choice(joints)] = 0
        return replace(label, visibility=visibility)

    def wrong_frame(self, label: PersonLabel, track: Mapping[int, PersonLabel]) -> PersonLabel:
        other = track[int(self.rng.choice([*track]))]
        return replace(
            other, frame_index=label.frame_index, bbox=label.bbox, head_box=label.head_box
        )

    def scale(self, label: PersonLabel, track: Mapping[int, PersonLabel]) -> PersonLabel:
        factor = self.rng.choice([self.rng.uniform(0.5, 0.8), self.rng.uniform(1.25, 1.6)])
        centre = label.keypoints[label.labelled].mean(axis=0)
        return replace(label, keypoints=centre + factor * (label.keypoints - centre))

    def _any_joint(self, label: PersonLabel) -> int:
        return int(self.rng.choice(np.flatnonzero(label.labelled)))

    def _move(self, label: PersonLabel, joint: int, way: np.ndarray) -> PersonLabel:
        keypoints = label.keypoints.copy()
        keypoints[joint] += way
        return replace(label, keypoints=keypoints)


KINDS: dict[str, Callable[..., PersonLabel] | None] = {
    'sides exchanged': ErrorSource.sides,
    'people exchanged': None,
    'jitter of 5 % of the size': ErrorSource.jitter,
    'joint moved far': ErrorSource.joint_moved_far,
    'joint missing': ErrorSource.missing,
    'doubled': None,
    'limb too long or short': ErrorSource.limb_length,
    'joint outside': ErrorSource.outside,
    'pose of another frame': ErrorSource.wrong_frame,
    'wrong scale': ErrorSource.scale,
}


def usual_joints(track: Mapping[int, PersonLabel]) -> np.ndarray:
    """Return [K] bool: joints that at least 80 % of the labels have."""
    return np.mean([label.labelled for label in track.values()], axis=0) >= 0.8


def add_noise(label: PersonLabel, share: float, rng: np.random.Generator) -> PersonLabel:
    """Move each joint by normal noise whose deviation is a share of the pose's size."""
    noise = rng.normal(scale=share * label_sizes([label])[0], size=label.keypoints.shape)
    return replace(label, keypoints=label.keypoints + noise)


def differs(first: PersonLabel, second: PersonLabel) -> np.ndarray:
    """Return [K] bool: joints of two labels that are apart, or labelled in one only."""
    apart = np.linalg.norm(first.keypoints - second.keypoints, axis=1)
    return (apart > DISTANCE * label_sizes([first])[0]) | (first.labelled != second.labelled)


def poses_of(labels: VideoLabels) -> Poses:
    """Return the labels of all tracks by frame and person."""
    return {(f, i): label for i, track in labels.tracks().items() for f, label in track.items()}


def put_errors(labels: VideoLabels, kind: str, rng: np.random.Generator) -> tuple[Poses, set]:
    """Put errors of a kind into a share of the poses, two frames apart or more.

    Returns:
        The poses, and the keys of those with an error.
    """
    tracks, poses, source = labels.tracks(), poses_of(labels), ErrorSource(rng, labels.skeleton)
    inner = [
        (frame, track_id)
        for track_id, track in tracks.items()
        for frame in [*track][1:-1]
        if track[frame].labelled.sum() >= MIN_JOINTS
    ]
    wrong: set[tuple[int, int]] = set()
    beside: set[tuple[int, int]] = set()
    for frame, track_id in (inner[number] for number in rng.permutation(len(inner))):
        if len(wrong) >= SHARE * len(inner) or (frame, track_id) in beside:
            continue
        label, put = poses[frame, track_id], KINDS[kind]
        changed: Poses = {}
        if put is not None:
            error = put(source, label, tracks[track_id])
            if kind.startswith('jitter') or differs(label, error).any():
                changed[frame, track_id] = error
        elif kind == 'doubled':
            number = 10**6 + len(wrong)
            changed[frame, number] = replace(add_noise(label, 0.01, rng), track_id=number)
        else:
            near = {i for f, i in inner if f == frame and (f, i) not in beside} - {track_id}
            if near:
                other = sorted(near)[int(rng.integers(len(near)))]
                changed[frame, track_id] = replace(poses[frame, other], track_id=track_id)
                changed[frame, other] = replace(label, track_id=other)
        poses |= changed
        wrong |= changed.keys()
        frames = [*tracks[track_id]]
        at = frames.index(frame)
        near_frames = frames[max(at - 2, 0) : at + 3]
        beside |= {(f, i) for f in near_frames for key in changed for i in (track_id, key[1])}
    return poses, wrong


def rank_poses(
    labels: VideoLabels, size: tuple[int, int], kind: str, rng: np.random.Generator
) -> tuple[list[tuple[float, bool]], int]:
    """Put errors of a kind into a video and check it.

    Returns:
        The size of the largest doubt in each doubted pose, and whether the pose is wrong; and the
        number of errors that were not found.
    """
    poses, wrong = put_errors(labels, kind, rng)
    doubted: dict[tuple[int, int], float] = {}
    # The worst doubt of a pose comes first.
    for doubt in check_poses(labels.with_persons([*poses.values()]), size):
        for track_id in (doubt.track_id, doubt.other_id):
            if track_id is not None and doubt.reason != 'low score':
                for frame in doubt.frames:
                    doubted.setdefault((frame, track_id), doubt.size)
    usual = {track_id: usual_joints(track) for track_id, track in labels.tracks().items()}
    incomplete = {
        key for key, pose in poses_of(labels).items() if (usual[key[1]] & ~pose.labelled).any()
    }
    if kind == 'doubled':
        # The one who is doubled is no false alarm.
        frames = {frame for frame, _ in wrong}
        incomplete |= {key for key in doubted if key[0] in frames}
    counted = [
        (amount, key in wrong)
        for key, amount in doubted.items()
        if key in wrong or key not in incomplete
    ]
    return counted, len(wrong - doubted.keys())


def benchmark(options: BenchmarkChecksOptions) -> None:
    """Put errors into labels and print the tables in Markdown."""
    videos = []
    for labels in read_videos(options.labels):
        frames = [frame for frame in labels.frames if frame.index >= options.first_frame]
        kept = {frame.index for frame in frames[:: options.every]}
        persons = [p for p in labels.persons if p.frame_index in kept and p.track_id is not None]
        videos.append(replace(labels, frames=tuple(frames), persons=tuple(persons)))
    print('| error | number | precision | recall | F1 | worst |\n|---|---:|---:|---:|---:|---:|')
    for kind in KINDS:
        rng = np.random.default_rng(options.seed)
        of_videos = [rank_poses(v, options.size, kind, rng) for v in videos]
        ranked = sorted((pose for poses, _ in of_videos for pose in poses), reverse=True)
        found = sum(is_wrong for _, is_wrong in ranked)
        if number := found + sum(missed for _, missed in of_videos):
            worst = sum(is_wrong for _, is_wrong in ranked[:number]) / number
            f1 = 2 * found / (len(ranked) + number)
            shares = found / max(len(ranked), 1), found / number, f1, worst
            print(f'| {kind} | {number} |', *(f'{share:.3f} |' for share in shares))


main = Command(BenchmarkChecksOptions, benchmark, __doc__, 'benchmark_checks.py')


if __name__ == '__main__':
    raise SystemExit(main())
