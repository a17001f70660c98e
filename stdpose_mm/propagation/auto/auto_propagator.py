from __future__ import annotations

import warnings
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stdpose_mm.errors import InputWarning
from stdpose_mm.io.video import FrameSource
from stdpose_mm.propagation import PROPAGATORS, BasePropagator, Gap, ModelUse, PropagatedPose
from stdpose_mm.propagation.confidence import decayed_score
from stdpose_mm.propagation.flow.flow_tracks import (
    FlowTracks,
    follow_joints,
    labelled_ends,
    split_into_chunks,
)
from stdpose_mm.propagation.flow.optical_flow import DISFlow, FlowEstimator
from stdpose_mm.propagation.gap_windows import MAX_KEYS, gap_parts
from stdpose_mm.propagation.gaps import GapPlace
from stdpose_mm.propagation.interpolation.linear_propagator import interpolate_joints
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping

from .candidates import Candidates, find_candidates
from .fusion_features import join_features
from .gap_heatmaps import GapHeatmaps, HeatmapsAround, around_nbytes
from .joint_matching import JointMatches, match_joints, matches_nbytes
from .model_heatmaps import ModelHeatmapEstimator
from .network_heatmaps import NetworkHeatmapEstimator, gather_heatmaps
from .stdpose_heatmaps import STDPoseHeatmapEstimator
from .trained_fuser import SHIPPED_WEIGHTS, TrainedFuser
from .trained_matcher import TrainedMatcher, shipped_matcher
from .trained_stdpose import TrainedSTDPose, shipped_stdpose

if TYPE_CHECKING:
    from stdpose_mm.inference import WindowModel
    from stdpose_mm.pose_networks import HeatmapSource

_BATCH_BYTES = 64 * 2**20
"""Memory for the evidence of the chunks that share one reading of the video: about 8 people of 17
joints over 64 frames, or 45 over 10."""

_HALF_LIFE = 7.0
"""Frames; for joints that neither end of a gap labels, see :func:`decayed_score`."""


def auto_flow() -> FlowEstimator:
    """Build the flow estimator of 'auto': a coarse one, as 'auto' has other evidence, too."""
    return DISFlow(finest_scale=2)


@PROPAGATORS.register_module(name='auto')
class AutoPropagator(BasePropagator):
    """Fuse all the evidence over a whole gap, with a calibrated score.

    Linear interpolation, optical flow from both labels, the places that look like the labelled
    joints (:class:`~stdpose_mm.models.matchers.JointMatcher`) and the heatmaps of a
    :class:`~stdpose_mm.models.STDPose` and of other pose networks go into a small network
    (:class:`~stdpose_mm.models.fusers.GapFuser`) that works for any skeleton. The score of a joint
    is the probability that it lies within a tenth of the pose's size of the truth, as calibrated on
    held-out clips.

    A joint that neither end of a gap labels is interpolated between its nearest labels.

    Args:
        window_model: A pose network whose heatmaps are evidence for the joints that it shares with
            the labels by name, in place of the STDPose that comes with the package.
        weights: File of a trained fuser, see :meth:`TrainedFuser.load`; by default the one that
            comes with the package, which was trained on generated clips only; its scores are
            calibrated on real ones.
        estimator: Optical flow, that of :func:`auto_flow` by default.
        batch_size: Crops that a pose network sees at once.
        device: Where a fuser in PyTorch runs.
        pose_networks: Pose networks of other projects, or the poses that they found, whose heatmaps
            are evidence, too, for the joints that mean the same places as the labels'. They are
            left out where somebody else covers much of a person.
        use_stdpose: Whether the heatmaps of the STDPose that comes with the package, which was
            trained on generated clips of people, are evidence for labels of a person. It is not
            used beside a ``window_model``.
        stdpose: Another STDPose in place of the package's.
        matcher: Finds labelled joints in other frames; by default the one of the package.

    Raises:
        InputError: If the weights cannot be read.
    """

    uses_model: ModelUse = 'optional'

    uses_flow = True

    uses_fuser = True

    def __init__(
        self,
        window_model: WindowModel | None = None,
        weights: str | Path | None = None,
        estimator: FlowEstimator | None = None,
        batch_size: int = 8,
        device: str = 'cpu',
        pose_networks: Sequence[HeatmapSource] = (),
        use_stdpose: bool = True,
        stdpose: TrainedSTDPose | None = None,
        matcher: TrainedMatcher | None = None,
    ) -> None:
        self.heatmap_estimator: ModelHeatmapEstimator | None = None
        if window_model is not None:
            self.heatmap_estimator = ModelHeatmapEstimator(window_model, batch_size)
            self.skeleton = window_model.skeleton
        self.stdpose: STDPoseHeatmapEstimator | None = None
        if use_stdpose and window_model is None:
            self.stdpose = STDPoseHeatmapEstimator(stdpose or shipped_stdpose())
        self.estimators = tuple(
            NetworkHeatmapEstimator(network, batch_size) for network in pose_networks
        )
        self.reads_other_people = bool(self.estimators)
        self.estimator = estimator or auto_flow()
        self.matcher = matcher or shipped_matcher()
        self.fuser = TrainedFuser.load(weights or SHIPPED_WEIGHTS, device)

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[PropagatedPose]:
        """Fill gap by gap, frames roughly ascending; see :meth:`BasePropagator.propagate`."""
        mapping = self.shared_joints(skeleton)
        mappings = [(each, each.shared_joints(skeleton)) for each in self.estimators]
        networks = [(each, shared) for each, shared in mappings if shared is not None]
        num_networks = len(networks) + (mapping is not None)
        for chunk in split_into_chunks(gaps):
            tracks = dict(follow_joints(frames, chunk, self.estimator))
            with closing(self._chunks(frames, chunk, tracks, mapping)) as chunks:
                for batch in _batches(chunks, num_networks):
                    yield from self._fill(frames, batch, mapping, networks)

    def _chunks(
        self,
        frames: FrameSource,
        gaps: Sequence[Gap],
        tracks: Mapping[Gap, FlowTracks],
        mapping: JointMapping | None,
    ) -> Generator[_Chunk, None, None]:
        """Yield the chunks of gaps in order of time, with heatmaps of the model."""
        if self.heatmap_estimator is not None and mapping is not None:
            with closing(self.heatmap_estimator.gap_heatmaps(frames, gaps, mapping)) as estimated:
                for gap, maps in estimated:
                    unlabelled = [frame for frame in maps.frames if frame in gap.frames]
                    yield _Chunk(gap, tracks[gap], unlabelled, (maps,))
            return
        parts = [part for gap in gaps for part in gap_parts(gap, MAX_KEYS)]
        # People with long gaps side by side share the reading of the video.
        for gap, keys in sorted(parts, key=lambda part: part[1][0]):
            yield _Chunk(gap, tracks[gap], keys, ())

    def warn_of_evidence(self, skeleton: Skeleton) -> None:
        """Warn of networks without joints of the labels."""
        for each in self.estimators:
            if each.shared_joints(skeleton) is None:
                warnings.warn(each.explain_unused(skeleton), InputWarning, stacklevel=2)

    def describe_use(
        self, doubted_of: str | None = None, among: Collection[GapPlace] | None = None
    ) -> list[str]:
        """Say for each pose network in how many gaps it was used, and why not in the others."""
        lines = (
            each.use.describe(each.network.name, each.network.doubt, doubted_of, among)
            for each in self.estimators
        )
        return [line for line in lines if line]

    def require_evidence(self, frames: FrameSource) -> None:
        """See :meth:`BasePropagator.require_evidence`."""
        for each in self.estimators:
            each.network.require_video(frames)

    def files_of(self, video: str) -> list[dict[str, Path]]:
        """See :meth:`BasePropagator.files_of`."""
        return [each.network.files_of(video) for each in self.estimators]

    def describe(self, skeleton: Skeleton) -> str:
        """Name the evidence that is used for labels with these joints, in a few words."""
        evidence = 'straight lines, optical flow and learned appearance'
        shared = []
        mapping = self.shared_joints(skeleton)
        if self.heatmap_estimator is not None or mapping is not None:
            name = '' if self.stdpose is None else " of the package's STDPose"
            shared.append((name, 0 if mapping is None else len(mapping.shared)))
        for each in self.estimators:
            own = each.shared_joints(skeleton)
            count = 0 if own is None else len(own.shared)
            shared.append((f' of {each.network.name}', count))
        if not shared:
            return f'{evidence}, without a pose network'
        maps = ' and '.join(
            f'heatmaps{name} for {count} of {skeleton.num_keypoints} joints'
            for name, count in shared
        )
        return f'{evidence}, and {maps}'

    def shared_joints(self, skeleton: Skeleton) -> JointMapping | None:
        """Find the joints that STDPose, or the model, shares with labels; None without any."""
        estimator = self.stdpose or self.heatmap_estimator
        return None if estimator is None else estimator.shared_joints(skeleton)

    def _fill(
        self,
        frames: FrameSource,
        chunks: Sequence[_Chunk],
        mapping: JointMapping | None,
        networks: Sequence[tuple[NetworkHeatmapEstimator, JointMapping]],
    ) -> Iterator[PropagatedPose]:
        """Yield the poses of a batch, chunk by chunk."""
        evident = [chunk for chunk in chunks if np.any(labelled_ends(chunk.gap))]
        candidates = [find_candidates(each.gap, each.tracks, each.times) for each in evident]
        matches = match_joints(frames, candidates, self.matcher)
        found = {
            chunk: _Evidence(
                each, likeness, gather_heatmaps(frames, chunk.gap, each, chunk.heatmaps, networks)
            )
            for chunk, each, likeness in zip(evident, candidates, matches, strict=True)
        }
        self._add_stdpose(frames, found, mapping)
        for chunk in chunks:
            gap, keys = chunk.gap, chunk.keys
            keypoints = np.stack([interpolate_joints(gap, frame) for frame in keys])
            scores = np.stack(
                [decayed_score(gap.distance_to_label(frame), _HALF_LIFE) for frame in keys]
            )
            if chunk in found:
                evidence = found[chunk]
                features = join_features(
                    gap,
                    chunk.tracks,
                    evidence.candidates,
                    evidence.matches,
                    frames.size,
                    evidence.heatmaps,
                )
                rows, known = np.searchsorted(chunk.times, keys), features.known
                positions, certainty = (values[rows] for values in self.fuser(features))
                keypoints[:, known], scores[:, known] = positions[:, known], certainty[:, known]
            for row, frame_index in enumerate(keys):
                yield PropagatedPose.with_visibility_of_labels(
                    gap, frame_index, keypoints[row], scores[row]
                )

    def _add_stdpose(
        self,
        frames: FrameSource,
        found: Mapping[_Chunk, _Evidence],
        mapping: JointMapping | None,
    ) -> None:
        """Add the heatmaps of the package's STDPose."""
        if self.stdpose is None or mapping is None:
            return
        chunks = [*found]
        parts = [(chunk.gap, chunk.keys) for chunk in chunks]
        for number, maps in self.stdpose.heatmaps(frames, parts, mapping):
            evidence = found[chunks[number]]
            evidence.heatmaps.append(maps.around(evidence.candidates))


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Hold the frames of a gap that are fused at once.

    Args:
        gap: The gap.
        tracks: Its flow tracks.
        keys: The frames to fill, ascending.
        heatmaps: Heatmaps of the model.
    """

    gap: Gap
    tracks: FlowTracks
    keys: Sequence[int]
    heatmaps: tuple[GapHeatmaps, ...]

    @property
    def times(self) -> np.ndarray:
        """Return the frames to look at, ascending: those to fill and the ends of the gap."""
        return np.array(sorted({self.gap.first, *self.keys, self.gap.last}))

    def nbytes(self, num_networks: int) -> int:
        """Compute the memory of its evidence, with some pose networks, in bytes."""
        num_frames, num_joints = len(self.keys) + 2, len(self.gap.joints)
        maps = [m for each in self.heatmaps for m in (each.frame_heatmaps, each.final_heatmaps)]
        return (
            matches_nbytes(num_frames, num_joints)
            + num_networks * around_nbytes(num_frames, num_joints)
            + sum(values.nbytes for values in maps if values is not None)
        )


@dataclass(frozen=True, eq=False)
class _Evidence:
    """Hold what the fuser reads of a chunk.

    Args:
        candidates: Candidates in its frames.
        matches: Matches with the labelled joints.
        heatmaps: Heatmaps of each network around the candidates.
    """

    candidates: Candidates
    matches: JointMatches
    heatmaps: list[HeatmapsAround]


def _batches(chunks: Iterable[_Chunk], num_networks: int) -> Iterator[list[_Chunk]]:
    """Group neighbouring chunks; a batch exceeds ``_BATCH_BYTES`` by one chunk at most."""
    batch: list[_Chunk] = []
    nbytes = 0
    for chunk in chunks:
        batch.append(chunk)
        nbytes += chunk.nbytes(num_networks)
        if nbytes >= _BATCH_BYTES:
            yield batch
            batch, nbytes = [], 0
    if batch:
        yield batch
