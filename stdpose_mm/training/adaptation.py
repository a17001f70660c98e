"""Fit a model to one video by its labelled frames, before these are propagated."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from tqdm import tqdm

from stdpose_mm.engine.config_files import read_config
from stdpose_mm.errors import InputError
from stdpose_mm.inference import read_checkpoint
from stdpose_mm.io import atomic_path
from stdpose_mm.io.atomic import require_writable
from stdpose_mm.io.fingerprint import file_fingerprint, fingerprint
from stdpose_mm.io.labels import match_frames
from stdpose_mm.io.video import FrameSource, PreloadedFrames
from stdpose_mm.propagation import given_labels
from stdpose_mm.structures import VideoLabels
from stdpose_mm.version import __version__

from .video_finetuner import (
    MIN_FRAMES_TO_HOLD_OUT,
    InitialModel,
    VideoFinetuner,
    choose_evenly,
    make_initial_model,
    set_num_joints,
)

STEPS = 200
"""Training steps from a checkpoint."""

STEPS_FROM_SCRATCH = 1500

MAX_PICTURE_BYTES = 2**30


@dataclass(frozen=True)
class AdaptedModel:
    """A model fitted to one video.

    Args:
        checkpoint: Its weights and joints; they also load with the config that came in.
        config: Its config.
        keypoint_names: Its joints.
        kept: One sentence on what is taken over from the initial checkpoint.
        labels: Number of labelled poses that it was fitted on.
        held_out: Frames whose labels were held out to choose the number of steps; empty with too
            few labels.
        error_before: Mean error of the initial weights on these, in per cent of the pose size, a
            joint counting 20 at most; None where nothing was held out.
        error_after: The same after the chosen number of steps, these labels being held out.
        steps: Training steps; 0 if training did not improve on the initial weights.
        timed_out: Whether the limit of time ended training.
        seconds: Duration of the fit.
        cached: Whether an earlier call with the same inputs had written it.
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
    timed_out: bool
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

    With labels on at least four frames, those between the first and the last are held out in two
    turns. The number of steps with the smallest mean error on them, zero included, is then used to
    train on all labels. With fewer frames the number of steps is fixed and small.

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

    Raises:
        InputError: If nothing is labelled, an argument is out of range, a file cannot be used, or
            the config says nothing about training.
    """
    config = config if isinstance(config, Config) else read_config(config)
    _check(config, max_minutes, steps)
    labels = _keep_poses(given_labels(match_frames(labels, frames)))
    if steps is None:
        steps = STEPS_FROM_SCRATCH if checkpoint is None else STEPS
    path = Path(out).with_name(f'{Path(Path(out).name.removesuffix(".gz")).stem}.adapted.pth')
    inputs = _fingerprint_inputs(config, checkpoint, frames, labels, steps, seed)
    cached = _read_cached(path, config, inputs, max_minutes)
    if cached is not None:
        return cached
    require_writable(path)

    started = time.monotonic()
    labels = _limit_frames(labels, frames.size)
    initial = make_initial_model(config, checkpoint, labels, device, seed)
    with tqdm(desc='adapt', unit=' steps', disable=not progress) as bar:
        pictures = PreloadedFrames(frames, labels.labelled_frame_indices)
        fit = VideoFinetuner(initial, pictures, labels, seed, bar)
        fitted = fit.run(steps, started + 60 * max_minutes)
    adapted = AdaptedModel(
        checkpoint=path,
        config=initial.config,
        keypoint_names=initial.skeleton.keypoint_names,
        kept=initial.kept,
        labels=len(labels.persons),
        seconds=round(time.monotonic() - started, 1),
        **vars(fitted),
    )
    _write(adapted, initial, inputs, max_minutes)
    return adapted


def _keep_poses(labels: VideoLabels) -> VideoLabels:
    """Keep the people with a labelled joint; joints without a label count as left out.

    Raises:
        InputError: If there is none.
    """
    persons = [person.with_source('given') for person in labels.persons if person.labelled.any()]
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


def _fingerprint_inputs(
    config: Config,
    checkpoint: str | Path | None,
    frames: FrameSource,
    labels: VideoLabels,
    steps: int,
    seed: int,
) -> str:
    """Compute a text that is equal for calls with the same result."""
    people = [
        (person.frame_index, person.track_id, person.bbox, person.keypoints, person.visibility)
        for person in labels.persons
    ]
    return fingerprint(
        (__version__, config.to_dict(), checkpoint and file_fingerprint(checkpoint), steps, seed),
        (frames, labels.skeleton.keypoint_names, people),
    )


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
