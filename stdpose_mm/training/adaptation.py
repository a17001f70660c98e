"""Fine-tuning of a model on the labelled frames of one video, before propagation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from tqdm import tqdm

from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.inference.window_model import read_checkpoint
from stdpose_mm.io import atomic_path
from stdpose_mm.io.atomic import require_writable
from stdpose_mm.io.fingerprint import file_fingerprint, fingerprint
from stdpose_mm.io.labels import list_frames, match_frames
from stdpose_mm.io.outputs import adapted_model
from stdpose_mm.io.video import FrameSource, FrameView
from stdpose_mm.propagation import given_labels, load_propagator
from stdpose_mm.propagation.base import require_method
from stdpose_mm.structures import VideoLabels
from stdpose_mm.version import __version__

from .video_finetuner import (
    MIN_FRAMES_TO_HOLD_OUT,
    FitResult,
    InitialModel,
    VideoFinetuner,
    choose_evenly,
    held_out_sets,
    make_initial_model,
    most_steps,
    set_num_joints,
)

STEPS = 200
"""Training steps from a checkpoint."""

STEPS_FROM_SCRATCH = 1500

MAX_PICTURE_BYTES = 2**30


@dataclass(frozen=True, kw_only=True)
class AdaptedModel(FitResult):
    """A model fitted to one video, and what the fit brought.

    Args:
        checkpoint: Its weights and joints; they also load with the given config.
        config: Its config.
        keypoint_names: Its joints.
        kept: One sentence on what is taken over from the initial checkpoint.
        labels: Number of labelled poses that it was fitted on.
        from_scratch: Whether it began with random weights.
        method: Method that was compared with and without the network; '' if none was.
        seconds: Duration of the fit.
        cached: Whether an earlier call with the same inputs had written it.
    """

    checkpoint: Path
    config: Config
    keypoint_names: tuple[str, ...]
    kept: str
    labels: int
    from_scratch: bool
    method: str
    seconds: float
    cached: bool = False

    @property
    def helped(self) -> bool | None:
        """Return whether adapting reduced the error on held-out labels; None without these.

        If it did not, a model from a checkpoint has its initial weights, and ``method`` is better
        without the network.
        """
        if self.error_before is None or self.error_after is None:
            return None
        if self.from_scratch and not self.method:
            return None
        return self.error_after < self.error_before

    @property
    def files(self) -> tuple[Config | None, Path | None]:
        """Return config and checkpoint to propagate with; None if no network is better."""
        if self.from_scratch and self.helped is False:
            return None, None
        return self.config, self.checkpoint

    def __str__(self) -> str:
        how = 'as adapted before' if self.cached else f'{self.seconds:.0f} s'
        if self.timed_out:
            how += ', ended by the limit of time'
        return (
            f'{self.checkpoint}: {self.kept}; {self.steps} steps on {self.labels} labelled poses '
            f'({how}); {self._verdict()}'
        )

    def _verdict(self) -> str:
        if self.error_before is None or self.error_after is None:
            return 'too few labelled frames to hold any out, so nothing tells whether it helped'
        where = f'on the held-out {list_frames(self.held_out)}'
        after = f'{self.error_after:.1f} {self.unit}'
        if self.helped is None:
            return (
                f'error {where}: {after}; it began at random, so there is nothing to fall back to'
            )
        change = f'{self.error_before:.1f} -> {after}'
        if self.method:
            end = 'it helped' if self.helped else f'it did not help, {self.method} goes without it'
            return f'error of {self.method} {where} without and with it: {change}, {end}'
        end = 'it helped' if self.helped else 'it did not help, the model stays as it was'
        return f'error {where} before and after: {change}, {end}'


def adapt(
    config: str | Path | Config,
    checkpoint: str | Path | None,
    frames: FrameSource,
    labels: VideoLabels,
    *,
    out: Path,
    device: str | torch.device = 'cpu',
    max_minutes: float = 5.0,
    steps: int | None = None,
    seed: int = 0,
    progress: bool = True,
    method: str = '',
    options: Mapping[str, Any] | None = None,
    announce: Callable[[str], object] | None = None,
) -> AdaptedModel:
    """Fine-tune a model on the labelled frames of a video.

    With labels on at least four frames, those between the first and the last are held out in two
    turns. The number of steps with the smallest mean error on them, zero included, is then used to
    train on all labels: a model that training does not improve keeps its weights. With fewer frames
    the number of steps is fixed and small, and their benefit is not measured.

    From scratch there is one turn, and no model to fall back to. If ``method`` also works without a
    network ('auto'), it is compared on held-out labels with and without the network, and
    :attr:`AdaptedModel.files` are those to use.

    The model keeps its joints if it knows all labelled ones. Otherwise it gets those of the
    labels: a joint with a name that the model knows keeps its channels, those of a new one are
    initialised with another joint's.

    The result is written to ``<stem of out>.adapted.pth`` beside ``out``. If it is there already
    for the same video, labels, config, checkpoint and options, nothing is trained.

    Args:
        config: Config that the model was trained with, and is now trained further with.
        checkpoint: Weights to start from; None to train from scratch.
        frames: The video.
        labels: Its given labels.
        out: Label file that will be written with the model.
        device: Device to train on.
        max_minutes: Limit of the time for training.
        steps: Largest number of training steps; by default 200, from scratch 1500.
        seed: Seed of all random numbers. The result does not depend on the speed of the machine
            unless the limit is reached.
        progress: Show a progress bar.
        method: Propagation method that the model is for.
        options: Further arguments of :func:`load_propagator` for it, such as ``fuser``.
        announce: Called with what is about to be done, unless nothing has to be trained.

    Raises:
        InputError: If nothing is labelled, an argument is out of range, a file cannot be used, or
            the config says nothing about training.
    """
    config = config if isinstance(config, Config) else read_config(config)
    _check(config, max_minutes)
    labels = _keep_poses(given_labels(match_frames(labels, frames)))
    if steps is None:
        steps = STEPS_FROM_SCRATCH if checkpoint is None else STEPS
    path = adapted_model(out)
    if checkpoint is not None or not method or require_method(method).uses_model != 'optional':
        method = ''
    compare = partial(load_propagator, method, device=str(device), **(options or {}))
    people = [
        (person.frame_index, person.track_id, person.bbox, person.keypoints, person.visibility)
        for person in labels.persons
    ]
    inputs = fingerprint(
        (__version__, config.to_dict(), checkpoint and file_fingerprint(checkpoint), steps, seed),
        (frames, labels.skeleton.keypoint_names, people),
    )
    if method:
        others = dict(options or {})
        # By the content of their files, which the names do not tell.
        networks = [each.content for each in others.pop('pose_networks', ())]
        files = {
            name: Path(value) if isinstance(value, str) else value for name, value in others.items()
        }
        inputs = fingerprint(inputs, method, files, networks)
    cached = _read_cached(path, config, inputs, max_minutes)
    if cached is not None:
        return cached
    require_writable(path)

    started = time.monotonic()
    labels = _limit_frames(labels, frames.size)
    held_out = held_out_sets(labels, len(frames), checkpoint is None)
    if announce is not None:
        most = most_steps(steps, bool(held_out), checkpoint is None)
        limits = f'in at most {most} steps and {max_minutes:g} minutes'
        announce(_describe_plan(checkpoint, labels, limits, [of for of, _ in held_out], method))
    initial = make_initial_model(config, checkpoint, labels, device, seed)
    with tqdm(desc='adapt', unit=' steps', disable=not progress) as bar:
        pictures = FrameView(frames, kept=labels.labelled_frame_indices)
        fit = VideoFinetuner(
            initial,
            pictures,
            labels,
            seed,
            bar,
            (lambda network: compare(window_model=network)) if method else None,
        )
        fitted = fit.run(steps, started + 60 * max_minutes)
    adapted = AdaptedModel(
        checkpoint=path,
        config=initial.config,
        keypoint_names=initial.skeleton.keypoint_names,
        kept=initial.kept,
        labels=len(labels.persons),
        from_scratch=checkpoint is None,
        method=method if fitted.held_out else '',
        seconds=round(time.monotonic() - started, 1),
        **vars(fitted),
    )
    _write(adapted, initial, inputs, max_minutes)
    return adapted


def _describe_plan(
    checkpoint: str | Path | None,
    labels: VideoLabels,
    limits: str,
    held_out: Sequence[Sequence[int]],
    method: str,
) -> str:
    """Say what is trained on which labels, and why some are held out before that."""
    start = 'a new network is trained' if checkpoint is None else f'{checkpoint} is trained further'
    text = (
        f'{start} on {len(labels.persons)} labelled poses of '
        f'{list_frames(labels.labelled_frame_indices)}, {limits}'
    )
    if not held_out:
        return (
            f'{text}; with labels on fewer than {MIN_FRAMES_TO_HOLD_OUT} frames, or on none '
            'between two others, none is held out that could tell whether it helps'
        )
    verb = 'is' if len(held_out) == len(held_out[0]) == 1 else 'are'
    purpose = f'whether the network helps {method}' if method else 'how many steps help, if any'
    frames = ' and then '.join(map(list_frames, held_out))
    return f'{text}; before that, {frames} {verb} held out to tell {purpose}'


def _keep_poses(labels: VideoLabels) -> VideoLabels:
    """Keep the people with a given joint, and their given joints only.

    Raises:
        InputError: If there is none.
    """
    persons = [
        person.only_given().with_source('given') for person in labels.persons if person.given.any()
    ]
    if not persons:
        raise InputError(
            f'{labels.name} has no labelled pose to adapt to, label a person in some frames'
        )
    return labels.with_persons(persons)


def _limit_frames(labels: VideoLabels, size: tuple[int, int]) -> VideoLabels:
    """Keep the labels of evenly spread frames whose pictures fit into memory together."""
    indices = labels.labelled_frame_indices
    limit = max(MIN_FRAMES_TO_HOLD_OUT, MAX_PICTURE_BYTES // (3 * size[0] * size[1]))
    return labels.keep_frames(choose_evenly(indices, limit))


def _write(adapted: AdaptedModel, initial: InitialModel, inputs: str, max_minutes: float) -> None:
    fields = asdict(adapted)
    del fields['config'], fields['checkpoint'], fields['cached']
    content = {
        'meta': {
            'dataset_meta': parse_pose_metainfo(initial.metainfo),
            'adapted': {'digest': inputs, 'max_minutes': max_minutes, **fields},
        },
        'state_dict': {name: weight.cpu() for name, weight in initial.model.state_dict().items()},
    }
    with atomic_path(adapted.checkpoint) as temporary:
        torch.save(content, temporary)


def _read_cached(
    path: Path, config: Config, inputs: str, max_minutes: float
) -> AdaptedModel | None:
    """Read the result of an earlier call, if this call would give the same."""
    if not path.is_file():
        return None
    try:
        fields = read_checkpoint(path)[1].get('adapted', {})
    except InputError:
        return None
    if fields.pop('digest', None) != inputs:
        return None
    if fields.pop('max_minutes') < max_minutes and fields['timed_out']:
        return None
    config = set_num_joints(config, len(fields['keypoint_names']))
    return AdaptedModel(checkpoint=path, config=config, cached=True, **fields)


def _check(config: Config, max_minutes: float) -> None:
    if not max_minutes > 0:
        raise InputError(f'the minutes for adapting must be positive, got {max_minutes}')
    pipelines = all(
        'pipeline' in config.get(loader, {}).get('dataset', {})
        for loader in ('train_dataloader', 'test_dataloader')
    )
    if 'model' not in config or 'optim_wrapper' not in config or not pipelines:
        raise InputError(
            f'config {config.filename or "(in memory)"} has no model, no optim_wrapper, or no '
            'pipeline in train_dataloader.dataset and test_dataloader.dataset, use a config that '
            'this package can train and test'
        )
