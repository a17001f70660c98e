"""Comparison of several propagators, models and intervals on the same videos."""

from __future__ import annotations

import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import torch

from stdpose_mm.comparison.clip_errors import (
    ClipErrors,
    hide_labels,
    measure,
    propagate_hidden,
)
from stdpose_mm.comparison.compare_propagators import hide_videos
from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.inference.onnx_window_backend import (
    FRAMES_FILE,
    WINDOWS_FILE,
    OnnxWindowBackend,
)
from stdpose_mm.io.file_names import distinct_file_names, file_name
from stdpose_mm.io.fingerprint import code_fingerprint, file_fingerprint, fingerprint
from stdpose_mm.io.labelled_videos import OTHER_METHOD, open_video
from stdpose_mm.io.labels import frame_sources, write_posetrack18
from stdpose_mm.io.video import cache_frames
from stdpose_mm.pose_networks import PoseNetworkFiles, require_every_video
from stdpose_mm.propagation import PROPAGATORS, BasePropagator, load_propagator
from stdpose_mm.propagation.auto import AutoPropagator
from stdpose_mm.propagation.auto.trained_matcher import TrainedMatcher
from stdpose_mm.propagation.flow import FlowPropagator
from stdpose_mm.propagation.flow.optical_flow import RememberedFlow
from stdpose_mm.structures import PersonLabel, VideoLabels

from .breakdowns import BenchmarkComparison, break_down
from .prediction_cache import open_prediction_cache

MODEL_FORM = 'NAME=METHOD:CONFIG:CHECKPOINT[,CHECKPOINT...][:[FUSER][:POSE[,POSE...]]]'
"""A row of a method with a model; POSE is a pose network beside it, see ``EVIDENCE_FORM``."""

NO_STDPOSE = 'no-stdpose'

OWN_STDPOSE, OWN_MATCHER = '=stdpose', '=matcher'
"""Ends of texts that name an STDPose, or a joint matcher, in place of the package's."""

EVIDENCE_FORM = 'NAME=[POSE[,POSE...]][:FUSER]'
"""A row of auto; POSE is FILE[=PRESET] or CONFIG=CHECKPOINT of a pose network, PATH=results of
poses, FOLDER=stdpose or FILE=matcher of networks in place of those that come with the package, or
``NO_STDPOSE`` to leave out the STDPose."""

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.+-]*')


@dataclass(frozen=True)
class EntryRun:
    """Describe one run of an entry: a method with the model of one seed.

    Args:
        name: Base name of its files.
        method: As registered in ``PROPAGATORS``.
        config, checkpoint: Files of its model; None without a model.
        fingerprint: Fingerprint of the content of the model's files.
        fuser: Weights of 'auto', if not those of the package.
        pose_networks: Pose networks of other projects that are evidence for 'auto'.
        use_stdpose: Whether 'auto' uses the STDPose that comes with the package.
        stdpose: Folder of another STDPose in its place.
        matcher: File of the joint matcher of 'auto', if not that of the package.
    """

    name: str
    method: str
    config: str | None = None
    checkpoint: str | None = None
    fingerprint: str = ''
    fuser: str | None = None
    pose_networks: tuple[PoseNetworkFiles, ...] = ()
    use_stdpose: bool = True
    stdpose: str | None = None
    matcher: str | None = None


@dataclass(frozen=True)
class BenchmarkEntry:
    """Describe a row of the tables: a method, trained with one or several seeds.

    Args:
        name: Name in the tables.
        method: Name of the method in ``PROPAGATORS``.
        config: Config of the model; ``None`` for a method without a model.
        checkpoints: Weights, one for each seed; none without a model.
        fuser: Weights of 'auto', if not those of the package.
        pose_networks: Pose networks of other projects that are evidence for 'auto'.
        use_stdpose: Whether 'auto' uses the STDPose that comes with the package.
        stdpose: Folder of another STDPose in its place.
        matcher: File of the joint matcher of 'auto', if not that of the package.

    Raises:
        InputError: If the name cannot be that of a folder, there is no such method, it needs a
            model that is not given or takes no model, or a file does not exist.
    """

    name: str
    method: str
    config: str | None = None
    checkpoints: tuple[str, ...] = ()
    fuser: str | None = None
    pose_networks: tuple[PoseNetworkFiles, ...] = ()
    use_stdpose: bool = True
    stdpose: str | None = None
    matcher: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise InputError(
                f'{self.name!r} cannot name a method, use letters, digits and _ . + - only'
            )
        if self.method not in PROPAGATORS:
            raise InputError(
                f'there is no propagation method {self.method!r} for {self.name!r}, choose one of '
                f'{", ".join(PROPAGATORS)}'
            )
        use = PROPAGATORS[self.method].uses_model
        given = self.config is not None and bool(self.checkpoints)
        if use == 'required' and not given:
            raise InputError(
                f'method {self.method!r} needs a config and a checkpoint of a trained model, give '
                f'both, or leave it out'
            )
        if use == 'none' and (self.config is not None or self.checkpoints):
            raise InputError(f'method {self.method!r} of {self.name!r} takes no model, give none')
        files = [('config', self.config), *(('checkpoint', path) for path in self.checkpoints)]
        own = [(kind, str(path)) for kind, path in self.files_in_place_of_shipped]
        for kind, path in [*files, ('fuser', self.fuser), *own]:
            if path is not None and not Path(path).is_file():
                raise InputError(f'{kind} {path} of {self.name!r} does not exist, give a file')
        if self.config is not None and (self.stdpose is not None or not self.use_stdpose):
            what = NO_STDPOSE if self.stdpose is None else f'{self.stdpose}{OWN_STDPOSE}'
            raise InputError(
                f'the model of {self.name!r} takes the place of an STDPose, leave {what} out'
            )
        if (self.pose_networks or own) and self.method != 'auto':
            raise InputError(
                f'pose networks and matchers are evidence for auto, which method {self.method!r} '
                f'of {self.name!r} does not use, leave them out'
            )
        if len(set(self.checkpoints)) < len(self.checkpoints):
            raise InputError(f'a checkpoint of {self.name!r} is given twice, give each seed once')

    @classmethod
    def parse(cls, text: str) -> BenchmarkEntry:
        """Read a row of ``MODEL_FORM``.

        Raises:
            InputError: If the text has another form, or see the class.
        """
        name, equals, rest = text.partition('=')
        parts = rest.split(':')
        files = [file for part in (*parts[2:3], *parts[4:]) for file in part.split(',')]
        required = [name, *parts[:3], parts[-1], *files]
        if not equals or not 3 <= len(parts) <= 5 or not all(required):
            raise InputError(f'a model is given as {MODEL_FORM}, got {text!r}')
        method, config, checkpoints, fuser, networks = (*parts, '', '')[:5]
        return cls(
            name,
            method,
            config,
            tuple(checkpoints.split(',')),
            fuser or None,
            **_parse_evidence(networks),
        )

    @classmethod
    def parse_evidence(cls, text: str) -> BenchmarkEntry:
        """Read ``NAME=[POSE[,POSE...]][:FUSER]``, a row of 'auto'.

        Raises:
            InputError: If the text has another form, or see the class.
        """
        name, equals, rest = text.partition('=')
        networks, colon, fuser = rest.partition(':')
        if not equals or not name or not rest or (colon and not fuser):
            raise InputError(f'a row of auto is given as {EVIDENCE_FORM}, got {text!r}')
        return cls(name, 'auto', fuser=fuser or None, **_parse_evidence(networks))

    @property
    def files_in_place_of_shipped(self) -> list[tuple[str, Path]]:
        """List the files of the matcher and the STDPose that are not the package's."""
        found = [] if self.matcher is None else [('matcher', Path(self.matcher))]
        if self.stdpose is not None:
            found += [('STDPose', Path(self.stdpose, name)) for name in (FRAMES_FILE, WINDOWS_FILE)]
        return found

    def runs(self) -> list[EntryRun]:
        """Return one run for each seed.

        Raises:
            InputError: If a file of a pose network cannot be read.
        """
        fuser = self.fuser and file_fingerprint(self.fuser)
        files = [
            (kind, {name: _content(path) for name, path in paths.items()})
            for kind, paths in (network.content for network in self.pose_networks)
        ]
        own = self.files_in_place_of_shipped
        if not self.checkpoints:
            is_shipped = self.use_stdpose and not (fuser or files or own)
            evidence = '' if is_shipped else fingerprint(fuser, files, self.use_stdpose, own)
            return [
                EntryRun(
                    self.name,
                    self.method,
                    fingerprint=evidence,
                    fuser=self.fuser,
                    pose_networks=self.pose_networks,
                    use_stdpose=self.use_stdpose,
                    stdpose=self.stdpose,
                    matcher=self.matcher,
                )
            ]
        assert self.config is not None
        config = read_config(self.config).to_dict()
        several = len(self.checkpoints) > 1
        return [
            EntryRun(
                f'{self.name}-seed{number}' if several else self.name,
                self.method,
                self.config,
                checkpoint,
                fingerprint(config, file_fingerprint(checkpoint), fuser, *files, own),
                self.fuser,
                self.pose_networks,
                matcher=self.matcher,
            )
            for number, checkpoint in enumerate(self.checkpoints, 1)
        ]


def _parse_evidence(text: str) -> dict[str, Any]:
    """Read ``[POSE[,POSE...]]``, see ``EVIDENCE_FORM``, as arguments of an entry.

    Raises:
        InputError: If it names several STDPoses, or several matchers.
    """
    parts = [part for part in text.split(',') if part]
    stdposes = [part for part in parts if part == NO_STDPOSE or part.endswith(OWN_STDPOSE)]
    matchers = [part for part in parts if part.endswith(OWN_MATCHER)]
    for what, given in (('STDPose', stdposes), ('matcher', matchers)):
        if len(given) > 1:
            raise InputError(f'auto uses one {what}, got {" and ".join(given)}, give one of them')
    networks = [part for part in parts if part not in (*stdposes, *matchers)]
    folders = [part.removesuffix(OWN_STDPOSE) for part in stdposes if part != NO_STDPOSE]
    files = [part.removesuffix(OWN_MATCHER) for part in matchers]
    return {
        'pose_networks': tuple(PoseNetworkFiles.parse(part) for part in networks),
        'use_stdpose': NO_STDPOSE not in parts,
        'stdpose': next(iter(folders), None),
        'matcher': next(iter(files), None),
    }


def _content(path: Path) -> Any:
    """Return the content that identifies a file; a config may inherit from others."""
    return read_config(path).to_dict() if path.suffix == '.py' else file_fingerprint(path)


@dataclass(frozen=True)
class Conditions:
    """Hold the conditions under which the propagators run.

    Args:
        image_root: Folder that file names of pictures start from.
        video_root: Folder that the video files named in the labels start from.
        device: Device of the models.
        use_truth_boxes: See :func:`~stdpose_mm.comparison.clip_errors.propagate_hidden`.
        out_dir: Folder of predictions and their cache; ``None`` for neither.
    """

    image_root: Path | None = None
    video_root: Path | None = None
    device: str = 'cpu'
    use_truth_boxes: bool = False
    out_dir: Path | None = None


Build = Callable[[EntryRun, str], BasePropagator]
"""Builder of the propagator of a run on a device."""

Measured = tuple[EntryRun, int, dict[int, ClipErrors]]
"""A run, the number of a video, and the errors for each interval."""


@lru_cache(maxsize=1)
def build_run(run: EntryRun, device: str) -> BasePropagator:
    """Load the propagator of a run; the latest one is kept."""
    propagator = load_propagator(
        run.method,
        run.config,
        run.checkpoint,
        device,
        fuser=run.fuser,
        pose_networks=run.pose_networks,
        use_stdpose=run.use_stdpose,
        stdpose=OnnxWindowBackend.from_stdpose(Path(run.stdpose))
        if run.stdpose is not None
        else None,
        matcher=TrainedMatcher(Path(run.matcher)) if run.matcher is not None else None,
    )
    if isinstance(propagator, (FlowPropagator, AutoPropagator)):
        # All intervals of a video follow the same flow.
        propagator.estimator = RememberedFlow(propagator.estimator)
    return propagator


def benchmark_propagators(
    videos: Sequence[VideoLabels],
    entries: Sequence[BenchmarkEntry],
    intervals: Sequence[int],
    conditions: Conditions,
    num_bootstrap: int = 1000,
    reference: str | None = None,
    fast: float | None = None,
    jobs: int = 1,
    progress: Callable[[Iterable[Measured], int], Iterable[Measured]] | None = None,
    build: Build = build_run,
) -> list[BenchmarkComparison]:
    """Compare propagators at several intervals.

    With an ``out_dir``, the predictions are written as PoseTrack18 files to
    ``<run>_T<interval>/<video>.json``, and to a cache that later calls use for poses of the same
    method, model, interval, labels, boxes, the pictures if the method reads any, and the code of
    this package. A video is decoded once for each run, unless its pictures take more memory than
    ``cache_frames`` grants.

    Args:
        videos: Dense labels.
        entries: Methods and models with distinct names.
        intervals: Values of T.
        conditions: Conditions of all runs.
        num_bootstrap: Number of bootstrap draws of the videos; 0 for no intervals.
        reference: Name of the entry to which the differences of the others are computed.
        fast: Motion in pose sizes a frame above which a video is fast; with it, the metrics are
            broken down, see :func:`~.breakdowns.break_down`.
        jobs: Number of processes that share the videos.
        progress: Wraps the iteration over the results, given their number; say,
            ``lambda results, total: tqdm(results, total=total)``.
        build: Builds a propagator; with several jobs it must be importable from a module.

    Returns:
        One comparison for each interval.

    Raises:
        InputError: If an argument or a file cannot be used; as much as possible is checked before
            anything is computed or written.
    """
    hidden = {interval: hide_videos(videos, interval) for interval in intervals}
    runs = {entry.name: entry.runs() for entry in entries}
    all_runs = [run for seeds in runs.values() for run in seeds]
    _check_names(entries, all_runs, reference)
    for entry in entries:
        require_every_video(entry.pose_networks, len(videos))
    if conditions.out_dir is not None:
        _check_folders(conditions.out_dir, all_runs, intervals, videos)
    # Built once beforehand, so that a broken checkpoint is found before the work begins.
    reads = {run: build(run, conditions.device).reads_pictures for run in all_runs}
    for labels in videos:
        roots = conditions.image_root, conditions.video_root
        open_video(labels, *roots, any(reads.values()), OTHER_METHOD)
    keys: dict[bool, list[str]] = {}
    if conditions.out_dir is not None:
        for reading in set(reads.values()):
            keys[reading] = [_video_key(labels, conditions, reading) for labels in videos]
    tasks = [
        _Task(run, number, labels, keys[reads[run]][number] if keys else None)
        for run in all_runs
        for number, labels in enumerate(videos)
    ]

    measured: Iterable[Measured] = _measure_all(tasks, intervals, conditions, jobs, build)
    if progress is not None:
        measured = progress(measured, len(all_runs) * len(videos))
    results: dict[tuple[EntryRun, int], list[Any]] = {
        (run, interval): [None] * len(videos) for run in all_runs for interval in intervals
    }
    for run, number, by_interval in measured:
        for interval, errors in by_interval.items():
            results[run, interval][number] = errors
    return [
        break_down(
            hidden[interval],
            {name: [results[run, interval] for run in seeds] for name, seeds in runs.items()},
            num_bootstrap,
            reference,
            fast,
        )
        for interval in intervals
    ]


@dataclass(frozen=True)
class _Task:
    """Describe a run on a video.

    Args:
        run: The run.
        number: Number of the video.
        labels: Labels of the video.
        video_key: Fingerprint of the part of the video that the run reads; None without a cache.
    """

    run: EntryRun
    number: int
    labels: VideoLabels
    video_key: str | None


def _video_key(labels: VideoLabels, conditions: Conditions, reads_pictures: bool) -> str:
    sources: dict[int, tuple[str, int | None]] = {}
    if reads_pictures:
        sources = frame_sources(labels, conditions.image_root or '', conditions.video_root)
    files = [(file_fingerprint(path), in_video) for path, in_video in sources.values()]
    return fingerprint(labels, files)


def _check_names(
    entries: Sequence[BenchmarkEntry], runs: Sequence[EntryRun], reference: str | None
) -> None:
    names = [entry.name for entry in entries]
    for name in [*names, *(run.name for run in runs)]:
        if names.count(name) > 1 or [run.name for run in runs].count(name) > 1:
            raise InputError(f'two methods are called {name!r}, give them different names')
    if reference is not None and reference not in names:
        raise InputError(
            f'the reference {reference!r} is none of the compared methods, choose one of '
            f'{", ".join(names)}'
        )


def _check_folders(
    out_dir: Path, runs: Sequence[EntryRun], intervals: Sequence[int], videos: Sequence[VideoLabels]
) -> None:
    """Reject folders with predictions of other videos, which would falsify an evaluation."""
    if out_dir.exists() and not out_dir.is_dir():
        raise InputError(f'{out_dir} is a file, give a folder as --out-dir')
    files = distinct_file_names([labels.name for labels in videos], 'video')
    expected = {f'{file}.json' for file in files.values()}
    for run in runs:
        for interval in intervals:
            for path in sorted((out_dir / _folder_name(run, interval)).glob('*.json*')):
                if path.name not in expected:
                    raise InputError(
                        f'{path} is of none of the videos in LABELS, take it away or give '
                        'another --out-dir'
                    )


def _folder_name(run: EntryRun, interval: int) -> str:
    # The command line names models.
    return f'{"+".join(map(file_name, run.name.split("+")))}_T{interval}'


def _measure_all(
    tasks: Sequence[_Task],
    intervals: Sequence[int],
    conditions: Conditions,
    jobs: int,
    build: Build,
) -> Iterator[Measured]:
    if jobs == 1:
        for task in tasks:
            yield task.run, task.number, _measure_video(task, intervals, conditions, build)
        return
    # Not forked from here: a copy of a process with threads or a GPU may hang. The server has
    # neither, and imports all_runs once for all its children.
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__name__])
    with ProcessPoolExecutor(jobs, context, _share_cores, (jobs,)) as pool:
        futures = {
            pool.submit(_measure_video, task, intervals, conditions, build): task for task in tasks
        }
        try:
            for future in as_completed(list(futures)):
                task = futures.pop(future)
                yield task.run, task.number, future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _share_cores(jobs: int) -> None:
    threads = max(1, (os.cpu_count() or 1) // jobs)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)


def _measure_video(
    task: _Task, intervals: Sequence[int], conditions: Conditions, build: Build
) -> dict[int, ClipErrors]:
    """Propagate at every interval; only the errors are kept."""
    run, labels = task.run, task.labels
    frames = None
    errors = {}
    cache: MutableMapping[str, Sequence[PersonLabel]] = {}
    if conditions.out_dir is not None:
        cache = open_prediction_cache(conditions.out_dir / 'cache')
    for interval in intervals:
        video = hide_labels(labels, interval)
        key = fingerprint(
            code_fingerprint(),
            (run.method, run.fingerprint, interval, conditions.use_truth_boxes),
            task.video_key,
        )
        people = cache.get(key)
        if people is None:
            if frames is None:
                roots = conditions.image_root, conditions.video_root
                # All intervals read the same pictures.
                frames = cache_frames(open_video(labels, *roots, pictures_needed=False))
            propagator = build(run, conditions.device)
            dense = propagate_hidden(frames, video, propagator, conditions.use_truth_boxes)
            people = cache[key] = dense.persons
        prediction = video.labels.with_persons(people)
        if conditions.out_dir is not None:
            folder = conditions.out_dir / _folder_name(run, interval)
            write_posetrack18(prediction, folder / f'{file_name(labels.name)}.json', official=True)
        errors[interval] = measure(video, prediction)
    return errors
