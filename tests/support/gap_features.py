"""The features of one gap, from its pictures and flow tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stdpose_mm.io.video import FrameSource
from stdpose_mm.labelling.propagation import Gap
from stdpose_mm.labelling.propagation.auto.candidates import Candidates, find_candidates
from stdpose_mm.labelling.propagation.auto.evidence_maps import sample_heatmaps
from stdpose_mm.labelling.propagation.auto.fusion_features import (
    FusionFeatures,
    extract_fusion_features,
)
from stdpose_mm.labelling.propagation.auto.joint_matching import (
    JointMatches,
    JointSearch,
    TrainedMatcher,
)
from stdpose_mm.labelling.propagation.auto.network_heatmaps import (
    NetworkChunk,
    NetworkHeatmapEstimator,
)
from stdpose_mm.labelling.propagation.flow.flow_tracks import FlowTracks
from stdpose_mm.labelling.propagation.gap_heatmaps import GapHeatmaps
from stdpose_mm.structures.joint_mapping import JointMapping


def match_joints(
    frames: FrameSource,
    candidates: Candidates,
    matcher: TrainedMatcher,
    networks: Sequence[NetworkChunk] = (),
) -> JointMatches:
    """Compare every frame of a gap with the labels at its ends, and show it to networks."""
    search = JointSearch(candidates, matcher)
    for frame in candidates.times.tolist():
        search.add(frame, frames[frame])
        for network in networks:
            network.add(frame, frames[frame])
    return search.matches()


def features_of_gap(
    frames: FrameSource,
    gap: Gap,
    tracks: FlowTracks,
    matcher: TrainedMatcher,
    chosen: Sequence[int] | None = None,
    heatmaps: Sequence[GapHeatmaps] = (),
    networks: Sequence[tuple[NetworkHeatmapEstimator, JointMapping]] = (),
) -> FusionFeatures:
    """Extract the evidence for one gap, or for some of its frames.

    Args:
        frames: The video.
        gap: The gap; one of its ends is labelled.
        tracks: Its flow tracks.
        matcher: Compares pictures with the labels.
        chosen: Frames to look at, ascending, the gap's first and last among them; all by default.
        heatmaps: Heatmaps of networks that see windows, for some or all of these frames.
        networks: Networks of single frames, with the joints of the labels among theirs.
    """
    times = np.array(tracks.frames if chosen is None else chosen)
    candidates = find_candidates(gap, tracks, times)
    chunks = [NetworkChunk(*network, frames, gap, candidates) for network in networks]
    matches = match_joints(frames, candidates, matcher, chunks)
    around = [sample_heatmaps(maps, candidates) for maps in heatmaps]
    around += [found for chunk in chunks if (found := chunk.around())]
    return extract_fusion_features(gap, tracks, candidates, matches, frames.size, around)
