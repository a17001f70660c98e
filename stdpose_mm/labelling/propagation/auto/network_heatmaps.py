"""Heatmaps of pose networks as evidence: of networks that see windows or single pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend
from stdpose_mm.inference.window_backend import WindowBackend
from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.evidence.pose_network import FlowPaths, HeatmapSource, PersonFrames
from stdpose_mm.labelling.propagation import Gap
from stdpose_mm.labelling.propagation.gap_heatmaps import (
    GapHeatmapEstimator,
    GapHeatmaps,
    boxes_with_ends,
)
from stdpose_mm.structures import Skeleton
from stdpose_mm.structures.joint_mapping import JointMapping
from stdpose_mm.structures.joint_sets import is_of_people
from stdpose_mm.text import counted

from .candidates import CANDIDATES, Candidates
from .evidence_maps import HeatmapSampler, HeatmapsAround, sample_heatmaps

SHIPPED_STDPOSES = (
    Path(__file__).parent / 'weights',
    Path(__file__).parent / 'weights' / 'real_people',
)
"""Folders with the two files of each STDPose that comes with the package: one was trained on
generated people, the other also on real ones."""

_LEAST_LEAD = 0.05
"""Least lead in agreement with the labels at which another network than the first is used. On real
people, the STDPose that knows them leads by more; generated people both find about equally well,
and the windows of the first one are better. Chosen on training clips and generated ones."""

GapUse = Literal['used', 'not compared', 'misses labels', 'crowded', 'finds nothing']
"""How a network was used in a gap: its heatmaps were evidence; the same, but it has none at the
labels; or it was left out because it finds something else than the labelled joints, somebody else
covers the person, or it finds no joint between the labels."""


_SENTENCES: dict[GapUse, str] = {
    'not compared': 'in {} of these it finds nothing at the labels',
    'misses labels': 'in {} it misses the labels',
    'crowded': 'in {} somebody else covers the person',
    'finds nothing': 'in {} it finds nothing',
}


@dataclass
class NetworkUse:
    """Record of the gaps in which a network was used, or was not.

    A long gap, which is filled in chunks, counts once: as used if the network was used in any
    chunk, otherwise with the reason of the first. Fingerprints do not depend on the record.

    Args:
        gaps: Video and fingerprint of each gap -> how the network was used there.
    """

    gaps: dict[tuple[str, str], GapUse] = field(default_factory=dict, compare=False)

    def note(self, video: str, gap: str, use: GapUse) -> None:
        """Record how the network was used in a gap of a video, or in a chunk of the gap."""
        key = video, gap
        if use == 'used' or (use == 'not compared' and self.gaps.get(key) != 'used'):
            self.gaps[key] = use
        else:
            self.gaps.setdefault(key, use)

    def describe(
        self,
        name: str,
        question: str,
        warn_for_video: str | None = None,
        among: Collection[str] | None = None,
    ) -> str:
        """Describe in one sentence how the network ``name`` was used; '' before the first gap.

        Args:
            name: Name of the network.
            question: Question to the user, asked if the network was of no use in most gaps.
            warn_for_video: Name of the only video to describe, and only if that question is asked.
            among: Fingerprints of the gaps to describe; by default all.
        """
        # A copy, as another thread may be filling gaps.
        uses = [
            use
            for (video, gap), use in self.gaps.copy().items()
            if warn_for_video in (None, video) and (among is None or gap in among)
        ]
        total = len(uses)
        if not total:
            return ''
        count = Counter(uses)
        doubtful = count['misses labels'] + count['finds nothing'] + count['not compared']
        is_doubtful = doubtful > total / 2
        if warn_for_video is not None and not is_doubtful:
            return ''
        reasons = [
            sentence.format(count[use]) for use, sentence in _SENTENCES.items() if count[use]
        ]
        used = count['used'] + count['not compared']
        text = '; '.join([f'{name}: used in {used} of {counted(total, "gap")}', *reasons])
        if is_doubtful:
            text += f' ({question})'
        return text


class WindowHeatmapEstimator:
    """Network that sees windows, as evidence.

    Args:
        backend: The network.
        is_of_people: Whether it serves :func:`labels of people <.is_of_people>`, whatever the names
            of their joints, and no others; otherwise it serves all labels that share names of
            joints with it.

    Attributes:
        estimator: Runs the network over gaps.
    """

    def __init__(self, backend: WindowBackend, is_of_people: bool = False) -> None:
        self.backend = backend
        self.is_of_people = is_of_people
        self.estimator = GapHeatmapEstimator(backend)

    def shared_joints(self, skeleton: Skeleton) -> JointMapping | None:
        """Find the trained joints that labels share with the network.

        Returns:
            None if there are none; with ``is_of_people`` also for labels of others.
        """
        joints, trained = self.backend.skeleton, self.backend.trained_joints
        if self.is_of_people:
            is_served = is_of_people(skeleton)
            return JointMapping.by_meaning(skeleton, joints, trained) if is_served else None
        if set(np.array(joints.keypoint_names)[trained]).isdisjoint(skeleton.keypoint_names):
            return None
        none_needed = np.zeros(skeleton.num_keypoints, dtype=bool)
        return JointMapping.by_name(skeleton, joints, none_needed, trained)


@lru_cache(maxsize=1)
def shipped_stdposes() -> tuple[OnnxWindowBackend, ...]:
    """Load the STDPoses that come with the package, once."""
    return tuple(map(OnnxWindowBackend.from_stdpose, SHIPPED_STDPOSES))


class WindowChunk:
    """Frames of a gap, and its labels, as a network that sees windows sees them.

    Args:
        estimator: The network.
        mapping: The joints of the gap's labels among those of the network.
        gap: The gap.
        keys: The frames to estimate.
        candidates: Candidates in these frames and at the labels.
    """

    def __init__(
        self,
        estimator: WindowHeatmapEstimator,
        mapping: JointMapping,
        gap: Gap,
        keys: range,
        candidates: Candidates,
    ) -> None:
        self._estimator, self._mapping = estimator.estimator, mapping
        self._candidates = candidates
        self._cropped = self._estimator.open(gap, keys, mapping)

    def add(self, frame: int, picture: np.ndarray) -> None:
        """Crop the picture of a frame."""
        if frame in self._cropped.crops:
            self._cropped.add(frame, picture)

    def agreement(self) -> float:
        """Measure how well the network finds the labelled joints in the labelled frames alone.

        The pictures of the labelled frames must have been added.

        Returns:
            See :class:`~.evidence_maps.HeatmapsAround`; 0 if no labelled joint has a map.
        """
        maps = self._estimator.evaluate_labels(self._cropped).for_labels(self._mapping)
        return float(np.nan_to_num(sample_heatmaps(maps, self._candidates).agreement))

    def around(self) -> HeatmapsAround:
        """Estimate the heatmaps around the candidates; the pictures must have been added."""
        (maps,) = self._estimator.evaluate([self._cropped])
        return sample_heatmaps(maps.for_labels(self._mapping), self._candidates)


def best_heatmaps(chunks: Sequence[WindowChunk]) -> list[HeatmapsAround]:
    """Estimate the heatmaps of the network that finds the labelled joints best.

    Args:
        chunks: The same frames as each network sees them. The first network is used unless another
            one is clearly better.

    Returns:
        The heatmaps of one network; none without networks.
    """
    if len(chunks) > 1:
        agreements = [chunk.agreement() for chunk in chunks]
        agreements[0] += _LEAST_LEAD
        chunks = [chunks[int(np.argmax(agreements))]]
    return [chunk.around() for chunk in chunks]


class NetworkHeatmapEstimator:
    """Runner of a pose network over the frames of gaps and the labels at their ends.

    Args:
        network: The network, or the poses that one has found.
        batch_size: Number of crops that it sees at once.
        reads_second_labels: As the propagator that it is evidence for.

    Attributes:
        use: The gaps in which the network was used or was not.
    """

    def __init__(
        self, network: HeatmapSource, batch_size: int = 8, reads_second_labels: bool = False
    ) -> None:
        self.network = network
        self.batch_size = batch_size
        self.reads_second_labels = reads_second_labels
        self.use = NetworkUse()

    def shared_joints(self, skeleton: Skeleton) -> JointMapping | None:
        """Find the joints that mean the same places as those of labels; None if there are none."""
        return JointMapping.by_meaning(skeleton, self.network.skeleton)

    def explain_unused(self, skeleton: Skeleton) -> str:
        """Say in a sentence that no joint is shared with these labels."""
        return (
            f'{self.network.name} is not used: it knows none of the labelled joints '
            f'({_listed(skeleton)}), only {_listed(self.network.skeleton)}'
        )


Network = TypeVar('Network', WindowHeatmapEstimator, NetworkHeatmapEstimator)


def with_shared_joints(
    networks: Iterable[Network], skeleton: Skeleton
) -> list[tuple[Network, JointMapping]]:
    """Return the networks that share joints with labels, and these joints."""
    mappings = [(network, network.shared_joints(skeleton)) for network in networks]
    return [(network, mapping) for network, mapping in mappings if mapping is not None]


class NetworkChunk:
    """Frames of a gap, and its labels, as a pose network sees them.

    A network that sees one person at a time sees nothing where somebody else covers the person: it
    would find the joints of whoever is in front.

    Args:
        estimator: The network.
        mapping: The joints of the gap's labels among those of the network.
        frames: The video.
        gap: The gap.
        candidates: Candidates in frames of the gap and at its labels.
    """

    def __init__(
        self,
        estimator: NetworkHeatmapEstimator,
        mapping: JointMapping,
        frames: FrameSource,
        gap: Gap,
        candidates: Candidates,
    ) -> None:
        self._estimator, self._mapping, self._frames = estimator, mapping, frames
        self._gap, self._times = gap, candidates.times
        self._keys = [frame for frame in self._times.tolist() if frame in gap.frames]
        is_covered = not estimator.network.follows_labels and gap.is_crowded(self._keys)
        self._boxes = {} if is_covered else boxes_with_ends(gap, self._keys)
        in_order, size = [*self._boxes], estimator.batch_size
        self._batches = [in_order[start : start + size] for start in range(0, len(in_order), size)]
        self._views: dict[int, Any] = {}
        self._labels, self._flow = _labels_around(gap, mapping), _flow_paths(candidates, mapping)
        self._sampler = HeatmapSampler(candidates, sees_windows=False)

    def add(self, frame: int, picture: np.ndarray) -> None:
        """Look at the picture of a frame, and run the network on batches that are complete."""
        if frame not in self._boxes:
            return
        network = self._estimator.network
        self._views[frame] = network.view(picture, self._boxes[frame])
        for batch in self._batches:
            if frame in batch and self._views.keys() >= {*batch}:
                boxes = np.stack([self._boxes[frame] for frame in batch])
                views = [self._views.pop(frame) for frame in batch]
                person = PersonFrames(self._frames, batch, boxes, self._labels, self._flow, views)
                maps = network.estimate_frames(person)
                of_gap = GapHeatmaps(batch, maps.heatmaps, None, maps.to_heatmap, maps.known)
                self._sampler.add(of_gap.for_labels(self._mapping))

    def around(self) -> HeatmapsAround | None:
        """Judge the heatmaps around the candidates, and note whether they are of use.

        The pictures of all frames must have been added.

        Returns:
            None if they are of no use: the network misses the labels or finds nothing, or
            somebody else covers the person.
        """
        around = self._sampler.judge()
        if not self._boxes:
            use: GapUse = 'crowded'
        elif not around.has_heatmap[np.isin(self._times, self._keys)].any():
            use = 'finds nothing'
        elif around.misses_labels:
            use = 'misses labels'
        else:
            use = 'used' if around.is_compared else 'not compared'
        fingerprint = self._gap.fingerprint(self._estimator.reads_second_labels)
        self._estimator.use.note(self._frames.name, fingerprint, use)
        return around if use in ('used', 'not compared') else None


def _labels_around(gap: Gap, mapping: JointMapping) -> dict[int, np.ndarray]:
    """Find the nearest label of each joint of a network on both sides of a gap.

    A joint that is labelled on one side only has the two nearest labels there.

    Returns:
        Frame -> [num_model, 2] pixels, NaN where another frame is nearer or there is no label.
    """
    nearest: dict[int, np.ndarray] = {}
    sides = (gap.before, gap.after, gap.second_before, gap.second_after)
    for joint, in_network in zip(mapping.shared, mapping.in_model, strict=True):
        for side in [side for side in sides if side.exists[joint]][:2]:
            places = np.full((mapping.num_model, 2), np.nan)
            nearest.setdefault(int(side.frames[joint]), places)[in_network] = side.keypoints[joint]
    return nearest


def _flow_paths(candidates: Candidates, mapping: JointMapping) -> FlowPaths:
    """Return the flow tracks among the candidates, as joints of a network."""
    times = candidates.times
    paths = {}
    for end, labelled, name in (
        (0, candidates.left, 'forward'),
        (-1, candidates.right, 'backward'),
    ):
        places = candidates.positions[:, :, CANDIDATES.index(name)]
        path = np.full((len(times), mapping.num_model, 2), np.nan)
        path[:, mapping.in_model] = np.where(labelled[:, None], places, np.nan)[:, mapping.shared]
        paths[int(times[end])] = times, path
    return paths


def _listed(skeleton: Skeleton) -> str:
    names = skeleton.keypoint_names
    return ', '.join(names[:5]) + (', ...' if len(names) > 5 else '')
