"""Fine-tuning of a model on the labels of one video."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
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

from stdpose_mm.datasets.clip_window_dataset import ClipWindowDataset
from stdpose_mm.engine.config_files import config_mistakes
from stdpose_mm.engine.seeding import SeededInfiniteSampler, derive_seed, seed_generators
from stdpose_mm.evaluation.functional import AUC_LIMIT, keypoint_accuracy, pose_sizes
from stdpose_mm.inference.window_model import WindowModel, move_to
from stdpose_mm.io.video import FrameSource
from stdpose_mm.models.joint_channels import copy_joints, joint_axes, with_num_joints
from stdpose_mm.propagation import BasePropagator, Gap, PropagatedPose
from stdpose_mm.propagation.track_plans import Tracks
from stdpose_mm.propagation.video_propagation import gaps_of_labels
from stdpose_mm.propagation.window import WindowPropagator
from stdpose_mm.structures import PersonLabel, Skeleton, VideoLabels
from stdpose_mm.structures.joint_mapping import JointMapping

ROUNDS = 5
"""Number of validations on held-out labels in a full training."""

PATIENCE = 3
"""Validations without improvement after which training with held-out labels stops."""

MIN_FRAMES_TO_HOLD_OUT = 4
"""Labelled frames below which none is held out."""

MAX_HELD_OUT = 12
"""Largest number of frames held out together."""

MAX_COMPARED = 4
"""Largest number of held-out frames that a method is compared on with and without the network."""

STEPS_WITHOUT_HELD_OUT = 100
"""Training steps from a checkpoint where there are too few labels to hold any out."""

PROBE_STEPS = 3
"""Training steps that are timed to estimate how many the deadline allows."""

TRAINING_SHARE = 0.8
"""Share of the remaining time for training; the rest is for validation."""

LEARNING_RATE_FACTOR = 0.2
"""Factor on the config's learning rate when training from a checkpoint."""

BACKBONE_RATE_FACTOR = 0.25
"""Further factor for the backbone when training from a checkpoint."""

WARM_UP = 0.1
"""Share of the steps with a rising learning rate."""


@dataclass(frozen=True)
class InitialModel:
    """A model before it is fitted to a video.

    Args:
        config: Config of the model with the joints to fit.
        model: The model on its device.
        skeleton: Its joints.
        metainfo: MMPose metainfo of the joints, with weight 0 for those that are neither labelled
            nor trained.
        kept: One sentence on what is taken over from the checkpoint.
        from_scratch: Whether the weights are random.
    """

    config: Config
    model: Any
    skeleton: Skeleton
    metainfo: dict[str, Any]
    kept: str
    from_scratch: bool


def make_initial_model(
    config: Config,
    checkpoint: str | Path | None,
    labels: VideoLabels,
    device: str | torch.device,
    seed: int,
) -> InitialModel:
    """Build the model to train.

    It has the joints of the checkpoint if these include the labelled ones, else those of the
    labels.
    """
    init_default_scope(config.get('default_scope', 'mmpose'))
    labelled = np.any([person.labelled for person in labels.persons], axis=0)
    names = labels.skeleton.keypoint_names
    skeleton = labels.skeleton
    if checkpoint is None:
        config = set_num_joints(config, len(names))
        seed_generators(seed)
        model = _build(config)
        with _quiet():
            model.init_weights()
        trained, kept = labelled, f'a new model of {len(names)} joints'
    else:
        source = WindowModel.from_config(config, checkpoint, device)
        known = list(np.array(source.skeleton.keypoint_names)[source.trained_joints])
        if {name for name, used in zip(names, labelled, strict=True) if used} <= {*known}:
            config = set_num_joints(config, source.skeleton.num_keypoints)
            model, skeleton, trained = source.model, source.skeleton, source.trained_joints
            kept = f'all {len(known)} joints of the checkpoint kept'
        else:
            origins = _assign_origins(names, source.skeleton.keypoint_names, known)
            config = set_num_joints(config, len(names))
            model = move_to(_build(config), device)
            copy_joints(source.model, model, joint_axes(config.model), origins)
            trained = labelled | np.isin(names, known)
            new = [name for name in names if name not in known]
            kept = (
                f'{len(names) - len(new)} of {len(names)} joints kept from the checkpoint by their '
                f'names, new: {", ".join(new)}'
            )
    metainfo = skeleton.to_metainfo('adapted')
    metainfo['joint_weights'] = trained.astype(float).tolist()
    return InitialModel(
        config, move_to(model, device), skeleton, metainfo, kept, checkpoint is None
    )


def _assign_origins(
    names: Sequence[str], model_names: Sequence[str], known: Sequence[str]
) -> list[int]:
    """Choose the joint of a model whose channels initialise each of ``names``.

    It is the joint of the same name. For a new joint it is another one that the model knows,
    preferably one that is not among ``names``: its channels follow the given labels of any joint
    far better than random ones do.
    """
    others = [name for name in known if name not in names]
    donors = cycle([*others, *(name for name in known if name in names)])
    return [model_names.index(name if name in known else next(donors)) for name in names]


def set_num_joints(config: Config, num_joints: int) -> Config:
    """Return a copy of the config with another number of joints."""
    config = deepcopy(config)
    config.model = with_num_joints(config.model, num_joints)
    return config


def _build(config: Config) -> Any:
    with config_mistakes(config.filename or '(in memory)'):
        return MODELS.build(config.model)


def _map_joints(labels: VideoLabels, skeleton: Skeleton, known: np.ndarray) -> VideoLabels:
    """Convert labels to the joints of a model."""
    mapping = JointMapping.by_name(
        labels.skeleton, skeleton, np.zeros(labels.skeleton.num_keypoints, bool), known
    )
    persons = tuple(
        replace(
            person,
            keypoints=mapping.to_model(person.keypoints),
            visibility=mapping.to_model(person.visibility),
            keypoint_sources=None,  # type: ignore[arg-type]
            scores=None,
        )
        for person in labels.persons
    )
    return replace(labels, skeleton=skeleton, persons=persons)


def choose_evenly(frames: Sequence[int], limit: int) -> tuple[int, ...]:
    """Choose at most ``limit`` evenly spread ones of ``frames``."""
    places = np.linspace(0, len(frames) - 1, min(len(frames), limit)).round().astype(int)
    return tuple(frames[place] for place in places)


def held_out_gaps(labels: VideoLabels, held_out: Sequence[int], num_frames: int) -> list[Gap]:
    """Find the gaps, of one frame each, of held-out labels that lie between two others."""
    tracks = labels.tracks()
    given = labels.keep_frames(set(labels.labelled_frame_indices) - set(held_out))
    return [
        gap.of_frame(frame)
        for gap in gaps_of_labels(given, num_frames)
        if gap.left is not None and gap.right is not None
        for frame in gap.frames
        if frame in held_out and frame in tracks[gap.track_id]
    ]


def most_steps(steps: int, holds_out: bool, from_scratch: bool) -> int:
    """Limit the training steps where no held-out labels can tell when to stop."""
    return steps if holds_out or from_scratch else min(steps, STEPS_WITHOUT_HELD_OUT)


HeldOut = tuple[tuple[int, ...], list[Gap]]
"""Frames that are held out together, and the gaps of one frame each that their labels fill."""


def held_out_sets(labels: VideoLabels, num_frames: int, from_scratch: bool) -> list[HeldOut]:
    """Find the two sets of frames that are held out one after the other.

    The labelled frames between the first and the last alternate between the sets; from a larger
    one ``MAX_HELD_OUT`` evenly spread frames are chosen. With labels on fewer than
    ``MIN_FRAMES_TO_HOLD_OUT`` frames there is none. From scratch there is only one set: training
    takes long. Labels without a size are left out where others have one: their errors would be in
    pixels.
    """
    indices = labels.labelled_frame_indices
    if len(indices) < MIN_FRAMES_TO_HOLD_OUT:
        return []
    halves = indices[2:-1:2], indices[1:-1:2]
    chosen = [choose_evenly(half, MAX_HELD_OUT) for half in halves]
    sets = [(frames, held_out_gaps(labels, frames, num_frames)) for frames in chosen]
    tracks = labels.tracks()
    sized = [(frames, [gap for gap in gaps if _has_size(tracks, gap)]) for frames, gaps in sets]
    if any(gaps for _, gaps in sized):
        sets = sized
    sets = [(frames, gaps) for frames, gaps in sets if gaps]
    return sets[:1] if from_scratch else sets


def _has_size(tracks: Tracks, gap: Gap) -> bool:
    """Tell whether the label that fills a gap of one frame has a pose size."""
    label = tracks[gap.track_id][gap.frames[0]]
    return bool(pose_sizes(label.keypoints, label.labelled) > 0)


@dataclass(frozen=True)
class FitResult:
    """Result of a fit.

    Args:
        held_out: Frames whose labels were held out; empty with too few labels.
        error_before: Error on them without adapting: of the initial weights or, where a method is
            compared, of that method without a network; None with too few labels.
        error_after: Error on them after the chosen number of steps; where a method is compared,
            of that method with the network.
        unit: Unit of the errors.
        steps: Training steps behind the final weights, 0 for the initial ones.
        timed_out: Whether the deadline ended training.
    """

    held_out: tuple[int, ...]
    error_before: float | None
    error_after: float | None
    unit: str
    steps: int
    timed_out: bool


class VideoFinetuner:
    """Fit a model to the labels of one video.

    Args:
        initial: The model; its weights are changed.
        pictures: The video.
        labels: Its labels, each with a joint and a track id.
        seed: Seed of all random numbers.
        bar: A progress bar of training steps.
        compare: Makes a method that a network from scratch has to improve, with the network or
            (None) without.
    """

    def __init__(
        self,
        initial: InitialModel,
        pictures: FrameSource,
        labels: VideoLabels,
        seed: int,
        bar: Any,
        compare: Callable[[WindowModel | None], BasePropagator] | None = None,
    ) -> None:
        self.initial = initial
        self.pictures = pictures
        self.labels = labels
        self.seed = seed
        self.bar = bar
        self.compare = compare
        self._initial_weights = self._copy_weights()
        self._best_weights = self._initial_weights

    def run(self, steps: int, deadline: float) -> FitResult:
        """Choose the number of steps by held-out labels, then train on all labels.

        The sets of :func:`held_out_sets` are held out one after the other. Where a method is
        compared and does better without the network, the network is left as it was trained without
        the held-out labels.

        Args:
            steps: Largest number of training steps.
            deadline: Time (``time.monotonic``) at which training ends.
        """
        sets = held_out_sets(self.labels, len(self.pictures), self.initial.from_scratch)
        steps = most_steps(steps, bool(sets), self.initial.from_scratch)
        compared = sets[0] if sets and self.compare is not None else None
        before = after = None
        if compared is not None:
            self.bar.set_description('error without a network')
            started = time.monotonic()
            before = self._measure_method(*compared, None)
            # Reserve time for the same with the network, which takes longer.
            deadline -= 2 * (time.monotonic() - started)
        affordable = self._affordable_steps(len(sets) + 1, deadline)
        timed_out = affordable < steps
        steps = min(steps, affordable)
        self.bar.set_description('adapt, some labels held out')
        self.bar.reset(len(sets) * steps)
        interval = max(1, steps // ROUNDS)
        errors = [self._validate(frames, gaps, steps, interval, deadline) for frames, gaps in sets]
        chosen = steps
        if sets:
            rounds = min(map(len, errors))
            means = np.average(
                [of_set[:rounds] for of_set in errors],
                axis=0,
                weights=[len(gaps) for _, gaps in sets],
            )
            best = int(means.argmin())
            chosen = min(best * interval, steps)
            if compared is None:
                before, after = float(means[0]), float(means[best])
        helped = True
        if compared is not None:
            self.initial.model.load_state_dict(self._best_weights)
            after = self._measure_method(*compared, self._window_model())
            assert before is not None
            helped = after < before
        done = chosen
        if helped:
            self.initial.model.load_state_dict(self._initial_weights)
            self.bar.set_description('adapt to all labels')
            self.bar.reset(chosen)
            done = max(islice(self._train(self.labels, steps, deadline), chosen), default=0)
        tracks = self.labels.tracks()
        is_sized = any(_has_size(tracks, gap) for _, gaps in sets for gap in gaps)
        return FitResult(
            held_out=tuple(sorted(frame for frames, _ in sets for frame in frames)),
            error_before=before,
            error_after=after,
            unit='% of the pose size' if is_sized else 'pixels',
            steps=done,
            timed_out=timed_out or done < chosen,
        )

    def _copy_weights(self) -> dict[str, torch.Tensor]:
        weights = self.initial.model.state_dict()
        return {name: weight.detach().clone() for name, weight in weights.items()}

    def _affordable_steps(self, passes: int, deadline: float) -> int:
        """Estimate how many steps of each pass the deadline allows, by timing a few."""
        times = []
        for _ in islice(self._train(self.labels, PROBE_STEPS, deadline), PROBE_STEPS):
            times.append(time.monotonic())
        if len(times) < PROBE_STEPS:
            return 0
        # The first step is slower than the others.
        step = min(b - a for a, b in pairwise(times))
        # The deadline may have passed in the last of them.
        left = max(0.0, deadline - times[-1])
        return int(left / (passes * step) * TRAINING_SHARE)

    def _validate(
        self,
        held_out: Sequence[int],
        gaps: Sequence[Gap],
        steps: int,
        interval: int,
        deadline: float,
    ) -> list[float]:
        """Measure the error on held-out labels before training and after every interval of it."""
        self.initial.model.load_state_dict(self._initial_weights)
        others = self.labels.keep_frames(set(self.labels.labelled_frame_indices) - set(held_out))
        errors = [self._measure_error(gaps)]
        for done in self._train(others, steps, deadline):
            if done % interval:
                continue
            errors.append(self._measure_error(gaps))
            best = int(np.argmin(errors))
            if self.compare is not None and best == len(errors) - 1:
                self._best_weights = self._copy_weights()
            self.bar.set_postfix_str(f'held-out error {errors[0]:.1f} -> {errors[best]:.1f} %')
            if len(errors) - 1 - best == PATIENCE:
                break
        return errors

    def _window_model(self) -> WindowModel:
        initial = self.initial
        initial.model.eval()
        return WindowModel(
            initial.model,
            initial.config.test_dataloader.dataset.pipeline,
            parse_pose_metainfo(initial.metainfo),
        )

    def _measure_error(self, gaps: Sequence[Gap]) -> float:
        """Propagate to held-out labels with the network alone, and measure the mean error."""
        propagator = WindowPropagator(self._window_model())
        poses = propagator.propagate(self.pictures, gaps, self.labels.skeleton)
        return self._mean_error(list(poses))

    def _measure_method(
        self, held_out: Sequence[int], single: Sequence[Gap], network: WindowModel | None
    ) -> float:
        """Propagate to some held-out labels, which ``single`` lists, by the compared method."""
        assert self.compare is not None
        method = self.compare(network)
        given = self.labels.keep_frames(set(self.labels.labelled_frame_indices) - set(held_out))
        chosen = choose_evenly(sorted({gap.frames[0] for gap in single}), MAX_COMPARED)
        wanted = {(gap.track_id, gap.frames[0]) for gap in single if gap.frames[0] in chosen}
        # Whole gaps: the method may look at all of their frames together.
        gaps = [
            gap
            for gap in gaps_of_labels(
                given, len(self.pictures), with_others=method.reads_other_people
            )
            if any((gap.track_id, frame) in wanted for frame in gap.frames)
        ]
        gaps.sort(key=lambda gap: gap.frames[0])
        poses = method.propagate(self.pictures, gaps, self.labels.skeleton)
        return self._mean_error([p for p in poses if (p.gap.track_id, p.frame_index) in wanted])

    def _mean_error(self, poses: Sequence[PropagatedPose]) -> float:
        """Measure the mean error on the labels of the same people and frames.

        It is in per cent of the pose size, where a joint counts 20 at most, so that a few outliers
        do not decide; where no label has a size, as of a subject of one joint, it is in pixels.
        """
        if not all(np.isfinite(pose.keypoints).all() for pose in poses):
            return math.inf
        predicted = [
            PersonLabel(pose.frame_index, pose.keypoints, pose.visibility, pose.gap.track_id)
            for pose in poses
        ]
        keys = {(person.frame_index, person.track_id) for person in predicted}
        truth = [p for p in self.labels.persons if (p.frame_index, p.track_id) in keys]
        figures = keypoint_accuracy(
            [self.labels.with_persons(truth)], [self.labels.with_persons(predicted)]
        ).pooled()
        # One minus the area under the PCK curve up to a limit is the mean error, clipped at it.
        error = 100 * AUC_LIMIT * (1 - figures['AUC'] / 100)
        return figures['error_px'] if math.isnan(error) else error

    def _train(self, labels: VideoLabels, steps: int, deadline: float) -> Iterator[int]:
        """Train on ``labels``; yield the number of finished steps after each."""
        initial = self.initial
        metainfo = parse_pose_metainfo(initial.metainfo)
        known = np.asarray(metainfo['dataset_keypoint_weights']) > 0
        dataset = ClipWindowDataset(
            self.pictures,
            _map_joints(labels, initial.skeleton, known),
            metainfo=initial.metainfo,
            pipeline=_training_pipeline(initial),
            num_frames=initial.model.num_frames,
        )
        batches = iter(
            DataLoader(
                dataset,
                batch_size=initial.config.train_dataloader.batch_size,
                sampler=SeededInfiniteSampler(dataset, seed=self.seed),
                collate_fn=pseudo_collate,
            )
        )
        wrapper = _build_optim_wrapper(initial)
        for step in range(steps):
            if time.monotonic() > deadline:
                return
            _set_rate(wrapper, step / steps)
            initial.model.train()
            batch = next(batches)
            seed_generators(derive_seed(self.seed, step))
            initial.model.train_step(batch, wrapper)
            self.bar.update()
            yield step + 1


def _training_pipeline(initial: InitialModel) -> list[Any]:
    """Return the config's pipeline, without flips if no joint has a counterpart to swap with."""
    pipeline = initial.config.train_dataloader.dataset.pipeline
    if initial.skeleton.flip_indices == tuple(range(initial.skeleton.num_keypoints)):
        return [step for step in pipeline if step['type'] not in ('WindowRandomFlip', 'RandomFlip')]
    return list(pipeline)


def _build_optim_wrapper(initial: InitialModel) -> OptimWrapper:
    config = deepcopy(initial.config.optim_wrapper)
    if not initial.from_scratch:
        config.optimizer.lr *= LEARNING_RATE_FACTOR
        if 'constructor' not in config:
            paramwise = config.setdefault('paramwise_cfg', {})
            paramwise.setdefault('custom_keys', {})['backbone'] = dict(lr_mult=BACKBONE_RATE_FACTOR)
    with config_mistakes(initial.config.filename or '(in memory)'), _quiet():
        wrapper = build_optim_wrapper(initial.model, config)
    for group in wrapper.optimizer.param_groups:
        group['initial_lr'] = group['lr']
    return wrapper


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress MMEngine's list of the parameters with settings of their own."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def _set_rate(wrapper: OptimWrapper, progress: float) -> None:
    """Set the learning rate: a linear warm-up, then a cosine decay to 2 %."""
    factor = min(1.0, (progress + 0.01) / WARM_UP)
    factor *= 0.02 + 0.98 * (1 + math.cos(math.pi * progress)) / 2
    for group in wrapper.optimizer.param_groups:
        group['lr'] = group['initial_lr'] * factor
