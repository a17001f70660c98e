from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stdpose_mm.errors import note
from stdpose_mm.inference.threads import thread_map
from stdpose_mm.inference.window_backend import WindowBackend, fill_batches
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import PROPAGATORS, BasePropagator, Gap, GapPoses, ModelUse
from stdpose_mm.labelling.propagation.base import decayed_score
from stdpose_mm.labelling.propagation.flow.flow_tracks import (
    FlowTracks,
    follow_joints,
    labelled_ends,
)
from stdpose_mm.labelling.propagation.gap_heatmaps import read_chunks, split_gap
from stdpose_mm.labelling.propagation.gaps import split_into_chunks
from stdpose_mm.labelling.propagation.interpolation import interpolate_joints
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.structures.joint_sets import is_of_people
from stdpose_mm.tracking.optical_flow import DISFlow, FlowEstimator

from .candidates import Candidates, find_candidates
from .evidence_maps import HeatmapsAround
from .fusion_features import extract_fusion_features
from .joint_matching import JointSearch, TrainedMatcher, shipped_matcher
from .network_heatmaps import (
    NetworkChunk,
    NetworkHeatmapEstimator,
    WindowChunk,
    WindowHeatmapEstimator,
    best_heatmaps,
    shipped_stdposes,
    with_shared_joints,
)
from .trained_fuser import TrainedFuser, fuser_file, shipped_fuser

if TYPE_CHECKING:
    from stdpose_mm.inference.window_model import WindowModel
    from stdpose_mm.labelling.evidence import HeatmapSource

_BATCH_CROPS = 512
"""Crops (0.1 MB each) of all chunks that are filled during one pass over the video: about 8 people
over 64 frames, or 40 people over 10 frames."""

_SMALL_MISS = 0.15
"""Pose sizes. Where flow misses no joint of the other label by more, the package's STDPoses change
nothing for the better on real clips, and take a third of the time of 'auto'. Chosen on training
clips, see research/docs/auto_parts.md."""


def auto_flow() -> FlowEstimator:
    """Build the flow estimator of 'auto'. It is coarse, because 'auto' has other evidence, too."""
    return DISFlow(finest_scale=2, refinements=2)


@PROPAGATORS.register_module(name='auto')
class AutoPropagator(BasePropagator):
    """Propagator that fuses all evidence over a whole gap and calibrates its scores.

    The evidence is linear interpolation, optical flow from both labels, places that look like the
    labelled joints, and the heatmaps of a :class:`~stdpose_mm.models.pose_estimators.STDPose` and
    of other pose networks. A small network that works for any skeleton fuses it. The score of a
    joint is the probability that it lies within a tenth of the pose's size of the truth, calibrated
    on held-out clips. For :func:`labels of people <.is_of_people>`, the package has networks that
    have also learned from real people.

    A joint that is labelled at neither end of a gap is interpolated between its nearest labels.

    Args:
        window_model: A pose network that replaces the STDPoses that come with the package. Its
            heatmaps are evidence for the joints whose names it shares with the labels.
        weights: A trained fuser, or its file, see :meth:`TrainedFuser.load`. By default one that
            comes with the package: for labels of people that which was trained beside the STDPoses
            on generated and real clips of them, for all others that of generated clips alone.
        estimator: Optical flow, :func:`auto_flow` by default.
        batch_size: Number of crops that a pose network sees at once.
        pose_networks: Pose networks of other projects, or the poses that they found. Their heatmaps
            are evidence, too, for the joints that mean the same places as those of the labels. They
            are left out where somebody else covers much of a person.
        use_stdpose: Whether the heatmaps of the STDPoses that come with the package are evidence
            for labels of people: in each gap those of the one that finds the labelled joints best.
            They are not used beside a ``window_model``, nor where optical flow arrives at the
            labels.
        stdposes: Other STDPoses that replace the package's.
        matcher: Finds labelled joints in other frames; by default the package's matcher.

    Raises:
        InputError: If the weights cannot be read.
    """

    uses_model: ModelUse = 'optional'

    uses_flow = True

    uses_fuser = True

    def __init__(
        self,
        window_model: WindowModel | None = None,
        weights: str | Path | TrainedFuser | None = None,
        estimator: FlowEstimator | None = None,
        batch_size: int = 8,
        pose_networks: Sequence[HeatmapSource] = (),
        use_stdpose: bool = True,
        stdposes: Sequence[WindowBackend] = (),
        matcher: TrainedMatcher | None = None,
    ) -> None:
        self.windows: tuple[WindowHeatmapEstimator, ...] = ()
        self.uses_shipped_stdposes = False
        if window_model is not None:
            # PyTorch takes seconds to import, and 'auto' works without it.
            from stdpose_mm.inference.torch_window_backend import TorchWindowBackend

            self.windows = (WindowHeatmapEstimator(TorchWindowBackend(window_model, batch_size)),)
            self.skeleton = window_model.skeleton
        elif use_stdpose:
            self.windows = _windows_of_people(stdposes)
            self.uses_shipped_stdposes = not stdposes
        follow = [network.follows_labels for network in pose_networks]
        self.reads_other_people, self.reads_second_labels = not all(follow), any(follow)
        self.estimators = tuple(
            NetworkHeatmapEstimator(network, batch_size, self.reads_second_labels)
            for network in pose_networks
        )
        self.estimator = estimator or auto_flow()
        self.matcher = matcher or shipped_matcher()
        if isinstance(weights, str | Path):
            weights = TrainedFuser.load(weights)
        self.fuser = weights

    def propagate(
        self, frames: FrameSource, gaps: Sequence[Gap], skeleton: Skeleton
    ) -> Iterator[GapPoses]:
        """Fill gap by gap, frames roughly ascending; see :meth:`BasePropagator.propagate`."""
        windows = self._windows_for(skeleton)
        networks = with_shared_joints(self.estimators, skeleton)
        chunks = chain.from_iterable(self._read(frames, gaps, windows, networks))
        fill = partial(self._fill, frames.size, self.fuser or shipped_fuser(fuser_file(skeleton)))
        is_parallel = all(network.backend.single_threaded for network, _ in windows)
        # Any other network uses all threads itself.
        with closing(thread_map(fill, chunks, None if is_parallel else 1)) as filled:
            yield from filled

    def warn_of_evidence(self, skeleton: Skeleton) -> None:
        """Warn of networks that know none of the labelled joints."""
        for estimator in self.estimators:
            if estimator.shared_joints(skeleton) is None:
                note(estimator.explain_unused(skeleton))

    def describe_use(
        self, warn_for_video: str | None = None, among: Collection[str] | None = None
    ) -> list[str]:
        """Say in how many gaps each pose network was used, and why it was not in the others."""
        lines = (
            estimator.use.describe(
                estimator.network.name, estimator.network.question, warn_for_video, among
            )
            for estimator in self.estimators
        )
        return [line for line in lines if line]

    def require_evidence(self, frames: FrameSource) -> None:
        """See :meth:`BasePropagator.require_evidence`."""
        for estimator in self.estimators:
            estimator.network.require_video(frames)

    def files_of(self, video: str) -> list[dict[str, Path]]:
        """See :meth:`BasePropagator.files_of`."""
        return [estimator.network.files_of(video) for estimator in self.estimators]

    def describe(self, skeleton: Skeleton) -> str:
        """Name the evidence that is used for labels of these joints, in a few words."""
        fuser = 'your fuser'
        if self.fuser is None:
            fuser = f'the fuser for {"people" if is_of_people(skeleton) else "any subject"}'
        evidence = f'straight lines, optical flow and learned appearance, weighed by {fuser}'
        networks = []
        shared = {
            joint for _, joints in self._windows_for(skeleton) for joint in joints.shared.tolist()
        }
        if any(not network.is_of_people for network in self.windows):
            networks.append(('', len(shared)))
        elif shared:
            networks.append((" of the package's STDPose", len(shared)))
        for estimator in self.estimators:
            mapping = estimator.shared_joints(skeleton)
            number = 0 if mapping is None else len(mapping.shared)
            networks.append((f' of {estimator.network.name}', number))
        if not networks:
            return f'{evidence}, without a pose network'
        maps = ' and '.join(
            f'heatmaps{name} for {number} of {skeleton.num_keypoints} joints'
            for name, number in networks
        )
        return f'{evidence}, and {maps}'

    def _windows_for(self, skeleton: Skeleton) -> list[tuple[WindowHeatmapEstimator, JointMapping]]:
        """Return the networks of windows for labels, and the joints that they share with these."""
        windows = self.windows
        if self.uses_shipped_stdposes and is_of_people(skeleton):
            # Half a second, which labels of others do not wait for.
            windows = _windows_of_people(shipped_stdposes())
        return with_shared_joints(windows, skeleton)

    def _read(
        self,
        frames: FrameSource,
        gaps: Sequence[Gap],
        windows: Sequence[tuple[WindowHeatmapEstimator, JointMapping]],
        networks: Sequence[tuple[NetworkHeatmapEstimator, JointMapping]],
    ) -> Iterator[list[_FusionChunk]]:
        """Track the joints and crop the pictures; yield chunks as soon as they are complete."""
        for group in split_into_chunks(gaps):
            tracks = dict(follow_joints(frames, group, self.estimator, one_way=True))
            parts = [part for gap in group for part in split_gap(gap)]
            # People whose long gaps overlap are filled during the same pass over the video.
            parts.sort(key=lambda part: part[1][0])
            yield [_FusionChunk(*part) for part in parts if not np.any(labelled_ends(part[0]))]
            evident = [part for part in parts if np.any(labelled_ends(part[0]))]
            for batch in fill_batches(evident, lambda part: len(part[1]) + 2, _BATCH_CROPS):
                opened = [
                    self._open(frames, *part, tracks[part[0]], windows, networks) for part in batch
                ]
                wanted = [evidence.candidates.times.tolist() for evidence in opened]
                for complete in read_chunks(frames, batch, wanted, partial(_add_picture, opened)):
                    for number in complete:
                        opened[number].gather_heatmaps()
                    yield [_FusionChunk(*batch[number], opened[number]) for number in complete]

    def _open(
        self,
        frames: FrameSource,
        gap: Gap,
        keys: range,
        tracks: FlowTracks,
        windows: Sequence[tuple[WindowHeatmapEstimator, JointMapping]],
        networks: Sequence[tuple[NetworkHeatmapEstimator, JointMapping]],
    ) -> _Evidence:
        """Prepare a chunk for its pictures: the frames to fill and the ends of the gap."""
        candidates = find_candidates(gap, tracks, np.array(sorted({gap.first, *keys, gap.last})))
        flow_arrives = tracks.largest_miss(gap) <= _SMALL_MISS
        seeing_windows = [
            WindowChunk(*window, gap, keys, candidates)
            for window in windows
            if not (flow_arrives and window[0].is_of_people)
        ]
        chunks = [NetworkChunk(*network, frames, gap, candidates) for network in networks]
        search = JointSearch(candidates, self.matcher)
        return _Evidence(tracks, candidates, search, seeing_windows, chunks)

    def _fill(
        self, picture_size: tuple[int, int], fuser: TrainedFuser, chunk: _FusionChunk
    ) -> GapPoses:
        """Fill a chunk whose pictures have all been read."""
        gap, keys, evidence = chunk
        keypoints = interpolate_joints(gap, keys)
        scores = decayed_score(gap.distance_to_label(keys))
        if evidence is not None:
            candidates, matches = evidence.candidates, evidence.search.matches()
            heatmaps = [*evidence.heatmaps, *best_heatmaps(evidence.windows)]
            features = extract_fusion_features(
                gap, evidence.tracks, candidates, matches, picture_size, heatmaps
            )
            rows, joints = np.searchsorted(candidates.times, keys), features.known
            positions, certainty = (values[rows] for values in fuser(features))
            keypoints[:, joints], scores[:, joints] = positions[:, joints], certainty[:, joints]
        return GapPoses.with_visibility_of_labels(gap, keys, keypoints, scores)


@dataclass(eq=False)
class _Evidence:
    """The evidence for some frames of a gap.

    Args:
        tracks: Flow tracks of the gap.
        candidates: Candidates in the frames to fill and at the ends of the gap.
        search: Search for the labelled joints in these frames.
        windows: These frames for the networks that see windows, if they are used.
        networks: The same for networks that see single frames.
        heatmaps: Heatmaps of these networks where they are of use.
    """

    tracks: FlowTracks
    candidates: Candidates
    search: JointSearch
    windows: Sequence[WindowChunk]
    networks: Sequence[NetworkChunk]
    heatmaps: list[HeatmapsAround] = field(default_factory=list)

    def add(self, frame: int, picture: np.ndarray) -> None:
        """Crop the picture of a frame for everything that looks at it."""
        self.search.add(frame, picture)
        chunks: tuple[WindowChunk | NetworkChunk, ...] = (*self.windows, *self.networks)
        for chunk in chunks:
            chunk.add(frame, picture)

    def gather_heatmaps(self) -> None:
        """Gather the heatmaps of networks that see single frames, after the last picture."""
        self.heatmaps = [a for network in self.networks if (a := network.around())]


class _FusionChunk(NamedTuple):
    """Frames of a gap that are fused at once.

    Args:
        gap: The gap.
        keys: The frames to fill, ascending.
        evidence: None if neither end of the gap is labelled.
    """

    gap: Gap
    keys: range
    evidence: _Evidence | None = None


def _windows_of_people(backends: Sequence[WindowBackend]) -> tuple[WindowHeatmapEstimator, ...]:
    return tuple(WindowHeatmapEstimator(backend, is_of_people=True) for backend in backends)


def _add_picture(opened: Sequence[_Evidence], number: int, frame: int, picture: np.ndarray) -> None:
    opened[number].add(frame, picture)
