"""Fit a model to one video by its labelled frames, before these are propagated."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS
from torch import nn
from torch.utils.data import DataLoader
from tqdm import tqdm

from stdpose_mm.datasets.datasets.body import ClipWindowDataset
from stdpose_mm.engine.config_files import config_mistakes, read_config
from stdpose_mm.engine.samplers import SeededInfiniteSampler
from stdpose_mm.engine.seeding import derive_seed, seed_generators
from stdpose_mm.errors import InputError
from stdpose_mm.evaluation.functional import keypoint_accuracy
from stdpose_mm.io import FrameSource, atomic_path, match_frames
from stdpose_mm.io.atomic import require_writable
from stdpose_mm.models.joint_channels import copy_joints, joint_axes, with_num_joints
from stdpose_mm.propagation import Gap, STDPosePropagator, WindowModel, given_labels
from stdpose_mm.propagation.joint_mapping import JointMapping
from stdpose_mm.propagation.video_propagation import gaps_of_labels
from stdpose_mm.propagation.window_model import move_to, read_checkpoint
from stdpose_mm.structures import PersonLabel, Skeleton, VideoLabels
from stdpose_mm.version import __version__

STEPS = 300
"""Training steps from a checkpoint."""

STEPS_FROM_SCRATCH = 1500

ROUNDS = 6
"""How often the error on the held-out labels is measured on the way."""

PATIENCE = 3
"""Rounds without a better result after which fitting stops."""

LEARNING_RATE = 0.2
"""Share of the config's learning rate, from a checkpoint."""

BACKBONE_RATE = 0.25
"""Share of that for the backbone, from a checkpoint."""

STEPS_WITHOUT_HELD_OUT = 100
"""Steps from a checkpoint where there are too few labels to hold any out."""

MIN_FRAMES_TO_HOLD_OUT = 4
MAX_HELD_OUT = 12
MAX_PICTURE_BYTES = 2**30
REFIT = 1
WARM_UP = 0.1
"""Share of the steps."""

Stopped = Literal['steps', 'held-out error', 'time', 'no labels held out']


@dataclass(frozen=True)
class AdaptedModel:
    """A model fitted to one video.

    Args:
        checkpoint: Its weights and joints; they also load with the config that came in.
        config: Its config.
        keypoint_names: Its joints.
        kept: One sentence on what came from the start checkpoint.
        labels: Number of labelled poses that it was fitted on.
        held_out: Frames whose labels chose the number of steps; empty with too few labels.
        error_before, error_after: Mean error on these, in per cent of the pose size, of the start
            weights and of the chosen ones; None where nothing was held out.
        steps: Training steps of the chosen weights; 0 if the start weights were not bettered.
        stopped: Why training ended.
        seconds: What it took.
        cached: Whether it was found where an earlier call had left it.
    """

    checkpoint: Path
    config: Config
    keypoint_names: tuple[str, ...]
    kept: str
    labels: int
    held_out: tuple[int, ...]
    error_before: float | None
    error_after: float | None
    steps: int
    stopped: Stopped
    seconds: float
    cached: bool = False

    def __str__(self) -> str:
        if self.error_before is None or self.error_after is None:
            error = 'too few labelled frames to hold any out'
        else:
            error = (
                f'error on the held-out frames {", ".join(map(str, self.held_out))}: '
                f'{self.error_before:.1f} -> {self.error_after:.1f} % of the pose size'
            )
        how = 'as adapted before' if self.cached else f'{self.seconds:.0f} s'
        return (
            f'{self.checkpoint}: {self.kept}; {self.steps} steps on {self.labels} labelled '
            f'poses ({how}); {error}'
        )


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
) -> AdaptedModel:
    """Fine-tune a model on the labelled frames of a video.

    With labels on at least four frames some in between are held out: their error chooses among
    the start weights and those after each of a few rounds of training, and the model is then
    trained anew on all labels for as many steps. With fewer it is a fixed small number of steps.

    The model keeps its joints if it knows all labelled ones. Otherwise it gets those of the
    labels: a joint with a name that the model knows keeps its channels, a new one starts with
    those of another joint.

    The result lies in ``<stem of out>.adapted.pth`` beside ``out``. If it is there already for the
    same video, labels, config, checkpoint and options, nothing is trained.

    Args:
        config: Config that the model was trained with, and is now trained further with.
        checkpoint: Weights to start from; None to train from scratch.
        frames: The video.
        labels: Its given labels.
        out: The label file that will be written with the model.
        device: Where to train.
        max_minutes: Limit of the time for training.
        steps: Largest number of training steps; by default 300, from scratch 1500.
        seed: Of all random numbers. The result depends on it, not on the time, as long as the
            limit is not reached.
        progress: Show a bar.

    Raises:
        InputError: If nothing is labelled, an argument is out of range, a file cannot be used, or
            the config says nothing about training.
    """
    config = config if isinstance(config, Config) else read_config(config)
    _check(config, max_minutes, steps)
    labels = _poses(given_labels(match_frames(labels, frames)))
    if steps is None:
        steps = STEPS_FROM_SCRATCH if checkpoint is None else STEPS
    path = Path(out).with_name(f'{Path(Path(out).name.removesuffix(".gz")).stem}.adapted.pth')
    digest = _digest(config, checkpoint, frames, labels, steps, seed)
    cached = _stored(path, config, digest, max_minutes)
    if cached is not None:
        return cached
    require_writable(path)

    started = time.monotonic()
    labels = _thinned_out(labels, frames.size)
    start = _start(config, checkpoint, labels, device, seed)
    with tqdm(desc='adapt', unit=' steps', total=steps, disable=not progress) as bar:
        fit = _Fit(start, _LabelledPictures(frames, labels), labels, seed, bar)
        chosen = fit.choose(steps, started + 60 * max_minutes)
    adapted = AdaptedModel(
        checkpoint=path,
        config=start.config,
        keypoint_names=start.skeleton.keypoint_names,
        kept=start.kept,
        labels=len(labels.persons),
        held_out=chosen.held_out,
        error_before=chosen.error_before,
        error_after=chosen.error_after,
        steps=chosen.steps,
        stopped=chosen.stopped,
        seconds=round(time.monotonic() - started, 1),
    )
    _store(adapted, start, digest, max_minutes)
    return adapted


# What is there to start from


@dataclass(frozen=True)
class _Start:
    """A model with the joints to fit.

    Args:
        config: With these joints.
        model: On its device.
        skeleton: Its joints.
        metainfo: MMPose metainfo of them, weight 0 for joints that nothing is known of.
        kept: One sentence on what came from the checkpoint.
        from_scratch: Whether nothing did.
    """

    config: Config
    model: Any
    skeleton: Skeleton
    metainfo: dict[str, Any]
    kept: str
    from_scratch: bool


def _start(
    config: Config,
    checkpoint: str | Path | None,
    labels: VideoLabels,
    device: str | torch.device,
    seed: int,
) -> _Start:
    """The model to train: the checkpoint's if it knows the labelled joints, else one of theirs."""
    init_default_scope(config.get('default_scope', 'mmpose'))
    labelled = np.any([person.labelled for person in labels.persons], axis=0)
    names = labels.skeleton.keypoint_names
    if checkpoint is None:
        config = _config_of(config, len(names))
        seed_generators(seed)
        model = _build(config)
        with _quiet():
            model.init_weights()
        return _Start(
            config=config,
            model=move_to(model, device),
            skeleton=labels.skeleton,
            metainfo=_metainfo(labels.skeleton, labelled),
            kept=f'a new model of {len(names)} joints',
            from_scratch=True,
        )
    source = WindowModel.from_config(config, checkpoint, device)
    known = [
        name
        for name, trained in zip(source.skeleton.keypoint_names, source.trained_joints, strict=True)
        if trained
    ]
    if all(name in known for name, used in zip(names, labelled, strict=True) if used):
        config = _config_of(config, source.skeleton.num_keypoints)
        return _Start(
            config=config,
            model=source.model,
            skeleton=source.skeleton,
            metainfo=_metainfo(source.skeleton, source.trained_joints),
            kept=f'all {len(known)} joints of the checkpoint kept',
            from_scratch=False,
        )
    origins = _origins(names, source.skeleton.keypoint_names, known)
    kept = np.array([name in known for name in names])
    config = _config_of(config, len(names))
    model = move_to(_build(config), device)
    copy_joints(source.model, model, joint_axes(config.model), origins)
    return _Start(
        config=config,
        model=model,
        skeleton=labels.skeleton,
        metainfo=_metainfo(labels.skeleton, labelled | kept),
        kept=_what_was_kept(names, kept),
        from_scratch=False,
    )


def _origins(names: Sequence[str], model_names: Sequence[str], known: Sequence[str]) -> list[int]:
    """Which joint of a model each of ``names`` starts as.

    The one of the same name. A new joint starts as another that the model knows, preferably one
    that is not among ``names``: it follows given labels of whatever joint far better than a new
    one does.
    """
    others = [name for name in known if name not in names]
    donors = cycle([*others, *(name for name in known if name in names)])
    return [model_names.index(name if name in known else next(donors)) for name in names]


def _what_was_kept(names: Sequence[str], kept: np.ndarray) -> str:
    new = [name for name, known in zip(names, kept, strict=True) if not known]
    return (
        f'{int(kept.sum())} of {len(names)} joints kept from the checkpoint by their names, '
        f'new: {", ".join(new)}'
    )


def _config_of(config: Config, num_joints: int) -> Config:
    """A copy of the config for another number of joints."""
    config = deepcopy(config)
    config.model = with_num_joints(config.model, num_joints)
    return config


def _build(config: Config) -> Any:
    with config_mistakes(config.filename or '(in memory)'):
        return MODELS.build(config.model)


def _metainfo(skeleton: Skeleton, known: np.ndarray) -> dict[str, Any]:
    metainfo = skeleton.to_metainfo('adapted')
    metainfo['joint_weights'] = known.astype(float).tolist()
    return metainfo


# Labels and pictures


def _poses(labels: VideoLabels) -> VideoLabels:
    """The labels that have a joint.

    Raises:
        InputError: If there is none.
    """
    persons = [person for person in labels.persons if person.labelled.any()]
    if not persons:
        raise InputError(
            f'{labels.name} has no labelled pose to adapt to, label a person in some frames'
        )
    return labels.with_persons(persons)


def _thinned_out(labels: VideoLabels, size: tuple[int, int]) -> VideoLabels:
    """The labels of so many frames, evenly spread, that their pictures fit into memory."""
    indices = labels.labelled_frame_indices
    limit = max(MIN_FRAMES_TO_HOLD_OUT, MAX_PICTURE_BYTES // (3 * size[0] * size[1]))
    if len(indices) <= limit:
        return labels
    chosen = np.linspace(0, len(indices) - 1, limit).round().astype(int)
    return labels.keep_frames(indices[place] for place in chosen)


class _LabelledPictures:
    """The pictures of the labelled frames in memory; any other is read from the video."""

    def __init__(self, frames: FrameSource, labels: VideoLabels) -> None:
        self._frames = frames
        self._kept = {index: frames[index] for index in labels.labelled_frame_indices}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> np.ndarray:
        picture = self._kept.get(index)
        return self._frames[index] if picture is None else picture


def _of_skeleton(labels: VideoLabels, skeleton: Skeleton, known: np.ndarray) -> VideoLabels:
    """The labels with the joints of a model."""
    mapping = JointMapping.by_name(
        labels.skeleton, skeleton, np.zeros(labels.skeleton.num_keypoints, bool), known
    )
    persons = tuple(
        replace(
            person,
            keypoints=mapping.to_model(person.keypoints),
            visibility=mapping.to_model(person.visibility),
            scores=None,
        )
        for person in labels.persons
    )
    return replace(labels, skeleton=skeleton, persons=persons)


# Held-out labels


def _frames_to_hold_out(labels: VideoLabels) -> tuple[int, ...]:
    """A quarter of the labelled frames between the first and the last, evenly spread."""
    between = labels.labelled_frame_indices[1:-1]
    if len(between) < MIN_FRAMES_TO_HOLD_OUT - 2:
        return ()
    count = min(MAX_HELD_OUT, max(1, round(len(between) / 4)))
    return tuple(between[int((place + 0.5) * len(between) / count)] for place in range(count))


def _held_out_gaps(labels: VideoLabels, held_out: Sequence[int], num_frames: int) -> list[Gap]:
    """What is to be propagated to the held-out labels that lie between two others."""
    tracks = labels.tracks()
    given = labels.keep_frames(set(labels.labelled_frame_indices) - set(held_out))
    return [
        replace(gap, frames=range(frame, frame + 1), bboxes=gap.bbox_of(frame)[None])
        for gap in gaps_of_labels(given, num_frames)
        if gap.left is not None and gap.right is not None
        for frame in gap.frames
        if frame in held_out and frame in tracks[gap.track_id]
    ]


# Training


@dataclass(frozen=True)
class _Chosen:
    """The outcome of :meth:`_Fit.choose`, see :class:`AdaptedModel`."""

    held_out: tuple[int, ...]
    error_before: float | None
    error_after: float | None
    steps: int
    stopped: Stopped


class _Fit:
    """Training of one model on the labels of one video.

    Args:
        start: The model; its weights are changed.
        pictures: Of the labelled frames.
        labels: The labels.
        seed: Of all random numbers.
        bar: Moves on with every step.
    """

    def __init__(
        self,
        start: _Start,
        pictures: _LabelledPictures,
        labels: VideoLabels,
        seed: int,
        bar: Any,
    ) -> None:
        self.start = start
        self.pictures = pictures
        self.labels = labels
        self.seed = seed
        self.bar = bar
        self.start_weights = _weights(start.model)

    def choose(self, steps: int, deadline: float) -> _Chosen:
        """Train with held-out labels, then with all; leaves the model with the best weights.

        Args:
            steps: At most.
            deadline: Time (``time.monotonic``) at which training must end.
        """
        held_out = _frames_to_hold_out(self.labels)
        gaps = _held_out_gaps(self.labels, held_out, len(self.pictures)) if held_out else []
        if not gaps:
            if not self.start.from_scratch:
                steps = min(steps, STEPS_WITHOUT_HELD_OUT)
            done = max(self._train(self.labels, steps, deadline), default=0)
            return _Chosen((), None, None, done, 'no labels held out')

        others = set(self.labels.labelled_frame_indices) - set(held_out)
        before = best = self._error(gaps)
        best_steps, best_weights = 0, self.start_weights
        rounds_without = 0
        stopped: Stopped = 'steps'
        done = 0
        # The other half of the time is for all labels.
        half = (time.monotonic() + deadline) / 2
        for done in self._train(self.labels.keep_frames(others), steps, half):
            if done % max(1, steps // ROUNDS) and done < steps:
                continue
            error = self._error(gaps)
            if error < best:
                best, best_steps, best_weights = error, done, _weights(self.start.model)
                rounds_without = 0
            else:
                rounds_without += 1
            self.bar.set_postfix_str(f'held-out error {best:.1f} % (before {before:.1f} %)')
            if rounds_without == PATIENCE:
                stopped = 'held-out error'
                break
        else:
            if done < steps:
                stopped = 'time'
        if REFIT and best_steps:
            self.start.model.load_state_dict(self.start_weights)
            for done in self._train(self.labels, steps, deadline):
                if done == best_steps:
                    break
        else:
            self.start.model.load_state_dict(best_weights)
        return _Chosen(held_out, before, best, best_steps, stopped)

    def _error(self, gaps: Sequence[Gap]) -> float:
        """Mean error on held-out labels, in per cent of the pose size."""
        model = self.start.model
        model.eval()
        window_model = WindowModel(
            model,
            self.start.config.test_dataloader.dataset.pipeline,
            parse_pose_metainfo(self.start.metainfo),
        )
        poses = STDPosePropagator(window_model).propagate(self.pictures, gaps, self.labels.skeleton)
        predicted = [
            PersonLabel(pose.frame_index, pose.keypoints, pose.visibility, pose.track_id)
            for pose in poses
        ]
        keys = {(pose.frame_index, pose.track_id) for pose in predicted}
        truth = [p for p in self.labels.persons if (p.frame_index, p.track_id) in keys]
        figures = keypoint_accuracy(
            [self.labels.with_persons(truth)], [self.labels.with_persons(predicted)]
        ).pooled()
        error = figures['error_percent']
        # One joint has no extent to measure by.
        return figures['error_px'] if math.isnan(error) else error

    def _train(self, labels: VideoLabels, steps: int, deadline: float) -> Iterator[int]:
        """Train on some labels; yields the number of steps done after each."""
        start = self.start
        metainfo = parse_pose_metainfo(start.metainfo)
        known = np.asarray(metainfo['dataset_keypoint_weights']) > 0
        dataset = ClipWindowDataset(
            self.pictures,
            _of_skeleton(labels, start.skeleton, known),
            metainfo=start.metainfo,
            pipeline=_training_pipeline(start),
        )
        batches = iter(
            DataLoader(
                dataset,
                batch_size=start.config.train_dataloader.batch_size,
                sampler=SeededInfiniteSampler(dataset, seed=self.seed),
                collate_fn=pseudo_collate,
            )
        )
        wrapper = _optim_wrapper(start)
        for step in range(steps):
            if time.monotonic() > deadline:
                return
            _set_rate(wrapper, step / steps)
            start.model.train()
            batch = next(batches)
            seed_generators(derive_seed(self.seed, step))
            start.model.train_step(batch, wrapper)
            self.bar.update()
            yield step + 1


def _weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def _training_pipeline(start: _Start) -> list[Any]:
    """The config's; without mirroring where the joints' names do not tell left from right."""
    pipeline = start.config.train_dataloader.dataset.pipeline
    if start.skeleton.flip_indices == tuple(range(start.skeleton.num_keypoints)):
        return [step for step in pipeline if step['type'] not in ('WindowRandomFlip', 'RandomFlip')]
    return list(pipeline)


def _optim_wrapper(start: _Start) -> OptimWrapper:
    config = deepcopy(start.config.optim_wrapper)
    if not start.from_scratch:
        config.optimizer.lr *= LEARNING_RATE
        if 'constructor' not in config:
            paramwise = config.setdefault('paramwise_cfg', {})
            paramwise.setdefault('custom_keys', {})['backbone'] = dict(lr_mult=BACKBONE_RATE)
    with config_mistakes(start.config.filename or '(in memory)'), _quiet():
        wrapper = build_optim_wrapper(start.model, config)
    for group in wrapper.optimizer.param_groups:
        group['initial_lr'] = group['lr']
    return wrapper


@contextmanager
def _quiet() -> Iterator[None]:
    """MMEngine lists every parameter it treats in its own way; here that is only noise."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _set_rate(wrapper: OptimWrapper, progress: float) -> None:
    """A short warm-up, then half a cosine down to a fiftieth."""
    factor = min(1.0, (progress + 0.01) / WARM_UP)
    factor *= 0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2
    for group in wrapper.optimizer.param_groups:
        group['lr'] = group['initial_lr'] * factor


# The stored result


def _digest(
    config: Config,
    checkpoint: str | Path | None,
    frames: FrameSource,
    labels: VideoLabels,
    steps: int,
    seed: int,
) -> str:
    """Equal for calls with the same result."""
    digest = hashlib.sha256()
    settings = (config.to_dict(), __version__, steps, seed, labels.skeleton.keypoint_names)
    digest.update(json.dumps(settings, default=str, sort_keys=True).encode())
    if checkpoint is not None:
        try:
            digest.update(hashlib.sha256(Path(checkpoint).read_bytes()).digest())
        except OSError as error:
            raise InputError(
                f'checkpoint {checkpoint} cannot be read: {error.strerror or error}'
            ) from error
    first = labels.labelled_frame_indices[0]
    digest.update(repr((len(frames), frames.size)).encode() + frames[first].tobytes())
    for person in labels.persons:
        box = None if person.bbox is None else person.bbox.tolist()
        digest.update(repr((person.frame_index, person.track_id, box)).encode())
        digest.update(person.keypoints.tobytes() + person.visibility.tobytes())
    return digest.hexdigest()


def _store(adapted: AdaptedModel, start: _Start, digest: str, max_minutes: float) -> None:
    fields = asdict(adapted)
    del fields['config'], fields['checkpoint'], fields['cached']
    content = {
        'meta': {
            'dataset_meta': parse_pose_metainfo(start.metainfo),
            'adapted': {'digest': digest, 'max_minutes': max_minutes, **fields},
        },
        'state_dict': {name: weight.cpu() for name, weight in start.model.state_dict().items()},
    }
    with atomic_path(adapted.checkpoint) as temporary:
        torch.save(content, temporary)


def _stored(path: Path, config: Config, digest: str, max_minutes: float) -> AdaptedModel | None:
    """The result of an earlier call, if that is what this call would give."""
    if not path.is_file():
        return None
    try:
        fields = read_checkpoint(path)[1].get('adapted', {})
    except InputError:
        return None
    if fields.pop('digest', None) != digest:
        return None
    if fields.pop('max_minutes') < max_minutes and fields['stopped'] == 'time':
        return None
    config = _config_of(config, len(fields['keypoint_names']))
    return AdaptedModel(checkpoint=path, config=config, cached=True, **fields)


def _check(config: Config, max_minutes: float, steps: int | None) -> None:
    if not max_minutes > 0:
        raise InputError(f'the minutes for adapting must be positive, got {max_minutes}')
    if steps is not None and steps < 1:
        raise InputError(f'the steps of adapting must be at least 1, got {steps}')
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
