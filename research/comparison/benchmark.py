"""Comparison of several propagators, models and intervals on the same videos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from research.arguments import require_every_video
from research.training.remembered_flow import RememberedFlow
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.inference.onnx_window_backend import OnnxWindowBackend
from stdpose_mm.io.disk.file_names import file_name
from stdpose_mm.io.labels import write_posetrack18
from stdpose_mm.io.video import FrameSource, cache_frames
from stdpose_mm.labelling.comparison.compare_propagators import hidden_frames, propagate_hidden
from stdpose_mm.labelling.comparison.labelled_videos import OTHER_METHOD, open_video
from stdpose_mm.labelling.evidence import PoseNetworkFiles
from stdpose_mm.labelling.propagation import (
    PROPAGATORS,
    BasePropagator,
    given_labels,
    load_propagator,
    method_reads_pictures,
)
from stdpose_mm.labelling.propagation.auto import AutoPropagator
from stdpose_mm.labelling.propagation.auto.joint_matching import TrainedMatcher
from stdpose_mm.labelling.propagation.auto.network_heatmaps import WindowHeatmapEstimator
from stdpose_mm.labelling.propagation.flow import FlowPropagator
from stdpose_mm.structures import VideoLabels

from .clip_errors import ClipErrors, measure
from .seed_comparison import SeedComparison, summarize

MODEL_FORM = 'NAME=METHOD:CONFIG:CHECKPOINT[,CHECKPOINT...][:[FUSER][:POSE[,POSE...]]]'
"""Row of a method with a model; POSE is an additional pose network, see ``EVIDENCE_FORM``."""

EVIDENCE_FORM = 'NAME=[POSE[,POSE...]][:FUSER]'
"""Row of auto; POSE is FILE[=PRESET] or CONFIG=CHECKPOINT of a pose network, PATH=results of
estimated poses, FOLDER=stdpose (several: the best one in each gap) or FILE=matcher to replace the
package's networks, or ``NO_STDPOSE`` to leave out the STDPoses."""

NO_STDPOSE = 'no-stdpose'

OWN_STDPOSE, OWN_MATCHER = '=stdpose', '=matcher'
"""Suffixes of an STDPose and of a joint matcher that replace the package's own."""


@dataclass(frozen=True)
class BenchmarkEntry:
    """A row of the tables: a method, trained with one or several seeds.

    Args:
        name: Name in the tables.
        method: Name of the method in ``PROPAGATORS``.
        config: Config of the model; ``None`` for a method without a model.
        checkpoints: Weights, one for each seed; none without a model.
        fuser: Weights of the fuser of 'auto'; by default, the package's.
        pose_networks: Pose networks of other projects that are evidence for 'auto'.
        use_stdpose: Whether 'auto' uses the STDPoses that come with the package.
        stdposes: Folders of STDPoses that replace the package's.
        matcher: File of the joint matcher of 'auto'; by default, the package's.

    Raises:
        InputError: If the name cannot name a folder, or there is no such method.
    """

    name: str
    method: str
    config: str | None = None
    checkpoints: tuple[str, ...] = ()
    fuser: str | None = None
    pose_networks: tuple[PoseNetworkFiles, ...] = ()
    use_stdpose: bool = True
    stdposes: tuple[str, ...] = ()
    matcher: str | None = None

    def __post_init__(self) -> None:
        if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9_.+-]*', self.name):
            raise InputError(
                f'{self.name!r} cannot name a method, use letters, digits and _ . + - only'
            )
        if self.config is not None:
            # The config may import the module that registers its method.
            read_config(self.config)
        if self.method not in PROPAGATORS:
            raise InputError(
                f'there is no propagation method {self.method!r} for {self.name!r}, choose one of '
                f'{", ".join(PROPAGATORS)}'
            )

    @classmethod
    def parse(cls, text: str) -> BenchmarkEntry:
        """Read a row of ``MODEL_FORM``.

        Raises:
            InputError: If the text has another form, or for the reasons given in the class.
        """
        name, equals, rest = text.partition('=')
        parts = rest.split(':')
        files = [file for part in (*parts[2:3], *parts[4:]) for file in part.split(',')]
        if not equals or not 3 <= len(parts) <= 5 or not all([name, *parts[:3], parts[-1], *files]):
            raise InputError(f'a model is given as {MODEL_FORM}, got {text!r}')
        method, config, checkpoints, fuser, networks = (*parts, '', '')[:5]
        seeds = tuple(checkpoints.split(','))
        return cls(name, method, config, seeds, fuser or None, **_parse_evidence(networks))

    @classmethod
    def parse_evidence(cls, text: str) -> BenchmarkEntry:
        """Read a row of ``EVIDENCE_FORM``.

        Raises:
            InputError: If the text has another form, or for the reasons given in the class.
        """
        name, equals, rest = text.partition('=')
        networks, colon, fuser = rest.partition(':')
        if not equals or not name or not rest or (colon and not fuser):
            raise InputError(f'a row of auto is given as {EVIDENCE_FORM}, got {text!r}')
        return cls(name, 'auto', fuser=fuser or None, **_parse_evidence(networks))

    @property
    def seeds(self) -> range:
        """Numbers of its seeds."""
        return range(len(self.checkpoints) or 1)

    def build(self, seed: int, device: str) -> BasePropagator:
        """Load the propagator of a seed.

        Raises:
            InputError: If a file cannot be used, or does not fit the method.
        """
        propagator = load_propagator(
            self.method,
            self.config,
            self.checkpoints[seed] if self.checkpoints else None,
            device,
            fuser=self.fuser,
            pose_networks=self.pose_networks,
            use_stdpose=self.use_stdpose,
        )
        if isinstance(propagator, AutoPropagator):
            if self.stdposes:
                propagator.windows = tuple(
                    WindowHeatmapEstimator(
                        OnnxWindowBackend.from_stdpose(Path(folder)), is_of_people=True
                    )
                    for folder in self.stdposes
                )
            if self.matcher is not None:
                propagator.matcher = TrainedMatcher(Path(self.matcher))
        if isinstance(propagator, (FlowPropagator, AutoPropagator)):
            # All intervals of a video use the same flow.
            propagator.estimator = RememberedFlow(propagator.estimator)
        return propagator


def _parse_evidence(text: str) -> dict[str, Any]:
    """Read ``[POSE[,POSE...]]``, see ``EVIDENCE_FORM``, as arguments of an entry."""
    found: dict[str, Any] = {'pose_networks': (), 'stdposes': ()}
    for part in filter(None, text.split(',')):
        if part == NO_STDPOSE:
            found['use_stdpose'] = False
        elif part.endswith(OWN_STDPOSE):
            found['stdposes'] += (part.removesuffix(OWN_STDPOSE),)
        elif part.endswith(OWN_MATCHER):
            found['matcher'] = part.removesuffix(OWN_MATCHER)
        else:
            found['pose_networks'] += (PoseNetworkFiles.parse(part),)
    return found


@dataclass(frozen=True)
class Conditions:
    """Conditions under which the propagators run.

    Args:
        image_root: Folder to which file names of pictures are relative.
        video_root: Folder to which the video files named in the labels are relative.
        device: Device of the models.
        out_dir: Folder of the predictions; ``None`` for none.
    """

    image_root: Path | None = None
    video_root: Path | None = None
    device: str = 'cpu'
    out_dir: Path | None = None

    def open(self, labels: VideoLabels, pictures_needed: bool) -> FrameSource:
        """Open the frames of a video.

        Raises:
            InputError: If its pictures are needed and cannot be found.
        """
        roots = self.image_root, self.video_root
        return open_video(labels, *roots, pictures_needed, OTHER_METHOD)


def benchmark_propagators(
    videos: Sequence[VideoLabels],
    entries: Sequence[BenchmarkEntry],
    intervals: Sequence[int],
    conditions: Conditions,
    num_bootstrap: int = 1000,
    reference: str | None = None,
) -> list[SeedComparison]:
    """Compare propagators at several intervals.

    With an ``out_dir``, the predictions are written as PoseTrack18 files to
    ``<name>[-seed<n>]_T<interval>/<video>.json``. A video is decoded once for each seed, unless its
    pictures take more memory than ``cache_frames`` grants.

    Args:
        videos: Dense labels.
        entries: Methods and models with distinct names.
        intervals: Values of T.
        conditions: Conditions of all runs.
        num_bootstrap: Number of bootstrap draws of the videos; 0 for no intervals.
        reference: Name of the entry with which the others are compared.

    Returns:
        One comparison for each interval.

    Raises:
        InputError: If an argument or a file cannot be used.
    """
    names = [entry.name for entry in entries]
    if len(set(names)) < len(names):
        raise InputError(f'two methods have the same name among {names}, give them different names')
    if reference is not None and reference not in names:
        raise InputError(
            f'the reference {reference!r} is not one of the compared methods, choose one of '
            f'{", ".join(names)}'
        )
    truth = [given_labels(labels) for labels in videos]
    hidden = {interval: hidden_frames(truth, interval) for interval in intervals}
    for entry in entries:
        require_every_video(entry.pose_networks, len(videos))
    reads_pictures = any(method_reads_pictures(entry.method) for entry in entries)
    for labels in truth:
        conditions.open(labels, reads_pictures)
    runs: dict[int, dict[str, list[list[ClipErrors]]]] = {
        interval: {entry.name: [[] for _ in entry.seeds] for entry in entries}
        for interval in intervals
    }
    total = len(videos) * sum(len(entry.seeds) for entry in entries)
    with tqdm(total=total, unit=' videos', delay=1, disable=None) as bar:
        for entry, seed in [(row, seed) for row in entries for seed in row.seeds]:
            propagator = entry.build(seed, conditions.device)
            name = f'{entry.name}-seed{seed + 1}' if len(entry.checkpoints) > 1 else entry.name
            for number, labels in enumerate(truth):
                # All intervals read the same pictures.
                frames = cache_frames(conditions.open(labels, pictures_needed=False))
                for interval in intervals:
                    dense = propagate_hidden(frames, labels, interval, propagator)
                    if conditions.out_dir is not None:
                        folder = conditions.out_dir / f'{name}_T{interval}'
                        path = folder / f'{file_name(labels.name)}.json'
                        write_posetrack18(dense, path, official=True)
                    errors = measure(labels, hidden[interval][number], dense)
                    runs[interval][entry.name][seed].append(errors)
                bar.update()
    return [summarize(interval, runs[interval], num_bootstrap, reference) for interval in intervals]
