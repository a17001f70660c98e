"""Fusion features of the hidden labels of many videos, in one file per video."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import cv2
import numpy as np
import torch
from tqdm import tqdm

from stdpose_mm.errors import InputError
from stdpose_mm.inference.onnx_window_backend import FRAMES_FILE, WINDOWS_FILE, OnnxWindowBackend
from stdpose_mm.inference.torch_window_backend import TorchWindowBackend
from stdpose_mm.inference.window_model import WindowModel
from stdpose_mm.io.disk.file_names import distinct_file_names
from stdpose_mm.io.fingerprint import fingerprint
from stdpose_mm.io.video import ArrayFrames
from stdpose_mm.labelling.comparison.labelled_videos import open_video
from stdpose_mm.labelling.evidence import PoseNetworkFiles, load_pose_network
from stdpose_mm.labelling.propagation import given_labels
from stdpose_mm.labelling.propagation.auto.auto_propagator import auto_flow
from stdpose_mm.labelling.propagation.auto.joint_matching import SHIPPED_MATCHER, TrainedMatcher
from stdpose_mm.labelling.propagation.auto.network_heatmaps import (
    SHIPPED_STDPOSES,
    NetworkHeatmapEstimator,
    WindowHeatmapEstimator,
)
from stdpose_mm.labelling.propagation.auto.trained_fuser import EVIDENCE
from stdpose_mm.labelling.propagation.track_plans import MOST_COVERED
from stdpose_mm.structures import VideoLabels

from .fuser_training import (
    INTERVALS,
    TrainingGap,
    as_annotated,
    collect_training_gaps,
    load_training_gaps,
    save_training_gaps,
)

INTERVALS_PER_VIDEO = 4


class Roots(NamedTuple):
    """Folders to which the paths of pictures and video files in labels are relative."""

    images: Path | None
    videos: Path | None


class TrainedPoseNetwork(NamedTuple):
    """Files of a pose network of this package."""

    config: Path
    checkpoint: Path


class ExportedSTDPose(NamedTuple):
    """Folder of an STDPose that runs without PyTorch, by default the package's own of real people.

    The package's STDPose of generated people is used beside it, as in ``auto``.

    Args:
        folder: Folder that ``research/tools/export_stdpose.py`` wrote.
        seen: Names of the videos that it was trained on.
    """

    folder: Path = SHIPPED_STDPOSES[1]
    seen: frozenset[str] = frozenset()

    @property
    def folders(self) -> tuple[Path, Path]:
        """Return the folder of the package's STDPose of generated people, and this one."""
        return SHIPPED_STDPOSES[0], self.folder

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files of both."""
        return tuple(
            folder / name for folder in self.folders for name in (FRAMES_FILE, WINDOWS_FILE)
        )


class GapSource(NamedTuple):
    """The source of training gaps, the same for all videos.

    Args:
        roots: Folders of the videos.
        generated: Whether the videos are generated clips. Their labels are exact, and are changed
            as if a person had clicked them.
        models: Pose networks of this package. One of them, drawn at random, gives the heatmaps of a
            video: a fuser that is to read networks of any quality has to see several.
        stdposes: STDPoses that give heatmaps for labels of people, for a video the first one that
            has not seen it: in every second video beside ``models``, in all videos without them.
        networks: Pose networks of other projects whose heatmaps are evidence.
        device: Device of the networks.
        matcher: File of the joint matcher that compares pictures with the labels.
    """

    roots: Roots
    generated: bool = False
    models: tuple[TrainedPoseNetwork, ...] = ()
    stdposes: tuple[ExportedSTDPose, ...] = ()
    networks: tuple[PoseNetworkFiles, ...] = ()
    device: str = 'cpu'
    matcher: Path = SHIPPED_MATCHER

    def stdpose_for(self, video: str) -> ExportedSTDPose | None:
        """Find the first STDPose that has not seen a video of this name; None without STDPoses.

        Raises:
            InputError: If all of them were trained on the video.
        """
        unseen = [each for each in self.stdposes if video not in each.seen]
        if self.stdposes and not unseen:
            folders = ' and '.join(str(each.folder) for each in self.stdposes)
            raise InputError(
                f'video {video!r} was seen in training by the STDPose in {folders}, which the '
                'fuser would learn to trust too much: give one more that has not seen it, or leave '
                'the video out'
            )
        return unseen[0] if unseen else None


def extract_training_gaps(
    videos: Sequence[VideoLabels], folder: Path, source: GapSource, workers: int, seed: int
) -> list[TrainingGap]:
    """Extract the fusion features of labelled videos, or read them from existing files.

    A file is replaced if the labels, the networks or the matcher have changed.

    Args:
        videos: Dense labels.
        folder: Folder for one ``.npz`` file of each video.
        source: Source of their pictures and heatmaps.
        workers: Number of processes; 1 for this process only, with all threads that it may use.
        seed: Seed of the intervals and of the click errors.

    Raises:
        InputError: If a video or a network cannot be read, or all STDPoses have seen a video.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = distinct_file_names([video.name for video in videos], 'video')
    # The names that read_files gives do not depend on the folder of the files.
    networks = [
        (files.companion if files.kind in ('onnx', 'tflite') else files.kind, files.read_files())
        for files in source.networks
    ]
    same = [EVIDENCE, source.matcher, MOST_COVERED, source.generated, networks]
    jobs = []
    for video in videos:
        # Seeded by the video's name, so that an added video changes nothing for the others.
        drawn = (seed, crc32(video.name.encode()))
        model = draw_model(drawn, source.models, source.stdpose_for(video.name))
        own = model.files if isinstance(model, ExportedSTDPose) else model
        tag = fingerprint(video, drawn, own, *same)[:12]
        jobs.append(_Job(video, folder / f'{names[video.name]}.{tag}.npz', source, model, drawn))
    todo = [job for job in jobs if not job.path.is_file()]
    # A process holds one model at a time.
    todo.sort(key=lambda job: str(job.model))
    outdated = {names[job.labels.name] for job in todo}
    for file in folder.glob('*.npz'):
        if file.name.rsplit('.', 2)[0] in outdated:
            file.unlink()
    with ExitStack() as stack:
        for loader in (_window_estimators, _network_estimators, _load_matcher):
            # The same file may hold other weights in the next call.
            stack.callback(loader.cache_clear)
        run: Callable[..., Iterable[None]] = map
        if min(workers, len(todo)) > 1:
            # OpenMP does not survive a fork, but the fork server has not computed anything; it also
            # imports the modules once for all workers.
            context = get_context('forkserver')
            context.set_forkserver_preload([__name__])
            pool = ProcessPoolExecutor(workers, context, initializer=_use_one_thread)
            run = stack.enter_context(pool).map
        for _ in tqdm(run(_extract_video, todo), total=len(todo), unit=' videos', disable=None):
            pass
    return [gap for job in jobs for gap in load_training_gaps(job.path)]


def draw_model(
    seed: tuple[int, int], models: Sequence[TrainedPoseNetwork], stdpose: ExportedSTDPose | None
) -> TrainedPoseNetwork | ExportedSTDPose | None:
    """Draw the network that sees the labels of a video.

    Args:
        seed: Seed of the video.
        models: Networks to draw from.
        stdpose: Another network, drawn as often as all ``models`` together.

    Returns:
        None if there are no networks.
    """
    drawn_from: list[TrainedPoseNetwork | ExportedSTDPose] = [*models]
    if stdpose is not None:
        drawn_from += [stdpose] * max(len(models), 1)
    if not drawn_from:
        return None
    # The low bits of checksums of numbered names are not random enough.
    rng = np.random.default_rng((*seed, len(drawn_from)))
    return drawn_from[rng.integers(len(drawn_from))]


class _Job(NamedTuple):
    """Inputs for extracting the fusion features of one video."""

    labels: VideoLabels
    path: Path
    source: GapSource
    model: TrainedPoseNetwork | ExportedSTDPose | None
    seed: tuple[int, int]


def _use_one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)


def _extract_video(job: _Job) -> None:
    """Extract the fusion features of one video and write them."""
    source, rng = job.source, np.random.default_rng(job.seed)
    intervals = rng.choice(INTERVALS, INTERVALS_PER_VIDEO, replace=False).tolist()
    frames = open_video(job.labels, *source.roots, pictures_needed=True)
    labels = as_annotated(given_labels(job.labels), rng) if source.generated else job.labels
    gaps = collect_training_gaps(
        ArrayFrames([*frames], frames.name),
        labels,
        intervals,
        auto_flow(),
        rng,
        _window_estimators(job.model, source.device),
        _network_estimators(source.networks, source.device),
        _load_matcher(source.matcher),
    )
    save_training_gaps(job.path, gaps)


@lru_cache(maxsize=1)
def _window_estimators(
    model: TrainedPoseNetwork | ExportedSTDPose | None, device: str
) -> tuple[WindowHeatmapEstimator, ...]:
    """Load the networks that see the labels; a process loads them again only if they change."""
    if model is None:
        return ()
    if isinstance(model, ExportedSTDPose):
        return tuple(
            WindowHeatmapEstimator(OnnxWindowBackend.from_stdpose(folder), is_of_people=True)
            for folder in model.folders
        )
    window_model = WindowModel.from_config(model.config, model.checkpoint, device)
    window_model.optimize_for_cpu()
    return (WindowHeatmapEstimator(TorchWindowBackend(window_model)),)


@lru_cache(maxsize=1)
def _load_matcher(path: Path) -> TrainedMatcher:
    """Load the matcher, once per process."""
    return TrainedMatcher(path)


@lru_cache(maxsize=1)
def _network_estimators(
    networks: tuple[PoseNetworkFiles, ...], device: str
) -> tuple[NetworkHeatmapEstimator, ...]:
    """Load pose networks of other projects, once per process."""
    return tuple(NetworkHeatmapEstimator(load_pose_network(each, device)) for each in networks)
