"""Training of a fuser on generated clips, and fine-tuning on the user's own labelled videos.

The result of fine-tuning is a weighted mean of the initial and the trained weights (Wortsman et
al., Robust fine-tuning of zero-shot models, CVPR 2022). The share of the trained weights is chosen
on held-out videos: on JHMDB, it rose with the amount of training data, see
research/docs/evidence_networks.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from research.comparison.reliability import reliability
from research.export.fuser_export import export_fuser, import_fuser
from research.training.gap_fuser import GapFuser, build_fuser
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import CORRECT_WITHIN, ScoreCalibrator
from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.labelling.evidence import load_pose_network
from stdpose_mm.labelling.propagation.auto.joint_matching import TrainedMatcher
from stdpose_mm.labelling.propagation.auto.network_heatmaps import (
    SHIPPED_STDPOSES,
    NetworkHeatmapEstimator,
    WindowHeatmapEstimator,
)
from stdpose_mm.labelling.propagation.auto.trained_fuser import TrainedFuser
from stdpose_mm.structures import Skeleton, VideoLabels
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.text import counted

from .fuser_training import (
    SIMULATED,
    TrainingGap,
    TrainingGapDataset,
    calibrate,
    judged_joints,
    require_gaps,
    train_network,
)
from .gap_extraction import GapSource, TrainedPoseNetwork, extract_training_gaps

LEARNING_RATE = 1e-3
"""Learning rate of fine-tuning."""

SHARES = (0.25, 0.5, 0.75, 1.0)
"""Shares of the trained weights in the result that are tried; the rest are the initial weights."""

FRESH_LEARNING_RATE = 1.5e-3
"""Learning rate of a fuser with random weights."""

SHRINKAGE_OF_GENERATED = 0.01
"""Shrinkage of a fuser trained on generated clips alone, which differ from real footage; see
research/docs/auto_parts.md."""

MARGIN_OF_GENERATED = 0.4
"""Log odds taken off the scores of such a fuser: joints are wrong more often on real footage; see
research/docs/auto_parts.md."""

SHARE_OF_GENERATED = 0.5
"""Share of the weights trained on generated clips, which cannot show the best share for other
footage."""

SURENESS_OF_GENERATED = 0.9
"""Factor of the scores' log odds after further training on generated clips; see
research/docs/generated_clips.md."""

SIMULATED_BESIDE_OWN = 0.3
"""Share of gaps in which a simulated network replaces the user's networks, so that a worse network
does no harm later. On generated clips, where the user's networks fail, it is ``SIMULATED``."""


@dataclass(frozen=True)
class FuserQuality:
    """Accuracy of a fuser on hidden labels.

    Args:
        pck: Share of joints that are at most a tenth of the pose's size from the label.
        error: Mean distance to the label in pose sizes.
        calibration_error: Expected calibration error of the scores.
    """

    pck: float
    error: float
    calibration_error: float

    @classmethod
    def measure(cls, fuser: TrainedFuser, gaps: Sequence[TrainingGap]) -> FuserQuality:
        """Measure the accuracy on gaps with known truth; every hidden label counts once."""
        scores, errors = [], []
        for gap in gaps:
            offsets, certainty = fuser.judge(gap.evidence)
            distance = np.linalg.norm(offsets - gap.targets, axis=-1)
            errors.append((distance * gap.relative_size[:, None])[gap.weights])
            scores.append(certainty[gap.weights])
        error, score = np.concatenate(errors), np.concatenate(scores)
        right = error <= CORRECT_WITHIN
        reliable = reliability(score, right)
        return cls(float(right.mean()), float(error.mean()), reliable.expected_calibration_error)


def mix_weights(start: GapFuser, trained: GapFuser, share: float) -> GapFuser:
    """Build a network from ``share`` of the trained and 1 - ``share`` of the initial weights."""
    before, after = start.state_dict(), trained.state_dict()
    mixed = {name: before[name].lerp(after[name], share) for name in before}
    network = build_fuser()
    network.load_state_dict(mixed)
    return network.eval()


class FinetuningResult(NamedTuple):
    """Result of fine-tuning a fuser.

    Attributes:
        before: Quality of the initial fuser on the held-out videos; ``None`` for random weights.
        after: Quality of the new fuser there.
        share: Share of the trained weights in the new fuser.
    """

    before: FuserQuality | None
    after: FuserQuality
    share: float


def choose_share(start: GapFuser, trained: GapFuser, gaps: Sequence[TrainingGap]) -> float:
    """Choose the share of the trained weights with the smallest mean error on held-out gaps.

    A gap with heatmaps counts twice, with and without them.
    """

    def error(share: float) -> float:
        fuser = TrainedFuser(mix_weights(start, trained, share), ScoreCalibrator(), '')
        rng = np.random.default_rng(0)
        judgements = [judged_joints(fuser, gap, rng, simulated=False) for gap in gaps]
        return float(np.concatenate([e for views in judgements for _, e in views]).mean())

    return min(SHARES, key=error)


@dataclass(frozen=True)
class FuserFinetuner:
    """Train a fuser further and write it as ``fuser.onnx``.

    The evidence of each video stays in the work folder, so that a stopped run continues.

    Args:
        work_dir: Folder for all files of the run.
        source: Source of pictures and heatmaps. With generated clips, the fuser is for other
            footage: heatmaps of this package's models get the errors that they have there, and
            the log odds of scores are multiplied by ``SURENESS_OF_GENERATED``.
        start: The fuser to start from; None for random weights.
        iters: Training steps.
        workers: Processes that gather the evidence.
        device: Device on which the fuser is trained.
        seed: Seed of all random numbers.
    """

    work_dir: Path
    source: GapSource
    start: Path | None
    iters: int = 2000
    workers: int = 2
    device: str = 'cpu'
    seed: int = 0

    def train(
        self, videos: Sequence[VideoLabels], held_out: Sequence[VideoLabels]
    ) -> FinetuningResult:
        """Train on videos; choose the share of new weights and calibrate scores on other videos.

        Args:
            videos: Dense labels.
            held_out: Dense labels of other videos.

        Raises:
            InputError: If a file cannot be used, or nothing can be learned from the labels.
        """
        # Errors in files must appear before hours of work.
        generated = self.source.generated
        start = None if self.start is None else import_fuser(self.start)
        skeletons = [video.skeleton for video in (*videos, *held_out)]
        for model in self.source.models:
            self._require_shared_joints(model, skeletons)
        for files in self.source.networks:
            estimator = NetworkHeatmapEstimator(load_pose_network(files, self.source.device))
            if all(estimator.shared_joints(skeleton) is None for skeleton in skeletons):
                raise InputError(f'{estimator.explain_unused(skeletons[0])}: leave it out')
        TrainedMatcher(self.source.matcher)
        for stdpose in self.source.stdposes:
            _require_people(stdpose.folder, skeletons)
        for video in (*videos, *held_out):
            self.source.stdpose_for(video.name)
        common = {video.name for video in videos} & {video.name for video in held_out}
        if common:
            raise InputError(
                f'video {min(common)!r} is in both sets of labels, so that scores would be '
                'calibrated on training data: leave it out of one of them'
            )
        examples, others = (
            extract_training_gaps(
                dense, self.work_dir / 'evidence' / name, self.source, self.workers, self.seed
            )
            for dense, name in ((videos, 'train'), (held_out, 'held_out'))
        )
        require_gaps(examples, others)
        before = None if start is None else cast(GapFuser, start.network)
        network = train_network(
            TrainingGapDataset(
                examples,
                self.seed,
                simulated=SIMULATED if generated else SIMULATED_BESIDE_OWN,
                distorted=generated,
            ),
            self.work_dir / 'logs',
            before,
            self.iters,
            learning_rate=FRESH_LEARNING_RATE if start is None else LEARNING_RATE,
            seed=self.seed,
            device=self.device,
        )
        learned = counted(len(videos), 'generated clip' if generated else 'labelled video')
        share, shrinkage, margin, sureness = 1.0, 0.0, 0.0, 1.0
        if before is None:
            if generated:
                shrinkage, margin = SHRINKAGE_OF_GENERATED, MARGIN_OF_GENERATED
        elif generated:
            share, sureness = SHARE_OF_GENERATED, SURENESS_OF_GENERATED
        else:
            share = choose_share(before, network, others)
        trained_on = learned if start is None else f'{start.trained_on}, then {learned}'
        mixed = TrainedFuser(
            mix_weights(before or network, network, share), ScoreCalibrator(), trained_on, shrinkage
        )
        fuser = calibrate(mixed, others, margin, sureness, simulated=generated)
        export_fuser(fuser, self.work_dir / 'fuser.onnx')
        old = None if start is None else FuserQuality.measure(start, others)
        return FinetuningResult(old, FuserQuality.measure(fuser, others), share)

    def _require_shared_joints(
        self, pose: TrainedPoseNetwork, skeletons: Sequence[Skeleton]
    ) -> None:
        """Require that a model of this package can be used, and shares joints with all labels."""
        model = WindowModel.from_config(pose.config, pose.checkpoint, self.source.device)
        for skeleton in skeletons:
            none_needed = np.zeros(skeleton.num_keypoints, dtype=bool)
            JointMapping.by_name(skeleton, model.skeleton, none_needed, model.trained_joints)


def _require_people(folder: Path, skeletons: Sequence[Skeleton]) -> None:
    """Require that an STDPose can be used and, if the user chose it, fits some of the labels."""
    estimator = WindowHeatmapEstimator(OnnxWindowBackend.from_stdpose(folder), is_of_people=True)
    if folder not in SHIPPED_STDPOSES and all(
        estimator.shared_joints(s) is None for s in skeletons
    ):
        raise InputError(
            f'the STDPose in {folder} is for labels of people that share seven joints with it, a '
            f'wrist or an ankle among them, the labels use {", ".join(skeletons[0].keypoint_names)}'
            ': leave it out'
        )
