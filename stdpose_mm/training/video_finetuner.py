"""Training of a model on the labels of one video."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import MODELS
from torch.utils.data import DataLoader

from stdpose_mm.datasets.body import ClipWindowDataset
from stdpose_mm.engine.config_files import config_mistakes
from stdpose_mm.engine.samplers import SeededInfiniteSampler
from stdpose_mm.engine.seeding import derive_seed, seed_generators
from stdpose_mm.evaluation.functional import AUC_LIMIT, keypoint_accuracy
from stdpose_mm.inference import WindowModel, move_to
from stdpose_mm.io.video import FrameSource
from stdpose_mm.models.joint_channels import copy_joints, joint_axes, with_num_joints
from stdpose_mm.propagation import Gap
from stdpose_mm.propagation.video_propagation import gaps_of_labels
from stdpose_mm.propagation.window import WindowPropagator
from stdpose_mm.structures import PersonLabel, Skeleton, VideoLabels
from stdpose_mm.structures.joint_mapping import JointMapping

ROUNDS = 5
"""How often the error on held-out labels is measured on the way."""

PATIENCE = 3
"""Rounds without a better result after which training with held-out labels stops."""

MIN_FRAMES_TO_HOLD_OUT = 4
MAX_HELD_OUT = 12
"""Frames, at a time."""

STEPS_WITHOUT_HELD_OUT = 100
"""Steps from a checkpoint where there are too few labels to hold any out."""

PROBE_STEPS = 3
"""Steps by which the time for more is measured."""

TRAINING_SHARE = 0.8
"""Of the time; the rest is for measuring errors."""

LEARNING_RATE = 0.2
"""Share of the config's learning rate, from a checkpoint."""

BACKBONE_RATE = 0.25
"""Share of that for the backbone, from a checkpoint."""

WARM_UP = 0.1
"""Share of the steps."""


@dataclass(frozen=True)
class InitialModel:
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


def make_start(
    config: Config,
    checkpoint: str | Path | None,
    labels: VideoLabels,
    device: str | torch.device,
    seed: int,
) -> InitialModel:
    """The model to train: the checkpoint's if it knows the labelled joints, else one of theirs."""
    init_default_scope(config.get('default_scope', 'mmpose'))
    labelled = np.any([person.labelled for person in labels.persons], axis=0)
    names = labels.skeleton.keypoint_names
    if checkpoint is None:
        config = config_of(config, len(names))
        seed_generators(seed)
        model = _build(config)
        with _quiet():
            model.init_weights()
        return InitialModel(
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
        config = config_of(config, source.skeleton.num_keypoints)
        return InitialModel(
            config=config,
            model=source.model,
            skeleton=source.skeleton,
            metainfo=_metainfo(source.skeleton, source.trained_joints),
            kept=f'all {len(known)} joints of the checkpoint kept',
            from_scratch=False,
        )
    origins = _origins(names, source.skeleton.keypoint_names, known)
    kept = np.array([name in known for name in names])
    config = config_of(config, len(names))
    model = move_to(_build(config), device)
    copy_joints(source.model, model, joint_axes(config.model), origins)
    return InitialModel(
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


def config_of(config: Config, num_joints: int) -> Config:
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


def hold_out(labels: VideoLabels) -> list[tuple[int, ...]]:
    """Which frames to hold out together: two sets that share the labelled frames in between.

    Every other labelled frame between the first and the last is in one set, the rest in the
    other; of a long video some of them, evenly spread.

    Returns:
        Empty if there are labels on fewer than ``MIN_FRAMES_TO_HOLD_OUT`` frames.
    """
    indices = labels.labelled_frame_indices
    if len(indices) < MIN_FRAMES_TO_HOLD_OUT:
        return []
    between = indices[1:-1]
    sets = []
    for frames in (between[1::2], between[::2]):
        count = min(len(frames), MAX_HELD_OUT)
        places = np.linspace(0, len(frames) - 1, count).round().astype(int)
        sets.append(tuple(frames[place] for place in places))
    return sets


def held_out_gaps(labels: VideoLabels, held_out: Sequence[int], num_frames: int) -> list[Gap]:
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


@dataclass(frozen=True)
class FitResult:
    """How a fit went.

    Args:
        held_out: Frames whose labels chose the number of steps; empty with too few labels.
        error_before: Error on them of the start weights; None with too few labels.
        error_after: Error on them after the chosen number of steps.
        steps: Training steps of the weights that the model has now, 0 for the start weights.
        timed_out: Whether there was no time for more.
    """

    held_out: tuple[int, ...]
    error_before: float | None
    error_after: float | None
    steps: int
    timed_out: bool


class VideoFinetuner:
    """Fits a model to the labels of one video.

    Args:
        start: The model; its weights are changed.
        pictures: The video.
        labels: Its labels, each with a joint and a track id.
        seed: Of all random numbers.
        bar: A progress bar of steps.
    """

    def __init__(
        self,
        start: InitialModel,
        pictures: FrameSource,
        labels: VideoLabels,
        seed: int,
        bar: Any,
    ) -> None:
        self.start = start
        self.pictures = pictures
        self.labels = labels
        self.seed = seed
        self.bar = bar
        self._start_weights = {
            name: weight.detach().clone() for name, weight in start.model.state_dict().items()
        }

    def run(self, steps: int, deadline: float) -> FitResult:
        """Choose a number of steps by held-out labels and train on all labels for as long.

        The two sets of :func:`hold_out` are held out one after the other, from scratch the first
        alone: there is no start worth falling back to, and training takes long.

        Args:
            steps: At most.
            deadline: Time (``time.monotonic``) at which training ends.
        """
        sets = [
            (frames, gaps)
            for frames in hold_out(self.labels)
            if (gaps := held_out_gaps(self.labels, frames, len(self.pictures)))
        ]
        if self.start.from_scratch:
            sets = sets[:1]
        elif not sets:
            steps = min(steps, STEPS_WITHOUT_HELD_OUT)
        affordable = self._affordable_steps(len(sets) + 1, deadline)
        timed_out = affordable < steps
        steps = min(steps, affordable)
        self.bar.set_description('adapt, some labels held out')
        self.bar.reset(len(sets) * steps)
        every = max(1, steps // ROUNDS)
        errors = [self._errors(frames, gaps, steps, every, deadline) for frames, gaps in sets]
        chosen, before, after = steps, None, None
        if sets:
            rounds = min(map(len, errors))
            means = np.average(
                [of_set[:rounds] for of_set in errors],
                axis=0,
                weights=[len(gaps) for _, gaps in sets],
            )
            best = int(means.argmin())
            chosen, before, after = min(best * every, steps), float(means[0]), float(means[best])
        self._restore()
        self.bar.set_description('adapt to all labels')
        self.bar.reset(chosen)
        done = max(islice(self._train(self.labels, steps, deadline), chosen), default=0)
        held_out = tuple(sorted(frame for frames, _ in sets for frame in frames))
        return FitResult(held_out, before, after, done, timed_out or done < chosen)

    def _restore(self) -> None:
        self.start.model.load_state_dict(self._start_weights)

    def _affordable_steps(self, passes: int, deadline: float) -> int:
        """How many steps there is time for in each pass, by the time that a few take."""
        times = []
        for _ in islice(self._train(self.labels, PROBE_STEPS, deadline), PROBE_STEPS):
            times.append(time.monotonic())
        if len(times) < PROBE_STEPS:
            return 0
        # The first step is slower than the others.
        step = min(b - a for a, b in pairwise(times))
        return int((deadline - times[-1]) / (passes * step) * TRAINING_SHARE)

    def _errors(
        self,
        held_out: Sequence[int],
        gaps: Sequence[Gap],
        steps: int,
        every: int,
        deadline: float,
    ) -> list[float]:
        """Errors on held-out labels, of the start weights and after every ``every`` steps."""
        self._restore()
        others = self.labels.keep_frames(set(self.labels.labelled_frame_indices) - set(held_out))
        errors = [self._error(gaps)]
        for done in self._train(others, steps, deadline):
            if done % every:
                continue
            errors.append(self._error(gaps))
            best = int(np.argmin(errors))
            self.bar.set_postfix_str(f'held-out error {errors[0]:.1f} -> {errors[best]:.1f} %')
            if len(errors) - 1 - best == PATIENCE:
                break
        return errors

    def _error(self, gaps: Sequence[Gap]) -> float:
        """Mean error on held-out labels, in per cent of the pose size, each joint up to a limit.

        Propagated as any other frames are. The limit keeps a few joints that are far off from
        deciding. In pixels for a subject of one joint, which has no size.
        """
        self.start.model.eval()
        window_model = WindowModel(
            self.start.model,
            self.start.config.test_dataloader.dataset.pipeline,
            parse_pose_metainfo(self.start.metainfo),
        )
        poses = [
            *WindowPropagator(window_model).propagate(self.pictures, gaps, self.labels.skeleton)
        ]
        if not all(np.isfinite(pose.keypoints).all() for pose in poses):
            return math.inf
        predicted = [
            PersonLabel(pose.frame_index, pose.keypoints, pose.visibility, pose.track_id)
            for pose in poses
        ]
        keys = {(pose.frame_index, pose.track_id) for pose in predicted}
        truth = [p for p in self.labels.persons if (p.frame_index, p.track_id) in keys]
        figures = keypoint_accuracy(
            [self.labels.with_persons(truth)], [self.labels.with_persons(predicted)]
        ).pooled()
        # The area under the PCK curve up to a limit is what a mean up to that limit leaves of it.
        error = 100 * AUC_LIMIT * (1 - figures['AUC'] / 100)
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


def _training_pipeline(start: InitialModel) -> list[Any]:
    """The config's; without mirroring where the joints' names do not tell left from right."""
    pipeline = start.config.train_dataloader.dataset.pipeline
    if start.skeleton.flip_indices == tuple(range(start.skeleton.num_keypoints)):
        return [step for step in pipeline if step['type'] not in ('WindowRandomFlip', 'RandomFlip')]
    return list(pipeline)


def _optim_wrapper(start: InitialModel) -> OptimWrapper:
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
