"""Training of the gap fuser: from densely labelled videos to the weights of ``auto``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from research.training.gap_fuser import GapFuser, build_fuser
from research.training.remembered_flow import RememberedFlow
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, ScoreCalibrator
from stdpose_mm.io import atomic_path
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import Gap, given_labels
from stdpose_mm.labelling.propagation.auto.candidates import find_candidates
from stdpose_mm.labelling.propagation.auto.evidence_maps import MAP_SIDE, MAP_STEPS
from stdpose_mm.labelling.propagation.auto.fusion_features import (
    LONGEST_GAP,
    NETWORK_HEATMAPS,
    WINDOW_HEATMAPS,
    FusionFeatures,
    HeatmapKind,
    extract_fusion_features,
)
from stdpose_mm.labelling.propagation.auto.joint_matching import (
    JointSearch,
    TrainedMatcher,
    shipped_matcher,
)
from stdpose_mm.labelling.propagation.auto.network_heatmaps import (
    NetworkChunk,
    NetworkHeatmapEstimator,
    WindowChunk,
    WindowHeatmapEstimator,
    best_heatmaps,
    with_shared_joints,
)
from stdpose_mm.labelling.propagation.auto.trained_fuser import (
    TrainedFuser,
    fuser_inputs,
    log_joint_speed,
)
from stdpose_mm.labelling.propagation.flow.flow_tracks import (
    FlowTracks,
    follow_joints,
    labelled_ends,
)
from stdpose_mm.labelling.propagation.track_plans import TrackPlanner
from stdpose_mm.structures import VideoLabels, given_frames, pose_extent
from stdpose_mm.tracking.optical_flow import FlowEstimator

from .in_memory_training import train_in_memory
from .simulated_networks import simulate_network

MAX_LENGTH = 32
"""Longest gap in frames to train on; longer ones, labelled at one end only, teach little."""

_HEATMAP_BIAS = 0.06
_HEATMAP_JITTER = 0.04
"""Standard deviation of the heatmaps' jitter for the worst joints, in pose sizes."""

_LEAST_MOVE = 0.05
_CLICK_ERROR = 0.02
"""Click error of the most careless annotator, in pose sizes."""

SIMULATED = 0.6
"""Share of gaps with heatmaps of a simulated single-frame network."""

_BATCH_SIZE = 16
"""Gaps per step."""

INTERVALS = (*range(2, 17), LONGEST_GAP)
"""Distances between labels from which training draws."""


@dataclass(frozen=True)
class TrainingGap:
    """Evidence for a gap whose true poses are known.

    Args:
        evidence: Input of the fuser.
        targets: [F, K, 2] true offsets from the evidence's centre, in its pose sizes.
        weights: [F, K] whether the truth is known and the frame is to be filled.
        relative_size: [F] the evidence's pose size divided by the true pose's size.
    """

    evidence: FusionFeatures
    targets: np.ndarray
    weights: np.ndarray
    relative_size: np.ndarray


def collect_training_gaps(
    frames: FrameSource,
    truth: VideoLabels,
    intervals: Sequence[int],
    estimator: FlowEstimator,
    rng: np.random.Generator,
    window_networks: Sequence[WindowHeatmapEstimator] = (),
    pose_networks: Sequence[NetworkHeatmapEstimator] = (),
    matcher: TrainedMatcher | None = None,
) -> Iterator[TrainingGap]:
    """Hide most labels of a video, and gather the evidence for the hidden ones.

    Args:
        frames: The pictures.
        truth: Dense labels.
        intervals: Values of T; for each, the labels of every T-th frame from a random one are kept.
        estimator: Computes the flow.
        rng: Chooses the first frame kept.
        window_networks: Pose networks that see the labels and were not trained on this video. In a
            gap the heatmaps of the one that finds the labels best are further evidence.
        pose_networks: Heatmaps, as further evidence, of pose networks of other projects that share
            joints with the labels.
        matcher: Finds labelled joints in other frames; by default, the package's matcher.
    """
    matcher = matcher or shipped_matcher()
    truth = given_labels(truth)
    true_poses = {(person.track_id, person.frame_index): person for person in truth.persons}
    windows = with_shared_joints(window_networks, truth.skeleton)
    networks = with_shared_joints(pose_networks, truth.skeleton)
    # All intervals use the same flow.
    flow = RememberedFlow(estimator)
    for interval in intervals:
        offset = int(rng.integers(interval))
        given = given_frames(truth.labelled_frame_indices, interval, offset)
        labels = truth.keep_frames(given).tracks()
        plans = TrackPlanner(len(frames), 'video').plan(labels, with_others=bool(networks))
        gaps = [
            gap
            for plan in plans.values()
            for gap in plan.gaps
            if gap.last - gap.first <= MAX_LENGTH and np.any(labelled_ends(gap))
        ]
        for gap, tracks in follow_joints(frames, gaps, flow, one_way=True):
            candidates = find_candidates(gap, tracks, np.array(tracks.frames))
            search = JointSearch(candidates, matcher)
            of_windows = [WindowChunk(*window, gap, gap.frames, candidates) for window in windows]
            of_frames = [NetworkChunk(*network, frames, gap, candidates) for network in networks]
            chunks: tuple[WindowChunk | NetworkChunk, ...] = (*of_windows, *of_frames)
            for frame in tracks.frames:
                search.add(frame, frames[frame])
                for chunk in chunks:
                    chunk.add(frame, frames[frame])
            around = best_heatmaps(of_windows)
            around += [seen for chunk in of_frames if (seen := chunk.around())]
            evidence = extract_fusion_features(
                gap, tracks, candidates, search.matches(), frames.size, around
            )
            training_gap = _training_gap(gap, tracks, evidence, true_poses)
            if training_gap.weights.any():
                yield training_gap


def _training_gap(
    gap: Gap,
    tracks: FlowTracks,
    evidence: FusionFeatures,
    true_poses: Mapping[tuple[int | None, int], Any],
) -> TrainingGap:
    num_frames, num_joints = evidence.centre.shape[:2]
    targets = np.zeros((num_frames, num_joints, 2), np.float32)
    weights = np.zeros((num_frames, num_joints), bool)
    relative_size = np.ones(num_frames, np.float32)
    for row, frame in enumerate(tracks.frames):
        person = true_poses.get((gap.track_id, frame))
        if person is None or not evidence.interior[row] or not person.has_joint:
            continue
        weights[row] = person.labelled & evidence.known
        targets[row] = (person.keypoints - evidence.centre[row]) / evidence.size
        extent = pose_extent(person.keypoints, person.labelled)[2:].max()
        relative_size[row] = evidence.size / max(float(extent), 1.0)
    # The maps take most of the memory, and their noise exceeds the error of half precision.
    evidence = replace(evidence, maps=evidence.maps.astype(np.float16))
    return TrainingGap(evidence, targets, weights, relative_size)


def save_training_gaps(path: str | Path, gaps: Iterable[TrainingGap]) -> None:
    """Write gaps of one video to an ``.npz`` file."""
    arrays: dict[str, Any] = {}
    for number, gap in enumerate(gaps):
        for field in fields(FusionFeatures):
            arrays[f'{number}.evidence.{field.name}'] = getattr(gap.evidence, field.name)
        for name in ('targets', 'weights', 'relative_size'):
            arrays[f'{number}.{name}'] = getattr(gap, name)
    with atomic_path(path) as temporary, temporary.open('wb') as file:
        np.savez(file, **arrays)


def load_training_gaps(path: str | Path) -> list[TrainingGap]:
    """Read gaps that :func:`save_training_gaps` wrote."""
    gaps = []
    names = [field.name for field in fields(FusionFeatures)]
    with np.load(path) as arrays:
        for number in range(len(arrays.files) // (len(names) + 3)):
            values: dict[str, Any] = {name: arrays[f'{number}.evidence.{name}'] for name in names}
            values['size'] = float(values['size'])
            rest = [arrays[f'{number}.{name}'] for name in ('targets', 'weights', 'relative_size')]
            gaps.append(TrainingGap(FusionFeatures(**values), *rest))
    return gaps


def as_annotated(truth: VideoLabels, rng: np.random.Generator) -> VideoLabels:
    """Change exact labels into labels as a person would make them.

    Annotators move a joint only when they see that it has moved, and do not click exactly on it:
    here a label stays where it was until the joint is ``_LEAST_MOVE`` pose sizes away, and is then
    set with an error of ``_CLICK_ERROR``. A fuser that learns from exact labels would treat every
    small motion as real.

    Args:
        truth: Labels with track ids.
        rng: Draws the errors and how careless the video's annotator is.
    """
    carelessness = rng.uniform(0, 1)
    placed: dict[tuple[int | None, int], np.ndarray] = {}
    persons = []
    for person in sorted(truth.persons, key=lambda person: person.frame_index):
        keypoints = person.keypoints.copy()
        shown = np.flatnonzero(person.labelled)
        if len(shown) > 1:
            size = pose_extent(person.keypoints, person.labelled)[2:].max()
            clicked = keypoints + rng.normal(0, carelessness * _CLICK_ERROR * size, keypoints.shape)
            for joint in shown:
                last = placed.get((person.track_id, int(joint)))
                if last is None or np.linalg.norm(keypoints[joint] - last) > (
                    carelessness * _LEAST_MOVE * size
                ):
                    placed[person.track_id, int(joint)] = last = clicked[joint]
                keypoints[joint] = last
        persons.append(replace(person, keypoints=keypoints))
    return truth.with_persons(persons)


class TrainingGapDataset(Dataset):
    """Provide training gaps as inputs of the fuser, randomly rotated, mirrored and thinned.

    Args:
        gaps: The training gaps.
        seed: Seed of the augmentation.
        heatmap_dropout: Share of gaps that lose the heatmaps of the network that sees the labels
            and, independently, share that loses those of single-frame networks, because the fuser
            has to work without them.
        simulated: Share of gaps that get heatmaps of a simulated single-frame network
            (:func:`~.simulated_networks.simulate_network`) in place of their own.
        distorted: Whether a gap's own heatmaps are made as unreliable as on unknown footage.
        max_rotation: Largest angle in degrees by which every second gap is rotated.
        joint_dropout: Largest share of joints that is left out of a gap, since skeletons differ.
    """

    def __init__(
        self,
        gaps: Sequence[TrainingGap],
        seed: int = 0,
        heatmap_dropout: float = 0.25,
        simulated: float = SIMULATED,
        distorted: bool = True,
        max_rotation: float = 30.0,
        joint_dropout: float = 0.15,
    ) -> None:
        self.gaps = gaps
        self.heatmap_dropout = heatmap_dropout
        self.simulated = simulated
        self.distorted = distorted
        self.max_rotation = max_rotation
        self.joint_dropout = joint_dropout
        self._generator = torch.Generator().manual_seed(seed)
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        return len(self.gaps)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        gap = self.gaps[index]
        evidence = gap.evidence
        if self._random() < self.heatmap_dropout:
            evidence = evidence.without_heatmaps([WINDOW_HEATMAPS])
        simulated = self._random() < self.simulated
        if simulated:
            evidence = simulate_network(evidence, gap.targets, gap.weights, self._rng)
        elif self._random() < self.heatmap_dropout:
            evidence = evidence.without_heatmaps([NETWORK_HEATMAPS])
        item = {name: torch.from_numpy(v) for name, v in fuser_inputs(evidence).items()}
        item['targets'] = torch.from_numpy(gap.targets)
        item['weights'] = torch.from_numpy(gap.weights).float()
        if self.distorted:
            self._distort_heatmaps(item, WINDOW_HEATMAPS)
            if not simulated:
                self._distort_heatmaps(item, NETWORK_HEATMAPS)
        self._drop_joints(item)
        self._turn(item)
        return item

    def _random(self) -> float:
        return float(torch.rand((), generator=self._generator))

    def _distort_heatmaps(self, item: dict[str, Tensor], kind: HeatmapKind) -> None:
        """Make a pose network's heatmaps as unreliable as they are on unknown footage.

        Each joint has its own quality in a gap: a constant bias, a jitter from frame to frame and a
        weaker peak. The maps at the labelled ends are distorted in the same way, so that the fuser
        can tell from them how far to trust the others.
        """
        maps = item['maps'][:, :, :, kind.maps]
        num_frames, num_joints, num_reaches, num_maps = maps.shape[:4]
        trouble = torch.rand(num_joints, generator=self._generator)
        bias = torch.randn(1, num_joints, 2, generator=self._generator) * _HEATMAP_BIAS
        jitter = torch.randn(num_frames, num_joints, 2, generator=self._generator) * _HEATMAP_JITTER
        reach = torch.tensor(MAP_STEPS)[:, None] * (MAP_SIDE // 2)
        shift = ((bias + jitter) * trouble[:, None])[:, :, None] / reach
        affine = torch.eye(2).expand(num_frames, num_joints, num_reaches, 2, 2)
        affine = torch.cat([affine, -shift[..., None]], dim=-1).flatten(0, 2)
        grid = F.affine_grid(
            affine, [len(affine), num_maps, MAP_SIDE, MAP_SIDE], align_corners=True
        )
        moved = F.grid_sample(maps.flatten(0, 2), grid, align_corners=True)
        weaker = 1 - trouble * torch.rand(num_joints, generator=self._generator)
        item['maps'] = item['maps'].clone()
        weaker = weaker[:, None, None, None, None]
        item['maps'][:, :, :, kind.maps] = moved.reshape(maps.shape) * weaker

    def _drop_joints(self, item: dict[str, Tensor]) -> None:
        share = self.joint_dropout * self._random()
        shown = torch.rand(len(item['known']), generator=self._generator) >= share
        if (item['known'] & shown).any():
            item['known'] = item['known'] & shown
            item['weights'] = item['weights'] * shown

    def _turn(self, item: dict[str, Tensor]) -> None:
        angle = 0.0
        if self._random() < 0.5:
            angle = math.radians(self.max_rotation) * (2 * self._random() - 1)
        cos, sin = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[cos, -sin], [sin, cos]])
        if self._random() < 0.5:
            turn = turn @ torch.tensor([[-1.0, 0.0], [0.0, 1.0]])
        item['vectors'] = item['vectors'] @ turn.T
        item['targets'] = item['targets'] @ turn.T
        # A cell of the rotated map has the value of the original map at the cell rotated back.
        maps = item['maps'].flatten(0, 3)
        affine = torch.cat([torch.linalg.inv(turn), torch.zeros(2, 1)], dim=1)
        grid = F.affine_grid(affine[None], [1, 1, MAP_SIDE, MAP_SIDE], align_corners=True)
        turned = F.grid_sample(maps[None], grid, padding_mode='border', align_corners=True)
        item['maps'] = turned[0].reshape(item['maps'].shape)


def collate_gaps(items: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Make a batch, padded at the end to the largest number of frames and of joints."""
    num_frames = max(len(item['present']) for item in items)
    num_joints = max(len(item['known']) for item in items)
    batch = {}
    for name, example in items[0].items():
        # Axes are frames, then joints; some inputs have only one of them.
        sizes = {'present': (num_frames,), 'known': (num_joints,)}.get(
            name, (num_frames, num_joints)
        )
        padded = example.new_zeros((len(items), *sizes, *example.shape[len(sizes) :]))
        for row, item in enumerate(items):
            padded[row][tuple(slice(n) for n in item[name].shape[: len(sizes)])] = item[name]
        batch[name] = padded
    return batch


class SimilarLengths(Sampler[list[int]]):
    """Draw endless batches of gaps of similar length, so that little is padded.

    Args:
        lengths: Lengths of the gaps in frames.
        batch_size: Gaps per batch.
        seed: Seed of the order.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int = 0) -> None:
        self._order = np.argsort(lengths, kind='stable')
        self.batch_size = min(batch_size, len(lengths))
        self._rng = np.random.default_rng(seed)

    def __len__(self) -> int:
        """Count the batches of one epoch."""
        return -(-len(self._order) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        neighbourhood = min(8 * self.batch_size, len(self._order))
        while True:
            middle = self._rng.integers(len(self._order))
            start = np.clip(middle - neighbourhood // 2, 0, len(self._order) - neighbourhood)
            near = self._order[start : start + neighbourhood]
            yield self._rng.choice(near, self.batch_size, replace=False).tolist()


def calibrate(
    fuser: TrainedFuser,
    gaps: Sequence[TrainingGap],
    margin: float = 0.0,
    sureness: float = 1.0,
    simulated: bool = True,
) -> TrainedFuser:
    """Fit the scores to how often the fuser is right on these gaps.

    Each gap is fused with and without its own heatmaps, and with those of a simulated network.

    Args:
        fuser: A fuser that was not trained on the gaps.
        gaps: Gaps with known poses.
        margin: Subtracted from the log odds of all scores afterwards, for footage that is harder
            than these gaps.
        sureness: Factor of the log odds of all scores afterwards, below 1 for such footage.
        simulated: Whether gaps are also fused with heatmaps of simulated networks.

    Raises:
        InputError: If the fuser is right everywhere, or wrong everywhere.
    """
    scores, correct, speeds = [], [], []
    plain = replace(fuser, calibrator=ScoreCalibrator())
    rng = np.random.default_rng(0)
    for gap in gaps:
        speed = np.broadcast_to(log_joint_speed(gap.evidence), gap.weights.shape)[gap.weights]
        for probability, error in judged_joints(plain, gap, rng, simulated):
            scores.append(probability)
            correct.append(error <= CORRECT_WITHIN)
            speeds.append(speed)
    fitted = ScoreCalibrator.fit(*map(np.concatenate, (scores, correct, speeds)))
    calibrator = ScoreCalibrator(
        sureness * fitted.slope, sureness * fitted.offset - margin, sureness * fitted.weight
    )
    return replace(fuser, calibrator=calibrator)


def judged_joints(
    fuser: TrainedFuser, gap: TrainingGap, rng: np.random.Generator, simulated: bool = True
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield scores [N] and errors [N] in true pose sizes of a gap's hidden joints.

    The gap is fused without heatmaps and, if it has any, with its own; with ``simulated``, both are
    repeated with the heatmaps of a simulated network, which ``rng`` draws.
    """
    views = [gap.evidence.without_heatmaps()]
    if gap.evidence.has_heatmaps():
        views.append(gap.evidence)
    if simulated:
        views += [simulate_network(view, gap.targets, gap.weights, rng) for view in views]
    for view in views:
        offsets, scores = fuser.judge(view)
        distance = np.linalg.norm(offsets - gap.targets, axis=-1)
        errors = distance * gap.relative_size[:, None]
        yield scores[gap.weights], errors[gap.weights]


def require_gaps(gaps: Sequence[TrainingGap], held_out: Sequence[TrainingGap]) -> None:
    """Require gaps to train on and to calibrate with.

    Raises:
        InputError: If one of them is empty.
    """
    if not gaps or not held_out:
        raise InputError(
            f'{len(gaps)} gaps to train on and {len(held_out)} held-out ones were given, '
            'expected some of both, give videos with hidden labels'
        )


def train_network(
    dataset: TrainingGapDataset,
    work_dir: str | Path,
    start: GapFuser | None = None,
    max_iters: int = 3000,
    learning_rate: float = 1e-3,
    seed: int = 0,
    device: str = 'cpu',
) -> GapFuser:
    """Train the network of a fuser with MMEngine's runner.

    Args:
        dataset: Gaps to train on.
        work_dir: Folder for logs.
        start: Network with the initial weights; random ones by default.
        max_iters: Training steps.
        learning_rate: Largest learning rate, reached after a twentieth of the steps.
        seed: Seed of weights and order.
        device: Device for the training.
    """
    torch.manual_seed(seed)
    network = build_fuser()
    if start is not None:
        network.load_state_dict(start.state_dict())
    lengths = [len(gap.weights) for gap in dataset.gaps]
    loader = DataLoader(
        dataset, batch_sampler=SimilarLengths(lengths, _BATCH_SIZE, seed), collate_fn=collate_gaps
    )
    train_in_memory(
        network,
        loader,
        work_dir,
        max_iters=max_iters,
        optimizer=dict(lr=learning_rate, betas=(0.9, 0.99), weight_decay=0.05),
        schedule=dict(pct_start=0.05, div_factor=20, final_div_factor=50),
        seed=seed,
        device=device,
    )
    return network
